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
from nightshift.ingest import examine, register
from nightshift.ingest.inbox import complete_files
from nightshift.ingest.ingest import ingest_all
from nightshift.jobs.contract import read_job_file
from nightshift.jobs.run import run_task
from nightshift.kinds.ingest import record
from nightshift.kinds.ingest.inbox_files import left_by_jobs, named_for_watch
from nightshift.ledger.queries import ingest as ingest_queries
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


def test_an_error_that_nobody_foresaw_on_a_node_sets_its_file_aside_and_its_traceback_is_kept(
    by_jobs, frames, nodes, monkeypatch
):
    bad, good = frames(0, 1), frames(0, 2)
    real = examine.check_whole
    monkeypatch.setattr(examine, "check_whole", lambda content, *more, **named: (
        1 // 0 if content == bad_content else real(content, *more, **named)
    ))  # fmt: skip
    bad_content = bad.read_bytes()
    take_in(by_jobs, nodes, due(by_jobs)[0])
    assert arrivals(by_jobs) == [
        (bad.name, "quarantined", "internal_error"), (good.name, "registered", None),
    ]  # fmt: skip
    ((trace,),) = rows(by_jobs, "select detail ->> 'traceback' from events where kind = 'file_not_understood'")
    assert "ZeroDivisionError" in trace and "check_whole" in trace


def test_an_error_that_nobody_foresaw_in_the_ledger_sets_its_file_aside_and_the_other_is_registered(
    by_jobs, frames, nodes, monkeypatch
):
    bad, good = frames(0, 1), frames(0, 2)
    real = register._put_frame

    def stumble(context, file, *more):
        return 1 // 0 if file.name == bad.name else real(context, file, *more)

    monkeypatch.setattr(register, "_put_frame", stumble)
    take_in(by_jobs, nodes, due(by_jobs)[0])
    assert arrivals(by_jobs) == [
        (bad.name, "quarantined", "internal_error"), (good.name, "registered", None),
    ]  # fmt: skip


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


def test_tries_count_also_when_their_jobs_night_has_moved_on(by_jobs, frames, nodes):
    path = frames(0, 1)
    for _ in range(by_jobs.survey.exposure.attempts):
        (request,) = due(by_jobs)
        nodes.says(start(by_jobs, nodes, request), JobState.NODE_FAILED)
        collect(by_jobs, nodes, "ingest", request.conf, final=False)
    rows(by_jobs, "update jobs set night = night + 1 returning 1")
    assert due(by_jobs) == []
    assert what_the_watch_takes(by_jobs) == [path.name]
    ((job_key,),) = rows(by_jobs, "select job_key from jobs")
    assert len(ingest_queries.files_of_job(by_jobs.ledger, job_key=job_key)) == 1


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


# --- a backlog ----------------------------------------------------------------------------------------------


@pytest.fixture
def backlog(by_jobs, frames) -> Context:
    """Ten exposures of one file each, and arrays for all of them at once."""
    for number in range(10):
        written_at(frames(number), number)
    return with_ingest(by_jobs, at_once=8)


def with_ingest(context, **policy) -> Context:
    ingest = IngestPolicy(by="jobs", **policy)
    return context.with_survey(context.survey.model_copy(update={"ingest": ingest}))


def spans(frames, requests):
    """Return which exposures are asked for, as numbers: the newest and the oldest of each run."""
    numbers = {frames.exposure_id(number): number for number in range(20)}
    ends = [(r.conf["exposure_id"], r.conf["oldest"] or r.conf["exposure_id"]) for r in requests]
    return [tuple(numbers[end] for end in pair) for pair in ends]


def test_of_a_backlog_the_newest_exposure_is_alone_and_the_rest_in_ever_longer_arrays(backlog, frames):
    assert spans(frames, due(backlog)) == [(9, 9), (8, 8), (7, 6), (5, 0)]
    assert spans(frames, due(with_ingest(backlog, exposures_per_array=2))) == [
        (9, 9),
        (8, 8),
        (7, 6),
        (5, 4),
        (3, 2),
        (1, 0),
    ]
    assert spans(frames, due(with_ingest(backlog, at_once=3))) == [(9, 9), (8, 8), (7, 6)]


def test_a_rest_that_is_shorter_than_an_array_goes_with_the_last(backlog, frames):
    assert spans(frames, due(with_ingest(backlog, exposures_per_array=4))) == [(9, 9), (8, 8), (7, 6), (5, 0)]
    written_at(frames(10), 10)
    written_at(frames(11), 11)
    written_at(frames(12), 12)
    asked = spans(frames, due(with_ingest(backlog, exposures_per_array=4)))
    assert asked == [(12, 12), (11, 11), (10, 9), (8, 5), (4, 0)]


def test_a_new_exposure_is_asked_for_at_once_before_a_backlog_that_is_under_way(backlog, frames, nodes):
    for request in due(backlog):
        start(backlog, nodes, request)
    written_at(frames(10), 10)
    assert spans(frames, due(backlog)) == [(10, 10)]


