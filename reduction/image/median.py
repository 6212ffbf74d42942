"""Order and median of a few values, inside compiled loops."""

import numpy as np
from numba import njit

__all__ = ["median_of", "sort_first"]


@njit(cache=True)
def sort_first(values, count):
    """Sort the first `count` values of an array in place; meant for few."""
    for i in range(1, count):
        value = values[i]
        j = i - 1
        while j >= 0 and values[j] > value:
            values[j + 1] = values[j]
            j -= 1
        values[j + 1] = value


@njit(cache=True)
def median_of(values, count):
    """Return the median of the first `count` values of a float32 array, which are sorted in place."""
    sort_first(values, count)
    if count % 2:
        return values[count // 2]
    return np.float32(0.5) * (values[count // 2 - 1] + values[count // 2])
