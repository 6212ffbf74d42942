"""A real Airflow with a real ledger and pool, whose jobs end when a test says so."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil
import psycopg2
from astropy.io import fits

from nightshift.clock import ReplayClock
from nightshift.ledger import Ledger
from nightshift.runners import Runner
from nightshift.runners.local import LocalRunner
from nightshift.runners.slurm import SlurmRunner
from nightshift.runners.slurm.cli import CliTransport
from nightshift.settings import load_deployment
from nightshift.stack.home import Home, Kind
from nightshift.stack.machine import Machine, Outside
from nightshift.stack.ports import ports_from_environment

__all__ = ["Calibration", "Cluster", "running_cluster", "wait_for"]

HERE = Path(__file__).parent
MIDNIGHT = datetime(2026, 1, 16, 8, tzinfo=UTC)  # local midnight at the demo site, in the first night
PATIENCE_S = 240.0
FRAMES = 2  # of a calibration set
FIRST_NIGHT = date(2026, 1, 15)
ANSWER_LOST = """
create or replace function stand_still() returns trigger language plpgsql as
    'begin perform pg_advisory_xact_lock(4242); return new; end';
drop trigger if exists stand_still on submissions;
create trigger stand_still before update of runner_job_id on submissions
    for each row when (new.job_key = %(job_key)s) execute function stand_still();
