"""Stars that come in pairs of one separation: the telescope moved, in a jump, while the shutter was open."""

import math

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

__all__ = ["common_separation"]

BRIGHTEST = 300  # sources that are looked at
FARTHEST_PX = 20
INNER_PX, OUTER_PX = 3, 6  # half sides of the frame about a separation that says what chance gives there
BY_CHANCE = 1e-3  # how probable a number of pairs may be, among all separations that are tried


def common_separation(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Return the separation that most sources have to another one, and the share of them that have it.

    Parameters
    ----------
    x, y : ndarray of float, shape (sources,)
        Pixels, brightest first.

    Returns
    -------
    separation : float
        Pixels, 0 where chance explains all pairs within 20 pixels in x and y.
    share : float
        Of the brightest 300, beyond what chance gives; 1 where all of them are pairs with one and the same step from
        star to star.

    Notes
    -----
    A pair counts both ways, since noise of the places turns the sign of the small part of a step along a row or
    column. Chance is what the separations around have: as many as there are in a crowd or cluster. Whether more
    than that is chance too is told by the Poisson distribution.
    """
    x, y = x[:BRIGHTEST], y[:BRIGHTEST]
    pairs = ~np.eye(len(x), dtype=bool)
    right, up = (x[None, :] - x[:, None])[pairs], (y[None, :] - y[:, None])[pairs]
    edges = np.arange(-FARTHEST_PX - OUTER_PX, FARTHEST_PX + OUTER_PX + 1)
    counts = np.histogram2d(right, up, bins=(edges, edges))[0]
    found = _sums_about(counts, 1)  # 2x2 pixels, as a step may lie on a bin's edge
    around = _sums_about(counts, OUTER_PX) - _sums_about(counts, INNER_PX)
    chance = (around + 1) / (OUTER_PX**2 - INNER_PX**2)  # of 2x2 pixels; never 0, as an empty frame proves little
    i, j = np.unravel_index(int((found - chance).argmax()), found.shape)
    if found.size / 2 * _by_chance(int(found[i, j]), float(chance[i, j])) > BY_CHANCE:  # half: each is there twice
        return 0.0, 0.0
    step = np.hypot(edges[OUTER_PX + i], edges[OUTER_PX + j])
    return float(step), float(2 * (found[i, j] - chance[i, j]) / len(x))


def _by_chance(number: int, expected: float) -> float:
    """Return the probability of so many or more (Poisson); 1 where no more are found than expected.

    Each further term of the sum is less than the last by the factor expected / number; their bound stands for them.
    """
    if number <= expected:
        return 1.0
    first = math.exp(number * math.log(expected) - expected - math.lgamma(number + 1))
    return min(first / (1 - expected / (number + 1)), 1.0)


def _sums_about(counts: np.ndarray, half: int) -> np.ndarray:
    """Return the sums of squares of 2 x `half` bins about each edge of up to `FARTHEST_PX` in x and y."""
    sums = sliding_window_view(counts, (2 * half, 2 * half)).sum(axis=(2, 3))
    more = OUTER_PX - half
    within: np.ndarray = sums[more : len(sums) - more, more : len(sums) - more]
    return within
