"""What amplifiers do to the light is undone; the simulator draws the same sky with it and without."""

import shutil
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from nightshift.jobs.translate import aggressors_of, layout_of, master_settings
from nightshift.settings import SettingsError, Survey, bad_pixels_file, load_survey
from nightshift.settings.amplifiers import Crosstalk, Linearity
from nightshift.settings.loader import config_folder
from nightshift.vocabulary import ImageType
from reduction.detector import crosstalk
from reduction.detector.calibrations import Aggressor, Calibrations, DetectorSettings
from reduction.detector.corrections import correct_linearity, flag_bad_pixels
from reduction.detector.crosstalk import subtract_crosstalk
from reduction.detector.layout import Layout
from reduction.detector.masters import build_master
from reduction.detector.raw import read_quadrant
from reduction.image.frame import Frame, read_mask
from reduction.image.mask import MaskBit
from reduction.problems import Problem, Unusable
from reduction.recipes import CALIBRATE, Recipe, calibrate
from rehearsal.simulator.expose import expose
from rehearsal.simulator.night_plan import DEFAULT_NIGHT, plan_night
from rehearsal.simulator.scale import NightScale, resized_survey
from rehearsal.simulator.simulate import night_sky
from rehearsal.simulator.simulated_detector import signature

SCALE = NightScale(fields=1, filters=1, visits=1, detectors=(1,), shape=(128, 144))
BENT = Linearity(form="quotient", coefficients=(2e-6, -4e-11))  # 6% at 40,000 ADU: far more than ZTF's
HEARD = (
    Crosstalk(victim=1, source=2, coefficient=4e-3, mirrored="x"),
    Crosstalk(victim=2, source=1, coefficient=-1e-3, mirrored="xy"),
)
UP_TO_LINEARITY = CALIBRATE[: CALIBRATE.index(correct_linearity) + 1]


def with_camera(survey: Survey, **changes) -> Survey:
    return survey.model_copy(update={"camera": survey.camera.model_copy(update=changes)})


def exposed(survey: Survey, kind: ImageType, path: Path) -> Path:
    """Draw the first frame of a kind of detector 1; the same dice for every camera."""
    plan = plan_night(survey, SCALE, seed=3, night=DEFAULT_NIGHT)
    sky = night_sky(survey, SCALE, plan, seed=3, night=DEFAULT_NIGHT)
    path.write_bytes(expose(sky, next(e for e in plan if e.image_type == kind), 1).content)
    return path


def pattern_of(survey: Survey, quadrant: int) -> Frame:
    """Return what the simulator's readout adds to every frame, as a master bias without noise."""
    pattern, layout = signature(3, survey.camera.quadrant(1, quadrant), 1).bias, layout_of(survey, 1, quadrant)
    pattern = layout.data.of(pattern) - layout.overscan.of(pattern).mean(axis=1, keepdims=True)
    return Frame(pattern, np.zeros(pattern.shape, np.uint16))


def corrected(survey: Survey, raw: Path, quadrant: int, bias: Frame | None = None) -> Frame:
    frame, layout = read_quadrant(raw, layout_of(survey, 1, quadrant))
    calibrations = Calibrations(bias=bias, aggressors=aggressors_of(survey, 1, quadrant, raw)[0])
    for step in UP_TO_LINEARITY:
        frame = step(frame, calibrations, DetectorSettings(layout, 30.0))
    return frame


@pytest.fixture(scope="module")
def straight() -> Survey:
    return resized_survey(load_survey("demo"), SCALE)


@pytest.fixture(scope="module")
def crooked(straight) -> Survey:
    quadrants = tuple(q.model_copy(update={"linearity": BENT}) for q in straight.camera.quadrants)
    return with_camera(straight, quadrants=quadrants, crosstalk=HEARD)


