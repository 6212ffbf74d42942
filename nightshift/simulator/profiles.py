"""Galaxies and the PSF as sums of Gaussians, so that one convolved with the other is again such a sum.

The idea is Hogg and Lang's (2013, PASP 125, 719); the weights are fitted here by non-negative least squares on
a ladder of widths.
"""

from functools import cache

import numpy as np
from scipy.optimize import nnls

__all__ = ["MOFFAT_BETA", "mixture", "moffat_alpha", "noise_area_px"]

MOFFAT_BETA = 3  # the renderer relies on this whole number


def moffat_alpha(fwhm):
    """Return the core width of a Moffat profile with exponent 3 from its full width at half maximum."""
    return fwhm / (2.0 * np.sqrt(2.0 ** (1.0 / MOFFAT_BETA) - 1.0))


def noise_area_px(fwhm: float) -> float:
    """Return the effective number of pixels of a PSF fit, 1 / sum(p^2), for a well-sampled Moffat of exponent 3."""
    return 1.25 * np.pi * moffat_alpha(fwhm) ** 2


def _profile(kind: str, radius: np.ndarray) -> np.ndarray:
    if kind == "moffat":  # unit FWHM
        return (1.0 + (radius / moffat_alpha(1.0)) ** 2) ** -float(MOFFAT_BETA)
    if kind == "disk":  # unit half-light radius
        return np.exp(-1.67834 * radius)
    return np.exp(-7.66925 * (radius**0.25 - 1.0))  # de Vaucouleurs


_WIDTHS = {"moffat": (0.25, 2.5, 4), "disk": (0.12, 1.6, 5), "bulge": (0.02, 6.0, 7)}


@cache
def mixture(kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Return weights (sum 1) and variances of a sum of round Gaussians for ``moffat``, ``disk`` or ``bulge``.

    The unit of length is the FWHM of the Moffat profile, the half-light radius of the others.
    """
    low, high, n = _WIDTHS[kind]
    widths = np.geomspace(low, high, n)
    radius = np.geomspace(0.01, 3.0 * high, 400)
    area = np.sqrt(radius * np.gradient(radius))  # weigh by the light in each ring
    basis = np.exp(-0.5 * (radius[:, None] / widths) ** 2) / (2 * np.pi * widths**2)
    wanted = _profile(kind, radius)
    scale = wanted * radius**0.25 + 1e-3 * wanted.max()
    weights, _ = nnls(basis * (area / np.sqrt(scale))[:, None], wanted * area / np.sqrt(scale))
    keep = weights > 1e-6 * weights.sum()
    return weights[keep] / weights[keep].sum(), widths[keep] ** 2
