"""A person asks for a new version of a field's reference images."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nightshift.context import Context
from nightshift.errors import BadInput
from nightshift.keys import LIVE
from nightshift.kinds.reference import queries
from nightshift.kinds.reference.plan import plan
from nightshift.ledger.queries import ledger as ledger_queries
from nightshift.settings import Survey
from nightshift.vocabulary import EventLevel, Reason
from nightshift.workflow.due_runs import RunRequest
from nightshift.workflow.subjects import run_id, subject_of

__all__ = ["SERVES", "Regeneration", "quadrant_names", "read_regeneration", "regenerate"]

FIELDS_SHOWN = 20
SERVES = ("next_night", "now")
KEYS = frozenset({"field", "filter", "quadrants", "explanation", "serves", "dry_run"})


@dataclass(frozen=True)
class Regeneration:
    """What was asked for, checked.

    Parameters
    ----------
    field : int
    filter : str
    quadrants : tuple of str
        Such as ``d00/q1``; empty: all.
    explanation : str
        Why; kept with the new version and in the audit.
    serves : str
        ``now`` or ``next_night``.
    dry_run : bool
        Only say what would be done.
    """

    field: int
    filter: str
    quadrants: tuple[str, ...]
    explanation: str
    serves: str
    dry_run: bool


def quadrant_names(survey: Survey) -> tuple[str, ...]:
    """Return the names of all quadrants in service, as the form lists them."""
    camera = survey.camera
    return tuple(f"d{d:02d}/q{q}" for d in camera.detector_ids for q in camera.quadrant_ids)


def read_regeneration(survey: Survey, asked: Mapping[str, Any]) -> Regeneration:
    """Check what was asked for.

    Raises
    ------
    BadInput
        Naming every key that is unknown, missing or has a value that is not allowed.
    """
    faults = [f"{key!r} is not a key of this form" for key in sorted(asked.keys() - KEYS)]
    faults += _faults_of_field(survey, asked.get("field"))
    allowed = {
        "filter": {filter_.name for filter_ in survey.sky.filters},
        "serves": set(SERVES),
    }
    for key, values in allowed.items():
        if str(asked.get(key, "")) not in values:
            faults.append(f"{key} is {asked.get(key)!r}; allowed are {', '.join(sorted(values))}")
    quadrants = asked.get("quadrants") or []
    if not isinstance(quadrants, list) or set(map(str, quadrants)) - set(quadrant_names(survey)):
        faults.append(f"quadrants are {quadrants!r}; allowed is a list of {', '.join(quadrant_names(survey))}")
    explanation = str(asked.get("explanation") or "").strip()
    if not explanation:
        faults.append("explanation is empty: say why, for whoever asks later")
    dry_run = asked.get("dry_run", True)
    if not isinstance(dry_run, bool):
        faults.append(f"dry_run is {dry_run!r}; allowed are true and false")
    if faults:
        raise BadInput(Reason.INTERNAL_ERROR, "the request is not accepted: " + "; ".join(faults))
    return Regeneration(
        int(asked["field"]),
        str(asked["filter"]),
        tuple(sorted(set(map(str, quadrants)))),
        explanation,
        str(asked["serves"]),
        dry_run,
    )


def _faults_of_field(survey: Survey, field: Any) -> list[str]:
    """Return what is wrong with a field's number; one of a survey that lists none is looked for among the frames."""
    text = str(field)
    if text.isdecimal() and (survey.field(int(text)) or survey.sky.field_from == "name"):
        return []
    known = ", ".join(str(field.id) for field in survey.sky.fields[:FIELDS_SHOWN]) or "none listed"
    more = f" and {len(survey.sky.fields) - FIELDS_SHOWN} more" if len(survey.sky.fields) > FIELDS_SHOWN else ""
    return [f"field is {field!r}; allowed are {known}{more}"]


def regenerate(
    context: Context, request: Regeneration, *, operator: str, request_id: str
) -> tuple[str, RunRequest | None]:
    """Say what a new version would be made of and, unless it is a dry run, put it on record and return its run.

    Parameters
    ----------
    operator : str
        Who asks.
    request_id : str
        Names this request, so that asking again with the same is one entry in the audit and one version.

    Returns
    -------
    str, RunRequest or None
        In words; and the run to ask for, or None where there is nothing to do.
    """
    ledger, instrument = context.ledger, context.survey.camera.instrument
    subject = f"{request.field:06d}/{request.filter}"
    with ledger.transaction():
        queries.lock_field(ledger, subject=subject)
        known = queries.request(ledger, action="regenerate_reference", request_id=request_id)
        version = known.version if known else queries.next_version(
            ledger, instrument=instrument, field=request.field, filter=request.filter, campaign=LIVE
        )  # fmt: skip
        conf = {
            "instrument": instrument,
            "field": str(request.field),
            "filter": request.filter,
            "version": str(version),
            "requested_by": operator,
            "request_reason": request.explanation,
            "serves": request.serves,
            "quadrants": ",".join(request.quadrants),
        }
        planned = plan(context, subject_of("reference", conf)).units
        chosen = [unit for unit in planned if not request.quadrants or _quadrant(unit.unit_key) in request.quadrants]
        lines = [f"{unit.unit_key}: {len(unit.parameters['members'])} frames" for unit in chosen]
        text = "\n".join([f"version {version} of field {request.field} in {request.filter}", *lines])
        if not chosen:
            return f"{text}\nno quadrant has enough good frames: nothing is to be done", None
        if request.dry_run:
            return f"{text}\na dry run: nothing was changed", None
        if not known:
            detail = {**conf, "request_id": request_id, "version": version}
            ledger_queries.put_audit(
                ledger, operator=operator, action="regenerate_reference", subject=subject, detail=detail
            )
            ledger.event(
                EventLevel.INFO, "reference_asked_for", f"{operator} asks for {text.splitlines()[0]}: "
                f"{request.explanation}", subject=subject, night_time=context.clock.now(),
            )  # fmt: skip
    return text, RunRequest("references", run_id("references", conf, 0), conf)


def _quadrant(unit_key: str) -> str:
    """Return the quadrant's name within a reference's key."""
    return "/".join(unit_key.split("/")[3:5])
