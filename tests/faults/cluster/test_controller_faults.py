"""The controller hangs, goes away, or loses its memory: every task runs once, and no other job's verdict is taken."""

import time

import pytest
from cluster_faults import go, in_background
from runner_site import all_ended, begun, states_of, wait_for

from nightshift.errors import Retry
from nightshift.vocabulary import JobState

pytestmark = pytest.mark.integration


def test_a_submit_whose_answer_is_lost_is_found_again_and_runs_once(site, array):
    request = array("ambiguous", {}, {})
    site.hang_before_next_submit()
    submitted = in_background(lambda: site.runner.submit(request))
    time.sleep(site.cluster.plan.answer_within_s + 2)  # sbatch has given up by now
    site.resume_controller()
    job_id = submitted()
    assert states_of(wait_for(site, request.name, all_ended)) == [JobState.DONE] * 2
    assert [len(begun(request, i)) for i in range(2)] == [1, 1]
    assert site.another_runner().runner.submit(request) == job_id
    assert site.jobs_of(request.name) == {job_id}


@pytest.mark.faults
def test_a_submit_that_the_controller_reads_later_is_adopted_by_the_next_process(site, array, monkeypatch):
    monkeypatch.setattr("nightshift.runners.slurm.runner.FOUND_WITHIN_S", 1.0)
    request = array("later", {}, {})
    site.hang_before_next_submit()
    for runner in (site.runner, site.another_runner().runner):
        with pytest.raises(Retry):
            runner.submit(request)
    site.resume_controller()
    job_id = site.another_runner().runner.submit(request)
    assert states_of(wait_for(site, request.name, all_ended)) == [JobState.DONE] * 2
    assert [len(begun(request, i)) for i in range(2)] == [1, 1]
    assert site.jobs_of(request.name) == {job_id}


@pytest.mark.faults
def test_what_was_cancelled_while_its_submit_hung_does_not_run_on(site, array, monkeypatch):
    monkeypatch.setattr("nightshift.runners.slurm.runner.FOUND_WITHIN_S", 1.0)
    request = array("unwanted", {"until": "never"})
    site.hang_before_next_submit()
    for question in (site.runner.submit, lambda request: site.runner.cancel(request.name)):
        with pytest.raises(Retry):
            question(request)
    site.resume_controller()
    assert states_of(wait_for(site, request.name, all_ended)) == [JobState.CANCELLED]


@pytest.mark.faults
@pytest.mark.parametrize("seconds", [5, 120])
def test_while_the_controller_is_away_nothing_fails_and_nothing_is_lost(site, array, seconds):
    tasks = {"until": "go"}, {"until": "go", "code": 3}, {"until": "never"}
    request = array(f"away_{seconds}", *tasks, time_s=600)
    site.runner.submit(request)
    wait_for(site, request.name, lambda r: states_of(r) == [JobState.RUNNING] * 3)
    with site.away("slurmctld"):
        go(request)
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            with pytest.raises(Retry):
                site.runner.states(frozenset({request.name}))
    wanted = [JobState.DONE, JobState.FAILED, JobState.RUNNING]
    seen = []

    def note(reports):
        seen.append(states_of(reports))
        return seen[-1] == wanted

    wait_for(site, request.name, note)
    assert not any(JobState.LOST in states or JobState.NODE_FAILED in states for states in seen)
    assert [len(begun(request, i)) for i in range(3)] == [1, 1, 1]


def test_a_controller_without_memory_gives_no_task_the_verdict_of_another(site, array):
    for number in range(3):  # ids that the accounting will know as failed
        site.runner.submit(array(f"old_{number}", {"code": 1}))
    for number in range(3):
        wait_for(site, f"old_{number}", all_ended)
    interrupted = array("interrupted", {"until": "never"})
    site.runner.submit(interrupted)
    wait_for(site, interrupted.name, lambda r: states_of(r) == [JobState.RUNNING])
    site.lose_state()
    young = [array(f"young_{number}", {"until": "go"}) for number in range(3)]
    ids = [int(site.runner.submit(request)) for request in young]
    assert max(ids) <= 10, "the ids did not begin again"
    for request in young:
        wait_for(site, request.name, lambda r: states_of(r) == [JobState.RUNNING])
        go(request)
        assert states_of(wait_for(site, request.name, all_ended)) == [JobState.DONE]
    assert states_of(wait_for(site, interrupted.name, all_ended)) == [JobState.LOST]
