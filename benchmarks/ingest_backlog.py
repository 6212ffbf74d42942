"""A backlog of 700 exposures in the inbox, taken in by one task and by arrays of a real SLURM cluster, side by side.

``python -m benchmarks ingest_backlog`` (it needs SLURM's packages, see docs/slurm.md). The cluster is this machine's
own, with two nodes of one slot; ledger, inbox, depot and files are the same for both ways, which run one after the
other. The files are those of the demo camera, compressed and without CHECKSUM, so that each must be unpacked to prove
it whole. Without Airflow: what its runs would do is done here in one loop, which asks for what is due, submits, and
collects what has ended; loop, controller and accounting share the two cores with the tasks.

``BENCH_EXPOSURES`` (700), ``BENCH_DETECTORS`` (1 or 2, one file each; 2) and ``BENCH_ROWS`` (of each of the two
images of a file; 1024, which is 1 MB a file; the camera's own are 512) change the size.

``exposures``, ``files``, ``megabytes``
    Of the backlog.
``one_task_wall_s``, ``arrays_wall_s``
    Until all files are registered and have left the inbox.
``arrays_over_one_task``
    The one over the other.
``files_per_s_one_task``, ``files_per_s_arrays``
    The same as rates.
``newest_first_violations``
    Exposures of which a frame was registered before each newer exposure, all of which lay there, had one.
``newest_registered_s``
    From the start to the registration of the newest exposure by its array.
``twice``
    Files with more than one arrival, attempt or frame, and files without any.
``arrays``, ``tasks``
    Of the cluster.
``job_ms_a_file``, ``collector_ms_a_file``
    Processor time of a job for a file, and of this process (planning, submitting, registering), which one place must
    do whatever the cluster's size.
``on_paper_100_nodes_s``
    For this backlog on 100 nodes of one slot: ``newest_registered_s``, as the time in which an array comes and goes,
    and what takes longer, ``files x job_ms_a_file / 100`` or ``files x collector_ms_a_file``.
``load_at_start``
    Of the machine, over the last minute: this benchmark wants it below 0.2.
"""

import io
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from astropy.io import fits

from nightshift.clock import SystemClock
from nightshift.context import Context
from nightshift.depot import Depot
from nightshift.ingest.ingest import ingest_all
from nightshift.ledger import migrate, open_ledger
from nightshift.ledger.embedded import EmbeddedPostgres
from nightshift.loopback import free_ports
from nightshift.runners import runner_from_environment
from nightshift.runners.base import Runner
from nightshift.settings import Deployment, Survey, load_survey
from nightshift.workflow.arrays import collect, submit
from nightshift.workflow.due_runs import RunRequest, due_runs, mark_requested
from rehearsal.cluster import Cluster, ClusterPlan

__all__ = ["run"]

ROOT = Path(__file__).parents[1]
EXPOSURES, DETECTORS, ROWS = 700, 2, 1024
PATTERNS = 16  # different images; more would only take longer to write
NODES = 100
LOOK_EVERY_S = 0.5
BEGINS = datetime(2026, 1, 16, 1, tzinfo=UTC)
EVERY = timedelta(seconds=30)


def run() -> Mapping[str, float]:
    """Take the same backlog in both ways."""
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="nightshift-ingest-") as name, _server(Path(name)) as server:
        found: dict[str, float] = {}
        for way, take_in in (("one_task", _by_one_task), ("arrays", _by_arrays)):
            server.create_database(way)
            migrate(server.url(way))
            folder = Path(name) / way
            (folder / "inbox").mkdir(parents=True)
            (folder / "depot").mkdir()
            found |= _write_backlog(folder / "inbox")
            with open_ledger(server.url(way)) as ledger:
                deployment = Deployment.of(_survey())
                context = Context(deployment, ledger, Depot(folder / "depot"), folder / "inbox", SystemClock())
                found |= {figure.format(way): value for figure, value in take_in(context, folder).items()}
                assert not list(context.inbox.iterdir()), "files are left in the inbox"
            shutil.rmtree(folder)
    for way in ("one_task", "arrays"):
        found[f"files_per_s_{way}"] = found["files"] / found[f"{way}_wall_s"]
    found["arrays_over_one_task"] = found["arrays_wall_s"] / found["one_task_wall_s"]
    by_jobs, in_one_place = found["job_ms_a_file"] / NODES, found["collector_ms_a_file"]
    found["on_paper_100_nodes_s"] = found["newest_registered_s"] + found["files"] * max(by_jobs, in_one_place) / 1e3
    return found | {"load_at_start": load}


def _size(variable: str, usual: int) -> int:
    return int(os.environ.get(f"BENCH_{variable}", usual))


@contextmanager
def _server(folder: Path) -> Iterator[EmbeddedPostgres]:
    folder.chmod(0o755)  # the server has a user of its own where this one is root
    (folder / "postgres").mkdir()
    server = EmbeddedPostgres(folder / "postgres", free_ports(1)[0])
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
    """Return the demo survey with images of the wanted size and nodes that run this checkout."""
    survey, rows = load_survey("demo"), _size("ROWS", ROWS)
    quadrants = tuple(
        quadrant.model_copy(
            update={
                "shape": (rows, quadrant.shape[1]),
                "data_section": str(quadrant.data_section).replace("512]", f"{rows}]"),
                "overscan_section": str(quadrant.overscan_section).replace("512]", f"{rows}]"),
            }
        )
        for quadrant in survey.camera.quadrants
    )
    profile = survey.profile("ingest").model_copy(update={"environment": {"PYTHONPATH": str(ROOT)}})
    return survey.model_copy(
        update={
            "camera": survey.camera.model_copy(update={"quadrants": quadrants}),
            "exposure": survey.exposure.model_copy(update={"stillness_s": 0.0}),
            "profiles": {**survey.profiles, "ingest": profile},
        }
    )


