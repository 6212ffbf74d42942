"""The noise that the matched filter meets, beyond that of sky and photons: what stars leave in a difference.

Two images of a star never quite agree in place, flux and width, and a kernel ends somewhere. How much is left is
measured on the matched stars of the difference itself and added to the noise wherever there is a star to leave it.
"""

import math
from dataclasses import dataclass
from functools import reduce
from typing import Protocol

import numba
import numpy as np

from reduction.array_types import Float32Array, Int64Array

__all__ = [
    "THIN",
    "MatchedStars",
    "Psf",
    "StarScatter",
    "add_rings",
    "add_scatter_noise",
    "block_extremes",
    "excess_scatter",
    "ring_residuals",
    "robust_deviation",
    "star_scatter",
]


THIN = 3  # statistics of noise are taken from every so-manieth pixel of a row and a column
_MEDIAN_CHI_SQUARE = 0.4549  # of one degree of freedom


class Psf(Protocol):
    """What the difference asks of a PSF model."""

    @property
    def radius(self) -> int:
        """Half size of a stamp in pixels."""

    def evaluate(self, x: float, y: float, *, dx: float = 0.0, dy: float = 0.0) -> np.ndarray:
        """Return a stamp of sum 1 for position (x, y), its star (dx, dy) off the middle pixel's centre."""

    def fwhm(self, x: float | None = None, y: float | None = None) -> float:
        """Return the full width at half maximum in pixels."""


@dataclass(frozen=True)
class MatchedStars:
    """Sources that both images have, on the science image's grid.

    Parameters
    ----------
    x, y : ndarray of float64
        0-based pixels.
    flux : ndarray of float64
        Electrons of the science image.
    usable : ndarray of bool
        Unsaturated and unspoiled in both images, and bright enough to measure by. The others only say where light is
        left.
    """

    x: np.ndarray
    y: np.ndarray
    flux: np.ndarray
    usable: np.ndarray

    def chosen(self) -> "MatchedStars":
        """Return the usable ones, brightest first."""
        order = np.flatnonzero(self.usable)
        order = order[np.argsort(-self.flux[order], kind="stable")]
        return MatchedStars(self.x[order], self.y[order], self.flux[order], self.usable[order])


@dataclass(frozen=True)
class StarScatter:
    """How matched stars differ from their model in the difference, beyond their noise.

    Parameters
    ----------
    shift_x_px, shift_y_px : float
        Scatter of position.
    flux : float
        Scatter of flux, as a fraction.
    width : float
        Scatter of the coefficient of the profile's Laplacian, in pixels squared.
    stars : int
        How many it was measured on.
    """

    shift_x_px: float
    shift_y_px: float
    flux: float
    width: float
    stars: int


