"""The named queries of ``sql/queries/calendar.sql``, typed.

Written by ``make queries``: change the SQL and run it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from nightshift.ledger.database import Ledger
from nightshift.vocabulary import CalendarKind

__all__ = [
    "Entry",
    "EntryInForce",
    "end_entry",
    "entries",
    "entry",
    "expect_anew",
    "in_force",
    "mark_said",
    "put_entry",
    "put_settings_entry",
    "withdraw_settings_entries",
]

TOPIC = "calendar"


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of `entries` or `entry`."""

    entry_id: int
    kind: CalendarKind
    site: str
    instrument: str | None
    detector: int | None
    begins: datetime
    ends: datetime | None
    reason: str
    announced: bool
    operator: str | None
    entered_at: datetime
    ended_by: str | None
    end_reason: str | None


@dataclass(frozen=True, slots=True)
class EntryInForce:
    """A row of `in_force`."""

    entry_id: int
    kind: CalendarKind
    detector: int | None
    reason: str


def entries(ledger: Ledger, *, site: str, first: datetime | None, last: datetime | None) -> list[Entry]:
    """Those of a site that hold at some time from `first` until `last`, the earliest first; null: without bound."""
    return ledger.select(TOPIC, "entries", Entry, site=site, first=first, last=last)


def entry(ledger: Ledger, *, site: str, entry_id: int) -> Entry | None:
    """Run `entry`."""
    return ledger.first(TOPIC, "entry", Entry, site=site, entry_id=entry_id)


def in_force(ledger: Ledger, *, site: str, instrument: str, moment: datetime) -> list[EntryInForce]:
    """What holds for an instrument at a moment."""
    return ledger.select(TOPIC, "in_force", EntryInForce, site=site, instrument=instrument, moment=moment)


def put_entry(
    ledger: Ledger,
    *,
    kind: str,
    site: str,
    instrument: str | None,
    detector: int | None,
    begins: datetime,
    ends: datetime | None,
    reason: str,
    announced: bool,
    operator: str,
) -> int:
    """By a person."""
    found: int = ledger.value(
        TOPIC,
        "put_entry",
        kind=kind,
        site=site,
        instrument=instrument,
        detector=detector,
        begins=begins,
        ends=ends,
        reason=reason,
        announced=announced,
        operator=operator,
    )
    return found


def put_settings_entry(
    ledger: Ledger,
    *,
    kind: str | None,
    site: str | None,
    instrument: str | None,
    detector: int | None,
    begins: datetime | None,
    ends: datetime | None,
    reason: str | None,
    announced: bool | None,
    settings_key: str | None,
) -> int:
    """Of calendar.toml. That a person ended it stays."""
    return ledger.run(
        TOPIC,
        "put_settings_entry",
        kind=kind,
        site=site,
        instrument=instrument,
        detector=detector,
        begins=begins,
        ends=ends,
        reason=reason,
        announced=announced,
        settings_key=settings_key,
    )


def withdraw_settings_entries(
    ledger: Ledger, *, site: str | None, settings_keys: Sequence[str] | None, now: datetime | None
) -> int:
    """What calendar.toml holds no more. What had ended by then stays as it was."""
    return ledger.run(TOPIC, "withdraw_settings_entries", site=site, settings_keys=settings_keys, now=now)


def end_entry(
    ledger: Ledger,
    *,
    ends: datetime | None,
    operator: str | None,
    reason: str | None,
    site: str | None,
    entry_id: int | None,
) -> int:
    """An entry that has not begun holds for no moment then."""
    return ledger.run(TOPIC, "end_entry", ends=ends, operator=operator, reason=reason, site=site, entry_id=entry_id)


def mark_said(ledger: Ledger, *, site: str | None, entry_id: int | None) -> int:
    """Once an entry."""
    return ledger.run(TOPIC, "mark_said", site=site, entry_id=entry_id)


def expect_anew(ledger: Ledger, *, detectors: Sequence[int] | None, instrument: str | None) -> int:
    """Exposures that are still waited for expect the detectors that are in service at their time."""
    return ledger.run(TOPIC, "expect_anew", detectors=detectors, instrument=instrument)
