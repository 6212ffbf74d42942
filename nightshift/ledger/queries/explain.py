"""The named queries of ``sql/queries/explain.sql``, typed.

Written by ``make queries``: change the SQL and run it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from nightshift.ledger.database import Ledger

__all__ = [
    "AlertsInState",
    "Arrival",
    "Attempt",
    "Difference",
    "Event",
    "Exposure",
    "Frame",
    "FrameNote",
    "ManifestLine",
    "Product",
    "Unit",
    "UseInMaster",
    "alerts_of_unit",
    "arrivals_like",
    "attempts_of_unit",
    "difference_of_unit",
    "events_about",
    "exposures_like",
    "frame_notes",
    "frames_like",
    "on_manifests",
    "products_of_unit",
    "units_like",
    "uses_in_masters",
]

TOPIC = "explain"


@dataclass(frozen=True, slots=True)
class Arrival:
    """A row of `arrivals_like`."""

    arrival_key: str
    arrived_at: datetime
    inbox_name: str
    bytes: int
    sha256: str | None
    disposition: str
    reason: str | None
    detail: str
    kept_path: str | None
    disposed_at: datetime | None
    disposed_by: str | None
    disposed_as: str | None


@dataclass(frozen=True, slots=True)
class ManifestLine:
    """A row of `on_manifests`."""

    site: str
    night: date | None
    part: int
    bytes: int
    sha256: str
    received_at: datetime
    arrived: bool


@dataclass(frozen=True, slots=True)
class FrameNote:
    """A row of `frame_notes`."""

    inbox_name: str
    detector: int
    late: bool | None
    unlisted: bool


@dataclass(frozen=True, slots=True)
class Exposure:
    """A row of `exposures_like`."""

    instrument: str
    exposure_id: str
    site: str
    night: date | None
    image_type: str
    field: int | None
    filter: str
    exposure_s: float
    shutter_open: datetime
    state: str
    run_id: str | None
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class Frame:
    """A row of `frames_like`."""

    detector: int
    inbox_name: str
    path: str
    sha256: str
    invalid_reason: str | None
    registered_at: datetime


@dataclass(frozen=True, slots=True)
class Unit:
    """A row of `units_like`."""

    unit_key: str
    state: str
    reason: str | None
    detail: str
    flags: list[str]
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class UseInMaster:
    """A row of `uses_in_masters`."""

    detector: int
    calibration_key: str
    accepted: bool
    reason: str | None
    level: float | None


@dataclass(frozen=True, slots=True)
class Attempt:
    """A row of `attempts_of_unit`."""

    job_key: str
    attempt: int
    state: str
    reason: str | None
    detail: str
    host: str | None
    peak_memory_mb: float | None
    created_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class Product:
    """A row of `products_of_unit`."""

    product_key: str
    kind: str
    path: str
    sha256: str
    code_version: str
    settings_hash: str
    made_at: datetime
    inputs: list[str]


@dataclass(frozen=True, slots=True)
class Difference:
    """A row of `difference_of_unit`."""

    reference_key: str
    state: str
    reason: str | None
    detail: str
    candidates: int


@dataclass(frozen=True, slots=True)
class AlertsInState:
    """A row of `alerts_of_unit`."""

    state: str
    reason: str | None
    alerts: int


@dataclass(frozen=True, slots=True)
class Event:
    """A row of `events_about`."""

    at: datetime
    level: str
    kind: str
    message: str


def arrivals_like(ledger: Ledger, *, thing: str, night: date | None) -> list[Arrival]:
    """Arrivals of a file name (of one night, where it is given), of an exposure, or by their own key."""
    return ledger.select(TOPIC, "arrivals_like", Arrival, thing=thing, night=night)


def on_manifests(ledger: Ledger, *, thing: str, night: date | None) -> list[ManifestLine]:
    """What the mountain says of a file name."""
    return ledger.select(TOPIC, "on_manifests", ManifestLine, thing=thing, night=night)


def frame_notes(ledger: Ledger, *, instrument: str, exposure_id: str) -> list[FrameNote]:
    """Whether a frame came after its night had closed, and whether a manifest of its night names it."""
    return ledger.select(TOPIC, "frame_notes", FrameNote, instrument=instrument, exposure_id=exposure_id)


def exposures_like(ledger: Ledger, *, thing: str, night: date | None) -> list[Exposure]:
    """Run `exposures_like`."""
    return ledger.select(TOPIC, "exposures_like", Exposure, thing=thing, night=night)


def frames_like(ledger: Ledger, *, instrument: str, exposure_id: str, thing: str) -> list[Frame]:
    """Run `frames_like`."""
    return ledger.select(TOPIC, "frames_like", Frame, instrument=instrument, exposure_id=exposure_id, thing=thing)


def units_like(ledger: Ledger, *, instrument: str, exposure_id: str, thing: str) -> list[Unit]:
    """Run `units_like`."""
    return ledger.select(TOPIC, "units_like", Unit, instrument=instrument, exposure_id=exposure_id, thing=thing)


def uses_in_masters(ledger: Ledger, *, instrument: str, exposure_id: str) -> list[UseInMaster]:
    """Run `uses_in_masters`."""
    return ledger.select(TOPIC, "uses_in_masters", UseInMaster, instrument=instrument, exposure_id=exposure_id)


def attempts_of_unit(ledger: Ledger, *, unit_key: str) -> list[Attempt]:
    """Run `attempts_of_unit`."""
    return ledger.select(TOPIC, "attempts_of_unit", Attempt, unit_key=unit_key)


def products_of_unit(ledger: Ledger, *, unit_key: str) -> list[Product]:
    """Run `products_of_unit`."""
    return ledger.select(TOPIC, "products_of_unit", Product, unit_key=unit_key)


def difference_of_unit(ledger: Ledger, *, unit_key: str) -> list[Difference]:
    """Run `difference_of_unit`."""
    return ledger.select(TOPIC, "difference_of_unit", Difference, unit_key=unit_key)


def alerts_of_unit(ledger: Ledger, *, unit_key: str) -> list[AlertsInState]:
    """Run `alerts_of_unit`."""
    return ledger.select(TOPIC, "alerts_of_unit", AlertsInState, unit_key=unit_key)


def events_about(ledger: Ledger, *, subjects: Sequence[str]) -> list[Event]:
    """Run `events_about`."""
    return ledger.select(TOPIC, "events_about", Event, subjects=subjects)
