"""The named queries of ``sql/queries/months.sql``, typed.

Written by ``make queries``: change the SQL and run it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from nightshift.ledger.database import Ledger
from nightshift.vocabulary import NightState

__all__ = [
    "MonthAway",
    "MonthlyTable",
    "OpenExposure",
    "OpenNight",
    "TableContent",
    "add_columns_of",
    "attach_month",
    "columns_of",
    "content",
    "delete_detached",
    "detach_month",
    "detached_folder",
    "is_here",
    "leave_columns",
    "lock_month",
    "make_missing_tables",
    "month_away",
    "nights_not_closed",
    "not_ended",
    "oldest_month_here",
    "prepare_month",
    "put_detached",
    "tables",
    "unsent",
]

TOPIC = "months"


@dataclass(frozen=True, slots=True)
class MonthlyTable:
    """A row of `tables`."""

    table_name: str


@dataclass(frozen=True, slots=True)
class OpenNight:
    """A row of `nights_not_closed`."""

    site: str
    night: date
    state: NightState


@dataclass(frozen=True, slots=True)
class OpenExposure:
    """A row of `not_ended`."""

    exposure: str


@dataclass(frozen=True, slots=True)
class TableContent:
    """A row of `content`."""

    held: int
    content: str


@dataclass(frozen=True, slots=True)
class MonthAway:
    """A row of `month_away`."""

    month: str
    folder: str


def tables(ledger: Ledger) -> list[MonthlyTable]:
    """The tables that are partitioned by month."""
    return ledger.select(TOPIC, "tables", MonthlyTable)


def is_here(ledger: Ledger, *, month: str) -> bool:
    """Run `is_here`."""
    found: bool = ledger.value(TOPIC, "is_here", month=month)
    return found


def nights_not_closed(ledger: Ledger, *, ends: datetime, begins: datetime) -> list[OpenNight]:
    """Also those of which something came or was reduced since they were closed."""
    return ledger.select(TOPIC, "nights_not_closed", OpenNight, ends=ends, begins=begins)


def not_ended(ledger: Ledger, *, begins: datetime, ends: datetime) -> list[OpenExposure]:
    """Exposures of its nights that are still worked on."""
    return ledger.select(TOPIC, "not_ended", OpenExposure, begins=begins, ends=ends)


def oldest_month_here(ledger: Ledger) -> str | None:
    """Run `oldest_month_here`."""
    found: str | None = ledger.value(TOPIC, "oldest_month_here")
    return found


def unsent(ledger: Ledger, *, begins: datetime, ends: datetime) -> int:
    """Run `unsent`."""
    found: int = ledger.value(TOPIC, "unsent", begins=begins, ends=ends)
    return found


def content(ledger: Ledger, *, table_name: str) -> TableContent | None:
    """Run `content`."""
    return ledger.first(TOPIC, "content", TableContent, table_name=table_name)


def lock_month(ledger: Ledger, *, month: str) -> None:
    """Nobody writes a row of it until the transaction has ended."""
    ledger.run(TOPIC, "lock_month", month=month)


def detach_month(ledger: Ledger, *, month: str) -> None:
    """Run `detach_month`."""
    ledger.run(TOPIC, "detach_month", month=month)


def columns_of(ledger: Ledger, *, table_name: str) -> list[str]:
    """Run `columns_of`."""
    found: list[str] = ledger.value(TOPIC, "columns_of", table_name=table_name)
    return found


def leave_columns(ledger: Ledger, *, table_name: str, columns: Sequence[str]) -> None:
    """Run `leave_columns`."""
    ledger.run(TOPIC, "leave_columns", table_name=table_name, columns=columns)


def add_columns_of(ledger: Ledger, *, table_name: str, other: str) -> None:
    """Run `add_columns_of`."""
    ledger.run(TOPIC, "add_columns_of", table_name=table_name, other=other)


def prepare_month(ledger: Ledger, *, table_name: str, month: str) -> None:
    """Run `prepare_month`."""
    ledger.run(TOPIC, "prepare_month", table_name=table_name, month=month)


def attach_month(ledger: Ledger, *, table_name: str, month: str) -> None:
    """Run `attach_month`."""
    ledger.run(TOPIC, "attach_month", table_name=table_name, month=month)


def make_missing_tables(ledger: Ledger, *, month: str) -> None:
    """Of a month that came back: those that were not there yet when it left."""
    ledger.run(TOPIC, "make_missing_tables", month=month)


def put_detached(ledger: Ledger, *, month: str | None, folder: str | None, operator: str | None) -> int:
    """Run `put_detached`."""
    return ledger.run(TOPIC, "put_detached", month=month, folder=folder, operator=operator)


def delete_detached(ledger: Ledger, *, month: str | None) -> int:
    """Run `delete_detached`."""
    return ledger.run(TOPIC, "delete_detached", month=month)


def month_away(ledger: Ledger, *, night: date, begins: datetime, ends: datetime) -> MonthAway | None:
    """The first month that has left the ledger of those in which a night has rows."""
    return ledger.first(TOPIC, "month_away", MonthAway, night=night, begins=begins, ends=ends)


def detached_folder(ledger: Ledger, *, night: date) -> str | None:
    """Where the files of a night's month are, if it has left the ledger."""
    found: str | None = ledger.value(TOPIC, "detached_folder", night=night)
    return found
