"""Trails of satellites and aircraft: straight, from edge to edge, and as wide as a star."""

from dataclasses import dataclass

import numpy as np
from numba import njit

from reduction.array_types import Float64Array, Int32Array

__all__ = ["Trail", "find_trails", "mark_trails"]

CELLS = 384  # along the longer side of the binned image in which trails are looked for
ABOVE = 4.0  # robust sigma of the binned image
CROWDED = 0.15  # with more cells than this above it there is no telling a line from the field
COVERED = 0.75  # of a line's length within the image must be above
BESIDE = 0.5  # of that at most on either side: else it is the edge of something broad
CLEAR_OF_IT = 6.0  # cells: where "beside" begins
SEEN = 0.7  # of the line's length: how much of both its sides must lie within the image
SHORTEST = 0.25  # of the longer side: shorter chords cut a corner
STRIP = 2.0  # cells: the width of a line in the search
MOST = 10
FINER = np.linspace(-1.0, 1.0, 9)


@dataclass(frozen=True)
class Trail:
    """A straight line through the image: the points with ``x cos(angle) + y sin(angle) = distance``.

    Parameters
    ----------
    angle : float
        Radians, of the line's normal.
    distance : float
        Pixels from the centre of the pixel (0, 0).
    """

    angle: float
    distance: float


