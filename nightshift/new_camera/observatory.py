"""Where the telescope stands: from the header's cards, checked by the sidereal time and by the Sun."""

import math
import re
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from nightshift.errors import BadInput
from nightshift.ingest.header import read_header, sexagesimal
from nightshift.new_camera.guesses import Certainty, DraftTable, Guess, asked
from nightshift.new_camera.one_camera import slug
from nightshift.new_camera.raw_files import RawFile, commonest, values_of
from nightshift.settings.models import HeaderKeys, Site
from nightshift.sun import sidereal_angle_deg, sun_altitude_deg
from nightshift.vocabulary import ImageType

__all__ = ["Observatory", "find_observatory"]

LATITUDE = ("SITELAT", "LATITUDE", "LAT-OBS", "OBSLAT", "OBS-LAT", "GEOLAT", "TELLAT", "OBSGEO-B")
LONGITUDE = ("SITELONG", "SITELON", "LONGITUD", "LONG-OBS", "LON-OBS", "OBSLONG", "OBS-LONG", "GEOLON", "OBSGEO-L")
ELEVATION = ("SITEELEV", "ALT-OBS", "OBSALT", "OBS-ELEV", "ELEVATIO", "HEIGHT", "GEOELEV", "OBSGEO-H", "ALTITUDE")
SIDEREAL = ("LST", "LST-OBS", "LMST", "ST", "SIDTIME", "SIDEREAL", "TCSST", "SD")
HOUR_ANGLE = ("HA", "TELEHA", "OBJCTHA", "HOURANG")
PLACE = ("OBSERVAT", "SITENAME", "SITE", "ORIGIN", "OBSAFFIL")
TELESCOPE = ("TELESCOP", "TELNAME", "LTELMOD")
CODE = re.compile(r"\(([0-9A-Z]\d\d)\)")  # of the Minor Planet Center, in a site's name
LEAST_ELEVATION_M = 90.0  # a card of this name may hold the telescope's altitude in degrees
AGREES_DEG = 1.0  # a sidereal time and a longitude
DARK_DEG = -2.0  # the Sun's altitude while science frames are taken
FRAMES = 20  # that are looked at


@dataclass(frozen=True)
class Observatory:
    """The site, for the settings and to reckon nights with.

    Parameters
    ----------
    site : Site
        With 0 for what is not known.
    table : DraftTable
    name : str
        In the words of the header.
    notes : tuple of str
    """

    site: Site
    table: DraftTable
    name: str
    notes: tuple[str, ...]


def find_observatory(
    files: Sequence[RawFile], moments: Mapping[int, datetime], science: Sequence[int], pointing: HeaderKeys
) -> Observatory:
    """Find where the telescope stands.

    Parameters
    ----------
    files : sequence of RawFile
    moments : mapping
        When the shutter opened, UTC, by place in the list.
    science : sequence of int
        Places of the science frames.
    pointing : HeaderKeys
        Keywords of right ascension, declination and airmass.
    """
    place = commonest(PLACE, files)
    telescope = commonest(TELESCOPE, files)
    name = place[1] if place else telescope[1] if telescope else "unknown site"
    latitude, longitude = _latitude(files), _longitude(files, moments, science)
    if latitude is None:
        latitude = _latitude_by_altitudes(files, moments, pointing, longitude)
    zone = _time_zone(longitude)
    guesses = (
        _site_name(place[0] if place else "nothing", name),
        latitude or asked("latitude_deg", "Latitude of the telescope in degrees, north positive."),
        longitude or asked("longitude_deg", "Longitude of the telescope in degrees, east positive."),
        _elevation(files),
        zone,
        _code(name),
        _telescope(telescope),
    )
    zone_name = zone.value if zone.certainty is not Certainty.ASKED else "UTC"
    site = _somewhere(_number(latitude), _number(longitude), zone_name)
    return Observatory(site, DraftTable("[site]", guesses), name, _sun_is_up(site, longitude, moments, science))


def _site_name(keyword: str, name: str) -> Guess:
    says = f"From {keyword}; call it as you like, once."
    return Guess("name", slug(CODE.sub("", name), "site"), Certainty.UNSURE, says)


def _telescope(found: tuple[str, str] | None) -> Guess:
    if found is None:
        return asked("telescope", "The telescope's name.", instead="unknown")
    return Guess("telescope", found[1], Certainty.SURE, f"{found[0]}.")


def _number(guess: Guess | None) -> float:
    return float(guess.value) if guess is not None else 0.0


def _code(name: str) -> Guess:
    code = CODE.search(name)
    if code is None:
        what = "The observatory's code of the Minor Planet Center; XXX where it has none."
        return asked("observatory_code", what, instead="XXX")
    says = f"The Minor Planet Center's, in the site's name {name!r}."
    return Guess("observatory_code", code[1], Certainty.LIKELY, says)


