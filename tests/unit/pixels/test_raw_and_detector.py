"""From a detector's file to electrons."""

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given
from hypothesis import strategies as st
from star_fields import plain_settings, raw_fits

from reduction.detector.calibrations import Calibrations, DetectorSettings
from reduction.detector.corrections import (
    apply_gain,
    divide_flat,
    flag_saturated,
    mask_invalid,
    subtract_bias,
    subtract_dark,
    subtract_overscan,
    trim,
)
from reduction.detector.layout import Layout, Section, parse_section
from reduction.detector.raw import read_quadrant
from reduction.image.frame import Frame, read_frame, write_frame
from reduction.image.mask import MaskBit
from reduction.problems import Unusable

SHAPE = (32, 40)
LAYOUT = Layout(1, SHAPE, 2.0, 6.0, 60000.0, parse_section("[1:32,1:32]"), parse_section("[33:40,1:32]"))


def frame_of(image, variance=None) -> Frame:
    image = np.asarray(image, dtype=np.float32)
    return Frame(image, np.zeros(image.shape, dtype=np.uint16), variance)


@given(st.integers(1, 5000), st.integers(0, 500), st.integers(1, 5000), st.integers(0, 500))
def test_a_section_reads_as_numpy_counts(x1, width, y1, height):
    section = parse_section(f"[{x1}:{x1 + width},{y1}:{y1 + height}]")
    assert section == Section((y1 - 1, y1 + height), (x1 - 1, x1 + width))


@given(st.text(alphabet="[]:,0123456789 x-", max_size=20))
def test_what_is_no_section_is_refused_and_nothing_else_happens(text):
    try:
        section = parse_section(text)
    except ValueError:
        return
    assert section.rows[1] >= 0


def test_a_quadrant_reads_with_its_own_sections(tmp_path):
    image = np.arange(SHAPE[0] * SHAPE[1], dtype=np.uint16).reshape(SHAPE)
    raw_fits(tmp_path / "a.fits", image)
    frame, layout = read_quadrant(tmp_path / "a.fits", LAYOUT)
    np.testing.assert_array_equal(frame.image, image)
    assert frame.image.dtype == np.float32
    assert layout.data == LAYOUT.data


def test_sections_of_the_header_win_where_the_settings_say_so(tmp_path):
    raw_fits(tmp_path / "a.fits", np.zeros(SHAPE, np.uint16), {"TRIMSEC": "[5:32,1:32]", "BIASSEC": "[34:40,1:32]"})
    layout = Layout(1, SHAPE, 2.0, 6.0, 60000.0, LAYOUT.data, LAYOUT.overscan, sections_from_header=True)
    _, found = read_quadrant(tmp_path / "a.fits", layout)
    assert found.data == Section((0, 32), (4, 32))
    assert found.overscan == Section((0, 32), (33, 40))


@pytest.mark.parametrize("section", ["[5:99,1:32]", "rubbish", "[9:2,1:32]", 17])
def test_a_section_that_cannot_be_is_a_named_failure(tmp_path, section):
    raw_fits(tmp_path / "a.fits", np.zeros(SHAPE, np.uint16), {"TRIMSEC": section})
    layout = Layout(1, SHAPE, 2.0, 6.0, 60000.0, sections_from_header=True)
    with pytest.raises(Unusable) as failure:
        read_quadrant(tmp_path / "a.fits", layout)
    assert failure.value.cause == "header_impossible"


def test_an_overscan_of_its_own_extension_lands_beside_its_rows(tmp_path):
    image = np.full((32, 32), 1100, np.uint16)
    raw_fits(tmp_path / "a.fits", image, overscan=np.full((32, 10), 1000, np.uint16))
    frame, layout = read_quadrant(tmp_path / "a.fits", Layout(1, (32, 32), 2.0, 6.0, 6e4, overscan_extension=2))
    settings = DetectorSettings(layout, 1.0)
    done = trim(subtract_overscan(frame, Calibrations(), settings), Calibrations(), settings)
    assert done.shape == (32, 32)
    np.testing.assert_allclose(done.image, 100)


