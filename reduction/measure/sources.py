"""Background, sources, and which of them can stand for the PSF."""

from dataclasses import dataclass
from enum import IntFlag
from itertools import pairwise

import numpy as np
import sep

from reduction.image.frame import Frame
from reduction.image.mask import FATAL, MaskBit
from reduction.problems import Problem, Unusable

__all__ = ["Background", "SourceFlag", "Sources", "find_sources", "measure_background", "psf_stars"]

SOURCES_AT_MOST = 200_000
# sep holds each detection against all others, so that a crowded image is searched band by band
PIXELS_OF_A_BAND = 50_000  # above the threshold; some 3,000 sources
LEAST_BAND, MARGIN = 256, 64  # rows of a band, and beside it; more where a source of the band reaches farther
MARGIN_AT_MOST = 4 * MARGIN  # for a saturated source, which may bleed along a whole column


class SourceFlag(IntFlag):
    """What is wrong with a source, 0 where nothing is."""

    BLENDED = 1 << 0  # touches another
    SATURATED = 1 << 1  # holds a saturated pixel
    BAD_PIXELS = 1 << 2  # a flagged pixel within its core
    AT_EDGE = 1 << 3  # its stamp leaves the image
    NOT_FITTED = 1 << 4  # the PSF did not settle; the flux is at the detected position


@dataclass(frozen=True)
class Background:
    """The sky of an image.

    Parameters
    ----------
    level : ndarray of float32, shape (rows, columns)
        Electrons.
    variance : ndarray of float32, same shape
        Noise of an empty pixel, squared.
    median, rms : float
        Over the image.
    """

    level: np.ndarray
    variance: np.ndarray
    median: float
    rms: float


@dataclass(frozen=True)
class Sources:
    """Detected sources, brightest first; arrays of one length.

    Positions are 0-based pixels; `flux` is isophotal, in electrons; `a` and `b` are rms axes in pixels.
    """

    x: np.ndarray
    y: np.ndarray
    flux: np.ndarray
    peak: np.ndarray
    a: np.ndarray
    b: np.ndarray
    flags: np.ndarray

    def __len__(self) -> int:
        return len(self.x)


def measure_background(frame: Frame, *, mesh_px: int) -> Background:
    """Measure the sky on a mesh, flagged pixels left out (Bertin & Arnouts 1996, as `sep` has it).

    Parameters
    ----------
    frame : Frame
        Electrons, sky included, with variance.
    mesh_px : int
        Size of a mesh cell.

    Raises
    ------
    Unusable
        Where no pixel is left to measure: ``saturated``, ``unreadable_file`` or, where masters or the mask of bad
        pixels flag them, ``calibration_missing``.
    """
    bad = (frame.mask & np.uint16(FATAL)) != 0
    if bad.all():
        raise _no_pixel_left(frame.mask)
    mesh = max(8, min(mesh_px, *frame.shape))
    image = np.ascontiguousarray(frame.image, dtype=np.float32)
    measured = sep.Background(image, mask=bad, bw=mesh, bh=mesh, fw=3, fh=3)
    level = measured.back(dtype=np.float32)
    read_noise2 = np.float32(float(frame.header.get("RDNOISE", 0.0)) ** 2 + 1e-3)
    if frame.variance is None:
        variance = measured.rms(dtype=np.float32) ** 2
    else:
        variance = frame.variance * (np.maximum(level, 0) + read_noise2) / (np.maximum(image, 0) + read_noise2)
    return Background(level, variance, float(measured.globalback), float(measured.globalrms))


def _no_pixel_left(mask: np.ndarray) -> Unusable:
    for bits, cause, what in (
        (MaskBit.SATURATED | MaskBit.SPILLAGE, Problem.SATURATED, "are saturated"),
        (MaskBit.NAN, Problem.UNREADABLE_FILE, "have no value"),
    ):
        if ((mask & np.uint16(bits)) != 0).mean() > 0.5:
            return Unusable(cause, f"no pixel is left to measure: most {what}")
    return Unusable(Problem.CALIBRATION_MISSING, "no pixel is left to measure: masters or known bad pixels flag most")


