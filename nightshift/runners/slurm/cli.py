"""The transport of SLURM's own commands: argument lists in, compact text out, never a shell."""

import math
import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from nightshift.errors import NeedsOperator, Retry
from nightshift.runners.slurm.partitions import PARTITIONS_FORMAT, Partition, read_partitions
from nightshift.runners.slurm.printed import (
    ACCOUNTED_FIELDS,
    EXITS_FORMAT,
    QUEUE_FORMAT,
    read_accounted,
    read_exits,
    read_longest_array,
    read_queue,
)
from nightshift.runners.slurm.refusals import hold_up, refusal
from nightshift.runners.slurm.transport import Accounted, Ambiguous, Order, Queued
from nightshift.vocabulary import Reason

__all__ = ["CliTransport", "sbatch_arguments", "script_arguments"]

SCRIPT = Path(__file__).with_name("task.sh")
TIMEOUT_S = 30.0  # SLURM's own is 10 s a try
KEYS_A_CALL = 50
PATH = "/usr/local/bin:/usr/bin:/bin"
# What the commands see of our environment. SBATCH_*, SQUEUE_* and their like would change options unasked.
KEPT = ("SLURM_CONF", "HOME", "USER", "LOGNAME", "KRB5CCNAME", "SLURM_JWT", "LD_LIBRARY_PATH")


class _NoAccounting(Retry):
    """The cluster keeps no accounting: what its controller has forgotten, nobody knows."""


