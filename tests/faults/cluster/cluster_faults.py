"""What the tests of a cluster's faults share: a runner on it, and ways to disturb it."""

import contextlib
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
from slurm_site import SlurmSite

from nightshift.runners.base import ArrayRequest, TaskReport
from nightshift.runners.slurm.notes import key_of
from rehearsal.cluster import Cluster


class DisturbedSite(SlurmSite):
    """A runner on the whole cluster, whose daemons can be stopped, killed and robbed of their memory."""

    def __init__(self, folder: Path, cluster: Cluster):
        super().__init__(folder, cluster)
        self.folder = folder
        self.runner.partition = None

    def another_runner(self) -> SlurmSite:
        """Return a runner as another process would have it: the same folder, no memory."""
        return DisturbedSite(self.folder, self.cluster)

    @contextlib.contextmanager
    def controller_hangs(self) -> Iterator[None]:
        """Let the controller take connections and answer nothing."""
        self.cluster.daemons["slurmctld"].send(signal.SIGSTOP)
        try:
            yield
        finally:
            self.cluster.daemons["slurmctld"].send(signal.SIGCONT)

    @contextlib.contextmanager
    def away(self, daemon: str, how: int = signal.SIGTERM) -> Iterator[None]:
        """End a daemon, and start it again afterwards."""
        self.cluster.daemons[daemon].stop(how)
        try:
            yield
        finally:
            self.cluster.up()

    def lose_state(self) -> None:
        """Kill the controller, remove all that it knows, and start it: job ids begin again."""
        with self.away("slurmctld", signal.SIGKILL):
            shutil.rmtree(self.cluster.folder / "state")
            (self.cluster.folder / "state").mkdir()

    def kill_node(self, node: str) -> list[psutil.Process]:
        """Kill a node's daemon and its steps, as a crash would; return what goes on without them."""
        payloads = self.cluster.payloads()
        on_node = [p for p in payloads if p.name() != "slurmstepd" and p.environ().get("SLURMD_NODENAME") == node]
        steps = {p.parent() for p in on_node}
        self.cluster.daemons[node].stop(signal.SIGKILL)
        for step in steps:
            if step is not None and step.name() == "slurmstepd":
                step.kill()
        return on_node

    def restore(self) -> None:
        """Leave a whole, empty cluster behind."""
        self.cluster.daemons["slurmctld"].send(signal.SIGCONT)
        self.cluster.up()
        self.cluster.run("scancel", "--me")
        deadline = time.monotonic() + 20
        while self.cluster.run("squeue", "-h", "--me").stdout.strip() and time.monotonic() < deadline:
            time.sleep(0.2)

    def jobs_of(self, name: str, piece: str = "") -> set[str]:
        """Return the ids of all jobs that were ever submitted under an array's key, when the accounting knows it."""
        arguments = [
            "sacct",
            "-n",
            "-P",
            "-X",
            "-D",
            "-S",
            "now-1hour",
            "-o",
            "JobID",
            f"--name={key_of(name)}{piece}",
        ]
        deadline = time.monotonic() + 20
        while not (answer := self.cluster.run(*arguments).stdout.split()) and time.monotonic() < deadline:
            time.sleep(0.2)
        return {line.partition("_")[0] for line in answer}

    def hang_before_next_submit(self) -> None:
        """Let the controller hang from after the runner's look-up on: it is the submit whose answer is lost."""
        find = self.runner._find

        def find_then_hang(*arguments, **more):
            self.runner._find = find
            try:
                return find(*arguments, **more)
            finally:
                self.cluster.daemons["slurmctld"].send(signal.SIGSTOP)

        self.runner._find = find_then_hang

    def resume_controller(self) -> None:
        """Let a controller that hangs go on with what it did not answer."""
        self.cluster.daemons["slurmctld"].send(signal.SIGCONT)


def in_background(function: Callable[[], object]) -> Callable[[], object]:
    """Start a function in a thread; return what waits for it, and returns its result or raises its error."""
    outcome: dict[str, object] = {}

    def work() -> None:
        try:
            outcome["result"] = function()
        except Exception as error:  # noqa: BLE001 - handed to whoever waits
            outcome["error"] = error

    thread = threading.Thread(target=work)
    thread.start()

    def result() -> object:
        thread.join(60)
        assert not thread.is_alive()
        if "error" in outcome:
            raise outcome["error"]  # type: ignore[misc]
        return outcome["result"]

    return result


def go(request: ArrayRequest) -> None:
    """Let the tasks of an array that wait for it go on."""
    (request.job_file.parent / "go").touch()


def hosts(reports: list[TaskReport]) -> set[str]:
    """Return the nodes on which tasks are or were."""
    return {report.host for report in reports}
