"""What a difference promises: unbiased fluxes, no candidates out of nothing, and no number out of a bad pixel."""

from dataclasses import replace

import numpy as np
import pytest
from difference_scenes import SHAPE, draw, nearest, scene, with_science
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nightshift.alerts.schema import record_fields
from reduction.difference.candidates import CandidateSettings
from reduction.difference.score import MatchedStars, excess_scatter
from reduction.image.cutouts import cut_out
from reduction.image.mask import MaskBit
from reduction.problems import Unusable


@pytest.mark.parametrize(("fwhm", "reference_fwhm", "convolved"), [(3.0, 2.3, "reference"), (2.3, 3.0, "science")])
def test_new_point_sources_are_found_at_their_places_with_unbiased_fluxes(fwhm, reference_fwhm, convolved):
    pair = scene(fwhm=fwhm, reference_fwhm=reference_fwhm)
    difference = pair.difference()
    assert difference.convolved == convolved
    candidates = pair.candidates(difference)
    found = [nearest(candidates, x, y) for x, y in zip(pair.new_x, pair.new_y, strict=True)]
    assert all(found)
    assert all(c.positive for c in found)
    ratio = np.array([c.flux for c in found]) / pair.new_flux
    pull = (np.array([c.flux for c in found]) - pair.new_flux) / [c.flux_error for c in found]
    assert abs(np.average(ratio, weights=pair.new_flux**2) - 1) < 0.02
    assert 0.5 < np.std(pull) < 1.6
    assert (
        np.median([np.hypot(c.x - x, c.y - y) for c, x, y in zip(found, pair.new_x, pair.new_y, strict=True)]) < 0.2
    )


def test_a_vanished_source_is_a_negative_candidate():
    pair = scene()
    swapped = replace(
        pair,
        science=pair.reference,
        reference=pair.science,
        psf=pair.reference_psf,
        reference_psf=pair.psf,
        stars=_on_grid_of(pair.reference, pair),
    )
    candidates = swapped.candidates()
    x, y = pair.reference.wcs.all_world2pix(*pair.science.wcs.all_pix2world(pair.new_x, pair.new_y, 0), 0)
    found = [nearest(candidates, a, b) for a, b in zip(x, y, strict=True)]
    assert all(c is not None and not c.positive and c.record["isdiffpos"] == "f" for c in found)


def _on_grid_of(frame, pair):
    x, y = frame.wcs.all_world2pix(*pair.science.wcs.all_pix2world(pair.stars.x, pair.stars.y, 0), 0)
    return MatchedStars(x, y, 1.2 * pair.stars.flux, pair.stars.usable)


@pytest.mark.parametrize("seed", [11, 12, 13])
def test_a_sky_without_change_gives_no_candidates(seed):
    assert scene(new=0, seed=seed).candidates() == []


def test_scatter_beyond_known_errors_is_found_and_none_where_they_explain_all():
    random = np.random.default_rng(3)
    error = random.uniform(0.5, 1.5, (20_000, 3))
    value = error * random.standard_normal((20_000, 3)) * [0.5, 1, 1]
    value[:, 1:] += [0.7, 3.0] * random.standard_normal((20_000, 2))
    np.testing.assert_allclose(excess_scatter(value, error**2), [0, 0.7, 3.0], rtol=0.05)


def test_the_score_has_the_scatter_of_noise():
    difference = scene(new=0, seed=14).difference()
    assert 0.93 < difference.noise_ratio < 1.07
    assert (np.abs(difference.score) > 3).mean() < 0.006


def test_bad_pixels_never_spread():
    pair = scene()
    image, mask = pair.science.image.copy(), pair.science.mask.copy()
    image[40, 50] = np.nan
    image[100, 60:64] = np.inf
    mask[150:153, 150] = MaskBit.SATURATED
    reference_image = pair.reference.image.copy()
    reference_image[200, 200] = np.nan
    spoiled = replace(
        with_science(pair, image=image, mask=mask), reference=replace(pair.reference, image=reference_image)
    )
    difference = spoiled.difference()
    for plane in (difference.image, difference.variance, difference.score, difference.filtered, difference.matched):
        assert np.isfinite(plane).all()
    clean = pair.difference()
    lost = difference.bad & ~clean.bad
    assert lost[40, 50] and lost[100, 60:64].all() and lost[150:153, 150].all()
    assert lost.sum() < 150
    near = np.ones(SHAPE, bool)
    near[10:-10, 10:-10] = False  # the kernel, and so what counts as the edge, changes a little
    for row, column in ((40, 50), (100, 62), (151, 150), (203, 197)):
        near[row - 12 : row + 13, column - 12 : column + 13] = True
    assert not lost[~near].any()