@pytest.mark.parametrize("kind", [ImageType.SCIENCE, ImageType.FLAT])
def test_what_the_simulator_bends_and_mixes_the_calibration_puts_right(straight, crooked, tmp_path, kind):
    truth = exposed(straight, kind, tmp_path / "straight.fits")
    spoilt = exposed(crooked, kind, tmp_path / "crooked.fits")
    for quadrant in (1, 2):
        bias = pattern_of(straight, quadrant)
        wanted, found = corrected(straight, truth, quadrant, bias), corrected(crooked, spoilt, quadrant, bias)
        good = (wanted.mask | found.mask) == 0
        assert np.abs(corrected(straight, spoilt, quadrant, bias).image - wanted.image)[good].max() > 10
        assert np.abs(found.image - wanted.image)[good].max() < 2  # both are rounded to whole ADU
        assert abs(float((found.image - wanted.image)[good].mean())) < 0.2


def test_a_star_is_heard_where_the_other_amplifier_read_at_that_moment(tmp_path):
    other = np.full((16, 20), 1000, np.uint16)
    other[3, 4] = 21000
    own = np.full((16, 20), 1000, np.uint16)
    own[3, 19 - 4] += 60
    strip = np.full((16, 12), 1000, np.uint16)
    fits.HDUList([fits.PrimaryHDU(), *(fits.ImageHDU(i) for i in (own, other, strip))]).writeto(tmp_path / "a.fits")
    survey = load_survey("demo")
    quadrants = tuple(
        q.model_copy(
            update={"shape": (16, 20), "data_section": None, "overscan_section": None, "overscan_extension": 3}
        )
        for q in survey.camera.quadrants
    )
    survey = with_camera(
        survey, quadrants=quadrants, crosstalk=(Crosstalk(victim=1, source=2, coefficient=3e-3, mirrored="x"),)
    )
    assert aggressors_of(survey, 1, 2, tmp_path / "a.fits") == ((), ())
    np.testing.assert_allclose(corrected(survey, tmp_path / "a.fits", 1).image, 0, atol=1e-3)


def test_an_amplifier_that_sent_nothing_is_heard_by_nobody(crooked, tmp_path):
    exposed(crooked, ImageType.SCIENCE, tmp_path / "a.fits")
    with fits.open(tmp_path / "a.fits") as units:
        units[2].data = np.full(units[2].shape, np.nan, np.float32)
        units.writeto(tmp_path / "b.fits")
    assert aggressors_of(crooked, 1, 1, tmp_path / "b.fits") == ((), ())


def test_an_amplifier_whose_image_cannot_be_corrected_is_not_called_silent(crooked, tmp_path, monkeypatch):
    exposed(crooked, ImageType.SCIENCE, tmp_path / "a.fits")
    heard = [entry.source for entry in crooked.camera.crosstalk_of(1, 1)]

    def refuse(*_):
        raise Unusable(Problem.WRONG_SHAPE, "no such section")

    for step in ("subtract_overscan", "trim"):
        with monkeypatch.context() as patched:
            patched.setattr(crosstalk, step, refuse)
            assert aggressors_of(crooked, 1, 1, tmp_path / "a.fits") == ((), tuple(heard))


def test_amplifiers_of_different_sizes_are_a_named_failure():
    frame = Frame(np.ones((8, 8), np.float32), np.zeros((8, 8), np.uint16))
    other = Calibrations(aggressors=(Aggressor(np.ones((8, 9), np.float32), 1e-3),))
    with pytest.raises(Unusable) as failure:
        subtract_crosstalk(frame, other, DetectorSettings(Layout(0, (8, 8), 1.0, 5.0, 6e4), 1.0))
    assert failure.value.cause == "wrong_shape"


