"""A node dies under its tasks; work that goes first displaces work that can wait."""

import time

import pytest
from cluster_faults import go, hosts
from runner_site import all_ended, begun, states_of, wait_for

from nightshift.vocabulary import JobState

pytestmark = pytest.mark.integration


def test_a_node_that_dies_takes_only_its_own_tasks_with_it_although_their_processes_go_on(site, array):
    request = array("node_dies", *[{"until": "go"}] * 6)
    site.runner.submit(request)
    running = wait_for(site, request.name, lambda r: all(begun(request, i) for i in range(6)))
    victim = sorted(hosts(running))[-1]
    there = {report.index for report in running if report.host == victim}
    assert there != set(range(6)), "the tasks are on one node"
    orphans = site.kill_node(victim)
    wait_for(site, request.name, lambda r: all((x.state is JobState.NODE_FAILED) == (x.index in there) for x in r))
    assert any(orphan.is_running() for orphan in orphans)
    go(request)
    reports = wait_for(site, request.name, all_ended)
    assert {r.index for r in reports if r.state is JobState.NODE_FAILED} == there
    assert {r.index for r in reports if r.state is JobState.DONE} == set(range(6)) - there
    assert [len(begun(request, i)) for i in range(6)] == [1] * 6, "SLURM began a task again by itself"


def test_a_node_on_which_tasks_are_lost_again_and_again_gets_no_more_for_a_while(site, array):
    for number in range(3):
        site.runner.nodes.add("n1", "earlier", number)
    assert site.runner.nodes.excluded() == ("n1",)
    request = array("elsewhere", *[{"until": "go"}] * 8)
    site.runner.submit(request)
    running = wait_for(site, request.name, lambda r: states_of(r) == [JobState.RUNNING] * 8)
    assert "n1" not in hosts(running)
    go(request)
    wait_for(site, request.name, all_ended)


def test_a_node_that_does_not_exist_any_more_keeps_no_array_out(site, array):
    for number in range(3):
        site.runner.nodes.add("n99", "earlier", number)
    request = array("gone_node", {})
    site.runner.submit(request)
    assert states_of(wait_for(site, request.name, all_ended)) == [JobState.DONE]


def test_where_every_node_of_the_partition_would_be_left_out_none_is(site, array):
    for number in range(3):
        site.runner.nodes.add("n0", "earlier", number)
    request = array("all_bad", {}, options={"partition": "pair"})
    site.runner.submit(request)
    assert states_of(wait_for(site, request.name, all_ended)) == [JobState.DONE]


def test_work_of_the_night_displaces_backlog_which_completes_later(site, array):
    slots = 14  # of the four nodes
    backlog = array(
        "backlog", *[{"until": "go"}] * slots, options={"partition": "backlog", "preemptible": "yes"}, time_s=300
    )
    site.runner.submit(backlog)
    wait_for(site, backlog.name, lambda r: states_of(r) == [JobState.RUNNING] * slots)
    night = array("real_time", {}, {}, {}, options={"partition": "night"})
    site.runner.submit(night)
    assert states_of(wait_for(site, night.name, all_ended)) == [JobState.DONE] * 3
    waiting = wait_for(site, backlog.name, lambda r: JobState.PENDING in states_of(r))
    displaced = {report.index for report in waiting if report.state is JobState.PENDING}
    go(backlog)
    reports = wait_for(site, backlog.name, all_ended)
    assert states_of(reports) == [JobState.DONE] * slots
    assert {report.index for report in reports if report.restarts} >= displaced
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline and not all(len(begun(backlog, i)) == 2 for i in displaced):
        time.sleep(0.1)
    assert all(len(begun(backlog, i)) == 2 for i in displaced)
