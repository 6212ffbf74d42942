"""Neighbours, chance and grown masks are what SciPy says they are, without its imports."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import binary_dilation
from scipy.spatial import cKDTree
from scipy.special import pdtrc

from reduction.image.mask import grown
from reduction.measure.astrometry import at_least_by_chance
from reduction.measure.pairing import have_neighbour, nearest_within


def points(seed: int, number: int, width: float = 300.0) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    return random.uniform(-width, width, number), random.uniform(0, 200, number)


@settings(max_examples=60)
@given(st.integers(0, 2**32), st.integers(1, 300), st.integers(0, 80), st.floats(0.01, 1000))
def test_the_nearest_point_is_the_trees(seed, number, places, radius):
    (x, y), (at_x, at_y) = points(seed, number), points(seed + 1, places, 350.0)
    found = nearest_within(x, y, at_x, at_y, radius)
    distance, nearest = cKDTree(np.column_stack([x, y])).query(
        np.column_stack([at_x, at_y]), distance_upper_bound=radius
    )
    np.testing.assert_array_equal(found, np.where(np.isfinite(distance), nearest, -1))


@settings(max_examples=60)
@given(st.integers(0, 2**32), st.integers(0, 300), st.floats(0.01, 1000))
def test_who_has_a_neighbour_is_in_a_pair_of_the_trees(seed, number, radius):
    x, y = points(seed, number)
    pairs = cKDTree(np.column_stack([x, y])).query_pairs(radius) if number else set()
    assert set(np.flatnonzero(have_neighbour(x, y, radius))) == {i for pair in pairs for i in pair}


def test_points_on_one_line_or_at_one_place_are_found():
    line = np.arange(50.0)
    assert not have_neighbour(line, np.zeros(50), 0.9).any()
    assert have_neighbour(line, np.zeros(50), 1.0).all()
    assert have_neighbour(np.zeros(3), np.zeros(3), 1e-3).all()


def test_what_has_no_place_is_near_nobody():
    x = np.array([np.nan, 1.0, np.inf])
    y = np.array([1.0, 1.0, 1.0])
    np.testing.assert_array_equal(nearest_within(x, y, np.array([1.1, np.nan]), np.array([1.0, 1.0]), 5.0), [1, -1])
    np.testing.assert_array_equal(nearest_within(x[:1], y[:1], np.array([1.1]), np.array([1.0]), 5.0), [-1])
    assert not have_neighbour(x, y, 5.0).any()


@pytest.mark.parametrize("expected", [1e-3, 0.7, 4.0, 90.0, 3000.0])
@pytest.mark.parametrize("times", [0.0, 0.5, 0.99, 1.0, 1.01, 1.5, 4.0])
def test_chance_gives_so_many_as_often_as_poisson_says(expected, times):
    number = round(expected * times)
    truth = pdtrc(number - 1, expected) if number else 1.0
    assert at_least_by_chance(number, expected) == pytest.approx(truth, rel=1e-9, abs=1e-14)


def test_chance_that_gives_nothing_gives_nothing():
    assert at_least_by_chance(3, 0.0) == 0


@given(st.integers(0, 2**32), st.integers(0, 3))
def test_a_mask_grows_as_a_dilation_does(seed, steps):
    chosen = np.random.default_rng(seed).random((13, 9)) < 0.1
    wanted = binary_dilation(chosen, iterations=steps) if steps else chosen
    np.testing.assert_array_equal(grown(chosen, steps), wanted)


def test_a_science_job_starts_without_the_parts_of_scipy():
    code = "import sys, nightshift.jobs.__main__, nightshift.kinds.science.work; print(*sys.modules, sep='\\n')"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(said.stdout.split())
    assert "reduction.recipes" in loaded
    costly = {f"scipy.{part}" for part in ("fft", "linalg", "ndimage", "sparse", "spatial", "special", "stats")}
    assert not loaded & costly
