"""What must hold for whatever the sky and the camera give: flux, linearity, masks, places."""

from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from star_fields import READ_NOISE, add_star, plain_settings, star_field

from reduction.detector.calibrations import Calibrations, DetectorSettings
from reduction.detector.corrections import apply_gain, divide_flat, flag_saturated, mask_invalid, subtract_bias
from reduction.detector.layout import Layout, Section
from reduction.image.compression import Compression
from reduction.image.frame import Frame, read_frame, write_frame
from reduction.image.mask import FATAL, MaskBit
from reduction.image.resample import resample
from reduction.measure.astrometry import tangent_wcs
from reduction.recipes import MEASURE, Measured, MeasureSettings, calibrate, fit_photometry, source_table

SHAPE = (16, 20)
MASKS = hnp.arrays(np.uint16, SHAPE, elements=st.integers(0, 8191))
IMAGES = hnp.arrays(np.float32, SHAPE, elements=st.floats(0, 50000, width=32))
FIELD = star_field((180, 180), stars=45, seed=4)
UP_TO_FLUXES = MEASURE[: MEASURE.index(fit_photometry) + 1]


def frame_of(image, mask=None, variance=None) -> Frame:
    image = np.asarray(image, dtype=np.float32)
    return Frame(image, np.zeros(image.shape, np.uint16) if mask is None else mask, variance)


def measured(frame: Frame, steps=MEASURE) -> Measured:
    now = Measured(frame)
    for step in steps:
        now = step(now, MeasureSettings())
    return now


# --- flux ----------------------------------------------------------------------------------------------------


@settings(max_examples=20, deadline=None)
@given(st.floats(-3, 3), st.floats(-3, 3), st.floats(-5, 5), st.floats(2.2, 4.0), st.floats(100, 1e6))
def test_a_star_keeps_its_flux_on_any_other_grid(dx, dy, degrees, fwhm, flux):
    image = np.zeros((64, 64))
    add_star(image, 31.3, 32.6, flux, fwhm)
    here, there = (tangent_wcs(150.0, 22.0, (64, 64), scale_arcsec=1.0) for _ in range(2))
    there.wcs.crpix = there.wcs.crpix + np.array([dx, dy])
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    there.wcs.pc = there.wcs.get_pc() @ np.array([[cos, -sin], [sin, cos]])
    there.wcs.set()
    moved = resample(replace(frame_of(image, variance=np.ones((64, 64), np.float32)), wcs=here), there, (64, 64))
    inside = moved.image[12:52, 12:52]
    assert float(inside.sum(dtype=np.float64)) == pytest.approx(flux, rel=3e-3)


@settings(max_examples=15, deadline=None)
@given(st.floats(0.5, 8.0), st.floats(1, 300), st.integers(0, 2**32 - 1))
def test_light_that_fell_on_the_detector_is_all_there_after_the_calibration(gain, seconds, seed):
    random, shape = np.random.default_rng(seed), (64, 64)
    light = np.full(shape, 300.0)
    for _ in range(4):
        add_star(light, *random.uniform(8, 56, 2), 10 ** random.uniform(3, 4.5), 3.0)
    response, pattern = random.uniform(0.7, 1.2, shape), random.normal(0, 20, shape)
    dark = random.uniform(0, 0.5, shape)
    raw = np.full((64, 80), 1000.0)
    raw[:, :64] += pattern + (light * response + dark * seconds) / gain
    masters = Calibrations(bias=frame_of(pattern), dark=frame_of(dark), flat=frame_of(response))
    layout = Layout(0, raw.shape, gain, READ_NOISE, 6e4, Section((0, 64), (0, 64)), Section((0, 64), (64, 80)))
    done = calibrate(frame_of(raw), masters, DetectorSettings(layout, seconds))
    np.testing.assert_allclose(done.image, light, rtol=2e-4, atol=0.02 * gain)
    assert not done.mask.any()


# --- linearity -----------------------------------------------------------------------------------------------


@settings(max_examples=25, deadline=None)
@given(IMAGES, st.floats(0.125, 8.0))
def test_twice_the_light_is_twice_the_electrons(image, times):
    masters = Calibrations(flat=frame_of(np.linspace(0.5, 1.5, image.size).reshape(SHAPE)))

    def electrons(values):
        frame = frame_of(values)
        for step in (flag_saturated, mask_invalid, subtract_bias, apply_gain, divide_flat):
            frame = step(frame, masters, plain_settings(SHAPE, gain=1.7))
        return frame.image

    np.testing.assert_allclose(electrons(image * np.float32(times)), times * electrons(image), rtol=1e-5, atol=1e-3)


