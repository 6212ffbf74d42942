"""A science image and its reference at survey size, with new sources whose places and fluxes are known.

What makes differences fail is in it: PSFs that vary over the field, stars that do not quite fall where the WCS says,
galaxies under a third of the new sources, saturated stars, dead columns and hits of cosmic rays.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
from astropy.wcs import WCS

from reduction.image.frame import Frame
from reduction.image.mask import MaskBit
from reduction.measure.astrometry import tangent_wcs
from reduction.measure.zero_point import ZeroPoint
from rehearsal.simulator.profiles import moffat_alpha
from rehearsal.simulator.render import add_points, point_source_noise

__all__ = ["PairPlan", "SurveyPair", "make_pair"]

_FULL_AREA = 3080 * 3072
_KNOTS = 64  # points of light that make a galaxy's disk
_ZERO_POINT = ZeroPoint(26.5, 0.02, 500)


@dataclass(frozen=True)
class PairPlan:
    """What a pair is to be like. Numbers of objects are those of a whole quadrant and scale with the area.

    Parameters
    ----------
    shape : (int, int)
        Rows and columns.
    fwhm, reference_fwhm : float
        Pixels, at the field's centre.
    sky, read_noise : float
        Electrons of the science image.
    depth_ratio : float
        Variance of the science image's sky over that of the reference.
    residual_px : float
        Scatter in each axis between a star's place and where the WCS says, smooth over the field.
    stars, galaxies, new, variables, unflagged_hits : int
        The last: cosmic rays that the mask does not know.
    signal_to_noise : (float, float)
        Bounds of the new sources' fluxes over the noise that the sky alone would give.
    """

    shape: tuple[int, int] = (3080, 3072)
    fwhm: float = 2.45
    reference_fwhm: float = 1.95
    sky: float = 600.0
    read_noise: float = 10.0
    depth_ratio: float = 10.0
    residual_px: float = 0.06
    stars: int = 5000
    galaxies: int = 900
    new: int = 700
    variables: int = 0
    unflagged_hits: int = 0
    signal_to_noise: tuple[float, float] = (5.0, 40.0)
    saturation: float = 3.0e5  # electrons in a pixel

    def scaled(self, number: int) -> int:
        """Return a number of objects for this area."""
        return max(1, round(number * self.shape[0] * self.shape[1] / _FULL_AREA))


@dataclass(frozen=True)
class SurveyPair:
    """A pair and the truth of it.

    Parameters
    ----------
    science, reference : Frame
        Electrons, background subtracted, each on its own grid; no PSF is given.
    new_x, new_y : ndarray of float64, shape (new,)
        Where the new sources are on the science image, 0-based.
    new_flux, new_signal : ndarray of float64
        Electrons; flux over its noise on an empty sky.
    on_galaxy : ndarray of bool
    host_light : ndarray of float64
        Light of the unchanging sky under the new source's PSF over that of the background.
    bad_pixels : ndarray of int
        Flagged pixels among the 5x5 around it.
    variable_x, variable_y, variable_change : ndarray of float64
        Stars whose flux differs between the two images, and by how many electrons.
    """

    science: Frame
    reference: Frame
    new_x: np.ndarray
    new_y: np.ndarray
    new_flux: np.ndarray
    new_signal: np.ndarray
    on_galaxy: np.ndarray
    host_light: np.ndarray
    bad_pixels: np.ndarray
    variable_x: np.ndarray
    variable_y: np.ndarray
    variable_change: np.ndarray


@dataclass(frozen=True)
class _Optics:
    """A PSF whose width and ellipticity vary over the field."""

    fwhm: float
    width: np.ndarray  # relative, of u, v, u^2 - 1/3, uv, v^2 - 1/3
    ellipticity: np.ndarray  # (2, 3): of 1, u, v

    @classmethod
    def draw(cls, random: np.random.Generator, fwhm: float) -> "_Optics":
        return cls(fwhm, random.normal(0, 0.025, 5), random.normal(0, 0.02, (2, 3)))

    def at(self, x: np.ndarray, y: np.ndarray, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return core width, e1 and e2."""
        u, v = 2 * x / shape[1] - 1, 2 * y / shape[0] - 1
        fwhm = self.fwhm * (1 + self.width @ np.stack([u, v, u * u - 1 / 3, u * v, v * v - 1 / 3]))
        e1, e2 = self.ellipticity @ np.stack([np.ones_like(u), u, v])
        return moffat_alpha(fwhm), e1, e2


