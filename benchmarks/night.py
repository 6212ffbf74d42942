"""The whole demonstration night on this machine: time, memory, latency and what the orchestration costs.

``night_wall_s``
    From the command to the mail, installation excepted.
``peak_gb``
    The largest sum of PSS (10^9 bytes) of the supervisor and everything below it.
``last_file_to_alert_p95_s``
    95th percentile over exposures of the seconds from an exposure's last file to the broker's acknowledgement of
    its last alert; exposures that were differenced later, when their reference came to be, are left out.
``orchestration_cpu_s``
    Processor seconds of Airflow's processes (user and system, their ended children too) an exposure, from the first
    frame's arrival to the mail.
"""

import os
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import psutil

from nightshift.errors import NeedsOperator
from nightshift.ledger import Ledger
from nightshift.ledger.queries import stack as stack_queries
from nightshift.stack.home import Home
from nightshift.stack.machine import AIRFLOW_PARTS
from nightshift.stack.service import remembered_machine
from nightshift.stack.supervisor import Supervisor
from nightshift.vocabulary import Reason

__all__ = ["run"]

EVERY_S = 2.0


class Meter(threading.Thread):
    """Watches a stack: the peak of its memory, and the processor time of its Airflow parts.

    Parameters
    ----------
    home : Home
    """

    def __init__(self, home: Home):
        super().__init__(daemon=True)
        self.peak_bytes = 0
        self.ended = threading.Event()
        self._home = home
        self._supervisor = Supervisor(home)
        self._before_s = self._now_s = 0.0

    @property
    def airflow_cpu_s(self) -> float:
        """Processor seconds of all processes of Airflow's parts since the first frame came."""
        return self._now_s - self._before_s

    def run(self) -> None:
        """Look every few seconds until `ended` is set."""
        while not self.ended.wait(EVERY_S):
            with suppress(Exception):
                self._look()

    def _look(self) -> None:
        total = 0
        for process in self._supervisor.processes():
            with suppress(psutil.Error):
                total += process.memory_full_info().pss
        self.peak_bytes = max(self.peak_bytes, total)
        states = self._supervisor.states()
        pids = [states[name][1] for name in AIRFLOW_PARTS if name in states]
        self._now_s = sum(_cpu_s(pid) for pid in pids if pid)
        if not (self._home.depot / "raw").exists():
            self._before_s = self._now_s


def _cpu_s(pid: int) -> float:
    """Return the processor seconds of a process and all below it; those that ended are in their parent's."""
    seconds = 0.0
    with suppress(psutil.Error):
        top = psutil.Process(pid)
        for process in (top, *top.children(recursive=True)):
            with suppress(psutil.Error):
                times = process.cpu_times()
                seconds += times.user + times.system + times.children_user + times.children_system
    return seconds


def run() -> dict[str, float]:
    """Play the demonstration night, and return its figures."""
    with tempfile.TemporaryDirectory(prefix="nightshift-bench-") as folder:
        Path(folder).chmod(0o755)
        environment = {**os.environ, "NIGHTSHIFT_VAR": folder}
        for name in ("AIRFLOW", "LEDGER", "SMTP"):
            environment.setdefault(f"NIGHTSHIFT_PORT_{name}", "0")
        os.environ["NIGHTSHIFT_VAR"] = folder
        home = Home.of("demo")
        meter = Meter(home)
        meter.start()
        began = time.monotonic()
        try:
            subprocess.run(
                [sys.executable, "-m", "nightshift.command_line", "night-run", "--survey", "demo", "--keep"],
                env=environment, check=True,
            )  # fmt: skip
            wall_s = time.monotonic() - began
            meter.ended.set()
            meter.join()
            machine = remembered_machine("demo")
            with Ledger(machine.ledger_url) as ledger:
                seconds = [delay.seconds for delay in stack_queries.last_file_to_alert(ledger, site="demo")]
                exposures = stack_queries.exposures_ended(ledger, site="demo")
        finally:
            Supervisor(home).stop()
    if not seconds:
        raise NeedsOperator(Reason.NO_REFERENCE, "no exposure was differenced at once: every frame came too early")
    return {
        "night_wall_s": round(wall_s, 1),
        "peak_gb": round(meter.peak_bytes / 1e9, 3),
        "last_file_to_alert_p95_s": round(float(np.percentile(seconds, 95)), 2),
        "orchestration_cpu_s": round(meter.airflow_cpu_s / max(exposures, 1), 3),
        "exposures_count": float(exposures),
        "differenced_at_once_count": float(len(seconds)),
    }