@settings(max_examples=6, deadline=None)
@given(st.floats(0.5, 4.0))
def test_twice_the_sky_and_stars_is_twice_the_flux_of_each_star(times):
    def fluxes(factor):
        frame = FIELD.frame
        frame = replace(frame, image=frame.image * np.float32(factor), variance=frame.variance * factor**2)
        return measured(frame, UP_TO_FLUXES).photometry

    one, more = fluxes(1.0), fluxes(times)
    same = np.hypot(one.x[:, None] - more.x, one.y[:, None] - more.y).argmin(axis=1)
    bright = one.flux > 50 * one.flux_err
    assert bright.sum() > 20
    np.testing.assert_allclose(more.flux[same][bright] / one.flux[bright], times, rtol=0.01)


# --- masks ---------------------------------------------------------------------------------------------------


@settings(max_examples=25, deadline=None)
@given(IMAGES, MASKS, MASKS, MASKS, MASKS, MASKS)
def test_no_step_of_the_calibration_loses_a_bit_of_a_mask(image, own, of_bias, of_dark, of_flat, known):
    ones = np.ones(SHAPE, np.float32)
    masters = Calibrations(frame_of(ones, of_bias), frame_of(ones, of_dark), frame_of(ones, of_flat), known)
    done = calibrate(frame_of(image, own), masters, plain_settings(SHAPE))
    wanted = own | of_bias | of_dark | of_flat | known
    np.testing.assert_array_equal(done.mask & wanted, wanted)


@settings(max_examples=6, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 179), st.integers(0, 179), st.integers(1, 8191)), max_size=150))
def test_no_step_of_the_measuring_loses_a_bit_of_a_mask(bad):
    mask = np.zeros(FIELD.image.shape, np.uint16)
    for row, column, bits in bad:
        mask[row, column] |= np.uint16(bits)
    row, column = np.mgrid[: mask.shape[0], : mask.shape[1]]
    trail = 90 * np.exp(-0.5 * ((row - 0.4 * column - 50) / 1.2) ** 2)
    now = Measured(replace(FIELD.frame, image=FIELD.image + trail.astype(np.float32), mask=mask))
    for step in MEASURE:
        before = now.frame.mask
        now = step(now, MeasureSettings())
        np.testing.assert_array_equal(now.frame.mask & before, before, err_msg=step.__name__)
    assert now.metrics["trails"] == 1


@settings(max_examples=20, deadline=None)
@given(
    st.integers(8, 40), st.integers(8, 40), st.sampled_from([b for b in MaskBit if b & FATAL]),
    st.floats(-0.5, 0.5), st.floats(-0.5, 0.5),
)  # fmt: skip
def test_a_bad_pixel_is_bad_on_any_other_grid_and_says_why(row, column, bit, dx, dy):
    mask = np.zeros((48, 48), np.uint16)
    mask[row, column] = bit
    here, there = (tangent_wcs(150.0, 22.0, (48, 48), scale_arcsec=1.0) for _ in range(2))
    there.wcs.crpix = there.wcs.crpix + np.array([dx, dy])
    there.wcs.set()
    ones = np.ones((48, 48), np.float32)
    moved = resample(Frame(ones, mask, ones, here), there, (48, 48))
    assert moved.mask[round(row + dy), round(column + dx)] & bit


@settings(max_examples=15, deadline=None)
@given(MASKS, st.booleans())
def test_a_mask_comes_back_from_its_file_packed_or_not(tmp_path_factory, mask, packed):
    path = tmp_path_factory.mktemp("masks") / "a.fits"
    stream = BytesIO()
    write_frame(stream, frame_of(np.ones(SHAPE), mask), compression=Compression(masks=packed))
    path.write_bytes(stream.getvalue())
    np.testing.assert_array_equal(read_frame(path).mask, mask)


# --- places --------------------------------------------------------------------------------------------------


@settings(max_examples=8, deadline=None)
@given(st.integers(-8, 8), st.integers(-8, 8))
def test_a_raw_image_that_is_shifted_has_the_same_catalogue_shifted(dx, dy):
    assume(dx or dy)

    def catalogue(x0, y0):
        raw = np.full((160, 176), 1000.0, np.float32)
        raw[:, :160] += FIELD.image[y0 : y0 + 160, x0 : x0 + 160] / 2
        layout = Layout(
            0, raw.shape, 2.0, READ_NOISE, 6e4, Section((0, 160), (0, 160)), Section((0, 160), (160, 176))
        )
        frame = calibrate(frame_of(raw), Calibrations(), DetectorSettings(layout, 30.0))
        return source_table(measured(replace(frame, wcs=FIELD.wcs)))

    here, there = catalogue(10, 10), catalogue(10 + dx, 10 + dy)
    inside = (np.abs(here["x"] - 80) < 60) & (np.abs(here["y"] - 80) < 60) & (here["flux"] > 50 * here["flux_err"])
    stars = here[inside]
    assert len(stars) > 12
    apart = np.hypot(stars["x"][:, None] - dx - there["x"], stars["y"][:, None] - dy - there["y"])
    same = there[apart.argmin(axis=1)]
    assert apart.min(axis=1).max() < 0.02
    np.testing.assert_allclose(same["flux"], stars["flux"], rtol=0.01)
    np.testing.assert_array_equal(same["flags"], stars["flags"])
