"""The named queries of ``sql/queries/candidate_history.sql``, typed.

Written by ``make queries``: change the SQL and run it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from nightshift.ledger.database import Ledger

__all__ = ["CandidatePlace", "CandidateRow", "RecordLayout", "layouts", "places", "rows"]

TOPIC = "candidate_history"


@dataclass(frozen=True, slots=True)
class CandidatePlace:
    """A row of `places`."""

    candid: int
    ra_deg: float
    dec_deg: float


@dataclass(frozen=True, slots=True)
class RecordLayout:
    """A row of `layouts`."""

    layout: int
    number_names: list[str]
    single_names: list[str]
    text_names: list[str]
    common: dict[str, Any]


@dataclass(frozen=True, slots=True)
class CandidateRow:
    """A row of `rows`."""

    candid: int
    object_id: str | None
    unit_key: str
    instrument: str
    exposure_id: str
    detector: int
    quadrant: int
    field: int | None
    filter: str
    shutter_open: datetime
    release_order_at: datetime
    ra_deg: float
    dec_deg: float
    x: float
    y: float
    positive: bool
    signal_to_noise: float
    magnitude: float | None
    magnitude_error: float | None
    number: int
    processing_id: int
    reference_key: str
    layout: int
    numbers: list[float]
    singles: list[float]
    texts: list[str]


def places(ledger: Ledger, *, site: str, night: date, campaign: str) -> list[CandidatePlace]:
    """Run `places`."""
    return ledger.select(TOPIC, "places", CandidatePlace, site=site, night=night, campaign=campaign)


def layouts(ledger: Ledger, *, site: str, night: date, campaign: str) -> list[RecordLayout]:
    """How the records of a night's candidates are kept."""
    return ledger.select(TOPIC, "layouts", RecordLayout, site=site, night=night, campaign=campaign)


def rows(ledger: Ledger, *, candids: Sequence[int], night: date) -> list[CandidateRow]:
    """Some candidates of a night, with when each was released in its field's order. A shutter opens on the date of
    its night, or the day before or after it.
    """
    return ledger.select(TOPIC, "rows", CandidateRow, candids=candids, night=night)
