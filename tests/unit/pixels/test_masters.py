"""Masters, and the frames that do not belong in them."""

from dataclasses import replace

import numpy as np
import pytest

from reduction.detector.masters import MasterSettings, build_master, judge_frames
from reduction.image.frame import Frame
from reduction.image.mask import MaskBit

SHAPE = (64, 64)
BIAS = MasterSettings("bias", (1000.0, 30000.0), 0.05, 0.05, 6.0, 2.0, 6.0)
FLAT = replace(BIAS, kind="flat")
DARK = replace(BIAS, kind="dark")


def frames(level, number=8, *, seed=1, response=1.0, settings=BIAS):
    random = np.random.default_rng(seed)
    made = []
    for k in range(number):
        expected = np.broadcast_to(np.asarray(level[k] if np.ndim(level) else level) * response, SHAPE)
        noise = np.sqrt(np.maximum(expected, 0) / settings.gain + (settings.read_noise / settings.gain) ** 2)
        image = (expected + noise * random.standard_normal(SHAPE)).astype(np.float32)
        made.append(Frame(image, np.zeros(SHAPE, np.uint16)))
    return made


def reasons(verdicts):
    return [verdict.reason for verdict in verdicts]


def test_good_frames_are_all_taken_whatever_the_twilight_does():
    levels = np.linspace(5000, 25000, 8)
    assert reasons(judge_frames(frames(levels, settings=FLAT), FLAT)) == [None] * 8
    assert reasons(judge_frames(frames(0.0), BIAS)) == [None] * 8


@pytest.mark.parametrize(("level", "reason"), [(500.0, "level_out_of_range"), (31000.0, "level_out_of_range")])
def test_a_flat_too_faint_or_too_bright_is_left_out(level, reason):
    made = frames([20000.0] * 7 + [level], settings=FLAT)
    assert reasons(judge_frames(made, FLAT)) == [None] * 7 + [reason]


def test_a_saturated_flat_is_left_out():
    made = frames(20000.0, settings=FLAT)
    mask = made[2].mask.copy()
    mask[:10] = MaskBit.SATURATED
    made[2] = replace(made[2], mask=mask)
    assert reasons(judge_frames(made, FLAT))[2] == "saturated"


def test_a_frame_unlike_its_fellows_is_left_out():
    made = frames(0.0)
    made[5] = replace(made[5], image=made[5].image + np.linspace(0, 80, 64, dtype=np.float32))
    found = reasons(judge_frames(made, BIAS))
    assert found == [None] * 5 + ["unlike_its_fellows"] + [None] * 2


def test_a_bias_with_light_in_it_is_left_out():
    made = frames(0.0)
    made[0] = replace(made[0], image=made[0].image + 300)
    assert reasons(judge_frames(made, BIAS))[0] == "unlike_its_fellows"


def test_a_frame_without_any_value_is_left_out_with_its_reason():
    made = frames(0.0)
    made[1] = replace(made[1], mask=np.full(SHAPE, MaskBit.NAN, np.uint16))
    assert reasons(judge_frames(made, BIAS))[1] == "unreadable_file"


def test_no_frames_have_no_verdicts():
    assert judge_frames([], BIAS) == []


def test_the_master_is_the_mean_without_the_cosmic_rays():
    made = frames(10.0, number=10)
    made[3].image[20, 20] += 5000
    master = build_master(made, [0.0] * 10, BIAS)
    assert master.image[20, 20] == pytest.approx(10, abs=5)
    assert float(master.image.mean()) == pytest.approx(10, abs=0.2)
    expected = (10 / 2 + 9) / 10
    assert float(np.median(master.variance)) == pytest.approx(expected, rel=0.3)


