"""Read noise and gain of an amplifier, measured on pairs of like frames.

What does not change between two frames of one kind (structure, response, vignetting) goes away in their difference.
What is left is noise: of the readout in biases, of photons and readout in flats, where the ratio of light to noise
is the gain (Janesick 2001, Scientific Charge-Coupled Devices, chapter 2). It is taken in blocks, so that a twilight
that changes from frame to frame does no harm. Charge that a full pixel pushes to its neighbours lowers the noise of
bright flats by a per cent or two and raises the gain by as much.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit

from reduction.array_types import Float32Array, Float64Array, Uint16Array
from reduction.image.frame import Frame

__all__ = ["Estimate", "measure_gain", "measure_gain_between_levels", "measure_read_noise"]

BLOCK = 32  # pixels on a side
PAIRS = 2  # at most; more say nothing new
PIXELS_AT_LEAST = 256  # good ones of a block
BLOCKS_AT_LEAST = 4
CLIP = 4.0  # sigma
LIGHT_AT_LEAST = 2.0  # times the read noise's variance that photons must add


@dataclass(frozen=True)
class Estimate:
    """A measured number and its error."""

    value: float
    error: float


def measure_read_noise(frames: Sequence[Frame]) -> Estimate | None:
    """Measure the read noise on biases.

    Parameters
    ----------
    frames : sequence of Frame
        ADU, overscan subtracted.

    Returns
    -------
    Estimate or None
        ADU of one frame's pixel; None where there are not enough frames or good pixels.
    """
    blocks = _blocks_of_pairs(frames, scaled=False)
    if len(blocks) < BLOCKS_AT_LEAST:
        return None
    noise = np.sqrt(blocks[:, 2] / 2)
    return _typical(noise)


def measure_gain(frames: Sequence[Frame], read_noise: float) -> Estimate | None:
    """Measure the gain on flats.

    Parameters
    ----------
    frames : sequence of Frame
        ADU, overscan and bias subtracted, proportional to light.
    read_noise : float
        ADU.

    Returns
    -------
    Estimate or None
        Electrons per ADU; None where there are not enough frames, good pixels or light.
    """
    blocks = _blocks_of_pairs(frames, scaled=True)
    if not len(blocks):
        return None
    level, ratio, variance = blocks.T
    of_readout = read_noise**2 * (1 + ratio**2)
    bright = variance > (1 + LIGHT_AT_LEAST) * of_readout
    if bright.sum() < BLOCKS_AT_LEAST:
        return None
    gain = (level * (1 + ratio))[bright] / (variance - of_readout)[bright]
    return _typical(gain)


def measure_gain_between_levels(faint: Sequence[Frame], bright: Sequence[Frame]) -> Estimate | None:
    """Measure the gain on frames of two levels, where no bias says how high the pedestal is.

    Both the pedestal and the read noise are in both levels, and go away in the differences of level and of variance.

    Parameters
    ----------
    faint, bright : sequence of Frame
        ADU as read, the frames of each level alike.

    Returns
    -------
    Estimate or None
        Electrons per ADU; None where there are not enough frames or good pixels, or the levels lie too close.
    """
    low, high = _blocks_of_pairs(faint, scaled=False), _blocks_of_pairs(bright, scaled=False)
    if len(low) < BLOCKS_AT_LEAST or len(high) < BLOCKS_AT_LEAST:
        return None
    level = [float(np.median(blocks[:, 0])) for blocks in (low, high)]
    variance = [_typical(blocks[:, 2] / 2) for blocks in (low, high)]
    more = variance[1].value - variance[0].value
    if level[1] <= level[0] or more < LIGHT_AT_LEAST * variance[0].value:
        return None
    gain = (level[1] - level[0]) / more
    return Estimate(gain, gain * float(np.hypot(variance[0].error, variance[1].error)) / more)


def _typical(values: np.ndarray) -> Estimate:
    middle = float(np.median(values))
    spread = 1.4826 * float(np.median(np.abs(values - middle)))
    return Estimate(middle, float(1.2533 * spread / np.sqrt(len(values))))


def _blocks_of_pairs(frames: Sequence[Frame], *, scaled: bool) -> np.ndarray:
    """Return level, ratio of levels and variance of the difference of each block, shape (blocks, 3).

    Frames are taken two by two, none twice, in the order given: neighbours in time are most alike.
    """
    found = [
        _blocks(frames[k].image, frames[k + 1].image, frames[k].mask, frames[k + 1].mask, scaled)
        for k in range(0, min(len(frames) - 1, 2 * PAIRS - 1), 2)
    ]
    blocks = np.concatenate(found) if found else np.empty((0, 3))
    return blocks[np.isfinite(blocks).all(axis=1)]


@njit(cache=True)
def _blocks(
    first: Float32Array, second: Float32Array, bad_first: Uint16Array, bad_second: Uint16Array, scaled: bool
) -> Float64Array:
    rows, columns = first.shape
    high, wide = max(rows // BLOCK, 1), max(columns // BLOCK, 1)
    out = np.full((high * wide, 3), np.nan)
    values = np.empty((2, BLOCK * BLOCK))
    for block in range(high * wide):
        top, left = (block // wide) * BLOCK, (block % wide) * BLOCK
        count, one, two = 0, 0.0, 0.0
        for i in range(top, min(top + BLOCK, rows)):
            for j in range(left, min(left + BLOCK, columns)):
                if bad_first[i, j] == 0 and bad_second[i, j] == 0:
                    values[0, count], values[1, count] = first[i, j], second[i, j]
                    one += values[0, count]
                    two += values[1, count]
                    count += 1
        if count < PIXELS_AT_LEAST or (scaled and (one <= 0 or two <= 0)):
            continue
        ratio = one / two if scaled else 1.0
        out[block, 0], out[block, 1] = one / count, ratio
        out[block, 2] = _clipped_variance(values, count, ratio)
    return out


@njit(cache=True)
def _clipped_variance(values: Float64Array, count: int, ratio: float) -> float:
    """Return the variance of ``first - ratio second``, what lies far from the mean left out, three times."""
    middle, limit, variance = 0.0, np.inf, np.nan
    for _ in range(4):
        total, squares, kept = 0.0, 0.0, 0
        for k in range(count):
            apart = values[0, k] - ratio * values[1, k] - middle
            if abs(apart) <= limit:
                total += apart
                squares += apart * apart
                kept += 1
        if kept < PIXELS_AT_LEAST:
            return np.nan
        variance = (squares - total * total / kept) / (kept - 1)
        middle += total / kept
        limit = CLIP * np.sqrt(variance)
    return variance
