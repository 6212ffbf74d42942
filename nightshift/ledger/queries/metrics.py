"""The named queries of ``sql/queries/metrics.sql``, typed.

Written by ``make queries``: change the SQL and run it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from nightshift.ledger.database import Ledger
from nightshift.vocabulary import (
    AlertState,
    AttemptState,
    Disposition,
    EventLevel,
    ExposureState,
    ImageType,
    NightState,
    UnitState,
)

__all__ = [
    "AlertLatencies",
    "AlertsOfState",
    "ExposuresOfState",
    "FilesOfDisposition",
    "NewestNight",
    "OpenAttempts",
    "OpenTroubles",
    "UnitsOfState",
    "alert_latencies",
    "alerts_by_state",
    "exposures_by_state",
    "files_by_disposition",
    "newest_night",
    "open_attempts",
    "open_troubles",
    "units_by_state",
]

TOPIC = "metrics"


@dataclass(frozen=True, slots=True)
class NewestNight:
    """A row of `newest_night`."""

    night: date
    state: NightState
    begins: datetime
    ends: datetime
    closed_at: datetime | None


@dataclass(frozen=True, slots=True)
class FilesOfDisposition:
    """A row of `files_by_disposition`."""

    disposition: Disposition
    files: int


@dataclass(frozen=True, slots=True)
class ExposuresOfState:
    """A row of `exposures_by_state`."""

    image_type: ImageType
    state: ExposureState
    exposures: int


@dataclass(frozen=True, slots=True)
class UnitsOfState:
    """A row of `units_by_state`."""

    state: UnitState
    units: int


@dataclass(frozen=True, slots=True)
class OpenAttempts:
    """A row of `open_attempts`."""

    kind: str
    state: AttemptState
    attempts: int


@dataclass(frozen=True, slots=True)
class AlertsOfState:
    """A row of `alerts_by_state`."""

    state: AlertState
    alerts: int


@dataclass(frozen=True, slots=True)
class AlertLatencies:
    """A row of `alert_latencies`."""

    p50: float | None
    p95: float | None
    worst: float | None


@dataclass(frozen=True, slots=True)
class OpenTroubles:
    """A row of `open_troubles`."""

    site: str
    level: EventLevel
    troubles: int


def newest_night(ledger: Ledger, *, site: str) -> NewestNight | None:
    """Run `newest_night`."""
    return ledger.first(TOPIC, "newest_night", NewestNight, site=site)


def files_by_disposition(ledger: Ledger, *, site: str, night: date) -> list[FilesOfDisposition]:
    """Run `files_by_disposition`."""
    return ledger.select(TOPIC, "files_by_disposition", FilesOfDisposition, site=site, night=night)


def exposures_by_state(ledger: Ledger, *, site: str, night: date, instrument: str) -> list[ExposuresOfState]:
    """Run `exposures_by_state`."""
    return ledger.select(TOPIC, "exposures_by_state", ExposuresOfState, site=site, night=night, instrument=instrument)


def units_by_state(ledger: Ledger, *, instrument: str, night: date, tier: str, campaign: str) -> list[UnitsOfState]:
    """Run `units_by_state`."""
    return ledger.select(
        TOPIC, "units_by_state", UnitsOfState, instrument=instrument, night=night, tier=tier, campaign=campaign
    )


def open_attempts(ledger: Ledger, *, site: str) -> list[OpenAttempts]:
    """Of all nights: what the runner has, or is about to get."""
    return ledger.select(TOPIC, "open_attempts", OpenAttempts, site=site)


def alerts_by_state(ledger: Ledger, *, site: str, night: date) -> list[AlertsOfState]:
    """Run `alerts_by_state`."""
    return ledger.select(TOPIC, "alerts_by_state", AlertsOfState, site=site, night=night)


def alert_latencies(ledger: Ledger, *, site: str, night: date, exposures: int) -> AlertLatencies | None:
    """From the last file's arrival to the broker's word, in seconds, over the last exposures that have alerts."""
    return ledger.first(TOPIC, "alert_latencies", AlertLatencies, site=site, night=night, exposures=exposures)


def open_troubles(ledger: Ledger, *, sites: Sequence[str]) -> list[OpenTroubles]:
    """Run `open_troubles`."""
    return ledger.select(TOPIC, "open_troubles", OpenTroubles, sites=sites)