@pytest.mark.parametrize(
    ("linearity", "counts", "true"),
    [
        (Linearity(form="quotient", coefficients=(7e-7, -1.4e-11)), 30000, 30000 / (1 + 0.021 - 0.0126)),  # ZTF's
        (Linearity(form="polynomial", coefficients=(1e-6, 2e-12)), 30000, 30000 * (1 + 0.03 + 0.0018)),
        (Linearity(form="table", measured=(0, 20000, 60000), linear=(0, 20100, 62000)), 40000, 41050),
    ],
    ids=["quotient", "polynomial", "table"],
)
def test_every_form_of_linearity_gives_the_counts_that_it_says(straight, linearity, counts, true):
    quadrants = tuple(q.model_copy(update={"linearity": linearity}) for q in straight.camera.quadrants)
    layout = layout_of(with_camera(straight, quadrants=quadrants), 1, 1)
    image = np.array([[counts, 0, -7, 1]], np.float32)
    found = correct_linearity(
        Frame(image, np.zeros(image.shape, np.uint16)), Calibrations(), DetectorSettings(layout, 1)
    )
    assert found.image[0, 0] == pytest.approx(true, abs=0.02)
    np.testing.assert_allclose(found.image[0, 1:], [0, -7, 1], atol=0.01)


def test_counts_beyond_what_was_measured_are_saturated_and_keep_their_order(straight):
    linearity = Linearity(form="polynomial", coefficients=(1e-6,), most_adu=30000)
    quadrants = tuple(q.model_copy(update={"linearity": linearity}) for q in straight.camera.quadrants)
    layout = layout_of(with_camera(straight, quadrants=quadrants), 1, 1)
    image = np.array([[29999, 30000, 30010, 50000]], np.float32)
    found = correct_linearity(Frame(image, np.zeros((1, 4), np.uint16)), Calibrations(), DetectorSettings(layout, 1))
    np.testing.assert_array_equal(found.mask[0] & MaskBit.SATURATED, [0, 0, MaskBit.SATURATED, MaskBit.SATURATED])
    assert (np.diff(found.image[0]) > 0).all()


# --- settings ------------------------------------------------------------------------------------------------

QUADRANT_2 = "[[camera.quadrants]]\nid = 2\n"


def edited(tmp_path: Path, monkeypatch, *, after: str = "", text: str = "", end: str = "") -> None:
    """Put a copy of the demonstration's settings in place, with lines added to its camera."""
    shutil.copytree(config_folder() / "demo", tmp_path / "demo")
    camera = tmp_path / "demo" / "camera.toml"
    before = camera.read_text()
    assert after in before
    camera.write_text(before.replace(after, after + text) + end)
    monkeypatch.setenv("NIGHTSHIFT_CONFIG", str(tmp_path))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('linearity = { form = "cubic" }', r"quadrants\.1\.linearity\.form = 'cubic'.*'polynomial', 'quotient'"),
        ('linearity = { form = "polynomial" }', r"quadrants\.1\.linearity.*`coefficients` .at least one"),
        ('linearity = { form = "polynomial", coefficients = ["a"] }', r"linearity\.coefficients\.0 = 'a'.*number"),
        ('linearity = { form = "polynomial", coefficients = [-2e-5] }', r"rise all the way to 60000 ADU.*become"),
        ('linearity = { form = "table", measured = [0, 9], linear = [0] }', r"quadrants\.1\.linearity.*equally many"),
        ('linearity = { form = "table", measured = [1, 9], linear = [0, 9] }', r"begins with 0"),
        ('linearity = { form = "table", measured = [0, 9, 9], linear = [0, 8, 9] }', r"`measured` must rise"),
        (
            'linearity = { form = "table", measured = [0, 9, 10], linear = [0, 9, 8] }',
            r"rise all the way.*9\.\d+ ADU become 8\.9",
        ),
        (
            'linearity = { form = "table", measured = [0, 9], linear = [0, 9], most_adu = 10 }',
            r"beyond the table's end",
        ),
    ],
)
def test_a_linearity_that_cannot_be_is_an_error_that_says_where_and_what_may_be(tmp_path, monkeypatch, text, said):
    edited(tmp_path, monkeypatch, after=QUADRANT_2, text=text + "\n")
    with pytest.raises(SettingsError, match=r"(?s)camera\.toml: camera\..*" + said):
        load_survey("demo")


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("victim = 1\nsource = 3\ncoefficient = 1e-4", r"victim 1, source 3: only what a detector's own file holds"),
        ("victim = 1\nsource = 1\ncoefficient = 1e-4", "no crosstalk with itself"),
        (
            "victim = 1\nsource = 2\ncoefficient = 0.5",
            r"\.0\.coefficient = 0\.5.*less than or equal to 0\.05",
        ),
        ('victim = 1\nsource = 2\ncoefficient = 1e-4\nmirrored = "z"', r"mirrored = 'z'.*'xy'"),
        ("victim = 1\nsource = 2\ncoefficient = 1e-4\ndetector = 9", r"detector 9 is not one of \[1, 2\]"),
        (
            "victim = 1\nsource = 2\ncoefficient = 0\n[[camera.crosstalk]]\nvictim = 1\nsource = 2\ncoefficient = 0",
            "is set twice",
        ),
        (
            "victim = 1\nsource = 2\ncoefficient = 0\ndetector = 1\n"
            "[[camera.crosstalk]]\nvictim = 1\nsource = 2\ncoefficient = 0",
            "is set twice",
        ),
    ],
)
def test_a_crosstalk_that_cannot_be_taken_out_is_an_error_that_says_why(tmp_path, monkeypatch, entry, said):
    edited(tmp_path, monkeypatch, end=f"\n[[camera.crosstalk]]\n{entry}\n")
    with pytest.raises(SettingsError, match=r"(?s)camera\.toml: camera\.crosstalk.*" + said):
        load_survey("demo")


