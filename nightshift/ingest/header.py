"""What a raw frame's header says, by role, whatever the camera's spelling.

Numbers may be written as strings, right ascension and declination as sexagesimal text, the time of day apart from
its date, the date as a Modified Julian Date. A value that cannot be true is refused with its keyword.
"""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from nightshift.clock import MJD_EPOCH
from nightshift.errors import BadInput
from nightshift.settings.models import HeaderKeys
from nightshift.vocabulary import ImageType, Reason

__all__ = ["FrameHeader", "merged", "read_header", "sexagesimal"]

FIRST_YEAR, LAST_YEAR = 1980, 2100
LONGEST_EXPOSURE_S = 86400.0
JD_OF_MJD_0 = 2400000.5
_STRUCTURE = re.compile(
    r"(SIMPLE|XTENSION|BITPIX|EXTEND|PCOUNT|GCOUNT|TFIELDS|CHECKSUM|DATASUM|Z?NAXIS\d*|Z(IMAGE|SIMPLE|TENSION|EXTEND"
    r"|BITPIX|PCOUNT|GCOUNT|CMPTYPE|QUANTIZ|DITHER0|BLOCKED|TILE\d+|NAME\d+|VAL\d+|HECKSUM|DATASUM)"
    r"|T(TYPE|FORM|UNIT|NULL|SCAL|ZERO|DISP)\d+|COMMENT|HISTORY|)"
)
_SEXAGESIMAL = re.compile(r"([+-]?)\s*(\d{1,3})[:\shd°]\s*(\d{1,2})[:\sm']\s*(\d{1,2}(?:\.\d*)?)\s*[s\"]?")
_DAY = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})")
_OLD_DAY = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{2})")
_CLOCK = re.compile(r"(\d{1,2}):(\d{1,2}):(\d{1,2}(?:\.\d*)?)(Z|[+-]\d{2}:?\d{2})?")


@dataclass(frozen=True)
class FrameHeader:
    """A raw frame's header by role.

    Parameters
    ----------
    exposure_s : float
    shutter_open : datetime
        Aware, UTC.
    filter, object : str
        As the header spells them.
    ra_deg, dec_deg : float or None
        Of the boresight, ICRS degrees.
    airmass : float or None
    camera : str or None
    detector, field, program_id : int or None
    sequence : str or None
    sequence_index, sequence_length : int or None
        From 1.
    """

    exposure_s: float
    shutter_open: datetime
    filter: str
    object: str
    ra_deg: float | None
    dec_deg: float | None
    airmass: float | None
    detector: int | None
    field: int | None
    program_id: int | None
    sequence: str | None
    sequence_index: int | None
    sequence_length: int | None


def merged(headers: tuple[Mapping[str, Any], ...]) -> dict[str, Any]:
    """Return one header of all extensions: what an earlier one says wins; what only describes bytes is left out.

    Infinite numbers become text, for JSON has none.
    """
    whole: dict[str, Any] = {}
    for header in headers:
        for key, value in header.items():
            if value is not None and not _STRUCTURE.fullmatch(key):
                finite = not isinstance(value, float) or math.isfinite(value)
                whole.setdefault(key, value if finite else str(value))
    return whole