def find_trails(image: np.ndarray, bad: np.ndarray) -> tuple[Trail, ...]:
    """Return the trails that cross an image, most conspicuous first.

    A Hough transform of the cells that stand out of a binned image; of its peaks those count whose line is covered
    almost without a gap, and whose neighbourhood is not.

    Parameters
    ----------
    image : ndarray of float32, shape (rows, columns)
        Background subtracted.
    bad : ndarray of bool, shape (rows, columns)
        Pixels that say nothing: saturated columns are lines too.
    """
    size = max(1, -(-max(image.shape) // CELLS))
    above = _standing_out(image, bad, size)
    found: list[Trail] = []
    while len(found) < MOST and 0 < above.mean() < CROWDED:
        line = _best_line(above)
        if line is None:
            break
        angle, distance = line
        corner = 0.5 * (size - 1) * (np.cos(angle) + np.sin(angle))  # a cell's middle is not its first pixel's
        found.append(Trail(float(angle), float(distance * size + corner)))
        above &= ~_near(above.shape, angle, distance, 2 * STRIP)
    return tuple(found)


def mark_trails(shape: tuple[int, int], trails: tuple[Trail, ...], half_width_px: float) -> np.ndarray:
    """Return which pixels of an image lie within a distance of a trail, as booleans."""
    marked = np.zeros(shape, dtype=bool)
    for trail in trails:
        marked |= _near(shape, trail.angle, trail.distance, half_width_px)
    return marked


def _standing_out(image: np.ndarray, bad: np.ndarray, size: int) -> np.ndarray:
    """Return the cells of the binned image that stand out of its own scatter."""
    weight = _binned(~bad, size)
    light = _binned(np.where(bad, np.float32(0), image), size)
    usable = weight >= 0.5 * size * size
    if not usable.any():
        return np.zeros(weight.shape, dtype=bool)
    mean = np.where(usable, light / np.maximum(weight, 1), 0)
    middle = np.median(mean[usable])
    scatter = 1.4826 * np.median(np.abs(mean[usable] - middle))
    above: np.ndarray = usable & (mean - middle > ABOVE * max(float(scatter), 1e-9))
    return above


def _binned(values: np.ndarray, size: int) -> np.ndarray:
    """Return the sums of whole blocks of size x size: over rows first, which lie one after the other in memory."""
    rows, columns = (n // size for n in values.shape)
    bands = values[: rows * size, : columns * size].reshape(rows, size, columns * size).sum(axis=1, dtype=np.float32)
    sums: np.ndarray = bands.reshape(rows, columns, size).sum(axis=2)
    return sums


def _near(shape: tuple[int, int], angle: float, distance: float, width: float) -> np.ndarray:
    y, x = np.arange(shape[0])[:, None], np.arange(shape[1])[None, :]
    near: np.ndarray = np.abs(x * np.cos(angle) + y * np.sin(angle) - distance) <= width
    return near


def _best_line(above: np.ndarray) -> tuple[float, float] | None:
    """Return normal angle and distance, in cells, of the line that is covered best; None where none is covered."""
    rows, columns = above.shape
    diagonal = float(np.hypot(rows, columns))
    angles = np.arange(0.0, np.pi, STRIP / diagonal)
    y, x = np.nonzero(above)
    votes = _vote(x.astype(np.float64), y.astype(np.float64), np.cos(angles), np.sin(angles), diagonal, STRIP)
    distances = (np.arange(votes.shape[1]) + 0.5) * STRIP - diagonal
    length = _chord(angles[:, None], distances[None, :], above.shape)
    share = np.where(length >= SHORTEST * max(above.shape), votes / np.maximum(length, 1.0), 0.0)
    covered = np.flatnonzero(share >= COVERED)
    for place in covered[np.argsort(-share.ravel()[covered], kind="stable")][:MOST]:
        i, j = np.unravel_index(place, share.shape)
        line = _refined(above, float(angles[i]), float(distances[j]), STRIP / diagonal)
        if _is_line(above, *line):
            return line
    return None


@njit(cache=True)
def _vote(
    x: Float64Array, y: Float64Array, cosines: Float64Array, sines: Float64Array, diagonal: float, strip: float
) -> Int32Array:
    votes = np.zeros((cosines.size, int(2 * diagonal / strip) + 1), np.int32)
    for a in range(cosines.size):
        for k in range(x.size):
            votes[a, int((x[k] * cosines[a] + y[k] * sines[a] + diagonal) / strip)] += 1
    return votes


def _chord(angle: np.ndarray, distance: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Return how long a line runs within the image, in cells."""
    cosine, sine = np.cos(angle), np.sin(angle)
    least, most = -np.inf, np.inf
    for start, step, size in ((distance * cosine, -sine, shape[1]), (distance * sine, cosine, shape[0])):
        step = np.where(np.abs(step) < 1e-9, 1e-9, step)
        ends = (-0.5 - start) / step, (size - 0.5 - start) / step
        least, most = np.maximum(least, np.minimum(*ends)), np.minimum(most, np.maximum(*ends))
    length: np.ndarray = np.maximum(most - least, 0.0)
    return length


def _refined(above: np.ndarray, angle: float, distance: float, step: float) -> tuple[float, float]:
    """Return the line nearby that is covered best."""
    tries = [(angle + a * step, distance + d * STRIP) for a in FINER for d in FINER]
    return max(tries, key=lambda line: _coverage(above, *line))


def _is_line(above: np.ndarray, angle: float, distance: float) -> bool:
    own = _coverage(above, angle, distance)
    sides = distance + np.array([-CLEAR_OF_IT, CLEAR_OF_IT])
    # A line along the image's edge has nothing on its other side: the border of a vignette, not a trail.
    lengths = _chord(np.full(3, angle), np.array([distance, *sides]), above.shape)
    if (lengths[1:] < SEEN * lengths[0]).any():
        return False
    beside = max(_coverage(above, angle, side) for side in sides)
    return own >= COVERED and beside <= BESIDE * own


def _coverage(above: np.ndarray, angle: float, distance: float) -> float:
    """Return the share of the line's cells that are above."""
    rows, columns = above.shape
    along = np.arange(-float(np.hypot(rows, columns)), float(np.hypot(rows, columns)))
    x = np.round(distance * np.cos(angle) - along * np.sin(angle)).astype(int)
    y = np.round(distance * np.sin(angle) + along * np.cos(angle)).astype(int)
    inside = (x >= 0) & (x < columns) & (y >= 0) & (y < rows)
    return float(above[y[inside], x[inside]].mean()) if inside.any() else 0.0
