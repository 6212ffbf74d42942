"""Real or bogus: how much a candidate looks like a change in the sky and not like something that went wrong.

A few hundred small decision trees, boosted (Friedman 2001, Ann. Statist. 29, 1189), on features of a candidate's
surroundings in the difference and the reference. They are trained elsewhere; here they are read and applied.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numba
import numpy as np

from reduction.candidates import Candidate
from reduction.difference import Difference

__all__ = ["FEATURES", "RealBogusModel", "features", "read_model"]

FEATURES = (
    "fit_signal", "score_share", "chi_square", "width", "elongation", "sum_ratio", "negative_pixels",
    "aperture_excess", "bad_pixels", "sharpness", "opposite_near", "opposite_far", "same_far", "psf_share",
    "star_share", "psf_over_star", "light", "flux_over_light", "nearest_distance", "flux_over_nearest",
    "ring_scatter", "negative", "asymmetry", "flux_over_shift", "flux_over_scatter", "bad_about", "halo",
)  # fmt: skip
_HALF = 4  # of the stamps that are fitted


def features(difference: Difference, candidates: Sequence[Candidate]) -> np.ndarray:
    """Return what tells real from bogus, shape (candidates, features), all finite.

    Ratios are logarithms, bounded; lengths are in units of the PSF's width and fluxes in those of their noise, so
    that a model serves images of other seeing and depth.
    """
    rows, columns = difference.image.shape
    fwhm = difference.psf.fwhm((columns - 1) / 2, (rows - 1) / 2)
    table = [_of(difference, candidate, fwhm) for candidate in candidates]
    return np.array(table, np.float32).reshape(-1, len(FEATURES))


def _log(value: float, least: float = 1e-3, most: float = 1e4) -> float:
    return math.log10(min(max(value, least), most))


def _of(difference: Difference, candidate: Candidate, fwhm: float) -> list[float]:
    record, sign = candidate.record, 1.0 if candidate.positive else -1.0
    row, column = round(candidate.y), round(candidate.x)
    signal = candidate.flux / max(candidate.flux_error, 1e-9)
    near, far = _score_about(difference, row, column, sign, fwhm)
    stamp, psf, star = _stamps(difference, candidate, row, column, sign)
    light = float(star[0][_HALF - 1 : _HALF + 2, _HALF - 1 : _HALF + 2].mean())
    noise = difference.deviation
    psf_share, star_share = _explained(stamp, [psf]), _explained(stamp, star)
    peak = float(psf.max())
    distance, flux = _nearest_star(difference, candidate)
    excess = record["magdiff"]
    height = max(candidate.signal_to_noise, 1e-3)
    return [
        _log(signal),
        _log(candidate.signal_to_noise / max(signal, 1e-3)),
        _log(record["chipsf"]),
        _log(record["fwhm"] / fwhm),
        _log(record["elong"]),
        float(record["sumrat"]),
        record["nneg"] / 25,
        1.5 if excess is None else min(max(excess, -1.5), 1.5),
        record["nbad"] / 25,
        _log(float(stamp[_HALF, _HALF]) / max(candidate.flux * peak, 1e-9)),
        float(-near.min()) / height,
        float(-far.min()) / height,
        float(far.max()) / height,
        psf_share,
        star_share,
        _log((1.02 - star_share) / (1.02 - psf_share)),
        _log(1 + max(light, 0.0) / noise),
        _log(candidate.flux * peak / max(light, 0.1 * noise)),
        _log(distance / fwhm, 0.01, 10),
        _log(candidate.flux / max(flux, 1e-3)),
        _log(float(np.std(far)) + 0.01),
        float(not candidate.positive),
        _asymmetry(stamp),
        *_over_expected(difference, candidate.flux * psf, star),
        float(difference.bad[max(row - 7, 0) : row + 8, max(column - 7, 0) : column + 8].mean()),
        _log(_halo(difference, candidate, fwhm) / candidate.flux),
    ]


def _score_about(
    difference: Difference, row: int, column: int, sign: float, fwhm: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return the score within 1.3 PSF widths of a candidate, and from there to 3.5."""
    reach = math.ceil(3.5 * fwhm)
    rows, columns = difference.score.shape
    j0, i0 = max(row - reach, 0), max(column - reach, 0)
    part = sign * difference.score[j0 : min(row + reach + 1, rows), i0 : min(column + reach + 1, columns)]
    v, u = np.ogrid[j0 - row : j0 - row + part.shape[0], i0 - column : i0 - column + part.shape[1]]
    distance = np.sqrt(u * u + v * v) / fwhm
    return part[distance <= 1.3], part[(distance > 1.7) & (distance <= 3.5)]


def _stamps(
    difference: Difference, candidate: Candidate, row: int, column: int, sign: float
) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """Return the difference about a candidate, the PSF there, and what a star's residual is made of."""
    image = sign * _cut(difference.image, row, column, _HALF)
    wide = _cut(difference.matched, row, column, _HALF + 1)
    middle = difference.psf.radius
    inner = slice(middle - _HALF, middle + _HALF + 1)
    psf = difference.psf.evaluate(column, row, dx=candidate.x - column, dy=candidate.y - row)[inner, inner]
    light = wide[1:-1, 1:-1]
    slope_x, slope_y = (wide[1:-1, 2:] - wide[1:-1, :-2]) / 2, (wide[2:, 1:-1] - wide[:-2, 1:-1]) / 2
    laplacian = wide[1:-1, 2:] + wide[1:-1, :-2] + wide[2:, 1:-1] + wide[:-2, 1:-1] - 4 * light
    return image, psf, [light, slope_x, slope_y, laplacian]


