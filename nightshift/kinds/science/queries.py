"""The named queries of ``nightshift/kinds/science/queries.sql``, typed.

Written by ``make queries``: change the SQL and run it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from nightshift.ledger.database import Ledger
from nightshift.vocabulary import ExposureState

__all__ = [
    "DifferencedUnit",
    "ForgottenProduct",
    "LackingUnit",
    "OwnCatalogue",
    "UnendedExposure",
    "UnitToReduce",
    "WaitingExposure",
    "differenced_units",
    "forget_cancelled_units",
    "forget_lacking",
    "forget_measurements",
    "forget_other_products",
    "forget_unpublished",
    "lock_masters",
    "mark_exposure_running",
    "note_lacking",
    "own_catalogues",
    "put_measurements",
    "reduce_again",
    "reject_invalid_units",
    "supersede_differences",
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
    awaited: int
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


@dataclass(frozen=True, slots=True)
class LackingUnit:
    """A row of `reduce_again`."""

    unit_key: str


@dataclass(frozen=True, slots=True)
class DifferencedUnit:
    """A row of `differenced_units`."""

    unit_key: str


@dataclass(frozen=True, slots=True)
class ForgottenProduct:
    """A row of `forget_other_products`."""

    path: str


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


def lock_masters(ledger: Ledger, *, subject: str | None) -> int:
    """Whoever notes what a quadrant lacked, and whoever puts a master of it in service, sees what the other has
    written.
    """
    return ledger.run(TOPIC, "lock_masters", subject=subject)


def forget_lacking(ledger: Ledger, *, unit_key: str | None) -> int:
    """Run `forget_lacking`."""
    return ledger.run(TOPIC, "forget_lacking", unit_key=unit_key)


def note_lacking(ledger: Ledger, *, kinds: Sequence[str] | None, unit_key: str | None) -> int:
    """Run `note_lacking`."""
    return ledger.run(TOPIC, "note_lacking", kinds=kinds, unit_key=unit_key)


def reduce_again(ledger: Ledger, *, night: date, instrument: str, detector: int, quadrant: int) -> list[LackingUnit]:
    """Of one quadrant of a camera: what was reduced without a master that serves by now is due once more. What a
    person rejected, and what is not what was sent, stays as it is.
    """
    return ledger.select(
        TOPIC, "reduce_again", LackingUnit, night=night, instrument=instrument, detector=detector, quadrant=quadrant
    )


def supersede_differences(ledger: Ledger, *, unit_key: str | None) -> int:
    """What is being differenced of a quadrant's former image: a late result of it is not believed."""
    return ledger.run(TOPIC, "supersede_differences", unit_key=unit_key)


def forget_unpublished(ledger: Ledger, *, unit_key: str | None) -> int:
    """The difference of a quadrant of which no packet was made and no moving object was linked, with its
    candidates and the objects that nothing else has: what is made again replaces it. What was published stays as
    it is.
    """
    return ledger.run(TOPIC, "forget_unpublished", unit_key=unit_key)


def differenced_units(ledger: Ledger, *, instrument: str, exposure_id: str, campaign: str) -> list[DifferencedUnit]:
    """Run `differenced_units`."""
    return ledger.select(
        TOPIC, "differenced_units", DifferencedUnit, instrument=instrument, exposure_id=exposure_id, campaign=campaign
    )


def forget_other_products(ledger: Ledger, *, unit_key: str, job_key: str, attempt: int) -> list[ForgottenProduct]:
    """What an earlier attempt at a quadrant made and this one did not; a difference that stays keeps what belongs
    to it.
    """
    return ledger.select(
        TOPIC, "forget_other_products", ForgottenProduct, unit_key=unit_key, job_key=job_key, attempt=attempt
    )


def forget_measurements(ledger: Ledger, *, unit_key: str | None) -> int:
    """Run `forget_measurements`."""
    return ledger.run(TOPIC, "forget_measurements", unit_key=unit_key)
