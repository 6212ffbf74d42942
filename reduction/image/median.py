"""Order and median of a few values, inside compiled loops."""

import numpy as np
from numba import njit

from reduction.array_types import Float32Array, Float64Array

__all__ = ["median_of", "sort_first"]


@njit(cache=True)
def sort_first(values: Float32Array | Float64Array, count: int) -> None:
    """Sort the first `count` values of an array in place; meant for few."""
    for i in range(1, count):
        value = values[i]
        j = i - 1
        while j >= 0 and values[j] > value:
            values[j + 1] = values[j]
            j -= 1
        values[j + 1] = value


@njit(cache=True)
def median_of(values: Float32Array, count: int) -> np.float32:
    """Return the median of the first `count` values of a float32 array, which are sorted in place."""
    sort_first(values, count)
    upper: np.float32 = values[count // 2]
    if count % 2:
        return upper
    lower: np.float32 = values[count // 2 - 1]
    return np.float32(0.5) * (lower + upper)
