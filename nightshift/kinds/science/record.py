"""What a reduced quadrant leaves in the ledger: its state, its measurements, and its difference."""

from typing import Any

from nightshift.context import Context
from nightshift.jobs.contract import UnitWork
from nightshift.keys import UnitKey
from nightshift.kinds.difference.record import home, put_difference
from nightshift.kinds.science import queries
from nightshift.kinds.science.again import note_lacking_masters, replace_former, stands_as_before
from nightshift.ledger.queries import exposures as exposure_queries
from nightshift.vocabulary import AttemptState, Reason, UnitState, all_measurements
from nightshift.workflow.persistence import Ending
from nightshift.workflow.subjects import Subject

__all__ = ["awaits", "begin", "end", "forget_cancelled", "home", "record"]

CORNERS = "corners_deg"  # measured too, and no number: a column of its own


def awaits(context: Context, work: UnitWork) -> bool:
    """Whether a quadrant is still to be reduced: not where the night ended without it, or a person spoke of it."""
    return exposure_queries.lock_unended_unit(context.ledger, unit_key=work.unit_key) is not None


def begin(context: Context, subject: Subject, unit_keys: list[str]) -> None:
    """Note that quadrants are being worked on."""
    exposure_queries.set_unit_running(context.ledger, unit_keys=unit_keys)


def record(context: Context, ending: Ending) -> None:
    """Write a reduced quadrant: its state, its measurements, and its difference where one was made."""
    outcome, unit = ending.outcome, UnitKey.parse(ending.work.unit_key)
    states = {AttemptState.SUCCEEDED: UnitState.PROCESSED, AttemptState.REJECTED: UnitState.REJECTED}
    state = states.get(outcome.state, UnitState.FAILED)
    if state is UnitState.FAILED and stands_as_before(context, ending):
        return
    flags = [*ending.work.parameters.get("flags", []), *(outcome.result.flags if outcome.result else ())]
    changed = exposure_queries.end_unit(
        context.ledger,
        unit_key=str(unit), state=state, detail=outcome.detail[:2000], flags=sorted({str(flag) for flag in flags}),
        reason=None if state is UnitState.PROCESSED else outcome.reason or Reason.RESULT_INVALID,
    )  # fmt: skip
    if not changed:
        return  # the night ended without it: the attempt keeps the result, the unit stays as it was declared
    if state is not UnitState.FAILED:
        replace_former(context, ending)
    if any(name in ending.metrics for name in (CORNERS, *(m.name for m in all_measurements()))):
        _put_measurements(context, unit, ending.metrics, good=state is UnitState.PROCESSED)
    if state is UnitState.PROCESSED and ending.metrics.get("difference") and ending.work.parameters["reference_key"]:
        put_difference(context, ending)
    if state is not UnitState.FAILED:
        note_lacking_masters(context, ending)


def end(context: Context, subject: Subject) -> None:
    """End the exposure, where every unit of it has ended."""
    exposure_queries.end_exposure(
        context.ledger, instrument=subject["instrument"], exposure_id=subject["exposure_id"]
    )


def forget_cancelled(context: Context, subject: Subject) -> None:
    """Let the quadrants that a cancel left as failed be due again."""
    queries.forget_cancelled_units(context.ledger, job_key=subject.job_key)
    exposure_queries.reopen_exposures_of_job(context.ledger, job_key=subject.job_key)


def _put_measurements(context: Context, unit: UnitKey, metrics: dict[str, Any], *, good: bool) -> None:
    names = [measurement.name for measurement in all_measurements()]
    measured = {name: metrics[name] for name in names if metrics.get(name) is not None}
    queries.put_measurements(
        context.ledger,
        unit_key=str(unit), instrument=unit.instrument, exposure_id=unit.exposure_id, detector=unit.detector,
        quadrant=unit.quadrant, good=bool(metrics.get("good", good)),
        warnings=[str(warning) for warning in metrics.get("warnings", [])],
        corners_deg=_flat(metrics.get(CORNERS)), names=list(measured), numbers=list(measured.values()),
    )  # fmt: skip


def _flat(value: Any) -> Any:
    """Return corners as one list of numbers, and anything else as it is."""
    if isinstance(value, list) and value and isinstance(value[0], list):
        return [number for pair in value for number in pair]
    return value
