"""Combine aligned images: scaled to the first one's flux, outliers clipped, weighted.

Members are read one at a time, put on the first one's grid and laid on disk; then all of them are combined band by
band. Memory depends on the size of a member, not on their number.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numba
import numpy as np
from astropy.wcs import WCS

from reduction.array_types import Float32Array, Float64Array, Uint8Array, Uint16Array
from reduction.image.frame import Frame
from reduction.image.mask import FATAL, MaskBit
from reduction.image.median import sort_first
from reduction.image.resample import resample

__all__ = ["Coadd", "combine", "flux_scale"]

_BAND_ROWS = 128
_NAN = int(MaskBit.NAN)


@dataclass(frozen=True)
class Coadd:
    """A combined image.

    Parameters
    ----------
    frame : Frame
        On the grid and at the flux scale of the first member. A pixel without any value is 0 with bit NAN.
    coverage : ndarray of uint8, same shape
        How many members each pixel was made of.
    weights : ndarray of float64, shape (members,)
        Their sum is 1.
    clipped : float
        Share of the values that were left out as outliers.
    """

    frame: Frame
    coverage: np.ndarray
    weights: np.ndarray
    clipped: float


def flux_scale(flux: np.ndarray, other: np.ndarray) -> float:
    """Return the factor that brings one image's fluxes to another's: the median ratio of matched stars.

    Parameters
    ----------
    flux, other : ndarray of float64
        Of the same stars, wanted scale first.
    """
    good = (flux > 0) & (other > 0)
    return float(np.median(flux[good] / other[good])) if good.any() else float("nan")


@numba.njit(cache=True, nogil=True)
def _combine(
    images: Float32Array, variances: Float32Array, masks: Uint16Array, weights: Float64Array, sigma: float,
    slack: float, fatal: int, out: Float32Array, out_variance: Float32Array, out_mask: Uint16Array,
    coverage: Uint8Array,
) -> int:  # fmt: skip
    """Combine a band of stacks; return how many values were clipped. See `combine`."""
    members, rows, columns = images.shape
    values = np.empty(members)
    clipped = 0
    for row in range(rows):
        for column in range(columns):
            count = 0
            bits = 0
            for k in range(members):
                if masks[k, row, column] & fatal:
                    bits |= masks[k, row, column] & fatal
                else:
                    values[count] = images[k, row, column]
                    count += 1
            if count == 0:
                out[row, column] = 0.0
                out_variance[row, column] = 0.0
                out_mask[row, column] = bits | _NAN
                coverage[row, column] = 0
                continue
            sort_first(values, count)
            # of an even number the lower of the two middle ones: a pair with one cosmic ray has it above
            middle = values[(count - 1) // 2]
            total, total_weight, noise = 0.0, 0.0, 0.0
            kept = 0
            for k in range(members):
                if masks[k, row, column] & fatal:
                    continue
                value = images[k, row, column]
                allowed = sigma * np.sqrt(variances[k, row, column]) + slack * abs(middle)
                if count > 1 and abs(value - middle) > allowed and (count > 2 or value > middle):
                    clipped += 1
                    continue
                w = weights[k]
                total += w * value
                total_weight += w
                noise += w * w * variances[k, row, column]
                kept += 1
            if kept == 0:
                total, total_weight, noise, kept = middle, 1.0, variances[0, row, column], 1
            out[row, column] = total / total_weight
            out_variance[row, column] = noise / (total_weight * total_weight)
            out_mask[row, column] = 0
            coverage[row, column] = kept
    return clipped


def combine(
    frames: Sequence[Frame],
    scales: Sequence[float],
    fwhm: Sequence[float],
    *,
    sigma: float = 4.0,
    slack: float = 0.8,
    scratch: Path | None = None,
) -> Coadd:
    """Combine frames of one field.

    Parameters
    ----------
    frames : sequence of Frame
        Background subtracted, with WCS and variance. The first one's grid is that of the result. Each is asked for
        once and let go, so that a sequence which reads them from files holds one at a time.
    scales : sequence of float
        What each is multiplied by to be at the first one's flux scale.
    fwhm : sequence of float
        Of each, in pixels: a sharper frame weighs more.
    sigma : float
        A value further than so many standard deviations from the median of all is left out,
    slack : float
        beyond this share of the median, by which members of different seeing may differ on a star.
    scratch : Path, optional
        Folder for the aligned members, some 10 bytes a pixel and member; the machine's folder for such by default.

    Returns
    -------
    Coadd
        Weights are those of best signal to noise for a faint star: 1 / (variance of the scaled frame x FWHM^2).
    """
    with tempfile.TemporaryFile(dir=scratch, prefix="coadd-") as file:
        weights = np.empty(len(scales))
        for k, (scale, width) in enumerate(zip(scales, fwhm, strict=True)):
            frame = frames[k]
            weights[k] = _weight(frame, scale, width)
            if k == 0:
                wcs, shape = frame.wcs, frame.shape
            else:
                frame = resample(frame, wcs, shape)
            _lay_down(file, frame, scale)
        weights /= weights.sum()
        return _combined(file, wcs, shape, weights, sigma, slack)


_PLANES: tuple[np.dtype, ...] = (
    np.dtype(np.float32),
    np.dtype(np.float32),
    np.dtype(np.uint16),
)  # image, variance, mask


def _lay_down(file: IO[bytes], frame: Frame, scale: float) -> None:
    """Append a member's planes to the file, scaled, its bad values marked."""
    bad = ~np.isfinite(frame.image)
    mask = frame.mask.astype(np.uint16)
    mask[bad] |= np.uint16(_NAN)
    image = frame.image * np.float32(scale)
    image[bad] = 0
    assert frame.variance is not None
    variance = frame.variance * np.float32(scale * scale)
    for plane, kind in zip((image, variance, mask), _PLANES, strict=True):
        file.write(np.ascontiguousarray(plane, kind).data)


