"""Galaxies and the PSF as sums of Gaussians, so that one convolved with the other is again such a sum.

The idea is Hogg and Lang's (2013, PASP 125, 719). The numbers were fitted for this module by least squares in
rings of equal weight; `mixture` follows the Moffat profile to 1% out to 2 FWHM, the disk to 2% beyond 0.05 and
de Vaucouleurs' profile to 9% between 0.1 and 7 half-light radii.
"""

from typing import TypeVar

import numpy as np

__all__ = ["MOFFAT_BETA", "PROFILES", "mixture", "moffat_alpha", "noise_area_px", "profile"]

Width = TypeVar("Width", float, np.ndarray)

MOFFAT_BETA = 3  # the renderer relies on this whole number

# share of the light, standard deviation
PROFILES = {
    "moffat": ((0.24556, 0.34052), (0.48304, 0.5335), (0.2255, 0.86372), (0.0459, 1.56973)),
    "disk": ((0.00987, 0.13111), (0.08485, 0.32856), (0.28943, 0.61995), (0.42835, 1.02362), (0.1875, 1.60414)),
    "bulge": (
        (0.04531, 0.04704),
        (0.13306, 0.16315),
        (0.22708, 0.43623),
        (0.25947, 1.02857),
        (0.20872, 2.27548),
        (0.12636, 5.28408),
    ),
}


def moffat_alpha(fwhm: Width) -> Width:
    """Return the core width of a Moffat profile with exponent 3 from its full width at half maximum."""
    fwhm_of_unit_core: float = 2.0 * np.sqrt(2.0 ** (1.0 / MOFFAT_BETA) - 1.0)
    return fwhm / fwhm_of_unit_core


def noise_area_px(fwhm: float) -> float:
    """Return the effective pixels of a PSF fit, 1 / sum(p^2), for a well-sampled Moffat of exponent 3."""
    return 1.25 * np.pi * moffat_alpha(fwhm) ** 2


def profile(kind: str, radius: np.ndarray) -> np.ndarray:
    """Return the surface brightness that a mixture stands for, with any scale."""
    if kind == "moffat":
        return (1.0 + (radius / moffat_alpha(1.0)) ** 2) ** -float(MOFFAT_BETA)
    if kind == "disk":
        return np.exp(-1.67834 * radius)
    return np.exp(-7.66925 * radius**0.25)


def mixture(kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Return weights (sum 1) and variances of a sum of round Gaussians for ``moffat``, ``disk`` or ``bulge``.

    The unit of length is the FWHM of the Moffat profile, the half-light radius of the others.
    """
    weights, widths = np.array(PROFILES[kind]).T
    return weights, widths**2
