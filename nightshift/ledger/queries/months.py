"""The named queries of ``sql/queries/months.sql``, typed.

Written by ``make queries``: change the SQL and run it.
"""

from dataclasses import dataclass
from datetime import date, datetime

from nightshift.ledger.database import Ledger

__all__ = [
    "Content",
    "NightsNotClosed",
    "attach_month",
    "content",
    "detach_month",
    "is_here",
    "lock_months",
    "nights_not_closed",
    "prepare_month",
    "unsent",
]

TOPIC = "months"


@dataclass(frozen=True, slots=True)
class NightsNotClosed:
    """A row of `nights_not_closed`."""

    site: str
    night: date
    state: str


@dataclass(frozen=True, slots=True)
class Content:
    """A row of `content`."""

    held: int
    content: str


def is_here(ledger: Ledger, *, month: str) -> bool:
    """Run `is_here`."""
    found: bool = ledger.value(TOPIC, "is_here", month=month)
    return found


def nights_not_closed(ledger: Ledger, *, ends: datetime, begins: datetime) -> list[NightsNotClosed]:
    """Run `nights_not_closed`."""
    return ledger.select(TOPIC, "nights_not_closed", NightsNotClosed, ends=ends, begins=begins)


def unsent(ledger: Ledger, *, begins: datetime, ends: datetime) -> int:
    """Run `unsent`."""
    found: int = ledger.value(TOPIC, "unsent", begins=begins, ends=ends)
    return found


def content(ledger: Ledger, *, table_name: str) -> Content | None:
    """Run `content`."""
    return ledger.first(TOPIC, "content", Content, table_name=table_name)


def lock_months(ledger: Ledger) -> int:
    """Nobody writes a candidate, an alert or a message until the transaction has ended."""
    return ledger.run(TOPIC, "lock_months")


def detach_month(ledger: Ledger, *, month: str) -> None:
    """Run `detach_month`."""
    ledger.run(TOPIC, "detach_month", month=month)


def prepare_month(ledger: Ledger, *, month: str) -> None:
    """Run `prepare_month`."""
    ledger.run(TOPIC, "prepare_month", month=month)


def attach_month(ledger: Ledger, *, month: str) -> None:
    """Run `attach_month`."""
    ledger.run(TOPIC, "attach_month", month=month)
