"""What no difference can be made of is refused with its reason or searched without a flood."""

from dataclasses import replace

import numpy as np
import pytest
from difference_scenes import SETTINGS, SHAPE, draw, grid, moffat, scene, with_science

from reduction.image.mask import MaskBit
from reduction.problems import Unusable

FEW = 3  # candidates of a field in which nothing changed
pytestmark = pytest.mark.parametrize("method", ["delta_basis", "zogy"])


def candidates_or_cause(pair, method):
    """Return how many candidates a pair has, or why it was refused."""
    try:
        return len(pair.candidates(pair.difference(replace(SETTINGS, method=method))))
    except Unusable as problem:
        return problem.cause


def test_a_reference_of_twice_the_pixel_scale_makes_no_flood(method):
    pair = scene(new=0, seed=41)
    coarse = grid()
    coarse.wcs.cd *= 2
    ra, dec = pair.science.wcs.all_pix2world(pair.stars.x, pair.stars.y, 0)
    reference_psf = moffat(1.6)
    reference = draw(coarse, reference_psf, ra, dec, 1.2 * pair.stars.flux, sky=60.0, seed=42)
    found = candidates_or_cause(replace(pair, reference=reference, reference_psf=reference_psf), method)
    assert found in ("reference_unusable", "difference_failed", "too_few_stars") or found <= FEW


def test_a_saturated_star_in_every_stamp_leaves_too_few_stars(method):
    pair = scene(new=0, seed=43)
    mask = pair.science.mask.copy()
    for x, y in zip(np.rint(pair.stars.x).astype(int), np.rint(pair.stars.y).astype(int), strict=True):
        mask[max(y - 2, 0) : max(y + 3, 0), max(x - 2, 0) : max(x + 3, 0)] |= np.uint16(MaskBit.SATURATED)
    with pytest.raises(Unusable) as caught:
        with_science(pair, mask=mask).difference(replace(SETTINGS, method=method))
    assert caught.value.cause == "too_few_stars"


@pytest.mark.parametrize("overstated", [1, 2, 4])
@pytest.mark.parametrize("seed", [60, 61, 63])
def test_an_image_without_the_references_stars_is_refused_however_wrong_the_variance(seed, overstated, method):
    pair = scene(new=0, seed=seed, stars=90)
    noise = np.random.default_rng(seed).normal(0, 18, SHAPE).astype(np.float32)
    reference = replace(pair.reference, variance=overstated * pair.reference.variance)
    found = candidates_or_cause(replace(with_science(pair, image=noise), reference=reference), method)
    assert found in ("difference_failed", "too_few_stars") or found <= FEW


@pytest.mark.parametrize("length", [4, 9])
def test_a_trailed_image_makes_no_flood(method, length):
    pair = scene(new=0, seed=44)
    image = np.mean([np.roll(pair.science.image, k - length // 2, axis=1) for k in range(length)], axis=0)
    variance = np.mean([np.roll(pair.science.variance, k - length // 2, axis=1) for k in range(length)], axis=0)
    random = np.random.default_rng(45)
    missing = variance * (1 - 1 / length)  # averaging took it away
    noisy = image + random.normal(0, 1, SHAPE) * np.sqrt(missing)
    found = candidates_or_cause(with_science(pair, image=noisy.astype(np.float32), variance=variance), method)
    assert found in ("difference_failed", "too_few_stars") or found <= FEW


def test_a_reference_of_another_epoch_with_half_of_the_stars_changed_makes_no_flood(method):
    pair = scene(new=0, seed=46)
    random = np.random.default_rng(47)
    ra, dec = pair.science.wcs.all_pix2world(pair.stars.x, pair.stars.y, 0)
    moved = random.random(len(ra)) < 0.5  # a proper motion of a tenth of a pixel
    ra = ra + np.where(moved, 0.1 / 3600, 0.0)
    reference = draw(grid((3.3, -2.6), 0.001), pair.reference_psf, ra, dec, 1.2 * pair.stars.flux, sky=60.0, seed=48)
    found = candidates_or_cause(replace(pair, reference=reference), method)
    assert found in ("difference_failed", "too_few_stars") or found <= FEW


def test_a_reference_of_nothing_but_nan_is_unusable(method):
    pair = scene(new=0, seed=49)
    image = np.full(SHAPE, np.nan, np.float32)
    assert (
        candidates_or_cause(replace(pair, reference=replace(pair.reference, image=image)), method)
        == "reference_unusable"
    )


def test_a_reference_of_another_epoch_with_a_third_of_the_stars_variable_shows_no_more_than_those(method):
    pair = scene(new=0, seed=51)
    random = np.random.default_rng(52)
    ra, dec = pair.science.wcs.all_pix2world(pair.stars.x, pair.stars.y, 0)
    varies = random.random(len(ra)) < 0.3
    flux = 1.2 * pair.stars.flux * np.where(varies, random.uniform(0.5, 1.5, len(ra)), 1.0)
    reference = draw(grid((3.3, -2.6), 0.001), pair.reference_psf, ra, dec, flux, sky=60.0, seed=53)
    other = replace(pair, reference=reference)
    candidates = other.candidates(other.difference(replace(SETTINGS, method=method)))
    places = np.column_stack([pair.stars.x, pair.stars.y])[varies]
    assert all(np.hypot(*(places - (c.x, c.y)).T).min() < 2 for c in candidates)


@pytest.mark.parametrize("share", [0.002, 0.03])
def test_a_reference_with_holes_of_nan_is_masked_there_and_says_so_or_is_refused(method, share):
    pair = scene(new=0, seed=54)
    image = pair.reference.image.copy()
    image[np.random.default_rng(55).random(SHAPE) < share] = np.nan
    other = replace(pair, reference=replace(pair.reference, image=image))
    try:
        difference = other.difference(replace(SETTINGS, method=method))
    except Unusable as problem:
        assert problem.cause == "too_few_stars"
        return
    assert np.isfinite(difference.image).all() and np.isfinite(difference.score).all()
    assert difference.quality["masked"] > share
    assert difference.coverage < 1 - share
    assert len(other.candidates(difference)) <= FEW


def test_an_image_with_three_stars_is_too_few_to_match_by(method):
    assert candidates_or_cause(scene(new=0, seed=56, stars=3), method) == "too_few_stars"
