"""barman and pgBackRest, where they are installed: what they say of the embedded server is understood."""

import os
import pwd
import secrets
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from nightshift.backup import backup_state, site_tools
from nightshift.backup.site_tools import site_backup
from nightshift.errors import NeedsOperator
from nightshift.ledger.embedded import BINARIES, EmbeddedPostgres
from nightshift.loopback import free_ports
from nightshift.settings.backup import BackupPolicy

pytestmark = [pytest.mark.integration, pytest.mark.faults]

DEBIAN = Path("/usr/lib/postgresql/15/bin")  # the newest that Debian's pgBackRest knows


@contextmanager
def served(server: EmbeddedPostgres, *options: str) -> Iterator[None]:
    """Run a server for the block."""
    server.initialise()
    with (server.folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            [*server.command, *options], user=server.operating_system_user, cwd="/", stdout=log, stderr=log
        )
    try:
        while not server.answers():
            assert process.poll() is None, (server.folder / "server.log").read_text()
            time.sleep(0.1)
        yield
    finally:
        process.terminate()
        process.wait(60)


@pytest.fixture
def folder() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="nightshift-tool-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


def fresh(moment: datetime | None) -> bool:
    return moment is not None and datetime.now(UTC) - moment < timedelta(minutes=5)


def run(*command: str, **named) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, **named)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif(shutil.which("barman") is None, reason="barman is not installed")
def test_barman_is_asked_about_the_embedded_server_and_what_it_says_is_understood(folder, context, monkeypatch):
    server = EmbeddedPostgres(folder, free_ports(1)[0])
    monkeypatch.setenv("HOME", str(folder))
    with served(server):
        password = (folder / "password").read_text().strip()
        (folder / ".pgpass").write_text(f"127.0.0.1:{server.port}:*:nightshift:{password}\n")
        (folder / ".pgpass").chmod(0o600)
        address = f"host=127.0.0.1 port={server.port} user=nightshift dbname=postgres"
        (folder / ".barman.conf").write_text(
            f"[barman]\nbarman_user = {pwd.getpwuid(os.getuid()).pw_name}\nbarman_home = {folder}/barman\n"
            f"log_file = {folder}/barman.log\n[ledger]\ndescription = the ledger\nconninfo = {address}\n"
            f"streaming_conninfo = {address}\nbackup_method = postgres\nstreaming_archiver = on\n"
            f"slot_name = barman\ncreate_slot = auto\npath_prefix = {BINARIES}\n"
        )
        (folder / "barman").mkdir()
        policy = BackupPolicy(by="barman", server="ledger")
        with pytest.raises(NeedsOperator, match=r"WAL archive: FAILED"):
            site_backup(policy)
        run("barman", "cron")
        try:
            time.sleep(3)
            run("barman", "switch-wal", "--force", "--archive", "--archive-timeout", "30", "ledger")
            run("barman", "backup", "--wait", "ledger")
            name, moment = site_backup(policy)
        finally:
            run("barman", "receive-wal", "--stop", "ledger")
    assert name and fresh(moment)
    own = context.with_survey(context.survey.model_copy(update={"backup": policy}))
    monkeypatch.setattr(site_tools, "_asked", lambda command: "{}")
    assert "is not understood" in " ".join(backup_state(own).troubles)


@pytest.mark.skipif(
    shutil.which("pgbackrest") is None or not (DEBIAN / "postgres").exists(),
    reason="pgBackRest and PostgreSQL 15 are not installed",
)
def test_pgbackrest_is_asked_about_a_server_and_what_it_says_is_understood(folder, monkeypatch):
    server = EmbeddedPostgres(folder, free_ports(1)[0], binaries=DEBIAN)
    for name in ("repository", "log", "lock", "spool"):
        (folder / name).mkdir()
        (folder / name).chmod(0o777)
    settings = folder / "pgbackrest.conf"
    settings.write_text(
        f"[global]\nrepo1-path={folder}/repository\nrepo1-retention-full=2\nlog-path={folder}/log\n"
        f"lock-path={folder}/lock\nspool-path={folder}/spool\nlog-level-console=warn\nstart-fast=y\n"
        f"[ledger]\npg1-path={server.data}\npg1-port={server.port}\npg1-socket-path={folder}/sockets\n"
        f"pg1-user=nightshift\npg1-database=postgres\n"
    )
    monkeypatch.setenv("PGBACKREST_CONFIG", str(settings))
    push = f"pgbackrest --config={settings} --stanza=ledger archive-push %p"
    with served(server, "-c", "archive_mode=on", "-c", f"archive_command={push}"):
        passfile = folder / f"pgpass-{secrets.token_hex(4)}"
        passfile.write_text(f"*:*:*:nightshift:{(folder / 'password').read_text().strip()}\n")
        passfile.chmod(0o600)
        if user := server.operating_system_user:
            os.chown(passfile, pwd.getpwnam(user).pw_uid, -1)
        named = {"user": user, "cwd": "/", "env": {**os.environ, "PGPASSFILE": str(passfile), "HOME": str(folder)}}
        policy = BackupPolicy(by="pgbackrest", server="ledger")
        with pytest.raises(NeedsOperator, match="missing stanza path"):
            site_backup(policy)
        run("pgbackrest", "--stanza=ledger", "stanza-create", **named)
        assert site_backup(policy) == ("", None)
        run("pgbackrest", "--stanza=ledger", "backup", **named)
        name, moment = site_backup(policy)
    assert name.endswith("F") and fresh(moment)
