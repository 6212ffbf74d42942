"""A kind of work is one folder: the toy of this folder is played through ledger, runner and Airflow.

Nothing outside of the folder ``toy`` knows of it, but for this test.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from nightshift.ingest.ingest import ingest_all
from nightshift.jobs.warm import warm_up
from nightshift.kinds import kind_named, kinds
from nightshift.ledger import migrate
from nightshift.runners.local import LocalRunner
from nightshift.runners.spool import Spool
from nightshift.vocabulary import JobState
from nightshift.workflow.arrays import collect, submit
from nightshift.workflow.due_runs import due_runs, mark_requested

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
TOY = HERE / "toy"
PATIENCE_S = 60.0


@pytest.fixture
def installed(monkeypatch, ledger_url) -> Iterator[None]:
    """The toy as a site installs it: its folder is on the path, and the ledger was migrated since."""
    monkeypatch.syspath_prepend(str(TOY))
    monkeypatch.setenv("PYTHONPATH", f"{TOY}:{ROOT}")
    forget_what_is_installed()
    migrate(ledger_url)
    yield
    forget_what_is_installed()


def forget_what_is_installed() -> None:
    for known in (kinds, kind_named):
        known.cache_clear()


@pytest.fixture
def pool(tmp_path) -> Iterator[LocalRunner]:
    """A real pool of two workers."""
    spool = tmp_path / "spool"
    Spool(spool).prepare()
    process = subprocess.Popen(
        [sys.executable, "-m", "nightshift.runners.pool", "--spool", str(spool), "--workers", "2", "--cold"]
    )
    yield LocalRunner(spool)
    process.terminate()
    process.wait(PATIENCE_S)


@pytest.fixture
def exposure(installed, context, frames) -> str:
    """An exposure of two files has come in."""
    ingest_all(context, [frames(0, 1, level=4000), frames(0, 2, level=700)])
    return frames.exposure_id(0)


def found(context) -> list[str]:
    """Return what the toy said, by unit."""
    with context.ledger.connection.cursor() as cursor:
        cursor.execute("select message from events where kind = 'toy_found' order by subject")
        return [row["message"] for row in cursor.fetchall()]


def test_without_its_folder_on_the_path_there_is_no_such_kind(context):
    assert "toy" not in {kind.name for kind in kinds()}


def test_the_ledgers_list_of_kinds_holds_it_after_a_migration(installed, context):
    with context.ledger.connection.cursor() as cursor:
        cursor.execute("select says from kinds where kind = 'toy'")
        assert cursor.fetchone()["says"] == "The brightest pixel of each raw file of an exposure."


def test_what_is_due_of_it_goes_through_ledger_and_runner_and_is_due_no_more(exposure, context, pool):
    (request,) = [request for request in due_runs(context) if request.dag_id == "toy"]
    mark_requested(context, request)
    array = submit(context, pool, "toy", request.conf, airflow_run=request.run_id, airflow_try=1)
    wait_until_done(pool, array)
    summary = collect(context, pool, "toy", request.conf, final=False)
    assert (summary.succeeded, summary.running, summary.problems) == (2, 0, ())
    assert found(context) == ["The brightest pixel has 4000 ADU.", "The brightest pixel has 700 ADU."]
    assert not [request for request in due_runs(context) if request.dag_id == "toy"]
    with context.ledger.connection.cursor() as cursor:
        cursor.execute("select kind, subject, ended_at is not null as ended from jobs where kind = 'toy'")
        assert [dict(row) for row in cursor] == [{"kind": "toy", "subject": f"democam/{exposure}", "ended": True}]


def wait_until_done(runner: LocalRunner, array: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not all(task.state is JobState.DONE for task in runner.states(frozenset({array}))[array]):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_airflow_runs_its_workflow_with_the_operators_of_every_kind(exposure, context, pool, ledger_url, tmp_path):
    settings = {
        "AIRFLOW_HOME": str(tmp_path / "airflow"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(TOY / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
        "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
        "AIRFLOW_CONN_NIGHTSHIFT_API": "http://nightshift:none@127.0.0.1:9",
        "NIGHTSHIFT_SURVEY": "demo",
        "NIGHTSHIFT_LEDGER": ledger_url,
        "NIGHTSHIFT_DEPOT": str(context.depot.root),
        "NIGHTSHIFT_INBOX": str(context.inbox),
        "NIGHTSHIFT_SPOOL": str(pool.spool.root),
    }
    conf = json.dumps({"instrument": "democam", "exposure_id": exposure})
    done = subprocess.run(
        [sys.executable, str(HERE / "run_workflow.py"), "toy", conf],
        env=os.environ | settings, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    states = json.loads(done.stdout.splitlines()[-1])
    assert states == {"toy.submit": "success", "toy.wait": "success", "toy.collect": "success"}
    assert len(found(context)) == 2


def test_a_node_runs_a_job_file_of_it_by_hand(exposure, context, pool):
    (request,) = [request for request in due_runs(context) if request.dag_id == "toy"]
    array = submit(context, pool, "toy", request.conf, airflow_run=request.run_id, airflow_try=1)
    job_file = pool.spool.request(pool.spool.folder(array).name)[0].job_file
    done = subprocess.run([sys.executable, "-m", "nightshift.jobs", "toy", str(job_file), "--unit", "1"], check=False)
    assert done.returncode == 0


def test_a_worker_is_warmed_up_for_it_too(installed):
    from toy_kind import work

    warm_up()
    assert work.warmed
