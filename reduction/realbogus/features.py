"""What tells real candidates from bogus: measured on a candidate's surroundings in the difference and the reference.

Three explanations of a stamp are held against each other, by least squares with the noise of the pixels: what stars
leave (`star_residuals`: foretold here from the stars about, with the scatter that such a foretelling has in
this image), the same with a point source on it, and, in the science image as the detector gave it, pixels alone or in
a row that the optics never saw. The score is not looked at: it may hold a term for the noise of stars or none, and
what was learnt with the one has to serve with the other.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np

from reduction.difference.candidates import Candidate
from reduction.difference.difference import Difference, Psf
from reduction.difference.star_residuals import PATTERNS, measure_star_residuals, star_patterns
from reduction.image.frame import Frame

__all__ = ["FEATURES", "features"]

_RECORDED = (
    "chi_square", "width", "elongation", "sum_ratio", "negative_pixels", "aperture_excess", "bad_pixels", "negative",
)  # fmt: skip
_ABOUT = (
    "filtered_signal", "filtered_share", "opposite_near", "opposite_far", "same_far", "ring_scatter",
    "bad_about", "masked_about", "local_variance",
)  # fmt: skip
_EXPLAINED = (
    "signal", "chi_square_point", "chi_square_outside", "sharpness", "asymmetry", "point_share", "star_share",
    "point_over_star", "signal_beyond_star", "signal_beyond_stars_about", "chi_square_star", "chi_square_both",
    "gain_of_point", "foretold", "may_be_left", "model_error",
)  # fmt: skip
_HITS = ("signal_unconvolved", "gain_of_pixel", "gain_of_2_pixels", "gain_of_4_pixels", "gain_of_track")
_STARS = (
    "light", "flux_over_light", "nearest_distance", "flux_over_nearest", "halo", "brightest_distance",
    "flux_over_brightest",
)  # fmt: skip
_IMAGE = ("shift_scatter", "flux_scatter", "foretold_scatter", "width_of_image")
FEATURES = (*_RECORDED, *_ABOUT, *_EXPLAINED, *_HITS, *_STARS, *_IMAGE)

_HALF = 5  # of the stamps that are explained
_SIDE = 2 * _HALF + 1
_MIDDLE = _SIDE * _SIDE // 2
_STEP_Y, _STEP_X = np.mgrid[-_HALF : _HALF + 1, -_HALF : _HALF + 1].reshape(2, -1)
_UNMATCHED = 0.3  # of the light: by so much two images of a star differ whose PSFs were not made equal
_LEVEL = 0.3  # of the noise in a pixel: by so much the level about a candidate may be off
_APART = 3.0  # FWHM: stars nearer than this do not foretell what is left at a place


def features(difference: Difference, science: Frame, candidates: Sequence[Candidate]) -> np.ndarray:
    """Return what tells real from bogus, shape (candidates, features), float32, all finite.

    `science` is the image that was differenced.

    Ratios are logarithms, bounded; lengths are in units of the PSF's width and fluxes in those of their noise, so
    that a model serves images of other seeing and depth.
    """
    if not candidates:
        return np.zeros((0, len(FEATURES)), np.float32)
    field = _Field(difference, science, candidates)
    rows = []
    for k, candidate in enumerate(candidates):
        view = field.view(candidate)
        local = [field.about(view), field.explained(k, view), field.hits(view), field.by_stars(view)]
        rows.append([*field.recorded(candidate), *chain.from_iterable(local), *field.of_image])
    return np.nan_to_num(np.array(rows, np.float32), posinf=9.0, neginf=-9.0)


def _log(value: float, least: float = 1e-3, most: float = 1e4) -> float:
    return math.log10(min(max(value, least), most))


def _bounded(value: float, most: float) -> float:
    return min(max(value, -most), most)


def _cut(image: np.ndarray, row: int, column: int, half: int, beyond: float = 0.0) -> np.ndarray:
    """Return a stamp in float64, with a constant beyond the image's edge."""
    stamp = np.full((2 * half + 1, 2 * half + 1), beyond)
    rows, columns = image.shape
    top, left = max(row - half, 0), max(column - half, 0)
    part = image[top : min(row + half + 1, rows), left : min(column + half + 1, columns)]
    stamp[top - row + half : top - row + half + part.shape[0], left - column + half :][:, : part.shape[1]] = part
    return stamp


def _stamp(psf: Psf, row: int, column: int, x: float, y: float) -> np.ndarray:
    """Return the PSF of a star at (x, y) in the stamp about a pixel, flat."""
    whole = psf.evaluate(column, row, dx=x - column, dy=y - row)
    return _cut(whole, psf.radius, psf.radius, _HALF).ravel()


