"""What an amplifier bends: the table that makes its counts proportional to light."""

from dataclasses import dataclass

import numpy as np
from numba import njit

from reduction.array_types import Float32Array

__all__ = ["Linearity"]


@dataclass(frozen=True, eq=False)
class Linearity:
    """What is to be added to an amplifier's counts, as a table over evenly spaced counts.

    Parameters
    ----------
    most : float
        ADU above the overscan up to which it was measured. What lies beyond keeps the last ratio and counts as
        saturated.
    correction : ndarray of float32, shape (n,)
        Counts proportional to light less the counts as read, ADU, from 0 to `most`.
    """

    most: float
    correction: np.ndarray

    def linear(self, counts: np.ndarray) -> np.ndarray:
        """Return counts proportional to light; those below zero stay as they are.

        Parameters
        ----------
        counts : ndarray of float32, shape (rows, columns)
            ADU above the overscan.
        """
        return _linear(np.ascontiguousarray(counts, dtype=np.float32), np.float32(self.most), self.correction)


@njit(cache=True)
def _linear(counts: Float32Array, most: np.float32, correction: Float32Array) -> Float32Array:
    out = np.empty_like(counts)
    last = len(correction) - 1
    per_adu = np.float32(last) / most
    beyond = np.float32(1) + correction[last] / most
    for i in range(counts.shape[0]):
        for j in range(counts.shape[1]):
            value = counts[i, j]
            if not value > 0:
                out[i, j] = value
            elif value >= most:
                out[i, j] = value * beyond
            else:
                place = value * per_adu
                node = min(int(place), last - 1)
                share = place - np.float32(node)
                low = correction[node]
                out[i, j] = value + low + share * (correction[node + 1] - low)
    return out
