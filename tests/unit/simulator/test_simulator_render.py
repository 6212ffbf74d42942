"""The drawing itself."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rehearsal.simulator.expose import _arriving
from rehearsal.simulator.geometry import deproject, project
from rehearsal.simulator.profiles import PROFILES, mixture, moffat_alpha, profile
from rehearsal.simulator.render import add_galaxies, add_points, bleed, point_source_noise


def one(*values):
    return tuple(np.array([float(v)]) for v in values)


@given(x=st.floats(30, 34), y=st.floats(30, 34), fwhm=st.floats(1.9, 4.0), e1=st.floats(-0.1, 0.1))
@settings(max_examples=30)
def test_a_point_source_keeps_its_flux_and_its_place(x, y, fwhm, e1):
    image = np.zeros((65, 65))
    add_points(image, *one(x, y, 1e5, moffat_alpha(fwhm), e1, 0.0), 1e-4)
    i, j = np.mgrid[0:65, 0:65]
    assert image.sum() == pytest.approx(1e5, rel=0.01)
    assert (image * j).sum() / image.sum() == pytest.approx(x, abs=0.02)
    assert (image * i).sum() / image.sum() == pytest.approx(y, abs=0.02)


def test_a_galaxy_without_size_looks_like_a_star():
    star, galaxy = np.zeros((41, 41)), np.zeros((41, 41))
    add_points(star, *one(20.3, 19.8, 1e5, moffat_alpha(2.5), 0, 0), 1e-3)
    weights, variances = mixture("moffat")
    width = (variances * 2.5**2 + 1 / 12)[None, :]
    add_galaxies(galaxy, *one(20.3, 19.8, 1e5), weights[None, :], width, 0 * width, width, np.array([20.0]))
    assert np.abs(star - galaxy).max() < 0.02 * star.max()
    assert galaxy.sum() == pytest.approx(1e5, rel=0.01)


@pytest.mark.parametrize(("kind", "low", "high", "worst"), [("moffat", 0, 2, 0.02), ("disk", 0.05, 4, 0.05),
                                                            ("bulge", 0.1, 7, 0.09)])  # fmt: skip
def test_mixtures_follow_their_profiles(kind, low, high, worst):
    radius = np.linspace(low, high, 50)
    weights, variances = mixture(kind)
    drawn = (weights * np.exp(-0.5 * radius[:, None] ** 2 / variances) / (2 * np.pi * variances)).sum(axis=1)
    rings = np.geomspace(1e-6, 300.0, 40_000)
    wanted = profile(kind, radius) / np.trapezoid(profile(kind, rings) * 2 * np.pi * rings, rings)
    assert np.abs(drawn / wanted - 1).max() < worst
    assert sum(w for w, _ in PROFILES[kind]) == pytest.approx(1.0, abs=1e-4)


@given(st.lists(st.floats(0, 5000), min_size=40, max_size=40))
@settings(max_examples=30)
def test_bleeding_moves_charge_along_the_column_only_and_leaves_none_above_the_full_well(values):
    image = np.array(values).reshape(20, 2)
    before = image.sum(axis=0)
    bleed(image, 3000.0)
    assert image.max() <= 3000.0 + 1e-9
    assert (image.sum(axis=0) <= before + 1e-6).all()  # what leaves at the ends is lost
    assert np.allclose(image.sum(axis=0)[before < 3000.0], before[before < 3000.0])


def test_the_noise_of_a_fit_is_that_of_its_effective_area():
    variance = np.full((61, 61), 300.0)
    noise = point_source_noise(variance, 30.2, 29.7, moffat_alpha(3.0), 0.0, 0.0)
    assert noise == pytest.approx(np.sqrt(300.0 * 1.25 * np.pi) * moffat_alpha(3.0), rel=0.03)
    variance[:] = np.inf
    assert np.isnan(point_source_noise(variance, 30.2, 29.7, moffat_alpha(3.0), 0.0, 0.0))


@given(ra=st.floats(0, 359.99), dec=st.floats(-80, 80), x=st.floats(-3000, 3000), y=st.floats(-3000, 3000))
def test_projection_and_its_inverse_agree(ra, dec, x, y):
    east, north = project(*deproject(x, y, ra, dec), ra, dec)
    assert (east, north) == (pytest.approx(x, abs=1e-5), pytest.approx(y, abs=1e-5))


def test_arriving_electrons_have_the_mean_variance_and_skewness_of_poissons_law():
    drawn = _arriving(np.random.default_rng(1), np.full((1000, 1000), 60.0))
    assert (drawn == np.rint(drawn)).all()
    assert drawn.mean() == pytest.approx(60.0, abs=0.05)
    assert drawn.var() == pytest.approx(60.0, rel=0.01)
    assert (((drawn - drawn.mean()) / drawn.std()) ** 3).mean() == pytest.approx(60.0**-0.5, rel=0.08)
