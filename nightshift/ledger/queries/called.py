"""The named queries of ``sql/queries/called.sql``, typed.

Written by ``make queries``: change the SQL and run it.
"""

from dataclasses import dataclass
from datetime import datetime

from nightshift.ledger.database import Ledger

__all__ = ["CalledCandidate", "CalledExposure", "candidate_called", "exposures_called", "is_master", "is_reference"]

TOPIC = "called"


@dataclass(frozen=True, slots=True)
class CalledExposure:
    """A row of `exposures_called`."""

    instrument: str
    exposure_id: str


@dataclass(frozen=True, slots=True)
class CalledCandidate:
    """A row of `candidate_called`."""

    candid: int
    shutter_open: datetime
    unit_key: str


def exposures_called(ledger: Ledger, *, text: str) -> list[CalledExposure]:
    """Exposures of this id, and the one of this instrument and id."""
    return ledger.select(TOPIC, "exposures_called", CalledExposure, text=text)


def candidate_called(ledger: Ledger, *, candid: int) -> CalledCandidate | None:
    """Run `candidate_called`."""
    return ledger.first(TOPIC, "candidate_called", CalledCandidate, candid=candid)


def is_master(ledger: Ledger, *, key: str) -> bool:
    """Run `is_master`."""
    found: bool = ledger.value(TOPIC, "is_master", key=key)
    return found


def is_reference(ledger: Ledger, *, key: str) -> bool:
    """Run `is_reference`."""
    found: bool = ledger.value(TOPIC, "is_reference", key=key)
    return found
