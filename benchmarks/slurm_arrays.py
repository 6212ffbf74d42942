"""Arrays of 64 tasks, one every 5 seconds for 3 minutes, through Airflow, on a real SLURM cluster of 96 slots.

The cluster is this machine's own; a task sleeps a second and leaves its result without Python, so that what is
measured is the orchestration. ``BENCH_ARRAYS`` changes how many arrays there are.

``run_to_job_start_median_s``
    Median over all tasks, from the start of the array's run in Airflow to the task's first line.
``run_to_first_job_start_median_s``
    The same for the first task of each array.
``poller_core_percent``
    Processor time of the triggerer and the squeue and sacct that it started, in percent of one core, beyond what it
    takes while nothing waits.
``arrays_lost``
    Arrays of which any unit did not succeed, or was begun more than once.
``orchestration_cpu_s``
    Processor seconds of Airflow's processes an array, beyond what they take while nothing is to be done.
"""

import os
import re
import shutil
import statistics
import tempfile
import time
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import httpx

from benchmarks.night import _cpu_s
from nightshift.errors import NeedsOperator
from nightshift.ledger import Ledger
from nightshift.settings import load_deployment
from nightshift.stack.home import Home, Kind
from nightshift.stack.machine import AIRFLOW_PARTS, Machine, Outside
from nightshift.stack.ports import ports_from_environment
from nightshift.vocabulary import Reason

__all__ = ["run"]

HERE = Path(__file__).parent / "_slurm_arrays"
TASKS, EVERY_S, SLOTS = 64, 5.0, 96
ARRAYS = 36
IDLE_S = 20.0
END_WITHIN_S = 300.0
NIGHT = "2026-01-15"
QUERY = "select j.subject, a.state::text as state, a.folder, a.attempt from attempts a join jobs j using (job_key)"


class BenchMachine(Machine):
    """A machine with the benchmark's workflow and stub, and without mail and consumer."""

    def parts(self):
        """Return the parts that take part."""
        return tuple(part for part in super().parts() if part.name not in ("mail", "consumer", "broker"))

    def environment(self):
        """Return the environment of the parts."""
        return super().environment() | {
            "AIRFLOW__CORE__DAGS_FOLDER": str(HERE),
            "NIGHTSHIFT_NODE_PYTHON": str(HERE / "stub.sh"),
            "BENCH_TASKS": str(TASKS),
        }

    def _compile_kernels(self):
        return None  # the stub has none


def run() -> dict[str, float]:
    """Run the arrays and return the figures."""
    arrays = int(os.environ.get("BENCH_ARRAYS", ARRAYS))
    folder = Path(tempfile.mkdtemp(prefix="nightshift-bench-"))
    folder.chmod(0o755)
    os.environ |= {f"NIGHTSHIFT_PORT_{name}": "0" for name in ("AIRFLOW", "LEDGER", "SMTP")}
    os.environ |= {"NIGHTSHIFT_VAR": str(folder), "NIGHTSHIFT_WORKERS": str(SLOTS)}
    home = Home.of("demo")
    home.make(Kind.REPLAY)
    machine = BenchMachine(load_deployment("demo"), home, ports_from_environment(), Outside(runner="slurm"))
    try:
        machine.start()
        return _measure(machine, arrays)
    finally:
        machine.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _measure(machine: Machine, arrays: int) -> dict[str, float]:
    with machine.airflow_client() as api:
        _wait_for(lambda: api.get("/api/v2/dags/calibrations").is_success, 60, "the workflow is read")
        idle = _spent(machine, lambda: time.sleep(IDLE_S))
        busy = _spent(machine, lambda: _ask_for(api, arrays))
        starts = {}
        for number in range(1, arrays + 1):
            answer = api.get(f"/api/v2/dags/calibrations/dagRuns/bench_{number}").json()
            starts[str(number)] = datetime.fromisoformat(answer["start_date"]).timestamp()
    with Ledger(machine.ledger_url) as ledger, ledger.connection.cursor() as cursor:
        cursor.execute(QUERY)
        rows = [dict(row) for row in cursor.fetchall()]
    waits: dict[str, list[float]] = {number: [] for number in starts}
    good = dict.fromkeys(starts, 0)
    for row in rows:
        number = re.split(r"[/_]", row["subject"])[-1]
        good[number] += row["state"] == "succeeded" and row["attempt"] == 1
        with suppress(OSError):
            began = float((machine.home.depot / row["folder"] / "began").read_text())
            waits[number].append(began - starts[number])
    if not any(waits.values()):
        raise NeedsOperator(Reason.NO_RESULT, f"no task began: the logs are in {machine.home.logs}")
    poller = busy["triggerer"] / busy["wall"] - idle["triggerer"] / idle["wall"]
    airflow = sum(busy[name] - idle[name] / idle["wall"] * busy["wall"] for name in AIRFLOW_PARTS)
    return {
        "run_to_job_start_median_s": round(statistics.median(wait for each in waits.values() for wait in each), 2),
        "run_to_first_job_start_median_s": round(statistics.median(min(w) for w in waits.values() if w), 2),
        "poller_core_percent": round(100 * poller, 2),
        "arrays_lost": float(sum(count != TASKS for count in good.values())),
        "orchestration_cpu_s": round(airflow / arrays, 3),
        "arrays_count": float(arrays),
    }


def _spent(machine: Machine, work) -> dict[str, float]:
    """Return the processor seconds of Airflow's parts while something is done, and how long that took."""
    before, began = _parts_cpu_s(machine), time.monotonic()
    work()
    return {name: value - before[name] for name, value in _parts_cpu_s(machine).items()} | {
        "wall": time.monotonic() - began
    }


def _parts_cpu_s(machine: Machine) -> dict[str, float]:
    states = machine.supervisor.states()
    return {name: _cpu_s(states[name][1]) for name in AIRFLOW_PARTS}


def _ask_for(api: httpx.Client, arrays: int) -> None:
    """Ask for one run every few seconds, and return when all have ended."""
    began = time.monotonic()
    for number in range(1, arrays + 1):
        time.sleep(max(0.0, began + (number - 1) * EVERY_S - time.monotonic()))
        conf = {"instrument": "democam", "night": NIGHT, "kind": "bias", "filter": "", "version": str(number)}
        body = {"dag_run_id": f"bench_{number}", "logical_date": None, "conf": conf}
        api.post("/api/v2/dags/calibrations/dagRuns", json=body).raise_for_status()
    _wait_for(lambda: not _under_way(api), END_WITHIN_S, "every run has ended")


def _under_way(api: httpx.Client) -> int:
    answer = api.get("/api/v2/dags/calibrations/dagRuns", params={"state": ["queued", "running"], "limit": 1})
    return answer.json()["total_entries"]


def _wait_for(what, within_s: float, told: str) -> None:
    deadline = time.monotonic() + within_s
    while not what():
        if time.monotonic() > deadline:
            raise NeedsOperator(Reason.TIMEOUT, f"after {within_s:g} s: not so that {told}")
        time.sleep(1)
