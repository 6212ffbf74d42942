"""Our fluxes beside photutils': the same stars, the same pixels, two programs."""

import numpy as np
import pytest
from astropy.table import Table
from photutils.aperture import CircularAperture, aperture_photometry
from photutils.psf import CircularGaussianPRF, PSFPhotometry
from star_fields import star_field


@pytest.fixture(scope="module")
def pair():
    """Return what we measured and the image, less its background, that it was measured on."""
    from test_measuring import measure

    measured = measure(star_field(stars=30, fwhm=2.4, seed=7).frame)
    return measured.photometry, measured.frame.image


def test_psf_fluxes_agree_with_photutils(pair):
    ours, image = pair
    bright = ours.flux > 50 * ours.flux_err
    start = Table({"x": ours.x[bright], "y": ours.y[bright], "flux": ours.flux[bright]})
    theirs = PSFPhotometry(CircularGaussianPRF(fwhm=2.4), (9, 9), aperture_radius=4)(image, init_params=start)
    ratio = ours.flux[bright] / np.asarray(theirs["flux_fit"])
    assert bright.sum() >= 15
    assert abs(np.median(ratio) - 1) < 0.01
    assert np.hypot(ours.x[bright] - theirs["x_fit"], ours.y[bright] - theirs["y_fit"]).max() < 0.1


def test_aperture_fluxes_agree_with_photutils(pair):
    ours, image = pair
    radius = 4.0
    table = aperture_photometry(image, CircularAperture(np.column_stack([ours.x, ours.y]), radius))
    alone = ours.flux > 50 * ours.flux_err
    difference = (ours.aperture_flux - np.asarray(table["aperture_sum"]))[alone]
    assert np.all(np.abs(difference) < 0.5 * ours.aperture_flux_err[alone])
