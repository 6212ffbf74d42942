"""What a difference leaves in the ledger: its state, and its candidates with their ids."""

from datetime import date, datetime
from pathlib import Path
from typing import Any

from nightshift.alerts.ids import id_rule, readout_channel
from nightshift.alerts.schema import in_single_precision, single_fields
from nightshift.context import Context
from nightshift.jobs.contract import UnitWork
from nightshift.keys import UnitKey
from nightshift.kinds.difference import queries
from nightshift.ledger.queries import jobs as job_queries
from nightshift.vocabulary import AttemptState, Reason, UnitState
from nightshift.workflow.persistence import Ending
from nightshift.workflow.subjects import Subject

__all__ = ["COMMON_FIELDS", "awaits", "forget_cancelled", "home", "put_difference", "record"]

COMMON_FIELDS = ["isdiffpos", "rbversion"]  # texts of a candidate's record that have few values
MOST_CANDIDATES = 999  # a candid has three digits for their number


def home(context: Context, subject: Subject, work: UnitWork) -> tuple[Path, date]:
    """Return the folder of a quadrant's products, and the night of its exposure."""
    night = job_queries.night_of_job(context.ledger, job_key=subject.job_key)
    return context.depot.processed(night, UnitKey.parse(work.unit_key)), night


def awaits(context: Context, work: UnitWork) -> bool:
    """Whether the image that was differenced still stands, and has no difference."""
    return queries.awaits_difference(context.ledger, unit_key=work.unit_key)


def record(context: Context, ending: Ending) -> None:
    """Write the difference of a quadrant that was reduced before its reference came."""
    if awaits(context, ending.work):
        put_difference(context, ending)


def forget_cancelled(context: Context, subject: Subject) -> None:
    """Take back the differences that a cancel left as failed."""
    queries.forget_cancelled_differences(context.ledger, job_key=subject.job_key)


def put_difference(context: Context, ending: Ending) -> None:
    """Write a difference with its candidates, numbered and identified by the survey's rule."""
    unit, parameters, metrics = ending.work.unit_key, ending.work.parameters, ending.metrics.get("difference") or {}
    candidates = ending.rows("candidates")
    state, reason = _difference_state(ending, metrics, len(candidates))
    written = queries.put_difference(
        context.ledger,
        unit_key=unit, reference_key=parameters["reference_key"], campaign=ending.subject.campaign, state=state,
        reason=reason, detail=str(metrics.get("detail") or ending.outcome.detail)[:2000],
        product_key=ending.products.get("difference"), candidates=len(candidates),
        noise_ratio=metrics.get("noise_ratio"), limiting_magnitude=metrics.get("limiting_magnitude"),
        quality=dict(metrics.get("quality") or {}),
    )  # fmt: skip
    if written and state is UnitState.PROCESSED and candidates:
        _put_candidates(context, ending, candidates)


def _difference_state(
    ending: Ending, metrics: dict[str, Any], candidates: int
) -> tuple[UnitState, Reason | str | None]:
    if candidates > MOST_CANDIDATES:
        return UnitState.REJECTED, Reason.TOO_MANY_CANDIDATES
    if ending.outcome.state is AttemptState.REJECTED:
        return UnitState.REJECTED, ending.outcome.reason or Reason.DIFFERENCE_FAILED
    if not ending.succeeded:
        return UnitState.FAILED, ending.outcome.reason or Reason.DIFFERENCE_FAILED
    state = UnitState(metrics.get("state", UnitState.PROCESSED))
    return state, None if state is UnitState.PROCESSED else metrics.get("reason") or Reason.DIFFERENCE_FAILED


def _put_candidates(context: Context, ending: Ending, candidates: list[dict[str, Any]]) -> None:
    parameters, campaign = ending.work.parameters, ending.subject.campaign
    camera, shutter_open = context.survey.camera, _time(parameters["shutter_open"])
    ids = id_rule(context.survey.alerts, camera)
    processing = ids.processing_id(
        shutter_open,
        readout_channel(camera, parameters["detector"], parameters["quadrant"]),
        campaign_number=job_queries.campaign_number(context.ledger, campaign=campaign),
    )
    night = job_queries.night_of_job(context.ledger, job_key=ending.subject.job_key)
    queries.make_month(context.ledger, shutter_open=shutter_open)
    rows = [
        {
            **row,
            "candid": ids.candidate_id(processing, row["number"], positive=row["positive"]),
            "record": in_single_precision(row["record"]),
        }
        for row in candidates
    ]
    queries.put_candidates(
        context.ledger,
        shutter_open=shutter_open, unit_key=ending.work.unit_key, campaign=campaign,
        reference_key=parameters["reference_key"], processing_id=processing, site=context.site.name,
        night=night, field=parameters["field"], filter=parameters["filter"], candidates={"rows": rows},
        single_fields=sorted(single_fields()), common_fields=COMMON_FIELDS,
    )  # fmt: skip


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
