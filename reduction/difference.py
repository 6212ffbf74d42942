"""The difference of a science image and its reference, and the score that says where it holds a point source.

The sharper of the two images is convolved to the other's PSF, or both to a third as a proper difference asks for. The
score is the difference filtered by its own PSF and divided by the noise that this filter lets through: of both images
with their sources, and of what stars leave behind where the two do not quite agree. How much that is, is measured on
the matched stars of this very image (the idea of the source and astrometric noise terms of Zackay, Ofek & Gal-Yam
2016, ApJ 830, 27).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol

import numpy as np
import sep
from scipy import ndimage, signal
from scipy.spatial import cKDTree

from reduction.convolve import convolve, fill_bad
from reduction.frame import Frame
from reduction.kernel import MatchingKernel, fit_kernel
from reduction.mask import FATAL
from reduction.matched_filter import MatchedFilter, make_filter
from reduction.problems import Unusable
from reduction.psf import build_psf
from reduction.resample import resample
from reduction.score import (
    MatchedStars,
    Psf,
    StarScatter,
    add_rings,
    add_scatter_noise,
    ring_residuals,
    robust_deviation,
    star_scatter,
)
from reduction.zogy import proper_parts

__all__ = ["Difference", "DifferencePsf", "DifferenceSettings", "Psf", "make_difference"]

_CARRIED = 0.12  # share of the kernel's weight that bad pixels may have in a good one


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
class DifferencePsf:
    """PSF of the difference: the science image's, convolved where the science image was."""

    science: Psf
    kernel: VaryingKernel | None  # None where the science image was not convolved

    @property
    def radius(self) -> int:
        """Half size of a stamp in pixels."""
        return self.science.radius

    def evaluate(self, x: float, y: float, *, dx: float = 0.0, dy: float = 0.0) -> np.ndarray:
        """Return a stamp of sum 1 for position (x, y), its star (dx, dy) off the middle pixel's centre."""
        stamp = self.science.evaluate(x, y, dx=dx, dy=dy)
        if self.kernel is None:
            return stamp
        local = self.kernel.at(x, y)
        return signal.fftconvolve(stamp, local / local.sum(), mode="same")

    def fwhm(self, x: float | None = None, y: float | None = None) -> float:
        """Return the full width at half maximum in pixels, from the area above half of the peak."""
        if self.kernel is None:
            return self.science.fwhm(x, y)
        rows, columns = self.kernel.shape
        place = (columns - 1) / 2 if x is None else x, (rows - 1) / 2 if y is None else y
        stamp = ndimage.zoom(self.evaluate(*place), 5, order=1)
        return float(2 * math.sqrt((stamp > stamp.max() / 2).sum() / math.pi) / 5)


@dataclass(frozen=True)
class Difference:
    """A difference on the science image's grid and flux scale, in electrons.

    Parameters
    ----------
    image, variance : ndarray of float32
        0 in both where masked. The variance is that of sums over a PSF's area, not of single pixels.
    mask : ndarray of uint16
        Bits of `MaskBit` of either image.
    bad : ndarray of bool
        Where there is no difference: a fatal bit is set, or bad pixels nearby carry much of the kernel's or the
        filter's weight.
    score : ndarray of float32
        Signal to noise of a point source in each pixel; 0 where masked.
    filtered : ndarray of float32
        The difference, filtered, before it is divided by its noise.
    matched_filter : MatchedFilter
        What it was filtered by.
    template : Frame
        The reference on the science grid, as it is.
    matched : ndarray of float32
        The reference at the science image's flux scale, and PSF where it was the one convolved.
    stars : MatchedStars
        Of both images.
    psf : DifferencePsf
    convolved : str
        ``reference``, ``science`` or ``both``.
    scatter : StarScatter
    noise_ratio : float
        Robust standard deviation of the filtered difference over the noise that both images' variances give it.
    deviation, filtered_deviation : float
        Robust standard deviation of image and filtered image.
    pixel_noise_ratio : float
        Of single pixels' scatter to the square root of `variance`.
    limiting_flux : float
        Five times the median noise of a point source's flux, in electrons.
    coverage : float
        Share of pixels that both images cover.
    quality : dict
        Further measurements, finite numbers.
    """

    image: np.ndarray
    variance: np.ndarray
    mask: np.ndarray
    bad: np.ndarray
    score: np.ndarray
    filtered: np.ndarray
    matched_filter: MatchedFilter
    template: Frame
    matched: np.ndarray
    stars: MatchedStars
    psf: DifferencePsf
    convolved: str
    scatter: StarScatter
    noise_ratio: float
    deviation: float
    filtered_deviation: float
    pixel_noise_ratio: float
    limiting_flux: float
    coverage: float
    quality: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class _Pair:
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
class _Subtracted:
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


