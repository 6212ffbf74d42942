"""Who lies near whom among points of a plane.

A grid of cells no smaller than the radius: what is within the radius of a point lies in its cell or in the eight
around it. SciPy's trees answer the same; a job's process would pay half a second of imports for them.
"""

import numpy as np
from numba import njit

from reduction.array_types import BoolArray, Float64Array, Int64Array

__all__ = ["have_neighbour", "nearest_within"]

CELLS_AT_MOST = 4  # times the number of points: smaller cells would be empty


def nearest_within(x: np.ndarray, y: np.ndarray, at_x: np.ndarray, at_y: np.ndarray, radius: float) -> np.ndarray:
    """Return which point is nearest to each place, within a radius.

    Parameters
    ----------
    x, y : ndarray of float, shape (points,)
    at_x, at_y : ndarray of float, shape (places,)
    radius : float
        In the unit of the points, finite.

    Returns
    -------
    ndarray of int64, shape (places,)
        Index of the point, the first of equally near ones; -1 where there is none. What is not finite is near nobody.
    """
    at_x, at_y = np.ascontiguousarray(at_x, dtype=float), np.ascontiguousarray(at_y, dtype=float)
    usable = np.flatnonzero(np.isfinite(x) & np.isfinite(y))
    if not len(usable):
        return np.full(len(at_x), -1, dtype=np.int64)
    x, y = np.asarray(x, dtype=float)[usable], np.asarray(y, dtype=float)[usable]
    found = _nearest(x, y, at_x, at_y, float(radius), *_grid(x, y, float(radius)))
    return np.where(found >= 0, usable[found], -1)


def have_neighbour(x: np.ndarray, y: np.ndarray, radius: float) -> np.ndarray:
    """Return which points have another one within a radius.

    Parameters
    ----------
    x, y : ndarray of float, shape (points,)
    radius : float

    Returns
    -------
    ndarray of bool, shape (points,)
    """
    near = np.zeros(len(x), dtype=bool)
    usable = np.flatnonzero(np.isfinite(x) & np.isfinite(y))
    if len(usable) > 1:
        x, y = np.asarray(x, dtype=float)[usable], np.asarray(y, dtype=float)[usable]
        near[usable] = _accompanied(x, y, float(radius), *_grid(x, y, float(radius)))
    return near


def _grid(x: np.ndarray, y: np.ndarray, radius: float) -> tuple[float, float, float, int, np.ndarray, np.ndarray]:
    """Return the grid's origin, cell size and columns, where each cell begins in the order, and the order."""
    left, low = float(x.min()), float(y.min())
    width, height = float(x.max()) - left, float(y.max()) - low
    size = max(radius, np.sqrt(width * height / (CELLS_AT_MOST * len(x))), max(width, height) / (2 * len(x)), 1e-9)
    columns, rows = int(width / size) + 1, int(height / size) + 1
    cell = ((y - low) / size).astype(np.int64) * columns + ((x - left) / size).astype(np.int64)
    order = np.argsort(cell, kind="stable")
    starts = np.searchsorted(cell[order], np.arange(rows * columns + 1))
    return left, low, size, columns, starts, order


@njit(cache=True)
def _nearest(
    x: Float64Array, y: Float64Array, at_x: Float64Array, at_y: Float64Array, radius: float, left: float, low: float,
    size: float, columns: int, starts: np.ndarray, order: np.ndarray,
) -> Int64Array:  # fmt: skip
    rows = (len(starts) - 1) // columns
    found = np.full(len(at_x), -1, dtype=np.int64)
    for k in range(len(at_x)):
        across, up = (at_x[k] - left) / size, (at_y[k] - low) / size
        if not (-1.0 <= across <= columns + 1.0 and -1.0 <= up <= rows + 1.0):
            continue
        column, row = int(np.floor(across)), int(np.floor(up))
        best = radius * radius
        for r in range(max(row - 1, 0), min(row + 2, rows)):
            for c in range(max(column - 1, 0), min(column + 2, columns)):
                for place in range(starts[r * columns + c], starts[r * columns + c + 1]):
                    i = order[place]
                    apart = (x[i] - at_x[k]) ** 2 + (y[i] - at_y[k]) ** 2
                    if apart < best or (apart == best and (found[k] < 0 or i < found[k])):
                        best, found[k] = apart, i
    return found


@njit(cache=True)
def _accompanied(
    x: Float64Array, y: Float64Array, radius: float, left: float, low: float, size: float, columns: int,
    starts: np.ndarray, order: np.ndarray,
) -> BoolArray:  # fmt: skip
    rows = (len(starts) - 1) // columns
    near = np.zeros(len(x), dtype=np.bool_)
    for k in range(len(x)):
        column, row = int((x[k] - left) / size), int((y[k] - low) / size)
        for r in range(max(row - 1, 0), min(row + 2, rows)):
            for c in range(max(column - 1, 0), min(column + 2, columns)):
                if near[k]:
                    break
                for place in range(starts[r * columns + c], starts[r * columns + c + 1]):
                    i = order[place]
                    if i != k and (x[i] - x[k]) ** 2 + (y[i] - y[k]) ** 2 <= radius * radius:
                        near[k] = near[i] = True
                        break
    return near
