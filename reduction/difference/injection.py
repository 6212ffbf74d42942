"""New sources put into an image that was taken: what part of them the search finds is its completeness."""

from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial import cKDTree

from reduction.difference.candidates import Candidate
from reduction.difference.difference import Difference, Psf
from reduction.image.frame import Frame
from reduction.image.mask import FATAL

__all__ = ["BINS", "Injected", "inject", "plan_injection", "recovery"]

BINS = {"snr5_6": (5.0, 6.0), "snr6_8": (6.0, 8.0), "snr8_up": (8.0, 40.0)}
MATCH_FWHM = 0.8
_APART_PX = 15.0
_MARGIN_PX = 12


@dataclass(frozen=True)
class Injected:
    """Sources that were put in.

    Parameters
    ----------
    x, y : ndarray of float64
        0-based pixels.
    flux, signal : ndarray of float64
        Electrons; over the median noise of a point source's flux in the difference.
    """

    x: np.ndarray
    y: np.ndarray
    flux: np.ndarray
    signal: np.ndarray


def plan_injection(
    difference: Difference,
    candidates: list[Candidate],
    hosts: tuple[np.ndarray, np.ndarray],
    random: np.random.Generator,
    *,
    number: int,
) -> Injected:
    """Choose places and fluxes: a third near `hosts`, none on bad pixels, near a candidate or near another.

    Parameters
    ----------
    difference : Difference
        Of the image as it is.
    candidates : list of Candidate
        Of that difference.
    hosts : (ndarray, ndarray)
        x and y of galaxies.
    random : numpy.random.Generator
    number : int
        How many are wanted; a small image takes fewer.
    """
    rows, columns = difference.image.shape
    number = min(number, int(rows * columns / (4 * _APART_PX) ** 2))
    x, y = (
        random.uniform(_MARGIN_PX, [columns - _MARGIN_PX], 6 * number),
        random.uniform(_MARGIN_PX, [rows - _MARGIN_PX], 6 * number),
    )
    if len(hosts[0]):
        third = len(x) // 3
        chosen = random.integers(len(hosts[0]), size=third)
        x[::3][:third] = hosts[0][chosen] + random.normal(0, 1.5, third)
        y[::3][:third] = hosts[1][chosen] + random.normal(0, 1.5, third)
    taken = np.array([(c.x, c.y) for c in candidates]).reshape(-1, 2)
    usable = _usable(difference, x, y, taken)
    x, y = _apart(x[usable], y[usable], number)
    names = list(BINS)
    bins = np.array([BINS[names[k]] for k in random.choice(3, len(x), p=[0.3, 0.35, 0.35])]).reshape(-1, 2)
    signal = bins[:, 0] * (bins[:, 1] / bins[:, 0]) ** random.uniform(0, 1, len(x))
    return Injected(x, y, signal * difference.limiting_flux / 5, signal)


def _usable(difference: Difference, x: np.ndarray, y: np.ndarray, taken: np.ndarray) -> np.ndarray:
    rows, columns = difference.image.shape
    inside = (x > _MARGIN_PX) & (y > _MARGIN_PX) & (x < columns - _MARGIN_PX - 1) & (y < rows - _MARGIN_PX - 1)
    row, column = (
        np.rint(np.where(inside, y, _MARGIN_PX)).astype(int),
        np.rint(np.where(inside, x, _MARGIN_PX)).astype(int),
    )
    tagged = difference.bad | ((difference.mask & np.uint16(FATAL)) != 0)
    usable: np.ndarray = inside & np.array(
        [not tagged[j - 2 : j + 3, i - 2 : i + 3].any() for j, i in zip(row, column, strict=True)], bool
    )
    if len(taken):
        usable &= cKDTree(taken).query(np.column_stack([x, y]))[0] > _APART_PX
    return usable


def _apart(x: np.ndarray, y: np.ndarray, number: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the first so many places none of which is near another."""
    kept: list[int] = []
    for k in range(len(x)):
        if len(kept) == number:
            break
        if not kept or np.hypot(x[kept] - x[k], y[kept] - y[k]).min() > _APART_PX:
            kept.append(k)
    return x[kept], y[kept]


def inject(frame: Frame, psf: Psf, sources: Injected, random: np.random.Generator) -> Frame:
    """Return the frame with the sources in it, and the noise of their photons."""
    assert frame.variance is not None
    image, variance = frame.image.copy(), frame.variance.copy()
    rows, columns = frame.shape
    radius = psf.radius
    for x, y, flux in zip(sources.x, sources.y, sources.flux, strict=True):
        row, column = round(float(y)), round(float(x))
        stamp = flux * psf.evaluate(column, row, dx=float(x) - column, dy=float(y) - row)
        top, left = max(row - radius, 0), max(column - radius, 0)
        part = np.s_[top : min(row + radius + 1, rows), left : min(column + radius + 1, columns)]
        light = np.maximum(stamp[top - row + radius :, left - column + radius :], 0)
        light = light[: image[part].shape[0], : image[part].shape[1]]
        image[part] += light + random.normal(0, 1, light.shape) * np.sqrt(light)
        variance[part] += light
    return replace(frame, image=image, variance=variance)


def recovery(sources: Injected, candidates: list[Candidate], fwhm: float) -> dict[str, int]:
    """Return how many were put in and found again, by signal to noise: ``injected_<bin>``, ``recovered_<bin>``."""
    places = np.array([(c.x, c.y) for c in candidates if c.positive]).reshape(-1, 2)
    found = np.zeros(len(sources.x), bool)
    if len(places) and len(found):
        found = cKDTree(places).query(np.column_stack([sources.x, sources.y]))[0] < max(1.5, MATCH_FWHM * fwhm)
    counts = {}
    for name, (least, most) in BINS.items():
        members = (sources.signal >= least) & (sources.signal < most)
        counts[f"injected_{name}"], counts[f"recovered_{name}"] = int(members.sum()), int(found[members].sum())
    return counts