def make_difference(
    science: Frame,
    psf: Psf,
    reference: Frame,
    reference_fwhm: float,
    stars: MatchedStars,
    settings: DifferenceSettings | None = None,
    *,
    subtracted: np.ndarray | None = None,
) -> Difference:
    """Subtract a reference from a science image.

    Parameters
    ----------
    science, reference : Frame
        In electrons, background subtracted, each on its own grid with its own WCS.
    psf : Psf
        Of the science image.
    reference_fwhm : float
        Of the reference, in pixels.
    stars : MatchedStars
        Those of the science image that the reference has too.
    settings : DifferenceSettings, optional
    subtracted : ndarray of float32, optional
        A difference that another program made of the two, at the science image's PSF and flux scale, to be searched
        in place of our own.

    Raises
    ------
    Unusable
        With cause ``reference_unusable``, ``too_few_stars`` or ``difference_failed``.
    """
    settings = settings or DifferenceSettings()
    assert science.wcs is not None
    template = resample(reference, science.wcs, science.shape)
    pair = _pair(science, template, psf.fwhm(), reference_fwhm)
    coverage = float(1 - pair.bads[1].mean())
    if coverage < settings.at_least_coverage:
        raise Unusable("reference_unusable", f"the reference covers {coverage:.0%} of the image")
    subtract = _subtract_proper if settings.method == "zogy" else _subtract_fitted
    made = subtract(pair, psf, stars, settings)
    if subtracted is not None:
        made = replace(made, image=np.where(made.bad, np.float32(0), subtracted))
    difference_psf = DifferencePsf(psf, made.kernels[0])
    scored = _score(pair, made, difference_psf, stars, settings)
    scored.quality["coverage"] = coverage
    return Difference(
        image=made.image, variance=made.variance,
        mask=science.mask | template.mask, bad=scored.bad, score=scored.score,
        filtered=scored.filtered, matched_filter=scored.matched_filter, template=template,
        matched=made.matched, stars=stars,
        psf=difference_psf, convolved=_convolved(made.kernels), scatter=scored.scatter,
        noise_ratio=scored.noise_ratio, deviation=scored.deviation, filtered_deviation=scored.filtered_deviation,
        pixel_noise_ratio=scored.pixel_noise_ratio, limiting_flux=scored.limiting_flux, coverage=coverage,
        quality=scored.quality,
    )  # fmt: skip


def _convolved(kernels: tuple[VaryingKernel | None, VaryingKernel | None]) -> str:
    return "reference" if kernels[0] is None else "science" if kernels[1] is None else "both"


def _pair(science: Frame, template: Frame, fwhm: float, reference_fwhm: float) -> _Pair:
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
    return _Pair(images, variances, bads, (fwhm, reference_fwhm), fwhm >= 0.97 * reference_fwhm)


