"""What the pool of one machine promises beyond the contract of all runners."""

import signal
from collections.abc import Iterator

import psutil
import pytest
from runner_site import LocalSite, all_ended, begun, gone, request_maker, states_of, wait_for

from nightshift.errors import NeedsOperator, Retry
from nightshift.runners.local import LocalRunner
from nightshift.runners.spool import Spool, folder_name
from nightshift.vocabulary import JobState


@pytest.fixture
def site(tmp_path) -> Iterator[LocalSite]:
    """A pool that runs, and goes away after the test."""
    made = LocalSite(tmp_path)
    made.start()
    yield made
    made.stop()


@pytest.fixture
def array(tmp_path):
    """Makes requests of stub tasks."""
    return request_maker(tmp_path / "jobs")


def test_a_process_that_outlived_its_pool_is_gone_before_its_task_begins_again(site, array):
    request = array("orphan", {"until": "go"})
    site.runner.submit(request)
    wait_for(site, request.name, lambda r: begun(request, 0))
    orphan = int(begun(request, 0)[0].split()[1])
    site.stop(signal.SIGKILL)
    site.start()
    wait_for(site, request.name, lambda r: len(begun(request, 0)) == 2)
    assert gone(orphan)
    (request.job_file.parent / "go").touch()
    assert states_of(wait_for(site, request.name, all_ended)) == [JobState.DONE]


def test_a_task_whose_pool_keeps_going_away_is_given_up_at_last(site, array):
    request = array("doomed", {"until": "never"})
    site.runner.submit(request)
    for restart in range(3):
        wait_for(site, request.name, lambda r, n=restart: states_of(r) == [JobState.RUNNING] and r[0].restarts == n)
        site.stop(signal.SIGKILL)
        site.start()
    assert states_of(wait_for(site, request.name, all_ended)) == [JobState.NODE_FAILED]


def test_a_clean_end_is_exit_code_zero(site, array):
    request = array("before_the_end", {})
    site.runner.submit(request)
    wait_for(site, request.name, all_ended)
    assert site.stop() == 0


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_work_under_way_when_the_machinery_goes_is_unknown_or_waits_and_is_done_by_the_next(site, array, how):
    request = array(f"interrupted_{how}", {}, {"until": "go"})
    site.runner.submit(request)
    wait_for(site, request.name, lambda r: states_of(r) == [JobState.DONE, JobState.RUNNING])
    site.stop(how)
    between = states_of(site.runner.states()[request.name])
    assert between == [JobState.DONE, JobState.UNKNOWN if how == signal.SIGKILL else JobState.PENDING]
    (request.job_file.parent / "go").touch()
    site.start()
    reports = wait_for(site, request.name, all_ended)
    assert states_of(reports) == [JobState.DONE, JobState.DONE]
    assert len(begun(request, 0)) == 1
    assert reports[1].restarts == 1


def test_an_array_that_does_not_read_is_set_aside_and_the_others_run(site, array):
    broken = Spool(site.spool).arrays / "a_broken"
    broken.mkdir()
    (broken / "request.json").write_text("{")
    request = array("whole", {})
    site.runner.submit(request)
    assert states_of(wait_for(site, request.name, all_ended)) == [JobState.DONE]


def test_a_second_pool_does_not_serve_the_same_spool(site, array):
    request = array("first", {})
    site.runner.submit(request)
    wait_for(site, request.name, all_ended)
    with pytest.raises(NeedsOperator), Spool(site.spool).serve(patience_s=0.2):
        pass


def test_when_nothing_can_be_asked_nothing_is_claimed(tmp_path):
    with pytest.raises(Retry):
        LocalRunner(tmp_path / "no such folder").states()


def test_without_a_folder_to_use_the_error_says_what_to_set(monkeypatch):
    monkeypatch.delenv("NIGHTSHIFT_SPOOL", raising=False)
    with pytest.raises(NeedsOperator, match="NIGHTSHIFT_SPOOL"):
        LocalRunner.from_environment()


def test_names_with_slashes_dots_and_length_are_folders_of_their_own():
    names = ["science/demo/1", "science_demo_1", "..", ".", "a" * 300, "a" * 299 + "b", "ü/\n"]
    folders = [folder_name(name) for name in names]
    assert len(set(folders)) == len(names)
    assert all("/" not in folder and not folder.startswith(".") and len(folder) <= 200 for folder in folders)


def test_a_task_that_could_not_write_is_begun_again_until_the_storage_is_back(site, array):
    request = array("full", {"storage_until": "mended"})
    site.runner.submit(request)
    reports = wait_for(
        site, request.name, lambda r: states_of(r) == [JobState.PENDING] and len(begun(request, 0)) > 0
    )
    assert "could not write" in reports[0].detail
    (request.job_file.parent / "mended").touch()
    (ended,) = wait_for(site, request.name, all_ended)
    assert (ended.state, ended.restarts) == (JobState.DONE, 0)
    assert len(begun(request, 0)) > 1


def test_a_pool_whose_fork_server_dies_goes_on(site, array):
    first = array("before", {})
    site.runner.submit(first)
    wait_for(site, first.name, all_ended)
    for process in psutil.Process(site.pool.pid).children(recursive=True):
        process.kill()
    second = array("after", {}, {}, {})
    site.runner.submit(second)
    assert states_of(wait_for(site, second.name, all_ended)) == [JobState.DONE] * 3
    assert site.pool.poll() is None
