"""The second way to subtract: the proper difference, held to the same truth as the first."""

from dataclasses import replace

import numpy as np
import pytest
from difference_scenes import SETTINGS, SHAPE, nearest, scene, with_science
from pydantic import ValidationError

from nightshift.kinds.difference.differencing import survey_settings
from nightshift.settings import load_survey
from nightshift.settings.models import ReductionSettings
from reduction.difference.zogy import proper_parts
from reduction.image.mask import MaskBit
from reduction.problems import Unusable

ZOGY = replace(SETTINGS, method="zogy")


@pytest.mark.parametrize(("fwhm", "reference_fwhm"), [(3.0, 2.3), (2.3, 3.0), (2.6, 2.6)])
def test_new_sources_are_found_whichever_image_is_the_sharper(fwhm, reference_fwhm):
    pair = scene(fwhm=fwhm, reference_fwhm=reference_fwhm)
    difference = pair.difference(ZOGY)
    assert difference.convolved == "both"
    assert 0.93 < difference.noise_ratio < 1.07
    assert difference.quality["flux_ratio"] == pytest.approx(1 / 1.2, rel=0.02)
    candidates = pair.candidates(difference)
    found = [nearest(candidates, x, y) for x, y in zip(pair.new_x, pair.new_y, strict=True)]
    assert all(c is not None and c.positive for c in found)
    ratio = np.array([c.flux for c in found]) / pair.new_flux
    assert abs(np.average(ratio, weights=pair.new_flux**2) - 1) < 0.02


@pytest.mark.parametrize("seed", [11, 12])
def test_a_sky_without_change_gives_no_candidates(seed):
    pair = scene(new=0, seed=seed)
    assert pair.candidates(pair.difference(ZOGY)) == []


def test_both_methods_agree_on_how_faint_a_source_can_be_seen():
    pair = scene()
    ours, proper = pair.difference(), pair.difference(ZOGY)
    assert proper.limiting_flux == pytest.approx(ours.limiting_flux, rel=0.03)


def test_the_noise_of_a_proper_difference_is_white():
    random = np.random.default_rng(61)
    pair = scene(new=0, fwhm=2.3, reference_fwhm=3.0)
    skies = tuple(random.normal(0, sigma, SHAPE).astype(np.float32) for sigma in (20.0, 12.0))
    parts = proper_parts(skies, (pair.psf, pair.reference_psf), (20.0**2, 12.0**2))
    difference = parts.images[0] - parts.images[1]
    beside = np.corrcoef(difference[:, 1:].ravel(), difference[:, :-1].ravel())[0, 1]
    assert abs(beside) < 0.02
    assert difference.std() == pytest.approx(np.hypot(20, 12), rel=0.02)


def test_bad_pixels_never_spread_into_a_proper_difference():
    pair = scene()
    image, mask = pair.science.image.copy(), pair.science.mask.copy()
    image[40, 50] = np.nan
    mask[150:153, 150] = MaskBit.SATURATED
    reference = pair.reference.image.copy()
    reference[200, 200] = np.inf
    spoiled = replace(with_science(pair, image=image, mask=mask), reference=replace(pair.reference, image=reference))
    difference = spoiled.difference(ZOGY)
    for plane in (difference.image, difference.variance, difference.score, difference.filtered, difference.matched):
        assert np.isfinite(plane).all()
    lost = difference.bad & ~pair.difference(ZOGY).bad
    assert lost[40, 50] and lost[150:153, 150].all()
    assert 0 < lost.sum() < 150


def test_three_stars_are_too_few_for_a_proper_difference():
    pair = scene()
    usable = np.zeros(len(pair.stars.x), bool)
    usable[:3] = True
    with pytest.raises(Unusable) as caught:
        replace(pair, stars=replace(pair.stars, usable=usable)).difference(ZOGY)
    assert caught.value.cause == "too_few_stars"


def test_stars_that_do_not_vanish_refuse_the_difference():
    pair = scene(new=0, seed=44)
    trailed = np.mean([np.roll(pair.science.image, step, axis=1) for step in range(-4, 5)], axis=0)
    with pytest.raises(Unusable, match="stars do not vanish") as caught:
        with_science(pair, image=trailed.astype(np.float32)).difference(ZOGY)
    assert caught.value.cause == "difference_failed"


def test_a_survey_chooses_its_method_and_an_unknown_one_is_refused():
    survey = load_survey("demo")
    assert survey_settings(survey).method == "delta_basis"
    chosen = survey.reduction.model_copy(update={"difference_method": "zogy"})
    assert survey_settings(survey.model_copy(update={"reduction": chosen})).method == "zogy"
    with pytest.raises(ValidationError, match="difference_method"):
        ReductionSettings(difference_method="hotpants")
