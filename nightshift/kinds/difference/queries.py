"""The named queries of ``nightshift/kinds/difference/queries.sql``, typed.

Written by ``make queries``: change the SQL and run it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from nightshift.ledger.database import Ledger

__all__ = [
    "DueDifference",
    "UnitToDifference",
    "awaits_difference",
    "differences_due",
    "forget_cancelled_differences",
    "make_month",
    "put_candidates",
    "put_difference",
    "units_to_difference",
]

TOPIC = "difference"


@dataclass(frozen=True, slots=True)
class DueDifference:
    """A row of `differences_due`."""

    instrument: str
    exposure_id: str
    shutter_open: datetime
    version: int


@dataclass(frozen=True, slots=True)
class UnitToDifference:
    """A row of `units_to_difference`."""

    unit_key: str
    detector: int
    quadrant: int
    calibrated_key: str
    calibrated_path: str
    calibrated_sha256: str
    sources_key: str
    sources_path: str
    sources_sha256: str


def differences_due(
    ledger: Ledger, *, instrument: str, campaign: str, campaigns: Sequence[str]
) -> list[DueDifference]:
    """Exposures that were reduced before their reference came into service, in shutter order."""
    return ledger.select(
        TOPIC, "differences_due", DueDifference, instrument=instrument, campaign=campaign, campaigns=campaigns
    )


def units_to_difference(
    ledger: Ledger, *, instrument: str, exposure_id: str, campaign: str
) -> list[UnitToDifference]:
    """Run `units_to_difference`."""
    return ledger.select(
        TOPIC,
        "units_to_difference",
        UnitToDifference,
        instrument=instrument,
        exposure_id=exposure_id,
        campaign=campaign,
    )


def awaits_difference(ledger: Ledger, *, unit_key: str) -> bool:
    """Whether the image that was differenced still stands, and nothing else was made of it."""
    found: bool = ledger.value(TOPIC, "awaits_difference", unit_key=unit_key)
    return found


def put_difference(
    ledger: Ledger,
    *,
    unit_key: str | None,
    reference_key: str | None,
    campaign: str | None,
    state: str | None,
    reason: str | None,
    detail: str | None,
    product_key: str | None,
    candidates: int | None,
    noise_ratio: float | None,
    limiting_magnitude: float | None,
    quality: dict[str, Any] | None,
) -> int:
    """One without candidates has nothing that awaits its release."""
    return ledger.run(
        TOPIC,
        "put_difference",
        unit_key=unit_key,
        reference_key=reference_key,
        campaign=campaign,
        state=state,
        reason=reason,
        detail=detail,
        product_key=product_key,
        candidates=candidates,
        noise_ratio=noise_ratio,
        limiting_magnitude=limiting_magnitude,
        quality=quality,
    )


def make_month(ledger: Ledger, *, shutter_open: datetime) -> None:
    """Run `make_month`."""
    ledger.run(TOPIC, "make_month", shutter_open=shutter_open)


def put_candidates(
    ledger: Ledger,
    *,
    shutter_open: datetime | None,
    unit_key: str | None,
    campaign: str | None,
    reference_key: str | None,
    processing_id: int | None,
    site: str | None,
    night: date | None,
    field: int | None,
    filter: str | None,
    candidates: dict[str, Any] | None,
    single_fields: Sequence[str] | None,
    common_fields: Sequence[str] | None,
) -> int:
    """Run `put_candidates`."""
    return ledger.run(
        TOPIC,
        "put_candidates",
        shutter_open=shutter_open,
        unit_key=unit_key,
        campaign=campaign,
        reference_key=reference_key,
        processing_id=processing_id,
        site=site,
        night=night,
        field=field,
        filter=filter,
        candidates=candidates,
        single_fields=single_fields,
        common_fields=common_fields,
    )


def forget_cancelled_differences(ledger: Ledger, *, job_key: str | None) -> int:
    """Run `forget_cancelled_differences`."""
    return ledger.run(TOPIC, "forget_cancelled_differences", job_key=job_key)
