"""The numbers and names that an alert is known by, made from the keys of the ledger.

Nothing here counts: each id follows from what it names, so that a night that is played again gives the same ids. The
survey's settings choose the rule (``alerts.ids``): `ZtfIds`, for who reads alerts as ZTF's brokers do, or
`NightshiftIds`, which has room for large mosaics and for several instruments. Either keeps an id below 2^63.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, Protocol

from nightshift.settings.models import CHANNELS, INSTRUMENTS, AlertPolicy, Camera

__all__ = [
    "CandidateParts",
    "IdRule",
    "NightshiftIds",
    "ProcessingParts",
    "ZtfIds",
    "id_rule",
    "julian_date",
    "night_id",
    "object_names",
    "readout_channel",
]

FIRST_DAY = datetime(2017, 1, 1, tzinfo=UTC)  # JD 2457754.5, day 0 of `nid`
UNIX_EPOCH_JD = 2440587.5
UNIX_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
DAY_MICROSECONDS = 86_400_000_000
LIVE_SUFFIX = 15  # the last two digits of ZTF's `pid`; a campaign's number is added to it
ZTF_CAMPAIGNS = 100 - LIVE_SUFFIX
POSITIVE, NEGATIVE = 15, 10  # of the difference's sign, in ZTF's `candid`
CAMPAIGNS = 100
NUMBERS = 1000  # of candidates of one difference
FILTERS, VERSIONS = 100, 1000
LARGEST = 2**63 - 1  # of a bigint, and of Avro's long
LAST_SECOND = (LARGEST + 1) // (INSTRUMENTS * CHANNELS["nightshift"] * CAMPAIGNS * NUMBERS * 2)  # in 2061
LETTERS = "abcdefghijklmnopqrstuvwxyz"
NAME_LETTERS = 7


class CandidateParts(NamedTuple):
    """What a candidate's id says."""

    processing_id: int
    positive: bool
    number: int


class ProcessingParts(NamedTuple):
    """What a processing id of Nightshift's own rule says."""

    second: int  # of `FIRST_DAY`
    instrument: int
    channel: int
    campaign_number: int


class IdRule(Protocol):
    """How the numbers of an alert are made."""

    def processing_id(self, shutter_open: datetime, channel: int, *, campaign_number: int = 0) -> int:
        """Return `pid`: one quadrant of one exposure, processed once in a campaign.

        Parameters
        ----------
        shutter_open : datetime
            Aware.
        channel : int
            `readout_channel`.
        campaign_number : int
            The ledger's number of the campaign. 0 is the live night.

        Raises
        ------
        ValueError
            Naming the limit that was passed.
        """

    def candidate_id(self, processing: int, number: int, *, positive: bool) -> int:
        """Return `candid`: a candidate, by its number (0 to 999) in its difference and the difference's sign."""

    def split_candidate_id(self, candid: int) -> CandidateParts:
        """Return the parts of a `candid`."""

    def reference_id(self, field: int | None, filter_number: int, channel: int, version: int) -> int:
        """Return `rfid`: a version of a reference of one channel of a field in a filter."""


def id_rule(alerts: AlertPolicy, camera: Camera) -> IdRule:
    """Return the rule that a survey's settings choose, for one of its cameras."""
    return ZtfIds() if alerts.ids == "ztf" else NightshiftIds(camera.number)


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


def _within(what: str, value: int, end: int, rule: str) -> None:
    if not 0 <= value < end:
        raise ValueError(f"{what} {value} must be 0 to {end - 1} by the rule of ids {rule!r}")


