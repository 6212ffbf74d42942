"""A runner on two slots of the tests' cluster, with the members of `runner_site.LocalSite`."""

import contextlib
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from nightshift.runners.slurm import SlurmRunner
from nightshift.runners.slurm.cli import CliTransport
from nightshift.runners.slurm.transport import Transport
from nightshift.runners.slurm.verdict import Grace
from rehearsal.cluster import Cluster

STUB = Path(__file__).with_name("runner_stub.py")
PARTITION = "pair"


@contextlib.contextmanager
def short_arrays(cluster: Cluster, tasks: int) -> Iterator[None]:
    """Let a cluster take arrays of so many tasks at most, and heed the accounts' limits."""
    whole = cluster.conf.read_text()
    short = re.sub(r"MaxArraySize=\d+", f"MaxArraySize={tasks}", whole)
    try:
        _restart(cluster, short.replace("Enforce=associations\n", "Enforce=associations,limits\n"))
        yield
    finally:
        _restart(cluster, whole)


def _restart(cluster: Cluster, conf: str) -> None:
    cluster.daemons["slurmctld"].stop()
    cluster.conf.write_text(conf)
    cluster.up()


class SlurmSite:
    """Node n0 of a cluster, which lives longer than the test."""

    def __init__(self, folder: Path, cluster: Cluster, transport: Transport | None = None):
        self.cluster = cluster
        self.transport = transport or CliTransport({**os.environ, **cluster.environment})
        self.runner = SlurmRunner(
            folder / "spool", self.transport, command=(sys.executable, "-S", str(STUB)), partition=PARTITION,
            grace=Grace(lost_s=5, doubtful_s=15, cause_s=10),
        )  # fmt: skip

    def start(self) -> None:
        """Let the partition start jobs."""
        self._set("UP")

    def pause(self) -> None:
        """Let the partition take jobs and start none."""
        self._set("DOWN")

    def stop(self) -> None:
        """Leave nothing behind for the next test."""
        self.cluster.run("scancel", "--me", "--ctld")
        self._set("UP")

    def _set(self, state: str) -> None:
        done = self.cluster.run("scontrol", "update", f"PartitionName={PARTITION}", f"State={state}")
        assert done.returncode == 0, done.stderr
