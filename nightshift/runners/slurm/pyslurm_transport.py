"""The transport of pyslurm, in a process of its own. A site turns it on: its release must match SLURM's."""

import contextlib
import json
import math
import os
import re
import select
import subprocess
import sys
import threading
import time
from collections.abc import Iterable
from dataclasses import fields
from typing import Any

from nightshift.errors import NeedsOperator, Retry
from nightshift.runners.slurm.cli import PATH, CliTransport, script_arguments
from nightshift.runners.slurm.job_states import parse_state
from nightshift.runners.slurm.refusals import refusal
from nightshift.runners.slurm.transport import Accounted, Ambiguous, Order, Queued
from nightshift.vocabulary import Reason

__all__ = ["PyslurmTransport"]

TIMEOUT_S = 30.0
WHAT_TO_DO = (
    "install the pyslurm whose release is that of the cluster's SLURM (`sinfo --version`), or set "
    "NIGHTSHIFT_SLURM_TRANSPORT=cli"
)


class PyslurmTransport:
    """Asks by pyslurm.

    Parameters
    ----------
    command : tuple of str, optional
        The process that holds pyslurm.
    timeout_s : float
        After which an answer is given up, and the process with it.
    """

    name = "pyslurm"

    def __init__(self, command: tuple[str, ...] | None = None, *, timeout_s: float = TIMEOUT_S):
        self._command = command or (sys.executable, "-m", "nightshift.runners.slurm.pyslurm_process")
        self._timeout_s = timeout_s
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    def submit(self, order: Order) -> int:
        """Submit an array and return its job id."""
        try:
            return int(self._ask("submit", **_plain(order)))
        except _Refused as error:
            if advice := refusal(str(error), order):
                raise NeedsOperator(
                    Reason.INTERNAL_ERROR, f"SLURM refuses the array {order.key}: {error}. {advice}"
                ) from error
            raise Ambiguous(f"pyslurm: {error}") from error
        except Retry as error:
            raise Ambiguous(str(error)) from error

    def queue(self) -> list[Queued]:
        """Return every task of this user that the controller knows, ended ones too."""
        return [_row(Queued, row) for row in self._ask("queue")]

    def accounted(self, keys: Iterable[str], since: float) -> list[Accounted]:
        """Return the last start of every task with one of these keys that was submitted after `since`."""
        wanted = sorted(set(keys))
        rows = [_row(Accounted, row) for row in self._ask("accounted", keys=wanted, since=since)]
        return [row for row in rows if row.key in wanted and row.submitted >= since]

    def cancel(self, job_ids: Iterable[int]) -> None:
        """Ask the controller to end jobs."""
        self._ask("cancel", job_ids=sorted(job_ids))

    def longest_array(self) -> int:
        """Return how many tasks one array may have, as scontrol says: pyslurm's releases name it differently."""
        return CliTransport().longest_array()

    # --- the process ------------------------------------------------------------------------------------------

    def _ask(self, call: str, **arguments: Any) -> Any:
        with self._lock:
            process = self._running()
            answer = self._answer(process, {"call": call, "with": arguments})
        if "refused" in answer:
            raise _Refused(str(answer["refused"]))
        if "failed" in answer:
            raise Retry(Reason.WORKER_LOST, f"pyslurm: {answer['failed']}")
        return answer["value"]

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            kept = {
                name: os.environ[name] for name in ("SLURM_CONF", "HOME", "LD_LIBRARY_PATH") if name in os.environ
            }
            python_path = {"PYTHONPATH": os.environ["PYTHONPATH"]} if "PYTHONPATH" in os.environ else {}
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                env={"PATH": PATH, "LANG": "C.UTF-8", "TZ": "UTC", **kept, **python_path},
            )  # fmt: skip
            answer = self._answer(self._process, {"call": "release", "with": {}})
            if problem := _unfit(answer, _slurm_release()):
                self.close()
                raise NeedsOperator(Reason.INTERNAL_ERROR, f"{problem}: {WHAT_TO_DO}")
        return self._process

    def _answer(self, process: subprocess.Popen[bytes], question: dict[str, Any]) -> dict[str, Any]:
        """Put a question. A process that does not answer in time is ended: its answer would be taken for the next."""
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(json.dumps(question).encode() + b"\n")
            process.stdin.flush()
            line = _read_line(process.stdout.fileno(), time.monotonic() + self._timeout_s)
        except OSError:
            line = b"" if (left := process.stdout.read()) is None else left
        if not line.endswith(b"\n"):
            self.close()
            raise Retry(Reason.WORKER_LOST, f"the process of pyslurm gave no answer within {self._timeout_s:g} s")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        """End the process; the next question starts another."""
        if self._process is None:
            return
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(OSError):
                if stream is not None:
                    stream.close()
        self._process = None


class _Refused(Retry):
    """SLURM answered with an error of its own."""

    def __init__(self, message: str):
        super().__init__(Reason.WORKER_LOST, message)


def _read_line(descriptor: int, deadline: float) -> bytes:
    line = b""
    while not line.endswith(b"\n"):
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([descriptor], [], [], left)[0]:
            break
        if not (more := os.read(descriptor, 1 << 16)):
            break
        line += more
    return line


def _plain(order: Order) -> dict[str, Any]:
    """Return an order in the words of pyslurm's submit description."""
    folder, arguments = str(order.folder).replace("%", "%%"), script_arguments(order)
    return {
        "key": order.key, "script": arguments[0], "arguments": arguments,
        "tasks": order.tasks, "memory_mb": math.ceil(order.memory_mb), "minutes": math.ceil(order.time_s / 60) + 1,
        "cores": order.cores, "nice": order.nice, "folder": str(order.folder), "output": f"{folder}/%a.log",
        "environment": {"PATH": PATH, "LANG": "C.UTF-8", **order.environment}, "requeue": order.requeue,
        "partitions": [order.partition] if order.partition else None, "qos": order.qos, "account": order.account,
        "excluded_nodes": list(order.exclude) or None,
    }  # fmt: skip


def _row(kind: Any, row: dict[str, Any]) -> Any:
    known = {field.name for field in fields(kind)}
    return kind(
        **{name: value for name, value in row.items() if name in known} | {"state": parse_state(row["state"])}
    )


def _slurm_release() -> str:
    """Return what SLURM's own commands say of their release; empty where they are not there."""
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        text = subprocess.run(
            ["sinfo", "--version"],  # noqa: S607 - wherever the site has it
            capture_output=True, text=True, timeout=10, check=True,
        ).stdout  # fmt: skip
        return text.split()[-1]
    return ""


def _unfit(answer: dict[str, Any], slurm: str) -> str:
    """Return why pyslurm cannot be used, or nothing: 22.5.3 is for SLURM 22.05.8 and for no other release."""
    if "value" not in answer:
        return f"pyslurm does not load ({answer.get('missing', answer)})"
    ours, theirs = ([int(part) for part in re.findall(r"\d+", text)[:2]] for text in (answer["value"], slurm))
    if slurm and ours != theirs:
        return f"pyslurm {answer['value']} is not for SLURM {slurm}: their first two numbers differ"
    return ""
