"""A small night that is really played, through the command that a user gives."""

import email
import email.policy
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from email.message import EmailMessage
from pathlib import Path

import pytest

from nightshift.stack.home import Home
from nightshift.stack.machine import Machine
from nightshift.stack.service import remembered_machine
from nightshift.stack.supervisor import Supervisor

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def nightshift() -> Command:
    """The command as a user would run it; what it said is shown where the test fails."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "nightshift.command_line", *arguments], capture_output=True, text=True, check=False
        )
        print(done.stdout, done.stderr)
        return done

    return run


@pytest.fixture(scope="module")
def small_night(nightshift):
    """Plays a small night of a survey and leaves it running: how the command ended, and its machine."""
    with ExitStack() as nights:

        def play(survey: str, *, deadline_min: int) -> tuple[subprocess.CompletedProcess[str], Machine]:
            return nights.enter_context(_played(nightshift, survey, deadline_min))

        yield play


@contextmanager
def _played(
    nightshift: Command, survey: str, deadline_min: int
) -> Iterator[tuple[subprocess.CompletedProcess[str], Machine]]:
    folder = Path(tempfile.mkdtemp(prefix=f"nightshift-{survey}-"))
    folder.chmod(0o755)  # where root runs this, the database is another user's
    before = dict(os.environ)
    os.environ.update({f"NIGHTSHIFT_PORT_{name}": "0" for name in ("AIRFLOW", "LEDGER", "SMTP")})
    os.environ["NIGHTSHIFT_VAR"] = str(folder)
    for name in ("LEDGER", "BROKERS", "SMTP"):
        os.environ.pop(f"NIGHTSHIFT_{name}", None)
    try:
        done = nightshift("night-run", "--survey", survey, "--small", "--keep", "--deadline-min", str(deadline_min))
        yield done, remembered_machine(survey)
    finally:
        Supervisor(Home.of(survey)).stop()
        os.environ.clear()
        os.environ.update(before)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def mails_of() -> Callable[[Machine], list[EmailMessage]]:
    """Reads the mails that a night sent."""

    def read(machine: Machine) -> list[EmailMessage]:
        return [
            email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
            for path in sorted(machine.home.mail.glob("*.eml"))
        ]

    return read
