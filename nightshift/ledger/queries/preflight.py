"""The named queries of ``sql/queries/preflight.sql``, typed.

Written by ``make queries``: change the SQL and run it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from nightshift.ledger.database import Ledger
from nightshift.vocabulary import CheckState

__all__ = [
    "Alarm",
    "CheckOfNight",
    "PostgresServer",
    "alarms",
    "checks_of_night",
    "forget_other_checks",
    "lower_alarm",
    "put_check",
    "raise_alarm",
    "server",
]

TOPIC = "preflight"


@dataclass(frozen=True, slots=True)
class CheckOfNight:
    """A row of `checks_of_night`."""

    check_name: str
    state: CheckState
    sentence: str
    number: float | None
    unit: str
    advice: str
    seconds: float
    checked_at: datetime


@dataclass(frozen=True, slots=True)
class Alarm:
    """A row of `alarms`."""

    check_name: str
    since: datetime


@dataclass(frozen=True, slots=True)
class PostgresServer:
    """A row of `server`."""

    bytes: int
    connections_most: int
    connections: int
    read_only: bool
    replicas: int
    at: datetime


def put_check(
    ledger: Ledger,
    *,
    site: str | None,
    night: date | None,
    check_name: str | None,
    state: str | None,
    sentence: str | None,
    number: float | None,
    unit: str | None,
    advice: str | None,
    seconds: float | None,
) -> int:
    """Run `put_check`."""
    return ledger.run(
        TOPIC,
        "put_check",
        site=site,
        night=night,
        check_name=check_name,
        state=state,
        sentence=sentence,
        number=number,
        unit=unit,
        advice=advice,
        seconds=seconds,
    )


def forget_other_checks(
    ledger: Ledger, *, site: str | None, night: date | None, check_names: Sequence[str] | None
) -> int:
    """Of an earlier run of the same night: checks that there are no more."""
    return ledger.run(TOPIC, "forget_other_checks", site=site, night=night, check_names=check_names)


def checks_of_night(ledger: Ledger, *, site: str, night: date) -> list[CheckOfNight]:
    """Run `checks_of_night`."""
    return ledger.select(TOPIC, "checks_of_night", CheckOfNight, site=site, night=night)


def raise_alarm(ledger: Ledger, *, site: str | None, check_name: str | None) -> int:
    """Once, until it is lowered."""
    return ledger.run(TOPIC, "raise_alarm", site=site, check_name=check_name)


def lower_alarm(ledger: Ledger, *, site: str | None, check_name: str | None) -> int:
    """Run `lower_alarm`."""
    return ledger.run(TOPIC, "lower_alarm", site=site, check_name=check_name)


def alarms(ledger: Ledger, *, site: str) -> list[Alarm]:
    """Run `alarms`."""
    return ledger.select(TOPIC, "alarms", Alarm, site=site)


def server(ledger: Ledger) -> PostgresServer | None:
    """What the database says of itself: bytes, connections, whether it takes writes, and who copies it."""
    return ledger.first(TOPIC, "server", PostgresServer)