def _kernel(pair: _Pair, stars: MatchedStars, settings: DifferenceSettings) -> MatchingKernel:
    """Choose stars and fit the kernel from the sharper image to the other."""
    broad, sharp = (0, 1) if pair.forward else (1, 0)
    wide, narrow = max(pair.fwhm), min(pair.fwhm)
    width = math.sqrt(max(wide**2 - narrow**2, 0.0)) / 2.355
    chosen = _spread_stars(stars.x, stars.y, pair.shape, settings.kernel_stars)
    kernel = fit_kernel(
        pair.images[broad],
        pair.images[sharp],
        pair.variances[0] + pair.variances[1],
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
            "too_few_stars",
            f"of {len(stars.x)} matched stars fewer than {settings.at_least_stars} can be used to match the images",
        )
    places = np.array([0.5, 0.1, 0.9])
    ratio = kernel.flux_ratio(places * pair.shape[1], places * pair.shape[0])
    if not (np.isfinite(kernel.components).all() and (ratio > 0).all()):
        raise Unusable("difference_failed", "the fit of the matching kernel did not come to a positive kernel")
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
    return convolve(bad, weight / weight.sum(), beyond=1.0) > _CARRIED


def _subtract_fitted(pair: _Pair, psf: Psf, stars: MatchedStars, settings: DifferenceSettings) -> _Subtracted:
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
    return _Subtracted(
        *_levelled(pair, image, reference_variance, bad), bad, matched,
        (None, kernel) if pair.forward else (kernel, None),
        len(kernel.components) / max(int(kernel.stars.sum()), 1),
        _noted(kernel, pair.shape),
    )  # fmt: skip


