"""The proper difference of two images whose PSFs are known.

After Zackay, Ofek & Gal-Yam (2016, ApJ 830, 27): each image is convolved with a kernel that is made of both PSFs and
both noises, so that stars vanish and the noise of the difference is white where the sky's is. Neither image needs to
be the sharper one. PSFs vary over the field: the kernels are those of a tile's centre in all of a tile, and tiles are
transformed with a margin, in float32.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy import fft

__all__ = ["ProperParts", "TileKernel", "proper_parts"]

_TILE_PX = 192
_MARGIN_PX = 32
_SIDE = _TILE_PX + 2 * _MARGIN_PX
_REACH = 12  # half size of the stamps that stand for a kernel outside of its transform


class _Psf(Protocol):
    def evaluate(self, x: float, y: float, *, dx: float = 0.0, dy: float = 0.0) -> np.ndarray: ...


@dataclass(frozen=True)
class TileKernel:
    """What one image is convolved with, tile by tile.

    Parameters
    ----------
    stamps : ndarray of float64, shape (tile rows, tile columns, 2 reach + 1, 2 reach + 1)
        Of sum 1.
    shape : (int, int)
        Of the image.
    """

    stamps: np.ndarray
    shape: tuple[int, int]

    def at(self, x: float, y: float) -> np.ndarray:
        """Return the kernel of one position (0-based)."""
        row, column = (
            min(max(int(place // _TILE_PX), 0), tiles - 1)
            for place, tiles in zip((y, x), self.stamps.shape[:2], strict=True)
        )
        stamp: np.ndarray = self.stamps[row, column]
        return stamp


@dataclass(frozen=True)
class ProperParts:
    """Both images convolved to one PSF; their difference, once the reference has the right flux, is the proper one.

    Parameters
    ----------
    images : (ndarray of float32, ndarray of float32)
        Science and reference, each at its own flux scale.
    kernels : (TileKernel, TileKernel)
    """

    images: tuple[np.ndarray, np.ndarray]
    kernels: tuple[TileKernel, TileKernel]


def proper_parts(
    images: tuple[np.ndarray, np.ndarray], psfs: tuple[_Psf, _Psf], noise2: tuple[float, float]
) -> ProperParts:
    """Convolve science image and reference with the kernels of their proper difference.

    Parameters
    ----------
    images : (ndarray of float32, ndarray of float32), each of shape (rows, columns)
        Science and reference on one grid, finite, background subtracted.
    psfs : (Psf, Psf)
        Of both on that grid; stamps of sum 1.
    noise2 : (float, float)
        Variance of an empty pixel of both, at one flux scale.
    """
    shape = images[0].shape
    tiles = tuple(-(-size // _TILE_PX) for size in shape)
    padded = [
        np.pad(image, [(_MARGIN_PX, n * _TILE_PX + _MARGIN_PX - size) for n, size in zip(tiles, shape, strict=True)])
        for image in images
    ]
    made = [np.empty(tuple(n * _TILE_PX for n in tiles), np.float32) for _ in images]
    stamps = [np.empty((*tiles, 2 * _REACH + 1, 2 * _REACH + 1)) for _ in images]
    for j, i in np.ndindex(tiles):
        top, left = j * _TILE_PX, i * _TILE_PX
        middle = min(left + _TILE_PX // 2, shape[1] - 1), min(top + _TILE_PX // 2, shape[0] - 1)
        transforms = _kernels(psfs[0].evaluate(*middle), psfs[1].evaluate(*middle), noise2)
        for k, kernel in enumerate(transforms):
            cut = fft.rfft2(padded[k][top : top + _SIDE, left : left + _SIDE])
            tile = fft.irfft2(cut * kernel, s=(_SIDE, _SIDE))
            inner = slice(_MARGIN_PX, _MARGIN_PX + _TILE_PX)
            made[k][top : top + _TILE_PX, left : left + _TILE_PX] = tile[inner, inner]
            stamps[k][j, i] = _stamp(kernel)
    rows, columns = shape
    science, reference = (np.ascontiguousarray(image[:rows, :columns]) for image in made)
    return ProperParts((science, reference), (TileKernel(stamps[0], shape), TileKernel(stamps[1], shape)))


def _kernels(
    science: np.ndarray, reference: np.ndarray, noise2: tuple[float, float]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the transforms (complex64) of what science image and reference are convolved with, 1 at frequency 0."""
    of_science, of_reference = (fft.rfft2(_centred(stamp)) for stamp in (science, reference))
    power = noise2[0] * np.abs(of_reference) ** 2 + noise2[1] * np.abs(of_science) ** 2
    scale = np.sqrt(sum(noise2) / np.maximum(power, 1e-12 * sum(noise2)))
    return (of_reference * scale).astype(np.complex64), (of_science * scale).astype(np.complex64)


def _centred(stamp: np.ndarray) -> np.ndarray:
    """Return a stamp, made to have sum 1, on the grid of the transforms, its middle at the origin."""
    height, width = stamp.shape
    padded = np.zeros((_SIDE, _SIDE))
    padded[:height, :width] = stamp / stamp.sum()
    return np.roll(padded, (-(height // 2), -(width // 2)), (0, 1))


def _stamp(kernel: np.ndarray) -> np.ndarray:
    """Return the middle of the kernel of a transform, of sum 1."""
    whole = fft.irfft2(kernel, s=(_SIDE, _SIDE))
    middle = np.roll(whole, (_REACH, _REACH), (0, 1))[: 2 * _REACH + 1, : 2 * _REACH + 1].astype(np.float64)
    normalised: np.ndarray = middle / middle.sum()
    return normalised
