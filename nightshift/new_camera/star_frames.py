"""A few science frames, looked at: their stars, how wide these are, and where the header says they lie."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from astropy.wcs import WCS

from nightshift.errors import BadInput
from nightshift.ingest.header import read_header
from nightshift.new_camera.raw_files import Progress, RawFile
from nightshift.settings.models import HeaderKeys
from nightshift.vocabulary import ImageType
from reduction.detector.calibrations import Calibrations, DetectorSettings
from reduction.detector.corrections import flag_saturated, mask_invalid, subtract_overscan, trim
from reduction.detector.layout import Layout
from reduction.detector.raw import read_quadrant
from reduction.image.frame import Frame
from reduction.image.mask import FATAL, MaskBit
from reduction.measure.psf import build_psf
from reduction.measure.sources import Background, SourceFlag, Sources, find_sources, measure_background, psf_stars
from reduction.problems import Unusable

__all__ = ["StarFrame", "look_at_stars", "prepared"]

LOOKED_AT = 8  # frames
STEPS = 6  # of the telescope, whose frames are looked at too
STEP_DEG = (0.004, 0.3)  # of a step that frames may have stars in common in spite of
MESH_PX, SIGMA = 64, 8.0
HOT_SIGMA = 20.0  # of a dark's own noise: no star is believed there


Pointed = tuple[float | None, float | None]  # right ascension and declination, degrees


@dataclass(frozen=True)
class StarFrame:
    """A science frame with its stars.

    Parameters
    ----------
    x, y : ndarray of float
        Trimmed pixels, the brightest first.
    fwhm_px : float
        NaN where no star is good enough.
    sky : float
        Electrons a pixel.
    shape : tuple of int
    wcs : WCS or None
        The header's.
    ra_deg, dec_deg : float or None
        The pointing.
    """

    x: np.ndarray
    y: np.ndarray
    fwhm_px: float
    sky: float
    shape: tuple[int, int]
    wcs: WCS | None
    ra_deg: float | None
    dec_deg: float | None


def prepared(file: RawFile, layout: Layout) -> Frame:
    """Return a frame with the overscan taken out and trimmed, in ADU, saturated pixels flagged.

    Raises
    ------
    Unusable
        Where its pixels do not read.
    """
    frame, layout = read_quadrant(file.path, layout)
    settings = DetectorSettings(layout, 0.0)
    for step in (flag_saturated, subtract_overscan, trim, mask_invalid):
        frame = step(frame, Calibrations(), settings)
    return frame


def look_at_stars(
    science: Sequence[RawFile], layout: Layout, dark: np.ndarray | None, keys: HeaderKeys, progress: Progress
) -> list[StarFrame]:
    """Find the stars of some science frames.

    Parameters
    ----------
    science : sequence of RawFile
        In order of time, as is what is returned.
    layout : Layout
    dark : ndarray or None
        What the detector shows without light, ADU: it is taken out.
    keys : HeaderKeys
        Of the pointing.
    """
    chosen = _chosen(science, keys)
    number = len(chosen)
    found = []
    for k, file in enumerate(chosen, start=1):
        progress(f"looking for stars: frame {k} of {number}")
        try:
            found.append(_stars_of(file, layout, dark, keys))
        except Unusable:
            continue
    return found


def _chosen(science: Sequence[RawFile], keys: HeaderKeys) -> list[RawFile]:
    """Return frames spread over all, and those before and after the telescope moved a little."""
    spread = {round(k) for k in np.linspace(0, len(science) - 1, min(LOOKED_AT, len(science)))}
    places = [_pointing(file, keys) for file in science]
    moved = [k for k in range(len(science) - 1) if STEP_DEG[0] < _apart_deg(places[k], places[k + 1]) < STEP_DEG[1]]
    beside = {place for k in moved[:STEPS] for place in (k, k + 1)}
    return [science[k] for k in sorted(spread | beside)]


def _apart_deg(one: Pointed, other: Pointed) -> float:
    """Return the larger of the differences of two pointings, NaN where one is not known."""
    if one[0] is None or one[1] is None or other[0] is None or other[1] is None:
        return float("nan")
    return max(abs(one[0] - other[0]) * float(np.cos(np.radians(one[1]))), abs(one[1] - other[1]))


def _stars_of(file: RawFile, layout: Layout, dark: np.ndarray | None, keys: HeaderKeys) -> StarFrame:
    frame = prepared(file, layout)
    if dark is not None and dark.shape == frame.shape:
        frame = replace(frame, image=frame.image - dark.astype(np.float32), mask=_hot(frame.mask, dark))
    frame = replace(frame, image=frame.image * np.float32(layout.gain))
    background = measure_background(frame, mesh_px=MESH_PX)
    image = frame.image - background.level
    sources = find_sources(image, background, frame.mask, sigma=SIGMA)
    fwhm = _fwhm_px(image, frame.mask, background, sources)
    good = (sources.flags & (SourceFlag.SATURATED | SourceFlag.BAD_PIXELS)) == 0
    ra, dec = _pointing(file, keys)
    return StarFrame(sources.x[good], sources.y[good], fwhm, background.median, frame.shape, frame.wcs, ra, dec)


def _fwhm_px(image: np.ndarray, mask: np.ndarray, background: Background, sources: Sources) -> float:
    """Return how wide the PSF is, as the reduction measures it; NaN where no star can stand for it."""
    chosen, fwhm = psf_stars(sources, background)
    if not len(chosen):
        return float("nan")
    bad = (mask & np.uint16(FATAL)) != 0
    noise2 = background.variance + np.maximum(image, 0)
    psf = build_psf(image, noise2, bad, sources.x[chosen], sources.y[chosen], fwhm=fwhm)
    return float("nan") if psf is None else psf.fwhm()


def _hot(mask: np.ndarray, dark: np.ndarray) -> np.ndarray:
    """Return the mask with the pixels that are bright without light."""
    middle = np.median(dark)
    scatter = 1.4826 * np.median(np.abs(dark - middle)) + 1.0
    flagged = mask.copy()
    flagged[dark > middle + HOT_SIGMA * scatter] |= np.uint16(MaskBit.DEAD)
    return flagged


def _pointing(file: RawFile, keys: HeaderKeys) -> Pointed:
    whole = {**file.header, "DATE-OBS": "2000-01-01T00:00:00", "EXPTIME": 0.0}
    try:
        header = read_header(whole, keys, ImageType.ENGINEERING)
    except BadInput:
        return None, None
    return header.ra_deg, header.dec_deg