def _levelled(
    pair: _Pair, image: np.ndarray, reference_variance: np.ndarray, bad: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return image, variance and the reference's variance, without a sky that is left, 0 where bad."""
    image -= _mesh(image, bad, max(pair.fwhm)).back(dtype=np.float32)
    image[bad] = 0
    reference_variance[bad] = 0
    variance = pair.variances[0] + reference_variance
    variance[bad] = 0
    return image, variance, reference_variance


def _subtract_proper(pair: _Pair, psf: Psf, stars: MatchedStars, settings: DifferenceSettings) -> _Subtracted:
    """Return the proper difference at the science image's flux scale; the reference's PSF is that of its stars."""
    chosen = stars.chosen()
    places = np.column_stack([chosen.x, chosen.y])
    first = _flux_ratios(pair.images, pair.bads, places, round(2 * max(pair.fwhm)))
    if len(first) < settings.at_least_stars:
        raise Unusable(
            "too_few_stars",
            f"of {len(places)} matched stars {len(first)} can be used to compare the images' fluxes, not "
            f"{settings.at_least_stars}",
        )
    ratio = float(np.median(first))
    reference_psf = _psf_of_reference(pair, psf, places, stars)
    noise2 = tuple(float(np.median(v[::_THIN, ::_THIN][v[::_THIN, ::_THIN] > 0])) for v in pair.variances)
    parts = proper_parts(pair.images, (psf, reference_psf), (noise2[0], ratio**2 * noise2[1]))
    middle = (pair.shape[1] - 1) / 2, (pair.shape[0] - 1) / 2
    bad = pair.bads[0] | pair.bads[1]
    for own, kernel in zip(pair.bads, parts.kernels, strict=True):
        bad |= _carried(own, kernel.at(*middle))
    ratios = _flux_ratios(parts.images, (bad, bad), places, round(1.5 * max(pair.fwhm)))
    if len(ratios) < settings.at_least_stars or not (flux_ratio := float(np.median(ratios))) > 0:
        raise Unusable("difference_failed", "the images' fluxes do not come to a positive ratio")
    matched = np.float32(flux_ratio) * parts.images[1]
    levelled = _levelled(pair, parts.images[0] - matched, np.float32(flux_ratio**2) * pair.variances[1], bad)
    notes = {"kernel_stars": len(ratios), "kernel_order": 0, "flux_ratio": flux_ratio, "background_offset": 0.0}
    return _Subtracted(*levelled, bad, matched, parts.kernels, 0.0, notes)


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


def _psf_of_reference(pair: _Pair, psf: Psf, places: np.ndarray, stars: MatchedStars) -> Psf:
    """Model the PSF of the reference as it is on the science image's grid, on stars that stand alone."""
    near = cKDTree(np.column_stack([stars.x, stars.y])).query(places, k=2)[0][:, -1]
    alone = places[near > 4 * max(pair.fwhm)] if len(stars.x) > 1 else places
    model = build_psf(
        pair.images[1], np.where(pair.bads[1], np.float32(1), pair.variances[1]), pair.bads[1],
        *(alone if len(alone) >= _PSF_STARS else places).T, fwhm=pair.fwhm[1],
    )  # fmt: skip
    if model is None:
        raise Unusable("too_few_stars", "none of the matched stars can stand for the PSF of the reference")
    return replace(model, radius=psf.radius)


_PSF_STARS = 8  # that stand alone; fewer, and all are taken


def _mesh(image: np.ndarray, bad: np.ndarray, fwhm: float) -> sep.Background:
    """Measure level and scatter of an image on a mesh: wide for a star, narrow for a ghost or a gradient."""
    size = max(32, math.ceil(12 * fwhm))
    return sep.Background(np.ascontiguousarray(image, np.float32), mask=bad, bw=size, bh=size, fw=3, fh=3)


@dataclass(frozen=True)
class _Scored:
    """The score and what was measured on the way; names as in `Difference`."""

    score: np.ndarray
    filtered: np.ndarray
    matched_filter: MatchedFilter
    bad: np.ndarray
    scatter: StarScatter
    noise_ratio: float
    deviation: float
    filtered_deviation: float
    pixel_noise_ratio: float
    limiting_flux: float
    quality: dict[str, float]


def _score(
    pair: _Pair,
    subtracted: _Subtracted,
    psf: DifferencePsf,
    stars: MatchedStars,
    settings: DifferenceSettings,
) -> _Scored:
    """Filter the difference, divide it by its noise, and check what came out."""
    image, variance, bad = subtracted.image, subtracted.variance, subtracted.bad
    if (~bad[::_THIN, ::_THIN]).sum() < 10:
        raise Unusable("reference_unusable", "hardly a pixel is good in both images")
    matched_filter = _filter(pair, subtracted, psf)
    filtered = matched_filter.apply(image)
    seen = ~bad & (matched_filter.bad_share(bad) < 0.5)
    if seen.sum() < 100:
        raise Unusable("reference_unusable", "hardly a pixel is good in both images")
    noise2 = matched_filter.variance(variance - subtracted.reference_variance, subtracted.reference_variance)
    sample = _sample(seen)
    floor = 1e-3 * float(np.median(noise2[sample][seen[sample]]))
    np.maximum(noise2, np.float32(floor), out=noise2)
    model = matched_filter.apply(np.where(bad, np.float32(0), subtracted.matched))
    plain = filtered[sample] / np.sqrt(noise2[sample])
    quiet = seen[sample] & (np.abs(model[sample]) < 3 * np.sqrt(noise2[sample]))
    if quiet.sum() < 500:
        quiet = seen[sample]
    noise_ratio = robust_deviation(plain[quiet])
    quality = _check(plain, quiet, noise_ratio, settings)
    noise2 *= np.float32(noise_ratio**2)
    scatter = star_scatter(image, variance * np.float32(noise_ratio**2), bad, psf, stars, fitted=subtracted.fitted)
    if scatter.flux > settings.star_scatter:
        raise Unusable("difference_failed", f"stars do not vanish: {scatter.flux:.0%} of their flux is left")
    if settings.star_noise:
        add_scatter_noise(noise2, model, scatter)
        add_rings(noise2, ring_residuals(filtered, noise2, bad, stars), stars)
    noise = np.sqrt(noise2, out=noise2)
    score = filtered / noise
    score[~seen] = 0
    # Reflections and the like are no noise that was foreseen: where the score scatters more, it counts less.
    score /= np.maximum(_mesh(score, ~seen, max(pair.fwhm)).rms(dtype=np.float32), np.float32(1))
    quality |= {
        **subtracted.notes,
        "shift_x_px": scatter.shift_x_px,
        "shift_y_px": scatter.shift_y_px,
        "flux_scatter": scatter.flux,
        "scatter_stars": scatter.stars,
    }
    quality["masked"] = float(1 - seen.mean())
    return _Scored(
        score, filtered, matched_filter, ~seen, scatter, noise_ratio, robust_deviation(image[sample][quiet]),
        robust_deviation(filtered[sample][quiet]),
        robust_deviation(image[sample][quiet] / np.sqrt(variance[sample][quiet])),
        5 * float(np.median(noise[sample][seen[sample]])) / matched_filter.gain, quality,
    )  # fmt: skip


_THIN = 3  # statistics of noise are taken from every so-manieth pixel of a row and a column


def _sample(seen: np.ndarray) -> tuple[slice, slice]:
    """Return a thinned grid of pixels; all of a small image."""
    step = _THIN if seen.size > 500_000 else 1
    return np.s_[::step, ::step]


def _filter(pair: _Pair, subtracted: _Subtracted, psf: DifferencePsf) -> MatchedFilter:
    """Return the filter for the noise that both images have between their stars."""
    sample = _sample(subtracted.bad)
    good = ~subtracted.bad[sample]
    reference = float(np.median(subtracted.reference_variance[sample][good]))
    science = float(np.median(subtracted.variance[sample][good])) - reference
    science_kernel, reference_kernel = (
        None if kernel is None else _of_sum_one(kernel) for kernel in subtracted.kernels
    )
    noise2 = max(science, 1e-3 * reference), reference
    return make_filter(psf.evaluate, (science_kernel, reference_kernel), pair.shape, psf.fwhm(), noise2)


def _of_sum_one(kernel: VaryingKernel) -> Callable[[float, float], np.ndarray]:
    def at(x: float, y: float) -> np.ndarray:
        local = kernel.at(x, y)
        return local / local.sum()

    return at


def _noted(kernel: MatchingKernel, shape: tuple[int, int]) -> dict[str, float]:
    """Return what is kept of the kernel."""
    return {
        "kernel_stars": int(kernel.stars.sum()),
        "kernel_order": kernel.order,
        "kernel_chi_square": float(np.median(kernel.chi_square[kernel.stars])),
        "flux_ratio": float(kernel.flux_ratio((shape[1] - 1) / 2, (shape[0] - 1) / 2)),
        "background_offset": float(kernel.background[0]),
    }


def _check(
    score: np.ndarray, quiet: np.ndarray, noise_ratio: float, settings: DifferenceSettings
) -> dict[str, float]:
    """Refuse a difference whose noise is not understood, as a whole or in too many regions."""
    least, most = settings.noise_ratio
    if not least <= noise_ratio <= most:
        raise Unusable(
            "difference_failed", f"the score scatters by {noise_ratio:.2f}, not by 1 within {least} to {most}"
        )
    ratios = []
    for part, chosen in zip(_regions(score), _regions(quiet), strict=True):
        if chosen.sum() > 200:
            ratios.append(robust_deviation(part[chosen]))
    regions = np.array(ratios) / np.median(ratios) if ratios else np.ones(1)
    bad_share = float((regions > settings.region_ratio).mean())
    if bad_share > settings.bad_regions:
        raise Unusable("difference_failed", f"{bad_share:.0%} of the regions are noisier than the others")
    return {
        "score_median": float(np.median(score[quiet])),
        "score_rms": noise_ratio,
        "worst_region": float(regions.max()),
        "bad_regions": bad_share,
    }


def _regions(image: np.ndarray, number: int = 4) -> list[np.ndarray]:
    return [part for band in np.array_split(image, number, axis=0) for part in np.array_split(band, number, axis=1)]
