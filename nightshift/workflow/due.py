"""What is due, by the ledger alone.

Events only wake the one who asks here. Asking twice gives the same run ids, so a request that was lost or made
twice is one run.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from nightshift.context import Context
from nightshift.vocabulary import CalibrationKind, EventLevel
from nightshift.workflow.master_fallback import MasterSets, read_sets
from nightshift.workflow.subjects import NIGHT_DAG, run_id, subject_of_run

__all__ = ["RunRequest", "due_runs", "mark_requested"]


@dataclass(frozen=True)
class RunRequest:
    """One workflow run to ask for.

    Parameters
    ----------
    dag_id : str
    run_id : str
        Deterministic; that it is already there counts as asked.
    conf : dict of str to str
        Natural keys.
    """

    dag_id: str
    run_id: str
    conf: dict[str, str]


def due_runs(context: Context) -> list[RunRequest]:
    """Return the runs to ask for now, most urgent first: calibrations, references, exposures, differences, nights.

    Nothing is written: a run that was not asked for after all is due again.
    """
    sets = read_sets(context)
    wanted = [
        *(("calibrations", conf) for conf in _due_sets(context, sets)),
        *(("references", conf) for conf in _due_references(context)),
        *(("exposure", conf) for conf in _due_exposures(context, sets)),
        *(("difference", conf) for conf in _due_differences(context)),
        *((NIGHT_DAG, conf) for conf in _due_nights(context)),
    ]
    return _not_under_way(context, wanted)


def mark_requested(context: Context, request: RunRequest) -> None:
    """Record that Airflow took a run (or already had it). May run again, and after the run has ended."""
    ledger, conf = context.ledger, request.conf
    with ledger.transaction():
        ledger.run(
            "workflow", "put_run",
            run_id=request.run_id, dag_id=request.dag_id, subject=subject_of_run(request.dag_id, conf),
            conf=dict(conf),
        )  # fmt: skip
        if request.dag_id == "exposure":
            ledger.run(
                "workflow", "mark_exposure_running",
                instrument=conf["instrument"], exposure_id=conf["exposure_id"], run_id=request.run_id,
            )  # fmt: skip
        elif request.dag_id == "calibrations":
            ledger.run(
                "workflow", "mark_set_running",
                instrument=conf["instrument"], night=conf["night"], kind=conf["kind"], filter=conf.get("filter", ""),
                run_id=request.run_id,
            )  # fmt: skip
        elif request.dag_id == NIGHT_DAG:
            _mark_closing(context, conf)


def _mark_closing(context: Context, conf: Mapping[str, str]) -> None:
    begun = context.ledger.run(
        "workflow", "mark_night_closing",
        site=conf["site"], night=conf["night"], signal=conf.get("signal"),
    )  # fmt: skip
    if begun:
        context.ledger.event(
            EventLevel.INFO, "night_closing", f"The night {conf['night']} closes, by the {conf.get('signal')}.",
            subject=f"{conf['site']}/{conf['night'].replace('-', '')}", night_time=context.clock.now(),
        )  # fmt: skip


def _not_under_way(context: Context, wanted: list[tuple[str, dict[str, str]]]) -> list[RunRequest]:
    """Number the runs of each subject, and leave out those of which one is under way."""
    subjects = [subject_of_run(dag_id, conf) for dag_id, conf in wanted]
    policy = context.survey.exposure
    asked = {
        row["subject"]: row
        for row in context.ledger.rows(
            "workflow", "runs_of",
            subjects=subjects, stale_s=2 * (policy.soft_deadline_s + policy.hard_deadline_s),
        )
    } if subjects else {}  # fmt: skip
    requests = []
    for subject, (dag_id, conf) in zip(subjects, wanted, strict=True):
        known = asked.get(subject, {"times": 0, "under_way": False})
        if not known["under_way"]:
            requests.append(RunRequest(dag_id, run_id(dag_id, conf, known["times"]), conf))
    return requests


# --- calibrations -------------------------------------------------------------------------------------------


def _due_sets(context: Context, sets: MasterSets) -> Iterable[dict[str, str]]:
    policy = context.survey.calibration
    for row in sets.rows:
        kind = CalibrationKind(row["kind"])
        if not row["unended"] or kind not in policy.kinds:
            continue
        if not (row["complete"] or row["quiet_s"] >= policy.quiet_s) or sets.waits_for_earlier_kind(row):
            continue
        yield {
            "instrument": row["instrument"],
            "night": row["night"].isoformat(),
            "kind": kind.value,
            "filter": row["filter"],
            "version": str(next_version(row, len(context.survey.camera.quadrant_ids))),
        }


def next_version(row: Mapping[str, Any], quadrants: int) -> int:
    """Return the version that a set's masters get: the newest while some quadrant lacks it, else the one after."""
    begun = row["version"] > 0 and row["masters"] < row["detectors"] * quadrants
    return row["version"] if begun else row["version"] + 1


