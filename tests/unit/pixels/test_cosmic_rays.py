"""Cosmic rays are found and stars are left alone."""

import numpy as np
import pytest
from star_fields import READ_NOISE, star_field

from reduction.detector.cosmic_rays import find_cosmic_rays


def find(image, mask=None):
    image = image.astype(np.float32)
    mask = np.zeros(image.shape, np.uint16) if mask is None else mask
    variance = np.maximum(image, 0) + np.float32(READ_NOISE**2)
    return find_cosmic_rays(image, variance, mask, sigma=5.0, read_noise=READ_NOISE)


@pytest.mark.parametrize("fwhm", [1.3, 1.5, 1.8, 2.2, 3.5])
def test_star_cores_are_left_alone(fwhm):
    field = star_field((256, 256), stars=120, fwhm=fwhm, seed=3)
    clean, hits = find(field.image)
    cores = hits[np.round(field.y).astype(int), np.round(field.x).astype(int)]
    assert cores.sum() == 0
    np.testing.assert_array_equal(clean[~hits], field.image[~hits])


def test_single_hits_and_tracks_are_found_and_replaced():
    field = star_field((256, 256), stars=30, seed=4)
    image, truth = field.image.copy(), np.zeros(field.image.shape, bool)
    truth[40, 40] = truth[100, 20:32] = True
    for k in range(10):
        truth[200 + k, 60 + k] = True
    distance = np.hypot(
        *(np.argwhere(truth)[:, None, :] - np.column_stack([field.y, field.x])[None]).transpose(2, 0, 1)
    )
    truth[tuple(np.argwhere(truth)[distance.min(axis=1) < 8].T)] = False
    image[truth] += 800
    clean, hits = find(image)
    assert hits[truth].mean() == 1.0
    assert np.abs(clean[truth] - 200).max() < 6 * np.sqrt(200 + READ_NOISE**2)


def test_noise_alone_has_next_to_no_hits():
    field = star_field((256, 256), stars=0, seed=5)
    _, hits = find(field.image)
    assert hits.sum() <= 6


def test_flagged_pixels_are_neither_judged_nor_spread():
    field = star_field((64, 64), stars=0, seed=6)
    image, mask = field.image.copy(), np.zeros((64, 64), np.uint16)
    image[:, 30] = 50000.0
    mask[:, 30] = 512
    _, hits = find(image, mask)
    assert hits.sum() <= 1


def test_an_image_that_is_wholly_flagged_has_no_hits():
    _, hits = find(np.full((32, 32), 60000.0), np.full((32, 32), 256, np.uint16))
    assert not hits.any()
