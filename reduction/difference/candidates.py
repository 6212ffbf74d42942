"""Find candidates in a difference and measure all of a candidate's record that pixels can give.

The names of the record are those of the alert format of the Zwicky Transient Facility, version 4.02; magnitudes are
those of the science image's zero point (`magzpsci`), which holds all over the difference, lengths pixels, positions
within the image counted from 1 as FITS does.
"""

import math
from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from reduction.array_types import BoolArray, Float32Array
from reduction.difference.difference import Difference
from reduction.image.mask import FATAL
from reduction.measure.zero_point import ZeroPoint

__all__ = ["Candidate", "CandidateSettings", "Photometry", "ReferenceSources", "find_candidates", "find_peaks"]


@dataclass(frozen=True)
class CandidateSettings:
    """Numbers of the search that a survey may wish to change."""

    sigma: float = 5.0
    aperture_radius_px: float = 7.0
    big_aperture_radius_px: float = 9.0
    dipole_ratio: float = 0.5  # of the opposite sign's score next to it
    bad_pixels: int = 4  # of 25
    chi_square: float = 3.0
    sharp: float = 0.55  # of the PSF's width: narrower is no star
    wide: float = 2.5  # of the PSF's width: wider is no star
    model_error: float = 0.05  # of the PSF in a pixel
    edge_px: float = 3.0
    # a star within so many FWHM whose flux is so many times larger leaves residuals of this size: (FWHM, times)
    crowd: tuple[float, int, float] = (16.0, 5, 2.0)  # within so many FWHM so many peaks: must stand out so far
    star_residuals: tuple[tuple[float, float], ...] = ((1.5, 100.0), (3.5, 300.0))
    ridge: tuple[float, float] = (1.5, 0.25)  # on two sides so many sigma, and so much of the peak: a line of light


_DIRECTIONS = 16
_RIDGE_FWHM = np.arange(1.5, 5.01, 0.25)  # distances at which a ridge is looked for


@dataclass(frozen=True)
class Photometry:
    """The science image's photometric calibration.

    Parameters
    ----------
    zero_point : ZeroPoint
        Of the difference's electrons, all over the image: what it says of places was taken out before.
    exposure_s : float
    """

    zero_point: ZeroPoint
    exposure_s: float


@dataclass(frozen=True)
class ReferenceSources:
    """The sources of the reference, placed on the science image.

    Parameters
    ----------
    x, y, ra, dec, mag, mag_error, chi : ndarray of float64
    """

    x: np.ndarray
    y: np.ndarray
    ra: np.ndarray
    dec: np.ndarray
    mag: np.ndarray
    mag_error: np.ndarray
    chi: np.ndarray


@dataclass(frozen=True)
class Candidate:
    """One detection in a difference.

    Parameters
    ----------
    x, y : float
        0-based, as fitted.
    positive : bool
        Brighter in the science image.
    signal_to_noise : float
        Score at its peak.
    flux, flux_error : float
        Electrons, of the PSF fit; positive. Magnitudes are those of the photometry's zero point.
    record : dict
        Names of the alert's candidate record; None where a value could not be measured.
    """

    x: float
    y: float
    positive: bool
    signal_to_noise: float
    flux: float
    flux_error: float
    record: dict[str, Any]


@numba.njit(cache=True, nogil=True)
def _peaks(score: Float32Array, bad: BoolArray, threshold: float, reach: int) -> list[tuple[int, int, int]]:
    """Return rows, columns and signs of the extrema of |score| above a threshold, none closer than `reach`."""
    found = []
    rows, columns = score.shape
    for row in range(1, rows - 1):
        for column in range(1, columns - 1):
            value = score[row, column]
            size = abs(value)
            if size < threshold or bad[row, column]:
                continue
            sign = 1 if value > 0 else -1
            highest = True
            for j in range(max(row - reach, 0), min(row + reach + 1, rows)):
                for i in range(max(column - reach, 0), min(column + reach + 1, columns)):
                    other = sign * score[j, i]
                    if other > size or (other == size and (j < row or (j == row and i < column))):
                        highest = False
                        break
                if not highest:
                    break
            if highest:
                found.append((row, column, sign))
    return found


def find_peaks(difference: Difference, sigma: float) -> list[tuple[int, int, int]]:
    """Return row, column and sign of each peak of the score beyond `sigma`, none within a PSF's width of a higher."""
    rows, columns = difference.image.shape
    fwhm = difference.psf.fwhm((columns - 1) / 2, (rows - 1) / 2)
    return _peaks(difference.score, difference.bad, sigma, max(1, round(fwhm)))


