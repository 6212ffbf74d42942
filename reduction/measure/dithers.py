"""Scale and orientation of a camera on the sky from frames that were pointed apart: no catalogue is needed.

Between two frames the stars move over the pixels by what the pointing moved on the sky. Two such steps in different
directions say how large a pixel is, where north is, and whether the image is mirrored.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from reduction.measure.astrometry import commonest_shift

__all__ = ["Orientation", "Step", "orientation", "step_between"]

BRIGHT = 60  # stars that vote
BIN_PX = 3.0
BY_CHANCE = 1e-4  # how often chance would give as many votes for a shift
STRAIGHT = 0.15  # sine of the largest angle between steps, below which they do not tell a mirrored image
BETTER = 3.0  # times less must be left over for one parity than for the other


@dataclass(frozen=True)
class Step:
    """What the pointing and the stars moved by, from one frame to another.

    Parameters
    ----------
    east, north : float
        Of the pointing, arcseconds on the sky.
    x, y : float
        Of the pointing on the first frame, pixels: the stars move the other way.
    """

    east: float
    north: float
    x: float
    y: float


@dataclass(frozen=True)
class Orientation:
    """How a camera sees the sky.

    Parameters
    ----------
    scale_arcsec : float
        Of a pixel.
    rotation_deg : float
        Position angle of the image's y axis, from north through east, -180 to 180.
    parity : int or None
        -1 where east is left when north is up, 1 where it is right; None where all steps go one way.
    apart_arcsec : float
        What the steps leave unexplained, rms.
    """

    scale_arcsec: float
    rotation_deg: float
    parity: int | None
    apart_arcsec: float


def step_between(
    first: tuple[np.ndarray, np.ndarray], second: tuple[np.ndarray, np.ndarray], reach_px: float
) -> tuple[float, float] | None:
    """Return by how many pixels (x, y) the pointing moved from one frame to another.

    Parameters
    ----------
    first, second : pair of ndarray
        x and y of the stars of two frames, brightest first.
    reach_px : float
        The largest step that is looked for.

    Returns
    -------
    (float, float) or None
        None where no step brings more stars onto each other than chance.
    """
    x1, y1, x2, y2 = (values[:BRIGHT] for values in (*first, *second))
    _, chance, shift = commonest_shift(x1[:, None] - x2[None, :], y1[:, None] - y2[None, :], reach_px, BIN_PX)
    return shift if chance < BY_CHANCE else None


def orientation(steps: Sequence[Step]) -> Orientation | None:
    """Return the orientation that explains the steps best; None without a step that is longer than a pixel."""
    steps = [step for step in steps if np.hypot(step.x, step.y) > 2 * BIN_PX]
    if not steps:
        return None
    sky = np.array([complex(step.north, step.east) for step in steps])  # angle: from north through east
    fits = {parity: _fit(sky, np.array([complex(s.y, parity * s.x) for s in steps])) for parity in (-1, 1)}
    left = {parity: apart for parity, (_, apart) in fits.items()}
    better = min(left, key=lambda parity: left[parity])
    known = _spread(sky) > STRAIGHT and left[-better] > BETTER * left[better]
    factor, apart = fits[better if known else -1]
    return Orientation(abs(factor), float(np.degrees(np.angle(factor))), better if known else None, apart)


def _fit(sky: np.ndarray, pixels: np.ndarray) -> tuple[complex, float]:
    """Return the factor (scale and turn) that takes pixels to the sky, and the rms that it leaves."""
    factor = complex(np.vdot(pixels, sky) / np.vdot(pixels, pixels).real)
    return factor, float(np.sqrt(np.mean(np.abs(sky - factor * pixels) ** 2)))


def _spread(sky: np.ndarray) -> float:
    """Return the sine of the largest angle between two steps, whichever way they go."""
    directions = sky / np.maximum(np.abs(sky), 1e-9)
    return float(np.abs(np.outer(directions, directions.conj()).imag).max())
