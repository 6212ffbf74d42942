"""What stars leave in a difference, by place: fitted on the matched stars, foretold for any other place.

Two images of a star disagree in flux, place and shape. Most of it is smooth over the field (a distortion that the WCS
does not know, a kernel of too low an order), so that the stars about a place tell what a star there would leave.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from reduction.difference.difference import Difference
from reduction.difference.score import excess_scatter

__all__ = ["PATTERNS", "StarResiduals", "measure_star_residuals", "star_patterns"]

PATTERNS = ("light", "slope_x", "slope_y", "bend_x", "bend_xy", "bend_y")
_HALF = 6  # of the stamps that are fitted
_FIRST = 150  # of the stars, brightest first, by which the foretelling itself is judged
_NEIGHBOURS, _NEAR = 16, 6  # asked about a place; the last of so many sets the distance over which they count
_LEAST = 1e-4  # of a scatter


def star_patterns(wide: np.ndarray) -> np.ndarray:
    """Return the patterns that a small change of flux, place and shape makes of an image.

    Parameters
    ----------
    wide : ndarray of float64, shape (n + 2, n + 2)
        The image with a margin of one pixel.

    Returns
    -------
    ndarray of float64, shape (6, n, n)
        As `PATTERNS` names them: the image, its first and its second derivatives, by pixels.
    """
    middle, left, right = wide[1:-1, 1:-1], wide[1:-1, :-2], wide[1:-1, 2:]
    below, above = wide[:-2, 1:-1], wide[2:, 1:-1]
    corners = wide[2:, 2:] + wide[:-2, :-2] - wide[2:, :-2] - wide[:-2, 2:]
    return np.stack(
        [
            middle, (right - left) / 2, (above - below) / 2,
            right + left - 2 * middle, corners / 4, above + below - 2 * middle,
        ]
    )  # fmt: skip


@dataclass(frozen=True)
class StarResiduals:
    """How the stars of a difference differ from nothing.

    Parameters
    ----------
    x, y : ndarray of float64, shape (n,)
        Places of the stars.
    value, error2 : ndarray of float64, shape (n, 6)
        Coefficients of `PATTERNS`, which multiply the reference's light, and their variances from noise.
    scatter : ndarray of float64, shape (6,)
        Of the coefficients beyond their noise.
    left : ndarray of float64, shape (6,)
        Scatter beyond their noise that remains when each star is foretold from the others.
    model_error : float
        What the patterns leave in a star's core, over its light there.
    """

    x: np.ndarray
    y: np.ndarray
    value: np.ndarray
    error2: np.ndarray
    scatter: np.ndarray
    left: np.ndarray
    model_error: float

    def foretell(self, x: np.ndarray, y: np.ndarray, *, beyond: float) -> tuple[np.ndarray, np.ndarray]:
        """Return what a star would leave at places, from the nearest stars further away than `beyond` pixels.

        Medians weighted by distance and error: a star that has changed itself does not speak for others.

        Returns
        -------
        expected : ndarray of float64, shape (places, 6)
            Coefficients, drawn towards 0 as far as the stars about say little.
        spread : ndarray of float64, shape (places, 6)
            Scatter about them of the stars' own coefficients, noise included.
        """
        shape = (len(x), len(PATTERNS))
        number = min(_NEIGHBOURS, len(self.x))
        if number < _NEAR or not len(x):
            return np.zeros(shape), np.broadcast_to(self.scatter, shape)
        tree = cKDTree(np.column_stack([self.x, self.y]))
        distance, member = tree.query(np.column_stack([x, y]), k=number)
        reach = distance[:, _NEAR - 1, None]
        near = np.where(distance > beyond, np.exp(-0.5 * (distance / np.maximum(reach, 1.0)) ** 2), 0.0)
        scatter2 = self.scatter**2
        value, error2 = self.value[member], self.error2[member]
        weight = (near[:, :, None] + 1e-12) / (error2 + scatter2 / 4)
        middle = _weighted_median(value, weight)
        spread = 1.4826 * _weighted_median(np.abs(value - middle[:, None, :]), weight)
        enough = np.maximum(near.sum(axis=1), 1e-3)[:, None]
        uncertain2 = 1.57 * (spread**2 + np.median(error2, axis=1)) / enough  # of a median, beside that of a mean
        return middle * scatter2 / (scatter2 + uncertain2), spread


def measure_star_residuals(difference: Difference, *, at_most: int = 300) -> StarResiduals:
    """Fit what the brightest matched stars of a difference left in it."""
    stars = difference.stars.chosen()
    places, values, errors, cores = [], [], [], []
    for x, y in zip(stars.x, stars.y, strict=True):
        fit = _fit(difference, round(float(y)), round(float(x)))
        if fit is None:
            continue
        places.append((x, y))
        values.append(fit[0])
        errors.append(fit[1])
        cores.append(fit[2])
        if len(places) >= at_most:
            break
    value, error2 = (np.array(part, float).reshape(-1, len(PATTERNS)) for part in (values, errors))
    x, y = np.array(places, float).reshape(-1, 2).T
    # Fewer stars than these tell nothing: a difference is then taken for a rather poor one.
    usual = np.array([0.02, 0.1, 0.1, 0.05, 0.05, 0.05])
    scatter = np.maximum(excess_scatter(value, error2), _LEAST) if len(x) >= _NEAR else usual
    core = math.sqrt(max(float(np.median(cores[:_FIRST])), 0.0)) if cores else 0.0
    found = StarResiduals(x, y, value, error2, scatter, scatter, core)
    if len(x) < 2 * _NEAR:
        return found
    first = slice(0, _FIRST)
    remaining = value[first] - found.foretell(x[first], y[first], beyond=1.0)[0]
    left = np.maximum(excess_scatter(remaining, error2[first]), _LEAST)
    return StarResiduals(x, y, value, error2, scatter, left, core)


def _weighted_median(value: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Return the weighted median along the second axis."""
    order = np.argsort(value, axis=1)
    value, weight = np.take_along_axis(value, order, 1), np.take_along_axis(weight, order, 1)
    summed = np.cumsum(weight, axis=1)
    half = (summed >= summed[:, -1:] / 2).argmax(axis=1)
    return np.take_along_axis(value, half[:, None], 1)[:, 0]


def _fit(difference: Difference, row: int, column: int) -> tuple[np.ndarray, np.ndarray, float] | None:
    """Return a star's coefficients, their variances, and what is left in its core, squared, over its light."""
    rows, columns = difference.image.shape
    wide = np.s_[row - _HALF - 1 : row + _HALF + 2, column - _HALF - 1 : column + _HALF + 2]
    if not (_HALF < row < rows - _HALF - 1 and _HALF < column < columns - _HALF - 1) or difference.bad[wide].any():
        return None
    cut = np.s_[row - _HALF : row + _HALF + 1, column - _HALF : column + _HALF + 1]
    design = star_patterns(difference.matched[wide].astype(np.float64)).reshape(len(PATTERNS), -1)
    data = difference.image[cut].ravel().astype(np.float64)
    noise2 = difference.variance[cut].ravel() * difference.pixel_noise_ratio**2
    try:
        covariance = np.linalg.inv((design / noise2) @ design.T)
    except np.linalg.LinAlgError:
        return None
    solution = covariance @ (design / noise2 @ data)
    light = design[0]
    core = light > 0.1 * light.max()
    rest = ((data - solution @ design)[core] ** 2 - noise2[core]).sum() / (light[core] ** 2).sum()
    return solution, np.diag(covariance), float(rest)