def _degrees(text: str) -> float | None:
    """Return an angle that is written as degrees or as degrees, minutes and seconds."""
    try:
        return sexagesimal(text) if sexagesimal(text) is not None else float(text)
    except ValueError:
        return None


def _angle(keywords: Sequence[str], files: Sequence[RawFile], most: float) -> tuple[str, str, float] | None:
    """Return the first keyword that holds such an angle, its text, and the angle in degrees."""
    for keyword in keywords:
        found = commonest((keyword,), files)
        degrees = _degrees(found[1]) if found else None
        if found and degrees is not None and 0 < abs(degrees) <= most:
            return keyword, found[1], degrees
    return None


def _latitude(files: Sequence[RawFile]) -> Guess | None:
    found = _angle(LATITUDE, files, 90)
    if found is None:
        return None
    return Guess("latitude_deg", round(found[2], 5), Certainty.SURE, f"{found[0]} = {found[1]!r}.")


def _elevation(files: Sequence[RawFile]) -> Guess:
    for keyword in ELEVATION:
        values = values_of(keyword, files)
        metres = _degrees(next(iter(values))) if len(values) == 1 else None
        if metres is not None and (keyword != "ALTITUDE" or metres > LEAST_ELEVATION_M):
            return Guess("elevation_m", metres, Certainty.LIKELY, f"{keyword}, the same in all files that have it.")
    return asked(
        "elevation_m", "Elevation above the sea in metres; it matters to moving objects' parallax.", instead=0.0
    )


# --- longitude -----------------------------------------------------------------------------------------------


def _longitude(files: Sequence[RawFile], moments: Mapping[int, datetime], science: Sequence[int]) -> Guess | None:
    """Return the longitude, its sign checked by the sidereal time or, without one, by the Sun."""
    found = _angle(LONGITUDE, files, 360)
    sidereal = _by_sidereal_time(files, moments)
    if found is None:
        if sidereal is None:
            return None
        says = f"No header says it; {sidereal[0]} and the time in UTC give it, to a tenth of a degree or so."
        return Guess("longitude_deg", round(sidereal[1], 2), Certainty.LIKELY, says)
    keyword, text, degrees = found
    east = (degrees + 180) % 360 - 180
    if sidereal is not None:
        return _checked_by_sidereal_time(keyword, text, east, sidereal)
    return _checked_by_the_sun(keyword, text, east, [moments[k] for k in science if k in moments])


