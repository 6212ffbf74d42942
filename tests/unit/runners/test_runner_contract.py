"""What every runner promises, whatever is behind it. A new runner joins in the fixture `site`.

Each kind is a class with the members of `runner_site.LocalSite`: it brings its machinery up in a folder, makes the
runner, and can let it take arrays without starting them.
"""

import time
from collections.abc import Callable, Iterator

import pytest
from runner_site import LocalSite, all_ended, begun, gone, request_maker, states_of, wait_for
from slurm_site import SlurmSite

from nightshift.errors import NeedsOperator
from nightshift.runners.base import ArrayRequest
from nightshift.runners.slurm.pyslurm_transport import PyslurmTransport
from nightshift.vocabulary import JobState


@pytest.fixture
def local_site(tmp_path) -> LocalSite:
    """The pool of one machine."""
    return LocalSite(tmp_path)


@pytest.fixture
def slurm_site(tmp_path, slurm_cluster) -> SlurmSite:
    """SLURM by its own commands."""
    return SlurmSite(tmp_path, slurm_cluster)


@pytest.fixture
def pyslurm_site(tmp_path, slurm_cluster, monkeypatch) -> Iterator[SlurmSite]:
    """SLURM by pyslurm, which few machines have: `test_pyslurm_transport` holds its contract everywhere."""
    monkeypatch.setenv("SLURM_CONF", str(slurm_cluster.conf))
    transport = PyslurmTransport()
    try:
        transport.queue()
    except NeedsOperator as error:
        pytest.skip(str(error))
    yield SlurmSite(tmp_path, slurm_cluster, transport)
    transport.close()


@pytest.fixture(
    params=["local", *(pytest.param(kind, marks=pytest.mark.integration) for kind in ("slurm", "pyslurm"))]
)
def site(request) -> Iterator[LocalSite | SlurmSite]:
    """Machinery that runs, and goes away after the test."""
    made = request.getfixturevalue(f"{request.param}_site")
    made.start()
    yield made
    made.stop()


@pytest.fixture
def array(tmp_path) -> Callable[..., ArrayRequest]:
    """Makes requests of stub tasks."""
    return request_maker(tmp_path / "jobs")


def test_every_task_of_an_array_runs_once_and_is_done(site, array):
    request = array("science/demo/1 a.1", {}, {}, {})
    site.runner.submit(request)
    assert states_of(wait_for(site, request.name, all_ended)) == [JobState.DONE] * 3
    assert [len(begun(request, i)) for i in range(3)] == [1, 1, 1]


def test_submitting_a_name_again_adopts_what_is_there(site, array):
    request = array("twice", {})
    first = site.runner.submit(request)
    assert site.runner.submit(request) == first
    wait_for(site, request.name, all_ended)
    assert site.runner.submit(request) == first
    time.sleep(0.5)
    assert len(begun(request, 0)) == 1


def test_one_call_answers_for_all_arrays_or_for_those_named(site, array):
    requests = [array(f"many_{i}", {}) for i in range(3)]
    for request in requests:
        site.runner.submit(request)
        wait_for(site, request.name, all_ended)
    assert set(site.runner.states()) == {"many_0", "many_1", "many_2"}
    assert set(site.runner.states(frozenset({"many_1", "never_taken"}))) == {"many_1"}


def test_an_exit_code_other_than_zero_and_an_exception_are_failed_tasks_of_their_own(site, array):
    request = array("codes", {}, {"code": 3}, {"raise": "no stars"})
    site.runner.submit(request)
    reports = wait_for(site, request.name, all_ended)
    assert states_of(reports) == [JobState.DONE, JobState.FAILED, JobState.FAILED]
    assert "3" in reports[1].detail


def test_a_task_that_outlives_its_time_is_ended_and_its_slot_works_on(site, array):
    request = array("overdue", {"until": "never"}, time_s=0.5)
    site.runner.submit(request)
    assert states_of(wait_for(site, request.name, all_ended)) == [JobState.TIMEOUT]
    after = array("after_overdue", {}, {}, {})
    site.runner.submit(after)
    assert states_of(wait_for(site, after.name, all_ended)) == [JobState.DONE] * 3


