"""How a reference is subtracted from a science image, before the difference is searched.

Two ways: a kernel that is fitted to the stars of both takes the sharper image to the other's PSF, or both are
convolved to a third PSF, as the proper difference of two images whose PSFs are known asks for.
"""

import math
from dataclasses import dataclass, replace
from typing import Literal, Protocol

import numpy as np
import sep
from scipy.spatial import cKDTree

from reduction.difference.kernel import MatchingKernel, fit_kernel
from reduction.difference.score import THIN, MatchedStars, Psf
from reduction.difference.zogy import proper_parts
from reduction.image.convolve import bad_share, fill_bad, in_every_block
from reduction.image.frame import Frame
from reduction.image.mask import FATAL
from reduction.measure.psf import build_psf
from reduction.problems import Problem, Unusable

__all__ = ["DifferenceSettings", "Pair", "Subtracted", "VaryingKernel", "measure_mesh", "pair_of", "subtract"]

_CARRIED = 0.12  # share of the kernel's weight that bad pixels may have in a good one
_PSF_STARS = 8  # that stand alone; fewer, and all are taken


@dataclass(frozen=True)
class DifferenceSettings:
    """Numbers of the difference that a survey may wish to change.

    `method` is how the images are subtracted: ``delta_basis``, a kernel fitted to the stars of both, or ``zogy``, the
    proper difference of two images whose PSFs are known. Numbers of the kernel are for the former alone.
    """

    method: Literal["delta_basis", "zogy"] = "delta_basis"
    kernel_radius_px: int = 7
    kernel_order: int = 4
    background_order: int = 1
    kernel_stars: int = 150  # at most
    at_least_stars: int = 8
    # Of the kernel's own stars, by pixel, at most. Measured: 0.2 to 1.3 in simulated pairs of any seeing, depth,
    # crowding and registration up to 0.5 px, 0.7 to 3.8 in real undersampled frames; 13 to 22 with stars up to 3 px
    # beside their places, 50 to 140 with kernels of noise.
    kernel_chi_square: float = 10.0
    at_least_coverage: float = 0.1  # of the science image by the reference
    noise_ratio: tuple[float, float] = (0.5, 1.7)  # outside: the difference is refused
    region_ratio: float = 2.0  # a region this much noisier than the median one is bad
    bad_regions: float = 0.3  # a larger share refuses the difference
    star_scatter: float = 0.25  # of their flux, that stars leave; more refuses the difference
    star_noise: bool = True  # False: the score knows nothing of what stars leave, as training wants it


class VaryingKernel(Protocol):
    """What an image was convolved with."""

    @property
    def shape(self) -> tuple[int, int]:
        """Of the image."""

    def at(self, x: float, y: float) -> np.ndarray:
        """Return the kernel of one position (0-based), of odd size."""


@dataclass(frozen=True)
class Pair:
    """Both images on the science grid, finite: the science image first, the reference second."""

    images: tuple[np.ndarray, np.ndarray]
    variances: tuple[np.ndarray, np.ndarray]  # 0 where bad
    bads: tuple[np.ndarray, np.ndarray]
    fwhm: tuple[float, float]
    forward: bool  # the reference is the one convolved

    @property
    def shape(self) -> tuple[int, int]:
        return self.images[0].shape


@dataclass(frozen=True)
class Subtracted:
    """A difference before it is searched.

    Parameters
    ----------
    image, variance, bad, matched
        As in `Difference`; `bad` without what the filter adds.
    reference_variance : ndarray of float32
        At the science image's flux scale.
    kernels : (VaryingKernel or None, VaryingKernel or None)
        What science image and reference were convolved with.
    fitted : float
        Parameters a star was fitted away by, over the number of stars.
    notes : dict
        For the difference's quality.
    """

    image: np.ndarray
    variance: np.ndarray
    reference_variance: np.ndarray
    bad: np.ndarray
    matched: np.ndarray
    kernels: tuple[VaryingKernel | None, VaryingKernel | None]
    fitted: float
    notes: dict[str, float]


def pair_of(science: Frame, template: Frame, fwhm: float, reference_fwhm: float) -> Pair:
    """Fill the bad pixels of both images and choose the one to convolve."""
    assert science.variance is not None
    assert template.variance is not None
    bads = (
        ((science.mask & FATAL) != 0) | ~np.isfinite(science.image) | ~(science.variance > 0),
        (template.mask & FATAL) != 0,
    )
    images = (fill_bad(science.image, bads[0]), fill_bad(template.image, bads[1]))
    variances = (
        np.where(bads[0], np.float32(0), science.variance),
        np.where(bads[1], np.float32(0), template.variance),
    )
    # Of two images as sharp the reference is convolved: it has less noise.
    return Pair(images, variances, bads, (fwhm, reference_fwhm), fwhm >= 0.97 * reference_fwhm)


