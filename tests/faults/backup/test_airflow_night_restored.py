"""A small night through real Airflow: ledger and Airflow's database dropped while it closes, and it ends the same."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from nightshift.stack.home import Home
from nightshift.stack.offline_ledger import server_at_rest

pytestmark = [pytest.mark.integration, pytest.mark.faults, pytest.mark.timeout(2400)]

ROOT = Path(__file__).parents[3]
COMMAND = (sys.executable, "-m", "nightshift.command_line")
NIGHT = (*COMMAND, "night-run", "--survey", "demo", "--small")


def around(folder: Path) -> dict[str, str]:
    ports = {f"NIGHTSHIFT_PORT_{name}": "0" for name in ("AIRFLOW", "LEDGER", "SMTP")}
    return {**os.environ, **ports, "PYTHONPATH": str(ROOT), "NIGHTSHIFT_VAR": str(folder)}


def run(folder: Path, *command: str) -> str:
    done = subprocess.run(command, env=around(folder), cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    return done.stdout


def wait_for(log: Path, pattern: str) -> None:
    deadline = time.monotonic() + 900
    while not re.search(pattern, log.read_text()):
        assert time.monotonic() < deadline, log.read_text()[-3000:]
        time.sleep(0.2)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that the database's user may reach; as root that is nobody."""
    folder = Path(tempfile.mkdtemp(prefix="nightshift-nights-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def test_a_night_whose_ledger_and_airflow_are_dropped_while_it_closes_ends_the_same(folder, monkeypatch):
    whole, lost = folder / "whole", folder / "lost"
    run(whole, *NIGHT)
    run(whole, *COMMAND, "fingerprint", "--survey", "demo", "--out", str(folder / "whole.json"))

    with (folder / "log").open("w") as log:
        night = subprocess.Popen(NIGHT, env=around(lost), cwd=ROOT, stdout=log, stderr=log)
    try:
        wait_for(folder / "log", "references [1-9]")
        run(lost, *COMMAND, "backup", "now", "--survey", "demo")
        wait_for(folder / "log", "acknowledged [1-9]")
    finally:
        night.send_signal(signal.SIGKILL)
        night.wait()
        run(lost, *COMMAND, "down", "--survey", "demo")
    monkeypatch.setenv("NIGHTSHIFT_VAR", str(lost))
    with server_at_rest(Home.of("demo")) as server:
        server.drop_database("nightshift")
    told = run(lost, *COMMAND, "backup", "restore", "--survey", "demo", "--from", "newest")
    assert "Airflow's database was dropped" in told

    run(lost, *NIGHT)
    run(lost, *COMMAND, "fingerprint", "--survey", "demo", "--out", str(folder / "lost.json"))
    compared = (str(folder / "whole.json"), str(folder / "lost.json"))
    assert "equal" in run(folder, *COMMAND, "fingerprint", "--compare", *compared)
