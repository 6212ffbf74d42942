"""Where one quadrant's pixels lie in a detector's file, and how its amplifier behaves."""

import re
from dataclasses import dataclass

import numpy as np

from reduction.detector.linearity import Linearity

__all__ = ["Layout", "Section", "parse_section"]


@dataclass(frozen=True)
class Section:
    """A rectangle of pixels, counted from 0, ends excluded."""

    rows: tuple[int, int]
    columns: tuple[int, int]

    def of(self, image: np.ndarray) -> np.ndarray:
        """Return the view of an image."""
        return image[slice(*self.rows), slice(*self.columns)]

    def fits_in(self, shape: tuple[int, ...]) -> bool:
        """Whether the section is a rectangle inside an image of this shape."""
        return all(
            0 <= start < end <= size for (start, end), size in zip((self.rows, self.columns), shape, strict=True)
        )


def parse_section(text: str) -> Section:
    """Return the section that FITS writes ``[x1:x2,y1:y2]``, counted from 1 with both ends included.

    Raises
    ------
    ValueError
        If the text is not a section.
    """
    found = re.fullmatch(r"\s*\[\s*(\d+)\s*:\s*(\d+)\s*,\s*(\d+)\s*:\s*(\d+)\s*\]\s*", text)
    if not found:
        raise ValueError(f"{text!r} is not a section [x1:x2,y1:y2]")
    x1, x2, y1, y2 = map(int, found.groups())
    return Section((y1 - 1, y2), (x1 - 1, x2))


@dataclass(frozen=True)
class Layout:
    """Where the pixels of one quadrant are, and how its amplifier behaves.

    Parameters
    ----------
    extension : int or str
        Of the detector's file. Where the primary array is empty, a lone image is found wherever it is.
    shape : tuple of int
        Rows and columns of the raw image.
    gain : float
        Electrons per ADU.
    read_noise : float
        Electrons.
    saturation : float
        ADU, before overscan subtraction.
    data, overscan : Section or None
        None: the whole image; no overscan columns.
    overscan_extension : int or str or None
        Where the overscan is an image of its own.
    sections_from_header : bool
        ``TRIMSEC`` and ``BIASSEC``, where the header has them, win.
    linearity : Linearity or None
        None: counts are proportional to light as they are.
    """

    extension: int | str
    shape: tuple[int, int]
    gain: float
    read_noise: float
    saturation: float
    data: Section | None = None
    overscan: Section | None = None
    overscan_extension: int | str | None = None
    sections_from_header: bool = False
    linearity: Linearity | None = None