def _write_backlog(inbox: Path) -> dict[str, float]:
    """Write the files as the telescope would have, the oldest first, and return how much it is."""
    exposures, detectors = _size("EXPOSURES", EXPOSURES), range(1, _size("DETECTORS", DETECTORS) + 1)
    patterns = [_pattern(number) for number in range(PATTERNS)]
    for number in range(exposures):
        shutter = BEGINS + number * EVERY
        for detector in detectors:
            content = patterns[(number * len(detectors) + detector) % PATTERNS]
            content = content.replace(b"2000-01-01T00:00:00", f"{shutter:%Y-%m-%dT%H:%M:%S}".encode())
            content = content.replace(b"DETECTOR=                    1", b"DETECTOR=%21d" % detector)
            path = inbox / f"demo_{shutter:%Y%m%d%H%M%S}_d{detector:02d}.fits"
            path.write_bytes(content)
            os.utime(path, (shutter.timestamp(),) * 2)
    megabytes = sum(path.stat().st_size for path in inbox.iterdir()) / 1e6
    return {"exposures": exposures, "files": exposures * len(detectors), "megabytes": megabytes}


def _pattern(number: int) -> bytes:
    """Return a file with noise of its own."""
    header = fits.Header(
        {
            "INSTRUME": "DEMOCAM", "DETECTOR": 1, "IMAGETYP": "object", "EXPTIME": 30.0,
            "DATE-OBS": "2000-01-01T00:00:00", "FILTER": "g", "OBJECT": "Leo edge", "RA": 150.1, "DEC": 22.2,
            "AIRMASS": 1.2,
        }
    )  # fmt: skip
    random = np.random.default_rng(number)
    shape = (_size("ROWS", ROWS), 544)
    images = [fits.CompImageHDU(random.normal(1000, 15, shape).astype(np.int16)) for _ in range(2)]
    content = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(header=header), *images]).writeto(content)
    return content.getvalue()


def _by_one_task(context: Context, folder: Path) -> dict[str, float]:
    began = time.monotonic()
    ingest_all(context, sorted(context.inbox.iterdir()))
    return {"{}_wall_s": time.monotonic() - began}


def _by_arrays(context: Context, folder: Path) -> dict[str, float]:
    cluster = Cluster(folder / "cluster", ClusterPlan(nodes=(1, 1)), tied=True)
    os.environ |= {"NIGHTSHIFT_RUNNER": "slurm", "NIGHTSHIFT_SPOOL": str(folder / "spool"), **cluster.environment}
    try:
        cluster.up()
        cluster.wait_until_nodes_take_jobs()
        began, own = datetime.now(UTC), time.process_time()
        _take_in(context, runner_from_environment())
        wall_s, own_s = (datetime.now(UTC) - began).total_seconds(), time.process_time() - own
    finally:
        cluster.down()
    figures = _what_the_ledger_says(context, began)
    return figures | {"{}_wall_s": wall_s, "collector_ms_a_file": 1e3 * own_s / figures["frames"]}


def _take_in(context: Context, runner: Runner) -> None:
    """Ask for what is due, and collect what has ended, until neither is left."""
    under_way: dict[str, RunRequest] = {}
    while (requests := [r for r in due_runs(context) if r.dag_id == "ingest"]) or under_way:
        for request in requests:
            mark_requested(context, request)
            name = submit(context, runner, "ingest", request.conf, airflow_run=request.run_id, airflow_try=1)
            if name is not None:
                under_way[name] = request
        ended = {
            name
            for name, reports in runner.states(frozenset(under_way)).items()
            if all(report.state.ended for report in reports)
        }
        for name in [name for name in under_way if name in ended]:
            collect(context, runner, "ingest", under_way.pop(name).conf, final=False)
        if not ended:
            time.sleep(LOOK_EVERY_S)


def _what_the_ledger_says(context: Context, began: datetime) -> dict[str, float]:
    with context.ledger.connection.cursor() as cursor:
        cursor.execute("select exposure_id, min(registered_at) as at from raw_frames group by 1 order by 1 desc")
        moments = [row["at"] for row in cursor]
        cursor.execute(
            "select (select count(*) from raw_frames) as frames, (select count(*) from arrivals) as arrivals, "
            "(select count(*) from submissions) as arrays, (select sum(tasks) from submissions) as tasks, "
            "count(*) as attempts, avg((seconds ->> 'total')::float) as job_s from attempts"
        )
        row = cursor.fetchone()
    files = _size("EXPOSURES", EXPOSURES) * _size("DETECTORS", DETECTORS)
    late = sum(at < max(moments[:place]) for place, at in enumerate(moments) if place)
    return {
        "newest_first_violations": late,
        "newest_registered_s": (moments[0] - began).total_seconds(),
        "twice": sum(abs(row[name] - files) for name in ("frames", "arrivals", "attempts")),
        "frames": row["frames"],
        "arrays": row["arrays"],
        "tasks": row["tasks"],
        "job_ms_a_file": 1e3 * row["job_s"],
    }
