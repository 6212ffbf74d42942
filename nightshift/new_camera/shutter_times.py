"""When the shutter opened: by which keywords, and by which clock."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from nightshift.errors import BadInput
from nightshift.ingest.header import read_header
from nightshift.new_camera.guesses import Certainty, Guess, asked
from nightshift.new_camera.raw_files import RawFile
from nightshift.settings.models import HeaderKeys
from nightshift.vocabulary import ImageType

__all__ = ["ShutterTimes", "find_shutter_times"]

EXPOSURE = ("EXPTIME", "EXPOSURE", "EXP_TIME", "ITIME", "EXPOS", "TEXP", "INTTIME", "EXP-TIME")
CALENDAR = ("DATE-OBS", "DATE_OBS", "DATEOBS", "UTC-DATE", "UTDATE", "DATE-BEG", "DATE")
JULIAN = ("MJD-OBS", "MJD_OBS", "OBSMJD", "MJD-BEG", "MJD", "JD-OBS", "JD", "JULDATE")
CLOCK = ("UTCSTART", "UTSTART", "UT-START", "UTC-OBS", "TIME-OBS", "UTC", "UT", "UTSHUT", "TIME")
HALF_HOUR_S = 1800.0
WITHIN_S = 5.0  # what two keywords of one moment may differ by: a Julian date of five decimals is good to a second
ALIKE = 0.8  # share of frames that must have it


@dataclass(frozen=True)
class ShutterTimes:
    """The keywords of time, and what they say.

    Parameters
    ----------
    keys : HeaderKeys
        Of these the exposure time, the date, the time and the clock are used.
    moments : dict
        UTC, by place in the folder's list; a frame without one is not in it.
    guesses : tuple of Guess
    """

    keys: HeaderKeys
    moments: dict[int, datetime]
    guesses: tuple[Guess, ...]


def find_shutter_times(files: Sequence[RawFile]) -> ShutterTimes:
    """Find the keywords that say when the shutter opened and for how long."""
    exposure = _exposure_guess(files)
    times = tuple(keyword for keyword in CLOCK if any(file.value(keyword) for file in files))
    read = {
        keyword: moments
        for keyword in (*CALENDAR, *JULIAN)
        if len(moments := _moments(files, HeaderKeys(date=(keyword,), time=times))) >= ALIKE * len(files)
    }
    if not read:
        return ShutterTimes(HeaderKeys(), {}, (exposure, asked("date", _what_is_wrong(files), in_list=True)))
    chosen = next(iter(read))
    offset_h, says, certainty = _clock_of(chosen, read, files)
    clock = times if _needs_clock(chosen, files) else ()
    keys = HeaderKeys(date=(chosen,), time=clock, utc_offset_h=offset_h)
    guesses = [exposure, Guess("date", [chosen], certainty, says)]
    if clock:
        guesses.append(Guess("time", list(clock), Certainty.SURE, f"{chosen} has no time of day; these read as one."))
    if offset_h:
        guesses.append(Guess("utc_offset_h", offset_h, certainty, f"The clock of {chosen}, from UTC. {says}"))
    return ShutterTimes(keys, _moments(files, keys), tuple(guesses))


def _exposure_guess(files: Sequence[RawFile]) -> Guess:
    found = [keyword for keyword in EXPOSURE if any(file.value(keyword) for file in files)]
    if not found:
        what = "Which keyword says how long the shutter was open, in seconds?"
        return asked("exposure_time", what, in_list=True)
    seconds = sorted({seconds for file in files if (seconds := exposure_s(file)) is not None})
    span = f"{seconds[0]:.4g} to {seconds[-1]:.4g} s" if seconds else "no number"
    return Guess("exposure_time", found[:2], Certainty.SURE, f"{found[0]}: {span}.")


def exposure_s(file: RawFile) -> float | None:
    """Return how long the shutter was open, by the first keyword that says so in seconds."""
    for keyword in EXPOSURE:
        try:
            return float(file.value(keyword))
        except ValueError:
            continue
    return None


def _moments(files: Sequence[RawFile], keys: HeaderKeys) -> dict[int, datetime]:
    """Return the moment of each frame of which these keywords give one that can be true."""
    found: dict[int, datetime] = {}
    for number, file in enumerate(files):
        try:
            found[number] = read_header({**file.header, "EXPTIME": 0.0}, keys, ImageType.ENGINEERING).shutter_open
        except BadInput:
            continue
    return found


def _needs_clock(keyword: str, files: Sequence[RawFile]) -> bool:
    return len(_moments(files, HeaderKeys(date=(keyword,)))) < len(
        _moments(files, HeaderKeys(date=(keyword,), time=CLOCK))
    )


def _what_is_wrong(files: Sequence[RawFile]) -> str:
    """Return the question for the date, with what the keywords say that cannot be one."""
    said = [
        f"{keyword} = {file.value(keyword)!r}"
        for keyword in (*CALENDAR, *JULIAN)
        for file in files[:1]
        if file.value(keyword)
    ]
    seen = f" These cannot be the time of an observation: {', '.join(said)}." if said else ""
    return f"Which keyword says when the shutter opened (1980 or later)?{seen}"


def _clock_of(
    chosen: str, read: dict[str, dict[int, datetime]], files: Sequence[RawFile]
) -> tuple[float, str, Certainty]:
    """Return by how many hours the chosen keyword's clock is ahead of UTC, why, and how sure that is."""
    julian = [keyword for keyword in JULIAN if keyword in read and keyword != chosen]
    if chosen in JULIAN:
        return 0.0, f"{chosen} is a Julian date, which is UTC.", Certainty.LIKELY
    if not julian:
        return 0.0, f"{chosen} reads in {len(read[chosen])} of {len(files)} files; taken as UTC.", Certainty.LIKELY
    other = julian[0]
    both = [k for k in read[chosen] if k in read[other]]
    ahead = [(read[other][k] - read[chosen][k]).total_seconds() for k in both]
    halves = round(statistics.median(ahead) / HALF_HOUR_S)
    left = [seconds - halves * HALF_HOUR_S for seconds in ahead]
    longs = [exposure_s(files[k]) or 0.0 for k in both]
    misfit = {
        when: max(abs(rest - share * long) for rest, long in zip(left, longs, strict=True))
        for when, share in (("start", 0.0), ("middle", 0.5), ("end", 1.0))
    }
    best = min(misfit, key=lambda when: misfit[when])
    if misfit[best] < WITHIN_S:
        return _as_said(chosen, other, halves, best)
    differ = f"{chosen} and {other} differ by {statistics.median(ahead):.0f} s"
    return 0.0, f"{differ}: find out which is the start, in UTC.", Certainty.UNSURE


def _as_said(chosen: str, other: str, halves: int, when: str) -> tuple[float, str, Certainty]:
    of_what = "" if when == "start" else f", which is of the exposure's {when}"
    if not halves:
        return 0.0, f"{chosen} agrees with {other}{of_what}, so it is UTC.", Certainty.SURE
    hours = -halves / 2
    return hours, f"{other}{of_what} is UTC and {chosen} differs by {hours:+g} h: a local clock.", Certainty.LIKELY
