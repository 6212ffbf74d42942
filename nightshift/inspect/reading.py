"""What a page needs of a FITS file beside its frame; a file that does not read is said by its path."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.table import Table

from nightshift.errors import BadInput
from nightshift.vocabulary import Reason
from reduction.image.frame import BROKEN
from reduction.measure.psf import PsfModel

__all__ = ["header_of", "plane", "psf_of", "table_of"]


def plane(path: Path, name: str) -> np.ndarray | None:
    """Return the image of an extension as float32, shape (rows, columns); None where there is no such extension.

    Raises
    ------
    BadInput
        ``unreadable_file``, as of all functions here.
    """
    with _reading(path), fits.open(path) as units:
        return np.array(units[name].data, np.float32) if name in units else None


def psf_of(path: Path) -> PsfModel | None:
    """Return the PSF that a file keeps; None where it keeps none."""
    with _reading(path), fits.open(path) as units:
        return PsfModel.from_hdu(units["PSF"]) if "PSF" in units else None


def table_of(path: Path) -> Table:
    """Return a table of sources."""
    with _reading(path):
        return Table.read(path, format="fits")


def header_of(path: Path) -> fits.Header:
    """Return the header of the image ``SCI``."""
    with _reading(path):
        header = fits.getheader(path, "SCI")
        header.tostring()  # cards are parsed when they are asked for: now
        return header


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Turn what astropy raises of a file that is cut short or spoilt into `BadInput`."""
    try:
        yield
    except BROKEN as error:
        if isinstance(error, OSError) and error.errno is not None:  # of the disk, not of what is on it
            raise
        raise BadInput(Reason.UNREADABLE_FILE, f"{path} does not read: {error}") from error
