"""The named queries of ``sql/queries/watch.sql``, typed.

Written by ``make queries``: change the SQL and run it.
"""

from dataclasses import dataclass
from datetime import datetime

from nightshift.ledger.database import Ledger

__all__ = [
    "KnownStorage",
    "LastLook",
    "Wait",
    "delete_wait",
    "last_look",
    "put_look",
    "put_pause",
    "put_storage",
    "put_wait",
    "quiet_s",
    "storage",
    "under_way",
    "waits",
]

TOPIC = "watch"


@dataclass(frozen=True, slots=True)
class LastLook:
    """A row of `last_look`."""

    boot: str
    steady_s: float
    since_s: float


@dataclass(frozen=True, slots=True)
class KnownStorage:
    """A row of `storage`."""

    name: str
    marker: str


@dataclass(frozen=True, slots=True)
class Wait:
    """A row of `waits`."""

    name: str
    why: str
    since: datetime
    waited_s: float


def under_way(ledger: Ledger, *, lately_s: float) -> int:
    """Runs that will have something done soon; one that is older says nothing any more."""
    found: int = ledger.value(TOPIC, "under_way", lately_s=lately_s)
    return found


def last_look(ledger: Ledger) -> LastLook | None:
    """Run `last_look`."""
    return ledger.first(TOPIC, "last_look", LastLook)


def put_look(ledger: Ledger, *, boot: str | None, steady_s: float | None) -> int:
    """Run `put_look`."""
    return ledger.run(TOPIC, "put_look", boot=boot, steady_s=steady_s)


def put_pause(ledger: Ledger, *, kind: str | None, passed: float | None, seconds: float | None) -> int:
    """Between the look before and this one, which are so many steady seconds apart."""
    return ledger.run(TOPIC, "put_pause", kind=kind, passed=passed, seconds=seconds)


def storage(ledger: Ledger) -> list[KnownStorage]:
    """Run `storage`."""
    return ledger.select(TOPIC, "storage", KnownStorage)


def put_storage(ledger: Ledger, *, folder: str | None, marker: str | None) -> int:
    """Run `put_storage`."""
    return ledger.run(TOPIC, "put_storage", folder=folder, marker=marker)


def waits(ledger: Ledger) -> list[Wait]:
    """Run `waits`."""
    return ledger.select(TOPIC, "waits", Wait)


def put_wait(ledger: Ledger, *, folder: str | None, why: str | None) -> int:
    """Run `put_wait`."""
    return ledger.run(TOPIC, "put_wait", folder=folder, why=why)


def delete_wait(ledger: Ledger, *, folder: str | None) -> int:
    """Run `delete_wait`."""
    return ledger.run(TOPIC, "delete_wait", folder=folder)


def quiet_s(ledger: Ledger, *, since: datetime) -> float:
    """For how many seconds nothing came out of the inbox since a moment, pauses left out. Whatever arrives is of a
    night that is not closed or changes it.
    """
    found: float = ledger.value(TOPIC, "quiet_s", since=since)
    return found
