"""An array longer than the cluster allows is handed in as several, and is one array to whoever asks.

The cluster takes three tasks at most here, so an array of seven has three pieces.
"""

import getpass
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator

import pytest
from cluster_faults import DisturbedSite, go
from runner_site import all_ended, begun, states_of, wait_for
from slurm_site import short_arrays

from nightshift.errors import NeedsOperator, Retry
from nightshift.runners.base import ArrayRequest
from nightshift.vocabulary import JobState

pytestmark = pytest.mark.integration

LONGEST, TASKS = 3, 7
FIRSTS = range(0, TASKS, LONGEST)
# A submit is so many steps: what is written down, and the submits themselves.
STEPS = 14
FIRST_IN, SECOND_IN, SECOND_WRITTEN = 8, 10, 11


@pytest.fixture(scope="module", autouse=True)
def _short_arrays(slurm_cluster) -> Iterator[None]:
    with short_arrays(slurm_cluster, LONGEST):
        yield


def submit_and_die(site: DisturbedSite, request: ArrayRequest, step: int) -> bool:
    """Submit in a process of its own that is killed after so many steps; return whether it was."""
    process = multiprocessing.get_context("fork").Process(target=_submit_until, args=(site, request, step))
    process.start()
    process.join(60)
    assert process.exitcode in (0, -signal.SIGKILL)
    return process.exitcode != 0


def _submit_until(site: DisturbedSite, request: ArrayRequest, last: int) -> None:
    steps = 0

    def stepwise(function: Callable) -> Callable:
        def step(*arguments):
            nonlocal steps
            try:
                return function(*arguments)
            finally:
                if (steps := steps + 1) == last:
                    os.kill(os.getpid(), signal.SIGKILL)

        return step

    site.runner.notes.write = stepwise(site.runner.notes.write)
    site.transport.submit = stepwise(site.transport.submit)
    site.runner.submit(request)


def jobs_of_pieces(site: DisturbedSite, request: ArrayRequest) -> str:
    """Return the ids of all jobs that were ever submitted for an array, in order."""
    jobs = [site.jobs_of(request.name, f":{first}") for first in FIRSTS]
    assert [len(ids) for ids in jobs] == [1] * len(FIRSTS), jobs
    return ",".join(job_id for ids in jobs for job_id in ids)


def begun_by_task(request: ArrayRequest) -> list[int]:
    return [len(begun(request, index)) for index in range(request.tasks)]


def test_every_task_has_its_own_number_verdict_and_log_and_the_array_is_one(site, array):
    request = array("long", {}, {}, {}, {}, {"code": 3}, {}, {"raise": "no stars"})
    ids = site.runner.submit(request)
    reports = wait_for(site, request.name, all_ended)
    wanted = [JobState.DONE] * 4 + [JobState.FAILED, JobState.DONE, JobState.FAILED]
    assert states_of(reports) == wanted
    assert [report.index for report in reports] == list(range(TASKS))
    assert begun_by_task(request) == [1] * TASKS
    assert all(f"task {index} says hello" in site.runner.log(request.name, index) for index in range(TASKS))
    assert "no stars" in site.runner.log(request.name, 6)
    assert site.runner.log(request.name, TASKS) == ""
    other = site.another_runner().runner
    assert (other.submit(request), jobs_of_pieces(site, request)) == (ids, ids)
    assert {name: states_of(said) for name, said in other.states().items()} == {request.name: wanted}


def test_a_kill_between_two_pieces_costs_no_task_and_starts_none_twice(site, array):
    request = array("killed", *[{"until": "go"}] * TASKS)
    assert submit_and_die(site, request, SECOND_IN)
    wait_for(site, request.name, lambda r: states_of(r) == [JobState.RUNNING] * 6 + [JobState.PENDING])
    ids = site.runner.submit(request)
    go(request)
    assert states_of(wait_for(site, request.name, all_ended)) == [JobState.DONE] * TASKS
    assert begun_by_task(request) == [1] * TASKS
    assert jobs_of_pieces(site, request) == ids


@pytest.mark.faults
def test_a_kill_at_any_step_costs_no_task_and_starts_none_twice(site, array):
    requests = [array(f"killed_{step}", *[{}] * TASKS) for step in range(1, STEPS + 2)]
    died = [submit_and_die(site, request, step) for step, request in enumerate(requests, start=1)]
    assert died == [True] * STEPS + [False]
    for request in requests:
        ids = site.another_runner().runner.submit(request)
        assert states_of(wait_for(site, request.name, all_ended)) == [JobState.DONE] * TASKS
        assert begun_by_task(request) == [1] * TASKS
        assert jobs_of_pieces(site, request) == ids