def find_candidates(
    difference: Difference,
    photometry: Photometry,
    sources: ReferenceSources,
    settings: CandidateSettings | None = None,
    *,
    at_most: int = 1000,
) -> tuple[list[Candidate], dict[str, int]]:
    """Find and measure the candidates of a difference.

    Parameters
    ----------
    difference : Difference
    photometry : Photometry
    sources : ReferenceSources
    settings : CandidateSettings, optional
    at_most : int
        Peaks beyond this number are not measured: the difference is a bad one, and the caller refuses it.

    Returns
    -------
    candidates : list of Candidate
        Sorted by (y, x).
    dropped : dict of str to int
        How many peaks were no candidates, by cause: ``bad_pixels``, ``edge``, ``dipole``, ``not_fitted``,
        ``not_like_psf``, ``ridge``, ``star_residual``, ``crowd``; and ``peaks``, their number before any cut.
    """
    settings = settings or CandidateSettings()
    rows, columns = difference.image.shape
    fwhm = difference.psf.fwhm((columns - 1) / 2, (rows - 1) / 2)
    peaks = find_peaks(difference, settings.sigma)
    causes = ("bad_pixels", "edge", "dipole", "not_fitted", "not_like_psf", "ridge", "star_residual", "crowd")
    dropped = {"peaks": len(peaks)} | dict.fromkeys(causes, 0)
    if len(peaks) > at_most:
        return [], dropped
    stage = _Stage(difference, photometry, sources, settings, fwhm, _own_size(difference, fwhm))
    found = []
    for row, column, sign in peaks:
        outcome = stage.measure(row, column, sign)
        if isinstance(outcome, str):
            dropped[outcome] += 1
        else:
            found.append(outcome)
    found = _without_repeats(found, fwhm)
    apart = _out_of_crowds(found, peaks, difference.score, fwhm, settings)
    dropped["crowd"] = len(found) - len(apart)
    found = apart
    found.sort(key=lambda candidate: (candidate.y, candidate.x))
    for number, candidate in enumerate(found, start=1):
        candidate.record["tblid"] = number
    return found, dropped


def _without_repeats(found: list[Candidate], fwhm: float) -> list[Candidate]:
    """Keep the strongest of candidates whose fits ran to the same place."""
    if not found:
        return []
    ordered = sorted(found, key=lambda c: (-c.signal_to_noise, c.y, c.x))
    dropped: set[int] = set()
    for stronger, weaker in sorted(cKDTree([(c.x, c.y) for c in ordered]).query_pairs(0.7 * fwhm)):
        if stronger not in dropped:
            dropped.add(weaker)
    return [candidate for k, candidate in enumerate(ordered) if k not in dropped]


def _out_of_crowds(
    found: list[Candidate],
    peaks: list[tuple[int, int, int]],
    score: np.ndarray,
    fwhm: float,
    settings: CandidateSettings,
) -> list[Candidate]:
    """Drop those that are one of many peaks and stand out of them no further: a reflection, a bad edge."""
    reach, number, times = settings.crowd
    if len(peaks) < number or not found:
        return found
    places = np.array([(column, row) for row, column, _ in peaks], float)
    heights = np.array([abs(float(score[row, column])) for row, column, _ in peaks])
    near = cKDTree(places).query_ball_point([(c.x, c.y) for c in found], reach * fwhm)
    kept = []
    for candidate, members in zip(found, near, strict=True):
        distance = np.hypot(*(places[members] - (candidate.x, candidate.y)).T)
        others = heights[members][distance > 1.5 * fwhm]
        if len(others) < number or candidate.signal_to_noise >= times * float(np.median(others)):
            kept.append(candidate)
    return kept


