"""A pixel is covered where its centre is: everywhere on the sky; and maps add, and take away again, exactly."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
from astropy import units
from astropy.coordinates import SkyCoord
from astropy_healpix import HEALPix
from hypothesis import given, settings
from hypothesis import strategies as st

from nightshift.coverage.depth_map import DepthMap, depth_of_weight, map_of, weight_of_depth
from nightshift.coverage.footprints import Covered, covered_pixels, pixel_area_deg2
from nightshift.coverage.make_maps import order_of
from nightshift.settings import load_survey
from nightshift.settings.coverage import order_for


def square(ra, dec, side=0.8, turned=0.0):
    """Corners of a square image on the sky."""
    centre = SkyCoord(ra * units.deg, dec * units.deg)
    angles = np.array([45, 135, 225, 315]) + turned
    corners = centre.directional_offset_by(angles * units.deg, side / math.sqrt(2) * units.deg)
    return np.stack([corners.ra.deg, corners.dec.deg], axis=-1)


def centres_inside(corners, order):
    """The same by another way: every pixel near the square is projected about it, and must lie between its sides."""
    middle = SkyCoord(SkyCoord(*corners.T * units.deg).cartesian.mean(), representation_type="unitspherical")
    middle = SkyCoord(middle.spherical.lon, middle.spherical.lat)
    healpix = HEALPix(2**order, order="nested", frame="icrs")
    near = healpix.cone_search_skycoord(middle, 3 * units.deg)
    plane = middle.skyoffset_frame()

    def gnomonic(places):
        x, y, z = places.transform_to(plane).cartesian.xyz.value
        return np.stack([y / x, z / x], axis=-1)

    pixels, outline = gnomonic(healpix.healpix_to_skycoord(near)), gnomonic(SkyCoord(*corners.T * units.deg))
    along, away = np.roll(outline, -1, axis=0) - outline, pixels - outline[:, None]
    sides = along[:, None, 0] * away[..., 1] - along[:, None, 1] * away[..., 0]
    return set(near[(sides > 0).all(axis=0) | (sides < 0).all(axis=0)])


@settings(max_examples=60)
@given(
    ra=st.one_of(st.floats(0, 359.99), st.sampled_from([0.0, 0.001, 359.999])),
    dec=st.one_of(st.floats(-90, 90), st.sampled_from([90.0, -90.0, 89.9, 0.0, 41.81])),
    turned=st.floats(0, 90),
    side=st.floats(0.3, 1.5),
    order=st.sampled_from([7, 8, 9]),
)
def test_the_pixels_of_a_footprint_are_those_whose_centre_it_holds(ra, dec, turned, side, order):
    corners = square(ra, dec, side, turned)
    assert set(covered_pixels(corners[None], order).pixel) == centres_inside(corners, order)


@pytest.mark.parametrize("place", [(0.0, 10.0), (180.0, 90.0), (20.0, -90.0), (359.9, -30.0)])
def test_the_area_is_the_squares_at_right_ascension_zero_and_at_the_poles_too(place):
    covered = covered_pixels(square(*place, side=1.0)[None], 11)
    assert len(covered.pixel) * pixel_area_deg2(11) == pytest.approx(1.0, rel=0.02)


def test_corners_may_go_either_way_around():
    corners = square(150, 20)
    one, other = (covered_pixels(c[None], 9).pixel for c in (corners, corners[::-1]))
    assert set(one) == set(other) and len(one)


def test_what_is_no_footprint_covers_nothing_and_disturbs_no_other():
    good = square(10, 10)
    lost, flat, whole = np.full((4, 2), np.nan), np.full((4, 2), 20.0), square(10, 10, side=100)
    covered = covered_pixels(np.array([lost, good, flat, whole]), 8)
    assert set(covered.footprint) == {1}
    assert covered_pixels(np.empty((0, 4, 2)), 8).pixel.size == 0


def test_depths_add_as_inverse_variances():
    assert depth_of_weight(weight_of_depth(np.array([20.5])) * 4)[0] == pytest.approx(20.5 + 1.25 * math.log10(4))
    together = depth_of_weight(weight_of_depth(np.array([20.0, 21.0])).sum(keepdims=True))[0]
    assert together == pytest.approx(1.25 * math.log10(10**16 + 10**16.8), abs=1e-3)


def test_a_depth_that_is_not_known_or_not_believed_counts_as_an_exposure_without_depth():
    assert list(weight_of_depth(np.array([np.nan, np.inf, -np.inf, 40.0]))) == [0, 0, 0, 0]
    seen = map_of(5, Covered(np.array([0]), np.array([7])), np.array([0]), np.array([np.nan]))
    assert list(seen.exposures) == [1] and np.isnan(seen.depth[0])


def test_two_images_of_one_exposure_that_overlap_count_once_as_deep_as_the_deeper():
    covered = Covered(np.array([0, 1, 2]), np.array([7, 7, 7]))
    seen = map_of(5, covered, np.array([0, 0, 1]), np.array([19.0, 20.0, 20.0]))
    assert list(seen.exposures) == [2]
    assert seen.depth[0] == pytest.approx(20 + 1.25 * math.log10(2), abs=1e-6)


def random_map(seed):
    random = np.random.default_rng(seed)
    pixels = np.unique(random.integers(0, 50, 20))
    number = len(pixels)
    return DepthMap(5, pixels, random.integers(1, 9, number), weight_of_depth(random.uniform(12, 28, number)))


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=6), st.randoms())
def test_a_sum_is_the_same_in_any_order_and_what_was_added_is_taken_away_without_a_rest(seeds, shuffled):
    maps = [random_map(seed) for seed in seeds]
    total = DepthMap.empty(5).plus(*maps)
    shuffled.shuffle(maps)
    again = DepthMap.empty(5)
    for one in maps:
        again = again.plus(one)
    assert again.same_as(total)
    for one in maps:
        again = again.minus(one)
    assert again.same_as(DepthMap.empty(5))


def test_maps_of_different_orders_are_not_added():
    with pytest.raises(ValueError, match="order"):
        DepthMap.empty(5).plus(DepthMap.empty(6))


def test_the_order_is_by_the_quadrants_unless_it_is_set():
    ztf = load_survey("ztf")
    assert order_of(ztf) == 9  # 6.9 arcmin in quadrants of 52 arcmin
    one = SimpleNamespace(order=11)
    assert order_of(ztf.model_copy(update={"coverage": one})) == 11
    assert [order_for(side) for side in (90, 0.87, 0.14, 0.001)] == [5, 9, 12, 13]
