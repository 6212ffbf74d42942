"""The named queries of ``sql/queries/inspect.sql``, typed.

Written by ``make queries``: change the SQL and run it.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from nightshift.ledger.database import Ledger

__all__ = [
    "Calibration",
    "Candidate",
    "Difference",
    "Product",
    "Quality",
    "ReferenceImage",
    "ReferenceProduct",
    "Unit",
    "UnitCalled",
    "UnitMeasurement",
    "calibration",
    "candidates",
    "difference",
    "measurements",
    "products",
    "quality",
    "reference",
    "reference_image",
    "unit",
    "units_like",
]

TOPIC = "inspect"


@dataclass(frozen=True, slots=True)
class UnitCalled:
    """A row of `units_like`."""

    unit_key: str


@dataclass(frozen=True, slots=True)
class Calibration:
    """A row of `calibration`."""

    state: str
    reason: str | None
    detail: str
    frames: int
    level: float | None
    noise: float | None
    read_noise: float | None
    gain: float | None
    valid_from: datetime
    valid_to: datetime | None


@dataclass(frozen=True, slots=True)
class ReferenceImage:
    """A row of `reference_image`."""

    state: str
    reason: str | None
    detail: str
    frames: int
    fwhm_px: float | None
    zero_point: float | None
    limiting_magnitude: float | None
    valid_from: datetime | None
    valid_to: datetime | None


@dataclass(frozen=True, slots=True)
class Unit:
    """A row of `unit`."""

    state: str
    reason: str | None
    detail: str
    flags: list[str]


@dataclass(frozen=True, slots=True)
class Product:
    """A row of `products`."""

    kind: str
    path: str


@dataclass(frozen=True, slots=True)
class Quality:
    """A row of `quality`."""

    good: bool
    warnings: list[str]


@dataclass(frozen=True, slots=True)
class UnitMeasurement:
    """A row of `measurements`."""

    name: str
    value: float | None


@dataclass(frozen=True, slots=True)
class Difference:
    """A row of `difference`."""

    state: str
    reason: str | None
    detail: str
    candidates: int
    noise_ratio: float | None
    limiting_magnitude: float | None
    quality: dict[str, Any]


@dataclass(frozen=True, slots=True)
class ReferenceProduct:
    """A row of `reference`."""

    path: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """A row of `candidates`."""

    number: int
    x: float
    y: float
    positive: bool
    signal_to_noise: float
    record: dict[str, Any]


def units_like(ledger: Ledger, *, text: str) -> list[UnitCalled]:
    """Run `units_like`."""
    return ledger.select(TOPIC, "units_like", UnitCalled, text=text)


def calibration(ledger: Ledger, *, key: str) -> Calibration | None:
    """Run `calibration`."""
    return ledger.first(TOPIC, "calibration", Calibration, key=key)


def reference_image(ledger: Ledger, *, key: str) -> ReferenceImage | None:
    """Run `reference_image`."""
    return ledger.first(TOPIC, "reference_image", ReferenceImage, key=key)


def unit(ledger: Ledger, *, unit_key: str) -> Unit | None:
    """Run `unit`."""
    return ledger.first(TOPIC, "unit", Unit, unit_key=unit_key)


def products(ledger: Ledger, *, unit_key: str) -> list[Product]:
    """Run `products`."""
    return ledger.select(TOPIC, "products", Product, unit_key=unit_key)


def quality(ledger: Ledger, *, unit_key: str) -> Quality | None:
    """Run `quality`."""
    return ledger.first(TOPIC, "quality", Quality, unit_key=unit_key)


def measurements(ledger: Ledger, *, unit_key: str) -> list[UnitMeasurement]:
    """What a unit was measured for; null where one of the measurements was not made."""
    return ledger.select(TOPIC, "measurements", UnitMeasurement, unit_key=unit_key)


def difference(ledger: Ledger, *, unit_key: str, campaign: str) -> Difference | None:
    """Run `difference`."""
    return ledger.first(TOPIC, "difference", Difference, unit_key=unit_key, campaign=campaign)


def reference(ledger: Ledger, *, unit_key: str, campaign: str) -> ReferenceProduct | None:
    """Run `reference`."""
    return ledger.first(TOPIC, "reference", ReferenceProduct, unit_key=unit_key, campaign=campaign)


def candidates(ledger: Ledger, *, unit_key: str, campaign: str) -> list[Candidate]:
    """Run `candidates`."""
    return ledger.select(TOPIC, "candidates", Candidate, unit_key=unit_key, campaign=campaign)
