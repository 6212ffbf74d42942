"""Find cosmic rays in one image, after van Dokkum (2001, PASP 113, 1420).

A hit has edges sharper than the PSF allows: a sub-sampled Laplacian sees them against the noise, and the fine
structure (what a star's core leaves between two medians) tells a hit from the core of a star. Only pixels whose
Laplacian is large are looked at with medians, which makes the method fast; the noise of a pixel is that of its
surroundings, because a hit is no source of sky photons.
"""

from dataclasses import replace

import numpy as np
from numba import njit

from reduction.array_types import BoolArray, Float32Array, Int32Array, Uint8Array
from reduction.detector.calibrations import Calibrations, DetectorSettings
from reduction.image.frame import Frame
from reduction.image.mask import FATAL, MaskBit, grown
from reduction.image.median import median_of

__all__ = ["find_cosmic_rays", "reject_cosmic_rays"]

CONTRAST = 4.0  # Laplacian against fine structure; a star core of FWHM 1.8 px reaches about 1.5
DOUBTFUL = 12.0  # below this the core of a star of FWHM 1.1 px may be meant: its surroundings decide
SHARPEST = 7.0  # the contrast of a star's core at FWHM 1.2 px
SURROUNDINGS = 0.10  # of the peak, in the five faintest of eight neighbours: a star's light goes all around
SHARP, SHARP_FROM, PEAK = 0.40, 10, 30.0  # beside bright peaks (sigma), of the peak: FWHM 1.6 px; peaks that say so
NEIGHBOUR = 0.35  # of the threshold, for pixels beside a hit
ITERATIONS = 4


def reject_cosmic_rays(frame: Frame, calibrations: Calibrations, settings: DetectorSettings) -> Frame:
    """Flag the pixels that cosmic rays hit (``SPIKE``) and put the median of their neighbours in their place."""
    if frame.variance is None:
        raise ValueError("cosmic rays are told from noise: apply the gain first")
    read_noise = settings.layout.read_noise
    clean, hits = find_cosmic_rays(
        frame.image, frame.variance, frame.mask, sigma=settings.cosmic_ray_sigma, read_noise=read_noise
    )
    mask = frame.mask.copy()
    mask[hits] |= np.uint16(MaskBit.SPIKE)
    variance = np.where(hits, np.maximum(clean, 0) + np.float32(read_noise**2), frame.variance)
    header = {**frame.header, "NCOSMIC": int(hits.sum())}
    return replace(frame, image=clean, variance=variance, mask=mask, header=header)


