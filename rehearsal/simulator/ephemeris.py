"""Sun, sidereal time and airmass, to the arcminute: enough to plan a simulated night, and offline.

Source: the low-precision formulae of the Astronomical Almanac (section C) and of the U.S. Naval Observatory;
airmass by Kasten and Young (1989), Applied Optics 28, 4735.
"""

from datetime import UTC, datetime

import numpy as np

from nightshift.settings.models import Site

__all__ = ["airmass", "altitude_deg", "julian_date", "sidereal_deg", "sun_altitude_deg"]

_EPOCH = datetime(2000, 1, 1, 12, tzinfo=UTC)


def julian_date(when: datetime) -> float:
    """Return the Julian date (UTC) of an aware time."""
    return 2451545.0 + (when - _EPOCH).total_seconds() / 86400.0


def sidereal_deg(jd: np.ndarray | float, longitude_deg: float) -> np.ndarray:
    """Return the local mean sidereal time in degrees."""
    days = np.asarray(jd) - 2451545.0
    return (280.46061837 + 360.98564736629 * days + longitude_deg) % 360.0


def altitude_deg(
    site: Site, jd: np.ndarray | float, ra_deg: np.ndarray | float, dec_deg: np.ndarray | float
) -> np.ndarray:
    """Return the geometric altitude of a place of the sky, in degrees."""
    hour_angle = np.radians(sidereal_deg(jd, site.longitude_deg) - ra_deg)
    latitude, dec = np.radians(site.latitude_deg), np.radians(dec_deg)
    sine = np.sin(latitude) * np.sin(dec) + np.cos(latitude) * np.cos(dec) * np.cos(hour_angle)
    altitude: np.ndarray = np.degrees(np.arcsin(sine))
    return altitude


def sun_altitude_deg(site: Site, jd: np.ndarray | float) -> np.ndarray:
    """Return the Sun's geometric altitude in degrees."""
    days = np.asarray(jd) - 2451545.0
    anomaly = np.radians(357.528 + 0.9856003 * days)
    longitude = np.radians(280.460 + 0.9856474 * days + 1.915 * np.sin(anomaly) + 0.020 * np.sin(2 * anomaly))
    obliquity = np.radians(23.439 - 4e-7 * days)
    ra = np.degrees(np.arctan2(np.cos(obliquity) * np.sin(longitude), np.cos(longitude)))
    dec = np.degrees(np.arcsin(np.sin(obliquity) * np.sin(longitude)))
    return altitude_deg(site, jd, ra, dec)


def airmass(altitude: np.ndarray | float) -> np.ndarray:
    """Return the airmass at an altitude in degrees; below 3 degrees the value at 3."""
    height = np.maximum(np.asarray(altitude, dtype=float), 3.0)
    mass: np.ndarray = 1.0 / (np.sin(np.radians(height)) + 0.50572 * (height + 6.07995) ** -1.6364)
    return mass