@dataclass(frozen=True)
class _Stage:
    """All that measuring one peak needs."""

    difference: Difference
    photometry: Photometry
    sources: ReferenceSources
    settings: CandidateSettings
    fwhm: float
    own_size: float  # the PSF's width as `_moments` gives it

    def measure(self, row: int, column: int, sign: int) -> Candidate | str:
        """Return the candidate of a peak, or why it is none."""
        settings, difference = self.settings, self.difference
        bad = difference.bad
        tagged = difference.mask[max(row - 2, 0) : row + 3, max(column - 2, 0) : column + 3] & FATAL
        n_bad = int(np.count_nonzero(tagged)) + 25 - tagged.size
        if n_bad > settings.bad_pixels:
            return "bad_pixels"
        edge = self._edge_distance(column, row)
        if edge < settings.edge_px:
            return "edge"
        signal = sign * float(difference.score[row, column])
        reach = max(2, math.ceil(1.3 * self.fwhm))
        opposite = -float((sign * difference.score[_window(bad.shape, column, row, reach)]).min())
        if opposite > max(3.5, settings.dipole_ratio * signal):
            return "dipole"
        # On a star the noise is highest at its centre, and the score may peak beside it: start where the light does.
        top, left = self._light_peak(sign, row, column)
        fit = _fit_psf(sign, difference, left, top, self.fwhm, settings.model_error)
        if fit is None:
            return "not_fitted"
        if self._edge_distance(fit.x, fit.y) < settings.edge_px:
            return "edge"
        shape = _moments(sign, difference.filtered, bad, fit.x, fit.y, self.fwhm).scaled(self.fwhm / self.own_size)
        width = shape.fwhm / self.fwhm
        if fit.chi_square > settings.chi_square or not settings.sharp < width < settings.wide:
            return "not_like_psf"
        if self._is_on_ridge(fit.x, fit.y, sign, signal):
            return "ridge"
        if self._is_star_residual(fit.x, fit.y, fit.flux):
            return "star_residual"
        record = self._record(fit, shape, signal, row, column, sign, n_bad)
        return Candidate(fit.x, fit.y, sign > 0, signal, fit.flux, fit.flux_error * difference.noise_ratio, record)

    def _is_star_residual(self, x: float, y: float, flux: float) -> bool:
        """Tell whether a star so near is so bright that a residual of this flux is to be expected of it."""
        stars = self.difference.stars
        distance = np.hypot(stars.x - x, stars.y - y) / self.fwhm
        return any(
            bool(((distance < reach) & (stars.flux > times * flux)).any())
            for reach, times in self.settings.star_residuals
        )

    def _is_on_ridge(self, x: float, y: float, sign: int, signal: float) -> bool:
        """Tell whether a line of light leaves a place on two opposite sides: a trail, or the rim of a reflection.

        Along each of sixteen directions the median of the score is taken, from beyond the PSF's own light on. A bent
        line counts as well.
        """
        angles = np.arange(_DIRECTIONS) * 2 * math.pi / _DIRECTIONS
        columns, rows = (
            place + np.outer(turned, _RIDGE_FWHM) * self.fwhm
            for place, turned in ((x, np.cos(angles)), (y, np.sin(angles)))
        )
        along = sign * ndimage.map_coordinates(self.difference.score, [rows, columns], order=1, mode="constant")
        arms = np.median(along, axis=1)
        opposite = np.roll(arms, _DIRECTIONS // 2)
        opposite = np.max([np.roll(opposite, turn) for turn in (-1, 0, 1)], axis=0)
        ridge = float(np.minimum(arms, opposite).max())
        sigma, share = self.settings.ridge
        return ridge > max(sigma, share * signal)

    def _light_peak(self, sign: int, row: int, column: int) -> tuple[int, int]:
        """Return row and column of the filtered difference's maximum within about a PSF's width."""
        filtered = self.difference.filtered
        window = _window(filtered.shape, column, row, max(1, round(self.fwhm)))
        part = np.where(self.difference.bad[window], -np.inf, sign * filtered[window])
        j, i = np.unravel_index(int(np.argmax(part)), part.shape)
        return int(j) + window[0].start, int(i) + window[1].start

    def _edge_distance(self, x: float, y: float) -> float:
        rows, columns = self.difference.image.shape
        return float(min(x, y, columns - 1 - x, rows - 1 - y))

    def _record(
        self, fit: "_Fit", shape: "_Shape", signal: float, row: int, column: int, sign: int, n_bad: int
    ) -> dict[str, Any]:
        """Return the fields of the candidate record that pixels give."""
        difference, photometry, settings = self.difference, self.photometry, self.settings
        image = difference.image
        zero = photometry.zero_point
        magnitude = zero.magnitude(fit.flux)
        error = 1.0857 * fit.flux_error * difference.noise_ratio / fit.flux
        small = self._aperture(sign, fit.x, fit.y, settings.aperture_radius_px)
        big = self._aperture(sign, fit.x, fit.y, settings.big_aperture_radius_px)
        limit = zero.magnitude(difference.limiting_flux)
        stamp = sign * image[row - 2 : row + 3, column - 2 : column + 3]
        smooth = ndimage.median_filter(sign * image[row - 3 : row + 4, column - 3 : column + 4], 3)[1:-1, 1:-1]
        absolute = float(np.abs(smooth).sum())
        d_ratio = sign * float(image[row, column]) / difference.deviation
        s_ratio = float(sign * difference.filtered[row, column]) / difference.filtered_deviation
        record = {
            "isdiffpos": "t" if sign > 0 else "f",
            "xpos": fit.x + 1,
            "ypos": fit.y + 1,
            "magpsf": magnitude,
            "sigmapsf": error,
            "chipsf": fit.chi_square,
            "magap": small[0],
            "sigmagap": small[1],
            "magapbig": big[0],
            "sigmagapbig": big[1],
            "magdiff": None if small[0] is None else small[0] - magnitude,
            "diffmaglim": limit,
            "magfromlim": None if small[0] is None else limit - small[0],
            "sky": self._sky(sign, fit.x, fit.y),
            "fwhm": shape.fwhm,
            "seeratio": self.fwhm / shape.fwhm,
            "classtar": math.exp(-0.5 * ((shape.fwhm / self.fwhm - 1) / 0.25) ** 2),
            "aimage": shape.a,
            "bimage": shape.b,
            "aimagerat": shape.a / shape.fwhm,
            "bimagerat": shape.b / shape.fwhm,
            "elong": shape.a / shape.b,
            "mindtoedge": self._edge_distance(fit.x, fit.y),
            "nneg": int((stamp < 0).sum()),
            "nbad": n_bad,
            "sumrat": float(smooth.sum()) / absolute if absolute > 0 else 0.0,
            "scorr": signal,
            "dsnrms": d_ratio,
            "ssnrms": s_ratio,
            "dsdiff": d_ratio - s_ratio,
            "magzpsci": zero.value,
            "magzpsciunc": zero.uncertainty,
            "magzpscirms": zero.rms,
            "nmatches": zero.stars,
            "exptime": photometry.exposure_s,
            "rb": None,
        }
        return record | self._nearest(fit.x, fit.y)

    def _aperture(self, sign: int, x: float, y: float, radius: float) -> tuple[float | None, float | None]:
        """Return magnitude and error within a circle, good pixels only; None where its flux is not positive."""
        image = self.difference.image
        reach = math.ceil(radius) + 1
        window = _window(image.shape, x, y, reach)
        share = _circle_share(window, x, y, radius) * ~self.difference.bad[window]
        flux = sign * float((share * image[window]).sum())
        noise = math.sqrt(float((share * self.difference.variance[window]).sum())) * self.difference.noise_ratio
        if flux <= 0:
            return None, None
        return self.photometry.zero_point.magnitude(flux), 1.0857 * noise / flux

    def _sky(self, sign: int, x: float, y: float) -> float:
        """Return the median of the difference in a ring around a place, in electrons."""
        image = self.difference.image
        inner, outer = max(6.0, 2.5 * self.fwhm), max(12.0, 5 * self.fwhm)
        window = _window(image.shape, x, y, math.ceil(outer))
        rows, columns = np.mgrid[window]
        distance = np.hypot(columns - x, rows - y)
        chosen = (distance > inner) & (distance < outer) & ~self.difference.bad[window]
        return sign * float(np.median(image[window][chosen])) if chosen.any() else 0.0

    def _nearest(self, x: float, y: float) -> dict[str, Any]:
        """Return what is known of the nearest source of the reference."""
        names = ("distnr", "magnr", "sigmagnr", "chinr", "sharpnr", "ranr", "decnr")
        if not len(self.sources.x):
            return dict.fromkeys(names)
        distance = np.hypot(self.sources.x - x, self.sources.y - y)
        k = int(np.argmin(distance))
        values = (
            distance[k],
            self.sources.mag[k],
            self.sources.mag_error[k],
            self.sources.chi[k],
            None,
            self.sources.ra[k],
            self.sources.dec[k],
        )
        return {
            name: None if value is None or not math.isfinite(value) else float(value)
            for name, value in zip(names, values, strict=True)
        }


@dataclass(frozen=True)
class _Fit:
    x: float
    y: float
    flux: float
    flux_error: float
    chi_square: float


def _window(shape: tuple[int, int], x: float, y: float, reach: int) -> tuple[slice, slice]:
    row, column = round(y), round(x)
    return np.s_[
        max(row - reach, 0) : min(row + reach + 1, shape[0]),
        max(column - reach, 0) : min(column + reach + 1, shape[1]),
    ]


def _circle_share(window: tuple[slice, slice], x: float, y: float, radius: float) -> np.ndarray:
    """Return how much of each pixel of a window lies within a circle, to about a hundredth."""
    rows, columns = np.mgrid[window]
    share: np.ndarray = np.clip(radius + 0.5 - np.hypot(columns - x, rows - y), 0, 1)
    return share


def _fit_psf(
    sign: int, difference: Difference, column: int, row: int, fwhm: float, model_error: float
) -> _Fit | None:
    """Fit flux and place of the PSF about a peak of the difference or of its negative; None where the fit leaves it.

    All pixels count alike, as they do in the score: a weight that follows the noisy data would bias the flux.
    """
    psf, bad = difference.psf, difference.bad
    reach = min(psf.radius, max(3, math.ceil(1.5 * fwhm)))
    rows, columns = bad.shape
    top, left = row - reach, column - reach
    window = np.s_[max(top, 0) : min(row + reach + 1, rows), max(left, 0) : min(column + reach + 1, columns)]
    inner = np.s_[
        window[0].start - row + psf.radius : window[0].stop - row + psf.radius,
        window[1].start - column + psf.radius : window[1].stop - column + psf.radius,
    ]
    good = ~bad[window]
    data, noise2 = sign * difference.image[window].astype(np.float64), difference.variance[window].astype(np.float64)
    dx = dy = 0.0
    step = 0.05

    def model(a: float, b: float) -> np.ndarray:
        return psf.evaluate(column, row, dx=a, dy=b)[inner]

    for turn in range(8):
        here = model(dx, dy)
        if turn in (0, 2):  # the slopes change little once the place is about right
            slope_x = (model(dx + step, dy) - model(dx - step, dy)) / (2 * step)
            slope_y = (model(dx, dy + step) - model(dx, dy - step)) / (2 * step)
        design = np.stack([here[good], slope_x[good], slope_y[good]])
        try:
            solution = np.linalg.solve(design @ design.T, design @ data[good])
        except np.linalg.LinAlgError:
            return None
        if solution[0] <= 0:
            return None
        move_x, move_y = np.clip(solution[1:] / solution[0], -0.5, 0.5)
        dx, dy = dx + move_x, dy + move_y
        if max(abs(dx), abs(dy)) > max(1.5, 0.7 * fwhm):
            return None
        if max(abs(move_x), abs(move_y)) < 0.01:
            break
    here = model(dx, dy)
    square = float((here[good] ** 2).sum())
    flux = float((here[good] * data[good]).sum()) / square
    if flux <= 0:
        return None
    error = math.sqrt(float((here[good] ** 2 * noise2[good]).sum())) / square
    residual = (data - flux * here)[good]
    # The variance is that of sums; single pixels of a convolved image scatter less.
    expected = noise2[good] * difference.pixel_noise_ratio**2 + (model_error * flux * here[good]) ** 2
    chi_square = float((residual**2 / expected).sum()) / max(int(good.sum()) - 3, 1)
    return _Fit(column + dx, row + dy, flux, error, chi_square)


@dataclass(frozen=True)
class _Shape:
    a: float
    b: float
    fwhm: float

    def scaled(self, factor: float) -> "_Shape":
        return _Shape(self.a * factor, self.b * factor, self.fwhm * factor)


def _own_size(difference: Difference, fwhm: float) -> float:
    """Return what `_moments` gives for the width of the PSF itself: wings make it larger than its FWHM."""
    profile = difference.matched_filter.profile
    middle = profile.shape[0] // 2
    return _moments(1, profile, np.zeros(profile.shape, bool), middle, middle, fwhm).fwhm


def _moments(sign: int, filtered: np.ndarray, bad: np.ndarray, x: float, y: float, fwhm: float) -> _Shape:
    """Return the axes of a source in the filtered difference, scaled so that a point source has the PSF's size.

    The filtered image is the difference smoothed by its own PSF, which doubles a point source's second moments. They
    are taken under a round Gaussian of the smoothed PSF's width, whose effect on a Gaussian source is taken out.
    """
    sigma2 = 2 * (fwhm / 2.355) ** 2
    reach = math.ceil(2.5 * math.sqrt(sigma2))
    window = _window(filtered.shape, x, y, reach)
    rows, columns = np.mgrid[window]
    u, v = columns - x, rows - y
    weight = np.exp(-0.5 * (u**2 + v**2) / sigma2) * (sign * filtered[window]) * ~bad[window]
    total = float(weight.sum())
    if total <= 0:
        return _Shape(1e3, 1e3, 2355.0)
    moments = [float((weight * term).sum()) / total for term in (u * u, v * v, u * v)]
    matrix = np.array([[moments[0], moments[2]], [moments[2], moments[1]]])
    small, large = np.linalg.eigvalsh(matrix)
    small, large = (max(m, 0.05 * sigma2) for m in (small, large))
    axes2 = [m * sigma2 / max(sigma2 - m, 0.05 * sigma2) for m in (small, large)]
    b, a = (math.sqrt(value / 2) for value in axes2)
    return _Shape(a, b, 2.355 * math.sqrt((a * a + b * b) / 2))
