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
from reduction.image.mask import MaskBit
from reduction.measure.sources import SourceFlag, find_sources, measure_background, psf_stars
from reduction.problems import Unusable

__all__ = ["StarFrame", "look_at_stars", "prepared"]

LOOKED_AT = 8  # frames
MESH_PX, SIGMA = 64, 8.0
HOT_SIGMA = 20.0  # of a dark's own noise: no star is believed there


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
    """Find the stars of some science frames, spread over all of them.

    Parameters
    ----------
    science : sequence of RawFile
    layout : Layout
    dark : ndarray or None
        What the detector shows without light, ADU: it is taken out.
    keys : HeaderKeys
        Of the pointing.
    """
    number = min(LOOKED_AT, len(science))
    chosen = [science[round(k)] for k in np.linspace(0, len(science) - 1, number)] if number else []
    found = []
    for k, file in enumerate(chosen, start=1):
        progress(f"looking for stars: frame {k} of {number}")
        try:
            found.append(_stars_of(file, layout, dark, keys))
        except Unusable:
            continue
    return found


def _stars_of(file: RawFile, layout: Layout, dark: np.ndarray | None, keys: HeaderKeys) -> StarFrame:
    frame = prepared(file, layout)
    if dark is not None and dark.shape == frame.shape:
        frame = replace(frame, image=frame.image - dark.astype(np.float32), mask=_hot(frame.mask, dark))
    frame = replace(frame, image=frame.image * np.float32(layout.gain))
    background = measure_background(frame, mesh_px=MESH_PX)
    sources = find_sources(frame.image - background.level, background, frame.mask, sigma=SIGMA)
    _, fwhm = psf_stars(sources, background)
    good = (sources.flags & (SourceFlag.SATURATED | SourceFlag.BAD_PIXELS)) == 0
    ra, dec = _pointing(file, keys)
    return StarFrame(sources.x[good], sources.y[good], fwhm, background.median, frame.shape, frame.wcs, ra, dec)


def _hot(mask: np.ndarray, dark: np.ndarray) -> np.ndarray:
    """Return the mask with the pixels that are bright without light."""
    middle = np.median(dark)
    scatter = 1.4826 * np.median(np.abs(dark - middle)) + 1.0
    flagged = mask.copy()
    flagged[dark > middle + HOT_SIGMA * scatter] |= np.uint16(MaskBit.DEAD)
    return flagged


def _pointing(file: RawFile, keys: HeaderKeys) -> tuple[float | None, float | None]:
    whole = {**file.header, "DATE-OBS": "2000-01-01T00:00:00", "EXPTIME": 0.0}
    try:
        header = read_header(whole, keys, ImageType.ENGINEERING)
    except BadInput:
        return None, None
    return header.ra_deg, header.dec_deg
