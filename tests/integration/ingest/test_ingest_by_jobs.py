"""Files are taken in by jobs: the newest first, each once, whatever becomes of the jobs."""

import os
import subprocess
import sys
import time
from datetime import date
from pathlib import Path

import pytest

from nightshift.context import Context
from nightshift.files import sha256_of
from nightshift.ingest.inbox import complete_files
from nightshift.ingest.ingest import ingest_all
from nightshift.jobs.contract import read_job_file
from nightshift.jobs.run import run_task
from nightshift.kinds.ingest.inbox_files import left_by_jobs, named_for_watch
from nightshift.night_end.close import in_flight
from nightshift.runners.base import TaskReport
from nightshift.runners.local import LocalRunner
from nightshift.runners.spool import Spool
from nightshift.settings.models import IngestPolicy
from nightshift.vocabulary import JobState
from nightshift.workflow.arrays import collect, submit
from nightshift.workflow.due_runs import due_runs, mark_requested

PATIENCE_S = 60.0


class Nodes:
    """Runs the tasks of an array in this process when it is told to."""

    name = "nodes"

    def __init__(self):
        self.files: dict[str, Path] = {}
        self.states_of: dict[str, list[JobState]] = {}

    def submit(self, request):
        if request.name not in self.files:
            self.files[request.name] = request.job_file
            self.states_of[request.name] = [JobState.RUNNING] * request.tasks
        return request.name

    def run(self, name):
        for index in range(len(self.states_of[name])):
            run_task(self.files[name], index)
        self.says(name, JobState.DONE)

    def says(self, name, state):
        self.states_of[name] = [state] * len(self.states_of[name])

    def states(self, names=None):
        return {
            name: [TaskReport(name, index, state) for index, state in enumerate(states)]
            for name, states in self.states_of.items()
            if names is None or name in names
        }

    def cancel(self, name):
        raise AssertionError(f"nothing cancels {name}")

    def log(self, name, index):
        return ""


@pytest.fixture
def by_jobs(context) -> Context:
    """The demo survey with files taken in by jobs as soon as they are there, two exposures at once."""
    survey = context.survey.model_copy(
        update={
            "ingest": IngestPolicy(by="jobs", at_once=2),
            "exposure": context.survey.exposure.model_copy(update={"stillness_s": 0.0}),
        }
    )
    return context.with_survey(survey)


@pytest.fixture
def nodes() -> Nodes:
    return Nodes()


def written_at(path: Path, minute: int) -> Path:
    """Give a file the time at which the telescope wrote it."""
    os.utime(path, (1_768_000_000 + 60 * minute,) * 2)
    return path


def due(context):
    return [request for request in due_runs(context) if request.dag_id == "ingest"]


def start(context, runner, request) -> str:
    mark_requested(context, request)
    return submit(context, runner, "ingest", request.conf, airflow_run=request.run_id, airflow_try=1)


def take_in(context, runner, request):
    """Play one run from its request to its collection."""
    name = start(context, runner, request)
    if name is not None:
        runner.run(name)
    return collect(context, runner, "ingest", request.conf, final=False)


def rows(context, query):
    with context.ledger.connection.cursor() as cursor:
        cursor.execute(query)
        return [tuple(row.values()) for row in cursor.fetchall()]


def arrivals(context):
    return rows(context, "select inbox_name, disposition::text, reason from arrivals order by inbox_name, arrived_at")


def the_frame(context) -> bytes:
    """Return the content of the only raw frame."""
    ((kept,),) = rows(context, "select path from raw_frames")
    return context.depot.absolute(kept).read_bytes()


def what_the_watch_takes(context):
    complete = complete_files(context.inbox, {}, context.survey)
    mine = named_for_watch(context.deployment, complete) + left_by_jobs(context, complete)
    return [path.name for path in mine]


def test_a_backlog_comes_in_through_a_pool_the_newest_exposure_first_and_each_file_once(by_jobs, frames, tmp_path):
    for number in range(4):
        for detector in (1, 2):
            written_at(frames(number, detector), number)
    spool = tmp_path / "spool"
    Spool(spool).prepare()
    pool = subprocess.Popen(
        [sys.executable, "-m", "nightshift.runners.pool", "--spool", str(spool), "--workers", "2", "--cold"]
    )
    runner, order = LocalRunner(spool), []
    try:
        while requests := due(by_jobs):
            assert len(requests) <= 2
            arrays = [(request, start(by_jobs, runner, request)) for request in requests]
            for request, name in arrays:
                order.append(request.conf["exposure_id"])
                wait_until_done(runner, name)
                assert collect(by_jobs, runner, "ingest", request.conf, final=False).succeeded == 2
    finally:
        pool.terminate()
        pool.wait(PATIENCE_S)
    assert order == [frames.exposure_id(number) for number in (3, 2, 1, 0)]
    assert len(arrivals(by_jobs)) == 8
    assert {disposition for _, disposition, _ in arrivals(by_jobs)} == {"registered"}
    assert not list(by_jobs.inbox.iterdir())
    assert rows(by_jobs, "select count(*) from units") == [(16,)]
    for path, sha256 in rows(by_jobs, "select path, sha256 from raw_frames"):
        assert sha256_of(by_jobs.depot.absolute(path)) == sha256


