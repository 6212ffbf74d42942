"""What a version of a reference leaves in the ledger: its row, with when it serves, and its members."""

from datetime import date, datetime
from pathlib import Path

from nightshift.context import Context
from nightshift.jobs.contract import UnitWork
from nightshift.keys import ReferenceKey
from nightshift.kinds.reference import queries
from nightshift.ledger.queries import jobs as job_queries
from nightshift.ledger.queries import runs as run_queries
from nightshift.nights import night_bounds, night_of
from nightshift.vocabulary import Reason, ReferenceState
from nightshift.workflow.persistence import Ending
from nightshift.workflow.subjects import Subject

__all__ = ["forget_cancelled", "home", "record"]


def home(context: Context, subject: Subject, work: UnitWork) -> tuple[Path, date]:
    """Return the folder of a reference, and the night of its last member."""
    night = job_queries.night_of_job(context.ledger, job_key=subject.job_key)
    return context.depot.reference(ReferenceKey.parse(work.unit_key)), night


def record(context: Context, ending: Ending) -> None:
    """Write a version of a reference. A field's first serves by the survey's policy; later ones wait for approval."""
    key, outcome, metrics = ReferenceKey.parse(ending.work.unit_key), ending.outcome, ending.metrics
    built = ending.succeeded and "reference" in ending.products
    asked = run_queries.conf_of_subject(context.ledger, subject=ending.subject.job_key)
    conf = asked.conf if asked else {}
    state, valid_from = ReferenceState.REJECTED, None
    if built:
        state, valid_from = _reference_state(context, ending, key, conf.get("serves"))
    queries.put_reference(
        context.ledger,
        field=key.field, instrument=key.instrument, detector=key.detector, quadrant=key.quadrant, filter=key.filter,
        version=key.version, campaign=key.campaign, reference_key=str(key), state=state,
        reason=None if built else outcome.reason or Reason.RESULT_INVALID, detail=outcome.detail[:2000],
        product_key=ending.products.get("reference"), frames=metrics.get("frames") or 0,
        fwhm_px=metrics.get("fwhm_px"), zero_point=metrics.get("zero_point"),
        limiting_magnitude=metrics.get("limiting_magnitude"), valid_from=valid_from,
        requested_by=conf.get("requested_by", "nightshift"),
        request_reason=conf.get("request_reason", ""),
    )  # fmt: skip
    if not built:
        return
    weights = {row["unit_key"]: row["weight"] for row in metrics.get("members", [])}
    planned = [member["unit_key"] for member in ending.work.parameters["members"]]
    members = [
        {"unit_key": unit_key, "position": position, "weight": weights[unit_key] if weights else 1.0}
        for position, unit_key in enumerate(planned, start=1)
        if not weights or unit_key in weights
    ]
    queries.put_reference_members(context.ledger, reference_key=str(key), members={"rows": members})


def forget_cancelled(context: Context, subject: Subject) -> None:
    """Take back the versions that a cancel left as rejected."""
    queries.forget_cancelled_references(context.ledger, job_key=subject.job_key)


def _reference_state(
    context: Context, ending: Ending, key: ReferenceKey, serves: str | None
) -> tuple[ReferenceState, datetime | None]:
    """Return how a version begins its life, and the shutter time from which it serves.

    A field's first serves by the survey's policy: from the night of its frames, or from the next. A later one
    serves as the person wanted who asked for it (``now``, ``next_night``), and else waits for approval.
    """
    site = context.survey.site
    if key.version == 1 and serves is None:
        night = job_queries.night_of_job(context.ledger, job_key=ending.subject.job_key)
        begins, ends = night_bounds(site, night)
        return ReferenceState.IN_SERVICE, begins if context.survey.reference.first_serves == "now" else ends
    now = context.clock.now()
    if serves == "now":
        return ReferenceState.IN_SERVICE, now
    if serves == "next_night":
        return ReferenceState.IN_SERVICE, night_bounds(site, night_of(site, now))[1]
    return ReferenceState.BUILT, None