def read_header(
    header: Mapping[str, Any], keys: HeaderKeys, image_type: ImageType, *, lenient: bool = False
) -> FrameHeader:
    """Read the roles of a merged header.

    What a frame of this type is not reduced by (the pointing of a bias, the airmass of a flat) is dropped where it
    cannot be true; on a science frame it is refused.

    Parameters
    ----------
    header : mapping
        Keyword to value.
    keys : HeaderKeys
        The camera's spelling of each role, most wanted first.
    image_type : ImageType
    lenient : bool
        Drop it from a science frame too.

    Raises
    ------
    BadInput
        HEADER_INCOMPLETE with the keywords that were looked for, or HEADER_IMPOSSIBLE with keyword and value.
    """
    science = image_type is ImageType.SCIENCE and not lenient
    roles = _Roles(header)
    exposure_s = roles.read(keys.exposure_time, _exposure_time)
    if exposure_s is None and image_type is ImageType.BIAS:
        exposure_s = 0.0
    ra = roles.read(keys.ra, _right_ascension, strict=science)
    dec = roles.read(keys.dec, _declination, strict=science)
    if exposure_s is None:
        raise _incomplete("exposure time", keys.exposure_time)
    return FrameHeader(
        exposure_s=exposure_s,
        shutter_open=_shutter_open(roles, keys),
        filter=roles.read(keys.filter, _text) or "",
        object=roles.read(keys.object, _text) or "",
        ra_deg=ra if dec is not None else None,
        dec_deg=dec if ra is not None else None,
        airmass=roles.read(keys.airmass, _airmass, strict=science),
        detector=roles.read(keys.detector, _integer, strict=False),
        field=roles.read(keys.field, _integer, strict=False),
        program_id=roles.read(keys.program_id, _small, strict=False),
        sequence=roles.read(keys.sequence, _text),
        sequence_index=roles.read(keys.sequence_index, _count, strict=False),
        sequence_length=roles.read(keys.sequence_length, _count, strict=False),
    )


class _Roles:
    """Reads one role at a time: the first keyword of its spellings that is there counts."""

    def __init__(self, header: Mapping[str, Any]):
        self._header = header

    def first(self, keywords: tuple[str, ...]) -> tuple[str, Any] | None:
        for keyword in keywords:
            value = self._header.get(keyword)
            if value is not None and str(value).strip():
                return keyword, value
        return None

    def read(self, keywords: tuple[str, ...], convert: Callable[[Any], Any], *, strict: bool = True) -> Any:
        found = self.first(keywords)
        if found is None:
            return None
        try:
            return convert(found[1])
        except (ValueError, OverflowError) as error:
            if strict:
                raise _impossible(*found, error) from error
            return None


def _impossible(keyword: str, value: Any, why: object) -> BadInput:
    return BadInput(Reason.HEADER_IMPOSSIBLE, f"{keyword} = {value!r:.100}: {why}")


def _incomplete(what: str, keywords: tuple[str, ...]) -> BadInput:
    return BadInput(Reason.HEADER_INCOMPLETE, f"no {what}: none of {', '.join(keywords)} is there")


def _text(value: Any) -> str:
    return str(value).strip()[:200]


def _number(value: Any) -> float:
    if isinstance(value, bool):
        raise ValueError("a logical value is no number")
    try:
        number = float(value if isinstance(value, (int, float)) else str(value).strip().replace("D", "E"))
    except ValueError:
        raise ValueError("it is no number") from None
    if not math.isfinite(number):
        raise ValueError("it is not finite")
    return number


def _within(number: float, least: float, most: float) -> float:
    if not least <= number <= most:
        raise ValueError(f"it must be {least:g} to {most:g}")
    return number


def _exposure_time(value: Any) -> float:
    return _within(_number(value), 0.0, LONGEST_EXPOSURE_S)


def _airmass(value: Any) -> float:
    return max(1.0, _within(_number(value), 0.99, 100.0))


def _integer(value: Any) -> int:
    number = _number(value)
    if number != int(number):
        raise ValueError("it is no whole number")
    return int(_within(number, -(2**31), 2**31 - 1))


def _small(value: Any) -> int:
    return int(_within(_integer(value), 0, 2**15 - 1))


def _count(value: Any) -> int:
    return int(_within(_integer(value), 1, 10**6))


def sexagesimal(text: str) -> float | None:
    """Return hours or degrees of a text like ``07:27:35.5``, or None where it is not written so."""
    match = _SEXAGESIMAL.fullmatch(text.strip())
    if match is None:
        return None
    sign, whole, minutes, seconds = match.groups()
    if float(minutes) >= 60 or float(seconds) > 60:
        raise ValueError("minutes and seconds end at 60")
    size = int(whole) + float(minutes) / 60 + float(seconds) / 3600
    return -size if sign == "-" else size