class CliTransport:
    """Asks by sbatch, squeue, sacct, scancel and sinfo.

    Parameters
    ----------
    environment : mapping of str to str, optional
        The process's own by default; of it only what SLURM needs is used.
    timeout_s : float
        After which a command that does not end is given up.
    """

    name = "cli"

    def __init__(self, environment: Mapping[str, str] | None = None, *, timeout_s: float = TIMEOUT_S):
        source = os.environ if environment is None else environment
        path = os.pathsep.join(dict.fromkeys([*source.get("PATH", "").split(os.pathsep), *PATH.split(os.pathsep)]))
        # Times as seconds since 1970, so that no time zone and no change of clocks can mislead.
        self._environment = {key: source[key] for key in KEPT if key in source} | {
            "PATH": path.strip(os.pathsep), "LANG": "C.UTF-8", "TZ": "UTC", "SLURM_TIME_FORMAT": "%s",
        }  # fmt: skip
        self._timeout_s = timeout_s

    def submit(self, order: Order) -> int:
        """Submit an array and return its job id."""
        # The environment of the tasks is that of this one call and nothing else. `--export=NONE` promises the same,
        # but has every task start a login shell first: 0.4 to 3 s each.
        environment = {"PATH": PATH, "LANG": "C.UTF-8", **order.environment}
        environment |= {key: value for key, value in self._environment.items() if key == "SLURM_CONF"}
        try:
            done = self._run(sbatch_arguments(order), environment)
        except Retry as error:
            raise Ambiguous(f"sbatch: {error}") from error
        if done.returncode:
            text = (done.stderr or done.stdout).strip()
            if advice := refusal(text, order):
                raise NeedsOperator(Reason.INTERNAL_ERROR, f"SLURM refuses the array {order.key}: {text}. {advice}")
            raise Ambiguous(f"sbatch: {text[-500:]}")
        job_id = done.stdout.strip().partition(";")[0]
        if not job_id.isdigit():
            raise Ambiguous(f"sbatch answered {done.stdout.strip()!r:.200} in place of a job id")
        return int(job_id)

    def queue(self) -> list[Queued]:
        """Return every task of this user that the controller knows, ended ones too."""
        return read_queue(self._ask(["squeue", "-h", "-r", "-t", "all", "--me", "-o", QUEUE_FORMAT]))

    def accounted(self, keys: Iterable[str], since: float) -> list[Accounted]:
        """Return every start of every task with one of these keys that was submitted after `since`."""
        start = datetime.fromtimestamp(since, UTC).strftime("%Y-%m-%dT%H:%M:%S")
        wanted, found = set(keys), []
        rest = iter(sorted(wanted))
        try:
            while chunk := list(islice(rest, KEYS_A_CALL)):
                arguments = ["sacct", "-n", "-P", "-D", "-S", start, f"--name={','.join(chunk)}"]
                found += read_accounted(self._ask([*arguments, f"--format={ACCOUNTED_FIELDS}"]))
        except _NoAccounting:
            found = read_exits(self._ask(["squeue", "-h", "-r", "-t", "FAILED", "--me", "-O", EXITS_FORMAT]))
        return [row for row in found if row.key in wanted and row.submitted >= since]

    def cancel(self, job_ids: Iterable[int]) -> None:
        """Ask the controller to end jobs."""
        if numbers := [str(job_id) for job_id in job_ids]:
            self._ask(["scancel", *numbers])

    def longest_array(self) -> int:
        """Return how many tasks the cluster allows one array to have; 0 where it takes none."""
        return read_longest_array(self._ask(["scontrol", "show", "config"]))

    def partitions(self) -> list[Partition]:
        """Return the partitions of the cluster with how many of their nodes take work."""
        return read_partitions(self._ask(["sinfo", "-h", "-o", PARTITIONS_FORMAT]))

    def _ask(self, arguments: list[str]) -> str:
        done = self._run(arguments, self._environment)
        text = done.stderr.strip()
        if done.returncode:
            if "accounting storage is disabled" in text:
                raise _NoAccounting(Reason.WORKER_LOST, f"{arguments[0]}: {text}")
            raise Retry(Reason.WORKER_LOST, f"{arguments[0]} exit code {done.returncode}: {text[-500:]}")
        return done.stdout

    def _run(self, arguments: list[str], environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
        conf = environment.get("SLURM_CONF")
        if conf and not Path(conf).is_file():  # the commands themselves try for a minute
            raise NeedsOperator(
                Reason.INTERNAL_ERROR,
                f"SLURM_CONF names {conf}, which is not there: is the cluster up, the disk mounted?",
            )
        program = shutil.which(arguments[0], path=self._environment["PATH"])
        if program is None:
            raise NeedsOperator(
                Reason.INTERNAL_ERROR,
                f"the program {arguments[0]} is not on PATH ({self._environment['PATH']}): install SLURM's client "
                "(Debian: apt install slurm-client), or set NIGHTSHIFT_RUNNER=local",
            )
        try:
            return subprocess.run(
                [program, *arguments[1:]], env=dict(environment), cwd="/", stdin=subprocess.DEVNULL,
                capture_output=True, text=True, timeout=self._timeout_s, check=False,
            )  # fmt: skip
        except OSError as error:
            raise Retry(Reason.WORKER_LOST, f"{program} did not start: {error}") from error
        except subprocess.TimeoutExpired as error:
            said = hold_up((error.stderr or b"").decode(errors="replace"))
            why = f"{arguments[0]} did not end within {self._timeout_s:g} s{said and f': {said}'}"
            raise Retry(Reason.WORKER_LOST, why) from error


def sbatch_arguments(order: Order) -> list[str]:
    """Return the whole command line of a submit."""
    folder = str(order.folder).replace("%", "%%")
    wishes = {"partition": order.partition, "qos": order.qos, "account": order.account}
    return [
        "sbatch", "--parsable", "--export=ALL", "--kill-on-invalid-dep=yes",
        "--requeue" if order.requeue else "--no-requeue", "--open-mode=append",
        f"--job-name={order.key}", f"--comment={order.key}", f"--array=0-{order.tasks - 1}",
        "--nodes=1", "--ntasks=1", f"--cpus-per-task={order.cores}", f"--mem={math.ceil(order.memory_mb)}M",
        f"--time={math.ceil(order.time_s / 60) + 1}", f"--nice={order.nice}",
        f"--chdir={order.folder}", f"--output={folder}/%a.log",
        *(f"--{name}={value}" for name, value in wishes.items() if value),
        *([f"--exclude={','.join(order.exclude)}"] if order.exclude else []),
        *script_arguments(order),
    ]  # fmt: skip


def script_arguments(order: Order) -> list[str]:
    """Return the script of a submit and what follows it."""
    return [str(SCRIPT), f"{order.time_s:g}", str(order.first), *order.command]