# --- exposures ----------------------------------------------------------------------------------------------


def _due_exposures(context: Context, sets: MasterSets) -> Iterable[dict[str, str]]:
    rows = context.ledger.rows("workflow", "waiting_exposures")
    turns = _OwnCatalogueOrder(context, rows)
    for row in rows:
        together = len(row["detectors"] or ()) >= row["expected"]
        if not together and row["age_s"] < context.survey.exposure.detectors_wait_s:
            continue
        if sets.waits_for_master(row) or not turns.may_start(row):
            continue
        yield {"instrument": row["instrument"], "exposure_id": row["exposure_id"]}


class _OwnCatalogueOrder:
    """Which exposures of a field without a catalogue must wait for the field's first good frame.

    A field without a catalogue is measured against its own first good frame in shutter order, so that one must
    have ended before another starts. The order is kept quadrant by quadrant.
    """

    def __init__(self, context: Context, rows: list[dict[str, Any]]):
        self.camera = context.survey.camera
        self.fields = {
            row["field"] for row in rows if row["field"] is not None and catalogue_path(context, row["field"]) is None
        }
        self.seeded: set[tuple] = set()
        self.first: dict[tuple, str] = {}
        if not self.fields:
            return
        for row in context.ledger.rows(
            "workflow", "own_catalogues", fields=sorted(self.fields), instrument=self.camera.instrument
        ):
            self.seeded.add((row["field"], row["filter"], row["detector"], row["quadrant"]))
        for row in context.ledger.rows("workflow", "unended_of_fields"):
            self.first.setdefault((row["field"], row["filter"]), row["exposure_id"])

    def may_start(self, row: Mapping[str, Any]) -> bool:
        if row["field"] not in self.fields:
            return True
        group = (row["field"], row["filter"])
        quadrants = ((d, q) for d in row["detectors"] or () for q in self.camera.quadrant_ids)
        if all((*group, *place) in self.seeded for place in quadrants):
            return True
        return self.first.get(group) == row["exposure_id"]


def catalogue_path(context: Context, field_id: int | None):
    """Return the place of a field's reference catalogue, or None where its own first good frame serves."""
    field = context.survey.field(field_id) if field_id is not None else None
    if field is None or field.catalogue is None:
        return None
    path = context.depot.catalogue(str(field.catalogue))
    return path if path.is_file() else None


# --- references, differences, nights ------------------------------------------------------------------------


def _due_references(context: Context) -> Iterable[dict[str, str]]:
    policy = context.survey.reference
    rows = context.ledger.rows(
        "workflow", "references_due",
        at_least=policy.at_least_frames, at_closing=policy.first_serves == "next_night",
    )  # fmt: skip
    for row in rows:
        yield {
            "instrument": row["instrument"],
            "field": str(row["field"]),
            "filter": row["filter"],
            "version": "1",
        }


def _due_differences(context: Context) -> Iterable[dict[str, str]]:
    for row in context.ledger.rows("workflow", "differences_due"):
        yield {
            "instrument": row["instrument"],
            "exposure_id": row["exposure_id"],
            "version": str(row["version"]),
        }


def _due_nights(context: Context) -> Iterable[dict[str, str]]:
    rows = context.ledger.rows(
        "workflow", "nights_to_close",
        site=context.survey.site.name, now=context.clock.now(), quiet_s=context.survey.night.grace_s,
    )  # fmt: skip
    for row in rows:
        yield {"site": row["site"], "night": row["night"].isoformat(), "signal": row["signal"]}