@dataclass(frozen=True)
class ZtfIds:
    """ZTF's rule: decimal digits that its brokers can read, for one camera of at most 100 channels."""

    def processing_id(self, shutter_open: datetime, channel: int, *, campaign_number: int = 0) -> int:
        """Return night id, five digits of the UT day's fraction, channel (2 digits), 15 + campaign."""
        _within("channel", channel, CHANNELS["ztf"], "ztf")
        _within("campaign number", campaign_number, ZTF_CAMPAIGNS, "ztf")
        since_midnight = ((shutter_open - FIRST_DAY) % timedelta(days=1)) // MICROSECOND
        fraction = since_midnight * 100_000 // DAY_MICROSECONDS
        return ((night_id(shutter_open) * 100_000 + fraction) * 100 + channel) * 100 + LIVE_SUFFIX + campaign_number

    def candidate_id(self, processing: int, number: int, *, positive: bool) -> int:
        """Return `pid`, three digits of the difference's sign, three of the candidate's number."""
        _within("candidate number", number, NUMBERS, "ztf")
        return (processing * 1000 + (POSITIVE if positive else NEGATIVE)) * NUMBERS + number

    def split_candidate_id(self, candid: int) -> CandidateParts:
        """Return the parts of a `candid`. One early ZTF packet has 115 for the sign: its last two digits decide."""
        rest, number = divmod(candid, NUMBERS)
        processing, sign = divmod(rest, 1000)
        return CandidateParts(processing, sign % 100 == POSITIVE, number)

    def reference_id(self, field: int | None, filter_number: int, channel: int, version: int) -> int:
        """Return field, version (3 digits), filter (1 digit), channel (2 digits).

        ZTF's own has 120 where the version stands here.
        """
        return (((field or 0) * 1000 + version % 1000) * 10 + filter_number % 10) * 100 + channel


@dataclass(frozen=True)
class NightshiftIds:
    """Nightshift's own rule, for 32 instruments of 1,024 channels each; ids sort by time.

    The parts from the largest to the smallest: seconds since 2017, instrument (32), channel (1,024), campaign (100),
    candidate number (1,000), sign (2). Seconds last until 2061. Exposures of one instrument begin a second apart, or
    they share their ids.

    Parameters
    ----------
    instrument : int
        The camera's ``number`` in the settings, 0 to 31.
    """

    instrument: int

    def processing_id(self, shutter_open: datetime, channel: int, *, campaign_number: int = 0) -> int:
        """Return seconds, instrument, channel and campaign, each in its own range."""
        second = (shutter_open - FIRST_DAY) // timedelta(seconds=1)
        _within("second since 2017-01-01", second, LAST_SECOND, "nightshift")
        _within("instrument number", self.instrument, INSTRUMENTS, "nightshift")
        _within("channel", channel, CHANNELS["nightshift"], "nightshift")
        _within("campaign number", campaign_number, CAMPAIGNS, "nightshift")
        where = (second * INSTRUMENTS + self.instrument) * CHANNELS["nightshift"] + channel
        return where * CAMPAIGNS + campaign_number

    @staticmethod
    def split_processing_id(processing: int) -> ProcessingParts:
        """Return the parts of a `pid`."""
        rest, campaign_number = divmod(processing, CAMPAIGNS)
        rest, channel = divmod(rest, CHANNELS["nightshift"])
        second, instrument = divmod(rest, INSTRUMENTS)
        return ProcessingParts(second, instrument, channel, campaign_number)

    def candidate_id(self, processing: int, number: int, *, positive: bool) -> int:
        """Return `pid`, the candidate's number, and the difference's sign as the last bit."""
        _within("candidate number", number, NUMBERS, "nightshift")
        return (processing * NUMBERS + number) * 2 + positive

    def split_candidate_id(self, candid: int) -> CandidateParts:
        """Return the parts of a `candid`."""
        rest, positive = divmod(candid, 2)
        processing, number = divmod(rest, NUMBERS)
        return CandidateParts(processing, bool(positive), number)

    def reference_id(self, field: int | None, filter_number: int, channel: int, version: int) -> int:
        """Return field, version, filter, instrument and channel, each in its own range."""
        _within("field", field or 0, 2**31, "nightshift")
        _within("version", version, VERSIONS, "nightshift")
        _within("filter number", filter_number, FILTERS, "nightshift")
        _within("channel", channel, CHANNELS["nightshift"], "nightshift")
        what = ((field or 0) * VERSIONS + version) * FILTERS + filter_number
        return (what * INSTRUMENTS + self.instrument) * CHANNELS["nightshift"] + channel


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
