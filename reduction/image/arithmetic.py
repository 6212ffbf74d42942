"""The calibration's arithmetic in one pass over the pixels, where numpy takes several and an array for each.

All arrays are of one shape; values and variances float32, masks uint16.
"""

import numpy as np
from numba import njit

from reduction.array_types import Float32Array, Uint16Array

__all__ = ["divided", "less_scaled", "scaled"]

ONE = np.float32(1)
NOTHING = np.float32(0)


@njit(cache=True)
def scaled(
    image: Float32Array, factor: np.float32, noise2: np.float32, own: Float32Array, own_factor: np.float32
) -> tuple[Float32Array, Float32Array]:
    """Return an image times a factor, and the variance of its photons and `noise2`, plus `own` times a factor."""
    out, variance = np.empty_like(image), np.empty_like(image)
    for i in range(image.shape[0]):
        for j in range(image.shape[1]):
            value = image[i, j] * factor
            out[i, j] = value
            variance[i, j] = max(value, NOTHING) + noise2 + own[i, j] * own_factor
    return out, variance


@njit(cache=True)
def less_scaled(
    image: Float32Array, variance: Float32Array, other: Float32Array, other_variance: Float32Array, factor: np.float32
) -> tuple[Float32Array, Float32Array]:
    """Return an image less another times a factor, with its variance."""
    out, noise = np.empty_like(image), np.empty_like(image)
    for i in range(image.shape[0]):
        for j in range(image.shape[1]):
            out[i, j] = image[i, j] - other[i, j] * factor
            noise[i, j] = variance[i, j] + other_variance[i, j] * factor**2
    return out, noise


@njit(cache=True)
def divided(
    image: Float32Array, variance: Float32Array, mask: Uint16Array, response: Float32Array,
    response_variance: Float32Array, response_mask: Uint16Array, least: np.float32, dead: np.uint16,
) -> tuple[Float32Array, Float32Array, Uint16Array]:  # fmt: skip
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