"""
QUICK = {
    "NIGHTSHIFT_RETRY_DELAY_S": "2",
    "NIGHTSHIFT_RUNS_AT_ONCE": "2",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "20",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "5",
    "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "10",
}


class StubMachine(Machine):
    """A machine whose jobs are `array_stub`, with short patience, and without mail and consumer."""

    def parts(self):
        """Return the parts that these tests need."""
        pool = self._module("nightshift.runners.pool", "--workers", "16", "--cold", "--entry", "array_stub:run")
        own = (replace(part, command=pool) if part.name == "pool" else part for part in super().parts())
        return tuple(part for part in own if part.name not in ("mail", "consumer"))

    def environment(self):
        """Return the environment of the parts."""
        node = {"NIGHTSHIFT_NODE_PYTHON": str(self.control / "stub")}  # what a node of a cluster runs as its Python
        return super().environment() | QUICK | node | self.jobs_environment

    def make_control(self) -> None:
        """Make the folder by which tests hold jobs, and the stub for the nodes of a cluster."""
        self.control.mkdir()
        variables = " ".join(f"{name}='{value}'" for name, value in self.jobs_environment.items())
        stub = self.control / "stub"
        # called as Python is: -m nightshift.jobs ... <job-file> --unit <index>
        stub.write_text(f'#!/bin/sh\nexec env {variables} {sys.executable} {HERE}/array_stub.py "$@"\n')
        stub.chmod(0o755)

    def make_runner(self) -> Runner:
        """Return a runner as the parts have it."""
        if self.outside.runner == "local":
            return LocalRunner(self.home.spool)
        transport = CliTransport({**os.environ, "SLURM_CONF": self.slurm_conf})
        return SlurmRunner(self.home.spool / "slurm", transport)

    @property
    def jobs_environment(self) -> dict[str, str]:
        """What a stub job needs."""
        here = os.pathsep.join([str(HERE), str(HERE.parents[2])])
        return {"PYTHONPATH": here, "ARRAY_STUB_CONTROL": str(self.control)}

    @property
    def control(self) -> Path:
        """The folder by which tests hold jobs."""
        return self.home.root / "control"

    def _compile_kernels(self):
        return subprocess.Popen(["true"])  # the stub has none


class Cluster:
    """Calibration sets as the subjects of arrays: each night has one, with a run and an array of four tasks."""

    def __init__(self, machine: StubMachine):
        self.machine = machine
        self.runner = machine.make_runner()
        self.api = machine.airflow_client()
        self.ledger = Ledger(machine.ledger_url)
        self._nights = 0

    # --- what comes in ----------------------------------------------------------------------------------------

    def new_set(self, *, held: bool = True) -> "Calibration":
        """Return a set of a night of its own, whose frames are not here yet."""
        night = FIRST_NIGHT + timedelta(days=self._nights)
        self._nights += 1
        made = Calibration(self, night)
        if held:
            made.hold.touch()
        return made

    # --- what is broken ---------------------------------------------------------------------------------------

    def kill(self, part: str) -> None:
        """End a part with all below it at once, and let the supervisor start it again."""
        top = psutil.Process(self.machine.supervisor.states()[part][1])
        for process in (top, *top.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGKILL)
        wait_for(lambda: self.part_pid(part) not in (0, top.pid), f"{part} starts again")

    def part_pid(self, part: str) -> int:
        """Return the process of a part."""
        return self.machine.supervisor.states()[part][1]

    def kill_tasks(self) -> int:
        """End every process that works on a task of Airflow, with whoever watches it; return how many."""
        below = psutil.Process(self.part_pid("scheduler")).children(recursive=True)
        titles = {process: " ".join(_title(process)) for process in below}
        tasks = [process for process, title in titles.items() if "airflow worker" in title and "<idle>" not in title]
        for process in tasks:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGKILL)
        return len(tasks)

    @contextmanager
    def blocked(self, statement: str, *parameters: Any) -> Iterator[None]:
        """Hold a lock of the ledger."""
        connection = psycopg2.connect(self.machine.ledger_url)
        try:
            with connection.cursor() as cursor:
                cursor.execute(statement, parameters)
                yield
        finally:
            connection.close()

    @contextmanager
    def answer_lost(self, calibration: "Calibration") -> Iterator[None]:
        """Keep whoever has handed an array in from writing down that the runner took it."""
        with psycopg2.connect(self.machine.ledger_url) as connection, connection.cursor() as cursor:
            cursor.execute(ANSWER_LOST, {"job_key": calibration.job_key})
        connection.close()
        with self.blocked("select pg_advisory_xact_lock(4242)"):
            yield

    # --- what became of it ------------------------------------------------------------------------------------

    def rows(self, statement: str, *parameters: Any) -> list[dict]:
        """Ask the ledger."""
        with self.ledger.connection.cursor() as cursor:
            cursor.execute(statement, parameters)
            return [dict(row) for row in cursor.fetchall()]

    def begun(self) -> list[tuple[str, int]]:
        """Return token and process of every unit that a job began."""
        path = self.machine.control / "begun"
        lines = path.read_text().splitlines() if path.exists() else []
        return [(token, int(pid)) for token, pid in (line.split() for line in lines)]


class Calibration:
    """One night's set of biases: its frames, its run, its arrays."""

    def __init__(self, cluster: Cluster, night: date):
        self.cluster, self.night = cluster, night
        self.run_id = f"calibrations__democam__{night:%Y%m%d}__bias__v1"
        self.job_key = f"master/democam/{night}/bias/-/1/live"
        self.hold = cluster.machine.control / f"hold_{night}"

    def bring(self) -> "Calibration":
        """Let its frames come in."""
        first = MIDNIGHT + timedelta(days=(self.night - FIRST_NIGHT).days, hours=-1)
        for index in range(FRAMES):
            for detector in (1, 2):
                write_bias(self.cluster.machine.home.inbox, first + timedelta(minutes=index), detector, index + 1)
        return self

    def let_go(self) -> None:
        """Let its jobs end."""
        self.hold.unlink(missing_ok=True)

    @property
    def arrays(self) -> list[str]:
        """The names of its arrays, in order."""
        return [
            row["name"]
            for row in self.cluster.rows(
                "select name from submissions where job_key = %s order by submission", self.job_key
            )
        ]

    def states(self, array: str) -> list[str]:
        """Return what the runner says of the tasks of an array."""
        return [str(report.state) for report in self.cluster.runner.states(frozenset({array})).get(array, [])]

    def wait_running(self) -> str:
        """Wait until all tasks of the newest array run and the run waits for them; return its name."""

        def runs():
            return self.arrays and self.states(self.arrays[-1]) == ["running"] * 4

        wait_for(runs, f"the jobs of {self.run_id} run")
        wait_for(lambda: self.task("wait")["state"] == "deferred", f"{self.run_id} waits")
        time.sleep(2)  # until its trigger watches
        return self.arrays[-1]

    def wait_gone(self, array: str, within_s: float) -> None:
        """Wait until no task of an array lives and its processes are gone."""
        tokens = {row["token"] for row in self.attempts if row["name"] == array}
        pids = {pid for token, pid in self.cluster.begun() if token in tokens}

        def gone():
            return not {"running", "pending"} & set(self.states(array)) and not any(map(psutil.pid_exists, pids))

        wait_for(gone, f"{array} is gone", within_s)

    def wait_ended(self, state: str = "success") -> None:
        """Wait until its run has ended so."""
        wait_for(lambda: self.run_state == state, f"{self.run_id} ends in {state}")

    @property
    def run_state(self) -> str | None:
        """The state of its run in Airflow; None while it is not known."""
        with suppress(httpx.HTTPError):
            answer = self.cluster.api.get(self._run_path)
            return answer.json()["state"] if answer.is_success else None
        return None

    def task(self, name: str) -> dict:
        """Return a task of its run as Airflow's interface shows it."""
        return self.cluster.api.get(f"{self._run_path}/taskInstances/master.{name}").json()

    def mark(self, name: str, state: str) -> None:
        """Mark a task as a person does."""
        self.cluster.api.patch(
            f"{self._run_path}/taskInstances/master.{name}", json={"new_state": state}
        ).raise_for_status()

    def mark_run(self, state: str) -> None:
        """Mark the run as a person does."""
        self.cluster.api.patch(self._run_path, json={"state": state}).raise_for_status()

    def clear(self, name: str) -> None:
        """Clear a task and those after it, as a person does."""
        body = {
            "dry_run": False, "dag_run_id": self.run_id, "task_ids": [f"master.{name}"], "only_failed": False,
            "include_downstream": True, "reset_dag_runs": True,
        }  # fmt: skip
        self.cluster.api.post("/api/v2/dags/calibrations/clearTaskInstances", json=body).raise_for_status()

    @property
    def _run_path(self) -> str:
        return f"/api/v2/dags/calibrations/dagRuns/{self.run_id}"

    @property
    def attempts(self) -> list[dict]:
        """All attempts at its units."""
        return self.cluster.rows(
            "select a.*, s.name from attempts a join submissions s using (job_key, submission) "
            "where a.job_key = %s order by a.unit_key, a.attempt",
            self.job_key,
        )

    def how_often_begun(self) -> dict[str, int]:
        """Return for each attempt, by token, how often a job began it."""
        tokens = [token for token, _ in self.cluster.begun()]
        return {row["token"]: tokens.count(row["token"]) for row in self.attempts}


