"""Pairs of images of one small sky, drawn with PSFs that are known exactly."""

from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from astropy.wcs import WCS

from reduction.difference.candidates import (
    Candidate,
    CandidateSettings,
    Photometry,
    ReferenceSources,
    find_candidates,
)
from reduction.difference.difference import Difference, DifferenceSettings, make_difference
from reduction.difference.score import MatchedStars
from reduction.image.frame import Frame
from reduction.measure.psf import PsfModel
from reduction.measure.zero_point import ZeroPoint

SHAPE = (256, 256)
SETTINGS = DifferenceSettings(kernel_order=1)


@dataclass(frozen=True)
class Scene:
    """A science image, its reference on a shifted and turned grid, and what is in them."""

    science: Frame
    reference: Frame
    psf: PsfModel
    reference_psf: PsfModel
    stars: MatchedStars
    new_x: np.ndarray
    new_y: np.ndarray
    new_flux: np.ndarray

    def difference(self, settings: DifferenceSettings = SETTINGS) -> Difference:
        return make_difference(
            self.science, self.psf, self.reference, self.reference_psf.fwhm(), self.stars, settings
        )

    def candidates(
        self, difference: Difference | None = None, settings: CandidateSettings | None = None
    ) -> list[Candidate]:
        difference = difference or self.difference()
        ra, dec = self.science.wcs.all_pix2world(self.stars.x, self.stars.y, 0)
        same = np.full(len(ra), 0.1)
        sources = ReferenceSources(self.stars.x, self.stars.y, ra, dec, 20 + same, same, 10 * same)
        return find_candidates(difference, Photometry(ZeroPoint(25.0, 0.02, 40), 30.0), sources, settings)[0]


def grid(shift: tuple[float, float] = (0.0, 0.0), turn: float = 0.0) -> WCS:
    """Return a tangent-plane WCS of 1 arcsecond a pixel."""
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval = [359.99, -1.5]
    wcs.wcs.crpix = [128.5 + shift[0], 128.5 + shift[1]]
    cosine, sine = np.cos(turn) / 3600, np.sin(turn) / 3600
    wcs.wcs.cd = np.array([[-cosine, sine], [sine, cosine]])
    return wcs


def moffat(fwhm: float, shape: tuple[int, int] = SHAPE) -> PsfModel:
    """Return a PSF that widens a little across the field."""
    log_width = np.log(fwhm / 2 / np.sqrt(2 ** (1 / 3) - 1))
    coefficients = np.array([[log_width, 0.02, -0.02], [0.05, 0.0, 0.0], [0.0, 0.0, 0.02]])
    return PsfModel(3.0, coefficients, np.zeros((9, 9)), shape, 12)


def draw(wcs, psf, ra, dec, flux, *, sky, seed, shape=SHAPE) -> Frame:
    """Return stars on a flat sky that was subtracted, with the noise of sky, stars and a read noise of 5."""
    random = np.random.default_rng(seed)
    image = np.zeros(shape)
    radius = psf.radius
    padded = np.pad(image, radius)
    x, y = wcs.all_world2pix(ra, dec, 0)
    for a, b, f in zip(x, y, flux, strict=True):
        i, j = round(float(a)), round(float(b))
        if 0 <= i < shape[1] and 0 <= j < shape[0]:
            padded[j : j + 2 * radius + 1, i : i + 2 * radius + 1] += f * psf.evaluate(a, b, dx=a - i, dy=b - j)
    image = padded[radius:-radius, radius:-radius]
    variance = image + sky + 25.0
    image = image + random.normal(0, 1, shape) * np.sqrt(variance)
    return Frame(image.astype(np.float32), np.zeros(shape, np.uint16), variance.astype(np.float32), wcs, {})


@cache
def scene(*, fwhm: float = 3.0, reference_fwhm: float = 2.3, new: int = 12, seed: int = 3, stars: int = 70) -> Scene:
    """Return a pair whose science image holds `new` sources that the reference lacks, well above the noise."""
    random = np.random.default_rng(seed)
    wcs, other = grid(), grid((3.3, -2.6), 0.001)
    x, y = random.uniform(-5, 260, (2, stars))
    flux = 10 ** random.uniform(3.3, 4.8, stars)
    new_x, new_y = _apart(random, x, y, new)
    new_flux = random.uniform(1500, 4000, new)
    ra, dec = wcs.all_pix2world(np.r_[x, new_x], np.r_[y, new_y], 0)
    psf, reference_psf = moffat(fwhm), moffat(reference_fwhm)
    science = draw(wcs, psf, ra, dec, np.r_[flux, new_flux], sky=300.0, seed=seed + 1)
    reference = draw(other, reference_psf, ra[:stars], dec[:stars], 1.2 * flux, sky=60.0, seed=seed + 2)
    usable = (x > 5) & (y > 5) & (x < 250) & (y < 250)
    return Scene(science, reference, psf, reference_psf, MatchedStars(x, y, flux, usable), new_x, new_y, new_flux)


def _apart(random: np.random.Generator, x: np.ndarray, y: np.ndarray, number: int) -> tuple[np.ndarray, np.ndarray]:
    """Return places away from the edges, the stars and each other."""
    found: list[tuple[float, float]] = []
    while len(found) < number:
        place = tuple(random.uniform(25, 230, 2))
        taken = np.array([*zip(x, y, strict=True), *found])
        if np.hypot(*(taken - place).T).min() > 12:
            found.append(place)
    return np.array([p[0] for p in found]), np.array([p[1] for p in found])


def nearest(candidates: list[Candidate], x: float, y: float, within: float = 1.5) -> Candidate | None:
    """Return the candidate at a place, or None."""
    near = [c for c in candidates if np.hypot(c.x - x, c.y - y) < within]
    return min(near, key=lambda c: np.hypot(c.x - x, c.y - y)) if near else None


def with_science(pair: Scene, **changes) -> Scene:
    """Return the scene with fields of its science image replaced."""
    return replace(pair, science=replace(pair.science, **changes))
