"""The named queries of ``sql/queries/inspect.sql``, typed.

Written by ``make queries``: change the SQL and run it.
"""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from nightshift.ledger.database import Ledger

__all__ = [
    "Calibration",
    "Candidates",
    "Difference",
    "Products",
    "Quality",
    "Reference",
    "ReferenceImage",
    "Unit",
    "UnitsLike",
    "calibration",
    "candidates",
    "difference",
    "products",
    "quality",
    "reference",
    "reference_image",
    "unit",
    "units_like",
]

TOPIC = "inspect"


@dataclass(frozen=True, slots=True)
class UnitsLike:
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

    unit_key: str
    state: str
    reason: str | None
    detail: str
    flags: list[str]


@dataclass(frozen=True, slots=True)
class Products:
    """A row of `products`."""

    kind: str
    path: str


@dataclass(frozen=True, slots=True)
class Quality:
    """A row of `quality`."""

    unit_key: str | None
    night: date | None
    instrument: str | None
    exposure_id: str | None
    detector: int | None
    quadrant: int | None
    good: bool | None
    warnings: list[str] | None
    corners_deg: list[float] | None
    measured_at: datetime | None
    fwhm_px: float | None
    elongation: float | None
    background: float | None
    background_rms: float | None
    zero_point: float | None
    zero_point_rms: float | None
    stars_matched: float | None
    astrometry_rms_arcsec: float | None
    pointing_offset_arcsec: float | None
    limiting_magnitude: float | None
    sources: float | None
    saturated_fraction: float | None
    masked_fraction: float | None
    cosmic_ray_pixels: float | None
    same_value_fraction: float | None
    thousands_fraction: float | None
    read_noise_ratio: float | None
    pattern_noise: float | None
    trails: float | None
    psf_stars: float | None
    zero_point_stars: float | None
    zero_point_uncertainty: float | None
    zero_point_zenith: float | None
    colour_term: float | None


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
class Reference:
    """A row of `reference`."""

    path: str


@dataclass(frozen=True, slots=True)
class Candidates:
    """A row of `candidates`."""

    number: int
    x: float
    y: float
    positive: bool
    signal_to_noise: float
    magnitude: float | None
    record: dict[str, Any]


def units_like(ledger: Ledger, *, text: str) -> list[UnitsLike]:
    """Run `units_like`."""
    return ledger.select(TOPIC, "units_like", UnitsLike, text=text)


def calibration(ledger: Ledger, *, key: str) -> list[Calibration]:
    """Run `calibration`."""
    return ledger.select(TOPIC, "calibration", Calibration, key=key)


def reference_image(ledger: Ledger, *, key: str) -> list[ReferenceImage]:
    """Run `reference_image`."""
    return ledger.select(TOPIC, "reference_image", ReferenceImage, key=key)


def unit(ledger: Ledger, *, unit_key: str) -> Unit | None:
    """Run `unit`."""
    return ledger.first(TOPIC, "unit", Unit, unit_key=unit_key)


def products(ledger: Ledger, *, unit_key: str) -> list[Products]:
    """Run `products`."""
    return ledger.select(TOPIC, "products", Products, unit_key=unit_key)


def quality(ledger: Ledger, *, unit_key: str) -> Quality | None:
    """Run `quality`."""
    return ledger.first(TOPIC, "quality", Quality, unit_key=unit_key)


def difference(ledger: Ledger, *, unit_key: str, campaign: str) -> Difference | None:
    """Run `difference`."""
    return ledger.first(TOPIC, "difference", Difference, unit_key=unit_key, campaign=campaign)


def reference(ledger: Ledger, *, unit_key: str, campaign: str) -> Reference | None:
    """Run `reference`."""
    return ledger.first(TOPIC, "reference", Reference, unit_key=unit_key, campaign=campaign)


def candidates(ledger: Ledger, *, unit_key: str, campaign: str) -> list[Candidates]:
    """Run `candidates`."""
    return ledger.select(TOPIC, "candidates", Candidates, unit_key=unit_key, campaign=campaign)