def _tracks() -> tuple[np.ndarray, np.ndarray]:
    """Return single pixels near the middle, and straight rows of pixels near it, each of shape (n, pixels)."""
    alone = np.zeros((7, 7, _SIDE, _SIDE))
    for top in range(7):
        for left in range(7):
            alone[top, left, _HALF - 3 + top, _HALF - 3 + left] = 1.0
    rows = set()
    for angle in np.arange(16) * math.pi / 16:
        for reach in (1.0, 2.0, 3.0, 5.0):
            steps = np.arange(-reach, reach + 0.1, 0.5)
            for along in (-2.0, 0.0, 2.0):
                for aside in (-1.0, 0.0, 1.0):
                    x = (steps + along) * math.cos(angle) - aside * math.sin(angle)
                    y = (steps + along) * math.sin(angle) + aside * math.cos(angle)
                    j, i = (np.rint(v).astype(int) + _HALF for v in (y, x))
                    inside = (j >= 0) & (j < _SIDE) & (i >= 0) & (i < _SIDE)
                    rows.add(tuple(sorted({int(k) for k in j[inside] * _SIDE + i[inside]})))
    tracks = np.zeros((len(rows), _SIDE * _SIDE))
    for k, members in enumerate(sorted(rows)):
        tracks[k, list(members)] = 1.0
    return alone.reshape(49, -1), tracks


_ALONE, _TRACKS = _tracks()


@dataclass(frozen=True)
class _View:
    """A candidate's stamp, flat and positive: the difference, the PSF on it, variance of sums, matched reference."""

    candidate: Candidate
    row: int
    column: int
    sign: float
    data: np.ndarray
    good: np.ndarray
    psf: np.ndarray
    variance: np.ndarray
    light: np.ndarray  # shape (side + 2, side + 2): with a margin


