"""Where a detector is full, found at the histogram's end: pixels that cannot go higher pile up there."""

from collections.abc import Sequence

import numpy as np

__all__ = ["full_from"]

TOP = 0.93  # of the brightest value: pixels above it may be the pile
BELOW = 0.75  # of it, down to which they are compared
PILE_AT_LEAST = 16  # pixels of a frame
TIMES = 1.5  # as many as lie below, in a range two and a half times as wide: stars' peaks get ever rarer upwards
OWN_LEVEL = 0.2  # share of a frame's pixels: then they are the frame's level, and no end of anything
LOWEST = 0.05  # share of the pile that may lie below the level
MARGIN = 0.97  # of it: before pixels are full their counts stop being proportional to light


def full_from(images: Sequence[np.ndarray]) -> tuple[float, int] | None:
    """Return the level from which pixels are not to be trusted, and how many pixels of how bright frames show it.

    Parameters
    ----------
    images : sequence of ndarray
        Frames with bright stars, or overexposed ones, as they were read, in ADU.

    Returns
    -------
    (float, int) or None
        The level, ADU, and the number of pixels in the pile; None where no frame shows a pile.
    """
    piles = [pile for image in images if len(pile := _pile(image))]
    if not piles:
        return None
    level = float(np.median([np.quantile(pile, LOWEST) for pile in piles]))
    return MARGIN * level, sum(len(pile) for pile in piles)


def _pile(image: np.ndarray) -> np.ndarray:
    """Return the values of the pixels that are piled up at a frame's end, empty where they trail off."""
    values: np.ndarray = image[np.isfinite(image)]
    if not len(values):
        return values
    bright = values[values > BELOW * values.max()]
    top: np.ndarray = bright[bright > TOP * values.max()]
    others = len(bright) - len(top)
    own_level = len(bright) > OWN_LEVEL * len(values)
    piled = not own_level and len(top) >= PILE_AT_LEAST and len(top) > TIMES * others
    return top if piled else np.empty(0)
