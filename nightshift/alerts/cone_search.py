"""Search windows on the sky: zones of declination with ranges of right ascension, as the ledger is indexed.

A zone is 10 arcseconds high. An index on (zone, right ascension) finds what lies near a place with one or two
range scans; the windows hold every match and some more, and `separation_arcsec` decides.
"""

import math
from typing import NamedTuple

import numpy as np

__all__ = ["Window", "footprints_cover", "search_windows", "separation_arcsec", "zone_of"]

ZONES_PER_DEG = 360
MARGIN_DEG = 1e-7  # wider than rounding, far narrower than any match radius
NEAR_POLE_DEG = 89.9


class Window(NamedTuple):
    """One zone and one range of right ascension (degrees, both ends included)."""

    zone: int
    ra_from: float
    ra_to: float


def zone_of(dec_deg: float) -> int:
    """Return the zone of a declination, counted from the south pole, as the ledger computes it."""
    return math.floor((dec_deg + 90) * ZONES_PER_DEG)


def search_windows(ra_deg: float, dec_deg: float, radius_arcsec: float) -> list[Window]:
    """Return the windows that hold everything within a radius of a place.

    Across right ascension zero a zone has two ranges; near a pole it is searched all around.

    Parameters
    ----------
    ra_deg, dec_deg : float
        0 <= ra < 360, -90 <= dec <= 90.
    radius_arcsec : float
        Small: minutes of arc at most.
    """
    radius = radius_arcsec / 3600 + MARGIN_DEG
    zones = range(zone_of(max(dec_deg - radius, -90.0)), zone_of(min(dec_deg + radius, 90.0)) + 1)
    return [Window(zone, *ends) for zone in zones for ends in _ra_ranges(ra_deg, dec_deg, radius)]


def _ra_ranges(ra_deg: float, dec_deg: float, radius: float) -> list[tuple[float, float]]:
    if abs(dec_deg) + radius >= NEAR_POLE_DEG:
        return [(0.0, 360.0)]
    half = math.degrees(math.asin(math.sin(math.radians(radius)) / math.cos(math.radians(dec_deg)))) + MARGIN_DEG
    low, high = ra_deg - half, ra_deg + half
    if low < 0:
        return [(0.0, high), (low + 360, 360.0)]
    if high >= 360:
        return [(0.0, high - 360), (low, 360.0)]
    return [(low, high)]


def separation_arcsec(ra1_deg: float, dec1_deg: float, ra2_deg: float, dec2_deg: float) -> float:
    """Return the angle between two places, by the haversine formula, which stays exact for small angles."""
    dec1, dec2 = math.radians(dec1_deg), math.radians(dec2_deg)
    across = math.sin(math.radians(ra2_deg - ra1_deg) / 2)
    along = math.sin((dec2 - dec1) / 2)
    square = along**2 + math.cos(dec1) * math.cos(dec2) * across**2
    return math.degrees(2 * math.asin(math.sqrt(min(square, 1.0)))) * 3600


def footprints_cover(corners_deg: np.ndarray, places_deg: np.ndarray) -> np.ndarray:
    """Say which places lie within which footprints. A footprint's sides are taken as great circles.

    Parameters
    ----------
    corners_deg : ndarray, shape (footprints, 4, 2)
        RA and Dec of the corners of convex quadrilaterals, in order around each, either way around.
    places_deg : ndarray, shape (places, 2)
        RA and Dec.

    Returns
    -------
    ndarray of bool, shape (footprints, places)
    """
    corners = _unit_vectors(np.reshape(corners_deg, (-1, 4, 2)))
    places = _unit_vectors(np.reshape(places_deg, (-1, 2)))
    sides = np.cross(corners, np.roll(corners, -1, axis=1))
    which_side = np.einsum("fsk,pk->fsp", sides, places)
    same_hemisphere = corners.sum(axis=1) @ places.T > 0
    inside: np.ndarray = same_hemisphere & ((which_side >= 0).all(axis=1) | (which_side <= 0).all(axis=1))
    return inside


def _unit_vectors(places_deg: np.ndarray) -> np.ndarray:
    ra, dec = np.radians(places_deg[..., 0]), np.radians(places_deg[..., 1])
    return np.stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)], axis=-1)