def find_cosmic_rays(
    image: np.ndarray, variance: np.ndarray, mask: np.ndarray, *, sigma: float, read_noise: float
) -> tuple[np.ndarray, np.ndarray]:
    """Find cosmic rays.

    Parameters
    ----------
    image, variance : ndarray of float32, shape (rows, columns)
        Electrons, sky included.
    mask : ndarray of uint16, same shape
        Pixels with a fatal bit are neither judged nor believed.
    sigma : float
        Threshold of the Laplacian against the noise.
    read_noise : float
        Electrons.

    Returns
    -------
    clean : ndarray of float32
        The image with the median of good neighbours in the place of hits.
    hits : ndarray of bool
    """
    image = np.ascontiguousarray(image, dtype=np.float32)
    variance = np.ascontiguousarray(variance, dtype=np.float32)
    bad = (mask & np.uint16(FATAL)) != 0
    untouchable = bad
    full = (mask & np.uint16(MaskBit.SATURATED | MaskBit.SPILLAGE)) != 0
    if full.any():
        untouchable = bad | grown(full, 2)
    typical = np.sort(variance[::17, ::13], axis=None)
    floor = float(typical[len(typical) // 5])
    found = _search(
        image, variance, bad, untouchable, np.float32(sigma), np.float32(read_noise**2), np.float32(floor)
    )
    hits = found.astype(bool)
    return _replaced(image, hits, bad), hits


@njit(cache=True)
def _box_median(image: Float32Array, row: int, column: int, half: int, scratch: Float32Array) -> np.float32:
    """Return the median of the box around a pixel, cut at the image's edge."""
    count = 0
    for i in range(max(row - half, 0), min(row + half + 1, image.shape[0])):
        for j in range(max(column - half, 0), min(column + half + 1, image.shape[1])):
            scratch[count] = image[i, j]
            count += 1
    return median_of(scratch, count)


@njit(cache=True)
def _good_median(
    image: Float32Array, row: int, column: int, half: int, hit: Uint8Array | BoolArray, bad: BoolArray,
    scratch: Float32Array,
) -> np.float32:  # fmt: skip
    """Return the median of a box's good pixels, or NaN where it has none."""
    count = 0
    for i in range(max(row - half, 0), min(row + half + 1, image.shape[0])):
        for j in range(max(column - half, 0), min(column + half + 1, image.shape[1])):
            if not hit[i, j] and not bad[i, j]:
                scratch[count] = image[i, j]
                count += 1
    return median_of(scratch, count) if count else np.float32(np.nan)


@njit(cache=True)
def _laplacian(work: Float32Array, row: int, column: int) -> np.float32:
    """Return half the Laplacian of the pixel's four quarters, negative ones cut off, averaged."""
    twice = np.float32(2) * work[row, column]
    left, right = work[row, column - 1], work[row, column + 1]
    down, up = work[row - 1, column], work[row + 1, column]
    zero = np.float32(0)
    total: np.float32 = max(twice - left - down, zero) + max(twice - left - up, zero)
    total += max(twice - right - down, zero) + max(twice - right - up, zero)
    return np.float32(0.125) * total


@njit(cache=True)
def _all_laplacians(work: Float32Array, out: Float32Array) -> None:
    for i in range(1, work.shape[0] - 1):
        for j in range(1, work.shape[1] - 1):
            out[i, j] = _laplacian(work, i, j)


@njit(cache=True)
def _noise2(
    work: Float32Array, variance: Float32Array, row: int, column: int, read_noise2: np.float32, scratch: Float32Array
) -> np.float32:
    """Return the variance that the pixel would have at the level of its surroundings."""
    level = max(_box_median(work, row, column, 2, scratch), np.float32(0))
    own = max(work[row, column], np.float32(0))
    noise2: np.float32 = variance[row, column] * (level + read_noise2) / (own + read_noise2)
    return noise2


@njit(cache=True)
def _significance(
    work: Float32Array, laplacian: Float32Array, variance: Float32Array, row: int, column: int,
    read_noise2: np.float32, scratch: Float32Array,
) -> tuple[np.float32, np.float32]:  # fmt: skip
    """Return the Laplacian against noise, less its surroundings' median, and the noise."""
    noise = np.sqrt(_noise2(work, variance, row, column, read_noise2, scratch))
    smooth = _box_median(laplacian, row, column, 2, scratch)
    return (laplacian[row, column] - smooth) / noise, noise


@njit(cache=True)
def _is_lost_in_noise(
    work: Float32Array, laplacian: Float32Array, variance: Float32Array, row: int, column: int,
    read_noise2: np.float32, sigma: np.float32,
) -> bool:  # fmt: skip
    """Tell without a median whether a pixel's significance cannot exceed `sigma`, as for most it cannot.

    The surroundings would have to be fainter than a level at which the Laplacian stands out; their median is not
    where half of them are brighter.
    """
    if row < 2 or column < 2 or row >= work.shape[0] - 2 or column >= work.shape[1] - 2:
        return False
    share = (max(work[row, column], np.float32(0)) + read_noise2) / variance[row, column]
    level = np.float32(1.001) * (laplacian[row, column] / sigma) ** 2 * share - read_noise2
    if level <= 0:
        return True
    fainter = 0
    for i in range(row - 2, row + 3):
        for j in range(column - 2, column + 3):
            fainter += work[i, j] < level
    return fainter <= 12


@njit(cache=True)
def _fine_structure(
    work: Float32Array, row: int, column: int, scratch: Float32Array, medians: Float32Array
) -> np.float32:
    """Return the median of 3x3 less the median of 7x7 of such medians: what a star's core leaves."""
    count = 0
    own = np.float32(0)
    for i in range(max(row - 3, 0), min(row + 4, work.shape[0])):
        for j in range(max(column - 3, 0), min(column + 4, work.shape[1])):
            medians[count] = _box_median(work, i, j, 1, scratch)
            if i == row and j == column:
                own = medians[count]
            count += 1
    return own - median_of(medians, count)


@njit(cache=True)
def _is_core(work: Float32Array, row: int, column: int, noise: np.float32, scratch: Float32Array) -> bool:
    """Return whether light lies all around the pixel, as it does around a star's centre and not around a hit."""
    level = _box_median(work, row, column, 3, scratch)
    count = 0
    for i in range(row - 1, row + 2):
        for j in range(column - 1, column + 2):
            if i != row or j != column:
                scratch[count] = work[i, j] - level
                count += 1
    median_of(scratch, count)  # sorts
    faint = scratch[0] + scratch[1] + scratch[2] + scratch[3] + scratch[4]
    peak = work[row, column] - level
    return bool(faint > max(np.float32(SURROUNDINGS) * peak, np.float32(2.0) * noise))


@njit(cache=True)
def _sharp(work: Float32Array, untouchable: BoolArray, queue: Int32Array, least: float) -> bool:
    """Return whether bright peaks have little beside them: the stars are too sharp for their corners to be judged."""
    ratios = np.empty(len(queue), np.float32)
    count = 0
    for k in range(len(queue)):
        i, j = queue[k, 0], queue[k, 1]
        peak = work[i, j]
        beside = work[i - 1, j] + work[i + 1, j] + work[i, j - 1] + work[i, j + 1]
        corners = min(min(work[i - 1, j - 1], work[i - 1, j + 1]), min(work[i + 1, j - 1], work[i + 1, j + 1]))
        highest = max(max(work[i - 1, j], work[i + 1, j]), max(work[i, j - 1], work[i, j + 1]))
        if highest > peak or peak - corners < least:
            continue
        ratios[count] = (np.float32(0.25) * beside - corners) / (peak - corners)
        count += 1
    return count >= SHARP_FROM and bool(np.median(ratios[:count]) < SHARP)


@njit(cache=True)
def _is_beside_core(
    work: Float32Array, laplacian: Float32Array, variance: Float32Array, row: int, column: int,
    read_noise2: np.float32, scratch: Float32Array, medians: Float32Array,
) -> bool:  # fmt: skip
    """Return whether the brightest pixel beside is a star's core: the corners of a sharp star look like hits."""
    i, j = row, column
    for k in range(max(row - 1, 1), min(row + 2, work.shape[0] - 1)):
        for m in range(max(column - 1, 1), min(column + 2, work.shape[1] - 1)):
            if work[k, m] > work[i, j]:
                i, j = k, m
    if i == row and j == column:
        return False
    significance, noise = _significance(work, laplacian, variance, i, j, read_noise2, scratch)
    fine = max(_fine_structure(work, i, j, scratch, medians), np.float32(0.01) * noise)
    return bool(significance * noise / fine < SHARPEST) and _is_core(work, i, j, noise, scratch)


@njit(cache=True)
def _search(
    image: Float32Array, variance: Float32Array, bad: BoolArray, untouchable: BoolArray, sigma: np.float32,
    read_noise2: np.float32, floor: np.float32,
) -> Uint8Array:  # fmt: skip
    rows, columns = image.shape
    scratch, medians = np.empty(64, np.float32), np.empty(64, np.float32)
    hit = np.zeros((rows, columns), np.uint8)
    work = image.copy()
    for i in range(rows):
        for j in range(columns):
            if bad[i, j]:
                value = _good_median(image, i, j, 2, hit, bad, scratch)
                if not np.isnan(value):
                    work[i, j] = value
    laplacian = np.zeros((rows, columns), np.float32)
    _all_laplacians(work, laplacian)
    least = sigma * np.sqrt(floor) * np.float32(0.7)
    queued, sharp = np.zeros((rows, columns), np.uint8), False
    queue = np.empty((2, 0), np.int32)
    for iteration in range(ITERATIONS):
        if iteration == 0:
            queue = _candidates(laplacian, untouchable, least)
            sharp = _sharp(work, untouchable, queue, PEAK * np.sqrt(floor))
        fresh = _judge(
            work, laplacian, variance, untouchable, hit, queue, sigma, read_noise2, sharp, scratch, medians
        )
        if len(fresh) == 0:
            break
        for k in range(len(fresh)):
            i, j = fresh[k, 0], fresh[k, 1]
            value = _good_median(image, i, j, 2, hit, bad, scratch)
            if not np.isnan(value):
                work[i, j] = value
        queue = _refresh(work, laplacian, untouchable, hit, fresh, queued, least)
    return hit


@njit(cache=True)
def _candidates(laplacian: Float32Array, untouchable: BoolArray, least: np.float32) -> Int32Array:
    count = 0
    for i in range(1, laplacian.shape[0] - 1):
        for j in range(1, laplacian.shape[1] - 1):
            if laplacian[i, j] > least:
                count += 1
    queue = np.empty((count, 2), np.int32)
    count = 0
    for i in range(1, laplacian.shape[0] - 1):
        for j in range(1, laplacian.shape[1] - 1):
            if laplacian[i, j] > least and not untouchable[i, j]:
                queue[count, 0], queue[count, 1] = i, j
                count += 1
    return queue[:count]


@njit(cache=True)
def _judge(
    work: Float32Array, laplacian: Float32Array, variance: Float32Array, untouchable: BoolArray, hit: Uint8Array,
    queue: Int32Array, sigma: np.float32, read_noise2: np.float32, sharp: bool, scratch: Float32Array,
    medians: Float32Array,
) -> Int32Array:  # fmt: skip
    """Flag the hits among the queued pixels, then the pixels beside them that are high too; return all new ones."""
    rows, columns = work.shape
    fresh = np.empty((len(queue) * 9 + 9, 2), np.int32)
    count = 0
    for k in range(len(queue)):
        i, j = queue[k, 0], queue[k, 1]
        if hit[i, j] or _is_lost_in_noise(work, laplacian, variance, i, j, read_noise2, sigma):
            continue
        significance, noise = _significance(work, laplacian, variance, i, j, read_noise2, scratch)
        if significance <= sigma:
            continue
        fine = max(_fine_structure(work, i, j, scratch, medians), np.float32(0.01) * noise)
        contrast = significance * noise / fine
        if contrast <= CONTRAST or (contrast < DOUBTFUL and _is_core(work, i, j, noise, scratch)):
            continue
        if not sharp or not _is_beside_core(work, laplacian, variance, i, j, read_noise2, scratch, medians):
            hit[i, j] = 1
            fresh[count, 0], fresh[count, 1] = i, j
            count += 1
    cores = count
    for k in range(cores):
        for i in range(max(fresh[k, 0] - 1, 1), min(fresh[k, 0] + 2, rows - 1)):
            for j in range(max(fresh[k, 1] - 1, 1), min(fresh[k, 1] + 2, columns - 1)):
                if hit[i, j] or untouchable[i, j]:
                    continue
                significance, _ = _significance(work, laplacian, variance, i, j, read_noise2, scratch)
                if significance > np.float32(NEIGHBOUR) * sigma:
                    hit[i, j] = 1
                    fresh[count, 0], fresh[count, 1] = i, j
                    count += 1
    return fresh[:count]


@njit(cache=True)
def _refresh(
    work: Float32Array, laplacian: Float32Array, untouchable: BoolArray, hit: Uint8Array, fresh: Int32Array,
    queued: Uint8Array, least: np.float32,
) -> Int32Array:  # fmt: skip
    """Work out the Laplacian around the new hits again and return the pixels there that deserve a look."""
    rows, columns = work.shape
    queue = np.empty((len(fresh) * 25, 2), np.int32)
    count = 0
    for k in range(len(fresh)):
        for i in range(max(fresh[k, 0] - 1, 1), min(fresh[k, 0] + 2, rows - 1)):
            for j in range(max(fresh[k, 1] - 1, 1), min(fresh[k, 1] + 2, columns - 1)):
                laplacian[i, j] = _laplacian(work, i, j)
    for k in range(len(fresh)):
        for i in range(max(fresh[k, 0] - 2, 1), min(fresh[k, 0] + 3, rows - 1)):
            for j in range(max(fresh[k, 1] - 2, 1), min(fresh[k, 1] + 3, columns - 1)):
                if queued[i, j] or hit[i, j] or untouchable[i, j] or laplacian[i, j] <= least:
                    continue
                queued[i, j] = 1
                queue[count, 0], queue[count, 1] = i, j
                count += 1
    for k in range(count):
        queued[queue[k, 0], queue[k, 1]] = 0
    return queue[:count]


@njit(cache=True)
def _replaced(image: Float32Array, hit: BoolArray, bad: BoolArray) -> Float32Array:
    """Return the image with the median of good neighbours in the place of each hit."""
    out = image.copy()
    scratch = np.empty(128, np.float32)
    for i in range(image.shape[0]):
        for j in range(image.shape[1]):
            if hit[i, j]:
                value = _good_median(image, i, j, 2, hit, bad, scratch)
                if np.isnan(value):
                    value = _good_median(image, i, j, 5, hit, bad, scratch)
                if not np.isnan(value):
                    out[i, j] = value
    return out