def _cut(image: np.ndarray, row: int, column: int, half: int) -> np.ndarray:
    """Return a stamp in float64, zero beyond the image's edge."""
    stamp = np.zeros((2 * half + 1, 2 * half + 1))
    rows, columns = image.shape
    top, left = max(row - half, 0), max(column - half, 0)
    part = image[top : min(row + half + 1, rows), left : min(column + half + 1, columns)]
    stamp[top - row + half : top - row + half + part.shape[0], left - column + half :][:, : part.shape[1]] = part
    return stamp


def _explained(stamp: np.ndarray, parts: list[np.ndarray]) -> float:
    """Return the share of a stamp's power that a sum of patterns explains."""
    total = float((stamp**2).sum())
    design = np.stack([part.ravel() for part in parts], axis=1)
    norms = np.sqrt((design**2).sum(axis=0))
    if total <= 0 or not norms.all():
        return 0.0
    solution = np.linalg.lstsq(design / norms, stamp.ravel(), rcond=1e-6)[0]
    return float(np.clip(1 - ((stamp.ravel() - design / norms @ solution) ** 2).sum() / total, 0, 1))


def _nearest_star(difference: Difference, candidate: Candidate) -> tuple[float, float]:
    """Return distance and flux of the nearest source of the reference."""
    stars = difference.stars
    if not len(stars.x):
        return math.inf, 0.0
    distance = np.hypot(stars.x - candidate.x, stars.y - candidate.y)
    k = int(np.argmin(distance))
    return float(distance[k]), float(stars.flux[k])


def _over_expected(difference: Difference, source: np.ndarray, star: list[np.ndarray]) -> tuple[float, float]:
    """Return the power of a source over what stars of this image leave there, by scatter of place and of flux."""
    light, slope_x, slope_y, laplacian = star
    scatter, floor = difference.scatter, 1e-3
    power = float((source**2).sum())
    shift = (max(scatter.shift_x_px, floor) * slope_x) ** 2 + (max(scatter.shift_y_px, floor) * slope_y) ** 2
    flux = (max(scatter.flux, floor) * light) ** 2 + (max(scatter.width, floor) * laplacian) ** 2
    return _log(power / max(float(shift.sum()), 1e-6)), _log(power / max(float(flux.sum()), 1e-6))


def _halo(difference: Difference, candidate: Candidate, fwhm: float) -> float:
    """Return the largest of the fluxes of stars about, each over the cube of its distance in PSF widths."""
    stars = difference.stars
    if not len(stars.x):
        return 0.0
    distance = np.hypot(stars.x - candidate.x, stars.y - candidate.y) / fwhm
    return float((stars.flux / np.maximum(distance, 1.0) ** 3).max())


def _asymmetry(stamp: np.ndarray) -> float:
    """Return the power of a stamp's odd part over that of its even part, logarithmic."""
    odd, even = stamp - stamp[::-1, ::-1], stamp + stamp[::-1, ::-1]
    return _log(float((odd**2).sum()) / max(float((even**2).sum()), 1e-9))


@dataclass(frozen=True)
class RealBogusModel:
    """A trained model: trees one after the other in flat arrays.

    Parameters
    ----------
    version : str
    offset : float
        Logit of a candidate before any tree.
    roots : ndarray of int32, shape (trees,)
        Index of each tree's first node.
    feature : ndarray of int32, shape (nodes,)
        By which a node divides; -1 for a leaf.
    value : ndarray of float32, shape (nodes,)
        A node's threshold: what does not exceed it goes to the left; a leaf's part of the logit.
    left, right : ndarray of int32, shape (nodes,)
        Index of the next node.
    record : dict
        How it was trained and how it did.
    """

    version: str
    offset: float
    roots: np.ndarray
    feature: np.ndarray
    value: np.ndarray
    left: np.ndarray
    right: np.ndarray
    record: dict

    def score(self, table: np.ndarray) -> np.ndarray:
        """Return 0 (bogus) to 1 (real) for each row of features."""
        rows = np.ascontiguousarray(table, np.float32)
        logit = self.offset + _sum_trees(rows, self.roots, self.feature, self.value, self.left, self.right)
        return 1 / (1 + np.exp(-np.clip(logit, -30, 30)))

    def to_json(self) -> dict:
        """Return the model as JSON can hold it; `read_model` reads it."""
        whole = {name: getattr(self, name).tolist() for name in ("roots", "feature", "left", "right")}
        # nine digits bring a float32 back as it was
        value = [float(f"{number:.9g}") for number in self.value.tolist()]
        named = {"version": self.version, "features": list(FEATURES), "offset": self.offset, "record": self.record}
        return {**named, **whole, "value": value}


@numba.njit(cache=True, nogil=True)
def _sum_trees(rows, roots, feature, value, left, right):
    total = np.zeros(len(rows))
    for k in range(len(rows)):
        for root in roots:
            node = root
            while feature[node] >= 0:
                node = left[node] if rows[k, feature[node]] <= value[node] else right[node]
            total[k] += value[node]
    return total


def read_model(path: Path) -> RealBogusModel:
    """Read a model.

    Raises
    ------
    ValueError
        Where it was trained on other features than these.
    """
    content = json.loads(path.read_text())
    if tuple(content["features"]) != FEATURES:
        raise ValueError(f"model {path.name} was trained on other features: train it anew")
    whole = {name: np.array(content[name], np.int32) for name in ("roots", "feature", "left", "right")}
    value = np.array(content["value"], np.float32)
    return RealBogusModel(
        version=content["version"], offset=content["offset"], value=value, record=content["record"], **whole
    )