def test_an_amplifier_that_the_camera_does_not_have_is_an_error(tmp_path, monkeypatch):
    edited(tmp_path, monkeypatch, end="\n[[camera.amplifiers]]\ndetector = 1\nquadrant = 7\ngain = 2.0\n")
    with pytest.raises(SettingsError, match=r"camera\.toml: camera\.amplifiers.*quadrant 7.*\[1, 2\]"):
        load_survey("demo")


def test_epochs_that_do_not_rise_are_an_error_and_those_that_do_say_where_a_night_lies(tmp_path, monkeypatch):
    shutil.copytree(config_folder() / "demo", tmp_path / "demo")
    monkeypatch.setenv("NIGHTSHIFT_CONFIG", str(tmp_path))
    policy = tmp_path / "demo" / "policy.toml"
    text = policy.read_text()
    policy.write_text(text.replace("[calibration]\n", "[calibration]\nepochs = [2026-02-01, 2026-01-01]\n"))
    with pytest.raises(SettingsError, match=r"policy\.toml: calibration\.epochs.*rising order"):
        load_survey("demo")
    policy.write_text(text)
    rising = load_survey("demo").calibration.model_copy(update={"epochs": (date(2026, 1, 1), date(2026, 2, 1))})
    nights = [date(2025, 12, 31), date(2026, 1, 1), date(2026, 1, 31), date(2026, 2, 1)]
    assert [rising.epoch(night) for night in nights] == [1, 2, 2, 3]
    assert [rising.epoch_begins(night) for night in nights[1:]] == [nights[1], nights[1], nights[3]]


# --- bad pixels ----------------------------------------------------------------------------------------------

MASK_KEY = 'bad_pixels = "masks/d{detector:02d}_q{quadrant}.fits"\n'


def test_masters_find_the_pixels_that_the_simulator_spoilt(straight, tmp_path):
    scale = replace(SCALE, biases=6, darks=6, flats=6)
    plan = plan_night(straight, scale, seed=3, night=DEFAULT_NIGHT)
    sky = night_sky(straight, scale, plan, seed=3, night=DEFAULT_NIGHT)
    layout, made = layout_of(straight, 1, 1), {}
    for kind in (ImageType.BIAS, ImageType.DARK, ImageType.FLAT):
        frames, seconds = [], []
        for exposure in [e for e in plan if e.image_type == kind]:
            (tmp_path / exposure.exposure_id).write_bytes(expose(sky, exposure, 1).content)
            raw, _ = read_quadrant(tmp_path / exposure.exposure_id, layout)
            settings = DetectorSettings(layout, exposure.exposure_s)
            frames.append(calibrate(raw, Calibrations(bias=made.get(ImageType.BIAS)), settings, Recipe().prepare))
            seconds.append(exposure.exposure_s)
        made[kind] = build_master(frames, seconds, master_settings(straight, kind.value, layout))
    own = signature(3, straight.camera.quadrant(1, 1), 1)
    dead, hot = own.pixel_response < 0.1, own.dark > 5
    assert dead.sum() > 20 and hot.sum() > 3
    assert ((made[ImageType.FLAT].mask & (MaskBit.DEAD | MaskBit.LOW_RESPONSIVITY)) != 0)[dead].mean() > 0.95
    assert ((made[ImageType.DARK].mask & MaskBit.NOISY) != 0)[hot].mean() > 0.95
    spoilt = made[ImageType.FLAT].mask | made[ImageType.DARK].mask | made[ImageType.BIAS].mask
    healthy = ~own.defects & (own.dark < 0.1)
    assert (spoilt[healthy] != 0).mean() < 0.01


