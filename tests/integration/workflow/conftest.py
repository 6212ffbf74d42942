"""A runner that runs nothing by itself: a test says which tasks end, how, and with what."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from nightshift.files import write_whole
from nightshift.ingest.ingest import ingest_all
from nightshift.jobs.contract import Product, UnitResult, read_job_file, write_result
from nightshift.kinds import kind_of_workflow
from nightshift.runners.base import TaskReport
from nightshift.vocabulary import AttemptState, JobState, Reason
from nightshift.workflow.arrays import collect, submit
from nightshift.workflow.due_runs import due_runs, mark_requested

FRAMES_OF_A_SET = 2  # enough for a master here: each costs the test a file of a megabyte
QUALITY = {
    "fwhm_px": 2.4, "elongation": 1.1, "zero_point": 26.0, "stars_matched": 90, "pattern_noise": 0.02, "trails": 1,
    "good": True,
}  # fmt: skip


class FakeRunner:
    """Takes arrays and answers what it is told to. Its jobs leave results when the test says so."""

    name = "fake"

    def __init__(self):
        self.requests = {}
        self.submitted = []
        self.cancelled = []
        self.said = {}
        self.reasons = {}
        self.silent = None
        self.deaf = False  # to cancels
        self.forgotten = set()

    def submit(self, request):
        self.submitted.append(request.name)
        if self.silent:
            raise self.silent
        self.requests[request.name] = request
        return f"id-{request.name}"

    def states(self, names=None):
        if self.silent:
            raise self.silent
        return {
            name: [
                TaskReport(
                    name,
                    index,
                    self.said.get((name, index), JobState.RUNNING),
                    reason=self.reasons.get((name, index)),
                )
                for index in range(request.tasks)
            ]
            for name, request in self.requests.items()
            if (names is None or name in names) and name not in self.forgotten
        }

    def cancel(self, name):
        self.cancelled.append(name)
        if name in self.requests and not self.deaf:
            for index in range(self.requests[name].tasks):
                if not self.said.get((name, index), JobState.RUNNING).ended:
                    self.said[name, index] = JobState.CANCELLED

    def called(self, start):
        """Return the array whose name begins so."""
        (name,) = [name for name in self.requests if name.startswith(start)]
        return name

    def log(self, name, index):
        return "the last words of the job"

    def job(self, name):
        return read_job_file(self.requests[name].job_file)

    def units(self, name):
        return self.job(name).units

    def says(self, name, state, *, task=None, reason=None):
        for index in range(self.requests[name].tasks):
            if task in (None, index):
                self.said[name, index], self.reasons[name, index] = state, reason

    def finish(self, name, *, only=None, fails=None, **answer):
        """Let the units of an array leave results, by the kind of job; `fails` is a reason, or one by unit key."""
        job = self.job(name)
        for unit in job.units:
            if only is not None and unit.unit_key not in only:
                continue
            reason = fails.get(unit.unit_key) if isinstance(fails, dict) else fails
            result = failed(unit, reason) if reason else ANSWERS[job.kind](unit, **answer)
            write_result(Path(unit.folder), result)


def failed(unit, reason):
    return UnitResult(
        unit.unit_key, unit.token, AttemptState.FAILED, reason=Reason(reason), detail="as the test says"
    )


DIFFERENCE = {
    "state": "processed", "reason": None, "noise_ratio": 1.0, "limiting_magnitude": 20.5, "quality": {"stamps": 12}
}  # fmt: skip


def product(unit, kind, name, content, *, made_of=()):
    path = Path(unit.folder) / name
    inputs = tuple(item for item in unit.inputs if item.role in made_of)
    return Product(kind, name, write_whole(path, content), len(content), inputs)


def master(unit, *, rejects=None, bad_frames=None, measured=None):
    kind = unit.parameters["calibration_kind"]
    bad_frames = bad_frames or {}
    rows = [
        {"key": f["key"], "accepted": f["key"] not in bad_frames, "reason": bad_frames.get(f["key"]), "level": 100.0}
        for f in unit.parameters["frames"]
    ]
    few = len([row for row in rows if row["accepted"]]) < FRAMES_OF_A_SET
    if rejects or few:
        reason = rejects or Reason.TOO_FEW_FRAMES
        return UnitResult(
            unit.unit_key, unit.token, AttemptState.REJECTED, reason=Reason(reason), rows={"frames": rows}
        )
    made = product(unit, kind, f"{kind}.fits", unit.unit_key.encode())
    return UnitResult(
        unit.unit_key, unit.token, AttemptState.SUCCEEDED, products=(made,), rows={"frames": rows},
        metrics={"frames": len(rows), "level": 100.0, "noise": 3.0, **(measured or {}).get(kind, {})},
        flags=(Reason.GAIN_DISAGREES,) if kind in (measured or {}) else (),
    )  # fmt: skip


def candidate(number, unit, *, positive=True):
    return {
        "number": number, "ra_deg": 150.1 + number * 0.01, "dec_deg": 22.2, "x": 10.0 * number, "y": 20.0,
        "positive": positive, "signal_to_noise": 12.0, "magnitude": 18.0, "magnitude_error": 0.05,
        "record": {"fwhm": 2.5, "elong": 1.1, "nbad": 0, "magdiff": 0.0, "ranr": 150.1, "decnr": 22.2},
    }  # fmt: skip


def science(unit, *, rejects=None, candidates=0, more=None, content="", keeps=("calibrated", "sources")):
    roles = ("raw", "bias", "dark", "flat", "catalogue")
    made = tuple(
        product(unit, kind, f"{kind}.fits", f"{kind} {unit.unit_key}{content}".encode(), made_of=roles)
        for kind in keeps
    )
    if rejects:
        return UnitResult(
            unit.unit_key, unit.token, AttemptState.REJECTED, reason=Reason(rejects), products=made,
            metrics={**QUALITY, "good": False},
        )  # fmt: skip
    metrics, rows = {**QUALITY, **(more or {})}, {}
    if unit.input("reference"):
        found = [candidate(n, unit) for n in range(1, candidates + 1)]
        metrics["difference"] = DIFFERENCE
        made += (differenced(unit),)
        rows["candidates"] = found
    flags = (Reason.OWN_CATALOGUE,) if unit.parameters["own_catalogue"] else ()
    return UnitResult(
        unit.unit_key, unit.token, AttemptState.SUCCEEDED, products=made, metrics=metrics, rows=rows, flags=flags
    )


def difference(unit, *, candidates=0):
    found = [candidate(n, unit) for n in range(1, candidates + 1)]
    return UnitResult(
        unit.unit_key, unit.token, AttemptState.SUCCEEDED, products=(differenced(unit),), rows={"candidates": found},
        metrics={"difference": DIFFERENCE},
    )  # fmt: skip


def differenced(unit):
    content = f"difference {unit.unit_key}".encode()
    return product(unit, "difference", "difference.fits", content, made_of=("reference", "reference_sources"))


def reference(unit):
    made = tuple(product(unit, kind, f"{kind}.fits", f"{kind} {unit.unit_key}".encode()) for kind in
                 ("reference", "reference_sources"))  # fmt: skip
    members = [{"unit_key": m["unit_key"], "weight": 1.0} for m in unit.parameters["members"]]
    return UnitResult(
        unit.unit_key, unit.token, AttemptState.SUCCEEDED, products=made,
        metrics={"frames": len(members), "fwhm_px": 2.3, "zero_point": 26.0, "members": members},
    )  # fmt: skip


def moving_objects(unit):
    detections = json.loads(Path(unit.input("detections").path).read_text())
    members = [{"candid": d["candid"], "residual_arcsec": 0.1} for d in detections]
    row = {
        "number": 1, "begins_mjd": detections[0]["mjd"], "ends_mjd": detections[-1]["mjd"], "ra_deg": 150.1,
        "dec_deg": 22.2, "rate_deg_per_day": 0.3, "position_angle_deg": 90.0, "residual_arcsec": 0.1,
        "magnitude": 18.0, "members": members,
    }  # fmt: skip
    return UnitResult(unit.unit_key, unit.token, AttemptState.SUCCEEDED, rows={"tracklets": [row]})


ANSWERS = {
    "master": master,
    "science": science,
    "difference": difference,
    "reference": reference,
    "moving_objects": moving_objects,
}


class Night:
    """Plays a night step by step: what comes in, what is due, what the runner's jobs leave."""

    def __init__(self, context, runner, frames, clock):
        self.context, self.runner, self.frames, self.clock = context, runner, frames, clock

    def bring(self, *numbers, detectors=(1, 2), **header):
        """Let exposures come in."""
        paths = [self.frames(n, detector, **header) for n in numbers for detector in detectors]
        return ingest_all(self.context, paths)

    def bring_calibrations(self):
        """Let whole sequences of bias, dark and flat come in."""
        for start, kind in ((-60, "bias"), (-50, "dark"), (-40, "flat")):
            for index in range(FRAMES_OF_A_SET):
                self.bring(start + index, kind=kind, SEQNAME=kind, SEQINDEX=index + 1, SEQLEN=FRAMES_OF_A_SET)

    def due(self, dag_id=None):
        return [request for request in due_runs(self.context) if dag_id in (None, request.dag_id)]

    def start(self, request):
        """Ask for a run as Airflow would take it, and return the array's name."""
        mark_requested(self.context, request)
        return self.submit(request)

    def submit(self, request, *, airflow_try=1, cleared_after=0):
        return submit(
            self.context, self.runner, kind_of_workflow(request.dag_id), request.conf,
            airflow_run=request.run_id, airflow_try=airflow_try, cleared_after=cleared_after,
        )  # fmt: skip

    def collect(self, request, *, final=False):
        return collect(self.context, self.runner, kind_of_workflow(request.dag_id), request.conf, final=final)

    def run(self, request, **answer):
        """Play one run from its request to its collection."""
        name = self.start(request)
        if name is not None:
            self.runner.finish(name, **answer)
            self.runner.says(name, JobState.DONE)
        return self.collect(request)

    def run_due(self, dag_id, **answer):
        """Play what is due of one workflow until nothing is, and return the run ids."""
        done = []
        while requests := self.due(dag_id):
            for request in requests:
                done.append(request.run_id)
                self.run(request, **answer)
        return done

    def calibrate(self):
        """Bring and build all masters."""
        self.bring_calibrations()
        return self.run_due("calibrations")

    def rows(self, table, order="1"):
        with self.context.ledger.connection.cursor() as cursor:
            cursor.execute(f"select * from {table} order by {order}")
            return [dict(row) for row in cursor.fetchall()]

    def later(self, **interval):
        """Let time pass for the ledger: move back what has happened."""
        seconds = timedelta(**interval).total_seconds()
        with self.context.ledger.connection.cursor() as cursor:
            for table, columns in (
                ("exposures", ("first_arrival_at", "last_arrival_at")),
                ("runs", ("requested_at",)),
                ("submissions", ("intended_at", "submitted_at")),
                ("arrivals", ("arrived_at",)),
            ):
                moved = ", ".join(f"{column} = {column} - make_interval(secs => %(s)s)" for column in columns)
                cursor.execute(f"update {table} set {moved}", {"s": seconds})

    def unit_states(self):
        return {row["unit_key"]: row["state"] for row in self.rows("units")}


@pytest.fixture
def runner():
    return FakeRunner()


@pytest.fixture
def night(context, runner, frames, clock):
    for field in (101, 102):
        catalogue = context.depot.catalogue(f"field{field:06d}.fits")
        catalogue.parent.mkdir(parents=True, exist_ok=True)
        catalogue.write_bytes(b"stars")
    return Night(context, runner, frames, clock)
