"""What all tests share: one PostgreSQL server a session, an empty ledger and a context a test."""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import psycopg2
import pytest
from astropy.io import fits
from declared_settings import only_declared
from hypothesis import settings

from nightshift.context import Context
from nightshift.depot import Depot
from nightshift.kinds.kind import Kind
from nightshift.ledger import migrate, open_ledger
from nightshift.ledger.embedded import EmbeddedPostgres
from nightshift.settings import Deployment, load_survey
from nightshift.vocabulary import Measurement, Reason, measurements
from nightshift.vocabulary.measurements import Panel
from rehearsal.cluster import Cluster, ClusterPlan, missing_programs

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("NUMBA_NUM_THREADS", "1")

# an example may take as long as it takes: how fast the machine is today is no promise of the system
settings.register_profile("nightshift", deadline=None)
settings.load_profile("nightshift")

MIDNIGHT = datetime(2026, 1, 16, 8, tzinfo=UTC)  # local midnight at the demo site, night 2026-01-15
TEMPLATE = "nightshift_template"


LEFT_OUT = pytest.StashKey[list[pytest.Item]]()


def pytest_deselected(items: list[pytest.Item]) -> None:
    """Remember what is left out, to say so at the end."""
    for item in items:
        item.config.stash.setdefault(LEFT_OUT, []).append(item)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Say how many tests were left out and why; pytest's own line of counts comes after it and is the last."""
    left_out = config.stash.get(LEFT_OUT, [])
    faults = sum(1 for item in left_out if item.get_closest_marker("faults"))
    skipped = len(terminalreporter.stats.get("skipped", ()))
    others, only_faults = len(left_out) - faults, config.option.markexpr == "faults"
    told = [
        f"{faults} of the long fault matrix (`make test-faults` runs them)" if faults else "",
        f"{others} {'that `make test` runs' if only_faults else 'that were not asked for'}" if others else "",
        f"{skipped} skipped, each with its reason below" if skipped else "",
    ]
    if any(told):
        terminalreporter.write_line(f"left out: {'; '.join(text for text in told if text)}")


@dataclass
class SetClock:
    """A clock that stands where a test set it."""

    moment: datetime = MIDNIGHT

    def now(self) -> datetime:
        """Return the moment that was set."""
        return self.moment


def free_port() -> int:
    """Return a TCP port that nothing listens on."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[EmbeddedPostgres]:
    """One PostgreSQL server, with a migrated database that tests copy."""
    folder = Path(tempfile.mkdtemp(prefix="nightshift-tests-"))
    folder.chmod(0o755)
    server = EmbeddedPostgres(folder, free_port())
    server.initialise()
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [*server.command, "-c", "fsync=off"], user=server.operating_system_user, cwd="/", stdout=log, stderr=log
        )
    try:
        deadline = time.monotonic() + 60
        while not server.answers():
            assert process.poll() is None and time.monotonic() < deadline, (folder / "log").read_text()
            time.sleep(0.1)
        server.create_database(TEMPLATE)
        migrate(server.url(TEMPLATE))
        yield server
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(30)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def ledger_url(postgres_server: EmbeddedPostgres) -> Iterator[str]:
    """The address of an empty ledger of this test alone."""
    name = f"test_{secrets.token_hex(6)}"
    with closing(psycopg2.connect(postgres_server.url("postgres"))) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(f"create database {name} template {TEMPLATE}")
        yield postgres_server.url(name)
        with connection.cursor() as cursor:
            cursor.execute(f"drop database if exists {name} with (force)")


@pytest.fixture(autouse=True)
def jobs_read_what_they_declare(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every job that a test runs in this process sees the settings that its kind declares, and no others."""
    run = Kind.run

    def run_declared(kind: Kind, work: Any, survey: Any, folder: Path) -> Any:
        return run(kind, work, only_declared(survey, kind), folder)

    monkeypatch.setattr(Kind, "run", run_declared)


