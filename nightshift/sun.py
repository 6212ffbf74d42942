"""Sunset and sunrise, to about a minute: enough to say when a night is over.

Low-precision solar coordinates after Meeus, *Astronomical Algorithms* (1998), chapters 12 and 25.
"""

from datetime import UTC, date, datetime, timedelta
from math import acos, asin, atan2, cos, degrees, radians, sin

from nightshift.nights import night_bounds
from nightshift.settings.models import Site

__all__ = ["sidereal_angle_deg", "sun_altitude_deg", "sunset_and_sunrise"]

HORIZON_DEG = -0.833  # refraction, and the Sun's upper limb
J2000 = datetime(2000, 1, 1, 12, tzinfo=UTC)


def _right_ascension_and_declination(days: float) -> tuple[float, float]:
    """Return the Sun's coordinates of date (radians), `days` after J2000."""
    centuries = days / 36525
    mean_longitude = 280.46646 + 36000.76983 * centuries
    anomaly = radians(357.52911 + 35999.05029 * centuries)
    centre = (1.914602 - 0.004817 * centuries) * sin(anomaly) + 0.019993 * sin(2 * anomaly)
    longitude = radians(mean_longitude + centre - 0.00569)  # aberration
    obliquity = radians(23.439291 - 0.0130042 * centuries)
    return atan2(cos(obliquity) * sin(longitude), cos(longitude)), asin(sin(obliquity) * sin(longitude))


def _hour_angle(site: Site, moment: datetime) -> tuple[float, float]:
    """Return the Sun's local hour angle, within half a turn of zero, and its declination (radians)."""
    days = (moment - J2000) / timedelta(days=1)
    right_ascension, declination = _right_ascension_and_declination(days)
    angle = radians(sidereal_angle_deg(moment) + site.longitude_deg) - right_ascension
    return atan2(sin(angle), cos(angle)), declination


def sidereal_angle_deg(moment: datetime) -> float:
    """Return the mean sidereal time at Greenwich in degrees, 0 to 360."""
    return (280.46061837 + 360.98564736629 * ((moment - J2000) / timedelta(days=1))) % 360


def sun_altitude_deg(site: Site, moment: datetime) -> float:
    """Return the altitude of the Sun's centre above the horizon, without refraction, in degrees."""
    angle, declination = _hour_angle(site, moment)
    latitude = radians(site.latitude_deg)
    return degrees(asin(sin(latitude) * sin(declination) + cos(latitude) * cos(declination) * cos(angle)))


def sunset_and_sunrise(site: Site, night: date) -> tuple[datetime, datetime] | None:
    """Return when the Sun sets and rises at a site in a night.

    Parameters
    ----------
    site : Site
    night : date
        The date of its evening.

    Returns
    -------
    (datetime, datetime) or None
        Aware, UTC, to about a minute. None where the Sun does not both set and rise between the night's two noons.
    """
    begins, ends = night_bounds(site, night)
    midnight = begins + (ends - begins) / 2
    sunset = _crossing(site, midnight - timedelta(hours=6), sign=1)
    sunrise = _crossing(site, midnight + timedelta(hours=6), sign=-1)
    if sunset is None or sunrise is None or not begins < sunset < sunrise < ends:
        return None
    return sunset, sunrise


def _crossing(site: Site, moment: datetime, *, sign: int) -> datetime | None:
    """Return the moment near `moment` at which the Sun crosses the horizon, in the west (1) or the east (-1)."""
    latitude = radians(site.latitude_deg)
    for _ in range(4):
        angle, declination = _hour_angle(site, moment)
        cosine = (sin(radians(HORIZON_DEG)) - sin(latitude) * sin(declination)) / (cos(latitude) * cos(declination))
        if not -1 <= cosine <= 1:
            return None
        error = sign * acos(cosine) - angle
        error = atan2(sin(error), cos(error))
        moment += timedelta(days=degrees(error) / 360.98564736629)
    return moment