class _Field:
    """What all candidates of a difference share, and the features of each."""

    def __init__(self, difference: Difference, science: Frame, candidates: Sequence[Candidate]) -> None:
        self.difference, self.science = difference, science
        rows, columns = difference.image.shape
        self.fwhm = difference.psf.fwhm((columns - 1) / 2, (rows - 1) / 2)
        good = difference.variance[~difference.bad]
        self.sky = float(np.median(good[:: max(1, good.size // 50_000)])) if good.size else 1.0
        self.residuals = measure_star_residuals(difference)
        x, y = np.array([(c.x, c.y) for c in candidates]).T
        self.foretold, self.spread = self.residuals.foretell(x, y, beyond=_APART * self.fwhm)
        shift = np.hypot(*self.residuals.scatter[1:3])
        self.of_image = [
            _log(float(shift)),
            _log(float(self.residuals.scatter[0])),
            _log(float(np.hypot(*self.residuals.left[1:3]) / shift)),
            _log(self.fwhm),
        ]

    def view(self, candidate: Candidate) -> _View:
        """Return a candidate's stamp."""
        difference, sign = self.difference, 1.0 if candidate.positive else -1.0
        row, column = round(candidate.y), round(candidate.x)
        variance = _cut(difference.variance, row, column, _HALF).ravel()
        return _View(
            candidate, row, column, sign,
            data=sign * _cut(difference.image, row, column, _HALF).ravel(),
            good=_cut(difference.bad, row, column, _HALF, 1.0).ravel() == 0,
            psf=_stamp(difference.psf, row, column, candidate.x, candidate.y),
            variance=np.where(variance > 0, variance, self.sky),
            light=_cut(difference.matched, row, column, _HALF + 1),
        )  # fmt: skip

    def recorded(self, candidate: Candidate) -> list[float]:
        """Return what the candidate's record says of its shape."""
        record = candidate.record
        excess = record["magdiff"]
        return [
            _log(record["chipsf"]),
            _log(record["fwhm"] / self.fwhm),
            _log(record["elong"]),
            float(record["sumrat"]),
            record["nneg"] / 25,
            1.5 if excess is None else _bounded(excess, 1.5),
            record["nbad"] / 25,
            float(not candidate.positive),
        ]

    def about(self, view: _View) -> list[float]:
        """Return how the filtered difference looks at a candidate and around it, and what is bad there."""
        difference, candidate, row, column = self.difference, view.candidate, view.row, view.column
        reach = math.ceil(3.5 * self.fwhm)
        part = view.sign * _cut(difference.filtered, row, column, reach)
        v, u = np.ogrid[-reach : reach + 1, -reach : reach + 1]
        distance = np.hypot(u - (candidate.x - column), v - (candidate.y - row)) / self.fwhm
        height = max(float(part[distance <= 0.6].max()), 1e-3)
        far = part[(distance > 1.7) & (distance <= 3.5)]
        weight = view.psf**2
        variance = float(view.variance @ weight / weight.sum()) / self.sky
        signal = height / (difference.filtered_deviation * math.sqrt(max(variance, 0.1)))
        window = np.s_[max(row - 7, 0) : row + 8, max(column - 7, 0) : column + 8]
        return [
            _log(signal, 0.1),
            _bounded(signal * candidate.flux_error / candidate.flux, 3.0),
            float(-part[distance <= 1.3].min()) / height,
            float(-far.min()) / height,
            float(far.max()) / height,
            _log(float(far.std()) / difference.filtered_deviation, 0.1),
            float(difference.bad[window].mean()),
            float((difference.mask[window] != 0).mean()),
            _log(variance, 0.1),
        ]

    def explained(self, k: int, view: _View) -> list[float]:
        """Return how well a point source, a star's residual and both together explain what is seen."""
        data, psf, good, left = view.data, view.psf, view.good, self.residuals.left
        noise2 = view.variance * self.difference.pixel_noise_ratio**2
        patterns = star_patterns(view.light).reshape(len(PATTERNS), -1)
        number = max(int(good.sum()), 5)

        plain = np.where(good, 1 / noise2, 0.0)
        information = max(float(psf**2 @ plain), 1e-30)
        flux = float(psf * plain @ data) / information
        signal = max(flux * math.sqrt(information), 0.1)
        rest2 = (data - flux * psf) ** 2 * plain
        dx, dy = view.candidate.x - view.column, view.candidate.y - view.row
        outside = good & (np.hypot(_STEP_X - dx, _STEP_Y - dy) > self.fwhm)

        expected = view.sign * self.foretold[k] @ patterns
        weight = np.where(good, 1 / (noise2 + (self.residuals.model_error * patterns[0]) ** 2), 0.0)
        level = np.full((1, data.size), _LEVEL * math.sqrt(self.sky))
        free = np.concatenate([patterns * left[:, None], level])
        usual = _Explanation(weight, free)
        local = _Explanation(weight, np.concatenate([patterns * np.hypot(left, self.spread[k])[:, None], level]))
        rest = data - expected
        chi_square, gain = usual.chi_square(rest), usual.gain(rest, psf)
        point_share, star_share = _explained(data, good, psf[None]), _explained(data, good, patterns)
        beyond_star = math.copysign(math.sqrt(abs(gain)), gain)
        beyond_local = local.gain(rest, psf)
        may = math.sqrt(float((((free[:-1] * plain) @ psf) ** 2).sum())) / information
        return [
            _log(signal, 0.1),
            _log(float(rest2.sum()) / number),
            _log(float(rest2[outside].mean()) if outside.any() else 1.0),
            _log(data[_MIDDLE] / max(flux * psf.max(), 1e-9)),
            _asymmetry(data),
            point_share,
            star_share,
            _log((1.02 - star_share) / (1.02 - point_share)),
            _log(beyond_star, 0.1),
            _bounded(math.copysign(math.sqrt(abs(beyond_local)), beyond_local) / signal, 2.0),
            _log(chi_square / number),
            _log((chi_square - max(gain, 0.0)) / number),
            _log(gain / max(chi_square - gain, 0.01) * number, 0.01),
            _bounded(float(psf * plain @ expected) / information / max(flux, 1e-3), 3.0),
            _log(may / max(abs(flux), 1e-3), 1e-4, 1e2),
            _log(self.residuals.model_error * float(patterns[0].max()) / math.sqrt(self.sky)),
        ]

    def hits(self, view: _View) -> list[float]:
        """Return whether pixels alone or in a row explain what is seen before the optics' PSF does.

        Where the science image was convolved, hits are as wide as stars in the difference: the image is then looked
        at as it was, less the reference, and little weight is given to where the reference has light.
        """
        difference, row, column = self.difference, view.row, view.column
        kernel, light = difference.psf.kernel, view.light[1:-1, 1:-1].ravel()
        if kernel is None:
            data, psf = view.data, view.psf
            noise2 = view.variance * difference.pixel_noise_ratio**2 + (self.residuals.model_error * light) ** 2
        else:
            data = view.sign * (_cut(self.science.image, row, column, _HALF).ravel() - light)
            noise2 = view.variance + (_UNMATCHED * light) ** 2
            local = kernel.at(column, row)
            steps = np.arange(len(local)) - len(local) // 2
            x = view.candidate.x - _bounded(float(local.sum(axis=0) @ steps / local.sum()), 2.0)
            y = view.candidate.y - _bounded(float(local.sum(axis=1) @ steps / local.sum()), 2.0)
            psf = _stamp(difference.psf.science, row, column, x, y)
        level = np.full((1, data.size), _LEVEL * math.sqrt(self.sky))
        pixels = _Explanation(np.where(view.good, 1 / noise2, 0.0), level)
        rest = np.where(view.good, data, 0.0)
        point = max(pixels.gain(rest, psf), 0.1)
        alone = pixels.gains_of_pixels(rest, _ALONE, 4)
        track = pixels.gains_of_pixels(rest, _TRACKS, 1)[0]
        return [
            _log(math.sqrt(point), 0.1),
            *(_log(gain / point, 0.01, 100) for gain in (alone[0], alone[1], alone[3], track)),
        ]

    def by_stars(self, view: _View) -> list[float]:
        """Return what is known of the sources of the reference at a candidate and about it."""
        difference, candidate = self.difference, view.candidate
        stars = difference.stars
        light = float(view.light[_HALF : _HALF + 3, _HALF : _HALF + 3].mean())
        peak = candidate.flux * float(view.psf.max())
        here = [_log(1 + max(light, 0.0) / difference.deviation), _log(peak / max(light, 0.1 * difference.deviation))]
        if not len(stars.x):
            return [*here, 1.0, 3.0, -3.0, 1.0, 3.0]
        distance = np.hypot(stars.x - candidate.x, stars.y - candidate.y) / self.fwhm
        nearest = int(np.argmin(distance))
        brightest = int(np.argmax(stars.flux * np.exp(-(distance**2) / 8)))
        halo = float((stars.flux / np.maximum(distance, 1.0) ** 3).max())
        return [
            *here,
            _log(float(distance[nearest]), 0.01, 10),
            _log(candidate.flux / max(float(stars.flux[nearest]), 1e-3)),
            _log(halo / candidate.flux),
            _log(float(distance[brightest]), 0.01, 10),
            _log(candidate.flux / max(float(stars.flux[brightest]), 1e-3), 1e-5),
        ]


class _Explanation:
    """Pixels with independent noise and patterns on them whose amplitudes are Gaussian with deviation 1.

    The inverse of their covariance is never made: by the identity of Woodbury it takes one small matrix.
    """

    def __init__(self, weight: np.ndarray, patterns: np.ndarray) -> None:
        self._weight, self._weighted = weight, patterns * weight
        self._inverse = np.linalg.inv(self._weighted @ patterns.T + np.eye(len(patterns)))

    def _solved(self, data: np.ndarray) -> np.ndarray:
        """Return the inverse covariance times data."""
        solved: np.ndarray = self._weight * data - (data @ self._weighted.T @ self._inverse) @ self._weighted
        return solved

    def chi_square(self, data: np.ndarray) -> float:
        """Return by how much data are more than such noise."""
        return float(data @ self._solved(data))

    def gain(self, data: np.ndarray, pattern: np.ndarray) -> float:
        """Return by how much a pattern of free amplitude lowers the chi square; negative where it has to be one."""
        solved = self._solved(pattern)
        overlap = float(solved @ data)
        return overlap * abs(overlap) / max(float(solved @ pattern), 1e-30)

    def gains_of_pixels(self, data: np.ndarray, hits: np.ndarray, number: int) -> list[float]:
        """Return by how much 1, 2, ... of many positive patterns lower the chi square, the best first each time.

        `hits` are sets of pixels: patterns of 0 and 1, shape (n, pixels).
        """
        on_patterns = hits @ self._weighted.T
        information = hits @ self._weight - ((on_patterns @ self._inverse) * on_patterns).sum(axis=1)
        information = np.maximum(information, 1e-30)
        overlap = hits @ self._solved(data)
        total, gains = 0.0, []
        for turn in range(number):
            gain = np.maximum(overlap, 0) ** 2 / information
            best = int(np.argmax(gain))
            total += float(gain[best])
            gains.append(total)
            if turn + 1 < number:
                overlap = overlap - max(overlap[best], 0.0) / information[best] * (hits @ self._solved(hits[best]))
        return gains


def _explained(data: np.ndarray, good: np.ndarray, patterns: np.ndarray) -> float:
    """Return the share of a stamp's power that a sum of patterns explains, each pixel counting alike."""
    seen, design = data[good], patterns[:, good].T
    total, norms = float((seen**2).sum()), np.sqrt((design**2).sum(axis=0))
    if total <= 0 or not norms.all():
        return 0.0
    solution = np.linalg.lstsq(design / norms, seen, rcond=1e-6)[0]
    return float(np.clip(1 - ((seen - design / norms @ solution) ** 2).sum() / total, 0, 1))


def _asymmetry(data: np.ndarray) -> float:
    """Return the power of a stamp's odd part over that of its even part, logarithmic."""
    odd, even = data - data[::-1], data + data[::-1]
    return _log(float((odd**2).sum()) / max(float((even**2).sum()), 1e-9))