def test_another_shape_is_a_named_failure(tmp_path):
    raw_fits(tmp_path / "a.fits", np.zeros((30, 40), np.uint16))
    with pytest.raises(Unusable) as failure:
        read_quadrant(tmp_path / "a.fits", LAYOUT)
    assert failure.value.cause == "wrong_shape"


@pytest.mark.parametrize("content", [b"", b"not a FITS file at all", b"SIMPLE  =                    T"])
def test_a_file_that_is_no_fits_is_a_named_failure(tmp_path, content):
    (tmp_path / "a.fits").write_bytes(content)
    with pytest.raises(Unusable) as failure:
        read_quadrant(tmp_path / "a.fits", LAYOUT)
    assert failure.value.cause == "unreadable_file"


def test_a_truncated_file_is_a_named_failure(tmp_path):
    raw_fits(tmp_path / "whole.fits", np.zeros(SHAPE, np.uint16))
    (tmp_path / "a.fits").write_bytes((tmp_path / "whole.fits").read_bytes()[:6000])
    with pytest.raises(Unusable) as failure:
        read_quadrant(tmp_path / "a.fits", LAYOUT)
    assert failure.value.cause == "unreadable_file"


WCS_CARDS = {
    "CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 150.0, "CRVAL2": 22.0, "CRPIX1": 20.0, "CRPIX2": 16.0,
    "CD1_1": -3e-4, "CD1_2": 0.0, "CD2_1": 0.0, "CD2_2": 3e-4,
}  # fmt: skip


def test_wcs_numbers_written_as_strings_are_understood(tmp_path):
    as_text = {key: str(value) for key, value in WCS_CARDS.items()}
    raw_fits(tmp_path / "a.fits", np.zeros(SHAPE, np.uint16), as_text)
    frame, _ = read_quadrant(tmp_path / "a.fits", LAYOUT)
    np.testing.assert_allclose(frame.wcs.all_pix2world(19, 15, 0), (150.0, 22.0))


def test_a_tan_wcs_with_pv_terms_is_read_with_its_distortion(tmp_path):
    raw_fits(tmp_path / "a.fits", np.zeros(SHAPE, np.uint16), {**WCS_CARDS, "PV1_1": "1.01", "PV2_1": "1.0"})
    frame, _ = read_quadrant(tmp_path / "a.fits", LAYOUT)
    ra, _ = frame.wcs.all_pix2world(0, 15, 0)
    assert (ra - 150.0) * np.cos(np.radians(22.0)) == pytest.approx(19 * 3e-4 * 1.01, rel=1e-4)


@pytest.mark.parametrize("change", [{"CRVAL1": "north"}, {"CTYPE1": "Linear"}])
def test_a_wcs_that_makes_no_sense_is_no_wcs(tmp_path, change):
    raw_fits(tmp_path / "a.fits", np.zeros(SHAPE, np.uint16), {**WCS_CARDS, **change})
    frame, _ = read_quadrant(tmp_path / "a.fits", LAYOUT)
    assert frame.wcs is None


def test_trimming_moves_the_wcs_with_the_pixels(tmp_path):
    raw_fits(tmp_path / "a.fits", np.zeros(SHAPE, np.uint16), WCS_CARDS)
    layout = Layout(1, SHAPE, 2.0, 6.0, 6e4, data=parse_section("[9:40,3:32]"))
    frame, layout = read_quadrant(tmp_path / "a.fits", layout)
    done = trim(frame, Calibrations(), DetectorSettings(layout, 1.0))
    assert done.shape == (30, 32)
    np.testing.assert_allclose(done.wcs.all_pix2world(19 - 8, 15 - 2, 0), (150.0, 22.0))


def test_overscan_follows_a_drift_along_the_rows():
    drift = np.linspace(1000, 1040, 32)[:, None]
    image = np.broadcast_to(drift, SHAPE).copy()
    done = subtract_overscan(frame_of(image), Calibrations(), DetectorSettings(LAYOUT, 1.0))
    assert np.abs(done.image[16]).max() < 0.5
    assert np.abs(done.image).max() < 10