@dataclass(frozen=True)
class _Sky:
    """Points of light on the science image's grid."""

    x: np.ndarray
    y: np.ndarray
    flux: np.ndarray


def make_pair(seed: int, plan: PairPlan | None = None) -> SurveyPair:
    """Draw a pair; the same seed and plan give the same one."""
    plan = plan or PairPlan()
    random = np.random.default_rng(seed)
    wcs = tangent_wcs(200.0, 30.0, plan.shape, scale_arcsec=1.01)
    other = _other_grid(wcs)
    stars = _stars(random, plan)
    centres, half_light, knots = _galaxies(random, plan)
    lasting = _Sky(*(np.concatenate(pair) for pair in zip(_columns(stars), _columns(knots), strict=True)))
    optics, reference_optics = _Optics.draw(random, plan.fwhm), _Optics.draw(random, plan.reference_fwhm)

    seen = _moved(lasting, _wobble(random, lasting, plan))
    varying, change = _changes(random, plan, stars)
    still = _drawn(replace(seen, flux=_with(seen.flux, varying, change)), optics, plan.shape, plan.sky)
    new_x, new_y, on_galaxy = _new_places(random, plan, centres, half_light)
    signal = _signals(random, plan, len(new_x))
    noise2 = plan.sky + plan.read_noise**2
    empty = np.full(plan.shape, noise2 * (1 + 1 / plan.depth_ratio), np.float32)
    profiles = np.stack([new_x, new_y, *optics.at(new_x, new_y, plan.shape)], axis=1)
    flux = signal * np.array([point_source_noise(empty, *profile) for profile in profiles])
    clean = still.copy()
    add_points(clean, new_x, new_y, flux, *optics.at(new_x, new_y, plan.shape), 0.02)
    science = _exposed(random, clean, plan, wcs, noise2, blemishes=True)

    ra, dec = wcs.all_pix2world(lasting.x, lasting.y, 0)
    x, y = other.all_world2pix(ra, dec, 0)
    reference_sky = plan.sky / plan.depth_ratio  # a mean of frames: its photons' noise is as much lower
    deep = _drawn(_Sky(x, y, lasting.flux), reference_optics, plan.shape, reference_sky)
    reference = _exposed(random, deep, plan, other, noise2 / plan.depth_ratio, blemishes=False)
    row, column = np.rint(new_y).astype(int), np.rint(new_x).astype(int)
    bad = science.mask != 0
    return SurveyPair(
        science, reference, new_x, new_y, flux, signal, on_galaxy,
        _under(still, row, column) / plan.sky,
        np.array([int(bad[j - 2 : j + 3, i - 2 : i + 3].sum()) for j, i in zip(row, column, strict=True)]),
        seen.x[varying], seen.y[varying], change,
    )  # fmt: skip


def _columns(sky: _Sky) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return sky.x, sky.y, sky.flux


def _other_grid(wcs: WCS) -> WCS:
    """Return the reference's grid: shifted by a few pixels and turned a little."""
    other = wcs.deepcopy()
    other.wcs.crpix += [7.37, -4.81]
    turn = 4e-4
    rotation = np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    other.wcs.pc = rotation @ other.wcs.get_pc()
    other.wcs.set()
    return other


def _stars(random: np.random.Generator, plan: PairPlan) -> _Sky:
    number = plan.scaled(plan.stars)
    rows, columns = plan.shape
    x, y = random.uniform(-10, columns + 10, number), random.uniform(-10, rows + 10, number)
    return _Sky(x, y, 600.0 * random.uniform(1e-5, 1, number) ** -1.25)


def _changes(random: np.random.Generator, plan: PairPlan, stars: _Sky) -> tuple[np.ndarray, np.ndarray]:
    """Return which stars vary, and by how much: a tenth to nine tenths fainter or brighter."""
    rows, columns = plan.shape
    inside = (stars.x > 12) & (stars.y > 12) & (stars.x < columns - 13) & (stars.y < rows - 13)
    eligible = np.flatnonzero(inside & (stars.flux < 2e6) & (stars.flux > 3e3))
    number = min(plan.scaled(plan.variables) if plan.variables else 0, len(eligible))
    chosen = random.choice(eligible, number, replace=False)
    return chosen, stars.flux[chosen] * random.uniform(0.1, 0.9, number) * random.choice([-1, 1], number)


