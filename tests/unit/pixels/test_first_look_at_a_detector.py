"""What is found on the pixels of a detector of which nothing is known: light, full pixels, gain, orientation."""

import numpy as np
import pytest
from astropy.io import fits

from reduction.detector.dark_edges import lit_section
from reduction.detector.full_pixels import full_from
from reduction.detector.image_planes import plane_shape
from reduction.detector.layout import Layout, Section
from reduction.detector.photon_transfer import measure_gain_between_levels
from reduction.detector.raw import read_quadrant
from reduction.image.frame import Frame
from reduction.measure.astrometry import tangent_wcs
from reduction.measure.dithers import Step, orientation, step_between


def lit(rows: slice, columns: slice, level: float = 8000.0, shape=(200, 240)) -> np.ndarray:
    image = np.random.default_rng(3).normal(1000, 4, shape)
    image[rows, columns] += level
    return image


@pytest.mark.parametrize(
    ("rows", "columns"),
    [
        (slice(0, 200), slice(0, 240)),
        (slice(0, 200), slice(16, 220)),
        (slice(8, 195), slice(0, 210)),
        (slice(6, 190), slice(12, 228)),
    ],
)
def test_light_is_found_where_it_falls(rows, columns):
    assert lit_section(lit(rows, columns)) == Section((rows.start, rows.stop), (columns.start, columns.stop))


def test_vignetting_is_no_edge():
    x = np.linspace(-1, 1, 240)
    image = lit(slice(0, 200), slice(0, 240)) * (1 - 0.7 * x**2)
    assert lit_section(image) == Section((0, 200), (0, 240))


def test_an_overscan_beside_vignetted_corners_is_found():
    x = np.linspace(-1, 1, 210)
    image = lit(slice(0, 0), slice(0, 0))
    image[:, :210] += 8000 * (1 - 0.8 * x**2)
    assert lit_section(image) == Section((0, 200), (0, 210))


def test_a_bias_has_no_edge():
    assert lit_section(lit(slice(0, 0), slice(0, 0))) == Section((0, 200), (0, 240))


def starry(full: float | None) -> np.ndarray:
    random = np.random.default_rng(4)
    image = random.normal(500, 5, (300, 300))
    rows, columns = np.indices((300, 300))
    for x, y, peak in random.uniform((10, 10, 3), (290, 290, 6), (60, 3)):
        image += 10**peak * 0.3 * np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / 8)
    return image if full is None else np.minimum(image, full)


def test_full_pixels_pile_up_at_the_end():
    level, pixels = full_from([starry(60000.0)] * 2)
    assert 0.9 * 60000 < level < 60000
    assert pixels > 20


def test_stars_that_are_not_full_and_flats_show_no_end():
    assert full_from([np.minimum(starry(None), 1e9)[:50, :50]]) is None or full_from([starry(None)]) is None
    assert full_from([np.random.default_rng(1).normal(20000, 100, (100, 100))]) is None
    assert full_from([]) is None
    assert full_from([np.full((10, 10), np.nan)]) is None


def at_level(level: float, seed: int, gain=2.0, pedestal=1500.0) -> Frame:
    random = np.random.default_rng(seed)
    electrons = random.poisson(level * gain, (256, 256)) + random.normal(0, 6, (256, 256))
    return Frame((electrons / gain + pedestal).astype(np.float32), np.zeros((256, 256), np.uint16))


def test_the_gain_between_two_levels_knows_no_pedestal():
    found = measure_gain_between_levels([at_level(400, k) for k in (1, 2)], [at_level(18000, k) for k in (3, 4)])
    assert found.value == pytest.approx(2.0, rel=0.02)
    assert found.error < 0.05


def test_levels_that_lie_too_close_give_no_gain():
    assert (
        measure_gain_between_levels([at_level(400, 1), at_level(400, 2)], [at_level(410, 3), at_level(410, 4)])
        is None
    )
    assert measure_gain_between_levels([at_level(400, 1)], [at_level(9000, 3), at_level(9000, 4)]) is None


@pytest.mark.parametrize("parity", [-1, 1])
@pytest.mark.parametrize("rotation", [0.0, 33.0, 179.9, -120.0])
def test_the_orientation_comes_out_of_steps_as_the_wcs_has_it(parity, rotation):
    wcs = tangent_wcs(150.0, 20.0, (500, 500), scale_arcsec=0.8, parity=parity, rotation_deg=rotation)
    steps = []
    for x, y in [(60.0, 5.0), (-20.0, 90.0)]:
        ra, dec = wcs.all_pix2world([249.5, 249.5 + x], [249.5, 249.5 + y], 0)
        east = (ra[1] - ra[0]) * np.cos(np.radians(dec[0])) * 3600
        steps.append(Step(float(east), float((dec[1] - dec[0]) * 3600), x, y))
    found = orientation(steps)
    assert found.parity == parity
    assert found.scale_arcsec == pytest.approx(0.8, rel=1e-3)
    assert abs((found.rotation_deg - rotation + 180) % 360 - 180) < 0.1


def test_steps_along_one_line_tell_no_mirror_image():
    assert orientation([Step(60, 0, 50, 0), Step(-120, 0, -100, 0)]).parity is None
    assert orientation([]) is None


def test_a_step_is_found_by_the_stars():
    x, y = np.random.default_rng(2).uniform(0, 500, (2, 60))
    found = step_between((x, y), (x - 40.2, y + 12.4), 300)
    assert found == pytest.approx((40.2, -12.4), abs=0.5)
    other = np.random.default_rng(9).uniform(0, 500, (2, 60))
    assert step_between((x, y), (other[0], other[1]), 300) is None


@pytest.mark.parametrize(
    ("shape", "plane"),
    [
        ((1, 4, 5), (4, 5)),
        ((1, 1, 4, 5), (4, 5)),
        ((4, 5), (4, 5)),
        ((3, 4, 5), (3, 4, 5)),
        ((1, 5), (1, 5)),
        ((), ()),
    ],
)
def test_axes_of_length_one_before_the_image_are_left_out(shape, plane):
    assert plane_shape(shape) == plane


@pytest.mark.parametrize("packed", [True, False])
def test_a_cube_of_one_plane_is_read_as_that_plane(tmp_path, packed):
    pixels = np.arange(64 * 80, dtype=np.int16).reshape(1, 64, 80)
    path = tmp_path / "cube.fits"
    if packed:
        fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(pixels)]).writeto(path)
    else:
        fits.PrimaryHDU(pixels).writeto(path)
    frame, _ = read_quadrant(path, Layout(int(packed), (64, 80), gain=1.0, read_noise=1.0, saturation=6e4))
    assert (frame.image == pixels[0]).all()
