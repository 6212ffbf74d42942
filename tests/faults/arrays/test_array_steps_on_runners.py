"""The steps of an array, on each runner, without Airflow: killed at every stage; stopped; begun anew.

Each step is a process, as Airflow's worker starts one, and the next try is the next process.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path

import psutil
import psycopg2
import pytest
from array_stack import ANSWER_LOST, wait_for
from slurm_site import short_arrays

from nightshift.ingest.ingest import ingest_all
from nightshift.runners import runner_from_environment
from nightshift.workflow.cancelling import stop, supersede
from nightshift.workflow.due_runs import due_runs, mark_requested

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

HERE = Path(__file__).parent
SUBMIT = "submit_array('master', conf, run_id=run_id, try_number=try_number, cleared_after=0)"
COLLECT = "collect_array('master', conf)"
STEP = """
import json, sys
from operators.array_steps import collect_array, submit_array
conf, run_id, try_number = json.loads(sys.argv[1]), sys.argv[2], int(sys.argv[3])
"""
LOCKS = {
    "before submit": (SUBMIT, "select pg_advisory_xact_lock(hashtextextended(%(job_key)s, 0))"),
    "between submit and record": (SUBMIT, "select pg_advisory_xact_lock(4242)"),
    "done": (COLLECT, "select 1 from attempts where job_key = %(job_key)s for update"),
}


@pytest.fixture(params=["local", *(pytest.param(kind, marks=pytest.mark.faults) for kind in ("slurm", "pieces"))])
def runner(request, context, ledger_url, tmp_path, monkeypatch) -> Iterator:
    """A runner of stub jobs, which the environment names: on SLURM also one that must cut their arrays of four."""
    control = tmp_path / "control"
    control.mkdir()
    variables = {"PYTHONPATH": os.pathsep.join([str(HERE), str(HERE.parents[2])]), "ARRAY_STUB_CONTROL": str(control)}
    settings = {
        "SURVEY": "demo", "LEDGER": ledger_url, "DEPOT": context.depot.root, "INBOX": context.inbox,
        "SPOOL": tmp_path / "spool", "RUNNER": request.param.replace("pieces", "slurm"),
        "NODE_PYTHON": control / "stub",
    }  # fmt: skip
    for name, value in (variables | {f"NIGHTSHIFT_{name}": str(value) for name, value in settings.items()}).items():
        monkeypatch.setenv(name, value)
    if request.param != "local":
        cluster = request.getfixturevalue("slurm_cluster")
        for name, value in cluster.environment.items():
            monkeypatch.setenv(name, value)
        given = " ".join(f"{name}='{value}'" for name, value in variables.items())
        (control / "stub").write_text(f'#!/bin/sh\nexec env {given} {sys.executable} {HERE}/array_stub.py "$@"\n')
        (control / "stub").chmod(0o755)
        with short_arrays(cluster, 3) if request.param == "pieces" else nullcontext():
            yield runner_from_environment()
        return
    pool = subprocess.Popen(
        [sys.executable, "-m", "nightshift.runners.pool", "--workers", "4", "--cold", "--entry", "array_stub:run"]
    )
    try:
        yield runner_from_environment()
    finally:
        pool.terminate()
        pool.wait(30)


@pytest.fixture
def biases(context, frames):
    """The request for a set of biases that came in."""
    ingest_all(
        context,
        [
            frames(-60 + index, detector, kind="bias", SEQNAME="bias", SEQINDEX=index + 1, SEQLEN=2)
            for index in range(2)
            for detector in (1, 2)
        ],
    )
    (request,) = due_runs(context)
    mark_requested(context, request)
    return request


def step(what: str, request, try_number: int) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-c", STEP + what, json.dumps(request.conf), request.run_id, str(try_number)]
    )


@contextmanager
def held(ledger_url: str, statement: str, job_key: str) -> Iterator[None]:
    with closing(psycopg2.connect(ledger_url)) as connection, connection.cursor() as cursor:
        cursor.execute(statement, {"job_key": job_key})
        yield


def rows(context, statement: str) -> list[dict]:
    with context.ledger.connection.cursor() as cursor:
        cursor.execute(statement)
        return [dict(row) for row in cursor.fetchall()]


def stands_at_a_lock(context) -> bool:
    return bool(
        rows(
            context,
            "select 1 from pg_stat_activity where wait_event_type = 'Lock' and application_name = 'nightshift' "
            "and datname = current_database()",
        )
    )


@pytest.mark.parametrize("stage", LOCKS)
def test_a_step_that_is_killed_is_done_again_and_its_jobs_are_not(context, ledger_url, runner, biases, stage):
    killed, lock = LOCKS[stage]
    job_key = f"master/democam/{biases.conf['night']}/bias/-/1/live"
    if stage == "between submit and record":
        with context.ledger.connection.cursor() as cursor:
            cursor.execute(ANSWER_LOST, {"job_key": job_key})
    for what in (SUBMIT, COLLECT):
        if what == killed:
            with held(ledger_url, lock, job_key):
                process = step(what, biases, 1)
                wait_for(lambda: stands_at_a_lock(context), f"the step stands {stage}", 60)
                process.send_signal(signal.SIGKILL)
                process.wait()
            time.sleep(0.5)  # until the database has seen that nobody is there any more
        assert step(what, biases, 2).wait(120) == 0
        (array,) = [row["name"] for row in rows(context, "select name from submissions")]
        if what == SUBMIT:
            wait_for(lambda: all_ended(runner, array), f"{array} ends", 120)  # noqa: B023
    attempts = rows(context, "select token, state from attempts")
    assert [row["state"] for row in attempts] == ["succeeded"] * 4
    begun = [line.split()[0] for line in Path(os.environ["ARRAY_STUB_CONTROL"], "begun").read_text().splitlines()]
    assert sorted(begun) == sorted(row["token"] for row in attempts)


@pytest.mark.faults
@pytest.mark.parametrize("anew", [False, True])
def test_the_jobs_of_an_array_that_is_cancelled_are_gone_in_ten_seconds(context, runner, biases, anew):
    hold = Path(os.environ["ARRAY_STUB_CONTROL"], f"hold_{biases.conf['night']}")
    hold.touch()
    begun = hold.with_name("begun")
    assert step(SUBMIT, biases, 1).wait(120) == 0
    (old,) = [row["name"] for row in rows(context, "select name from submissions")]
    wait_for(lambda: begun.exists() and len(begun.read_text().splitlines()) == 4, "its jobs run", 120)
    pids = [int(line.split()[1]) for line in begun.read_text().splitlines()]
    assert all(map(psutil.pid_exists, pids))
    since = time.monotonic()
    assert (supersede if anew else stop)(context, runner, old, "a person wants it")
    assert all_ended(runner, old)
    wait_for(lambda: not any(map(psutil.pid_exists, pids)), "their processes are gone", 10)
    assert time.monotonic() - since < 10
    hold.unlink()
    cleared = SUBMIT.replace("cleared_after=0", "cleared_after=1")
    assert step(cleared, biases, 2).wait(120) == 0
    (new,) = [row["name"] for row in rows(context, "select name from submissions where ended_at is null")]
    assert new != old
    wait_for(lambda: all_ended(runner, new), f"{new} ends", 120)
    assert step(COLLECT, biases, 2).wait(120) == 0
    states = [row["state"] for row in rows(context, "select state from attempts order by unit_key, attempt")]
    assert states == ["superseded" if anew else "failed", "succeeded"] * 4


def all_ended(runner, array: str) -> bool:
    reports = runner.states(frozenset({array})).get(array, [])
    return bool(reports) and all(report.state.ended for report in reports)