def _with(flux: np.ndarray, members: np.ndarray, change: np.ndarray) -> np.ndarray:
    changed = flux.copy()
    changed[members] += change
    return changed


def _galaxies(random: np.random.Generator, plan: PairPlan) -> tuple[np.ndarray, np.ndarray, _Sky]:
    """Return centres (2, n), half-light radii, and all galaxies as points of light.

    The knots lie on a spiral so that a disk of exponential profile comes out smooth once it is seen through a PSF.
    """
    number = plan.scaled(plan.galaxies)
    rows, columns = plan.shape
    centres = np.stack([random.uniform(30, columns - 30, number), random.uniform(30, rows - 30, number)])
    half_light = np.exp(random.uniform(math.log(0.8), math.log(3.5), number))
    flux = 1500.0 * random.uniform(3e-4, 1, number) ** -0.8
    share = (np.arange(_KNOTS) + 0.5) / _KNOTS
    radii = np.interp(share, 1 - (1 + _GRID) * np.exp(-_GRID), _GRID) / 1.678
    angle = 2.399963 * np.arange(_KNOTS)
    flat, turn = random.uniform(0.4, 1.0, number)[:, None], random.uniform(0, math.pi, number)[:, None]
    a, b = radii * np.cos(angle) * half_light[:, None], radii * np.sin(angle) * half_light[:, None] * flat
    x = centres[0][:, None] + a * np.cos(turn) - b * np.sin(turn)
    y = centres[1][:, None] + a * np.sin(turn) + b * np.cos(turn)
    return centres, half_light, _Sky(x.ravel(), y.ravel(), np.repeat(flux / _KNOTS, _KNOTS))


_GRID = np.linspace(0, 8, 400)  # scale lengths of a disk


def _wobble(random: np.random.Generator, sky: _Sky, plan: PairPlan) -> tuple[np.ndarray, np.ndarray]:
    """Return shifts of smooth patterns over the field with the wanted scatter in each axis."""
    u, v = sky.x / plan.shape[1], sky.y / plan.shape[0]
    shifts = []
    for _ in range(2):
        total = np.zeros_like(u)
        for m in range(5):
            for n in range(5 - m):
                if m + n:
                    total += random.normal() * np.cos(math.pi * m * u) * np.cos(math.pi * n * v)
        shifts.append(total * plan.residual_px / max(float(np.std(total)), 1e-9))
    return shifts[0], shifts[1]


def _moved(sky: _Sky, shifts: tuple[np.ndarray, np.ndarray]) -> _Sky:
    return replace(sky, x=sky.x + shifts[0], y=sky.y + shifts[1])


def _drawn(sky: _Sky, optics: _Optics, shape: tuple[int, int], background: float) -> np.ndarray:
    image = np.zeros(shape)
    add_points(image, *_columns(sky), *optics.at(sky.x, sky.y, shape), 0.0005 * math.sqrt(background))
    return image