@pytest.mark.faults
def test_a_piece_whose_answer_is_lost_is_found_again_and_runs_once(site, array, monkeypatch):
    monkeypatch.setattr("nightshift.runners.slurm.runner.FOUND_WITHIN_S", 1.0)
    request = array("ambiguous", *[{}] * TASKS)
    submit = site.transport.submit

    def hang_at_second_piece(order):
        if order.first == 3:
            site.cluster.daemons["slurmctld"].send(signal.SIGSTOP)
        return submit(order)

    monkeypatch.setattr(site.transport, "submit", hang_at_second_piece)
    with pytest.raises(Retry):
        site.runner.submit(request)
    site.resume_controller()
    ids = site.another_runner().runner.submit(request)
    assert states_of(wait_for(site, request.name, all_ended)) == [JobState.DONE] * TASKS
    assert begun_by_task(request) == [1] * TASKS
    assert jobs_of_pieces(site, request) == ids


def test_a_lost_piece_loses_its_own_tasks_and_no_others(site, array, monkeypatch):
    request = array("piece_lost", {}, {}, {}, *[{"until": "never"}] * 3, {})
    second = site.runner.submit(request).split(",")[1]
    wait_for(site, request.name, lambda r: states_of(r)[3:6] == [JobState.RUNNING] * 3)
    site.cluster.run("scancel", second)
    for question in ("queue", "accounted"):  # neither the controller nor the accounting knows it any more
        ask = getattr(site.transport, question)
        without = lambda *a, ask=ask: [row for row in ask(*a) if row.key != f"{request.name}:3"]  # noqa: E731
        monkeypatch.setattr(site.transport, question, without)
    ended = wait_for(site, request.name, all_ended)
    assert states_of(ended) == [JobState.DONE] * 3 + [JobState.LOST] * 3 + [JobState.DONE]
    assert site.another_runner().runner.states()[request.name] == ended


def test_a_cancel_ends_every_piece(site, array):
    request = array("unwanted", *[{"until": "never"}] * TASKS)
    site.runner.submit(request)
    wait_for(site, request.name, lambda r: states_of(r) == [JobState.RUNNING] * TASKS)
    site.runner.cancel(request.name)
    assert states_of(wait_for(site, request.name, all_ended)) == [JobState.CANCELLED] * TASKS


def test_what_was_cancelled_between_two_pieces_is_not_handed_in_any_more(site, array):
    request = array("cut_short", *[{"until": "never"}] * TASKS)
    assert submit_and_die(site, request, SECOND_WRITTEN)
    site.runner.cancel(request.name)
    assert len(site.another_runner().runner.submit(request).split(",")) == 2
    assert states_of(wait_for(site, request.name, all_ended)) == [JobState.CANCELLED] * TASKS
    assert begun(request, 6) == []


@pytest.mark.faults
def test_where_the_limit_falls_between_two_pieces_the_error_says_what_to_do(site, array):
    request = array("limit_falls", *[{"until": "go"}] * TASKS)
    assert submit_and_die(site, request, FIRST_IN)
    with short_arrays(site.cluster, 2), pytest.raises(NeedsOperator, match="MaxArraySize"):
        site.runner.submit(request)
    go(request)
    site.runner.submit(request)
    assert states_of(wait_for(site, request.name, all_ended)) == [JobState.DONE] * TASKS


@pytest.fixture
def four_jobs(site) -> Iterator[None]:
    """Let this user have four jobs in the queue at most."""
    account = ("sacctmgr", "-i", "modify", "user", user := getpass.getuser(), "set")
    site.cluster.run(*account, "MaxSubmitJobs=4")
    ask, deadline = ("scontrol", "-o", "show", "assoc_mgr", "flags=assoc", f"users={user}"), time.monotonic() + 20
    while "MaxSubmitJobs=4(" not in site.cluster.run(*ask).stdout:
        assert time.monotonic() < deadline, "the controller has not heard of the limit"
        time.sleep(0.1)
    yield
    site.cluster.run(*account, "MaxSubmitJobs=-1")


@pytest.mark.usefixtures("four_jobs")
def test_what_a_limit_of_submitted_jobs_refuses_is_named_and_taken_when_there_is_room(site, array):
    request = array("no_room", *[{"until": "go"}] * TASKS)
    with pytest.raises(NeedsOperator, match="MaxSubmitJobs"):
        site.runner.submit(request)
    wait_for(site, request.name, lambda r: states_of(r) == [JobState.RUNNING] * 3 + [JobState.PENDING] * 4)
    go(request)
    wait_for(site, request.name, lambda r: states_of(r) == [JobState.DONE] * 3 + [JobState.PENDING] * 4)
    ids = site.runner.submit(request)
    assert states_of(wait_for(site, request.name, all_ended)) == [JobState.DONE] * TASKS
    assert begun_by_task(request) == [1] * TASKS
    assert jobs_of_pieces(site, request) == ids
