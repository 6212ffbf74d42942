"""The named queries of ``sql/queries/exposures.sql``, typed.

Written by ``make queries``: change the SQL and run it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from nightshift.ledger.database import Ledger
from nightshift.vocabulary import ExposureState, ImageType

__all__ = [
    "Exposure",
    "UnendedUnit",
    "end_exposure",
    "end_exposures_of_night",
    "end_unit",
    "exposure",
    "lock_unended_unit",
    "reopen_exposures",
    "reopen_exposures_of_job",
    "return_unit",
    "set_unit_running",
    "stand_as_before",
]

TOPIC = "exposures"


@dataclass(frozen=True, slots=True)
class Exposure:
    """A row of `exposure`."""

    instrument: str
    exposure_id: str
    site: str
    night: date
    ut_day: date
    image_type: ImageType
    field: int | None
    filter: str
    exposure_s: float
    shutter_open: datetime
    ra_deg: float | None
    dec_deg: float | None
    airmass: float | None
    object: str
    program_id: int
    sequence: str | None
    sequence_index: int | None
    sequence_length: int | None
    detectors_expected: list[int]
    first_arrival_at: datetime
    last_arrival_at: datetime
    state: ExposureState
    run_id: str | None
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class UnendedUnit:
    """A row of `lock_unended_unit`."""

    unit_key: str


def exposure(ledger: Ledger, *, instrument: str, exposure_id: str) -> Exposure | None:
    """Run `exposure`."""
    return ledger.first(TOPIC, "exposure", Exposure, instrument=instrument, exposure_id=exposure_id)


def set_unit_running(ledger: Ledger, *, unit_keys: Sequence[str] | None) -> int:
    """Run `set_unit_running`."""
    return ledger.run(TOPIC, "set_unit_running", unit_keys=unit_keys)


def lock_unended_unit(ledger: Ledger, *, unit_key: str) -> UnendedUnit | None:
    """A unit that is to be worked on or is being worked on; nobody else ends it until the transaction does."""
    return ledger.first(TOPIC, "lock_unended_unit", UnendedUnit, unit_key=unit_key)


def end_unit(
    ledger: Ledger,
    *,
    state: str | None,
    reason: str | None,
    detail: str | None,
    flags: Sequence[str] | None,
    unit_key: str | None,
) -> int:
    """Run `end_unit`."""
    return ledger.run(TOPIC, "end_unit", state=state, reason=reason, detail=detail, flags=flags, unit_key=unit_key)


def return_unit(ledger: Ledger, *, unit_key: str | None) -> int:
    """Run `return_unit`."""
    return ledger.run(TOPIC, "return_unit", unit_key=unit_key)


def end_exposure(ledger: Ledger, *, instrument: str | None, exposure_id: str | None) -> int:
    """An exposure has ended when every unit of it has."""
    return ledger.run(TOPIC, "end_exposure", instrument=instrument, exposure_id=exposure_id)


def end_exposures_of_night(ledger: Ledger, *, site: str | None, night: date | None) -> int:
    """Each exposure of a night of which no unit is waited for."""
    return ledger.run(TOPIC, "end_exposures_of_night", site=site, night=night)


def reopen_exposures(ledger: Ledger, *, instrument: str | None, night: date | None) -> int:
    """Run `reopen_exposures`."""
    return ledger.run(TOPIC, "reopen_exposures", instrument=instrument, night=night)


def reopen_exposures_of_job(ledger: Ledger, *, job_key: str | None) -> int:
    """Exposures of which a unit, or a frame of a calibration set, is to be worked on again."""
    return ledger.run(TOPIC, "reopen_exposures_of_job", job_key=job_key)


def stand_as_before(
    ledger: Ledger, *, kinds: Sequence[str] | None, unit_key: str | None, site: str | None, night: date | None
) -> int:
    """Quadrants that were to be reduced again and were not, one of them or all of a night: they stand as their
    last attempt left them, which was made by one of some kinds of work.
    """
    return ledger.run(TOPIC, "stand_as_before", kinds=kinds, unit_key=unit_key, site=site, night=night)
