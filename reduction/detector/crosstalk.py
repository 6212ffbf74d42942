"""Take out what the amplifiers of one detector, which are read at the same moment, hear of each other.

The signals mix on their way from the amplifiers to the converters. So it is taken out after the bias, whose pattern
the readout adds last, and before the linearity is corrected, since each amplifier has bent its own signal before.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numba import njit

from reduction.array_types import Float32Array
from reduction.detector.calibrations import Aggressor, Calibrations, DetectorSettings
from reduction.detector.corrections import mask_invalid, subtract_overscan, trim
from reduction.detector.layout import Layout
from reduction.detector.raw import read_quadrant
from reduction.image.frame import Frame
from reduction.problems import Problem, Unusable

__all__ = ["Coupling", "read_aggressor", "subtract_crosstalk"]


@dataclass(frozen=True)
class Coupling:
    """How much of one amplifier's signal another shows.

    Parameters
    ----------
    source : Layout
        Of the amplifier that is heard; in the same file.
    coefficient : float
        ADU of it for each ADU of the source; negative where it is an undershoot.
    mirrored : str
        ``x``, ``y``, ``xy`` or nothing: the axes along which the source's image, as the file has it, is to be
        mirrored so that pixels which are read at the same moment lie on each other.
    """

    source: Layout
    coefficient: float
    mirrored: str = ""


def read_aggressor(path: Path, coupling: Coupling) -> Aggressor | None:
    """Read the amplifier that is heard from the raw file of the one that hears it.

    Returns
    -------
    Aggressor or None
        None where no pixel, or none of its overscan, has a value: it sent no signal that anybody could have heard.

    Raises
    ------
    Unusable
        Where its image does not read or cannot be corrected: what was heard of it is not known.
    """
    frame, layout = read_quadrant(path, coupling.source)
    settings = DetectorSettings(layout, 0.0)
    try:
        for step in (mask_invalid, subtract_overscan):
            frame = step(frame, Calibrations(), settings)
    except Unusable as error:
        if error.cause != Problem.UNREADABLE_FILE:  # which both say where nothing has a value
            raise
        return None
    frame = trim(frame, Calibrations(), settings)
    along = tuple(axis for axis, name in enumerate("yx") if name in coupling.mirrored)
    return Aggressor(np.ascontiguousarray(np.flip(frame.image, along)), coupling.coefficient)


def subtract_crosstalk(frame: Frame, calibrations: Calibrations, settings: DetectorSettings) -> Frame:
    """Subtract what was heard of the other amplifiers."""
    if not calibrations.aggressors:
        return frame
    image = frame.image.copy()
    for aggressor in calibrations.aggressors:
        if aggressor.image.shape != image.shape:
            raise Unusable(
                Problem.WRONG_SHAPE,
                f"the amplifier that is heard has {aggressor.image.shape} pixels, this {image.shape}",
            )
        _subtract(image, aggressor.image, np.float32(aggressor.coefficient))
    return replace(frame, image=image)


@njit(cache=True)
def _subtract(image: Float32Array, other: Float32Array, coefficient: np.float32) -> None:
    for i in range(image.shape[0]):
        for j in range(image.shape[1]):
            image[i, j] -= coefficient * other[i, j]
