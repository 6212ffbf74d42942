"""The filter that finds point sources in a difference, and the noise that it lets through.

A difference's noise is correlated where an image was convolved. The best linear filter is its PSF with each spatial
frequency divided by the noise there (Zackay, Ofek & Gal-Yam 2016, ApJ 830, 27): where the science image was
convolved, that undoes what the convolution did to its noise. PSF and kernel vary over the field, and so does the
filter.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import fft

from reduction.image.convolve import bad_share, block_centres, convolve_blocks, convolve_stamp

__all__ = ["MatchedFilter", "make_filter"]

_NODES = 7  # along each side of the image, where the filter is worked out; it is linear between them
_WIDTHS = 2.6  # reach of the filter in FWHM
_SIDE = 96  # of the transforms of PSF and kernel


@dataclass(frozen=True)
class MatchedFilter:
    """A filter for each block of `reduction.image.convolve`.

    Parameters
    ----------
    stamps : ndarray of float32, shape (block rows, block columns, n, n)
        To be convolved with.
    noise : ndarray of float32, same shape
        To be convolved with the variance of the science image plus `share` times that of the reference, which gives
        the variance of what was filtered.
    share : float
        How much of the reference's variance passes, relative to the science image's.
    gain : float
        What a source of flux 1 has at its peak once it is filtered, at the image's centre.
    profile : ndarray of float64, shape (m, m)
        A source of flux 1 at the image's centre, filtered.
    """

    stamps: np.ndarray
    noise: np.ndarray
    share: float
    gain: float
    profile: np.ndarray

    def apply(self, image: np.ndarray) -> np.ndarray:
        """Return an image, filtered."""
        return convolve_blocks(image, self.stamps)

    def variance(self, total: np.ndarray, reference: np.ndarray) -> np.ndarray:
        """Return the variance of the filtered difference from the sum of both images' and the reference's part."""
        return convolve_blocks(total + np.float32(self.share - 1) * reference, self.noise)

    def bad_share(self, bad: np.ndarray) -> np.ndarray:
        """Return how much of the filter's weight falls on bad pixels or beyond the edge."""
        squares = self.stamps**2
        return bad_share(bad, squares / squares.sum(axis=(2, 3), keepdims=True))


# Of a place (x, y): a stamp of sum 1; None for an image that was not convolved.
Kernel = Callable[[float, float], np.ndarray] | None


def make_filter(
    psf: Callable[[float, float], np.ndarray],
    kernels: tuple[Kernel, Kernel],
    shape: tuple[int, int],
    fwhm: float,
    noise2: tuple[float, float],
) -> MatchedFilter:
    """Work out the filter over the field.

    Parameters
    ----------
    psf : callable
        Of a place (x, y): the difference's PSF with sum 1.
    kernels : (callable or None, callable or None)
        The same for what science image and reference were convolved with.
    shape : (int, int)
        Of the image.
    fwhm : float
        Of the difference's PSF in pixels.
    noise2 : (float, float)
        Variance of an empty pixel of the science image and of the reference, at one flux scale, before either was
        convolved.
    """
    reach = max(3, math.ceil(_WIDTHS * fwhm))
    places = [np.linspace(0, size - 1, _NODES) for size in (shape[1], shape[0])]
    side = 2 * reach + 1
    stamps, noise = np.empty((2, _NODES, _NODES, side, side))
    share = np.empty((_NODES, _NODES))
    for j, y in enumerate(places[1]):
        for i, x in enumerate(places[0]):
            stamps[j, i], noise[j, i], share[j, i] = _at_node(
                psf(x, y), [kernel and kernel(x, y) for kernel in kernels], reach, noise2
            )
    weights = [_linear(np.asarray(c), nodes) for c, nodes in zip(block_centres(shape), places, strict=True)]
    over_field = [
        np.einsum("bj,ai,jixy->baxy", weights[1], weights[0], nodes, optimize=True).astype(np.float32)
        for nodes in (stamps, noise)
    ]
    middle = _NODES // 2
    profile = convolve_stamp(psf((shape[1] - 1) / 2, (shape[0] - 1) / 2), stamps[middle, middle])
    return MatchedFilter(over_field[0], over_field[1], float(share.mean()), float(profile.max()), profile)


def _linear(x: np.ndarray, nodes: np.ndarray) -> np.ndarray:
    """Return the weights (places, nodes) of linear interpolation between nodes of equal distance."""
    step = max(float(nodes[1] - nodes[0]), 1e-9)
    weights: np.ndarray = np.maximum(0, 1 - np.abs(x[:, None] - nodes[None, :]) / step)
    return weights


def _at_node(
    psf: np.ndarray, kernels: list[np.ndarray | None], reach: int, noise2: tuple[float, float]
) -> tuple[np.ndarray, np.ndarray, float]:
    """Return the filter, the squared filter that the science image's noise passes, and the reference's share."""
    of_psf = fft.rfft2(_centred(psf))
    of_kernels = [None if kernel is None else fft.rfft2(_centred(kernel)) for kernel in kernels]
    power = sum(
        noise * (1.0 if kernel is None else np.abs(kernel) ** 2)
        for noise, kernel in zip(noise2, of_kernels, strict=True)
    )
    stamp = _cropped(fft.irfft2(np.conj(of_psf) / power, s=(_SIDE, _SIDE)) * sum(noise2), reach)
    of_stamp = fft.rfft2(_centred(stamp))
    of_science, of_reference = (
        stamp if kernel is None else _cropped(fft.irfft2(of_stamp * kernel, s=(_SIDE, _SIDE)), reach)
        for kernel in of_kernels
    )
    return stamp, of_science**2, float((of_reference**2).sum() / (of_science**2).sum())


def _centred(stamp: np.ndarray) -> np.ndarray:
    """Return a stamp on the grid of the transforms, its middle at the origin."""
    height, width = stamp.shape
    padded = np.zeros((_SIDE, _SIDE))
    padded[:height, :width] = stamp
    return np.roll(padded, (-(height // 2), -(width // 2)), (0, 1))


def _cropped(image: np.ndarray, reach: int) -> np.ndarray:
    """Return the part about the origin, the origin in its middle."""
    return np.roll(image, (reach, reach), (0, 1))[: 2 * reach + 1, : 2 * reach + 1]