def wait_until_done(runner, name):
    deadline = time.monotonic() + PATIENCE_S
    while not all(task.state.ended for task in runner.states(frozenset({name}))[name]):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_the_frame_is_registered_as_the_watch_registers_it(by_jobs, context, frames, nodes):
    ingest_all(context, [frames(1, 1)])
    written = frames(0, 1)
    take_in(by_jobs, nodes, due(by_jobs)[0])
    by_job, by_watch = rows(
        context,
        "select image_type::text, field, filter, exposure_s, ra_deg, airmass, night, state::text, detectors_expected "
        "from exposures order by exposure_id",
    )
    assert by_job == by_watch
    one, other = rows(context, "select header - 'DATE-OBS' - 'CHECKSUM' from raw_frames order by inbox_name")
    assert one == other
    assert not written.exists()


def test_an_exposure_of_which_a_run_is_under_way_is_not_asked_for_again(by_jobs, frames, nodes):
    frames(0, 1)
    (request,) = due(by_jobs)
    start(by_jobs, nodes, request)
    frames(0, 2)
    assert due(by_jobs) == []


def test_a_detector_that_comes_later_is_taken_in_by_the_exposures_next_run(by_jobs, frames, nodes):
    frames(0, 1)
    first = due(by_jobs)[0]
    name = start(by_jobs, nodes, first)
    frames(0, 2)
    nodes.run(name)
    assert collect(by_jobs, nodes, "ingest", first.conf, final=False).succeeded == 1
    (second,) = due(by_jobs)
    assert second.run_id == f"{first.run_id}__a2"
    assert take_in(by_jobs, nodes, second).succeeded == 1
    assert due(by_jobs) == []


def test_what_is_bad_is_set_aside_with_its_reason_and_the_rest_goes_on(by_jobs, frames, nodes):
    good, cut, foreign = frames(0, 1), frames(0, 2), frames(1, 1, INSTRUME="OTHER")
    cut.write_bytes(cut.read_bytes()[:100_000])
    for request in due(by_jobs):
        take_in(by_jobs, nodes, request)
    assert arrivals(by_jobs) == [
        (good.name, "registered", None),
        (cut.name, "quarantined", "truncated_file"),
        (foreign.name, "quarantined", "wrong_camera"),
    ]
    assert len(rows(by_jobs, "select path from quarantine")) == 2
    assert all(by_jobs.depot.absolute(path).exists() for (path,) in rows(by_jobs, "select path from quarantine"))
    assert not list(by_jobs.inbox.iterdir())


def test_a_checksum_beside_the_file_counts_and_leaves_the_inbox_with_it(by_jobs, frames, nodes):
    path = frames(0, 1)
    path.with_name(f"{path.name}.sha256").write_text("0" * 64)
    take_in(by_jobs, nodes, due(by_jobs)[0])
    assert arrivals(by_jobs) == [(path.name, "quarantined", "checksum_mismatch")]
    assert not list(by_jobs.inbox.iterdir())


def test_the_same_file_again_is_a_duplicate_and_another_of_its_name_a_conflict(by_jobs, frames, nodes):
    content = (path := frames(0, 1)).read_bytes()
    take_in(by_jobs, nodes, due(by_jobs)[0])
    path.write_bytes(content)
    take_in(by_jobs, nodes, due(by_jobs)[0])
    frames(0, 1, level=2000)
    take_in(by_jobs, nodes, due(by_jobs)[0])
    said = [(disposition, reason) for _, disposition, reason in arrivals(by_jobs)]
    assert said == [("registered", None), ("duplicate", None), ("conflicting", "name_conflict")]
    assert the_frame(by_jobs) == content
    assert not list(by_jobs.depot.root.glob("work/**/copy"))


@pytest.mark.parametrize("when", ["before the job reads it", "before its result is taken in"])
def test_a_file_replaced_while_its_job_runs_is_a_unit_of_its_own(by_jobs, frames, nodes, when):
    path = frames(0, 1)
    (request,) = due(by_jobs)
    name = start(by_jobs, nodes, request)
    if when == "before its result is taken in":
        nodes.run(name)
    path.unlink()
    frames(0, 1, level=3000)
    new = path.read_bytes()
    nodes.run(name)
    collect(by_jobs, nodes, "ingest", request.conf, final=False)
    assert arrivals(by_jobs) == []
    take_in(by_jobs, nodes, due(by_jobs)[0])
    assert arrivals(by_jobs) == [(path.name, "registered", None)]
    assert the_frame(by_jobs) == new


def test_a_job_that_dies_is_made_again(by_jobs, frames, nodes):
    path = frames(0, 1)
    (request,) = due(by_jobs)
    nodes.says(start(by_jobs, nodes, request), JobState.NODE_FAILED)
    assert collect(by_jobs, nodes, "ingest", request.conf, final=False).retried == 1
    assert arrivals(by_jobs) == []
    take_in(by_jobs, nodes, due(by_jobs)[0])
    assert arrivals(by_jobs) == [(path.name, "registered", None)]


