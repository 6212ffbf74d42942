"""The calibration's arithmetic in one pass over the pixels, where numpy takes several and an array for each.

All arrays are of one shape; values and variances float32, masks uint16.
"""

import numpy as np
from numba import njit

__all__ = ["divided", "less_scaled", "scaled"]

ONE = np.float32(1)
NOTHING = np.float32(0)


@njit(cache=True)
def scaled(image, factor, noise2, own, own_factor):
    """Return an image times a factor, and the variance of its photons and `noise2`, plus `own` times a factor."""
    out, variance = np.empty_like(image), np.empty_like(image)
    for i in range(image.shape[0]):
        for j in range(image.shape[1]):
            value = image[i, j] * factor
            out[i, j] = value
            variance[i, j] = max(value, NOTHING) + noise2 + own[i, j] * own_factor
    return out, variance


@njit(cache=True)
def less_scaled(image, variance, other, other_variance, factor):
    """Return an image less another times a factor, with its variance."""
    out, noise = np.empty_like(image), np.empty_like(image)
    for i in range(image.shape[0]):
        for j in range(image.shape[1]):
            out[i, j] = image[i, j] - other[i, j] * factor
            noise[i, j] = variance[i, j] + other_variance[i, j] * factor**2
    return out, noise


@njit(cache=True)
def divided(image, variance, mask, response, response_variance, response_mask, least, dead):
    """Return an image divided by a response, with its variance and mask.

    Where the response is not above `least`, the value is 0, the variance stays, and the bit `dead` is set.
    """
    out, noise, bits = np.empty_like(image), np.empty_like(image), np.empty_like(mask)
    for i in range(image.shape[0]):
        for j in range(image.shape[1]):
            bits[i, j] = mask[i, j] | response_mask[i, j]
            if response[i, j] > least:
                per = ONE / response[i, j]
                value = image[i, j] * per
                out[i, j] = value
                noise[i, j] = (variance[i, j] + value * value * response_variance[i, j]) * per * per
            else:
                out[i, j], noise[i, j] = NOTHING, variance[i, j]
                bits[i, j] |= dead
    return out, noise, bits
