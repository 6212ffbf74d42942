"""The median of a few values, inside compiled loops."""

import numpy as np
from numba import njit

__all__ = ["median_of"]


@njit(cache=True)
def median_of(values, count):
    """Return the median of the first `count` values of a float32 array, which are sorted in place."""
    for i in range(1, count):
        value = values[i]
        j = i - 1
        while j >= 0 and values[j] > value:
            values[j + 1] = values[j]
            j -= 1
        values[j + 1] = value
    if count % 2:
        return values[count // 2]
    return np.float32(0.5) * (values[count // 2 - 1] + values[count // 2])
