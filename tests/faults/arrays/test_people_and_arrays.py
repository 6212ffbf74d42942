"""What a person does in Airflow's page to a run whose jobs are at work."""

import time

import httpx
import pytest
from array_stack import wait_for

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]

GONE_WITHIN_S = 10.0
ROUND_TRIP = pytest.mark.faults


def test_marked_failed_the_jobs_are_gone_in_ten_seconds_and_a_clear_has_them_made_anew(cluster):
    biases = cluster.new_set().bring()
    array = biases.wait_running()
    biases.mark("wait", "failed")
    biases.wait_gone(array, GONE_WITHIN_S)
    biases.wait_ended("failed")
    wait_for(lambda: {row["reason"] for row in biases.attempts} == {"cancelled"}, "the ledger says why")
    biases.let_go()
    time.sleep(5)
    assert len(biases.arrays) == 1  # nothing starts it again by itself
    biases.clear("submit")
    biases.wait_ended()
    assert [row["state"] for row in biases.attempts] == ["failed", "succeeded"] * 4
    assert set(biases.how_often_begun().values()) == {1}


def test_the_log_of_each_job_is_a_link_away_for_whoever_may_read_logs_and_for_nobody_else(cluster):
    biases = cluster.new_set(held=False).bring()
    biases.wait_ended()
    (array,) = biases.arrays
    link = cluster.api.get(
        f"/api/v2/dags/calibrations/dagRuns/{biases.run_id}/taskInstances/master.collect/links"
    ).json()["extra_links"]["Logs of the jobs"]
    page = cluster.api.get(link)
    assert page.status_code == 200
    assert array in page.text
    log = cluster.api.get(f"/nightshift/jobs/calibrations/{array}/3")
    assert log.text.startswith("task 3 of master/democam")
    for place in (link, f"/nightshift/jobs/calibrations/{array}/3"):
        assert httpx.get(cluster.machine.address + place, trust_env=False).status_code == 401
    for wrong in (f"{array}/4", f"{array}/-1", "..%2F..%2Fetc%2Fpasswd/0", "%2Fetc%2Fpasswd", "no_such_run"):
        assert cluster.api.get(f"/nightshift/jobs/calibrations/{wrong}").status_code in (404, 422)
    assert cluster.api.get(f"/nightshift/jobs/exposure/{array}/3").status_code == 404


@ROUND_TRIP
def test_a_run_marked_failed_takes_its_jobs_along(cluster):
    biases = cluster.new_set().bring()
    array = biases.wait_running()
    biases.mark_run("failed")
    biases.wait_gone(array, GONE_WITHIN_S)
    biases.let_go()
    biases.clear("submit")
    biases.wait_ended()
    assert [row["state"] for row in biases.attempts] == ["failed", "succeeded"] * 4


@ROUND_TRIP
@pytest.mark.parametrize("task", ["submit", "wait"])
def test_clearing_takes_the_old_jobs_away_and_leaves_the_new_ones(cluster, task):
    biases = cluster.new_set().bring()
    old = biases.wait_running()
    biases.clear(task)
    biases.wait_gone(old, GONE_WITHIN_S)
    new = biases.wait_running()
    assert new != old
    time.sleep(15)  # whatever the old try still does, it does now
    assert biases.states(new) == ["running"] * 4
    biases.let_go()
    biases.wait_ended()
    assert [row["state"] for row in biases.attempts] == ["superseded", "succeeded"] * 4
    assert set(biases.how_often_begun().values()) == {1}


@ROUND_TRIP
def test_marked_a_success_the_jobs_go_on_and_are_swept_up(cluster):
    biases = cluster.new_set().bring()
    array = biases.wait_running()
    biases.mark("wait", "success")
    biases.wait_ended()
    assert biases.states(array) == ["running"] * 4
    biases.let_go()
    wait_for(lambda: {row["state"] for row in biases.attempts} == {"succeeded"}, "they are swept up")


@ROUND_TRIP
def test_what_was_marked_failed_while_the_triggerer_was_dead_is_found_by_the_reaper(cluster):
    biases = cluster.new_set().bring()
    array = biases.wait_running()
    ask = cluster.machine.supervisor._ask()
    ask.stopProcess("triggerer", True)
    biases.mark("wait", "failed")
    ask.startProcess("triggerer", False)
    time.sleep(21)  # what is younger is still on its way
    cluster.api.post(
        "/api/v2/dags/reap_arrays/dagRuns", json={"dag_run_id": f"by_hand_{array}", "logical_date": None}
    ).raise_for_status()
    biases.wait_gone(array, 60)
    wait_for(lambda: {row["reason"] for row in biases.attempts} == {"cancelled"}, "the ledger says why")
    kinds = {row["kind"] for row in cluster.rows("select kind from events where subject = %s", array)}
    assert kinds & {"stopped_run_reaped", "array_stopped"}
