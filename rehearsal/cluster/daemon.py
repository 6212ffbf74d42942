"""One daemon of a cluster: started in a session of its own, known by its process id and the time it began."""

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from nightshift.files import write_json

__all__ = ["Daemon"]


@dataclass(frozen=True)
class Daemon:
    """A program that stays in the foreground.

    Parameters
    ----------
    name : str
    command : tuple of str
    folder : Path
        The cluster's.
    environment : mapping of str to str
        Its whole environment.
    """

    name: str
    command: tuple[str, ...]
    folder: Path
    environment: Mapping[str, str]

    @property
    def log(self) -> Path:
        """What it prints."""
        return self.folder / "logs" / f"{self.name}.out"

    @property
    def _record(self) -> Path:
        return self.folder / "run" / f"{self.name}.json"

    def process(self) -> psutil.Process | None:
        """Return the running process, or None."""
        try:
            record = json.loads(self._record.read_text())
            process = psutil.Process(record["pid"])
            alive = process.create_time() == record["born"] and process.status() != psutil.STATUS_ZOMBIE
        except (OSError, ValueError, KeyError, psutil.Error):
            return None
        return process if alive else None

    def start(self) -> None:
        """Start it, unless it runs."""
        if self.process() is not None:
            return
        with self.log.open("ab") as output:
            child = subprocess.Popen(
                self.command, env=dict(self.environment), cwd=self.folder, stdin=subprocess.DEVNULL,
                stdout=output, stderr=output, start_new_session=True,
            )  # fmt: skip
        write_json(self._record, {"pid": child.pid, "born": psutil.Process(child.pid).create_time()})

    def send(self, sign: int) -> None:
        """Send it a signal, where it runs."""
        if process := self.process():
            with contextlib.suppress(psutil.Error):
                process.send_signal(sign)

    def stop(self, sign: int = signal.SIGTERM, *, wait_s: float = 10.0) -> None:
        """End it, by force where it does not end by itself; return when it is gone."""
        process = self.process()
        if process is None:
            return
        for each in (signal.SIGCONT, sign, signal.SIGKILL):
            with contextlib.suppress(psutil.Error):
                process.send_signal(each)
            if each is not signal.SIGCONT and _is_gone(process, wait_s):
                return

    def tail(self) -> str:
        """Return the end of what it printed."""
        with contextlib.suppress(OSError):
            return self.log.read_text(errors="replace")[-1500:]
        return ""


def _is_gone(process: psutil.Process, wait_s: float) -> bool:
    try:
        process.wait(wait_s)
    except psutil.TimeoutExpired:
        return False
    except psutil.Error:
        return True
    with contextlib.suppress(ChildProcessError):  # reap it where it was our child
        os.waitpid(process.pid, os.WNOHANG)
    return True
