"""A cluster that is tied to its starter does not outlive it."""

import signal
import subprocess
import sys
import time

import psutil
import pytest

pytestmark = [pytest.mark.integration, pytest.mark.faults]

STARTER = """
import os, signal, sys
from pathlib import Path
from rehearsal.cluster import Cluster, ClusterPlan
cluster = Cluster(Path(sys.argv[1]), ClusterPlan((1,), accounting=False), tied=True)
cluster.up()
print(*(daemon.process().pid for daemon in cluster.daemons.values()), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.usefixtures("slurm_cluster")  # what a cluster needs is there
def test_the_daemons_end_with_a_starter_that_was_killed(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", STARTER, str(tmp_path / "cluster")], stdout=subprocess.PIPE, text=True, timeout=120
    )
    assert done.returncode == -signal.SIGKILL
    pids = [int(pid) for pid in done.stdout.split()]
    assert len(pids) == 2
    deadline = time.monotonic() + 30
    while any(psutil.pid_exists(pid) for pid in pids):
        assert time.monotonic() < deadline
        time.sleep(0.2)