def _title(process: psutil.Process) -> list[str]:
    with suppress(psutil.Error):
        return process.cmdline()
    return []


def write_bias(folder: Path, shutter: datetime, detector: int, index: int) -> None:
    """Write a bias frame as the demo camera does."""
    image = np.full((512, 544), 1000, np.uint16)
    units = [fits.PrimaryHDU(), fits.ImageHDU(image), fits.ImageHDU(image)]
    units[0].header.update(
        {
        "INSTRUME": "DEMOCAM", "DETECTOR": detector, "IMAGETYP": "bias", "EXPTIME": 0.0, "FILTER": "g",
        "DATE-OBS": shutter.strftime("%Y-%m-%dT%H:%M:%S.000"), "OBJECT": "bias", "RA": 150.1, "DEC": 22.2,
        "AIRMASS": 1.2, "SEQNAME": "bias", "SEQINDEX": index, "SEQLEN": FRAMES}
    )  # fmt: skip
    fits.HDUList(units).writeto(folder / f"demo_{shutter:%Y%m%d%H%M%S}_d{detector:02d}.fits", checksum=True)


def wait_for(what: Callable[[], Any], told: str, within_s: float = PATIENCE_S) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + within_s
    while not what():
        assert time.monotonic() < deadline, f"after {within_s:g} s: not so that {told}"
        time.sleep(0.2)


@contextmanager
def running_cluster(runner: str) -> Iterator[Cluster]:
    """Bring an Airflow, a ledger and what runs jobs up, and end them."""
    folder = Path(tempfile.mkdtemp(prefix="nightshift-arrays-"))
    folder.chmod(0o755)  # where root runs this, the database is another user's
    before = dict(os.environ)
    os.environ.update({f"NIGHTSHIFT_PORT_{name}": "0" for name in ("AIRFLOW", "LEDGER", "SMTP")})
    os.environ |= {"NIGHTSHIFT_VAR": str(folder), "NIGHTSHIFT_WORKERS": "16"}
    clock = ReplayClock(datetime.now(UTC), MIDNIGHT).to_text()
    home = Home.of("demo")
    home.make(Kind.REPLAY)
    outside = Outside(runner=runner)
    machine = StubMachine(load_deployment("demo"), home, ports_from_environment(), outside, clock=clock)
    machine.make_control()
    try:
        machine.start()
        wait_for(lambda: machine.airflow_client().get("/api/v2/dags/watch_inbox").is_success, "the DAGs are read")
        yield Cluster(machine)
    finally:
        machine.stop()
        os.environ.clear()
        os.environ.update(before)
        shutil.rmtree(folder, ignore_errors=True)
