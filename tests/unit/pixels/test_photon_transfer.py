"""Gain and read noise come out of pairs of frames, whatever the twilight and the response do."""

import numpy as np
import pytest

from reduction.detector.photon_transfer import measure_gain, measure_read_noise
from reduction.image.frame import Frame
from reduction.image.mask import MaskBit

SHAPE, GAIN, READ_NOISE = (256, 256), 2.5, 8.0


def frame(level_adu, seed: int, *, pattern=None) -> Frame:
    random = np.random.default_rng(seed)
    light = np.broadcast_to(np.asarray(level_adu) * GAIN, SHAPE) * (1.0 if pattern is None else pattern)
    electrons = random.poisson(light) + random.normal(0, READ_NOISE, SHAPE)
    return Frame(np.rint(electrons / GAIN).astype(np.float32), np.zeros(SHAPE, np.uint16))


def test_the_read_noise_of_biases_is_measured_with_what_rounding_adds():
    found = measure_read_noise([frame(0, seed) for seed in range(4)])
    expected = np.hypot(READ_NOISE / GAIN, 1 / np.sqrt(12))
    assert found.value == pytest.approx(expected, rel=0.01)
    assert abs(found.value - expected) < 4 * found.error


@pytest.mark.parametrize("levels", [(20000,) * 4, (3000, 5000, 12000, 20000), (600, 650, 700, 750)])
def test_the_gain_is_measured_whatever_the_twilight_does(levels):
    random = np.random.default_rng(1)
    pattern = np.linspace(0.6, 1.1, SHAPE[1]) * (1 + 0.02 * random.standard_normal(SHAPE))  # vignetting and pixels
    flats = [frame(level, seed, pattern=pattern) for seed, level in enumerate(levels)]
    found = measure_gain(flats, READ_NOISE / GAIN)
    assert found.value == pytest.approx(GAIN, rel=0.02)
    assert found.error < 0.01 * GAIN


def test_stars_cosmic_rays_and_masked_pixels_in_the_flats_do_no_harm():
    flats = [frame(10000, seed) for seed in range(4)]
    for seed, flat in enumerate(flats):
        rows, columns = np.random.default_rng(90 + seed).integers(0, SHAPE[0], (2, 150))
        flat.image[rows, columns] += 9000
        flat.image[:, 17] = 0
        flat.mask[:, 17] = MaskBit.DEAD
    assert measure_gain(flats, READ_NOISE / GAIN).value == pytest.approx(GAIN, rel=0.03)


def test_what_cannot_be_measured_is_not():
    assert measure_read_noise([]) is None
    assert measure_read_noise([frame(0, 1)]) is None
    assert measure_gain([frame(0, 1), frame(0, 2)], READ_NOISE / GAIN) is None  # no light
    dead = [Frame(f.image, np.full(SHAPE, MaskBit.DEAD, np.uint16)) for f in (frame(9000, 1), frame(9000, 2))]
    assert measure_gain(dead, READ_NOISE / GAIN) is None
