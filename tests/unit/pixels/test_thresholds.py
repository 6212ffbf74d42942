"""A bound on what nobody measures would be without effect: it is refused when the settings are read."""

import shutil
from typing import get_args

import pytest

from nightshift.kinds.science.record import IMAGE_QUALITY
from nightshift.kinds.science.work import REASONS_OF
from nightshift.settings import SettingsError, load_survey
from nightshift.settings.loader import config_folder
from nightshift.settings.models import Measurement


def test_every_measurement_that_may_be_bounded_has_its_reason_and_every_reason_its_measurement():
    assert get_args(Measurement) == tuple(REASONS_OF)


def test_every_measurement_that_may_be_bounded_is_kept_in_the_ledger():
    assert set(get_args(Measurement)) <= set(IMAGE_QUALITY)


def test_a_mistyped_threshold_is_an_error_of_the_settings_that_says_where(tmp_path, monkeypatch):
    shutil.copytree(config_folder() / "demo", tmp_path / "demo")
    policy = tmp_path / "demo" / "policy.toml"
    text = policy.read_text()
    assert 'name = "fwhm_px"' in text
    policy.write_text(text.replace('name = "fwhm_px"', 'name = "fwhm_pix"'))
    monkeypatch.setenv("NIGHTSHIFT_CONFIG", str(tmp_path))
    with pytest.raises(SettingsError, match=r"policy\.toml.*fwhm_pix"):
        load_survey("demo")
