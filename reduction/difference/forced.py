"""Photometry of a difference at places that are given, whether anything was detected there or not."""

import math
from dataclasses import dataclass

import numpy as np
from astropy.io import fits
from scipy import ndimage

from reduction.difference.difference import DifferencePsf
from reduction.image.frame import Frame
from reduction.image.mask import FATAL

__all__ = ["ForcedFlux", "PsfGrid", "force_fluxes"]

_NODES = 5  # along each side


@dataclass(frozen=True)
class PsfGrid:
    """The PSF of an image as stamps on a grid of places, which a file can hold.

    Parameters
    ----------
    stamps : ndarray of float32, shape (nodes, nodes, n, n)
        Sum 1, the source at the middle pixel's centre; nodes spread evenly from the first to the last pixel.
    shape : (int, int)
        Rows and columns of the image.
    """

    stamps: np.ndarray
    shape: tuple[int, int]

    @classmethod
    def of(cls, psf: DifferencePsf, shape: tuple[int, int], *, radius: int) -> "PsfGrid":
        """Evaluate a PSF on the grid."""
        keep = slice(max(psf.radius - radius, 0), psf.radius + radius + 1)
        rows = np.linspace(0, shape[0] - 1, _NODES)
        columns = np.linspace(0, shape[1] - 1, _NODES)
        stamps = [[psf.evaluate(float(x), float(y))[keep, keep] for x in columns] for y in rows]
        return cls(np.array(stamps, np.float32), shape)

    def evaluate(self, x: float, y: float) -> np.ndarray:
        """Return the PSF of a source at (x, y) on the stamp about its nearest pixel."""
        places = []
        for value, size in ((y, self.shape[0]), (x, self.shape[1])):
            at = min(max(value / max(size - 1, 1), 0.0), 1.0) * (_NODES - 1)
            low = min(int(at), _NODES - 2)
            places.append((low, at - low))
        (j, v), (i, u) = places
        near = self.stamps[j : j + 2, i : i + 2].astype(float)
        stamp = np.einsum("j,i,jiab->ab", [1 - v, v], [1 - u, u], near)
        shifted: np.ndarray = ndimage.shift(stamp, (y - round(y), x - round(x)), order=3, mode="constant")
        return shifted

    def to_hdu(self) -> fits.ImageHDU:
        """Return the grid as a FITS extension called ``PSFGRID``."""
        hdu = fits.ImageHDU(self.stamps, name="PSFGRID")
        hdu.header["IMROWS"], hdu.header["IMCOLS"] = self.shape
        return hdu

    @classmethod
    def from_hdu(cls, hdu: fits.ImageHDU) -> "PsfGrid":
        """Return the grid that `to_hdu` stored."""
        return cls(np.array(hdu.data, np.float32), (hdu.header["IMROWS"], hdu.header["IMCOLS"]))


@dataclass(frozen=True)
class ForcedFlux:
    """The flux of a point source at one place.

    Parameters
    ----------
    flux, error : float
        Electrons; the difference's ``MAGZP`` holds for all. Negative where the science image is fainter; NaN where
        there are no pixels to measure.
    chi_square : float
        By degree of freedom.
    bad_pixels : int
        Fatal ones in the 5x5 about the place, those beyond the edge among them.
    """

    flux: float
    error: float
    chi_square: float
    bad_pixels: int


def force_fluxes(
    difference: Frame, psf: PsfGrid, x: np.ndarray, y: np.ndarray, *, noise_ratio: float = 1.0
) -> list[ForcedFlux]:
    """Measure the PSF flux at each place.

    Parameters
    ----------
    difference : Frame
        As the difference job writes it.
    psf : PsfGrid
        Of the difference.
    x, y : ndarray of float64
        0-based pixels.
    noise_ratio : float
        By which errors are multiplied; the keyword ``NOISERAT`` of the difference.
    """
    assert difference.variance is not None
    bad = (difference.mask & np.uint16(FATAL)) != 0
    return [_force(difference, bad, psf, float(a), float(b), noise_ratio) for a, b in zip(x, y, strict=True)]


def _force(difference: Frame, bad: np.ndarray, psf: PsfGrid, x: float, y: float, noise_ratio: float) -> ForcedFlux:
    assert difference.variance is not None
    rows, columns = difference.shape
    nothing = ForcedFlux(math.nan, math.nan, math.nan, 25)
    if not (math.isfinite(x) and math.isfinite(y) and -0.5 <= x < columns - 0.5 and -0.5 <= y < rows - 0.5):
        return nothing
    row, column, half = round(y), round(x), psf.stamps.shape[-1] // 2
    window = np.s_[max(row - half, 0) : row + half + 1, max(column - half, 0) : column + half + 1]
    good = ~bad[window]
    stamp = psf.evaluate(x, y)[
        window[0].start - row + half :, window[1].start - column + half :
    ][: good.shape[0], : good.shape[1]]  # fmt: skip
    core = bad[max(row - 2, 0) : row + 3, max(column - 2, 0) : column + 3]
    bad_pixels = int(core.sum()) + 25 - core.size
    weight = float((stamp[good] ** 2).sum())
    if weight < 0.5 * float((stamp**2).sum()) or weight <= 0:
        return ForcedFlux(math.nan, math.nan, math.nan, bad_pixels)
    data, variance = difference.image[window][good].astype(float), difference.variance[window][good].astype(float)
    flux = float((stamp[good] * data).sum()) / weight
    error = noise_ratio * math.sqrt(float((stamp[good] ** 2 * variance).sum())) / weight
    residual = data - flux * stamp[good]
    chi_square = float((residual**2 / (variance * noise_ratio**2)).sum()) / max(int(good.sum()) - 1, 1)
    return ForcedFlux(flux, error, chi_square, bad_pixels)
