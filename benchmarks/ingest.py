"""A backlog in the inbox, taken in by one task as the watch does it, and by jobs on a pool of two workers.

100 files of the demo camera, compressed and without CHECKSUM, so that each must be unpacked to prove it whole; 2
files an exposure. Ledger, inbox and depot are new and the same for both. Without Airflow: what its runs would do is
done here in one loop, which asks for what is due, submits, and collects what has ended.

``files``, ``megabytes``
    Of the backlog.
``one_task_wall_s``, ``one_task_cpu_s``
    Until all files are registered, and processor time of this process.
``jobs_wall_s``, ``jobs_cpu_s``, ``jobs_collector_cpu_s``
    The same by jobs: of this process and the pool, and of this process alone: planning, submitting, registering.
``jobs_wall_ratio``
    The wall time by jobs over that of one task.
``collector_ms_a_file``
    Of this process's time: what a cluster of any size leaves to be done in one place.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import psutil
from astropy.io import fits

from nightshift.clock import SystemClock
from nightshift.context import Context
from nightshift.depot import Depot
from nightshift.ingest import ingest_all
from nightshift.ledger import migrate, open_ledger
from nightshift.ledger.embedded import EmbeddedPostgres
from nightshift.runners.local import LocalRunner
from nightshift.runners.spool import Spool
from nightshift.settings import Survey, load_survey
from nightshift.settings.models import IngestPolicy
from nightshift.stack.ports import Ports
from nightshift.workflow.arrays import collect, submit
from nightshift.workflow.due_runs import RunRequest, due_runs, mark_requested

__all__ = ["run"]

FILES, DETECTORS, WORKERS = 100, (1, 2), 2
BEGINS = datetime(2026, 1, 16, 4, tzinfo=UTC)


def run() -> Mapping[str, float]:
    """Take the same backlog in both ways."""
    with tempfile.TemporaryDirectory(prefix="nightshift-ingest-") as name, _server(Path(name)) as server:
        found: dict[str, float] = {}
        for way, take_in in (("one_task", _by_one_task), ("jobs", _by_jobs)):
            server.create_database(way)
            migrate(server.url(way))
            folder = Path(name) / way
            (folder / "inbox").mkdir(parents=True)
            (folder / "depot").mkdir()
            found["megabytes"] = _write_backlog(folder / "inbox") / 1e6
            with open_ledger(server.url(way)) as ledger:
                context = Context(_survey(), ledger, Depot(folder / "depot"), folder / "inbox", SystemClock())
                found |= {f"{way}_{figure}": value for figure, value in take_in(context, folder).items()}
                assert not list(context.inbox.iterdir()), "files are left in the inbox"
            shutil.rmtree(folder)
    found["jobs_wall_ratio"] = found["jobs_wall_s"] / found["one_task_wall_s"]
    found["collector_ms_a_file"] = 1e3 * found["jobs_collector_cpu_s"] / FILES
    return {"files": FILES, **found}


@contextmanager
def _server(folder: Path) -> Iterator[EmbeddedPostgres]:
    folder.chmod(0o755)  # the server has a user of its own where this one is root
    (folder / "postgres").mkdir()
    server = EmbeddedPostgres(folder / "postgres", Ports().ledger + 100)
    server.initialise()
    with (folder / "postgres.log").open("wb") as log:
        process = subprocess.Popen(server.command, user=server.operating_system_user, cwd="/", stdout=log, stderr=log)
    try:
        while not server.answers():
            time.sleep(0.1)
        yield server
    finally:
        process.terminate()
        process.wait(30)


def _survey() -> Survey:
    survey = load_survey("demo")
    still = survey.exposure.model_copy(update={"stillness_s": 0.0})
    return survey.model_copy(update={"ingest": IngestPolicy(by="jobs"), "exposure": still})


def _write_backlog(inbox: Path) -> int:
    """Write the files, each with noise of its own, and return their size in bytes."""
    random = np.random.default_rng(1)
    for number in range(FILES):
        shutter = BEGINS + timedelta(minutes=number // len(DETECTORS))
        detector = DETECTORS[number % len(DETECTORS)]
        header = fits.Header(
            {
                "INSTRUME": "DEMOCAM", "DETECTOR": detector, "IMAGETYP": "object", "EXPTIME": 30.0,
                "DATE-OBS": f"{shutter:%Y-%m-%dT%H:%M:%S}", "FILTER": "g", "OBJECT": "Leo edge", "RA": 150.1,
                "DEC": 22.2, "AIRMASS": 1.2,
            }
        )  # fmt: skip
        images = [fits.CompImageHDU(random.normal(1000, 15, (512, 544)).astype(np.int16)) for _ in range(2)]
        path = inbox / f"demo_{shutter:%Y%m%d%H%M%S}_d{detector:02d}.fits"
        fits.HDUList([fits.PrimaryHDU(header=header), *images]).writeto(path)
    return sum(path.stat().st_size for path in inbox.iterdir())


def _by_one_task(context: Context, folder: Path) -> dict[str, float]:
    wall, cpu = time.monotonic(), time.process_time()
    ingest_all(context, sorted(context.inbox.iterdir()))
    return {"wall_s": time.monotonic() - wall, "cpu_s": time.process_time() - cpu}


def _by_jobs(context: Context, folder: Path) -> dict[str, float]:
    spool = folder / "spool"
    Spool(spool).prepare()
    with (folder / "pool.log").open("wb") as log:
        pool = subprocess.Popen(
            [sys.executable, "-m", "nightshift.runners.pool", "--spool", str(spool), "--workers", str(WORKERS),
             "--cold"],
            stdout=log, stderr=log, env=os.environ | {"OMP_NUM_THREADS": "1"},
        )  # fmt: skip
    try:
        runner = LocalRunner(spool)
        _wait_for_workers(pool.pid)
        before = _cpu_s(pool.pid)
        wall, cpu = time.monotonic(), time.process_time()
        _take_in(context, runner)
        wall_s, own_s = time.monotonic() - wall, time.process_time() - cpu
        return {"wall_s": wall_s, "cpu_s": own_s + _cpu_s(pool.pid) - before, "collector_cpu_s": own_s}
    finally:
        pool.terminate()
        pool.wait(60)


def _take_in(context: Context, runner: LocalRunner) -> None:
    """Ask for what is due, and collect what has ended, until neither is left."""
    under_way: dict[str, RunRequest] = {}
    while (requests := [r for r in due_runs(context) if r.dag_id == "ingest"]) or under_way:
        for request in requests:
            mark_requested(context, request)
            name = submit(context, runner, "ingest", request.conf, airflow_run=request.run_id, airflow_try=1)
            if name is not None:
                under_way[name] = request
        for name, reports in runner.states(frozenset(under_way)).items():
            if all(report.state.ended for report in reports):
                collect(context, runner, "ingest", under_way.pop(name).conf, final=False)
        time.sleep(0.02)


def _wait_for_workers(pid: int) -> None:
    """Wait until the pool's workers are there. They are cold: what a job loads is counted."""
    while len(psutil.Process(pid).children(recursive=True)) < WORKERS + 1:  # with their fork server
        time.sleep(0.2)
    time.sleep(1.0)


def _cpu_s(pid: int) -> float:
    """Return the processor time of a process and all below it."""
    times = [process.cpu_times() for process in (psutil.Process(pid), *psutil.Process(pid).children(recursive=True))]
    return sum(t.user + t.system for t in times)