def _combined(
    file: IO[bytes], wcs: WCS | None, shape: tuple[int, int], weights: np.ndarray, sigma: float, slack: float
) -> Coadd:
    """Combine what was laid down, band by band."""
    out, variance = np.empty(shape, np.float32), np.empty(shape, np.float32)
    mask, coverage = np.empty(shape, np.uint16), np.empty(shape, np.uint8)
    clipped = 0
    for top in range(0, shape[0], _BAND_ROWS):
        part = np.s_[top : min(top + _BAND_ROWS, shape[0])]
        images, variances, masks = _band(file, shape, len(weights), part)
        clipped += _combine(
            images, variances, masks, weights, sigma, slack, FATAL,
            out[part], variance[part], mask[part], coverage[part],
        )  # fmt: skip
    share = clipped / max(1, int(coverage.sum(dtype=np.int64)) + clipped)
    return Coadd(Frame(out, mask, variance, wcs, {}), coverage, weights, share)


def _band(
    file: IO[bytes], shape: tuple[int, int], members: int, part: slice
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Read some rows of every member's planes."""
    rows, columns = shape
    member_bytes = rows * columns * sum(kind.itemsize for kind in _PLANES)
    planes = tuple(np.empty((members, part.stop - part.start, columns), kind) for kind in _PLANES)
    for k in range(members):
        start = k * member_bytes
        for plane, kind in zip(planes, _PLANES, strict=True):
            file.seek(start + part.start * columns * kind.itemsize)
            file.readinto(plane[k].data)  # type: ignore[attr-defined]
            start += rows * columns * kind.itemsize
    return planes  # type: ignore[return-value]


def _weight(frame: Frame, scale: float, fwhm: float) -> float:
    """Return a frame's weight, before they are made to sum to 1."""
    good = (frame.mask & FATAL) == 0
    if frame.variance is None or not good.any() or not scale > 0:
        return 0.0
    return 1.0 / (float(np.median(frame.variance[good][::7])) * scale**2 * fwhm**2)
