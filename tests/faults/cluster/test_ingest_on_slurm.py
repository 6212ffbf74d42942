"""A real cluster takes a backlog in: the newest exposure as an array of its own, the rest in longer ones."""

import time
from pathlib import Path

import pytest

from nightshift.runners import runner_from_environment
from nightshift.workflow.arrays import collect, submit
from nightshift.workflow.due_runs import due_runs, mark_requested

pytestmark = [pytest.mark.integration, pytest.mark.faults, pytest.mark.timeout(300)]

PATIENCE_S = 120.0
ROOT = Path(__file__).parents[3]  # the nodes run this checkout, whichever is installed


def test_a_backlog_is_taken_in_by_a_cluster(context, frames, slurm_cluster, tmp_path, monkeypatch):
    for name, value in {
        **slurm_cluster.environment,
        "NIGHTSHIFT_RUNNER": "slurm",
        "NIGHTSHIFT_SPOOL": str(tmp_path / "spool"),
    }.items():
        monkeypatch.setenv(name, value)
    still = context.survey.exposure.model_copy(update={"stillness_s": 0.0})
    profile = context.survey.profile("ingest").model_copy(update={"environment": {"PYTHONPATH": str(ROOT)}})
    profiles = {**context.survey.profiles, "ingest": profile}
    survey = context.survey.model_copy(update={"exposure": still, "profiles": profiles})
    cluster = context.with_survey(survey)
    for number in range(3):
        for detector in (1, 2):
            frames(number, detector)
    bad = frames(3, 1, INSTRUME="OTHER")
    runner, taken = runner_from_environment(), []
    while requests := [request for request in due_runs(cluster) if request.dag_id == "ingest"]:
        arrays = {}
        for request in requests:
            mark_requested(cluster, request)
            name = submit(cluster, runner, "ingest", request.conf, airflow_run=request.run_id, airflow_try=1)
            arrays[name] = request
        wait_until_ended(runner, set(arrays))
        for request in arrays.values():
            summary = collect(cluster, runner, "ingest", request.conf, final=False)
            assert summary.problems == ()
            taken.append((request.conf["exposure_id"], summary.succeeded, summary.rejected))
    assert taken == [
        (frames.exposure_id(3), 0, 1), (frames.exposure_id(2), 2, 0), (frames.exposure_id(1), 4, 0),
    ]  # fmt: skip
    assert not list(cluster.inbox.iterdir())
    with cluster.ledger.connection.cursor() as cursor:
        cursor.execute("select disposition::text as disposition, count(*) from arrivals group by 1 order by 2")
        assert [tuple(row.values()) for row in cursor] == [("quarantined", 1), ("registered", 6)]
        cursor.execute("select inbox_name from arrivals where disposition = 'quarantined'")
        assert cursor.fetchone()["inbox_name"] == bad.name


def wait_until_ended(runner, names) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not all(report.state.ended for reports in runner.states(frozenset(names)).values() for report in reports):
        assert time.monotonic() < deadline
        time.sleep(0.5)
