"""Pixels as no camera should send them: a result with flags, or a failure that says why."""

from dataclasses import replace

import numpy as np
import pytest
from astropy.io import fits
from star_fields import plain_settings, raw_fits, star_field

from reduction.detector.calibrations import Calibrations
from reduction.detector.layout import Layout
from reduction.detector.raw import read_quadrant
from reduction.image.frame import Frame
from reduction.image.mask import MaskBit
from reduction.problems import Unusable
from reduction.recipes import MEASURE, Measured, MeasureSettings, calibrate, source_table

SHAPE = (16, 20)


def frame_of(image, mask=None) -> Frame:
    image = np.asarray(image, dtype=np.float32)
    return Frame(image, np.zeros(image.shape, np.uint16) if mask is None else mask)


def measured(image: np.ndarray, **changes) -> Measured:
    field = star_field()
    now = Measured(Frame(image.astype(np.float32), field.frame.mask, field.frame.variance, field.wcs, {}))
    for step in MEASURE:
        now = step(now, MeasureSettings(**changes))
    return now


@pytest.mark.parametrize("image", [np.full((160, 160), np.nan), np.full((160, 160), 65535.0)], ids=["nan", "full"])
def test_an_image_without_one_good_pixel_is_a_named_failure(image):
    with pytest.raises(Unusable) as failure:
        frame = calibrate(frame_of(image), Calibrations(), plain_settings(image.shape))
        now = Measured(frame)
        for step in MEASURE:
            now = step(now, MeasureSettings())
    assert failure.value.cause in {"unreadable_file", "saturated", "no_signal"}


def test_an_empty_sky_is_a_named_failure():
    sky = np.random.default_rng(1).normal(200, 15, (160, 160))
    with pytest.raises(Unusable) as failure:
        measured(sky)
    assert failure.value.cause == "too_few_stars"


def test_one_star_alone_is_measured_and_solved_or_refused_by_name():
    field = star_field(stars=1, seed=3)
    try:
        done = measured(field.image)
    except Unusable as problem:
        assert problem.cause == "too_few_stars"
    else:
        assert done.photometry.flux[0] == pytest.approx(field.flux[0], rel=0.1)
    with pytest.raises(Unusable) as failure:
        measured(field.image, catalogue=star_field(stars=40).catalogue)
    assert failure.value.cause in {"astrometry_failed", "too_few_stars"}


def test_a_wcs_wrong_by_half_a_minute_of_arc_is_put_right_and_said():
    field = star_field()
    wrong = field.wcs.deepcopy()
    wrong.wcs.crval = wrong.wcs.crval + np.array([0.0, 30 / 3600])
    now = Measured(Frame(field.image, field.frame.mask, field.frame.variance, wrong, {}))
    for step in MEASURE:
        now = step(now, MeasureSettings(catalogue=field.catalogue))
    assert now.metrics["pointing_offset_arcsec"] == pytest.approx(30, abs=1)
    assert np.hypot(*np.subtract(now.frame.wcs.all_pix2world(80, 80, 0), field.wcs.all_pix2world(80, 80, 0))) < 1e-4


def test_a_doubled_image_is_measured_as_it_is_and_its_elongation_says_so():
    image = star_field().image
    doubled = (image + np.roll(image, 3, axis=1)) / 2
    try:
        done = measured(doubled)
    except Unusable as problem:
        assert problem.cause == "too_few_stars"
    else:
        assert done.metrics["elongation"] > 1.2


@pytest.mark.parametrize("kind", [np.int16, np.int32, np.uint16, np.float32])
@pytest.mark.parametrize("compressed", [False, True])
def test_pixels_of_every_kind_read_the_same_compressed_or_not(tmp_path, kind, compressed):
    image = np.arange(SHAPE[0] * SHAPE[1]).reshape(SHAPE).astype(kind)
    if compressed:
        unit = fits.CompImageHDU(
            image, compression_type="GZIP_2" if kind is np.float32 else "RICE_1", quantize_level=0
        )
        fits.HDUList([fits.PrimaryHDU(), unit]).writeto(tmp_path / "a.fits")
    else:
        raw_fits(tmp_path / "a.fits", image)
    frame, _ = read_quadrant(tmp_path / "a.fits", Layout(1, SHAPE, 1.0, 5.0, 6e4))
    np.testing.assert_array_equal(frame.image, image)


def test_the_largest_number_that_a_file_holds_is_saturated_and_none_turns_negative(tmp_path):
    raw_fits(tmp_path / "a.fits", np.full(SHAPE, 65535, np.uint16))
    frame, _ = read_quadrant(tmp_path / "a.fits", Layout(1, SHAPE, 2.0, 5.0, 6e4))
    done = calibrate(frame, Calibrations(), plain_settings(SHAPE, gain=2.0))
    assert (done.mask & np.uint16(MaskBit.SATURATED)).all()
    assert (done.image > 0).all()


@pytest.mark.parametrize("role", ["bias", "dark", "flat"])
def test_a_master_of_another_size_is_a_named_failure(role):
    masters = Calibrations(**{role: frame_of(np.ones((15, 20)))})
    with pytest.raises(Unusable) as failure:
        calibrate(frame_of(np.ones(SHAPE)), masters, plain_settings(SHAPE))
    assert failure.value.cause == "wrong_shape"


@pytest.mark.parametrize("keyword", ["BZERO", "BSCALE", "BLANK"])
def test_a_word_where_the_scale_of_the_pixels_belongs_is_a_named_failure(tmp_path, keyword):
    raw_fits(tmp_path / "a.fits", np.ones(SHAPE, np.int16))
    content = (tmp_path / "a.fits").read_bytes()
    card, end = f"{keyword:<8}= 'north   '".ljust(80).encode(), b"END".ljust(80)
    place = content.rindex(end)
    (tmp_path / "a.fits").write_bytes(content[:place] + card + end + content[place + 160 :])
    with pytest.raises(Unusable) as failure:
        read_quadrant(tmp_path / "a.fits", Layout(1, SHAPE, 1.0, 5.0, 6e4))
    assert failure.value.cause == "unreadable_file"


def test_stars_whose_counts_ran_over_are_flagged_and_the_others_are_measured_as_ever():
    field = star_field(stars=40, seed=4)
    image, (row, column) = field.image.astype(np.float64), (80, 40)
    y, x = np.mgrid[: image.shape[0], : image.shape[1]]
    image += 400000 * np.exp(-0.5 * ((x - column) ** 2 + (y - row) ** 2) / 1.5**2)
    raw = (np.rint(image).astype(np.int64) % 65536).astype(np.uint16)  # as a counter of 16 bits does
    frame = calibrate(frame_of(raw), Calibrations(), plain_settings(image.shape))
    now = Measured(replace(frame, wcs=field.wcs))
    for step in MEASURE:
        now = step(now, MeasureSettings())
    table = source_table(now)
    over = table[np.hypot(table["x"] - column, table["y"] - row) < 8]
    assert len(over) and (over["flags"] != 0).all() and not over["star"].any()
    apart = np.hypot(table["x"][:, None] - field.x, table["y"][:, None] - field.y)
    far = np.hypot(field.x - column, field.y - row) > 25
    found = apart.min(axis=0) < 0.5
    assert found[far].mean() > 0.9
    ratio = table["flux"][apart.argmin(axis=0)][far & found] / field.flux[far & found]
    assert float(np.median(ratio)) == pytest.approx(1, abs=0.02)
