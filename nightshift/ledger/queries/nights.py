"""The named queries of ``sql/queries/nights.sql``, typed.

Written by ``make queries``: change the SQL and run it.
"""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from nightshift.ledger.database import Ledger
from nightshift.vocabulary import NightState

__all__ = [
    "NightToClose",
    "Pin",
    "is_pinned",
    "last_pins",
    "lock_pin",
    "mark_night_closing",
    "night_of_exposure",
    "nights_to_close",
    "pin",
    "pin_night",
    "set_pin",
]

TOPIC = "nights"


@dataclass(frozen=True, slots=True)
class NightToClose:
    """A row of `nights_to_close`."""

    site: str
    night: date
    signal: str


@dataclass(frozen=True, slots=True)
class Pin:
    """A row of `pin` or `lock_pin` or `last_pins`."""

    site: str
    night: date
    ends: datetime
    state: NightState
    code_version: str | None
    settings: dict[str, Any] | None
    settings_hashes: dict[str, Any] | None


def nights_to_close(ledger: Ledger, *, quiet_s: float, site: str, now: datetime) -> list[NightToClose]:
    """Open nights whose manifest is complete, or whose noon has passed while nothing comes any more; and closed
    ones of which something came or was reduced since, once nothing has come for a while. A night whose month has
    left the ledger waits until that is back.
    """
    return ledger.select(TOPIC, "nights_to_close", NightToClose, quiet_s=quiet_s, site=site, now=now)


def mark_night_closing(ledger: Ledger, *, signal: str | None, site: str | None, night: date | None) -> int:
    """Run `mark_night_closing`."""
    return ledger.run(TOPIC, "mark_night_closing", signal=signal, site=site, night=night)


def is_pinned(ledger: Ledger, *, instrument: str, site: str, night: date) -> bool | None:
    """Run `is_pinned`."""
    found: bool | None = ledger.value(TOPIC, "is_pinned", instrument=instrument, site=site, night=night)
    return found


def pin_night(
    ledger: Ledger,
    *,
    site: str | None,
    night: date | None,
    begins: datetime | None,
    ends: datetime | None,
    code_version: str | None,
    survey: str | None,
    instrument: str | None,
    settings: dict[str, Any] | None,
    hashes: dict[str, Any] | None,
) -> int:
    """Open a night with the settings of an instrument. One that has those of others, or was opened before they
    were recorded, gets them while it is open.
    """
    return ledger.run(
        TOPIC,
        "pin_night",
        site=site,
        night=night,
        begins=begins,
        ends=ends,
        code_version=code_version,
        survey=survey,
        instrument=instrument,
        settings=settings,
        hashes=hashes,
    )


def pin(ledger: Ledger, *, site: str, night: date) -> Pin | None:
    """Run `pin`."""
    return ledger.first(TOPIC, "pin", Pin, site=site, night=night)


def lock_pin(ledger: Ledger, *, site: str, night: date) -> Pin | None:
    """Run `lock_pin`."""
    return ledger.first(TOPIC, "lock_pin", Pin, site=site, night=night)


def last_pins(ledger: Ledger, *, now: datetime, survey: str) -> list[Pin]:
    """Of each site the newest night that has begun and has not both ended and closed."""
    return ledger.select(TOPIC, "last_pins", Pin, now=now, survey=survey)


def set_pin(
    ledger: Ledger,
    *,
    code_version: str | None,
    survey: str | None,
    settings: dict[str, Any] | None,
    settings_hashes: dict[str, Any] | None,
    site: str | None,
    night: date | None,
) -> int:
    """Run `set_pin`."""
    return ledger.run(
        TOPIC,
        "set_pin",
        code_version=code_version,
        survey=survey,
        settings=settings,
        settings_hashes=settings_hashes,
        site=site,
        night=night,
    )


def night_of_exposure(ledger: Ledger, *, instrument: str, exposure_id: str) -> date | None:
    """Run `night_of_exposure`."""
    found: date | None = ledger.value(TOPIC, "night_of_exposure", instrument=instrument, exposure_id=exposure_id)
    return found
