"""A runner on two slots of the tests' cluster, with the members of `runner_site.LocalSite`."""

import os
import sys
from pathlib import Path

from nightshift.cluster import Cluster
from nightshift.runners.slurm import SlurmRunner
from nightshift.runners.slurm.cli import CliTransport
from nightshift.runners.slurm.transport import Transport
from nightshift.runners.slurm.verdict import Grace

STUB = Path(__file__).with_name("runner_stub.py")
PARTITION = "pair"


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