def test_masks_of_bad_pixels_are_found_in_the_surveys_folder(tmp_path, monkeypatch):
    edited(tmp_path, monkeypatch, after="[camera]\n", text=MASK_KEY)
    (tmp_path / "demo" / "masks").mkdir()
    for detector in (1, 2):
        for quadrant in (1, 2):
            mask = np.zeros((512, 512), np.int16)
            mask[:, detector] = MaskBit.DEAD
            fits.PrimaryHDU(mask).writeto(tmp_path / "demo" / "masks" / f"d{detector:02d}_q{quadrant}.fits")
    path = bad_pixels_file(load_survey("demo"), 2, 1)
    assert path is not None
    known = read_mask(path)
    frame = Frame(np.ones((512, 512), np.float32), np.full((512, 512), MaskBit.NOISY, np.uint16))
    settings = DetectorSettings(Layout(0, (512, 512), 1.0, 5.0, 6e4), 1.0)
    found = flag_bad_pixels(frame, Calibrations(bad_pixels=known), settings)
    assert (found.mask[:, 2] == MaskBit.DEAD | MaskBit.NOISY).all()
    assert (found.mask[:, :2] == MaskBit.NOISY).all()
    with pytest.raises(Unusable, match="mask of bad pixels"):
        flag_bad_pixels(
            replace(frame, image=frame.image[1:], mask=frame.mask[1:]), Calibrations(bad_pixels=known), settings
        )


@pytest.mark.parametrize(
    ("key", "said"),
    [
        (MASK_KEY, r"camera\.bad_pixels = 'masks/.*d01_q1\.fits is not there; every quadrant"),
        ('bad_pixels = "../d{detector}.fits"\n', r"camera\.bad_pixels = .*below the survey's folder"),
        ('bad_pixels = "masks/{detector}.fits"\n', r"camera\.bad_pixels.*detector 1, quadrant 2 would share"),
        ('bad_pixels = "all.fits"\n', r"camera\.bad_pixels.*share the mask all\.fits; every quadrant"),
        ('bad_pixels = "masks/{quadrant}.fits"\n', r"camera\.bad_pixels.*1, quadrant 1 and detector 2, quadrant 1"),
        ('bad_pixels = "{chip}.fits"\n', r"camera\.bad_pixels = .*\{detector\} and \{quadrant\}"),
    ],
)
def test_masks_that_are_not_there_are_an_error_of_the_settings(tmp_path, monkeypatch, key, said):
    edited(tmp_path, monkeypatch, after="[camera]\n", text=key)
    with pytest.raises(SettingsError, match=r"camera\.toml: " + said):
        load_survey("demo")


@pytest.mark.parametrize(
    "image", [np.zeros((4, 4), np.float32), np.full((4, 4), 8192, np.int16), np.full((4, 4), -1, np.int16)]
)
def test_an_image_that_is_no_mask_is_a_named_failure(tmp_path, image):
    fits.PrimaryHDU(image).writeto(tmp_path / "a.fits")
    with pytest.raises(Unusable) as failure:
        read_mask(tmp_path / "a.fits")
    assert failure.value.cause == "unreadable_file"
