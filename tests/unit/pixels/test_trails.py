"""Trails of satellites: found where there are some, and not where there are stars."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reduction.measure.trails import find_trails, mark_trails

SHAPE = (300, 340)


def field(seed=1, stars=250):
    """Return noise of 1 with stars of every brightness."""
    random = np.random.default_rng(seed)
    image = random.standard_normal(SHAPE)
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    for _ in range(stars):
        row, column = random.uniform(0, SHAPE[0]), random.uniform(0, SHAPE[1])
        top, left = max(0, int(row) - 12), max(0, int(column) - 12)
        box = np.s_[top : int(row) + 13, left : int(column) + 13]
        image[box] += random.pareto(1.0) * 5 * np.exp(-((y[box] - row) ** 2 + (x[box] - column) ** 2) / 4)
    return image.astype(np.float32)


def with_trail(image, angle, distance, peak=15.0):
    y, x = np.mgrid[: image.shape[0], : image.shape[1]]
    apart = x * np.cos(angle) + y * np.sin(angle) - distance
    return image + (peak * np.exp(-0.5 * (apart / 1.2) ** 2)).astype(np.float32)


def nothing_bad(image):
    return np.zeros(image.shape, bool)


@pytest.mark.parametrize("seed", range(6))
def test_a_field_of_stars_has_no_trail(seed):
    image = field(seed)
    assert find_trails(image, nothing_bad(image)) == ()


@settings(max_examples=25)
@given(st.floats(0.0, 3.1), st.floats(0.35, 0.65), st.floats(0.35, 0.65))
def test_a_trail_through_the_middle_is_found_where_it_is(angle, across, up):
    distance = across * SHAPE[1] * np.cos(angle) + up * SHAPE[0] * np.sin(angle)
    image = with_trail(field(), angle, distance)
    trails = find_trails(image, nothing_bad(image))
    assert len(trails) == 1
    crossed = with_trail(np.zeros(SHAPE, np.float32), angle, distance) > 1
    assert mark_trails(SHAPE, trails, 6.0)[crossed].mean() > 0.99


def test_two_trails_that_cross_are_two():
    image = with_trail(with_trail(field(), 0.4, 200), 2.0, 60)
    assert len(find_trails(image, nothing_bad(image))) == 2


def test_a_saturated_column_is_no_trail():
    image = field()
    image[:, 100:103] = 1e5
    bad = nothing_bad(image)
    bad[:, 99:104] = True
    assert find_trails(image, bad) == ()


@pytest.mark.parametrize("value", [0.0, np.nan, 7.0])
def test_an_image_that_says_nothing_has_no_trail(value):
    image = np.full(SHAPE, value, np.float32)
    assert find_trails(image, np.isnan(image)) == ()