def test_a_task_that_takes_more_memory_than_it_asked_for_is_ended(site, array):
    request = array("greedy", {"allocate_mb": 600}, memory_mb=300)
    site.runner.submit(request)
    assert states_of(wait_for(site, request.name, all_ended)) == [JobState.OUT_OF_MEMORY]


def test_a_process_that_dies_costs_its_own_task_and_no_other(site, array):
    request = array("dies", {"die": True}, {})
    site.runner.submit(request)
    assert states_of(wait_for(site, request.name, all_ended)) == [JobState.NODE_FAILED, JobState.DONE]
    after = array("after_death", {}, {}, {}, {})
    site.runner.submit(after)
    assert states_of(wait_for(site, after.name, all_ended)) == [JobState.DONE] * 4


def test_cancelling_ends_running_and_waiting_tasks_and_an_unknown_name_is_no_error(site, array):
    request = array("unwanted", *[{"until": "never"}] * 4)
    site.runner.submit(request)
    wait_for(site, request.name, lambda r: all(begun(request, i) for i in range(2)))
    site.runner.cancel(request.name)
    assert states_of(wait_for(site, request.name, all_ended)) == [JobState.CANCELLED] * 4
    assert all(gone(int(begun(request, i)[0].split()[1])) for i in range(2))
    site.runner.cancel("never heard of")


def test_cancelling_what_has_ended_changes_nothing(site, array):
    request = array("over", {})
    site.runner.submit(request)
    wait_for(site, request.name, all_ended)
    site.runner.cancel(request.name)
    after = array("after_over", {})
    site.runner.submit(after)
    wait_for(site, after.name, all_ended)
    assert states_of(site.runner.states()[request.name]) == [JobState.DONE]


def test_the_higher_priority_goes_first_and_among_equals_the_earlier(site, array):
    blocks = array("block", {"until": "go"}), array("other", {"until": "go"})
    for block in blocks:
        site.runner.submit(block)
        wait_for(site, block.name, lambda r: states_of(r) == [JobState.RUNNING])
    low, early, late = array("low", {}), array("early", {}, priority=5), array("late", {}, priority=5)
    for request in (low, early, late):
        site.runner.submit(request)
    (blocks[0].job_file.parent / "go").touch()  # one slot: two would begin at the same moment
    for request in (low, early, late):
        wait_for(site, request.name, all_ended)
    (blocks[1].job_file.parent / "go").touch()
    wait_for(site, blocks[1].name, all_ended)
    started = [site.runner.states()[name][0].started for name in ("early", "late", "low")]
    assert started == sorted(started)


def test_the_environment_of_an_array_reaches_its_tasks_and_stays_there(site, array):
    with_it, without = array("with", {}, environment={"CONTRACT": "kept"}), array("without", {}, {}, {})
    for request in (with_it, without):
        site.runner.submit(request)
        wait_for(site, request.name, all_ended)
    assert begun(with_it, 0)[0].endswith(" kept")
    assert not any("kept" in begun(without, i)[0] for i in range(3))


def test_what_a_task_prints_can_be_read(site, array):
    request = array("speaks", {}, {"raise": "no stars"})
    site.runner.submit(request)
    wait_for(site, request.name, all_ended)
    assert "task 0 says hello" in site.runner.log(request.name, 0)
    assert "RuntimeError: no stars" in site.runner.log(request.name, 1)
    assert site.runner.log("never heard of", 0) == ""


def test_what_was_handed_in_while_nothing_started_it_runs_when_something_does(site, array):
    site.pause()
    request = array("patient", {})
    site.runner.submit(request)
    assert states_of(site.runner.states()[request.name]) == [JobState.PENDING]
    site.start()
    assert states_of(wait_for(site, request.name, all_ended)) == [JobState.DONE]
