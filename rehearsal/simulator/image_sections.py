"""FITS sections as half-open 0-based bounds."""

import re

from nightshift.settings import Quadrant

__all__ = ["bounds", "data_bounds", "section_text"]


def bounds(section: str) -> tuple[int, int, int, int]:
    """Return (x0, x1, y0, y1), 0-based, ends excluded, of ``[x1:x2,y1:y2]``."""
    x1, x2, y1, y2 = (int(n) for n in re.findall(r"\d+", section))
    return x1 - 1, x2, y1 - 1, y2


def section_text(x0: int, x1: int, y0: int, y1: int) -> str:
    """Return the FITS section of 0-based bounds, ends excluded."""
    return f"[{x0 + 1}:{x1},{y0 + 1}:{y1}]"


def data_bounds(quadrant: Quadrant) -> tuple[int, int, int, int]:
    """Return the bounds of the quadrant's data in its raw image."""
    if quadrant.data_section is not None:
        return bounds(quadrant.data_section)
    return 0, quadrant.shape[1], 0, quadrant.shape[0]
