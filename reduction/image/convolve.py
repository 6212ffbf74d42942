"""Convolution of whole images with a kernel that may differ from block to block.

Kernels here have some 15 pixels on a side. Summed directly in float32, a block's pixels staying in the processor's
cache, they cost less than one pair of Fourier transforms of the whole image, and no pixel reaches beyond its kernel.
"""

import numba
import numpy as np
from scipy import fft

from reduction.array_types import BoolArray, Float32Array

__all__ = [
    "BLOCK_PX",
    "bad_share",
    "block_centres",
    "convolve",
    "convolve_blocks",
    "convolve_stamp",
    "fill_bad",
    "in_every_block",
]

BLOCK_PX = 48  # side of the blocks in which a kernel stays the same


def block_centres(shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Return x (of the blocks' columns) and y (of their rows) of the centres of an image's blocks, 0-based."""
    y, x = (
        (np.minimum(np.arange(0, size, BLOCK_PX) + BLOCK_PX, size) + np.arange(0, size, BLOCK_PX) - 1) / 2
        for size in shape
    )
    return x, y


def convolve_blocks(image: np.ndarray, kernels: np.ndarray) -> np.ndarray:
    """Return the convolution with one kernel a block.

    Parameters
    ----------
    image : ndarray of float32, shape (rows, columns)
        Finite. Blocks around which it is zero cost nothing.
    kernels : ndarray of float32, shape (block rows, block columns, height, width)
        Of odd size, one for each block of `BLOCK_PX`; a pixel of the result is made with the kernel of its block.

    Returns
    -------
    ndarray of float32, shape (rows, columns)
        Beyond the image's edge there is taken to be nothing.
    """
    _check(image.shape, kernels)
    margins = tuple((size // 2, size // 2) for size in kernels.shape[2:])
    padded = np.pad(image.astype(np.float32, copy=False), margins)
    out = np.empty(image.shape, np.float32)
    _convolve(padded, np.ascontiguousarray(kernels, np.float32), BLOCK_PX, out)
    return out


def convolve(image: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Return the convolution of a finite image with one kernel of odd size."""
    return convolve_blocks(image, in_every_block(kernel, image.shape))


def in_every_block(kernel: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Return one kernel as that of every block of an image of this shape."""
    blocks = tuple(-(-size // BLOCK_PX) for size in shape)
    return np.broadcast_to(kernel.astype(np.float32), blocks + kernel.shape)


def convolve_stamp(stamp: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Return the convolution of a small image with a kernel, on the image's pixels, with nothing beyond its edge.

    `scipy.signal.fftconvolve` does the same; to load `scipy.signal` takes a process almost a second.
    """
    whole = [size + other - 1 for size, other in zip(stamp.shape, kernel.shape, strict=True)]
    fast = [fft.next_fast_len(size, real=True) for size in whole]
    product: np.ndarray = fft.irfft2(fft.rfft2(stamp, fast) * fft.rfft2(kernel, fast), fast)
    top, left = ((size - own) // 2 for size, own in zip(whole, stamp.shape, strict=True))
    return product[top : top + stamp.shape[0], left : left + stamp.shape[1]]


def bad_share(bad: np.ndarray, kernels: np.ndarray) -> np.ndarray:
    """Return how much of a kernel's weight falls on bad pixels or beyond the edge, for every pixel it is centred on.

    Parameters
    ----------
    bad : ndarray of bool, shape (rows, columns)
    kernels : ndarray of float32, shape (block rows, block columns, height, width)
        As of `convolve_blocks`, each of sum 1.

    Returns
    -------
    ndarray of float32, shape (rows, columns)
    """
    _check(bad.shape, kernels)
    out = np.empty(bad.shape, np.float32)
    _spread_bad(bad, np.ascontiguousarray(kernels, np.float32), BLOCK_PX, out)
    return out


def _check(shape: tuple[int, ...], kernels: np.ndarray) -> None:
    height, width = kernels.shape[2:]
    blocks = tuple(-(-size // BLOCK_PX) for size in shape)
    if height % 2 == 0 or width % 2 == 0 or kernels.shape[:2] != blocks:
        raise ValueError(f"kernels of shape {kernels.shape} do not fit: odd sizes, {blocks} blocks")


@numba.njit(cache=True, nogil=True, fastmath=True)
def _convolve(padded: Float32Array, kernels: Float32Array, block: int, out: Float32Array) -> None:
    """Sum five columns of the kernel in one pass over a row of a block, which compiles to vector instructions."""
    height, width = kernels.shape[2], kernels.shape[3]
    rows, columns = out.shape
    for block_row in range(kernels.shape[0]):
        for block_column in range(kernels.shape[1]):
            first, left = block_row * block, block_column * block
            last, n = min(first + block, rows), min(block, columns - left)
            if _is_zero(padded[first : last + height - 1, left : left + n + width - 1]):
                out[first:last, left : left + n] = 0
                continue
            kernel = kernels[block_row, block_column]
            for row in range(first, last):
                total = out[row, left : left + n]
                for m in range(n):
                    total[m] = 0
                for j in range(height):
                    line = padded[row + height - 1 - j, left:]
                    i = 0
                    while i + 4 < width:
                        at = width - 1 - i
                        a, b, c = kernel[j, i], kernel[j, i + 1], kernel[j, i + 2]
                        d, e = kernel[j, i + 3], kernel[j, i + 4]
                        la, lb, lc = line[at : at + n], line[at - 1 : at - 1 + n], line[at - 2 : at - 2 + n]
                        ld, le = line[at - 3 : at - 3 + n], line[at - 4 : at - 4 + n]
                        for m in range(n):
                            total[m] += a * la[m] + b * lb[m] + c * lc[m] + d * ld[m] + e * le[m]
                        i += 5
                    while i < width:
                        weight = kernel[j, i]
                        part = line[width - 1 - i : width - 1 - i + n]
                        for m in range(n):
                            total[m] += weight * part[m]
                        i += 1


@numba.njit(cache=True, nogil=True)
def _is_zero(part: Float32Array) -> bool:
    for row in range(part.shape[0]):
        for column in range(part.shape[1]):
            if part[row, column] != 0:
                return False
    return True


@numba.njit(cache=True, nogil=True)
def _spread_bad(bad: BoolArray, kernels: Float32Array, block: int, out: Float32Array) -> None:
    """Spread out each bad pixel by the kernel; where the good ones are fewer, take them off a share of 1 instead."""
    up, aside = kernels.shape[2] // 2, kernels.shape[3] // 2
    rows, columns = bad.shape
    for block_row in range(kernels.shape[0]):
        for block_column in range(kernels.shape[1]):
            first, left = block_row * block, block_column * block
            last, right = min(first + block, rows), min(left + block, columns)
            part, kernel = out[first:last, left:right], kernels[block_row, block_column]
            good = 0
            for row in range(max(first - up, 0), min(last + up, rows)):
                for column in range(max(left - aside, 0), min(right + aside, columns)):
                    good += not bad[row, column]
            area = (last - first + 2 * up) * (right - left + 2 * aside)
            rare = 2 * good >= area  # is a bad pixel
            part[:] = np.float32(0) if rare else np.float32(1)
            if good in (0, area):
                continue
            sign = np.float32(1) if rare else np.float32(-1)
            for row in range(first - up, last + up):
                for column in range(left - aside, right + aside):
                    is_inside = 0 <= row < rows and 0 <= column < columns
                    if (not is_inside or bad[row, column]) == rare:
                        _spread(part, row - first, column - left, kernel, sign)


@numba.njit(cache=True, nogil=True)
def _spread(part: Float32Array, row: int, column: int, kernel: Float32Array, sign: np.float32) -> None:
    """Add a kernel about a place, which may lie outside, to a part of an image."""
    up, aside = kernel.shape[0] // 2, kernel.shape[1] // 2
    for j in range(max(row - up, 0), min(row + up + 1, part.shape[0])):
        for i in range(max(column - aside, 0), min(column + aside + 1, part.shape[1])):
            part[j, i] += sign * kernel[j - row + up, i - column + aside]


def fill_bad(image: np.ndarray, bad: np.ndarray, *, size: int = 5) -> np.ndarray:
    """Return the image with bad pixels replaced by the mean of their good neighbours, 0 where there is none.

    Parameters
    ----------
    image : ndarray of float32
    bad : ndarray of bool, same shape
    size : int
        Width of the neighbourhood in pixels, odd.
    """
    filled = np.ascontiguousarray(image, np.float32).copy()
    _fill(filled, np.ascontiguousarray(image, np.float32), bad, size // 2)
    return filled


@numba.njit(cache=True, nogil=True)
def _fill(filled: Float32Array, image: Float32Array, bad: BoolArray, reach: int) -> None:
    rows, columns = image.shape
    for row in range(rows):
        for column in range(columns):
            if not bad[row, column]:
                continue
            total, count = 0.0, 0
            for j in range(max(row - reach, 0), min(row + reach + 1, rows)):
                for i in range(max(column - reach, 0), min(column + reach + 1, columns)):
                    if not bad[j, i]:
                        total += image[j, i]
                        count += 1
            filled[row, column] = total / count if count else 0.0
