"""Where on a raw image light falls, by its own edges: for a camera of which no bias is at hand to compare with."""

import numpy as np

from reduction.detector.layout import Section

__all__ = ["lit_section"]

EDGE = slice(1, 5)  # pixels that say how bright an edge is; the outermost one is often odd
FARTHEST = 0.25  # of the image's width or height: no overscan is wider
LIGHT_AT_LEAST = 20.0  # times the scatter of neighbouring pixels, by which the middle is brighter than a dark edge
LIGHT_SHARE = 0.03  # of the middle's level, at least: a faint sky proves nothing
LIT_ABOVE = 0.02  # of the middle's light: a dark edge has less of it
STEP = 2  # pixels within which the light sets in; a shadow's edge is less sharp
SHARP = 4.0  # times what the light rises by in as many pixels beyond


def lit_section(image: np.ndarray) -> Section | None:
    """Return the rectangle that light reaches.

    Parameters
    ----------
    image : ndarray, shape (rows, columns)
        A flat or another bright frame as it was read, in ADU.

    Returns
    -------
    Section or None
        The whole image where no edge is dark; None where there are no pixels to tell it by.
    """
    columns, rows = _lit(_profile(image, axis=0)), _lit(_profile(image, axis=1))
    return None if columns is None or rows is None else Section(rows, columns)


def _profile(image: np.ndarray, axis: int) -> np.ndarray:
    """Return the median along an axis, over the middle half of it."""
    length = image.shape[axis]
    profile: np.ndarray = np.median(np.take(image, range(length // 4, length - length // 4), axis=axis), axis=axis)
    return profile


def _lit(profile: np.ndarray) -> tuple[int, int] | None:
    """Return where the lit part of a profile begins and ends."""
    if len(profile) < 32 or not np.isfinite(profile).all():
        return None
    quarter = len(profile) // 4
    level = float(np.median(profile[quarter:-quarter]))
    return _dark_pixels(profile, level), len(profile) - _dark_pixels(profile[::-1], level)


def _dark_pixels(profile: np.ndarray, level: float) -> int:
    """Return how many pixels at the beginning of a profile get no light; 0 where it fades softly or not at all."""
    dark = float(np.median(profile[EDGE]))
    scatter = 1.4826 * float(np.median(np.abs(np.diff(profile)))) + 0.1
    light = level - dark
    if light < max(LIGHT_AT_LEAST * scatter, LIGHT_SHARE * level):
        return 0
    bright = np.flatnonzero(profile[: int(FARTHEST * len(profile))] > dark + LIT_ABOVE * light)
    bright = bright[bright >= EDGE.stop]
    if not len(bright):
        return 0
    edge = int(bright[0])
    before, after, beyond = profile[edge - 1], profile[edge + STEP], profile[edge + 2 * STEP]
    return edge if after - before > SHARP * abs(beyond - after) + 3 * scatter else 0
