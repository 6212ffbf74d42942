"""A bound on what nobody measures would be without effect: it is refused when the settings are read."""

import shutil
from pathlib import Path

import pytest
from pydantic import ValidationError

from nightshift.settings import SettingsError, load_survey
from nightshift.settings.loader import config_folder
from nightshift.settings.models import Thresholds
from nightshift.vocabulary import Measurement, Reason, all_measurements
from nightshift.vocabulary.measurement_table import measurement_page


def test_a_threshold_may_bound_every_measurement_that_has_reasons_and_no_other():
    for measurement in all_measurements():
        if measurement.bounded:
            assert Thresholds(name=measurement.name).name == measurement.name
        else:
            with pytest.raises(ValidationError, match=measurement.name):
                Thresholds(name=measurement.name)


def test_a_new_measurement_may_be_bounded(toy_measurement):
    assert Thresholds(name="toy", fail=(None, 1.0)).name == "toy"


def test_a_measurement_has_both_reasons_or_neither_and_a_cause_has_them():
    with pytest.raises(ValueError, match="toy: give both"):
        Measurement("toy", "toy", "mag", "A number.", reason_low=Reason.CLOUDY)
    with pytest.raises(ValueError, match="toy: a cause has bounds"):
        Measurement("toy", "toy", "mag", "A number.", cause=True)


def test_names_and_sentences_of_measurements_are_their_own_and_causes_stand_first():
    measurements = all_measurements()
    assert len({m.name for m in measurements}) == len({m.says for m in measurements}) == len(measurements)
    assert all(m.says.endswith(".") for m in measurements)
    assert [m.cause for m in measurements] == sorted((m.cause for m in measurements), reverse=True)


def test_the_page_of_measurements_is_the_registry():
    shown = (Path(__file__).parents[3] / "docs" / "measurements.md").read_text()
    assert shown == measurement_page(), (
        "run: python -m nightshift.vocabulary.measurement_table > docs/measurements.md"
    )


def test_a_mistyped_threshold_is_an_error_of_the_settings_that_says_where(tmp_path, monkeypatch):
    shutil.copytree(config_folder() / "demo", tmp_path / "demo")
    policy = tmp_path / "demo" / "policy.toml"
    text = policy.read_text()
    assert 'name = "fwhm_px"' in text
    policy.write_text(text.replace('name = "fwhm_px"', 'name = "fwhm_pix"'))
    monkeypatch.setenv("NIGHTSHIFT_CONFIG", str(tmp_path))
    with pytest.raises(SettingsError, match=r"policy\.toml.*fwhm_pix"):
        load_survey("demo")
