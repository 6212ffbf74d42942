"""Add point sources and galaxies to an image; compiled, because a night has a million of them.

A library of its own for this (GalSim) draws more exactly, but takes about a millisecond an object, which would
be a quarter of an hour for the demonstration night.
"""

import math

import numpy as np
from numba import njit

from reduction.array_types import Float64Array

__all__ = ["add_galaxies", "add_points", "bleed", "point_source_noise"]

_NODES = np.array([-0.3872983346207417, 0.0, 0.3872983346207417])  # Gauss-Legendre, three points on [-1/2, 1/2]
_GAUSSIAN_REACH = 4.2  # standard deviations
_WEIGHTS = np.array([5.0 / 18.0, 8.0 / 18.0, 5.0 / 18.0])


@njit(cache=True)
def _moffat(dx: float, dy: float, alpha2: float, e1: float, e2: float) -> float:
    u = (1.0 - e1) * dx - e2 * dy
    v = -e2 * dx + (1.0 + e1) * dy
    s = 1.0 / (1.0 + (u * u + v * v) / alpha2)
    return s * s * s


@njit(cache=True)
def _moffat_pixel(dx: float, dy: float, alpha2: float, e1: float, e2: float) -> float:
    if abs(dx) > 4.5 or abs(dy) > 4.5:
        return _moffat(dx, dy, alpha2, e1, e2)
    total = 0.0
    for a in range(3):
        for b in range(3):
            w = _WEIGHTS[a] * _WEIGHTS[b]
            total += w * _moffat(dx + _NODES[a], dy + _NODES[b], alpha2, e1, e2)
    return total


@njit(cache=True)
def add_points(
    image: Float64Array, x: Float64Array, y: Float64Array, flux: Float64Array, alpha: Float64Array, e1: Float64Array,
    e2: Float64Array, faintest: float,
) -> None:  # fmt: skip
    """Add point sources with a Moffat profile of exponent 3, integrated over the pixels.

    Parameters
    ----------
    image : ndarray of float64, shape (rows, columns)
        Electrons; changed in place.
    x, y, flux : ndarray of float64, shape (n,)
        0-based pixel positions; electrons.
    alpha, e1, e2 : ndarray of float64, shape (n,)
        Core width in pixels and ellipticity of the PSF at each source.
    faintest : float
        Surface brightness in electrons a pixel below which the wings are left out.
    """
    rows, columns = image.shape
    for k in range(x.size):
        alpha2 = alpha[k] * alpha[k]
        peak = flux[k] * (1.0 - e1[k] ** 2 - e2[k] ** 2) * 2.0 / (math.pi * alpha2)
        if peak <= 0.0:
            continue
        reach = alpha[k] * max(3.0, (peak / faintest) ** (1.0 / 6.0))
        i0, i1 = max(0, int(y[k] - reach)), min(rows, int(y[k] + reach) + 2)
        j0, j1 = max(0, int(x[k] - reach)), min(columns, int(x[k] + reach) + 2)
        for i in range(i0, i1):
            for j in range(j0, j1):
                image[i, j] += peak * _moffat_pixel(j - x[k], i - y[k], alpha2, e1[k], e2[k])


@njit(cache=True)
def add_galaxies(
    image: Float64Array, x: Float64Array, y: Float64Array, flux: Float64Array, weights: Float64Array,
    xx: Float64Array, xy: Float64Array, yy: Float64Array, reach: Float64Array,
) -> None:  # fmt: skip
    """Add galaxies given as sums of elliptical Gaussians.

    Parameters
    ----------
    image : ndarray of float64, shape (rows, columns)
        Electrons; changed in place.
    x, y, flux, reach : ndarray of float64, shape (n,)
        0-based pixel positions; electrons; half width of the stamp in pixels.
    weights, xx, xy, yy : ndarray of float64, shape (n, m)
        Share of the light and covariance (px^2) of each Gaussian; a weight of 0 ends the list.
    """
    rows, columns = image.shape
    for k in range(x.size):
        for m in range(weights.shape[1]):
            if weights[k, m] == 0.0:
                break
            det = xx[k, m] * yy[k, m] - xy[k, m] ** 2
            norm = flux[k] * weights[k, m] / (2.0 * math.pi * math.sqrt(det))
            a, b, c = yy[k, m] / det, xy[k, m] / det, xx[k, m] / det
            ry = min(reach[k], _GAUSSIAN_REACH * math.sqrt(yy[k, m]))
            rx = min(reach[k], _GAUSSIAN_REACH * math.sqrt(xx[k, m]))
            i0, i1 = max(0, int(y[k] - ry)), min(rows, int(y[k] + ry) + 2)
            j0, j1 = max(0, int(x[k] - rx)), min(columns, int(x[k] + rx) + 2)
            falling = math.exp(-a)
            for i in range(i0, i1):
                dy, dx = i - y[k], j0 - x[k]
                # along a row each value follows from the last by a ratio that itself shrinks by a constant
                value = norm * math.exp(-0.5 * (a * dx * dx - 2.0 * b * dx * dy + c * dy * dy))
                ratio = math.exp(-a * (dx + 0.5) + b * dy)
                for j in range(j0, j1):
                    image[i, j] += value
                    value *= ratio
                    ratio *= falling


@njit(cache=True)
def bleed(image: np.ndarray, full_well: float) -> None:
    """Let charge beyond the full well run up and down its column until it finds room; in place."""
    rows, columns = image.shape
    for j in range(columns):
        for i in range(rows):
            excess = image[i, j] - full_well
            if excess <= 0.0:
                continue
            image[i, j] = full_well
            for step in (-1, 1):
                left = 0.5 * excess
                k = i + step
                while 0 <= k < rows and left > 0.0:
                    room = full_well - image[k, j]
                    if room > 0.0:
                        taken = min(room, left)
                        image[k, j] += taken
                        left -= taken
                    k += step


@njit(cache=True)
def point_source_noise(variance: np.ndarray, x: float, y: float, alpha: float, e1: float, e2: float) -> float:
    """Return the noise of the flux of a PSF fit at one place: 1 / sqrt(sum(p^2 / v)).

    `variance` is in electrons squared, with the source's own noise; nan where the PSF's core lies outside.
    """
    rows, columns = variance.shape
    alpha2 = alpha * alpha
    norm = (1.0 - e1 * e1 - e2 * e2) * 2.0 / (math.pi * alpha2)
    reach = 4.0 * alpha
    total = 0.0
    for i in range(max(0, int(y - reach)), min(rows, int(y + reach) + 2)):
        for j in range(max(0, int(x - reach)), min(columns, int(x + reach) + 2)):
            p = norm * _moffat_pixel(j - x, i - y, alpha2, e1, e2)
            total += p * p / variance[i, j]
    return math.nan if total == 0.0 else 1.0 / math.sqrt(total)
