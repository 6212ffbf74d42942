"""The named queries of ``sql/queries/night_watch.sql``, typed.

Written by ``make queries``: change the SQL and run it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from nightshift.ledger.database import Ledger

__all__ = [
    "DetectorAbove",
    "KnownAlarm",
    "RecentMedian",
    "RecentReason",
    "SilentDetector",
    "UsualMeasurement",
    "alarms",
    "claim_look",
    "delete_alarm",
    "detectors_above",
    "forget_usual",
    "open_night",
    "put_alarm",
    "put_usual",
    "quiet_s",
    "recent_medians",
    "recent_reasons",
    "silent_detectors",
    "usual_of_night",
]

TOPIC = "night_watch"


@dataclass(frozen=True, slots=True)
class KnownAlarm:
    """A row of `alarms`."""

    kind: str
    subject: str
    instrument: str
    message: str
    since: datetime


@dataclass(frozen=True, slots=True)
class SilentDetector:
    """A row of `silent_detectors`."""

    detector: int


@dataclass(frozen=True, slots=True)
class RecentMedian:
    """A row of `recent_medians`."""

    filter: str
    name: str
    median: float


@dataclass(frozen=True, slots=True)
class UsualMeasurement:
    """A row of `usual_of_night`."""

    filter: str
    name: str
    median: float
    nights: int


@dataclass(frozen=True, slots=True)
class RecentReason:
    """A row of `recent_reasons`."""

    reason: str
    units: int
    exposures: int


@dataclass(frozen=True, slots=True)
class DetectorAbove:
    """A row of `detectors_above`."""

    detector: int
    least: float
    exposures: int


def claim_look(ledger: Ledger, *, site: str | None, every_s: float | None) -> int:
    """Who gets the row looks; nobody else does for a while."""
    return ledger.run(TOPIC, "claim_look", site=site, every_s=every_s)


def open_night(ledger: Ledger, *, site: str) -> date | None:
    """Run `open_night`."""
    found: date | None = ledger.value(TOPIC, "open_night", site=site)
    return found


def alarms(ledger: Ledger, *, site: str) -> list[KnownAlarm]:
    """Run `alarms`."""
    return ledger.select(TOPIC, "alarms", KnownAlarm, site=site)


def put_alarm(
    ledger: Ledger,
    *,
    site: str | None,
    kind: str | None,
    subject: str | None,
    instrument: str | None,
    message: str | None,
) -> int:
    """Run `put_alarm`."""
    return ledger.run(
        TOPIC, "put_alarm", site=site, kind=kind, subject=subject, instrument=instrument, message=message
    )


def delete_alarm(ledger: Ledger, *, site: str | None, kind: str | None, subject: str | None) -> int:
    """Run `delete_alarm`."""
    return ledger.run(TOPIC, "delete_alarm", site=site, kind=kind, subject=subject)


def quiet_s(ledger: Ledger, *, site: str, night: date) -> float | None:
    """For how long no frame of a night has come, pauses left out; null: none has come at all."""
    found: float | None = ledger.value(TOPIC, "quiet_s", site=site, night=night)
    return found


def silent_detectors(
    ledger: Ledger, *, instrument: str, night: date, wait_s: float, exposures: int
) -> list[SilentDetector]:
    """Detectors that were expected in each of the last exposures and of which no frame came in any. An exposure
    that frames may still come of is none of them.
    """
    return ledger.select(
        TOPIC,
        "silent_detectors",
        SilentDetector,
        instrument=instrument,
        night=night,
        wait_s=wait_s,
        exposures=exposures,
    )


def recent_medians(
    ledger: Ledger,
    *,
    instrument: str,
    night: date,
    exposures: int,
    tier: str,
    campaign: str,
    names: Sequence[str],
    at_least: int,
) -> list[RecentMedian]:
    """Medians over the quadrants of the last exposures, by filter, where enough of them were measured."""
    return ledger.select(
        TOPIC,
        "recent_medians",
        RecentMedian,
        instrument=instrument,
        night=night,
        exposures=exposures,
        tier=tier,
        campaign=campaign,
        names=names,
        at_least=at_least,
    )


def usual_of_night(ledger: Ledger, *, instrument: str, night: date) -> list[UsualMeasurement]:
    """Run `usual_of_night`."""
    return ledger.select(TOPIC, "usual_of_night", UsualMeasurement, instrument=instrument, night=night)


def put_usual(
    ledger: Ledger,
    *,
    instrument: str | None,
    night: date | None,
    filter: str | None,
    measurement: str | None,
    median: float | None,
    nights: int | None,
) -> int:
    """Run `put_usual`."""
    return ledger.run(
        TOPIC,
        "put_usual",
        instrument=instrument,
        night=night,
        filter=filter,
        measurement=measurement,
        median=median,
        nights=nights,
    )


def forget_usual(ledger: Ledger, *, instrument: str | None, night: date | None) -> int:
    """Run `forget_usual`."""
    return ledger.run(TOPIC, "forget_usual", instrument=instrument, night=night)


def recent_reasons(
    ledger: Ledger, *, instrument: str, night: date, exposures: int, tier: str, campaign: str
) -> list[RecentReason]:
    """How the quadrants of the last exposures ended."""
    return ledger.select(
        TOPIC,
        "recent_reasons",
        RecentReason,
        instrument=instrument,
        night=night,
        exposures=exposures,
        tier=tier,
        campaign=campaign,
    )


def detectors_above(
    ledger: Ledger,
    *,
    instrument: str,
    night: date,
    exposures: int,
    tier: str,
    campaign: str,
    measurement: str,
    bound: float,
) -> list[DetectorAbove]:
    """Detectors whose frames were all above a bound in the last exposures that they were measured in."""
    return ledger.select(
        TOPIC,
        "detectors_above",
        DetectorAbove,
        instrument=instrument,
        night=night,
        exposures=exposures,
        tier=tier,
        campaign=campaign,
        measurement=measurement,
        bound=bound,
    )