def test_an_array_that_outlasts_its_run_is_asked_for_once_more_and_adopted(backlog, frames, nodes):
    (request,) = (r for r in due(backlog) if r.conf["exposure_id"] == frames.exposure_id(5))
    name = start(backlog, nodes, request)
    assert collect(backlog, nodes, "ingest", request.conf, final=False).running == 6
    asked = due(backlog)
    assert spans(frames, asked) == [(9, 9), (8, 8), (7, 6), (5, 0)]
    assert asked[-1].run_id == f"{request.run_id}__a2"
    assert start(backlog, nodes, asked[-1]) == name
    for number in range(6, 10):  # what is newer has been taken in meanwhile
        (backlog.inbox / f"demo_{frames.exposure_id(number)}_d01.fits").unlink()
    collect(backlog, nodes, "ingest", request.conf, final=False)
    assert spans(frames, due(backlog)) == [(5, 0)]


def test_what_was_asked_for_and_not_handed_in_yet_is_not_asked_for_again(backlog, frames):
    for request in due(backlog)[:3]:
        mark_requested(backlog, request)
    written_at(frames(10), 10)
    assert spans(frames, due(backlog)) == [(10, 10), (5, 0)]


def test_tasks_of_a_backlog_take_files_up_to_their_size_the_newest_first(backlog, frames, nodes):
    size = max(path.stat().st_size for path in backlog.inbox.iterdir()) / 1e6
    small = with_ingest(backlog, at_once=8, task_mb=3 * size)
    six = next(request for request in due(small) if request.conf["oldest"] == frames.exposure_id(0))
    job = read_job_file(nodes.files[start(small, nodes, six)])
    names = [Path(unit.parameters["path"]).name[5:19] for unit in job.units]
    assert names == [frames.exposure_id(number) for number in (5, 4, 3, 2, 1, 0)]
    assert job.tasks == ((0, 1, 2), (3, 4, 5))


def test_a_backlog_is_registered_the_newest_first_and_nothing_twice(backlog, frames, nodes):
    for request in due(backlog):
        assert take_in(backlog, nodes, request).failed == 0
    assert due(backlog) == []
    taken = rows(backlog, "select exposure_id from raw_frames order by registered_at")
    assert [exposure_id for (exposure_id,) in taken] == [frames.exposure_id(number) for number in range(9, -1, -1)]
    assert rows(backlog, "select count(*) from attempts") == [(10,)]
    assert len(arrivals(backlog)) == 10
    assert not list(backlog.inbox.iterdir())


def test_what_a_task_did_before_it_died_is_kept_and_the_rest_is_made_again_file_by_file(backlog, frames, nodes):
    (request,) = (r for r in due(backlog) if r.conf["exposure_id"] == frames.exposure_id(5))
    name = start(backlog, nodes, request)
    nodes.run(name)
    for unit in read_job_file(nodes.files[name]).units[4:]:
        (Path(unit.folder) / "result.json").unlink()
    nodes.says(name, JobState.OUT_OF_MEMORY)
    summary = collect(backlog, nodes, "ingest", request.conf, final=False)
    assert (summary.succeeded, summary.retried) == (4, 2)
    again = next(r for r in due(backlog) if r.conf["exposure_id"] == frames.exposure_id(5))
    assert again.run_id == f"{request.run_id}__a2"
    name = start(backlog, nodes, again)
    assert read_job_file(nodes.files[name]).tasks == ((0,), (1,))
    nodes.run(name)
    assert collect(backlog, nodes, "ingest", again.conf, final=False).succeeded == 2
    assert len(arrivals(backlog)) == 6


def test_spans_that_overlap_take_each_file_once(backlog, frames, nodes):
    ends = [{"exposure_id": frames.exposure_id(a), "oldest": frames.exposure_id(b)} for a, b in ((9, 5), (7, 0))]
    requests = [{"instrument": "democam", **conf} for conf in ends]
    names = [submit(backlog, nodes, "ingest", conf, airflow_run=str(conf), airflow_try=1) for conf in requests]
    assert [len(read_job_file(nodes.files[name]).units) for name in names] == [5, 5]
    for name, conf in zip(names, requests, strict=True):
        nodes.run(name)
        collect(backlog, nodes, "ingest", conf, final=False)
    assert rows(backlog, "select count(*) as made, count(distinct unit_key) as of_files from attempts") == [(10, 10)]
    assert len(arrivals(backlog)) == 10


@pytest.mark.parametrize("left", [1, 2, 3])
def test_a_crash_while_a_span_leaves_the_inbox_is_mended_by_the_next_collecting(
    backlog, frames, nodes, monkeypatch, left
):
    (request,) = (r for r in due(backlog) if r.conf["exposure_id"] == frames.exposure_id(5))
    nodes.run(start(backlog, nodes, request))
    leave, gone = record.leave_inbox, []

    def crash(context, file):
        if len(gone) == left:
            raise KeyboardInterrupt
        gone.append(leave(context, file))

    with monkeypatch.context() as patch:
        patch.setattr(record, "leave_inbox", crash)
        with pytest.raises(KeyboardInterrupt):
            collect(backlog, nodes, "ingest", request.conf, final=False)
    collect(backlog, nodes, "ingest", request.conf, final=False)
    assert len(arrivals(backlog)) == 6
    assert len(list(backlog.inbox.iterdir())) == 4
