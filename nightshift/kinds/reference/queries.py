"""The named queries of ``nightshift/kinds/reference/queries.sql``, typed.

Written by ``make queries``: change the SQL and run it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from nightshift.ledger.database import Ledger

__all__ = [
    "DueReference",
    "GoodUnit",
    "KnownRequest",
    "Reference",
    "ReferenceVersion",
    "forget_cancelled_references",
    "good_units",
    "lock_field",
    "next_version",
    "put_reference",
    "put_reference_members",
    "reference_versions",
    "references_due",
    "references_serving",
    "request",
]

TOPIC = "reference"


@dataclass(frozen=True, slots=True)
class DueReference:
    """A row of `references_due`."""

    field: int
    filter: str
    instrument: str
    quadrants: int


@dataclass(frozen=True, slots=True)
class GoodUnit:
    """A row of `good_units`."""

    unit_key: str
    detector: int
    quadrant: int
    exposure_id: str
    shutter_open: datetime
    site: str
    night: date
    fwhm_px: float | None
    zero_point: float | None
    calibrated_key: str
    calibrated_path: str
    calibrated_sha256: str
    sources_key: str
    sources_path: str
    sources_sha256: str


@dataclass(frozen=True, slots=True)
class ReferenceVersion:
    """A row of `reference_versions`."""

    detector: int
    quadrant: int
    version: int
    made: bool


@dataclass(frozen=True, slots=True)
class Reference:
    """A row of `references_serving`."""

    detector: int
    quadrant: int
    reference_key: str
    version: int
    product_key: str
    path: str
    sha256: str
    sources_key: str
    sources_path: str
    sources_sha256: str


@dataclass(frozen=True, slots=True)
class KnownRequest:
    """A row of `request`."""

    version: int


def references_due(
    ledger: Ledger,
    *,
    tier: str,
    campaigns: Sequence[str],
    at_least: int,
    instrument: str,
    campaign: str,
    at_closing: bool,
) -> list[DueReference]:
    """Quadrants without any reference of the campaigns that serve this one, which have enough good frames and no
    earlier frame that is still to be reduced.
    """
    return ledger.select(
        TOPIC,
        "references_due",
        DueReference,
        tier=tier,
        campaigns=campaigns,
        at_least=at_least,
        instrument=instrument,
        campaign=campaign,
        at_closing=at_closing,
    )


def good_units(
    ledger: Ledger, *, instrument: str, field: int, filter: str, campaign: str, tier: str
) -> list[GoodUnit]:
    """All good frames that a reference may be made of now, in shutter order, with their two products."""
    return ledger.select(
        TOPIC, "good_units", GoodUnit, instrument=instrument, field=field, filter=filter, campaign=campaign, tier=tier
    )


def reference_versions(
    ledger: Ledger, *, version: int, instrument: str, field: int, filter: str, campaign: str
) -> list[ReferenceVersion]:
    """Run `reference_versions`."""
    return ledger.select(
        TOPIC,
        "reference_versions",
        ReferenceVersion,
        version=version,
        instrument=instrument,
        field=field,
        filter=filter,
        campaign=campaign,
    )


def references_serving(
    ledger: Ledger, *, instrument: str, field: int, filter: str, shutter_open: datetime, campaigns: Sequence[str]
) -> list[Reference]:
    """For each quadrant the reference that serves a frame of that moment, of the campaign named first that has
    one.
    """
    return ledger.select(
        TOPIC,
        "references_serving",
        Reference,
        instrument=instrument,
        field=field,
        filter=filter,
        shutter_open=shutter_open,
        campaigns=campaigns,
    )


def put_reference(
    ledger: Ledger,
    *,
    field: int | None,
    instrument: str | None,
    detector: int | None,
    quadrant: int | None,
    filter: str | None,
    version: int | None,
    campaign: str | None,
    reference_key: str | None,
    state: str | None,
    reason: str | None,
    detail: str | None,
    product_key: str | None,
    frames: int | None,
    fwhm_px: float | None,
    zero_point: float | None,
    limiting_magnitude: float | None,
    valid_from: datetime | None,
    requested_by: str | None,
    request_reason: str | None,
) -> int:
    """Run `put_reference`."""
    return ledger.run(
        TOPIC,
        "put_reference",
        field=field,
        instrument=instrument,
        detector=detector,
        quadrant=quadrant,
        filter=filter,
        version=version,
        campaign=campaign,
        reference_key=reference_key,
        state=state,
        reason=reason,
        detail=detail,
        product_key=product_key,
        frames=frames,
        fwhm_px=fwhm_px,
        zero_point=zero_point,
        limiting_magnitude=limiting_magnitude,
        valid_from=valid_from,
        requested_by=requested_by,
        request_reason=request_reason,
    )


def put_reference_members(ledger: Ledger, *, reference_key: str | None, members: dict[str, Any] | None) -> int:
    """Run `put_reference_members`."""
    return ledger.run(TOPIC, "put_reference_members", reference_key=reference_key, members=members)


def forget_cancelled_references(ledger: Ledger, *, job_key: str | None) -> int:
    """Run `forget_cancelled_references`."""
    return ledger.run(TOPIC, "forget_cancelled_references", job_key=job_key)


def lock_field(ledger: Ledger, *, subject: str) -> None:
    """One request at a time for one field and filter; released with the transaction."""
    ledger.run(TOPIC, "lock_field", subject=subject)


def request(ledger: Ledger, *, action: str, request_id: str) -> KnownRequest | None:
    """Run `request`."""
    return ledger.first(TOPIC, "request", KnownRequest, action=action, request_id=request_id)


def next_version(ledger: Ledger, *, instrument: str, field: int, filter: str, campaign: str) -> int:
    """After every version that was made, or asked for and is still to come."""
    found: int = ledger.value(
        TOPIC, "next_version", instrument=instrument, field=field, filter=filter, campaign=campaign
    )
    return found
