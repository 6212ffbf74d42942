"""Twilights, the Moon, and how high a field stands: enough for a plan, to a minute and some tenths of a degree."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from math import asin, atan2, cos, degrees, radians, sin

import numpy as np

from nightshift.nights import night_bounds
from nightshift.settings.models import Site
from nightshift.sun import J2000, sidereal_angle_deg, sun_altitude_deg

__all__ = ["DarkTime", "MoonAt", "airmass", "altitudes_deg", "dark_time", "moon_at"]

STEP = timedelta(minutes=5)
WITHIN = timedelta(seconds=10)


@dataclass(frozen=True)
class DarkTime:
    """When the Sun is below an altitude in one night; None where it is never, or all the time, so.

    Parameters
    ----------
    begins, ends : datetime or None
        Aware, UTC. Both None where it never is so low. Where it is so at one of the night's noons, that noon.
    """

    begins: datetime | None
    ends: datetime | None


def dark_time(site: Site, night: date, altitude_deg: float) -> DarkTime:
    """Return when the Sun's centre stands below an altitude, between the night's two noons."""
    first, last = night_bounds(site, night)

    def above(moment: datetime) -> float:
        return sun_altitude_deg(site, moment) - altitude_deg

    moments = [first + k * STEP for k in range(int((last - first) / STEP) + 1)]
    below = [moment for moment in moments if above(moment) < 0]
    if not below:
        return DarkTime(None, None)
    begins, ends = below[0], below[-1]
    return DarkTime(
        begins if begins == first else _crossing(above, begins - STEP, begins),
        ends if ends + STEP > last else _crossing(above, ends, ends + STEP),
    )


def _crossing(function: Callable[[datetime], float], low: datetime, high: datetime) -> datetime:
    """Return when a function changes its sign between two moments, by halving."""
    sign = function(low) > 0
    while high - low > WITHIN:
        middle = low + (high - low) / 2
        low, high = (middle, high) if (function(middle) > 0) is sign else (low, middle)
    return low + (high - low) / 2


@dataclass(frozen=True)
class MoonAt:
    """The Moon at a moment.

    Parameters
    ----------
    altitude_deg : float
        Of its centre, without refraction.
    illuminated : float
        Share of the disk that the Sun lights.
    """

    altitude_deg: float
    illuminated: float


def moon_at(site: Site, moment: datetime) -> MoonAt:
    """Return where the Moon stands.

    Low-precision coordinates of *The Astronomical Almanac* (section D), good to 0.3 degrees from 1900 to 2100.
    """
    days = (moment - J2000) / timedelta(days=1)
    t = days / 36525
    longitude = (
        218.32 + 481267.881 * t + 6.29 * _sine(135.0 + 477198.87 * t) - 1.27 * _sine(259.3 - 413335.36 * t)
        + 0.66 * _sine(235.7 + 890534.22 * t) + 0.21 * _sine(269.9 + 954397.74 * t)
        - 0.19 * _sine(357.5 + 35999.05 * t) - 0.11 * _sine(186.5 + 966404.03 * t)
    )  # fmt: skip
    latitude = (
        5.13 * _sine(93.3 + 483202.02 * t) + 0.28 * _sine(228.2 + 960400.89 * t)
        - 0.28 * _sine(318.3 + 6003.15 * t) - 0.17 * _sine(217.6 - 407332.21 * t)
    )  # fmt: skip
    parallax = 0.9508 + 0.0518 * sin(radians(225.0 + 477198.87 * t))  # cosine of the first argument above
    right_ascension, declination = _equatorial(radians(longitude), radians(latitude))
    altitude = _altitude(site, moment, right_ascension, declination)
    seen_from_the_ground = altitude - parallax * cos(radians(altitude))
    return MoonAt(seen_from_the_ground, _illuminated(days, radians(longitude), radians(latitude)))


def _sine(angle_deg: float) -> float:
    return sin(radians(angle_deg))


def _equatorial(longitude: float, latitude: float) -> tuple[float, float]:
    """Return right ascension and declination (radians) of ecliptic coordinates."""
    tilt = radians(23.4393)
    x = cos(latitude) * cos(longitude)
    y = cos(tilt) * cos(latitude) * sin(longitude) - sin(tilt) * sin(latitude)
    z = sin(tilt) * cos(latitude) * sin(longitude) + cos(tilt) * sin(latitude)
    return atan2(y, x), asin(z)


def _illuminated(days: float, longitude: float, latitude: float) -> float:
    """Return the lit share of the disk, from how far the Moon is from the Sun; the Sun's distance is left out."""
    anomaly = radians(357.529 + 0.98560028 * days)
    sun = radians(280.459 + 0.98564736 * days + 1.915 * sin(anomaly) + 0.020 * sin(2 * anomaly))
    return (1 - cos(latitude) * cos(longitude - sun)) / 2


def _altitude(site: Site, moment: datetime, right_ascension: float, declination: float) -> float:
    """Return the altitude in degrees of a place in the sky (radians)."""
    hour_angle = radians(sidereal_angle_deg(moment) + site.longitude_deg) - right_ascension
    latitude = radians(site.latitude_deg)
    return degrees(asin(sin(latitude) * sin(declination) + cos(latitude) * cos(declination) * cos(hour_angle)))


def altitudes_deg(site: Site, moment: datetime, ra_deg: np.ndarray, dec_deg: np.ndarray) -> np.ndarray:
    """Return the altitudes of places in the sky at a moment, without refraction and precession, in degrees."""
    hour_angle = np.radians(sidereal_angle_deg(moment) + site.longitude_deg - ra_deg)
    latitude, declination = radians(site.latitude_deg), np.radians(dec_deg)
    sine = sin(latitude) * np.sin(declination) + cos(latitude) * np.cos(declination) * np.cos(hour_angle)
    altitudes: np.ndarray = np.degrees(np.arcsin(np.clip(sine, -1, 1)))
    return altitudes


def airmass(altitude_deg: np.ndarray) -> np.ndarray:
    """Return the airmass at an altitude (Kasten & Young 1989); infinite below the horizon."""
    above = np.maximum(altitude_deg, 0.0)
    masses: np.ndarray = 1 / (np.sin(np.radians(above)) + 0.50572 * (above + 6.07995) ** -1.6364)
    return np.where(altitude_deg > 0, masses, np.inf)
