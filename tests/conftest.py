"""What all tests share: one PostgreSQL server a session, an empty ledger and a workplace a test."""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psycopg2
import pytest

from nightshift.depot import Depot
from nightshift.ledger import migrate, open_ledger
from nightshift.ledger.embedded import EmbeddedPostgres
from nightshift.settings import load_survey
from nightshift.workplace import Workplace

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("NUMBA_NUM_THREADS", "1")

MIDNIGHT = datetime(2026, 1, 16, 8, tzinfo=UTC)  # local midnight at the demo site, night 2026-01-15
TEMPLATE = "nightshift_template"


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


@pytest.fixture
def clock() -> SetClock:
    """The night's clock, at local midnight of the demo site on 2026-01-15."""
    return SetClock()


@pytest.fixture
def workplace(ledger_url: str, tmp_path: Path, clock: SetClock) -> Iterator[Workplace]:
    """The demo survey with an empty ledger, depot and inbox."""
    depot, inbox = tmp_path / "depot", tmp_path / "inbox"
    depot.mkdir()
    inbox.mkdir()
    with open_ledger(ledger_url) as ledger:
        yield Workplace(load_survey("demo"), ledger, Depot(depot), inbox, clock)
