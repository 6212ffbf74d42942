"""A camera's settings choose the steps of its recipe, never their order; frames of a master take the same steps."""

import shutil

import numpy as np
import pytest
from star_fields import plain_settings, star_field

from nightshift.jobs.translate import aggressors_of, layout_of, recipe_of
from nightshift.settings import SettingsError, load_survey
from nightshift.settings.loader import config_folder
from reduction.detector.calibrations import Calibrations
from reduction.image.frame import Frame
from reduction.image.mask import MaskBit
from reduction.optional_steps import OptionalStep
from reduction.recipes import CALIBRATE, MEASURE, Recipe, calibrate, recipe_without

STEPS = [step.__name__ for step in (*CALIBRATE, *MEASURE)]
IN_ADU = [
    "flag_saturated", "mask_invalid", "subtract_overscan", "trim", "mask_edges", "flag_bad_pixels", "subtract_bias",
    "subtract_crosstalk", "correct_linearity",
]  # fmt: skip


def names(steps) -> list[str]:
    return [step.__name__ for step in steps]


def survey_with(tmp_path, monkeypatch, line: str, end: str = ""):
    """Return the demonstration survey with a line more in its camera's table, and tables at the end of the file."""
    shutil.copytree(config_folder() / "demo", tmp_path / "demo")
    camera = tmp_path / "demo" / "camera.toml"
    camera.write_text(camera.read_text().replace("[camera]\n", f"[camera]\n{line}\n", 1) + end)
    monkeypatch.setenv("NIGHTSHIFT_CONFIG", str(tmp_path))
    return load_survey("demo")


def test_no_two_steps_have_one_name():
    assert len(set(STEPS)) == len(STEPS)


@pytest.mark.parametrize("left_out", OptionalStep)
def test_what_a_camera_may_leave_out_is_a_step_and_the_others_keep_their_order(left_out):
    recipe = recipe_without([left_out])
    assert names((*recipe.calibrate, *recipe.measure)) == [name for name in STEPS if name != left_out]


def test_a_camera_that_leaves_nothing_out_takes_every_step():
    assert recipe_of(load_survey("demo")) == Recipe(CALIBRATE, MEASURE)


def test_frames_of_a_master_take_the_steps_of_a_science_frame_up_to_electrons():
    assert names(Recipe().prepare) == IN_ADU


def test_what_a_camera_leaves_out_its_masters_leave_out_too():
    prepared = recipe_without(["subtract_overscan", "flag_trails"]).prepare
    assert names(prepared) == [name for name in IN_ADU if name != "subtract_overscan"]


def test_the_settings_choose_the_steps_whatever_order_they_name_them_in(tmp_path, monkeypatch):
    survey = survey_with(tmp_path, monkeypatch, 'leave_out = ["reject_cosmic_rays", "subtract_overscan"]')
    assert recipe_of(survey) == recipe_without(["subtract_overscan", "reject_cosmic_rays"])


@pytest.mark.parametrize("step", ["subtract_sky", "apply_gain", "subtract_bias"])
def test_a_step_that_cannot_be_left_out_is_an_error_that_names_those_that_can(tmp_path, monkeypatch, step):
    with pytest.raises(SettingsError, match=rf"camera\.toml: camera\.leave_out.*{step}.*subtract_overscan.*trails"):
        survey_with(tmp_path, monkeypatch, f'leave_out = ["{step}"]')


def test_a_camera_without_linearity_and_crosstalk_reads_neither(tmp_path, monkeypatch):
    heard = "[[camera.crosstalk]]\nvictim = 1\nsource = 2\ncoefficient = 1e-3\n"
    line = 'leave_out = ["correct_linearity", "subtract_crosstalk"]'
    survey = survey_with(tmp_path, monkeypatch, line, heard)
    assert survey.camera.crosstalk_of(1, 1)
    assert layout_of(survey, 1, 1).linearity is None
    assert aggressors_of(survey, 1, 1, tmp_path / "not_there.fits") == ((), ())


def test_a_hit_stays_in_a_frame_whose_camera_leaves_their_rejection_out():
    image = star_field((64, 64), stars=0).image
    image[32, 32] += 5000
    frame = Frame(image, np.zeros(image.shape, np.uint16))
    settings = plain_settings(image.shape)
    without = recipe_without([OptionalStep.REJECT_COSMIC_RAYS]).calibrate
    assert calibrate(frame, Calibrations(), settings).mask[32, 32] & MaskBit.SPIKE
    assert not (calibrate(frame, Calibrations(), settings, without).mask & np.uint16(MaskBit.SPIKE)).any()
