"""Where light ends on a raw image is found from a flat and a bias."""

import numpy as np
import pytest

from reduction.detector.layout import Section
from reduction.detector.lit_area import find_lit_area

SHAPE = (80, 120)


@pytest.fixture
def random():
    return np.random.default_rng(7)


def bias(random):
    return (1000 + random.normal(0, 4, SHAPE)).astype(np.float32)


def flat(random, lit: Section, level: float = 8000.0):
    image = bias(random)
    light = random.poisson(level, SHAPE) * np.linspace(0.4, 1.0, SHAPE[1])  # vignetted to one side
    lit.of(image)[...] += lit.of(light.astype(np.float32))
    return image


@pytest.mark.parametrize(
    "lit",
    [Section((0, 80), (0, 100)), Section((0, 80), (15, 120)), Section((10, 74), (3, 99)), Section((0, 80), (0, 120))],
)
def test_the_lit_rectangle_is_found_to_the_pixel(random, lit):
    found = find_lit_area(flat(random, lit), bias(random))
    assert found is not None
    assert found.section == lit


def test_a_frame_without_light_says_nothing(random):
    assert find_lit_area(bias(random), bias(random)) is None


def test_a_faint_sky_says_nothing_rather_than_something_wrong(random):
    assert find_lit_area(flat(random, Section((0, 80), (0, 100)), level=2.0), bias(random)) is None


def test_pixels_without_a_value_do_not_count(random):
    image = flat(random, Section((0, 80), (0, 100)))
    image[5:40, 20:25] = np.nan
    found = find_lit_area(image, bias(random))
    assert found is not None
    assert found.section == Section((0, 80), (0, 100))
