"""New sources put into frames that were taken, and fluxes at places that are given."""

from dataclasses import replace

import numpy as np
import pytest
from difference_scenes import SETTINGS, nearest, scene

from reduction.difference.difference import make_difference
from reduction.difference.forced import PsfGrid, force_fluxes
from reduction.difference.injection import BINS, Injected, inject, plan_injection, recovery
from reduction.image.frame import Frame
from reduction.image.mask import MaskBit

NOWHERE = (np.zeros(0), np.zeros(0))


def test_an_injected_source_has_its_flux_and_brings_the_noise_of_its_photons():
    pair = scene(new=0, seed=21)
    source = Injected(np.array([120.3]), np.array([90.6]), np.array([5e4]), np.array([40.0]))
    changed = inject(pair.science, pair.psf, source, np.random.default_rng(1))
    added = (changed.image - pair.science.image).astype(float)
    assert added.sum() == pytest.approx(5e4, rel=0.03)
    rows, columns = np.indices(added.shape)
    assert (added * columns).sum() / added.sum() == pytest.approx(120.3, abs=0.1)
    assert (added * rows).sum() / added.sum() == pytest.approx(90.6, abs=0.1)
    assert (changed.variance >= pair.science.variance).all()
    assert (changed.variance - pair.science.variance).sum() == pytest.approx(5e4, rel=0.03)


def test_injection_keeps_away_from_bad_pixels_candidates_and_itself():
    pair = scene()
    mask = pair.science.mask.copy()
    mask[:, 128:] = MaskBit.DEAD
    partial = replace(pair, science=replace(pair.science, mask=mask))
    difference = partial.difference()
    candidates = partial.candidates(difference)
    planned = plan_injection(difference, candidates, NOWHERE, np.random.default_rng(3), number=60)
    assert len(planned.x) > 3
    assert planned.x.max() < 128
    places = np.column_stack([planned.x, planned.y])
    apart = np.hypot(*(places[:, None] - places[None]).transpose(2, 0, 1))
    assert apart[~np.eye(len(places), dtype=bool)].min() > 15
    for candidate in candidates:
        assert np.hypot(planned.x - candidate.x, planned.y - candidate.y).min() > 15


def test_bright_injected_sources_are_found_and_faint_ones_less_often():
    counts: dict[str, int] = {}
    for seed in range(22, 26):
        pair = scene(new=0, seed=seed)
        difference = pair.difference()
        random = np.random.default_rng(seed)
        planned = plan_injection(difference, pair.candidates(difference), NOWHERE, random, number=20)
        again = make_difference(
            inject(pair.science, pair.psf, planned, random), pair.psf, pair.reference, pair.reference_psf.fwhm(),
            pair.stars, SETTINGS,
        )  # fmt: skip
        for name, number in recovery(planned, pair.candidates(again), pair.psf.fwhm()).items():
            counts[name] = counts.get(name, 0) + number
    assert all(counts[f"injected_{name}"] >= 5 for name in BINS)
    share = {name: counts[f"recovered_{name}"] / counts[f"injected_{name}"] for name in BINS}
    assert share["snr8_up"] > 0.85
    assert share["snr5_6"] < share["snr8_up"]


def test_nothing_recovered_counts_every_source_as_lost():
    planned = Injected(*np.array([[50.0, 80.0], [50.0, 80.0], [1e3, 2e3], [5.5, 12.0]]))
    assert recovery(planned, [], 3.0) == {
        "injected_snr5_6": 1, "recovered_snr5_6": 0, "injected_snr6_8": 0, "recovered_snr6_8": 0,
        "injected_snr8_up": 1, "recovered_snr8_up": 0,
    }  # fmt: skip


@pytest.fixture(scope="module")
def searched():
    pair = scene()
    difference = pair.difference()
    frame = Frame(difference.image, difference.mask, difference.variance, pair.science.wcs, {})
    grid = PsfGrid.of(difference.psf, frame.shape, radius=5)
    return pair, difference, frame, grid


def test_forced_fluxes_are_those_of_the_candidates_and_zero_on_empty_sky(searched):
    pair, difference, frame, grid = searched
    fluxes = force_fluxes(frame, grid, pair.new_x, pair.new_y, noise_ratio=difference.noise_ratio)
    candidates = pair.candidates(difference)
    for forced, x, y in zip(fluxes, pair.new_x, pair.new_y, strict=True):
        assert forced.flux == pytest.approx(nearest(candidates, x, y).flux, abs=2 * forced.error)
    random = np.random.default_rng(5)
    x, y = random.uniform(25, 230, (2, 300))
    empty = np.hypot(x[:, None] - pair.new_x, y[:, None] - pair.new_y).min(axis=1) > 15
    empty &= np.hypot(x[:, None] - pair.stars.x, y[:, None] - pair.stars.y).min(axis=1) > 12
    blank = force_fluxes(frame, grid, x[empty], y[empty], noise_ratio=difference.noise_ratio)
    pull = np.array([one.flux / one.error for one in blank])
    assert len(pull) > 30
    assert abs(np.mean(pull)) < 0.5
    assert 0.7 < np.std(pull) < 1.35


def test_a_place_outside_or_on_bad_pixels_has_no_flux(searched):
    _, _, frame, grid = searched
    mask = frame.mask.copy()
    mask[95:106, 95:106] = MaskBit.DEAD
    fluxes = force_fluxes(
        replace(frame, mask=mask), grid, np.array([-40.0, 100.0, np.nan]), np.array([10.0, 100.0, 10.0])
    )
    assert all(np.isnan(one.flux) for one in fluxes)
    assert [one.bad_pixels for one in fluxes] == [25, 25, 25]


def test_the_psf_of_a_difference_survives_its_file(searched):
    *_, grid = searched
    again = PsfGrid.from_hdu(grid.to_hdu())
    assert again.shape == grid.shape
    np.testing.assert_array_equal(again.evaluate(33.3, 61.8), grid.evaluate(33.3, 61.8))