def find_sources(image: np.ndarray, background: Background, mask: np.ndarray, *, sigma: float) -> Sources:
    """Find sources above the noise.

    Parameters
    ----------
    image : ndarray of float32, shape (rows, columns)
        Background subtracted.
    background : Background
    mask : ndarray of uint16
        Saturated pixels stay in, so that a saturated star is one (flagged) source; other fatal ones are left out.
    sigma : float
        Threshold above the noise of the smoothed image.
    """
    hidden = (mask & np.uint16(FATAL & ~(MaskBit.SATURATED | MaskBit.SPILLAGE | MaskBit.SPIKE))) != 0
    image = np.ascontiguousarray(image, dtype=np.float32)
    noise = np.sqrt(background.variance)
    sep.set_extract_pixstack(max(300_000, image.size // 4))
    sep.set_sub_object_limit(8192)
    try:
        table = _extract(image, sigma, noise, hidden, (mask & np.uint16(MaskBit.SATURATED | MaskBit.SPILLAGE)) != 0)
    except Exception as error:  # sep raises bare Exception where its stacks overflow
        raise Unusable(
            Problem.BACKGROUND_TOO_HIGH, f"the image is too full to tell sources apart: {error}"
        ) from error
    table = table[np.isfinite(table["x"]) & np.isfinite(table["y"]) & (table["flux"] > 0)]
    table = table[np.argsort(-table["flux"], kind="stable")][:SOURCES_AT_MOST]
    flags = np.where(table["flag"] & 3, SourceFlag.BLENDED, 0).astype(np.int32)
    x, y, flux, peak, a, b = (np.asarray(table[name], dtype=float) for name in ("x", "y", "flux", "peak", "a", "b"))
    return Sources(x, y, flux, peak, a, b, flags | _pixel_flags(x, y, mask))


def _extract(
    image: np.ndarray, sigma: float, noise: np.ndarray, hidden: np.ndarray, saturated: np.ndarray
) -> np.ndarray:
    """Return sep's table of an image; where it is crowded, put together from bands of rows.

    A band is searched with a margin, wide enough that no source which reaches into the band is cut: except one whose
    brightest pixel is saturated. It may bleed along a whole column, which would make one band of the whole image; so
    it is found in parts where it is longer than the widest margin.
    """
    rows, crowd = len(image), int(np.count_nonzero(image > sigma * noise))
    number = max(1, min(-(-crowd // PIXELS_OF_A_BAND), rows // LEAST_BAND))
    edges = np.linspace(0, rows, number + 1).astype(int)
    parts = []
    for top, bottom in pairwise(edges):
        margin, cut = MARGIN, np.array(True)
        while cut.any():
            low, high = max(top - margin, 0), min(bottom + margin, rows)
            part: np.ndarray = sep.extract(
                image[low:high], sigma, err=noise[low:high], mask=hidden[low:high], minarea=4, deblend_cont=0.005,
                deblend_nthresh=16,
            )  # fmt: skip
            if high - low == rows:
                return part  # of the whole image
            reaching = (part["ymax"] + low >= top) & (part["ymin"] + low < bottom)
            ends = ((part["ymin"] == 0) & (low > 0)) | ((part["ymax"] == high - low - 1) & (high < rows))
            cut = reaching & ends
            if margin >= MARGIN_AT_MOST:
                cut &= ~saturated[low + part["ypeak"], part["xpeak"]]
            margin *= 2
        part["y"] += low
        own = (np.round(part["y"]) >= top) & (np.round(part["y"]) < bottom)
        parts.append(part[own])
    return np.concatenate(parts)


def _pixel_flags(x: np.ndarray, y: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Return the flags that the mask gives to each source: in 5x5 around its centre."""
    rows, columns = mask.shape
    flags = np.zeros(len(x), dtype=np.int32)
    row, column = np.round(y).astype(int), np.round(x).astype(int)
    full = np.uint16(MaskBit.SATURATED | MaskBit.SPILLAGE)
    for dy in range(-2, 3):
        for dx in range(-2, 3):
            bits = mask[np.clip(row + dy, 0, rows - 1), np.clip(column + dx, 0, columns - 1)]
            flags[(bits & full) != 0] |= SourceFlag.SATURATED
            flags[(bits & np.uint16(FATAL) & ~full) != 0] |= SourceFlag.BAD_PIXELS
    margin = 5
    edge = (x < margin) | (y < margin) | (x > columns - 1 - margin) | (y > rows - 1 - margin)
    flags[edge] |= SourceFlag.AT_EDGE
    return flags


def psf_stars(sources: Sources, background: Background, *, at_most: int = 120) -> tuple[np.ndarray, float]:
    """Choose isolated, unsaturated stars of the common width.

    Returns
    -------
    chosen : ndarray of int
        Indices of `sources`, brightest first.
    fwhm : float
        First guess in pixels; NaN where there is nothing to guess from.
    """
    width = 2.3548 * np.sqrt(sources.a * sources.b)
    noise = np.sqrt(max(float(np.median(background.variance[::8, ::8])), 1e-6))
    snr = sources.flux / (noise * np.sqrt(12.0) + np.sqrt(sources.flux))
    usable = ((sources.flags & ~SourceFlag.BLENDED) == 0) & (snr > 15) & (sources.b > 0.3)
    if not usable.any():
        usable = ((sources.flags & ~SourceFlag.BLENDED) == 0) & (snr > 5) & (sources.b > 0.3)
    if not usable.any():
        return np.empty(0, dtype=int), float("nan")
    bright = np.flatnonzero(usable)[: 3 * at_most]
    fwhm = _common_width(width[bright])
    same = bright[np.abs(np.log(width[bright] / fwhm)) < 0.25]
    chosen = same[_isolated(sources, same, 5 * fwhm)]
    if len(chosen) < 5:
        chosen = same
    return chosen[:at_most], fwhm


def _common_width(width: np.ndarray) -> float:
    """Return the width where most sources lie: the median of the half of them that lie closest together."""
    ordered = np.sort(np.log(width))
    half = max(1, (len(ordered) + 1) // 2)
    spans = ordered[half - 1 :] - ordered[: len(ordered) - half + 1]
    start = int(np.argmin(spans))
    return float(np.exp(np.median(ordered[start : start + half])))


def _isolated(sources: Sources, chosen: np.ndarray, radius: float) -> np.ndarray:
    """Return which of the chosen have no neighbour of more than 3% of their flux within the radius."""
    alone = np.ones(len(chosen), dtype=bool)
    for k, i in enumerate(chosen):
        near = (sources.x - sources.x[i]) ** 2 + (sources.y - sources.y[i]) ** 2 <= radius**2
        near[i] = False
        alone[k] = not (sources.flux[near] >= 0.03 * sources.flux[i]).any()
    return alone