def test_an_overscan_without_any_value_is_a_named_failure():
    image = np.ones(SHAPE)
    image[:, 32:] = np.nan
    with pytest.raises(Unusable):
        subtract_overscan(frame_of(image), Calibrations(), DetectorSettings(LAYOUT, 1.0))


def test_a_saturated_pixel_and_its_neighbours_are_flagged():
    image = np.zeros((9, 9))
    image[4, 4] = 60000
    mask = flag_saturated(frame_of(image), Calibrations(), plain_settings((9, 9))).mask
    assert mask[4, 4] & MaskBit.SATURATED
    assert mask[4, 5] & MaskBit.SPILLAGE
    assert not mask[4, 6]


def test_nan_is_flagged_and_does_not_spread():
    image = np.ones((9, 9))
    image[2, 3] = np.nan
    done = mask_invalid(frame_of(image), Calibrations(), plain_settings((9, 9)))
    assert done.mask[2, 3] == MaskBit.NAN
    assert np.isfinite(done.image).all()


def test_an_image_of_nan_is_a_named_failure():
    with pytest.raises(Unusable) as failure:
        mask_invalid(frame_of(np.full((9, 9), np.nan)), Calibrations(), plain_settings((9, 9)))
    assert failure.value.cause == "unreadable_file"


def test_bias_dark_and_flat_are_taken_out_with_their_noise():
    shape, ones = (8, 8), np.ones((8, 8), np.float32)
    calibrations = Calibrations(
        bias=frame_of(10 * ones, 0.04 * ones),
        dark=frame_of(0.5 * ones, 0.01 * ones),
        flat=frame_of(0.8 * ones, 1e-6 * ones),
    )
    settings = plain_settings(shape, gain=2.0)
    frame = frame_of(110 * ones)
    for step in (subtract_bias, apply_gain, subtract_dark, divide_flat):
        frame = step(frame, calibrations, settings)
    electrons = (100 * 2 - 0.5 * 30) / 0.8
    np.testing.assert_allclose(frame.image, electrons, rtol=1e-6)
    variance = (200 + 36 + 0.04 * 4 + 0.01 * 900) / 0.64 + electrons**2 / 0.64 * 1e-6
    np.testing.assert_allclose(frame.variance, variance, rtol=1e-5)


def test_a_master_of_another_shape_is_a_named_failure():
    with pytest.raises(Unusable) as failure:
        subtract_bias(frame_of(np.ones((8, 8))), Calibrations(bias=frame_of(np.ones((9, 8)))), plain_settings((8, 8)))
    assert failure.value.cause == "wrong_shape"


def test_a_pixel_without_response_is_dead_and_zero():
    flat = np.ones((8, 8))
    flat[1, 1], flat[2, 2] = 0.0, np.nan
    done = divide_flat(frame_of(np.full((8, 8), 5.0)), Calibrations(flat=frame_of(flat)), plain_settings((8, 8)))
    assert done.mask[1, 1] & MaskBit.DEAD
    assert done.mask[2, 2] & MaskBit.DEAD
    assert done.image[1, 1] == done.image[2, 2] == 0


def test_a_frame_comes_back_from_its_file_and_the_same_frame_gives_the_same_bytes(tmp_path):
    image = np.arange(64, dtype=np.float32).reshape(8, 8)
    frame = Frame(image, np.full((8, 8), 3, np.uint16), image + 1, header={"FWHM": 2.5})
    for name in ("a.fits", "b.fits"):
        with (tmp_path / name).open("w+b") as stream:
            write_frame(stream, frame)
    assert (tmp_path / "a.fits").read_bytes() == (tmp_path / "b.fits").read_bytes()
    back = read_frame(tmp_path / "a.fits")
    np.testing.assert_array_equal(back.image, frame.image)
    np.testing.assert_array_equal(back.mask, frame.mask)
    np.testing.assert_array_equal(back.variance, frame.variance)
    assert back.header == {"FWHM": 2.5}
    with fits.open(tmp_path / "a.fits", checksum=True) as units:
        units.verify("exception")
