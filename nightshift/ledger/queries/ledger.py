"""The named queries of ``sql/queries/ledger.sql``, typed.

Written by ``make queries``: change the SQL and run it.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from nightshift.ledger.database import Ledger
from nightshift.vocabulary import EventLevel

__all__ = [
    "Event",
    "MeasurementPosition",
    "SiteWithNights",
    "add_event",
    "event_said",
    "event_said_so",
    "events_since",
    "has_revision",
    "measurements",
    "put_audit",
    "put_kind",
    "put_measurement",
    "put_reason",
    "put_survey_stamp",
    "revision",
    "sites_of_nights",
    "survey_stamp",
    "try_lock",
    "unlock",
]

TOPIC = "ledger"


@dataclass(frozen=True, slots=True)
class MeasurementPosition:
    """A row of `measurements`."""

    name: str
    position: int


@dataclass(frozen=True, slots=True)
class Event:
    """A row of `events_since`."""

    event_id: int
    at: datetime
    night_time: datetime | None
    level: EventLevel
    kind: str
    subject: str
    message: str
    detail: dict[str, Any]


@dataclass(frozen=True, slots=True)
class SiteWithNights:
    """A row of `sites_of_nights`."""

    site: str


def put_reason(ledger: Ledger, *, reason: str | None, error_class: str | None, sentence: str | None) -> int:
    """Run `put_reason`."""
    return ledger.run(TOPIC, "put_reason", reason=reason, error_class=error_class, sentence=sentence)


def put_kind(ledger: Ledger, *, kind: str | None, says: str | None, lasting: bool | None) -> int:
    """Run `put_kind`."""
    return ledger.run(TOPIC, "put_kind", kind=kind, says=says, lasting=lasting)


def put_measurement(ledger: Ledger, *, measurement: str | None, unit: str | None, says: str | None) -> int:
    """A new one gets the next position; a known one keeps its own."""
    return ledger.run(TOPIC, "put_measurement", measurement=measurement, unit=unit, says=says)


def measurements(ledger: Ledger) -> list[MeasurementPosition]:
    """Run `measurements`."""
    return ledger.select(TOPIC, "measurements", MeasurementPosition)


def add_event(
    ledger: Ledger,
    *,
    level: str | None,
    kind: str | None,
    message: str | None,
    subject: str | None,
    night_time: datetime | None,
    detail: dict[str, Any] | None,
) -> int:
    """Run `add_event`."""
    return ledger.run(
        TOPIC,
        "add_event",
        level=level,
        kind=kind,
        message=message,
        subject=subject,
        night_time=night_time,
        detail=detail,
    )


def put_audit(
    ledger: Ledger, *, operator: str | None, action: str | None, subject: str | None, detail: dict[str, Any] | None
) -> int:
    """Run `put_audit`."""
    return ledger.run(TOPIC, "put_audit", operator=operator, action=action, subject=subject, detail=detail)


def events_since(ledger: Ledger, *, event_id: int, most: int) -> list[Event]:
    """Run `events_since`."""
    return ledger.select(TOPIC, "events_since", Event, event_id=event_id, most=most)


def try_lock(ledger: Ledger, *, work: str, of: str) -> bool:
    """Held by the connection, beyond any transaction."""
    found: bool = ledger.value(TOPIC, "try_lock", work=work, of=of)
    return found


def unlock(ledger: Ledger, *, work: str, of: str) -> bool:
    """Run `unlock`."""
    found: bool = ledger.value(TOPIC, "unlock", work=work, of=of)
    return found


def event_said(ledger: Ledger, *, kind: str, subject: str) -> bool:
    """Run `event_said`."""
    found: bool = ledger.value(TOPIC, "event_said", kind=kind, subject=subject)
    return found


def event_said_so(ledger: Ledger, *, subject: str, kind: str, message: str) -> bool:
    """Run `event_said_so`."""
    found: bool = ledger.value(TOPIC, "event_said_so", subject=subject, kind=kind, message=message)
    return found


def has_revision(ledger: Ledger) -> str | None:
    """Run `has_revision`."""
    found: str | None = ledger.value(TOPIC, "has_revision")
    return found


def revision(ledger: Ledger) -> str | None:
    """Run `revision`."""
    found: str | None = ledger.value(TOPIC, "revision")
    return found


def survey_stamp(ledger: Ledger) -> str | None:
    """Whose ledger it is."""
    found: str | None = ledger.value(TOPIC, "survey_stamp")
    return found


def put_survey_stamp(ledger: Ledger, *, survey: str | None) -> int:
    """Run `put_survey_stamp`."""
    return ledger.run(TOPIC, "put_survey_stamp", survey=survey)


def sites_of_nights(ledger: Ledger) -> list[SiteWithNights]:
    """Whose nights a ledger from before it was stamped holds."""
    return ledger.select(TOPIC, "sites_of_nights", SiteWithNights)