def test_a_file_whose_every_job_dies_with_its_node_is_taken_in_by_the_watch(by_jobs, frames, nodes):
    path = frames(0, 1)
    for _ in range(by_jobs.survey.exposure.attempts):
        assert what_the_watch_takes(by_jobs) == []
        (request,) = due(by_jobs)
        nodes.says(start(by_jobs, nodes, request), JobState.NODE_FAILED)
        collect(by_jobs, nodes, "ingest", request.conf, final=False)
    assert due(by_jobs) == []
    assert what_the_watch_takes(by_jobs) == [path.name]
    ingest_all(by_jobs, [path])
    assert arrivals(by_jobs) == [(path.name, "registered", None)]


def test_a_file_whose_every_job_runs_out_of_memory_is_set_aside(by_jobs, frames, nodes):
    path = frames(0, 1)
    while requests := due(by_jobs):
        nodes.says(start(by_jobs, nodes, requests[0]), JobState.OUT_OF_MEMORY)
        collect(by_jobs, nodes, "ingest", requests[0].conf, final=False)
    assert arrivals(by_jobs) == [(path.name, "quarantined", "out_of_memory")]
    assert not path.exists()


@pytest.mark.parametrize(
    "at",
    [
        "nightshift.kinds.ingest.record.sync_folder",
        "nightshift.ingest.register._put_frame",
        "nightshift.kinds.ingest.record.leave_inbox",
    ],
)
def test_a_crash_at_any_step_of_the_collecting_leaves_one_frame_and_no_file(by_jobs, frames, nodes, monkeypatch, at):
    path = frames(0, 1)
    content = path.read_bytes()
    (request,) = due(by_jobs)
    nodes.run(start(by_jobs, nodes, request))
    with monkeypatch.context() as patch:
        patch.setattr(at, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            collect(by_jobs, nodes, "ingest", request.conf, final=False)
    assert path.exists()
    collect(by_jobs, nodes, "ingest", request.conf, final=False)
    assert arrivals(by_jobs) == [(path.name, "registered", None)]
    assert the_frame(by_jobs) == content
    assert not path.exists()
    assert due(by_jobs) == []


def test_a_file_that_was_taken_in_and_not_removed_leaves_the_inbox_with_the_watch(
    by_jobs, frames, nodes, monkeypatch
):
    path = frames(0, 1)
    monkeypatch.setattr("nightshift.kinds.ingest.record.leave_inbox", lambda *_: None)
    take_in(by_jobs, nodes, due(by_jobs)[0])
    assert path.exists()
    assert due(by_jobs) == []
    assert what_the_watch_takes(by_jobs) == [path.name]
    ingest_all(by_jobs, [path])
    assert arrivals(by_jobs) == [(path.name, "registered", None)]
    assert not path.exists()


def test_manifests_links_and_foreign_names_stay_with_the_watch(by_jobs, frames):
    frames(0, 1)
    (by_jobs.inbox / "manifest_20260115.json").write_text("{}")
    (by_jobs.inbox / "notes.txt").write_text("")
    (by_jobs.inbox / "demo_20260116080100_d01.fits").symlink_to("/etc/hostname")
    assert what_the_watch_takes(by_jobs) == [
        "demo_20260116080100_d01.fits", "manifest_20260115.json", "notes.txt",
    ]  # fmt: skip
    assert len(due(by_jobs)) == 1


def test_a_file_that_still_changes_is_not_due(by_jobs, frames):
    frames(0, 1)
    patient = by_jobs.survey.exposure.model_copy(update={"stillness_s": 60.0})
    survey = by_jobs.survey.model_copy(update={"exposure": patient})
    assert due(by_jobs.with_survey(survey)) == []


def test_jobs_take_files_in_where_a_cluster_runs_them_and_else_by_setting_alone(
    context, by_jobs, frames, monkeypatch
):
    frames(0, 1)
    assert context.survey.ingest.by == "auto"
    survey = by_jobs.survey.model_copy(update={"ingest": IngestPolicy()})
    auto = context.with_survey(survey)
    for runner, asked in (("local", 0), ("slurm", 1)):
        monkeypatch.setenv("NIGHTSHIFT_RUNNER", runner)
        assert len(due(auto)) == asked
        assert len(due(by_jobs)) == 1


def test_the_nights_end_waits_for_files_that_are_due(by_jobs, frames):
    frames(0, 1)
    assert [thing.subject for thing in in_flight(by_jobs, date(2026, 1, 15))] == [due(by_jobs)[0].run_id]


def test_a_job_file_names_each_file_as_it_was_when_it_was_planned(by_jobs, frames, nodes):
    path = frames(0, 1)
    name = start(by_jobs, nodes, due(by_jobs)[0])
    (unit,) = read_job_file(nodes.files[name]).units
    assert unit.parameters["path"] == str(path)
    assert unit.parameters["bytes"] == path.stat().st_size