def _by_sidereal_time(files: Sequence[RawFile], moments: Mapping[int, datetime]) -> tuple[str, float] | None:
    """Return by which keyword the sidereal time gives which longitude, in degrees east."""
    for keyword in (*SIDEREAL, *HOUR_ANGLE):
        found = [
            angle for k, moment in list(moments.items())[:: max(1, len(moments) // FRAMES)]
            if (hours := _sidereal_hours(keyword, files[k])) is not None
            for angle in [(hours * 15 - sidereal_angle_deg(moment) + 180) % 360 - 180]
        ]  # fmt: skip
        if len(found) > 1:
            middle = statistics.median(found)
            near = [angle for angle in found if abs((angle - middle + 180) % 360 - 180) < AGREES_DEG]
            if len(near) > len(found) / 2:
                return keyword, statistics.median(near)
    return None


def _sidereal_hours(keyword: str, file: RawFile) -> float | None:
    """Return the sidereal time, or hour angle and right ascension added."""
    hours = _signed_hours(file.value(keyword))
    if keyword not in HOUR_ANGLE or hours is None:
        return hours
    right_ascension = next((r for k in ("RA", "OBJCTRA") if (r := _signed_hours(file.value(k))) is not None), None)
    return None if right_ascension is None else hours + right_ascension


def _signed_hours(text: str) -> float | None:
    try:
        return sexagesimal(text)
    except ValueError:
        return None


def _checked_by_sidereal_time(keyword: str, text: str, east: float, sidereal: tuple[str, float]) -> Guess:
    by, measured = sidereal
    for value, words in ((east, "agrees with"), (-east, "counts west positive, by")):
        if abs((value - measured + 180) % 360 - 180) < AGREES_DEG:
            says = f"{keyword} = {text!r} {words} the sidereal time ({by}): {measured:.2f} degrees."
            return Guess("longitude_deg", round(value, 5), Certainty.SURE, says)
    says = f"{keyword} = {text!r}, but the sidereal time ({by}) gives {measured:.2f}: find out which is true."
    return Guess("longitude_deg", round(east, 5), Certainty.UNSURE, says)


def _checked_by_the_sun(keyword: str, text: str, east: float, moments: Sequence[datetime]) -> Guess:
    """Take the sign by which it is dark while science frames are taken."""
    dark = {sign: sum(_sun(sign * east, moment) < DARK_DEG for moment in moments) for sign in (1, -1)}
    if dark[-1] > dark[1]:
        up = f"counted east, the Sun was up in {len(moments) - dark[1]} science frames"
        says = f"{keyword} = {text!r} counts west positive: {up}."
        return Guess("longitude_deg", round(-east, 5), Certainty.LIKELY, says)
    sure = Certainty.SURE if dark[1] > dark[-1] else Certainty.UNSURE
    words = "it was dark in the science frames" if dark[1] else "nothing confirms its sign: east must be positive"
    return Guess("longitude_deg", round(east, 5), sure, f"{keyword} = {text!r}; {words}.")


def _sun(longitude_deg: float, moment: datetime) -> float:
    """Return the Sun's altitude at the equator, where it is night for half of the day in every season."""
    return sun_altitude_deg(_somewhere(0.0, longitude_deg), moment)


def _somewhere(latitude_deg: float, longitude_deg: float, time_zone: str = "UTC") -> Site:
    return Site(
        name="draft", latitude_deg=latitude_deg, longitude_deg=longitude_deg, elevation_m=0.0, time_zone=time_zone,
        observatory_code="XXX", telescope="",
    )  # fmt: skip


def _sun_is_up(
    site: Site, longitude: Guess | None, moments: Mapping[int, datetime], science: Sequence[int]
) -> tuple[str, ...]:
    """Return the warning that the Sun was up in science frames, where it was."""
    if longitude is None:
        return ()
    up = [moments[k] for k in science if k in moments and sun_altitude_deg(site, moments[k]) > DARK_DEG]
    if not up:
        return ()
    return (
        f"The Sun was up over the site in {len(up)} science frames, such as {up[0]:%Y-%m-%d %H:%M} UTC: look at "
        "longitude_deg, and at the clock of the dates.",
    )


def _time_zone(longitude: Guess | None) -> Guess:
    """Return the zone of the longitude: without summer time, so that local noon, where nights begin, never jumps."""
    if longitude is None:
        return asked("time_zone", "IANA name of the site's time zone, such as America/Phoenix.")
    hours = round(float(longitude.value) / 15)
    zone = f"Etc/GMT{-hours:+d}" if hours else "Etc/GMT"
    says = (
        f"UTC{hours:+d} h, by the longitude (such names count west positive). The place's IANA name serves as well."
    )
    return Guess("time_zone", zone, Certainty.LIKELY, says)


# --- latitude ------------------------------------------------------------------------------------------------


def _latitude_by_altitudes(
    files: Sequence[RawFile], moments: Mapping[int, datetime], pointing: HeaderKeys, longitude: Guess | None
) -> Guess | None:
    """Return the latitude at which pointings have the airmass that headers give them."""
    if longitude is None:
        return None
    seen = [
        s
        for k in list(moments)[:: max(1, len(moments) // FRAMES)]
        if (s := _sighting(files[k], moments[k], pointing, float(longitude.value)))
    ]
    if len(seen) < 3:
        return None
    left = {tenth / 10: _misfit_deg(tenth / 10, seen) for tenth in range(-900, 901)}
    best = min(left, key=lambda latitude: left[latitude])
    other = min((value for latitude, value in left.items() if abs(latitude - best) > 10), default=math.inf)
    if left[best] > AGREES_DEG or other < 3 * left[best]:
        return None
    fit = f"the airmasses of {len(seen)} frames fit {best:g} within {left[best]:.1f} degrees"
    says = f"No header says it; {fit}. Put the true one."
    return Guess("latitude_deg", best, Certainty.UNSURE, says)


def _sighting(
    file: RawFile, moment: datetime, keys: HeaderKeys, longitude_deg: float
) -> tuple[float, float, float] | None:
    """Return altitude, hour angle and declination of a frame's pointing, radians."""
    try:
        header = read_header({**file.header, "DATE-OBS": "2000-01-01T00:00:00"}, keys, ImageType.ENGINEERING)
    except BadInput:
        return None
    if header.ra_deg is None or header.dec_deg is None or header.airmass is None or header.airmass < 1.0005:
        return None
    hour_angle = sidereal_angle_deg(moment + timedelta(seconds=header.exposure_s / 2)) + longitude_deg - header.ra_deg
    return math.asin(1 / header.airmass), math.radians(hour_angle), math.radians(header.dec_deg)


def _misfit_deg(latitude_deg: float, seen: Sequence[tuple[float, float, float]]) -> float:
    """Return by how much altitudes differ at a latitude, in the median."""
    phi = math.radians(latitude_deg)
    apart = []
    for altitude, hour_angle, dec in seen:
        sine = math.sin(phi) * math.sin(dec) + math.cos(phi) * math.cos(dec) * math.cos(hour_angle)
        apart.append(abs(math.asin(max(-1.0, min(1.0, sine))) - altitude))
    return math.degrees(statistics.median(apart))