def test_a_flat_is_one_in_the_median_and_knows_dead_and_weak_pixels():
    response = np.ones(SHAPE)
    response[10, 10], response[30, 30:32] = 0.0, 0.3
    master = build_master(frames(20000.0, settings=FLAT, response=response), [3.0] * 8, FLAT)
    assert float(np.median(master.image)) == pytest.approx(1, abs=1e-3)
    assert master.mask[10, 10] & MaskBit.DEAD
    assert master.mask[30, 30] & MaskBit.LOW_RESPONSIVITY
    assert (master.mask != 0).sum() == 3


def test_a_dark_is_electrons_per_second_and_knows_hot_pixels():
    made = frames(20.0, settings=DARK)
    for frame in made:
        frame.image[5, 6] += 3000
    master = build_master(made, [100.0] * 8, DARK)
    assert float(np.median(master.image)) == pytest.approx(20 * 2 / 100, rel=0.05)
    assert master.mask[5, 6] & MaskBit.NOISY


def test_a_pixel_that_no_frame_has_is_dead():
    made = [replace(f, mask=f.mask.copy()) for f in frames(10.0)]
    for frame in made:
        frame.mask[7, 7] = MaskBit.NAN
    master = build_master(made, [0.0] * 8, BIAS)
    assert master.mask[7, 7] & MaskBit.DEAD
    assert np.isfinite(master.image).all()


# --- twilight ------------------------------------------------------------------------------------------------

EVENING = 12000 * np.exp(-np.arange(7) / 4)  # light of one second


def twilight(light, *, every_s=60.0, **told):
    """Judge flats of so much light a second, exposed so that the level stays useful, one a minute."""
    seconds = [float(np.clip(15000 / rate, 1.0, 60.0)) for rate in light]
    levels = [rate * s for rate, s in zip(light, seconds, strict=True)]
    times = told.pop("times", [k * every_s for k in range(len(light))])
    made = frames(levels, number=len(light), settings=FLAT)
    return reasons(judge_frames(made, replace(FLAT, **told), seconds, times))


@pytest.mark.parametrize("light", [EVENING, EVENING[::-1]], ids=["evening", "morning"])
def test_flats_of_a_clear_twilight_are_all_taken_whatever_their_exposure_times(light):
    assert twilight(light) == [None] * 7


@pytest.mark.parametrize("factor", [0.6, 1.7])
@pytest.mark.parametrize("which", [1, 3, 5])
def test_a_flat_through_a_cloud_or_with_a_lamp_on_is_off_the_ramp(which, factor):
    light = EVENING.copy()
    light[which] *= factor
    assert twilight(light) == [None if k != which else "off_the_ramp" for k in range(7)]


def test_a_cloud_over_two_flats_takes_both_and_not_those_after_it():
    light = EVENING * np.array([1, 1, 1, 0.4, 0.45, 1, 1])
    assert twilight(light) == [None] * 3 + ["off_the_ramp"] * 2 + [None] * 2


def test_evening_and_morning_are_looked_at_apart():
    light = np.concatenate([EVENING, EVENING[::-1]])
    times = [60.0 * k for k in range(7)] + [40000.0 + 60 * k for k in range(7)]
    assert twilight(light, times=times) == [None] * 14
    light[9] *= 0.5
    assert twilight(light, times=times) == [None] * 9 + ["off_the_ramp"] + [None] * 4


def test_flats_of_a_lamp_that_wanders_are_on_no_ramp():
    assert twilight(9000 * (1 + 0.04 * np.sin(np.arange(8) * 2.1))) == [None] * 8
    assert twilight(9000 * np.array([1, 1, 0.6, 1, 1, 1.3, 1, 1])) == [None] * 8


def test_too_few_flats_or_flats_of_unknown_time_show_no_ramp():
    assert twilight([9000, 12000, 6000]) == [None] * 3
    light = EVENING * np.array([1, 1, 1, 0.5, 1, 1, 1])
    assert twilight(light, times=[float("nan")] * 7) == [None] * 7


def test_a_survey_may_allow_its_twilight_to_waver():
    light = EVENING * np.array([1, 1, 1, 0.6, 1, 1, 1])
    assert twilight(light, ramp_tolerance=1.0) == [None] * 7
