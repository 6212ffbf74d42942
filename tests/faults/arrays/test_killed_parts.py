"""Airflow's parts end by signal 9 while arrays are at every stage: each unit is done once."""

import pytest
from array_stack import Calibration, Cluster, wait_for

pytestmark = [pytest.mark.integration, pytest.mark.faults, pytest.mark.timeout(1200)]

SUBJECT_LOCK = "select pg_advisory_xact_lock(hashtextextended(%s, 0))"
ATTEMPTS_LOCK = "select 1 from attempts where job_key = %s for update"


def waits_for_lock(cluster: Cluster, count: int):
    """Whether so many connections of Nightshift stand at a lock."""
    query = "select 1 from pg_stat_activity where wait_event_type = 'Lock' and application_name = 'nightshift'"
    return lambda: len(cluster.rows(query)) >= count


def kill(cluster: Cluster, part: str) -> None:
    if part == "worker":
        assert cluster.kill_tasks() > 0
    else:
        cluster.kill(part)


@pytest.mark.parametrize("part", ["triggerer", "scheduler", "worker"])
def test_whatever_is_killed_at_whatever_stage_every_unit_is_done_once(cluster, part):
    stages = ("before submit", "between submit and record", "running", "done")
    sets: dict[str, Calibration] = {stage: cluster.new_set() for stage in stages}
    before, between, running, done = (sets[stage] for stage in stages)
    done.bring()
    done.wait_running()
    running.bring()
    running.wait_running()
    with (
        cluster.blocked(SUBJECT_LOCK, before.job_key),
        cluster.blocked(ATTEMPTS_LOCK, done.job_key),
        cluster.answer_lost(between),
    ):
        before.bring()
        between.bring()
        done.let_go()  # its jobs leave their results, and its `collect` stands at the ledger
        wait_for(lambda: between.arrays and between.states(between.arrays[0]), "the runner has the array")
        wait_for(waits_for_lock(cluster, 3), "submit, submit and collect stand at the ledger")
        assert before.arrays == []
        kill(cluster, part)
    for each in sets.values():
        each.let_go()
    for stage, each in sets.items():
        each.wait_ended()
        assert len(each.arrays) == 1, stage
        assert [row["state"] for row in each.attempts] == ["succeeded"] * 4, stage
        assert set(each.how_often_begun().values()) == {1}, stage