def subtract(pair: Pair, psf: Psf, stars: MatchedStars, settings: DifferenceSettings) -> Subtracted:
    """Return the difference at the science image's flux scale, made as the settings say.

    Raises
    ------
    Unusable
        With cause ``too_few_stars`` or ``difference_failed``.
    """
    method = _subtract_proper if settings.method == "zogy" else _subtract_fitted
    return method(pair, psf, stars, settings)


def _kernel(pair: Pair, stars: MatchedStars, settings: DifferenceSettings) -> MatchingKernel:
    """Choose stars and fit the kernel from the sharper image to the other."""
    broad, sharp = (0, 1) if pair.forward else (1, 0)
    wide, narrow = max(pair.fwhm), min(pair.fwhm)
    width = math.sqrt(max(wide**2 - narrow**2, 0.0)) / 2.355
    chosen = _spread_stars(stars.x, stars.y, pair.shape, settings.kernel_stars)
    kernel = fit_kernel(
        pair.images[broad],
        pair.images[sharp],
        pair.variances[0] + pair.variances[1],
        pair.variances[sharp],
        pair.bads[0] | pair.bads[1],
        stars.x[chosen],
        stars.y[chosen],
        radius=settings.kernel_radius_px,
        core=int(np.clip(math.ceil(2.2 * width), 3, settings.kernel_radius_px)),
        # A stamp must show what the kernel's outermost pixels make of the star's core.
        half_stamp=settings.kernel_radius_px + int(np.clip(math.ceil(1.2 * wide), 2, 8)),
        order=settings.kernel_order,
        background_order=settings.background_order,
        at_least_stars=settings.at_least_stars,
    )
    if kernel is None:
        raise Unusable(
            Problem.TOO_FEW_STARS,
            f"of {len(stars.x)} matched stars fewer than {settings.at_least_stars} can be used to match the images",
        )
    places = np.array([0.5, 0.1, 0.9])
    ratio = kernel.flux_ratio(places * pair.shape[1], places * pair.shape[0])
    if not (np.isfinite(kernel.components).all() and (ratio > 0).all()):
        raise Unusable(Problem.DIFFERENCE_FAILED, "the fit of the matching kernel did not come to a positive kernel")
    if (left := kernel.star_chi_square) > settings.kernel_chi_square:
        text = f"no kernel takes one image's stars to the other's: chi square by pixel is {left:.0f}"
        raise Unusable(
            Problem.DIFFERENCE_FAILED, f"{text}, at most {settings.kernel_chi_square:g} is that of a good match"
        )
    return kernel


def _spread_stars(x: np.ndarray, y: np.ndarray, shape: tuple[int, int], at_most: int) -> np.ndarray:
    """Return indices of at most so many stars, the brightest of each of 8x8 cells in turn."""
    cell = np.clip((8 * y / shape[0]).astype(int), 0, 7) * 8 + np.clip((8 * x / shape[1]).astype(int), 0, 7)
    rank = np.zeros(len(x), int)
    for number in np.unique(cell):
        members = np.flatnonzero(cell == number)
        rank[members] = np.arange(len(members))
    return np.lexsort((np.arange(len(x)), rank))[:at_most]


