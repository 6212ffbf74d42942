"""The embedded PostgreSQL comes back after a power cut, whoever has its old process number by now."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest

from nightshift.ledger import migrate
from nightshift.ledger.embedded import EmbeddedPostgres, _make_password, memory_of_machine
from nightshift.settings import SettingsError

pytestmark = pytest.mark.integration


@pytest.fixture
def server():
    folder = Path(tempfile.mkdtemp(prefix="nightshift-postgres-"))
    folder.chmod(0o755)  # where root runs this, the server is another user's
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        made = EmbeddedPostgres(folder, probe.getsockname()[1])
    made.initialise()
    yield made
    shutil.rmtree(folder, ignore_errors=True)


def started(server) -> subprocess.Popen:
    process = subprocess.Popen(
        server.command, user=server.operating_system_user, cwd="/", stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while not server.answers():
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.1)
    return process


def test_a_password_file_that_a_power_cut_left_empty_is_written_again(tmp_path):
    path = tmp_path / "ledger.password"
    path.touch()
    _make_password(path)
    made = path.read_text()
    assert len(made.strip()) == 32 and path.stat().st_mode & 0o777 == 0o600
    _make_password(path)
    assert path.read_text() == made and [*tmp_path.iterdir()] == [path]


def test_it_comes_back_although_its_number_is_another_programs(server):
    process = started(server)
    lock = server.data / "postmaster.pid"
    said = lock.read_text()
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    lock.write_text(said.replace(str(process.pid), str(os.getpid()), 1))
    server.initialise()
    again = started(server)
    server.initialise()
    assert lock.exists()  # of a server that runs
    again.send_signal(signal.SIGINT)
    again.wait(30)


def test_its_memory_follows_the_machine_and_can_be_set(tmp_path, monkeypatch):
    assert "shared_buffers=128MB" in EmbeddedPostgres(tmp_path, 1).command
    assert memory_of_machine() >= 512
    monkeypatch.setenv("NIGHTSHIFT_LEDGER_MEMORY_MB", "8192")
    command = EmbeddedPostgres(tmp_path, 1, memory_of_machine()).command
    assert "shared_buffers=2048MB" in command and "effective_cache_size=8192MB" in command
    monkeypatch.setenv("NIGHTSHIFT_LEDGER_MEMORY_MB", "4GB")
    with pytest.raises(SettingsError, match="MB that PostgreSQL may use"):
        memory_of_machine()


def test_a_databases_owner_can_do_nothing_beyond_it(server):
    process = started(server)
    server.create_database("ledger")
    server.create_database("other")
    with closing(psycopg2.connect(server.owner_url("ledger"))) as connection, connection.cursor() as cursor:
        cursor.execute("create table mine (x integer)")
        cursor.execute("select rolsuper, rolcreaterole, rolcreatedb from pg_roles where rolname = current_user")
        assert cursor.fetchone() == (False, False, False)
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            cursor.execute("copy mine from program 'true'")
    with pytest.raises(psycopg2.OperationalError, match="permission denied"):
        psycopg2.connect(server.owner_url("ledger").removesuffix("ledger") + "other")
    process.send_signal(signal.SIGINT)
    process.wait(30)


def test_what_the_superuser_made_before_belongs_to_the_owner_afterwards(server):
    process = started(server)
    with closing(psycopg2.connect(server.url("postgres"))) as connection:
        connection.autocommit = True
        connection.cursor().execute("create database nightshift")
    migrate(server.url("nightshift"))
    server.create_database("nightshift")
    server.create_database("nightshift")  # again changes nothing
    with closing(psycopg2.connect(server.owner_url("nightshift"))) as connection, connection.cursor() as cursor:
        cursor.execute(
            "select count(*) from pg_class where relnamespace = 'public'::regnamespace"
            " and relkind in ('r', 'p', 'v', 'S') and relowner <> 'nightshift_owner'::regrole"
        )
        assert cursor.fetchone() == (0,)
        cursor.execute("alter table nights add column other integer")
        cursor.execute("select make_month(now())")
    process.send_signal(signal.SIGINT)
    process.wait(30)
