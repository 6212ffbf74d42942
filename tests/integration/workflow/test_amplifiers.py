"""What is known of the amplifiers, between settings, jobs and ledger."""

import shutil

import pytest

from nightshift.settings.loader import config_folder

pytestmark = pytest.mark.integration


def test_a_gain_that_is_not_the_settings_is_in_the_ledger_with_an_event_for_each_quadrant(night):
    night.bring_calibrations()
    night.run_due("calibrations", measured={"flat": {"gain": 3.9, "gain_error": 0.01}})
    rows = {row["kind"]: (row["gain"], row["gain_error"], row["read_noise"]) for row in night.rows("calibrations")}
    assert rows == {"bias": (None, None, None), "dark": (None, None, None), "flat": (3.9, 0.01, None)}
    events = [row for row in night.rows("events", "event_id") if row["kind"] == "gain_disagrees"]
    assert len(events) == 4
    assert events[0]["level"] == "warning"
    assert events[0]["message"].startswith("3.9 electrons per ADU, by the settings 2.")


def test_the_mask_of_bad_pixels_of_each_quadrant_is_an_input_of_its_unit(night, tmp_path, monkeypatch):
    shutil.copytree(config_folder() / "demo", tmp_path / "demo")
    monkeypatch.setenv("NIGHTSHIFT_CONFIG", str(tmp_path))
    for name in ("1/1", "1/2", "2/1", "2/2"):
        (tmp_path / "demo" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "demo" / f"{name}.fits").write_bytes(name.encode())
    survey = night.context.survey
    camera = survey.camera.model_copy(update={"bad_pixels": "{detector}/{quadrant}.fits"})
    night.context = night.context.with_survey(survey.model_copy(update={"camera": camera}))
    night.calibrate()
    night.bring(0)
    night.run_due("exposure")
    units = night.runner.units(night.runner.called("science"))
    for unit in units:
        place = f"{unit.parameters['detector']}/{unit.parameters['quadrant']}.fits"
        assert unit.input("bad_pixels").key == f"bad_pixels/{place}"
        assert unit.input("bad_pixels").path.endswith(f"/demo/{place}")
    assert all(u.input("bad_pixels").path.startswith(str(tmp_path)) for u in units)