def _new_places(
    random: np.random.Generator, plan: PairPlan, centres: np.ndarray, half_light: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return places of new sources, none closer than 15 px to another, and which are on galaxies."""
    rows, columns = plan.shape
    wanted = plan.scaled(plan.new)
    found: list[tuple[float, float, bool]] = []
    taken: dict[tuple[int, int], list[tuple[float, float]]] = {}
    for _ in range(50 * wanted):
        if len(found) == wanted:
            break
        on_galaxy = len(found) % 3 == 0
        if on_galaxy:
            k = random.integers(centres.shape[1])
            angle, radius = random.uniform(0, 2 * math.pi), half_light[k] * math.sqrt(random.uniform(0, 2))
            x, y = centres[0, k] + radius * math.cos(angle), centres[1, k] + radius * math.sin(angle)
        else:
            x, y = random.uniform(12, columns - 13), random.uniform(12, rows - 13)
        cell = int(x) // 15, int(y) // 15
        near = [p for i in (-1, 0, 1) for j in (-1, 0, 1) for p in taken.get((cell[0] + i, cell[1] + j), [])]
        if min(x, y, columns - 1 - x, rows - 1 - y) > 12 and all(math.hypot(x - a, y - b) > 15 for a, b in near):
            taken.setdefault(cell, []).append((x, y))
            found.append((x, y, on_galaxy))
    x_, y_, on_ = (np.array(column) for column in zip(*found, strict=True))
    return x_, y_, on_


def _signals(random: np.random.Generator, plan: PairPlan, number: int) -> np.ndarray:
    """Return signal to noise: a fifth in 5-6, three tenths in 6-8, the rest above, where the bounds allow it."""
    least, most = plan.signal_to_noise
    edges = np.clip([5.0, 6.0, 8.0, 40.0], least, most)
    part = random.choice(3, number, p=[0.2, 0.3, 0.5])
    low, high = edges[part], edges[part + 1]
    signals: np.ndarray = low * (high / low) ** random.uniform(0, 1, number)
    return signals


def _exposed(
    random: np.random.Generator, clean: np.ndarray, plan: PairPlan, wcs: WCS, noise2: float, *, blemishes: bool
) -> Frame:
    """Return a frame with its noise; of the science image also with what detectors and cosmic rays do."""
    # The reference's photons were averaged over `noise2`'s share of frames.
    photons = noise2 / (plan.sky + plan.read_noise**2)
    variance = (noise2 + clean * photons).astype(np.float32)
    image = clean.astype(np.float32)
    image += random.standard_normal(plan.shape, np.float32) * np.sqrt(variance)
    mask = np.zeros(plan.shape, np.uint16)
    full = clean > plan.saturation - plan.sky
    if full.any():
        image[full] = plan.saturation - plan.sky
        for dy in (-1, 0, 1):
            for dx in (-1, 0, 1):
                mask[np.roll(full, (dy, dx), (0, 1))] |= np.uint16(MaskBit.SATURATED)
    if blemishes:
        _blemish(random, image, mask)
        _hit(random, image, plan.scaled(plan.unflagged_hits) if plan.unflagged_hits else 0)
    variance = np.maximum(noise2, noise2 + np.maximum(image, 0) * photons).astype(np.float32)
    header = {**_ZERO_POINT.keywords(), "EXPTIME": 30.0}
    return Frame(image, mask, variance, wcs, header)


def _blemish(random: np.random.Generator, image: np.ndarray, mask: np.ndarray) -> None:
    """Add dead columns, single dead pixels and flagged hits of cosmic rays, in place."""
    rows, columns = image.shape
    for column in random.integers(0, columns, max(1, columns // 600)):
        top = int(random.integers(0, rows))
        image[top:, column], mask[top:, column] = 0, MaskBit.DEAD
    row, column = (
        random.integers(0, rows, rows * columns // 20_000),
        random.integers(0, columns, rows * columns // 20_000),
    )
    image[row, column], mask[row, column] = 0, MaskBit.DEAD
    for _ in range(rows * columns // 15_000):
        j, i = _track(random, rows, columns)
        image[j, i] += random.uniform(300, 5000)
        mask[j, i] |= np.uint16(MaskBit.SPIKE)


def _hit(random: np.random.Generator, image: np.ndarray, number: int) -> None:
    """Add hits of cosmic rays that no mask knows, most of them faint and short, in place."""
    for _ in range(number):
        j, i = _track(random, *image.shape)
        image[j, i] += 80.0 * random.uniform(0.02, 1) ** -1.0


def _track(random: np.random.Generator, rows: int, columns: int) -> tuple[np.ndarray, np.ndarray]:
    """Return rows and columns of the pixels on a straight track, those inside of the image."""
    length, angle = 1 + 11 * random.uniform(0, 1) ** 2, random.uniform(0, math.pi)
    steps = np.arange(0, length, 0.5)
    j = np.rint(random.uniform(0, rows) + steps * math.sin(angle)).astype(int)
    i = np.rint(random.uniform(0, columns) + steps * math.cos(angle)).astype(int)
    inside = (j >= 0) & (j < rows) & (i >= 0) & (i < columns)
    places = np.unique(np.stack([j[inside], i[inside]]), axis=1)
    return places[0], places[1]


def _under(image: np.ndarray, row: np.ndarray, column: np.ndarray) -> np.ndarray:
    """Return the mean of the 3x3 pixels at places."""
    return np.array([image[j - 1 : j + 2, i - 1 : i + 2].mean() for j, i in zip(row, column, strict=True)])
