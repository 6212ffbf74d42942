"""A cluster in a folder: brought up, asked, disturbed on purpose, and taken down."""

import contextlib
import getpass
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import Any

import psutil

from nightshift.errors import NeedsOperator
from nightshift.files import write_json, write_whole
from nightshift.loopback import LOOPBACK, free_ports, listens
from nightshift.vocabulary import Reason
from rehearsal.cluster.cluster_plan import ACCOUNT, ClusterPlan, cluster_name, slurm_conf, slurmdbd_conf
from rehearsal.cluster.daemon import Daemon

__all__ = ["Cluster", "missing", "missing_programs"]

PATH = "/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin:/usr/local/bin"
STACK = "NIGHTSHIFT_STACK"  # the variable by which a stack knows its processes
PROGRAMS = {
    "slurmctld": "slurmctld", "slurmd": "slurmd", "sbatch": "slurm-client", "scontrol": "slurm-client",
}  # fmt: skip
ACCOUNTING_PROGRAMS = {
    "slurmdbd": "slurmdbd", "mariadbd": "mariadb-server", "mariadb-install-db": "mariadb-server",
}  # fmt: skip
USABLE = frozenset({"idle", "mixed", "allocated", "completing"})  # states of a node that takes jobs
UP_WITHIN_S = 90.0
QUEUE_EMPTY_WITHIN_S = 10.0
DATABASE = (  # one statement a line; accounts without a password, which a new database has, go first
    "drop user if exists root@'127.0.0.1', root@'::1', root@'{host}', ''@'localhost', ''@'{host}';\n"
    "create database if not exists slurm_acct_db;\n"
    "create user if not exists slurm@'127.0.0.1' identified by '{password}';\n"
    "grant all on slurm_acct_db.* to slurm@'127.0.0.1';\n"
)
DATABASE_OPTIONS = (
    "innodb_buffer_pool_size=32M", "innodb_log_file_size=32M", "innodb_lock_wait_timeout=900",
    "innodb_flush_log_at_trx_commit=2", "performance_schema=OFF", "skip_name_resolve=ON",
    "max_allowed_packet=16M",
)  # fmt: skip


def missing_programs(*, accounting: bool = True) -> tuple[str, ...]:
    """Return the Debian packages whose programs are not there."""
    wanted = PROGRAMS | (ACCOUNTING_PROGRAMS if accounting else {})
    return tuple(sorted({package for program, package in wanted.items() if not shutil.which(program, path=PATH)}))


def missing() -> str:
    """Return what this machine lacks to run a cluster for a night and how to get it; empty where it lacks nothing."""
    if packages := missing_programs():
        return (
            f"a cluster for the night needs packages that are not installed: apt install {' '.join(packages)} "
            "(or name a cluster with SLURM_CONF)"
        )
    return ""


