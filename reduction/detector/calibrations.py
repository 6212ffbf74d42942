"""What the steps of a calibration are told beside the frame itself."""

from dataclasses import dataclass

import numpy as np

from reduction.detector.layout import Layout
from reduction.image.frame import Frame

__all__ = ["Aggressor", "Calibrations", "DetectorSettings"]


@dataclass(frozen=True)
class Aggressor:
    """What another amplifier saw, pixel by pixel at the moment of this one's.

    Parameters
    ----------
    image : ndarray of float32, shape (rows, columns)
        ADU above the overscan; pixels that have no value are 0.
    coefficient : float
    """

    image: np.ndarray
    coefficient: float


@dataclass(frozen=True)
class Calibrations:
    """What is known of one quadrant beside its own pixels.

    Parameters
    ----------
    bias, dark, flat : Frame or None
        The masters; None where there is none.
    bad_pixels : ndarray of uint16, shape of the trimmed image, or None
        Bits of pixels that are known to be bad.
    aggressors : tuple of Aggressor
        What the amplifiers saw that this one hears, of this very exposure.
    """

    bias: Frame | None = None
    dark: Frame | None = None
    flat: Frame | None = None
    bad_pixels: np.ndarray | None = None
    aggressors: tuple[Aggressor, ...] = ()


@dataclass(frozen=True)
class DetectorSettings:
    """What the steps must know of one exposure's quadrant.

    Parameters
    ----------
    layout : Layout
        As `reduction.detector.raw.read_quadrant` returned it.
    exposure_s : float
    mask_edge_px : int
        Rows and columns at the edge not to use.
    cosmic_ray_sigma : float
    """

    layout: Layout
    exposure_s: float
    mask_edge_px: int = 0
    cosmic_ray_sigma: float = 5.0
