"""The named queries of ``sql/queries/plan.sql``, typed.

Written by ``make queries``: change the SQL and run it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from nightshift.ledger.database import Ledger
from nightshift.vocabulary import ImageType

__all__ = [
    "AttemptCost",
    "EarlierExposure",
    "GoodFrames",
    "ProductSize",
    "RawSize",
    "ReferencesOfField",
    "attempt_costs",
    "earlier_exposures",
    "good_frames",
    "product_sizes",
    "raw_sizes",
    "references_in_service",
]

TOPIC = "plan"


@dataclass(frozen=True, slots=True)
class EarlierExposure:
    """A row of `earlier_exposures`."""

    night: date
    image_type: ImageType
    field: int | None
    filter: str
    exposure_s: float
    shutter_open: datetime
    program_id: int


@dataclass(frozen=True, slots=True)
class AttemptCost:
    """A row of `attempt_costs`."""

    kind: str
    attempts: int
    cpu_s: float | None
    wall_s: float | None
    memory_mb: float | None


@dataclass(frozen=True, slots=True)
class ProductSize:
    """A row of `product_sizes`."""

    kind: str
    files: int
    bytes: float
    nights: int


@dataclass(frozen=True, slots=True)
class RawSize:
    """A row of `raw_sizes`."""

    image_type: ImageType
    files: int
    bytes: float
    exposures: int
    nights: int


@dataclass(frozen=True, slots=True)
class ReferencesOfField:
    """A row of `references_in_service`."""

    field: int
    filter: str
    quadrants: int
    since: datetime


@dataclass(frozen=True, slots=True)
class GoodFrames:
    """A row of `good_frames`."""

    field: int
    filter: str
    exposures: int


def earlier_exposures(
    ledger: Ledger, *, site: str, instrument: str, first: date, night: date
) -> list[EarlierExposure]:
    """Of the last nights of an instrument that have science exposures, in shutter order."""
    return ledger.select(
        TOPIC, "earlier_exposures", EarlierExposure, site=site, instrument=instrument, first=first, night=night
    )


def attempt_costs(ledger: Ledger, *, site: str, first: date, night: date) -> list[AttemptCost]:
    """Medians of a site's attempts of some nights by kind of work, of those that ended with a result."""
    return ledger.select(TOPIC, "attempt_costs", AttemptCost, site=site, first=first, night=night)


def product_sizes(ledger: Ledger, *, site: str, first: date, night: date) -> list[ProductSize]:
    """Files and bytes that a site made in some nights, by kind of product, and of how many nights."""
    return ledger.select(TOPIC, "product_sizes", ProductSize, site=site, first=first, night=night)


def raw_sizes(ledger: Ledger, *, site: str, instrument: str, first: date, night: date) -> list[RawSize]:
    """Of an instrument's raw frames of some nights, by type of image."""
    return ledger.select(TOPIC, "raw_sizes", RawSize, site=site, instrument=instrument, first=first, night=night)


def references_in_service(
    ledger: Ledger,
    *,
    instrument: str,
    campaign: str,
    fields: Sequence[int],
    detectors: Sequence[int],
    moment: datetime,
) -> list[ReferencesOfField]:
    """How many quadrants of some detectors have a reference that serves at a moment, by field and filter."""
    return ledger.select(
        TOPIC,
        "references_in_service",
        ReferencesOfField,
        instrument=instrument,
        campaign=campaign,
        fields=fields,
        detectors=detectors,
        moment=moment,
    )


def good_frames(
    ledger: Ledger, *, instrument: str, fields: Sequence[int], campaign: str, first: date
) -> list[GoodFrames]:
    """How many good exposures of a field and filter there are since a night that a first reference could be made
    of.
    """
    return ledger.select(
        TOPIC, "good_frames", GoodFrames, instrument=instrument, fields=fields, campaign=campaign, first=first
    )
