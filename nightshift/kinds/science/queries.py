"""The named queries of ``nightshift/kinds/science/queries.sql``, typed.

Written by ``make queries``: change the SQL and run it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from nightshift.ledger.database import Ledger
from nightshift.vocabulary import ExposureState

__all__ = [
    "OwnCatalogue",
    "UnendedExposure",
    "UnitToReduce",
    "WaitingExposure",
    "forget_cancelled_units",
    "mark_exposure_running",
    "own_catalogues",
    "put_measurements",
    "reject_invalid_units",
    "unended_of_fields",
    "units_to_do",
    "waiting_exposures",
]

TOPIC = "science"


@dataclass(frozen=True, slots=True)
class WaitingExposure:
    """A row of `waiting_exposures`."""

    instrument: str
    exposure_id: str
    site: str
    night: date
    field: int | None
    filter: str
    shutter_open: datetime
    state: ExposureState
    age_s: float
    expected: int
    detectors: list[int] | None


@dataclass(frozen=True, slots=True)
class UnendedExposure:
    """A row of `unended_of_fields`."""

    instrument: str
    exposure_id: str
    field: int
    filter: str
    shutter_open: datetime


@dataclass(frozen=True, slots=True)
class OwnCatalogue:
    """A row of `own_catalogues`."""

    field: int
    filter: str
    instrument: str
    detector: int
    quadrant: int
    product_key: str
    path: str
    sha256: str


@dataclass(frozen=True, slots=True)
class UnitToReduce:
    """A row of `units_to_do`."""

    unit_key: str
    detector: int
    quadrant: int
    path: str
    sha256: str
    accepted: bool


def mark_exposure_running(
    ledger: Ledger, *, run_id: str | None, instrument: str | None, exposure_id: str | None
) -> int:
    """Run `mark_exposure_running`."""
    return ledger.run(TOPIC, "mark_exposure_running", run_id=run_id, instrument=instrument, exposure_id=exposure_id)


def waiting_exposures(ledger: Ledger, *, instrument: str, campaign: str) -> list[WaitingExposure]:
    """Science exposures of which some unit has not been worked on, in shutter order."""
    return ledger.select(TOPIC, "waiting_exposures", WaitingExposure, instrument=instrument, campaign=campaign)


def unended_of_fields(ledger: Ledger, *, instrument: str) -> list[UnendedExposure]:
    """Every science exposure that has not ended and lies on a field."""
    return ledger.select(TOPIC, "unended_of_fields", UnendedExposure, instrument=instrument)


def own_catalogues(
    ledger: Ledger, *, fields: Sequence[int], filters: Sequence[str], instrument: str, campaign: str
) -> list[OwnCatalogue]:
    """The first good frame of each quadrant, field and filter that was reduced without a catalogue; its month may
    have left.
    """
    return ledger.select(
        TOPIC,
        "own_catalogues",
        OwnCatalogue,
        fields=fields,
        filters=filters,
        instrument=instrument,
        campaign=campaign,
    )


def units_to_do(ledger: Ledger, *, instrument: str, exposure_id: str, campaign: str) -> list[UnitToReduce]:
    """With whether a person accepted the unit or its frame, whatever the checks say."""
    return ledger.select(
        TOPIC, "units_to_do", UnitToReduce, instrument=instrument, exposure_id=exposure_id, campaign=campaign
    )


def reject_invalid_units(ledger: Ledger, *, instrument: str | None, exposure_id: str | None) -> int:
    """The file behind them was found to be another than the one that was sent."""
    return ledger.run(TOPIC, "reject_invalid_units", instrument=instrument, exposure_id=exposure_id)


def put_measurements(
    ledger: Ledger,
    *,
    unit_key: str | None,
    instrument: str | None,
    exposure_id: str | None,
    detector: int | None,
    quadrant: int | None,
    good: bool | None,
    warnings: Sequence[str] | None,
    corners_deg: Sequence[float] | None,
    names: Sequence[str] | None,
    numbers: Sequence[float] | None,
) -> int:
    """Each number goes to the position of its name; a number that was not measured is null there."""
    return ledger.run(
        TOPIC,
        "put_measurements",
        unit_key=unit_key,
        instrument=instrument,
        exposure_id=exposure_id,
        detector=detector,
        quadrant=quadrant,
        good=good,
        warnings=warnings,
        corners_deg=corners_deg,
        names=names,
        numbers=numbers,
    )


def forget_cancelled_units(ledger: Ledger, *, job_key: str | None) -> int:
    """Run `forget_cancelled_units`."""
    return ledger.run(TOPIC, "forget_cancelled_units", job_key=job_key)
