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

import numpy as np
from scipy import ndimage

from reduction.difference.matched_filter import MatchedFilter, make_filter
from reduction.difference.score import (
    THIN,
    MatchedStars,
    Psf,
    StarScatter,
    add_rings,
    add_scatter_noise,
    ring_residuals,
    robust_deviation,
    star_scatter,
)
from reduction.difference.subtraction import (
    DifferenceSettings,
    Subtracted,
    VaryingKernel,
    measure_mesh,
    pair_of,
    subtract,
)
from reduction.image.convolve import convolve_stamp
from reduction.image.frame import Frame
from reduction.image.resample import resample
from reduction.problems import Problem, Unusable

__all__ = ["Difference", "DifferencePsf", "DifferenceSettings", "Psf", "make_difference"]


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
        return convolve_stamp(stamp, local / local.sum())

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
    pair = pair_of(science, template, psf.fwhm(), reference_fwhm)
    coverage = float(1 - pair.bads[1].mean())
    if coverage < settings.at_least_coverage:
        raise Unusable(Problem.REFERENCE_UNUSABLE, f"the reference covers {coverage:.0%} of the image")
    made = subtract(pair, psf, stars, settings)
    if subtracted is not None:
        made = replace(made, image=np.where(made.bad, np.float32(0), subtracted))
    widest = max(pair.fwhm)
    del pair  # a sixth of the memory that the search takes
    difference_psf = DifferencePsf(psf, made.kernels[0])
    scored = _score(made, difference_psf, stars, settings, widest)
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
    subtracted: Subtracted, psf: DifferencePsf, stars: MatchedStars, settings: DifferenceSettings, widest: float
) -> _Scored:
    """Filter the difference, divide it by its noise, and check what came out.

    `widest` is the FWHM of the broader of both images, in pixels.
    """
    image, variance, bad = subtracted.image, subtracted.variance, subtracted.bad
    if (~bad[::THIN, ::THIN]).sum() < 10:
        raise Unusable(Problem.REFERENCE_UNUSABLE, "hardly a pixel is good in both images")
    matched_filter = _filter(subtracted, psf)
    filtered = matched_filter.apply(image)
    seen = ~bad & (matched_filter.bad_share(bad) < 0.5)
    if seen.sum() < 100:
        raise Unusable(Problem.REFERENCE_UNUSABLE, "hardly a pixel is good in both images")
    noise2 = matched_filter.variance(variance, subtracted.reference_variance)
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
        raise Unusable(Problem.DIFFERENCE_FAILED, f"stars do not vanish: {scatter.flux:.0%} of their flux is left")
    if settings.star_noise:
        add_scatter_noise(noise2, model, scatter)
        add_rings(noise2, ring_residuals(filtered, noise2, bad, stars), stars)
    noise = np.sqrt(noise2, out=noise2)
    score = filtered / noise
    score[~seen] = 0
    # Reflections and the like are no noise that was foreseen: where the score scatters more, it counts less.
    score /= np.maximum(measure_mesh(score, ~seen, widest).rms(dtype=np.float32), np.float32(1))
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


def _sample(seen: np.ndarray) -> tuple[slice, slice]:
    """Return a thinned grid of pixels; all of a small image."""
    step = THIN if seen.size > 500_000 else 1
    return np.s_[::step, ::step]


def _filter(subtracted: Subtracted, psf: DifferencePsf) -> MatchedFilter:
    """Return the filter for the noise that both images have between their stars."""
    sample = _sample(subtracted.bad)
    good = ~subtracted.bad[sample]
    reference = float(np.median(subtracted.reference_variance[sample][good]))
    science = float(np.median(subtracted.variance[sample][good])) - reference
    science_kernel, reference_kernel = (
        None if kernel is None else _of_sum_one(kernel) for kernel in subtracted.kernels
    )
    noise2 = max(science, 1e-3 * reference), reference
    return make_filter(psf.evaluate, (science_kernel, reference_kernel), subtracted.image.shape, psf.fwhm(), noise2)


def _of_sum_one(kernel: VaryingKernel) -> Callable[[float, float], np.ndarray]:
    def at(x: float, y: float) -> np.ndarray:
        local = kernel.at(x, y)
        normalised: np.ndarray = local / local.sum()
        return normalised

    return at


def _check(
    score: np.ndarray, quiet: np.ndarray, noise_ratio: float, settings: DifferenceSettings
) -> dict[str, float]:
    """Refuse a difference whose noise is not understood, as a whole or in too many regions."""
    least, most = settings.noise_ratio
    if not least <= noise_ratio <= most:
        raise Unusable(
            Problem.DIFFERENCE_FAILED, f"the score scatters by {noise_ratio:.2f}, not by 1 within {least} to {most}"
        )
    ratios = []
    for part, chosen in zip(_regions(score), _regions(quiet), strict=True):
        if chosen.sum() > 200:
            ratios.append(robust_deviation(part[chosen]))
    regions = np.array(ratios) / np.median(ratios) if ratios else np.ones(1)
    bad_share = float((regions > settings.region_ratio).mean())
    if bad_share > settings.bad_regions:
        raise Unusable(Problem.DIFFERENCE_FAILED, f"{bad_share:.0%} of the regions are noisier than the others")
    return {
        "score_median": float(np.median(score[quiet])),
        "score_rms": noise_ratio,
        "worst_region": float(regions.max()),
        "bad_regions": bad_share,
    }


def _regions(image: np.ndarray, number: int = 4) -> list[np.ndarray]:
    return [part for band in np.array_split(image, number, axis=0) for part in np.array_split(band, number, axis=1)]