def _carried(bad: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Return where bad pixels, or those beyond the edge, carry too much of the kernel's weight."""
    weight = np.abs(kernel)
    return bad_share(bad, in_every_block(weight / weight.sum(), bad.shape)) > _CARRIED


def _subtract_fitted(pair: Pair, psf: Psf, stars: MatchedStars, settings: DifferenceSettings) -> Subtracted:
    """Return the difference at the science image's flux scale, by a kernel from the sharper image to the other."""
    kernel = _kernel(pair, stars.chosen(), settings)
    unit = kernel.flux_ratio_map()
    image = kernel.background_map()
    if pair.forward:
        matched = kernel.apply(pair.images[1])
        np.subtract(pair.images[0], image, out=image)
        image -= matched
        reference_variance = unit * unit * pair.variances[1]
    else:
        matched = pair.images[1] / unit
        image += kernel.apply(pair.images[0])
        image -= pair.images[1]
        image /= unit
        reference_variance = pair.variances[1] / (unit * unit)
    bad = pair.bads[0] | pair.bads[1]
    bad |= _carried(pair.bads[1] if pair.forward else pair.bads[0], kernel.components[0])
    return Subtracted(
        *_levelled(pair, image, reference_variance, bad), bad, matched,
        (None, kernel) if pair.forward else (kernel, None),
        len(kernel.components) / max(int(kernel.stars.sum()), 1),
        _noted(kernel, pair.shape),
    )  # fmt: skip


def _levelled(
    pair: Pair, image: np.ndarray, reference_variance: np.ndarray, bad: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return image, variance and the reference's variance, without a sky that is left, 0 where bad."""
    image -= measure_mesh(image, bad, max(pair.fwhm)).back(dtype=np.float32)
    image[bad] = 0
    reference_variance[bad] = 0
    variance = pair.variances[0] + reference_variance
    variance[bad] = 0
    return image, variance, reference_variance


def _subtract_proper(pair: Pair, psf: Psf, stars: MatchedStars, settings: DifferenceSettings) -> Subtracted:
    """Return the proper difference at the science image's flux scale; the reference's PSF is that of its stars."""
    chosen = stars.chosen()
    places = np.column_stack([chosen.x, chosen.y])
    first = _flux_ratios(pair.images, pair.bads, places, round(2 * max(pair.fwhm)))
    if len(first) < settings.at_least_stars:
        raise Unusable(
            Problem.TOO_FEW_STARS,
            f"of {len(places)} matched stars {len(first)} can be used to compare the images' fluxes, not "
            f"{settings.at_least_stars}",
        )
    ratio = float(np.median(first))
    reference_psf = _psf_of_reference(pair, psf, places, stars)
    noise2 = tuple(float(np.median(v[::THIN, ::THIN][v[::THIN, ::THIN] > 0])) for v in pair.variances)
    parts = proper_parts(pair.images, (psf, reference_psf), (noise2[0], ratio**2 * noise2[1]))
    middle = (pair.shape[1] - 1) / 2, (pair.shape[0] - 1) / 2
    bad = pair.bads[0] | pair.bads[1]
    for own, kernel in zip(pair.bads, parts.kernels, strict=True):
        bad |= _carried(own, kernel.at(*middle))
    ratios = _flux_ratios(parts.images, (bad, bad), places, round(1.5 * max(pair.fwhm)))
    if len(ratios) < settings.at_least_stars or not (flux_ratio := float(np.median(ratios))) > 0:
        raise Unusable(Problem.DIFFERENCE_FAILED, "the images' fluxes do not come to a positive ratio")
    matched = np.float32(flux_ratio) * parts.images[1]
    levelled = _levelled(pair, parts.images[0] - matched, np.float32(flux_ratio**2) * pair.variances[1], bad)
    notes = {"kernel_stars": len(ratios), "kernel_order": 0, "flux_ratio": flux_ratio, "background_offset": 0.0}
    return Subtracted(*levelled, bad, matched, parts.kernels, 0.0, notes)


def _flux_ratios(
    images: tuple[np.ndarray, np.ndarray], bads: tuple[np.ndarray, np.ndarray], places: np.ndarray, reach: int
) -> np.ndarray:
    """Return how much brighter each star is in the first image than in the second, by a line through its pixels."""
    bad = bads[0] | bads[1]
    found = []
    for x, y in places:
        row, column = round(float(y)), round(float(x))
        cut = np.s_[max(row - reach, 0) : row + reach + 1, max(column - reach, 0) : column + reach + 1]
        if bad[cut].shape != (2 * reach + 1, 2 * reach + 1) or bad[cut].any():
            continue
        first, second = (image[cut].astype(np.float64) for image in images)
        second = second - second.mean()
        slope = float((second * first).sum() / (second**2).sum()) if second.any() else 0.0
        if slope > 0:
            found.append(slope)
    return np.array(found)


def _psf_of_reference(pair: Pair, psf: Psf, places: np.ndarray, stars: MatchedStars) -> Psf:
    """Model the PSF of the reference as it is on the science image's grid, on stars that stand alone."""
    near = cKDTree(np.column_stack([stars.x, stars.y])).query(places, k=2)[0][:, -1]
    alone = places[near > 4 * max(pair.fwhm)] if len(stars.x) > 1 else places
    model = build_psf(
        pair.images[1], np.where(pair.bads[1], np.float32(1), pair.variances[1]), pair.bads[1],
        *(alone if len(alone) >= _PSF_STARS else places).T, fwhm=pair.fwhm[1],
    )  # fmt: skip
    if model is None:
        raise Unusable(Problem.TOO_FEW_STARS, "none of the matched stars can stand for the PSF of the reference")
    return replace(model, radius=psf.radius)


def measure_mesh(image: np.ndarray, bad: np.ndarray, fwhm: float) -> sep.Background:
    """Measure level and scatter of an image on a mesh: wide for a star, narrow for a ghost or a gradient."""
    size = max(32, math.ceil(12 * fwhm))
    return sep.Background(np.ascontiguousarray(image, np.float32), mask=bad, bw=size, bh=size, fw=3, fh=3)


def _noted(kernel: MatchingKernel, shape: tuple[int, int]) -> dict[str, float]:
    """Return what is kept of the kernel."""
    return {
        "kernel_stars": int(kernel.stars.sum()),
        "kernel_order": kernel.order,
        "kernel_chi_square": kernel.star_chi_square,
        "flux_ratio": float(kernel.flux_ratio((shape[1] - 1) / 2, (shape[0] - 1) / 2)),
        "background_offset": float(kernel.background[0]),
    }