def test_a_source_beside_bad_pixels_has_them_counted_and_one_under_them_is_no_candidate():
    pair = scene()
    x, y = round(pair.new_x[0]), round(pair.new_y[0])
    mask = pair.science.mask.copy()
    mask[y, x - 2] = MaskBit.DEAD
    beside = nearest(with_science(pair, mask=mask).candidates(), pair.new_x[0], pair.new_y[0])
    assert beside is not None
    assert beside.record["nbad"] == 1
    mask[y - 1 : y + 2, x - 1 : x + 2] = MaskBit.DEAD
    assert nearest(with_science(pair, mask=mask).candidates(), pair.new_x[0], pair.new_y[0], 4.0) is None


def test_a_reference_that_covers_a_third_gives_candidates_there_only():
    pair = scene()
    mask = pair.reference.mask.copy()
    mask[:, 88:] = MaskBit.NAN
    image = np.where(mask, np.float32(np.nan), pair.reference.image)
    partial = replace(pair, reference=replace(pair.reference, mask=mask, image=image))
    difference = partial.difference(replace_settings(at_least_stars=6))
    candidates = partial.candidates(difference)
    assert 0.2 < difference.coverage < 0.45
    inside = pair.new_x < 75
    assert inside.any()
    assert all(nearest(candidates, x, y) for x, y in zip(pair.new_x[inside], pair.new_y[inside], strict=True))
    assert all(c.x < 90 for c in candidates)


def replace_settings(**changes):
    from difference_scenes import SETTINGS

    return replace(SETTINGS, **changes)


def test_a_reference_elsewhere_is_unusable():
    pair = scene()
    wcs = pair.reference.wcs.deepcopy()
    wcs.wcs.crval = [10.0, 40.0]
    with pytest.raises(Unusable) as caught:
        replace(pair, reference=replace(pair.reference, wcs=wcs)).difference()
    assert caught.value.cause == "reference_unusable"


def test_three_stars_are_too_few_to_match_by():
    pair = scene()
    usable = np.zeros(len(pair.stars.x), bool)
    usable[:3] = True
    with pytest.raises(Unusable) as caught:
        replace(pair, stars=replace(pair.stars, usable=usable)).difference()
    assert caught.value.cause == "too_few_stars"


def test_noise_that_is_not_understood_refuses_the_difference():
    pair = scene()
    with pytest.raises(Unusable) as caught:
        doubtful = with_science(pair, variance=pair.science.variance / 16)
        replace(doubtful, reference=replace(pair.reference, variance=pair.reference.variance / 16)).difference()
    assert caught.value.cause == "difference_failed"


def test_stars_that_no_kernel_can_match_refuse_the_difference():
    pair = scene(new=0, seed=33)
    random = np.random.default_rng(34)
    x, y = (place + random.uniform(-3, 3, len(place)) for place in (pair.stars.x, pair.stars.y))
    ra, dec = pair.science.wcs.all_pix2world(x, y, 0)
    elsewhere = draw(pair.science.wcs, pair.psf, ra, dec, pair.stars.flux, sky=300.0, seed=35)
    assert pair.difference().quality["kernel_chi_square"] < 2
    with pytest.raises(Unusable, match="chi square") as caught:
        replace(pair, science=elsewhere).difference()
    assert caught.value.cause == "difference_failed"


def test_a_narrow_hit_on_one_pixel_is_no_candidate():
    pair = scene(new=0, seed=21)
    image = pair.science.image.copy()
    image[120, 130] += 1500
    variance = pair.science.variance.copy()
    variance[120, 130] += 1500
    hit = with_science(pair, image=image, variance=variance)
    difference = hit.difference()
    assert difference.score[120, 130] > 5
    assert hit.candidates(difference) == []


@pytest.mark.parametrize("seed", [15, 103])
def test_a_star_that_the_images_edge_cuts_leaves_no_candidate_beside_it(seed):
    assert [c for c in scene(new=0, seed=seed).candidates() if c.y < 10] == []


def test_a_star_that_moved_within_its_own_width_is_no_candidate():
    pair = scene(new=0, seed=16)
    image = pair.science.image.copy()
    bright = int(np.argmax(np.where(pair.stars.usable, pair.stars.flux, 0)))
    row, column = round(pair.stars.y[bright]), round(pair.stars.x[bright])
    cut = np.s_[row - 8 : row + 9, column - 8 : column + 9]
    image[cut] = 0.7 * image[cut] + 0.3 * np.roll(image[cut], 1, axis=1)
    assert nearest(with_science(pair, image=image).candidates(), column, row, 6.0) is None


