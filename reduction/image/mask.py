"""Mask bits, numbered as ZTF numbers them (survey's supplement), so that its users' tools keep working."""

from enum import IntFlag

import numpy as np

__all__ = ["FATAL", "SOURCES", "MaskBit", "grown"]


class MaskBit(IntFlag):
    """What is known of a pixel."""

    TRACK = 1 << 0  # an aircraft or satellite crossed it
    DETECTED = 1 << 1  # holds a detected source; no defect
    LOW_RESPONSIVITY = 1 << 2
    HIGH_RESPONSIVITY = 1 << 3
    NOISY = 1 << 4
    GHOST = 1 << 5
    SPILLAGE = 1 << 6  # charge bled into it
    SPIKE = 1 << 7  # cosmic ray or other radiation hit
    SATURATED = 1 << 8
    DEAD = 1 << 9
    NAN = 1 << 10  # has no value: outside of the image, or not a number
    PSF_SOURCE = 1 << 11  # holds a source fitted by the PSF; no defect
    HALO = 1 << 12


SOURCES = MaskBit.DETECTED | MaskBit.PSF_SOURCE
FATAL = 6141  # every bit but the two that mark sources: ZTF's fatal template


def grown(pixels: np.ndarray, steps: int = 1) -> np.ndarray:
    """Return chosen pixels and those that lie up to so many steps along rows and columns from one.

    Parameters
    ----------
    pixels : ndarray of bool, shape (rows, columns)
    steps : int
    """
    for _ in range(steps):
        wider = pixels.copy()
        wider[1:] |= pixels[:-1]
        wider[:-1] |= pixels[1:]
        wider[:, 1:] |= pixels[:, :-1]
        wider[:, :-1] |= pixels[:, 1:]
        pixels = wider
    return pixels
