"""The sky that does not change: stars and galaxies, drawn by cells so that it is the same for every visit.

Star counts rise as 10^(0.25 m), as they do at middle galactic latitudes; galaxy counts as 10^(0.4 m), the
slope of bright counts in Euclidean space. Stars are blue or red with two peaks in g - r, as the halo's and
the disk's are.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from rehearsal.simulator.bands import band_of
from rehearsal.simulator.geometry import deproject
from rehearsal.simulator.seeds import generator

__all__ = ["Cell", "Galaxies", "Stars", "cells_around", "galaxies_of_cells", "stars_of_cells"]

CELL_ARCSEC = 512.0
STARS_PER_DEG2, STAR_SLOPE = 20000.0, 0.25  # brighter than r = 20.2
STAR_LIMITS = (10.5, 22.0)
GALAXIES_PER_DEG2, GALAXY_SLOPE = 2600.0, 0.40  # brighter than r = 20
GALAXY_LIMITS = (14.5, 21.5)

Cell = tuple[int, int]


@dataclass(frozen=True)
class Stars:
    """Stars of one field.

    Parameters
    ----------
    ra_deg, dec_deg, r, colour : ndarray, shape (n,)
        ICRS degrees; magnitude in r; g - r.
    """

    ra_deg: np.ndarray
    dec_deg: np.ndarray
    r: np.ndarray
    colour: np.ndarray

    def magnitude(self, filter_name: str) -> np.ndarray:
        """Return the magnitudes in a filter."""
        return self.r + band_of(filter_name).colour * self.colour


@dataclass(frozen=True)
class Galaxies(Stars):
    """Galaxies of one field.

    Parameters
    ----------
    half_light_arcsec, axis_ratio, angle : ndarray, shape (n,)
        Along the major axis; minor over major; radians from x (the camera's, for simplicity) to y.
    bulge : ndarray of bool, shape (n,)
        de Vaucouleurs' profile where true, an exponential disk elsewhere.
    """

    half_light_arcsec: np.ndarray
    axis_ratio: np.ndarray
    angle: np.ndarray
    bulge: np.ndarray


def cells_around(east: np.ndarray, north: np.ndarray, margin_arcsec: float = 40.0) -> tuple[Cell, ...]:
    """Return the cells of the sky that a rectangle of standard coordinates touches, sorted."""
    lower = np.floor((np.array([np.min(east), np.min(north)]) - margin_arcsec) / CELL_ARCSEC).astype(int)
    upper = np.floor((np.array([np.max(east), np.max(north)]) + margin_arcsec) / CELL_ARCSEC).astype(int)
    return tuple((i, j) for i in range(lower[0], upper[0] + 1) for j in range(lower[1], upper[1] + 1))


def _magnitudes(random: np.random.Generator, n: int, slope: float, limits: tuple[float, float]) -> np.ndarray:
    low, high = 10 ** (slope * limits[0]), 10 ** (slope * limits[1])
    return np.log10(low + random.random(n) * (high - low)) / slope


def _number(random: np.random.Generator, density: float, slope: float, at: float, faintest: float) -> int:
    return int(random.poisson(density * 10 ** (slope * (faintest - at)) * (CELL_ARCSEC / 3600) ** 2))


def _places(
    random: np.random.Generator, n: int, cell: Cell, centre: tuple[float, float]
) -> tuple[np.ndarray, np.ndarray]:
    east = (cell[0] + random.random(n)) * CELL_ARCSEC
    north = (cell[1] + random.random(n)) * CELL_ARCSEC
    return deproject(east, north, *centre)


@lru_cache(maxsize=512)
def _stars_of_cell(seed: int, field: int, centre: tuple[float, float], cell: Cell) -> Stars:
    random = generator(seed, "stars", field, *cell)
    n = _number(random, STARS_PER_DEG2, STAR_SLOPE, 20.2, STAR_LIMITS[1])
    ra, dec = _places(random, n, cell, centre)
    r = _magnitudes(random, n, STAR_SLOPE, STAR_LIMITS)
    red = random.random(n) < 0.2 + 0.5 * (r - STAR_LIMITS[0]) / (STAR_LIMITS[1] - STAR_LIMITS[0])
    colour = np.where(red, 1.35, 0.5) + 0.15 * random.standard_normal(n)
    return Stars(ra, dec, r, colour)


@lru_cache(maxsize=512)
def _galaxies_of_cell(seed: int, field: int, centre: tuple[float, float], cell: Cell) -> Galaxies:
    random = generator(seed, "galaxies", field, *cell)
    n = _number(random, GALAXIES_PER_DEG2, GALAXY_SLOPE, 20.0, GALAXY_LIMITS[1])
    ra, dec = _places(random, n, cell, centre)
    r = _magnitudes(random, n, GALAXY_SLOPE, GALAXY_LIMITS)
    size = 1.1 * 10 ** (-0.12 * (r - 20.0) + 0.18 * random.standard_normal(n))
    return Galaxies(
        ra,
        dec,
        r,
        0.7 + 0.2 * random.standard_normal(n),
        np.clip(size, 0.4, 8.0),
        0.35 + 0.65 * random.random(n),
        np.pi * random.random(n),
        random.random(n) < 0.35,
    )


def stars_of_cells(seed: int, field: int, centre: tuple[float, float], cells: tuple[Cell, ...]) -> Stars:
    """Return all stars of some cells of a field. `centre` is the field's (ra, dec) in degrees."""
    parts = [_stars_of_cell(seed, field, centre, cell) for cell in cells]
    return Stars(*(np.concatenate([getattr(p, k) for p in parts]) for k in Stars.__dataclass_fields__))


def galaxies_of_cells(seed: int, field: int, centre: tuple[float, float], cells: tuple[Cell, ...]) -> Galaxies:
    """Return all galaxies of some cells of a field. `centre` is the field's (ra, dec) in degrees."""
    parts = [_galaxies_of_cell(seed, field, centre, cell) for cell in cells]
    return Galaxies(*(np.concatenate([getattr(p, k) for p in parts]) for k in Galaxies.__dataclass_fields__))
