"""One worker process of the pool: takes a task, runs it, says how it ended, and waits for the next."""

import os
import queue
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib import import_module
from multiprocessing.connection import Connection
from pathlib import Path

__all__ = ["Assignment", "serve"]

NICENESS = 5  # whoever watches and steers the night goes first


@dataclass(frozen=True)
class Assignment:
    """One task for a worker.

    Parameters
    ----------
    job_file : str
    index : int
        Of the task within its array.
    log : str
        The file that takes what the task prints.
    environment : dict of str to str
        Set while the task runs.
    """

    job_file: str
    index: int
    log: str
    environment: dict[str, str]


def serve(connection: Connection, entry: str) -> None:
    """Run assignments until the pool goes away.

    Parameters
    ----------
    connection : Connection
        Brings `Assignment` objects; takes the worker's pid when it is ready and an exit code after each task.
    entry : str
        ``module:function``; called with the job file and the task's index, returns an exit code or None.
    """
    os.setpgid(0, 0)  # so that it can be killed with whatever it started
    os.nice(NICENESS)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    assignments: queue.SimpleQueue[Assignment] = queue.SimpleQueue()
    module, name = entry.split(":")
    function = getattr(import_module(module), name)
    threading.Thread(target=_listen, args=(connection, assignments), daemon=True).start()
    connection.send(os.getpid())
    while True:
        connection.send(_run(function, assignments.get()))


def _listen(connection: Connection, assignments: "queue.SimpleQueue[Assignment]") -> None:
    """Take assignments; when the pool is gone nobody waits for this process any more."""
    try:
        while True:
            assignments.put(connection.recv())
    except (EOFError, OSError):
        os.killpg(0, signal.SIGKILL)


def _run(function: Callable[[Path, int], int | None], task: Assignment) -> int:
    with _printing_to(task.log), _environment(task.environment):
        try:
            return int(function(Path(task.job_file), task.index) or 0)
        except SystemExit as leave:
            return leave.code if isinstance(leave.code, int) else 1
        except BaseException:  # noqa: BLE001  the boundary: whatever a task raises is its exit code and its log
            with suppress(OSError):  # its log may lie on a disk that is full
                traceback.print_exc()
            return 1


@contextmanager
def _printing_to(log: str) -> Iterator[None]:
    """Let everything that the process prints, compiled code included, go to a file."""
    saved = os.dup(1), os.dup(2)
    with Path(log).open("ab") as stream:
        os.dup2(stream.fileno(), 1)
        os.dup2(stream.fileno(), 2)
    try:
        yield
    finally:
        for text in (sys.stdout, sys.stderr):
            with suppress(OSError):
                text.flush()
        for descriptor, target in zip(saved, (1, 2), strict=True):
            os.dup2(descriptor, target)
            os.close(descriptor)


@contextmanager
def _environment(changes: dict[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(changes)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
