"""A PostgreSQL server for an hour: its own folder and port, nobody else's data, ended and removed afterwards."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from signal import SIGINT

import psutil

from nightshift.backup.postgres_programs import Programs
from nightshift.errors import NeedsOperator
from nightshift.files import end_of
from nightshift.ledger.embedded import EmbeddedPostgres
from nightshift.loopback import free_ports
from nightshift.vocabulary import Reason

__all__ = ["remove_leftovers", "scratch_database"]

PREFIX = "nightshift-rehearsal-"
DATABASE = "rehearsal"
UP_WITHIN_S = 60.0
DOWN_WITHIN_S = 30.0
# nobody needs what it holds after a crash
WITHOUT_SAFETY = (
    "-c",
    "fsync=off",
    "-c",
    "full_page_writes=off",
    "-c",
    "synchronous_commit=off",
    "-c",
    "autovacuum=off",
)


@contextmanager
def scratch_database(programs: Programs, below: Path) -> Iterator[str]:
    """Yield the address of an empty database on a server of its own, as the role that owns it.

    Parameters
    ----------
    programs : Programs
    below : Path
        Where the server's folder is made. As root the server runs as ``nobody``, who must be able to reach it.
    """
    remove_leftovers(below)
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=below))
    folder.chmod(0o755)
    try:
        with _running(EmbeddedPostgres(folder, free_ports(1)[0], binaries=programs.folder)) as server:
            server.create_database(DATABASE)
            yield server.owner_url(DATABASE)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _running(server: EmbeddedPostgres) -> Iterator[EmbeddedPostgres]:
    server.initialise()
    log = server.folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*server.command, *WITHOUT_SAFETY], user=server.operating_system_user, cwd="/", stdin=subprocess.DEVNULL,
            stdout=output, stderr=output, env={"PATH": "/usr/bin:/bin"}, start_new_session=True,
        )  # fmt: skip
    try:
        deadline = time.monotonic() + UP_WITHIN_S
        while not server.answers():
            if process.poll() is not None or time.monotonic() > deadline:
                raise NeedsOperator(
                    Reason.INTERNAL_ERROR, f"the scratch server did not start: {end_of(log, 1000).strip()}"
                )
            time.sleep(0.1)
        yield server
    finally:
        _end(process)


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.send_signal(SIGINT)
    try:
        process.wait(DOWN_WITHIN_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def remove_leftovers(below: Path) -> None:
    """End and remove scratch servers whose rehearsal was killed: a server that runs belongs to one that is under way.

    A rehearsal and its server live at most as long as the advisory lock that the rehearsal holds, and this is called
    under that lock, so every folder that is found is a leftover.
    """
    for folder in below.glob(f"{PREFIX}*"):
        with suppress(FileNotFoundError, ValueError, IndexError, psutil.Error):
            number = int((folder / "data" / "postmaster.pid").read_text().split()[0])
            process = psutil.Process(number)
            if str(folder / "data") in process.cmdline():
                process.send_signal(SIGINT)
                process.wait(DOWN_WITHIN_S)
        if folder.stat().st_uid in (os.getuid(), 0):
            shutil.rmtree(folder, ignore_errors=True)