def with_rim(pair, light):
    """Return the scene with the bent rim of a reflection on its science image: so many electrons in a pixel."""
    rows, columns = np.indices(SHAPE)
    rim = light * np.exp(-0.5 * ((np.hypot(columns - 128, rows + 150) - 290) / 1.5) ** 2)
    return with_science(pair, image=pair.science.image + rim.astype(np.float32))


def test_the_rim_of_a_reflection_is_no_row_of_candidates():
    bare = replace(CandidateSettings(), ridge=(1e3, 0.0))
    without, kept = 0, 0
    for light in (20, 25, 30, 40):
        pair = with_rim(scene(new=0, seed=17), light)
        difference = pair.difference()
        kept += len(pair.candidates(difference))
        without += len(pair.candidates(difference, bare))
    assert without >= 6
    assert kept <= without / 3


def test_a_new_source_that_outshines_the_rim_it_lies_on_is_found():
    pair = scene(seed=18)
    distance = np.abs(np.hypot(pair.new_x - 128, pair.new_y + 150) - 290)
    x, y = pair.new_x[distance.argmin()], pair.new_y[distance.argmin()]
    off = np.hypot(x - 128, y + 150) - 290
    rows, columns = np.indices(SHAPE)
    rim = 30 * np.exp(-0.5 * ((np.hypot(columns - 128, rows + 150) - 290 - off) / 1.5) ** 2)
    crossed = with_science(pair, image=pair.science.image + rim.astype(np.float32))
    assert nearest(crossed.candidates(), x, y) is not None


def test_a_record_has_the_alert_formats_names_and_plain_values():
    pair = scene()
    names = record_fields("candidate")
    for candidate in pair.candidates():
        assert set(candidate.record) <= set(names)
        for value in candidate.record.values():
            assert value is None or isinstance(value, str | int | float)
        record = candidate.record
        assert record["magpsf"] == pytest.approx(25 - 2.5 * np.log10(candidate.flux))
        assert record["xpos"] == pytest.approx(candidate.x + 1)
        assert abs(record["magdiff"]) < 0.6
        assert record["elong"] < 1.6
        assert 0.7 < record["fwhm"] / pair.psf.fwhm() < 1.4
        assert record["diffmaglim"] > record["magpsf"] - 0.2


@settings(max_examples=5, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(-20, 20), st.integers(-20, 20))
def test_an_image_moved_on_its_grid_has_its_candidates_moved_with_it(dx, dy):
    pair = scene()
    image, variance = (np.roll(a, (dy, dx), (0, 1)) for a in (pair.science.image, pair.science.variance))
    mask = np.roll(pair.science.mask, (dy, dx), (0, 1))
    mask[: max(dy, 0)], mask[SHAPE[0] + min(dy, 0) :] = MaskBit.NAN, MaskBit.NAN
    mask[:, : max(dx, 0)], mask[:, SHAPE[1] + min(dx, 0) :] = MaskBit.NAN, MaskBit.NAN
    wcs = pair.science.wcs.deepcopy()
    wcs.wcs.crpix += [dx, dy]
    stars = replace(pair.stars, x=pair.stars.x + dx, y=pair.stars.y + dy)
    moved = replace(with_science(pair, image=image, variance=variance, mask=mask, wcs=wcs), stars=stars)
    candidates = moved.candidates()
    for x, y, flux in zip(pair.new_x + dx, pair.new_y + dy, pair.new_flux, strict=True):
        if 30 < x < 225 and 30 < y < 225:
            found = nearest(candidates, x, y)
            assert found is not None
            assert abs(found.flux / flux - 1) < 0.3


def test_a_difference_is_the_same_each_time():
    first, second = scene().difference(), scene().difference()
    assert first.image.tobytes() == second.image.tobytes()
    assert first.score.tobytes() == second.score.tobytes()


def test_a_cutout_is_not_a_number_outside_of_the_image():
    stamp = cut_out(np.ones(SHAPE, np.float32), None, 2.4, 250.0, 63)
    assert stamp.shape == (63, 63)
    assert np.isnan(stamp[:, :29]).all() and np.isnan(stamp[37:]).all()
    assert (stamp[:37, 29:] == 1).all()