def robust_deviation(values: np.ndarray) -> float:
    """Return the standard deviation of a Gaussian with the same quartiles, from at most some 50,000 values."""
    step = max(1, values.size // 50_000)
    if values.size == 0:
        return 0.0
    low, high = np.percentile(values[::step], [25, 75])
    return float((high - low) / 1.349)


def star_scatter(
    image: np.ndarray,
    variance: np.ndarray,
    bad: np.ndarray,
    psf: Psf,
    stars: MatchedStars,
    *,
    fitted: float = 0.0,
    at_most: int = 200,
) -> StarScatter:
    """Measure how stars scatter in flux, position and width in the difference, beyond their noise.

    Each star's stamp of the difference is fitted by its profile, the profile's two gradients and its Laplacian. The
    profile is the PSF's: an image's own would bring its noise, which the difference has as well. `fitted` is how many
    parameters a star's scatter was fitted away by, over the number of those stars.
    """
    half = min(6, psf.radius - 1)
    crop = slice(psf.radius - half - 1, psf.radius + half + 2)
    rows, columns = image.shape
    values, errors = [], []
    chosen = stars.chosen()
    for x, y, flux in zip(chosen.x, chosen.y, chosen.flux, strict=True):
        row, column = round(float(y)), round(float(x))
        if not (half < row < rows - half - 1 and half < column < columns - half - 1):
            continue
        wide = np.s_[row - half - 1 : row + half + 2, column - half - 1 : column + half + 2]
        if bad[wide].any():
            continue
        profile = flux * psf.evaluate(column, row, dx=float(x) - column, dy=float(y) - row)[crop, crop]
        inner = profile[1:-1, 1:-1]
        gradient_x = (profile[1:-1, 2:] - profile[1:-1, :-2]) / 2
        gradient_y = (profile[2:, 1:-1] - profile[:-2, 1:-1]) / 2
        laplacian = profile[1:-1, 2:] + profile[1:-1, :-2] + profile[2:, 1:-1] + profile[:-2, 1:-1] - 4 * inner
        cut = np.s_[row - half : row + half + 1, column - half : column + half + 1]
        design = np.stack([inner, gradient_x, gradient_y, laplacian]).reshape(4, -1).astype(np.float64)
        weight = 1 / variance[cut].ravel()
        normal = (design * weight) @ design.T
        try:
            covariance = np.linalg.inv(normal)
        except np.linalg.LinAlgError:
            continue
        values.append(covariance @ (design * weight) @ image[cut].ravel())
        errors.append(np.diag(covariance))
        if len(values) >= at_most:
            break
    if len(values) < 5:
        return StarScatter(0.0, 0.0, 0.0, 0.0, len(values))
    value, error2 = np.array(values), np.array(errors)
    useful = error2[:, 1] < max(0.15**2, float(np.sort(error2[:, 1])[4]))
    # Stars that the kernel was fitted to had their scatter fitted away in part.
    boost = math.sqrt(1 / max(1 - fitted, 0.3))
    flux_, shift_x, shift_y, width = (boost * excess_scatter(value[useful], error2[useful])).tolist()
    return StarScatter(shift_x, shift_y, flux_, width, int(useful.sum()))


def excess_scatter(value: np.ndarray, error2: np.ndarray) -> np.ndarray:
    """Return the scatter of each column beyond known errors that makes the median chi square that of a Gaussian.

    Parameters
    ----------
    value, error2 : ndarray of float64, shape (n, columns)
        Numbers that would be nought but for noise, and the noise's variances.

    Returns
    -------
    ndarray of float64, shape (columns,)
        Standard deviations; 0 where the errors explain all.
    """
    low, high = np.zeros(value.shape[1]), 2 * np.abs(value).max(axis=0)
    beyond = np.median(value**2 / error2, axis=0) > _MEDIAN_CHI_SQUARE
    for _ in range(40):
        middle = (low + high) / 2
        more = np.median(value**2 / (error2 + middle**2), axis=0) > _MEDIAN_CHI_SQUARE
        low, high = np.where(more, middle, low), np.where(more, high, middle)
    return np.where(beyond, (low + high) / 2, 0.0)


def add_scatter_noise(noise2: np.ndarray, model: np.ndarray, scatter: StarScatter) -> None:
    """Add to the noise, in place, the scatter of stars in flux, place and width, from the filtered reference."""
    _add_scatter(
        noise2,
        model,
        np.float32(scatter.flux**2),
        np.float32(scatter.shift_x_px**2 / 4),
        np.float32(scatter.shift_y_px**2 / 4),
        np.float32(scatter.width**2),
    )


@numba.njit(cache=True, nogil=True, fastmath=True)
def _add_scatter(
    noise2: Float32Array, model: Float32Array, flux2: np.float32, shift_x2: np.float32, shift_y2: np.float32,
    width2: np.float32,
) -> None:  # fmt: skip
    rows, columns = model.shape
    for row in range(1, rows - 1):
        above, line, below, out = model[row - 1], model[row], model[row + 1], noise2[row]
        for column in range(1, columns - 1):
            here = line[column]
            in_x, in_y = line[column + 1] - line[column - 1], below[column] - above[column]
            laplacian = line[column + 1] + line[column - 1] + below[column] + above[column] - 4 * here
            out[column] += (
                flux2 * here * here + shift_x2 * in_x * in_x + shift_y2 * in_y * in_y + width2 * laplacian * laplacian
            )


_RING_PX, _RINGS = 2, 12  # width and number of the rings about a bright star


def ring_residuals(
    filtered: np.ndarray, noise2: np.ndarray, bad: np.ndarray, stars: MatchedStars, *, at_most: int = 25
) -> np.ndarray:
    """Return what bright stars leave about them: variance of the filtered difference by ring, over flux squared.

    The kernel ends somewhere and stars have wings: what is left there follows no model, so that it is measured. Each
    star gives the variance beyond its noise; the median over the brightest stars stands for all.

    Returns
    -------
    ndarray of float64, shape (rings,)
    """
    reach = _RING_PX * _RINGS
    rows, columns = filtered.shape
    v, u = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    ring = (np.hypot(u, v) / _RING_PX).astype(int)
    inside = [ring == number for number in range(_RINGS)]
    found = []
    bright = stars.chosen()
    for x, y, flux in zip(bright.x[: 3 * at_most], bright.y, bright.flux, strict=False):
        row, column = round(float(y)), round(float(x))
        if not (reach <= row < rows - reach and reach <= column < columns - reach):
            continue
        cut = np.s_[row - reach : row + reach + 1, column - reach : column + reach + 1]
        chosen = ~bad[cut] & (ring < _RINGS)
        if flux <= 0 or chosen.mean() < 0.5:
            continue
        size, expected = np.abs(filtered[cut]), noise2[cut]
        found.append([_ring_excess(size[part], expected[part]) / flux**2 for part in (chosen & r for r in inside)])
        if len(found) >= at_most:
            break
    if len(found) < 5:
        return np.zeros(_RINGS)
    rings: np.ndarray = np.maximum(np.nan_to_num(np.nanmedian(found, axis=0)), 0)
    return rings


def _ring_excess(size: np.ndarray, noise2: np.ndarray) -> float:
    """Return the variance beyond the noise, from the median, which a new source in the ring does not move."""
    if not size.size:
        return math.nan
    return (float(np.median(size / np.sqrt(noise2)) / 0.6745) ** 2 - 1) * float(np.median(noise2))


def add_rings(noise2: np.ndarray, rings: np.ndarray, stars: MatchedStars) -> None:
    """Add to the noise, in place, what stars leave about them."""
    if not rings.any():
        return
    reach = _RING_PX * _RINGS
    floor = float(np.median(noise2[::THIN, ::THIN]))
    v, u = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    profile = np.interp(np.hypot(u, v), (np.arange(_RINGS) + 0.5) * _RING_PX, rings, right=0.0)
    seen = stars.flux**2 * rings.max() > 0.05 * floor
    row, column = (np.rint(place[seen]).astype(np.int64) for place in (stars.y, stars.x))
    _add_profiles(noise2, profile.astype(np.float32), row, column, (stars.flux[seen] ** 2).astype(np.float32))


@numba.njit(cache=True, nogil=True)
def _add_profiles(
    image: Float32Array, profile: Float32Array, rows: Int64Array, columns: Int64Array, factors: Float32Array
) -> None:
    """Add a profile times a factor about each place, cut at the image's edge."""
    reach = profile.shape[0] // 2
    for k in range(len(rows)):
        for row in range(max(rows[k] - reach, 0), min(rows[k] + reach + 1, image.shape[0])):
            for column in range(max(columns[k] - reach, 0), min(columns[k] + reach + 1, image.shape[1])):
                image[row, column] += factors[k] * profile[row - rows[k] + reach, column - columns[k] + reach]


def block_extremes(score: np.ndarray, size: int) -> np.ndarray:
    """Return the value furthest from zero of each block of size x size pixels; those at the ends may be smaller.

    Returns
    -------
    ndarray of float32, shape (ceil(rows / size), ceil(columns / size))
    """
    ragged = [(0, -length % size) for length in score.shape]
    if any(after for _, after in ragged):
        score = np.pad(score, ragged, mode="edge")  # the same values once more

    def over(ufunc: np.ufunc) -> np.ndarray:
        rows = reduce(ufunc, (score[k::size] for k in range(size)))
        return reduce(ufunc, (rows[:, k::size] for k in range(size)))

    highest, lowest = over(np.maximum), over(np.minimum)
    return np.where(highest >= -lowest, highest, lowest).astype(np.float32)