def _right_ascension(value: Any) -> float:
    """Return degrees: sexagesimal text is hours, a plain number is degrees."""
    hours = sexagesimal(value) if isinstance(value, str) else None
    degrees = _number(value) if hours is None else _within(hours, 0.0, 24.0) * 15
    return _within(degrees, 0.0, 360.0) % 360.0


def _declination(value: Any) -> float:
    degrees = sexagesimal(value) if isinstance(value, str) else None
    return _within(_number(value) if degrees is None else degrees, -90.0, 90.0)


# --- time ---------------------------------------------------------------------------------------------------


def _shutter_open(roles: _Roles, keys: HeaderKeys) -> datetime:
    """Return the moment the shutter opened: a keyword that gives date and time, or a date and a time apart."""
    clock_zone = timedelta(hours=keys.utc_offset_h)
    found = [pair for keyword in keys.date if (pair := roles.first((keyword,)))]
    if not found:
        raise _incomplete("date", keys.date)
    for keyword, value in found:
        try:
            moment = _moment(value, clock_zone)
        except (ValueError, OverflowError) as error:
            raise _impossible(keyword, value, error) from error
        if isinstance(moment, datetime):
            return _checked_year(moment, keyword, value)
    keyword, value = found[0]
    clock = roles.first(keys.time)
    if clock is None:
        what = f"time of day beside {keyword} = {value!r}"
        if not keys.time:
            raise BadInput(Reason.HEADER_INCOMPLETE, f"no {what}, and the camera's settings name no `time`")
        raise _incomplete(what, keys.time)
    try:
        midnight = datetime.combine(_moment(value, clock_zone), datetime.min.time(), UTC)
        moment = midnight + _time_of_day(str(clock[1]), clock_zone)
    except (ValueError, OverflowError) as error:
        raise _impossible(*clock, error) from error
    return _checked_year(moment, keyword, value)


def _checked_year(moment: datetime, keyword: str, value: Any) -> datetime:
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        raise _impossible(keyword, value, f"the year must be {FIRST_YEAR} to {LAST_YEAR}")
    return moment


def _moment(value: Any, clock_zone: timedelta) -> datetime | date:
    """Return a moment of a date with its time or of a Julian date, or a day of a date alone.

    A Julian date is UTC by its definition; a date with its time is, unless it says otherwise, by the camera's clock.
    """
    text = str(value).strip()
    day_text, _, clock = text.replace("T", " ", 1).partition(" ")
    if day := _day(day_text):
        midnight = datetime.combine(day, datetime.min.time(), UTC)
        return midnight + _time_of_day(clock.strip(), clock_zone) if clock.strip() else day
    days = _number(value)
    if days > JD_OF_MJD_0:
        days -= JD_OF_MJD_0
    return MJD_EPOCH + timedelta(microseconds=round(_within(days, 40000, 90000) * 86_400_000_000))


def _day(text: str) -> date | None:
    if match := _DAY.fullmatch(text):
        return date(*(int(part) for part in match.groups()))
    if match := _OLD_DAY.fullmatch(text):
        day, month, year = (int(part) for part in match.groups())
        return date(1900 + year, month, day)
    return None


def _time_of_day(text: str, clock_zone: timedelta) -> timedelta:
    """Return the time since midnight UTC of a time by a clock ahead of UTC by so much. A leap second is allowed."""
    match = _CLOCK.fullmatch(text)
    if match is None:
        raise ValueError("a time of day is written hh:mm:ss")
    hours, minutes, seconds = int(match[1]), int(match[2]), float(match[3])
    if hours > 23 or minutes > 59 or seconds >= 61:
        raise ValueError("no such time of day")
    offset = timedelta() if match[4] else clock_zone
    if match[4] and match[4] != "Z":
        offset = timedelta(hours=int(match[4][:3]), minutes=int(match[4][0] + match[4][-2:]))
    return timedelta(hours=hours, minutes=minutes, microseconds=round(seconds * 1e6)) - offset
