"""The numbers and names that an alert is known by, made by ZTF's rules from the keys of the ledger.

Nothing here counts: each id follows from what it names, so that a night that is played again gives the same ids.
"""

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from nightshift.settings.models import Camera

__all__ = [
    "CandidateParts",
    "candidate_id",
    "julian_date",
    "night_id",
    "object_names",
    "processing_id",
    "readout_channel",
    "reference_id",
    "split_candidate_id",
]

FIRST_DAY = datetime(2017, 1, 1, tzinfo=UTC)  # JD 2457754.5, day 0 of `nid`
UNIX_EPOCH_JD = 2440587.5
UNIX_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
DAY_MICROSECONDS = 86_400_000_000
LIVE_SUFFIX = 15  # the last two digits of ZTF's `pid`; a campaign's number is added to it
POSITIVE, NEGATIVE = 15, 10  # of the difference's sign, in `candid`
LETTERS = "abcdefghijklmnopqrstuvwxyz"
NAME_LETTERS = 7


class CandidateParts(NamedTuple):
    """What a candidate's id says."""

    processing_id: int
    positive: bool
    number: int


def julian_date(time: datetime) -> float:
    """Return the Julian date (UTC, days) of an aware time, rounded to 10 ms as packets carry it."""
    return round(UNIX_EPOCH_JD + (time - UNIX_EPOCH) / timedelta(days=1), 7)


def night_id(shutter_open: datetime) -> int:
    """Return ZTF's night id: whole UT days since 2017-01-01."""
    day = (shutter_open - FIRST_DAY) // timedelta(days=1)
    if day < 0:
        raise ValueError(f"{shutter_open.isoformat()}: night ids begin on 2017-01-01")
    return day


def readout_channel(camera: Camera, detector: int, quadrant: int) -> int:
    """Return the place of an amplifier among all of the camera's, from 0: ZTF's ``4 (ccd - 1) + q - 1``."""
    detectors = [d.id for d in camera.detectors]
    quadrants = list(camera.quadrant_ids)
    return detectors.index(detector) * len(quadrants) + quadrants.index(quadrant)


def processing_id(shutter_open: datetime, channel: int, *, campaign_number: int = 0) -> int:
    """Return `pid`: night id, five digits of the UT day's fraction, channel (2 digits), 15 + campaign.

    Parameters
    ----------
    shutter_open : datetime
        Aware.
    channel : int
        `readout_channel`, 0 to 99.
    campaign_number : int
        0 to 84; the ledger's number of the campaign. 0 is the live night.
    """
    if not (0 <= channel <= 99 and 0 <= campaign_number <= 84):
        raise ValueError(f"channel {channel} must be 0 to 99 and campaign number {campaign_number} 0 to 84")
    since_midnight = ((shutter_open - FIRST_DAY) % timedelta(days=1)) // MICROSECOND
    fraction = since_midnight * 100_000 // DAY_MICROSECONDS
    return ((night_id(shutter_open) * 100_000 + fraction) * 100 + channel) * 100 + LIVE_SUFFIX + campaign_number


def candidate_id(processing: int, number: int, *, positive: bool) -> int:
    """Return `candid`: `pid`, three digits of the difference's sign, three of the candidate's number."""
    if not 0 <= number <= 999:
        raise ValueError(f"candidate number {number} must be 0 to 999: a candid has three digits for it")
    return (processing * 1000 + (POSITIVE if positive else NEGATIVE)) * 1000 + number


def split_candidate_id(candid: int) -> CandidateParts:
    """Return the parts of a `candid`. One early ZTF packet has 115 for the sign: its last two digits decide."""
    rest, number = divmod(candid, 1000)
    processing, sign = divmod(rest, 1000)
    return CandidateParts(processing, sign % 100 == POSITIVE, number)


def reference_id(field: int | None, filter_number: int, channel: int, version: int) -> int:
    """Return `rfid`: field, version (3 digits), filter (1 digit), channel (2 digits).

    ZTF's own has 120 where the version stands here.
    """
    return (((field or 0) * 1000 + version % 1000) * 10 + filter_number % 10) * 100 + channel


def object_names(prefix: str, first_candid: int, first_seen: datetime) -> Iterator[str]:
    """Yield the names that an object may have, most wanted first.

    Prefix, two digits of the year, seven letters drawn from the first detection's id by a hash. Two ids in
    8 10^9 share their letters; the later object then takes the next name of its own sequence.

    Parameters
    ----------
    prefix : str
        The survey's, such as ``ZTF``.
    first_candid : int
        Of the detection that made the object known.
    first_seen : datetime
        Its shutter-open time, aware.
    """
    salt = 0
    while True:
        digest = hashlib.sha256(f"{first_candid}/{salt}".encode()).digest()
        rest = int.from_bytes(digest[:8], "big")
        letters = ""
        for _ in range(NAME_LETTERS):
            rest, place = divmod(rest, len(LETTERS))
            letters += LETTERS[place]
        yield f"{prefix}{first_seen.astimezone(UTC):%y}{letters}"
        salt += 1
