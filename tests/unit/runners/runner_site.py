"""What tests of runners share: the machinery of each kind of runner, requests of stub tasks, and patience."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from nightshift.runners.base import ArrayRequest, Runner, TaskReport
from nightshift.runners.local import LocalRunner
from nightshift.runners.spool import Spool
from nightshift.vocabulary import JobState

PATIENCE_S = 30.0


class LocalSite:
    """A pool of two workers over a spool in a temporary folder."""

    def __init__(self, folder: Path):
        self.spool = folder / "spool"
        self.runner: Runner = LocalRunner(self.spool)
        self.pool: subprocess.Popen | None = None
        Spool(self.spool).prepare()

    def start(self) -> None:
        """Bring the machinery up."""
        here = Path(__file__).parent
        self.pool = subprocess.Popen(
            [sys.executable, "-m", "nightshift.runners.pool", "--spool", str(self.spool), "--workers", "2",
             "--entry", "runner_stub:run", "--cold"],
            env=os.environ | {"PYTHONPATH": str(here)},
        )  # fmt: skip

    def pause(self) -> None:
        """Let the spool take arrays and start none."""
        self.stop()

    def stop(self, how: int = signal.SIGTERM) -> int | None:
        """Take the machinery away; return its exit code."""
        if self.pool is None:
            return None
        self.pool.send_signal(how)
        code = self.pool.wait(PATIENCE_S)
        self.pool = None
        return code


def request_maker(folder: Path) -> Callable[..., ArrayRequest]:
    """Return what makes requests of stub tasks; each array has a folder of its own below `folder`."""

    def make(name: str, *wishes: dict, memory_mb: float = 500, time_s: float = 60, **more) -> ArrayRequest:
        job_file = folder / name.replace("/", "_") / "job.json"
        job_file.parent.mkdir(parents=True, exist_ok=True)
        job_file.write_text(json.dumps(wishes))
        return ArrayRequest(name, "science", job_file, len(wishes), memory_mb, time_s, **more)

    return make


def wait_for(site: LocalSite, name: str, what: Callable[[list[TaskReport]], bool]) -> list[TaskReport]:
    """Ask until the answer is as wanted."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        reports = site.runner.states(frozenset({name})).get(name, [])
        if reports and what(reports):
            return reports
        time.sleep(0.05)
    raise AssertionError(f"{name} after {PATIENCE_S} s: {reports}")


def all_ended(reports: list[TaskReport]) -> bool:
    """Whether no task will run any further."""
    return all(report.state.ended for report in reports)


def states_of(reports: list[TaskReport]) -> list[JobState]:
    """Return the states in the order of the tasks."""
    return [report.state for report in sorted(reports, key=lambda r: r.index)]


def begun(request: ArrayRequest, index: int) -> list[str]:
    """Return a line for each time that a task was begun."""
    path = request.job_file.parent / f"{index}.began"
    return path.read_text().splitlines() if path.exists() else []


def gone(pid: int) -> bool:
    """Whether a process has ended, reaped or not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True
