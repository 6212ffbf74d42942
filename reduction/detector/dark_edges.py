<<<<<<<< HEAD:reduction/detector/lit_area.py
"""Which rows and columns of a raw image saw light, told from a bright frame and a bias.

Overscan and the detector's covered rim hold the level of a bias in every frame. The median of a row or column of a
flat, less that of a bias, is near zero there and near the flat's level elsewhere.
"""

from dataclasses import dataclass
========
"""Where on a raw image light falls, by its own edges: for a camera of which no bias is at hand to compare with."""
>>>>>>>> d465ab1 (The section that light reaches, found without a bias, has a name of its own):reduction/detector/dark_edges.py

import numpy as np

from reduction.array_types import Float32Array
from reduction.detector.layout import Section

<<<<<<<< HEAD:reduction/detector/lit_area.py
__all__ = ["LitArea", "find_lit_area"]
========
__all__ = ["lit_section"]
>>>>>>>> d465ab1 (The section that light reaches, found without a bias, has a name of its own):reduction/detector/dark_edges.py

LIT_ABOVE = 0.03  # of the bright frame's level; vignetted corners keep a tenth and more
LEVEL_AT_LEAST = 5.0  # times the scatter of the dark lines' medians: a frame with less light says nothing


<<<<<<<< HEAD:reduction/detector/lit_area.py
@dataclass(frozen=True)
class LitArea:
    """What saw light.
========
def lit_section(image: np.ndarray) -> Section | None:
    """Return the rectangle that light reaches.
>>>>>>>> d465ab1 (The section that light reaches, found without a bias, has a name of its own):reduction/detector/dark_edges.py

    Parameters
    ----------
    rows, columns : ndarray of bool
        One an image row and column: whether it saw light.
    level : float
        Of the light, ADU above the bias.
    """

    rows: np.ndarray
    columns: np.ndarray
    level: float

    @property
    def section(self) -> Section:
        """The smallest rectangle that holds every lit row and column."""
        return Section(_span(self.rows), _span(self.columns))


def find_lit_area(bright: Float32Array, bias: Float32Array) -> LitArea | None:
    """Tell which rows and columns saw light.

    Parameters
    ----------
    bright, bias : ndarray of float32, shape (rows, columns)
        Raw ADU of the same amplifier: a flat, or a frame of much sky, and a bias.

    Returns
    -------
    LitArea or None
        None where the bright frame has too little light to tell.
    """
    light = np.where(np.isfinite(bright) & np.isfinite(bias), bright - bias, 0.0)
    rows, columns = light.shape
    middle = light[rows // 4 : 3 * rows // 4 + 1, columns // 4 : 3 * columns // 4 + 1]
    level = float(np.median(middle))
    scatter = 1.4826 * float(np.median(np.abs(np.diff(middle, axis=1)))) / np.sqrt(2 * middle.shape[0])
    if level <= 0 or level * LIT_ABOVE < LEVEL_AT_LEAST * scatter:
        return None
    by_column = np.median(light[rows // 4 : 3 * rows // 4 + 1], axis=0)
    by_row = np.median(light[:, columns // 4 : 3 * columns // 4 + 1], axis=1)
    return LitArea(by_row > LIT_ABOVE * level, by_column > LIT_ABOVE * level, level)


def _span(lit: np.ndarray) -> tuple[int, int]:
    places = np.flatnonzero(lit)
    return int(places[0]), int(places[-1]) + 1