@pytest.fixture
def toy_measurement(monkeypatch: pytest.MonkeyPatch) -> Measurement:
    """One more entry in the registry of measurements: all that it takes."""
    toy = Measurement(
        "toy", "toy", "mag", "A number of a test.", Reason.CLOUDY, Reason.PATTERN_NOISE, panel=Panel("toy (mag)", 5)
    )
    monkeypatch.setattr(measurements, "MEASUREMENTS", (*measurements.MEASUREMENTS, toy))
    return toy


@pytest.fixture
def clock() -> SetClock:
    """The night's clock, at local midnight of the demo site on 2026-01-15."""
    return SetClock()


@pytest.fixture
def context(ledger_url: str, tmp_path: Path, clock: SetClock) -> Iterator[Context]:
    """The demo survey with an empty ledger, depot and inbox."""
    depot, inbox = tmp_path / "depot", tmp_path / "inbox"
    depot.mkdir()
    inbox.mkdir()
    with open_ledger(ledger_url) as ledger:
        yield Context(Deployment.of(load_survey("demo")), ledger, Depot(depot), inbox, clock)


class DemoFrames:
    """Writes files as the demo camera does, into a folder. The n-th exposure opens n minutes after local midnight."""

    def __init__(self, folder: Path):
        self.folder = folder
        self._images: dict[int, np.ndarray] = {}

    def __call__(
        self,
        number: int,
        detector: int = 1,
        *,
        kind: str = "object",
        name: str | None = None,
        level: int = 1000,
        checksum: bool = True,
        **header: Any,
    ) -> Path:
        """Write one detector's file of an exposure and return its path. A keyword that is None is left out."""
        shutter = MIDNIGHT + timedelta(minutes=number)
        cards = {
            "INSTRUME": "DEMOCAM", "DETECTOR": detector, "IMAGETYP": kind, "EXPTIME": 0.0 if kind == "bias" else 30.0,
            "DATE-OBS": shutter.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3], "FILTER": "g", "OBJECT": "Leo edge",
            "RA": 150.1, "DEC": 22.2, "AIRMASS": 1.2,
        }  # fmt: skip
        cards |= header
        image = self._images.setdefault(level, np.full((512, 544), level, np.uint16))
        units = [fits.PrimaryHDU(), fits.ImageHDU(image), fits.ImageHDU(image)]
        for key, value in cards.items():
            if value is not None:
                units[0].header[key] = value
        path = self.folder / (name or f"demo_{shutter:%Y%m%d%H%M%S}_d{detector:02d}.fits")
        fits.HDUList(units).writeto(path, checksum=checksum)
        return path

    @staticmethod
    def exposure_id(number: int) -> str:
        """Return the id of the n-th exposure."""
        return f"{MIDNIGHT + timedelta(minutes=number):%Y%m%d%H%M%S}"


@pytest.fixture
def frames(context: Context) -> Callable[..., Path]:
    """Writes raw frames of the demo camera into the inbox."""
    return DemoFrames(context.inbox)


@pytest.fixture
def frames_in() -> type[DemoFrames]:
    """Writes raw frames of the demo camera into any folder: ``frames_in(folder)(number)``."""
    return DemoFrames


@pytest.fixture(scope="session")
def slurm_cluster() -> Iterator[Cluster]:
    """One SLURM cluster: nodes n0 (two slots, alone in partition ``pair``) to n3 (four slots each)."""
    if packages := missing_programs():
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(
            f"no SLURM cluster: not installed are {', '.join(packages)}"
        )
    folder = Path(tempfile.mkdtemp(prefix="nightshift-cluster-"))
    pair = "PartitionName=pair Nodes=n0 PriorityTier=100 PreemptMode=off MaxTime=1-00:00:00 State=UP"
    cluster = Cluster(folder, ClusterPlan((2, 4, 4, 4), answer_within_s=3, node_away_s=5, more=(pair,)), tied=True)
    try:
        cluster.up()
        yield cluster
    finally:
        cluster.down()
        shutil.rmtree(folder, ignore_errors=True)
