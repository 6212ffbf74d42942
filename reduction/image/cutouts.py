"""Cutouts around candidates, as gzipped FITS in a tar with the same bytes whenever they are made."""

import gzip
import io
import tarfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import BinaryIO

import numpy as np
from astropy.io import fits

__all__ = ["cut_out", "cutout_bytes", "read_cutouts", "write_cutouts"]

_BLOCK = 2880
_COMPRESSION = 6


def cut_out(image: np.ndarray, bad: np.ndarray | None, x: float, y: float, size: int) -> np.ndarray:
    """Return a square of an image centred on the pixel nearest to a place.

    Parameters
    ----------
    image : ndarray of float
    bad : ndarray of bool, same shape, or None
        Pixels without a value.
    x, y : float
        0-based.
    size : int
        Side in pixels, odd.

    Returns
    -------
    ndarray of float32, shape (size, size)
        NaN outside of the image and in bad pixels.
    """
    half = size // 2
    row, column = round(y), round(x)
    stamp = np.full((size, size), np.nan, np.float32)
    rows, columns = image.shape
    top, bottom = max(row - half, 0), min(row + half + 1, rows)
    left, right = max(column - half, 0), min(column + half + 1, columns)
    if top < bottom and left < right:
        part = image[top:bottom, left:right].astype(np.float32)
        if bad is not None:
            part[bad[top:bottom, left:right]] = np.nan
        stamp[top - row + half : bottom - row + half, left - column + half : right - column + half] = part
    return stamp


def _header(size: int) -> bytes:
    """Return the FITS header that all cutouts of one size share."""
    text: str = fits.PrimaryHDU(np.zeros((size, size), np.float32)).header.tostring(endcard=True, padding=True)
    return text.encode("ascii")


def cutout_bytes(stamp: np.ndarray, header: bytes | None = None) -> bytes:
    """Return a stamp as gzipped FITS, with no time in it."""
    content = np.ascontiguousarray(stamp, ">f4").tobytes()
    padding = bytes(-len(content) % _BLOCK)
    return gzip.compress((header or _header(stamp.shape[0])) + content + padding, _COMPRESSION, mtime=0)


def write_cutouts(stream: BinaryIO, stamps: Iterable[tuple[int, Mapping[str, np.ndarray]]]) -> None:
    """Write the cutouts of numbered candidates into a tar.

    Parameters
    ----------
    stream : binary file
    stamps : iterable of (number, mapping of name to stamp)
        A member is called ``<number>_<name>.fits.gz``.
    """
    headers: dict[int, bytes] = {}
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for number, named in stamps:
            for name, stamp in named.items():
                header = headers.setdefault(stamp.shape[0], _header(stamp.shape[0]))
                content = cutout_bytes(stamp, header)
                member = tarfile.TarInfo(f"{number}_{name}.fits.gz")
                member.size, member.mode = len(content), 0o644
                archive.addfile(member, io.BytesIO(content))


def read_cutouts(path: Path, number: int) -> dict[str, np.ndarray]:
    """Return the stamps of one candidate by name: those that are there.

    Raises
    ------
    OSError, tarfile.TarError
        Where the file does not read.
    """
    start, end = f"{number}_", ".fits.gz"
    found: dict[str, np.ndarray] = {}
    with tarfile.open(path) as archive:
        for member in archive:
            content = archive.extractfile(member) if member.name.startswith(start) else None
            if content is not None and member.name.endswith(end):
                data = fits.getdata(io.BytesIO(gzip.decompress(content.read())))
                found[member.name[len(start) : -len(end)]] = np.asarray(data, np.float32)
    return found