class Cluster:
    """The cluster of a folder, running or not.

    Parameters
    ----------
    folder : Path
        Holds everything of it. Absolute, without blanks.
    plan : ClusterPlan, optional
        Of a new cluster; one that is there keeps its own.
    tied : bool
        Whether the daemons end with the thread that started them, however it ends. Otherwise they stay until `down`.
    """

    def __init__(self, folder: Path, plan: ClusterPlan | None = None, *, tied: bool = False):
        self.tied = tied
        self.folder = folder.resolve()
        self.conf = self.folder / "slurm.conf"
        self._plan = plan or ClusterPlan()

    # --- what it consists of ----------------------------------------------------------------------------------

    @cached_property
    def _made(self) -> dict[str, Any]:
        """The ports and the plan with which it was made."""
        try:
            made: dict[str, Any] = json.loads((self.folder / "cluster.json").read_text())
            return made
        except FileNotFoundError:
            raise NeedsOperator(
                Reason.INTERNAL_ERROR, f"there is no cluster in {self.folder}: `nightshift cluster up` makes one"
            ) from None

    @property
    def exists(self) -> bool:
        """Whether one was made here."""
        return (self.folder / "cluster.json").exists()

    @property
    def plan(self) -> ClusterPlan:
        """How large it is."""
        table = self._made["plan"]
        return ClusterPlan(**table | {"nodes": tuple(table["nodes"]), "more": tuple(table["more"])})

    @property
    def environment(self) -> dict[str, str]:
        """What SLURM's commands need in order to find it."""
        return {"SLURM_CONF": str(self.conf)}

    @property
    def daemons(self) -> dict[str, Daemon]:
        """Return the daemons by name, in the order in which they start: database first, nodes last."""
        environment = {**self.environment, "PATH": PATH, "HOME": str(self.folder), "LANG": "C.UTF-8", "TZ": "UTC"}
        environment |= {name: os.environ[name] for name in (STACK,) if name in os.environ}
        commands: dict[str, tuple[str, ...]] = {}
        if self.plan.accounting:
            commands["mariadb"] = self._database_command
            commands["slurmdbd"] = ("slurmdbd", "-D")
        commands["slurmctld"] = ("slurmctld", "-D", "-f", str(self.conf))
        for node in self.plan.names:
            commands[node] = ("slurmd", "-D", "-N", node, "-f", str(self.conf))
        tie = (_program("setpriv"), "--pdeathsig", "TERM") if self.tied else ()
        return {
            name: Daemon(name, (*tie, _program(command[0]), *command[1:]), self.folder, environment)
            for name, command in commands.items()
        }

    @property
    def _database_command(self) -> tuple[str, ...]:
        return (
            "mariadbd", "--no-defaults", f"--datadir={self.folder}/mariadb", f"--bind-address={LOOPBACK}",
            f"--port={self._made['ports']['mariadb']}", "--socket=", f"--pid-file={self.folder}/run/mariadb.pid",
            f"--init-file={self.folder}/database.sql", f"--user={getpass.getuser()}",
            *(f"--{option}" for option in DATABASE_OPTIONS),
        )  # fmt: skip

    # --- up and down ------------------------------------------------------------------------------------------

    def up(self) -> None:
        """Bring every daemon up, making the cluster where there is none; return when every node takes jobs.

        Raises
        ------
        nightshift.errors.NeedsOperator
            If a package is missing, or a daemon does not come up: with the end of what it printed.
        """
        if packages := missing_programs(accounting=self._plan.accounting):
            raise NeedsOperator(Reason.INTERNAL_ERROR, f"not installed: apt install {' '.join(packages)}")
        if not self.exists:
            self._make()
        daemons = self.daemons
        if self.plan.accounting:
            daemons["mariadb"].start()
            self._wait("mariadb", lambda: listens(self._made["ports"]["mariadb"]))
            daemons["slurmdbd"].start()
            self._wait("slurmdbd", lambda: self._done("sacctmgr", "-n", "-i", "show", "cluster"))
            if not self._ask("sacctmgr", "-n", "show", "account", ACCOUNT):
                self._register()
        daemons["slurmctld"].start()
        self._wait("slurmctld", lambda: self._done("scontrol", "ping"))
        for node in self.plan.names:
            daemons[node].start()
        self._wait("slurmctld", lambda: bool(self.node_states()))
        down = [name for name, state in self.node_states().items() if state.startswith(("down", "drain"))]
        if down:  # since before the cluster went down
            self.run("scontrol", "update", f"NodeName={','.join(down)}", "State=RESUME")
        self.wait_until_nodes_take_jobs()

    def _register(self) -> None:
        """Let the accounting know the cluster, an account and this user: nobody else may submit."""
        name, user = cluster_name(self.folder), getpass.getuser()
        for words in (
            ("cluster", name),
            ("account", ACCOUNT, f"cluster={name}", "Description=nightshift", "Organization=nightshift"),
            ("user", user, f"account={ACCOUNT}", f"DefaultAccount={ACCOUNT}"),
        ):
            self._done("sacctmgr", "-i", "add", *words)

    def _make(self) -> None:
        if " " in str(self.folder):
            raise NeedsOperator(Reason.INTERNAL_ERROR, f"SLURM takes no blank in a folder's name: {self.folder}")
        for name in ("state", "spool", "run", "logs"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        names = ["slurmctld", "slurmdbd", "mariadb", *self._plan.names]
        ports = dict(zip(names, free_ports(len(names)), strict=True))
        password = secrets.token_hex(16)
        write_whole(self.conf, slurm_conf(self._plan, self.folder, ports).encode())
        if self._plan.accounting:
            for name, text in (
                ("slurmdbd.conf", slurmdbd_conf(self.folder, ports, password)),
                ("database.sql", DATABASE.format(password=password, host=socket.gethostname())),
            ):
                (self.folder / name).touch(mode=0o600)
                (self.folder / name).write_text(text)
            self._make_database()
        write_json(self.folder / "cluster.json", {"plan": asdict(self._plan), "ports": ports})

    def _make_database(self) -> None:
        done = subprocess.run(
            [_program("mariadb-install-db"), "--no-defaults", f"--datadir={self.folder}/mariadb",
             f"--user={getpass.getuser()}", "--skip-test-db", "--auth-root-authentication-method=normal"],
            env={"PATH": PATH, "HOME": str(self.folder)}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            text = (done.stderr or done.stdout).strip()[-800:]
            raise NeedsOperator(Reason.INTERNAL_ERROR, f"the accounting database was not made: {text}")

    def down(self) -> None:
        """Cancel what runs, end every daemon, and end what a job may have left; nothing of it runs afterwards."""
        if not self.exists:
            return
        if self.daemons["slurmctld"].process() is not None and self._done("scancel", "--me"):
            with contextlib.suppress(NeedsOperator):
                self._wait("the queue", lambda: not self._ask("squeue", "-h"), QUEUE_EMPTY_WITHIN_S)
        daemons = self.daemons
        for name in ("slurmctld", *self.plan.names):  # together: each takes some seconds
            daemons[name].send(signal.SIGTERM)
        for daemon in reversed(daemons.values()):
            daemon.stop()
        for process in self.payloads():
            with contextlib.suppress(psutil.Error):
                process.kill()

    def payloads(self) -> list[psutil.Process]:
        """Return the processes of this cluster's jobs, and the steps that hold them: also those that were lost."""
        name, found = cluster_name(self.folder), []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                environment = process.environ()
                step = process.name() == "slurmstepd" and environment.get("SLURM_CONF") == str(self.conf)
                if step or environment.get("SLURM_CLUSTER_NAME") == name:
                    found.append(process)
        return found

    # --- asking -----------------------------------------------------------------------------------------------

    def run(self, *command: str, timeout_s: float = 30.0) -> subprocess.CompletedProcess[str]:
        """Run one of SLURM's commands against this cluster."""
        return subprocess.run(
            [_program(command[0]), *command[1:]], env={**self.environment, "PATH": PATH, "TZ": "UTC"},
            capture_output=True, text=True, timeout=timeout_s, check=False,
        )  # fmt: skip

    def _done(self, *command: str) -> bool:
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self.run(*command).returncode == 0
        return False

    def _ask(self, *command: str) -> str:
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self.run(*command).stdout.strip()
        return ""

    def node_states(self) -> dict[str, str]:
        """Return what the controller says of each node (``idle``, ``mixed``, ``down``, ...); empty if it is away."""
        lines = self._ask("sinfo", "-h", "-N", "-o", "%N %T").splitlines()
        return dict(line.split() for line in lines if len(line.split()) == 2)

    def _wait(self, what: str, ready: Callable[[], bool], within_s: float = UP_WITHIN_S) -> None:
        deadline = time.monotonic() + within_s
        while not ready():
            if time.monotonic() > deadline:
                tail = self.daemons[what].tail() if what in self.daemons else ""
                raise NeedsOperator(
                    Reason.INTERNAL_ERROR,
                    f"{what} not ready after {within_s:.0f} s; logs: {self.folder}/logs\n{tail}",
                )
            time.sleep(0.1)

    def wait_until_nodes_take_jobs(self, within_s: float = UP_WITHIN_S) -> None:
        """Return when every node is up."""
        self._wait("the nodes", self.takes_jobs, within_s)

    def takes_jobs(self) -> bool:
        """Whether the controller says that every node is up."""
        states = self.node_states()
        return all(states.get(name) in USABLE for name in self.plan.names)

    # --- in the foreground ------------------------------------------------------------------------------------

    def serve(self) -> None:
        """Bring it up, start again what dies, and take it down when told to end (SIGTERM or SIGINT)."""
        told: list[int] = []
        self.tied = True
        for sign in (signal.SIGTERM, signal.SIGINT):
            signal.signal(sign, lambda number, _: told.append(number))
        try:
            self.up()
            (self.folder / "run" / "ready").touch()
            while not told:
                for daemon in self.daemons.values():
                    daemon.start()
                time.sleep(1)
        finally:
            (self.folder / "run" / "ready").unlink(missing_ok=True)
            self.down()


def _program(name: str) -> str:
    return shutil.which(name, path=PATH) or name
