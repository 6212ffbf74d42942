"""One machine's stack: which parts it has, in which environment, and how they come up."""

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import httpx

from nightshift.catalogue.folder import place_catalogues
from nightshift.clock import clock_from_text
from nightshift.depot import Depot
from nightshift.errors import NeedsOperator
from nightshift.health import Storage
from nightshift.ledger import Ledger, migrate
from nightshift.ledger.embedded import EmbeddedPostgres, memory_of_machine
from nightshift.loopback import LOOPBACK, listens
from nightshift.observing_calendar import fill_where_it_reads
from nightshift.settings import Deployment, SettingsError
from nightshift.stack.airflow_environment import airflow_environment, of_the_site, overruled
from nightshift.stack.home import Home
from nightshift.stack.ports import Ports, check_free
from nightshift.stack.service_names import MAIL_LOGIN, TOKEN
from nightshift.stack.stand_ins import command_of, missing_for
from nightshift.stack.supervisor import Part, Supervisor, tail
from nightshift.vocabulary import Reason

__all__ = ["ADMIN", "Machine", "Outside"]

PYTHON = sys.executable
AIRFLOW_PARTS = ("api-server", "scheduler", "dag-processor", "triggerer")
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # loopback is behind no proxy
LOOK_EVERY_S = 0.4
UP_WITHIN_S = 300.0  # 20 s on a free machine of two cores
RUNNERS = ("local", "slurm")
MAIL = "mail"  # name of the secret by which the mail sink knows the night's own mails
KAFKA = "kafka"  # in place of the address of a broker: one that is run here
CLUSTER_NODES = 2
MEMORY_A_SLOT_MB = 4000  # by declaration: what a job may ask for, its retries with more included
BEFORE_THE_REST = ("postgres", "broker", "mail")
# of our own variables: the parts have those that the machine sets, and these as whoever starts it has them
PASSED_ON = (
    "NIGHTSHIFT_CONFIG", "NIGHTSHIFT_WORKERS", "NIGHTSHIFT_RETRY_DELAY_S", "NIGHTSHIFT_RUNS_AT_ONCE",
    "NIGHTSHIFT_LEDGER_MEMORY_MB", "NIGHTSHIFT_SECOND_COPY", "NIGHTSHIFT_NODE_PYTHON",
    "NIGHTSHIFT_SLURM_TRANSPORT", "NIGHTSHIFT_KAFKA_JARS", "NIGHTSHIFT_ALERT_KEY",
    *MAIL_LOGIN,  # one part's alone: nightshift/stack/child_process.py
)  # fmt: skip
# Accounts of Airflow's page. What Nightshift asks for by itself is done by an account of its own, so that the page
# and the audit tell a person's runs from the machine's.
ADMIN, OPERATOR, VIEWER, SERVICE = "admin", "operator", "viewer", "nightshift"


@dataclass(frozen=True)
class Outside:
    """Services that are there already and are used in place of the embedded ones.

    Parameters
    ----------
    ledger : str, optional
        libpq address of a PostgreSQL for the ledger (``NIGHTSHIFT_LEDGER``).
    brokers : str, optional
        Bootstrap servers of a Kafka (``NIGHTSHIFT_BROKERS``); ``kafka``: of one node that is run here.
    smtp : str, optional
        ``host:port`` of a mail relay (``NIGHTSHIFT_SMTP``).
    runner : str
        What runs jobs, ``local`` or ``slurm`` (``NIGHTSHIFT_RUNNER``).
    slurm : str, optional
        The configuration file of a SLURM cluster (``SLURM_CONF``, where the runner is ``slurm``).
    """

    ledger: str | None = None
    brokers: str | None = None
    smtp: str | None = None
    runner: str = "local"
    slurm: str | None = None

    @classmethod
    def from_environment(cls) -> "Outside":
        """Return what the environment names."""
        ledger, brokers, smtp = (
            os.environ.get(f"NIGHTSHIFT_{name}") or None for name in ("LEDGER", "BROKERS", "SMTP")
        )
        runner = os.environ.get("NIGHTSHIFT_RUNNER") or "local"
        if runner not in RUNNERS:
            raise SettingsError(f"NIGHTSHIFT_RUNNER={runner!r}: it is {' or '.join(RUNNERS)}")
        slurm = os.environ.get("SLURM_CONF") if runner == "slurm" else None
        return cls(ledger, brokers, smtp, runner, slurm)


@dataclass
class Machine:
    """The parts of one survey on this machine.

    Parameters
    ----------
    deployment : Deployment
    home : Home
    ports : Ports
    outside : Outside
    clock : str
        The night's clock as ``NIGHTSHIFT_CLOCK`` says it; by default the machine's own.
    say : callable
        Takes one line of progress.
    """

    deployment: Deployment
    home: Home
    ports: Ports
    outside: Outside = field(default_factory=Outside)
    clock: str = "system"
    say: Callable[[str], None] = print

    def __post_init__(self) -> None:
        self.supervisor = Supervisor(self.home)
        self.postgres = EmbeddedPostgres(self.home.postgres, self.ports.ledger, memory_of_machine())

    # --- what it consists of -------------------------------------------------------------------------------

    @property
    def address(self) -> str:
        """Where Airflow's page answers."""
        return f"http://{LOOPBACK}:{self.ports.airflow}"

    @property
    def ledger_url(self) -> str:
        """The ledger's address."""
        return self.outside.ledger or self.postgres.owner_url("nightshift")

    @property
    def slurm_conf(self) -> str:
        """The cluster's configuration file, where the runner is ``slurm``."""
        return self.outside.slurm or str(self.home.cluster / "slurm.conf")

    @property
    def passwords(self) -> Path:
        """The file of the accounts of Airflow's page."""
        return self.home.run / "accounts.json"

    def parts(self) -> tuple[Part, ...]:
        """Return every part that runs here, in the order in which they start."""
        airflow = tuple(
            Part(name, (PYTHON, "-m", "airflow", *arguments), priority=60 + place)
            for place, (name, arguments) in enumerate(
                {
                    "api-server": ["api-server"],
                    "scheduler": ["scheduler", "--skip-serve-logs"],
                    "dag-processor": ["dag-processor"],
                    "triggerer": ["triggerer", "--skip-serve-logs"],
                }.items()
            )
        )
        own = [
            *self._runner_parts(),
            Part(
                "consumer",
                command_of("consumer", "--folder", str(self.home.received)),
                priority=50,
            ),
        ]
        if self._broker_is_here:
            own.append(Part("broker", self._broker(), priority=20))
        if not self.outside.smtp:
            own.append(
                Part(
                    "mail",
                    command_of(
                        "mail", "--port", str(self.ports.smtp), "--folder", str(self.home.mail),
                        "--password-file", str(self.home.secret_file(MAIL)),
                    ),
                    priority=30,
                )
            )  # fmt: skip
        # env -i: the database runs as another user where root starts it, who needs none of our secrets
        database = Part(
            "postgres",
            ("/usr/bin/env", "-i", f"{TOKEN}={self.home.root}", "PATH=/usr/bin:/bin", *self.postgres.command),
            priority=10, user=self.postgres.operating_system_user,
            stop_signal="INT", stop_group=False, stop_wait_s=30, alone=False,  # its children end by themselves
        )  # fmt: skip
        return tuple(sorted((database, *own, *airflow), key=lambda part: part.priority))

    @property
    def _broker_is_here(self) -> bool:
        return self.outside.brokers in (None, KAFKA)

    def _broker(self) -> tuple[str, ...]:
        """Return the command of the broker that runs here."""
        address = ("--address-file", str(self.home.broker_address))
        if self.outside.brokers == KAFKA:
            return command_of("kafka", "--folder", str(self.home.kafka), *address)
        return command_of("broker", *address)

    def _runner_parts(self) -> tuple[Part, ...]:
        """Return what runs the jobs: the pool, or a cluster of as many slots, or nothing where one is there."""
        if self.outside.runner == "local":
            return (Part("pool", self._module("nightshift.runners.pool"), priority=40),)
        if self.outside.slurm:
            return ()
        slots = int(os.environ.get("NIGHTSHIFT_WORKERS") or os.cpu_count() or 1)
        nodes = min(slots, CLUSTER_NODES)
        command = self._module(
            "nightshift.command_line", "cluster", "run", "--folder", str(self.home.cluster),
            "--nodes", str(nodes), "--slots", str(-(-slots // nodes)),
            "--memory-mb", str(MEMORY_A_SLOT_MB * -(-slots // nodes)),
        )  # fmt: skip
        # its daemons live in sessions of their own; the part takes them down, which takes some seconds
        return (Part("cluster", command, priority=40, stop_group=False, stop_wait_s=60),)

    def _module(self, module: str, *arguments: str) -> tuple[str, ...]:
        return (PYTHON, "-m", module, *arguments)

    def environment(self) -> dict[str, str]:
        """Return the whole environment of every part."""
        own = {
            "NIGHTSHIFT_SURVEY": self.deployment.name,
            "NIGHTSHIFT_LEDGER": self.ledger_url,
            "NIGHTSHIFT_DEPOT": str(self.home.depot),
            "NIGHTSHIFT_INBOX": str(self.home.inbox),
            "NIGHTSHIFT_SPOOL": str(self.home.spool),
            "NIGHTSHIFT_RUNNER": self.outside.runner,
            "NIGHTSHIFT_SMTP": self.outside.smtp or f"{LOOPBACK}:{self.ports.smtp}",
            "NIGHTSHIFT_BROKERS": (
                f"file:{self.home.broker_address}" if self._broker_is_here else str(self.outside.brokers)
            ),
            **({"NIGHTSHIFT_ALERT_KEY": self.home.secret("alerts")} if self._broker_is_here else {}),
            "NIGHTSHIFT_CLOCK": self.clock,
            "NIGHTSHIFT_AIRFLOW_METADATA": self.postgres.owner_url("airflow"),
            "AIRFLOW_CONN_NIGHTSHIFT_API": json.dumps(
                {
                    "conn_type": "http",
                    "host": LOOPBACK,
                    "port": self.ports.airflow,
                    "login": SERVICE,
                    "password": self.home.secret(SERVICE),
                }
            ),
            **({} if self.outside.smtp else dict(zip(MAIL_LOGIN, (SERVICE, self.home.secret(MAIL)), strict=True))),
            **({"SLURM_CONF": self.slurm_conf} if self.outside.runner == "slurm" else {}),
            "PYTHONUNBUFFERED": "1",
            # who renames its process writes the name over its environment, and with it over what tells its stack
            "SPT_NOENV": "1",
            "PYTHONWARNINGS": "ignore::DeprecationWarning",
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
            "NUMBA_NUM_THREADS": "1",
            "MPLBACKEND": "Agg",
            "TZ": "UTC",
        }
        airflow = airflow_environment(
            self.home.airflow,
            database=self.postgres.owner_url("airflow"),
            port=self.ports.airflow,
            secret=self.home.secret("airflow"),
            passwords=self.passwords,
        )
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("NIGHTSHIFT_", "AIRFLOW"))}
        configured = {key: os.environ[key] for key in PASSED_ON if key in os.environ}
        return {**kept, **configured, **airflow, **of_the_site(os.environ), **own}

    # --- how it comes up -----------------------------------------------------------------------------------

    def start(self) -> None:
        """Bring every part up in a home that was made, or raise with the end of the log of the one that fails."""
        self.check_can_start()
        for name in overruled(os.environ):
            self.say(f"{name} is not taken from the environment: the stack sets it itself")
        self._write_accounts()
        self.home.broker_address.unlink(missing_ok=True)
        (self.home.cluster / "run" / "ready").unlink(missing_ok=True)
        self.postgres.initialise()
        for survey in self.deployment.surveys:
            place_catalogues(survey, Depot(self.home.depot))
        parts = self.parts()
        self.supervisor.start(parts, self.environment())
        self.home.remember(
            survey=self.deployment.name, ports=self.ports.named(), outside=asdict(self.outside), clock=self.clock
        )
        compiling = self._compile_kernels() if self.outside.runner == "slurm" else None
        self._bring_up([part for part in parts if part.name in BEFORE_THE_REST], limit_s=UP_WITHIN_S)
        self._migrate()
        self._bring_up([part for part in parts if part.name not in BEFORE_THE_REST], limit_s=UP_WITHIN_S)
        if compiling is not None:
            compiling.wait(UP_WITHIN_S)

    def _compile_kernels(self) -> subprocess.Popen[bytes]:
        """Fill the cache of compiled kernels: each job is a process of its own, and the first would compile alone."""
        with (self.home.logs / "kernels.log").open("wb") as output:
            return subprocess.Popen(
                [PYTHON, "-c", "from nightshift.jobs.warm import warm_up; warm_up()"],
                env=self.environment(), cwd=self.home.root, stdout=output, stderr=subprocess.STDOUT,
            )  # fmt: skip

    def check_can_start(self) -> None:
        """Raise if a stack of this home runs already, or a port is taken; nothing is changed."""
        if self.supervisor.pid() is not None or self.supervisor.left():
            raise SettingsError(
                f"a stack of {self.deployment.name} runs already (in {self.home.root}): "
                f"`nightshift down --survey {self.deployment.name}` ends it"
            )
        if self.outside.runner == "slurm" and not self.outside.slurm and (lack := missing_for("cluster")):
            raise SettingsError(lack)
        if self.outside.brokers == KAFKA and (lack := missing_for("kafka")):
            raise SettingsError(lack)
        embedded = {"airflow", "ledger"} | ({"smtp"} if not self.outside.smtp else set())
        check_free(self.ports, frozenset(embedded))

    def disk_trouble(self) -> str | None:
        """Return what is wrong with the disk of this home, on which the embedded ledger lies too, or None."""
        return Storage("night's folder", self.home.root).trouble(
            max(survey.storage.least_free_mb for survey in self.deployment.surveys)
        )

    def stop(self) -> None:
        """End every part."""
        self.supervisor.stop()

    def _write_accounts(self) -> None:
        accounts = {name: self.home.secret(name) for name in (ADMIN, OPERATOR, VIEWER, SERVICE)}
        self.passwords.touch(mode=0o600)
        self.passwords.write_text(json.dumps(accounts))

    def _migrate(self) -> None:
        """Bring both databases to their newest schema, at the same time."""
        began = time.monotonic()
        for name in ("airflow", "nightshift"):
            self.postgres.create_database(name)
        with Ledger(self.postgres.owner_url("airflow")) as metadata:
            metadata.run("airflow", "limit_idle_transactions")
        log = self.home.logs / "airflow-migration.log"
        with log.open("wb") as output:
            airflow = subprocess.Popen(
                [PYTHON, "-m", "airflow", "db", "migrate"],
                env=self.environment(), cwd=self.home.root, stdout=output, stderr=subprocess.STDOUT,
            )  # fmt: skip
            try:
                migrate(self.ledger_url, survey=self.deployment.name, sites=self.deployment.site_names)
                code = airflow.wait(120)
            finally:
                airflow.kill()
        if code:
            raise NeedsOperator(Reason.INTERNAL_ERROR, f"`airflow db migrate` failed:\n{tail(log, 15)}")
        with Ledger(self.ledger_url) as ledger:
            if trouble := fill_where_it_reads(ledger, self.deployment, clock_from_text(self.clock).now()):
                self.say(trouble)
        with Ledger(self.postgres.owner_url("airflow")) as metadata:
            metadata.run("airflow", "end_dead_components")
        self.say(f"databases ready after {time.monotonic() - began:.1f} s")

    def _bring_up(self, parts: list[Part], *, limit_s: float) -> None:
        """Start parts and wait until each says that it is up."""
        began = time.monotonic()
        for part in parts:
            self.supervisor.start_part(part.name)
        waiting = [part.name for part in parts]
        while waiting:
            states = self.supervisor.states()
            health = self._airflow_health() if set(waiting) & set(AIRFLOW_PARTS) else {}
            for name in [name for name in waiting if self._is_up(name, states[name][0], health)]:
                waiting.remove(name)
                self.say(f"{name} is up after {time.monotonic() - began:.1f} s")
            late = time.monotonic() - began > limit_s
            failed = [name for name in waiting if late or states[name][0] == "FATAL"]
            if failed:
                logs = "\n\n".join(f"--- end of {name}'s log\n{self.supervisor.tail(name)}" for name in failed)
                raise NeedsOperator(Reason.INTERNAL_ERROR, f"{', '.join(failed)} did not come up:\n{logs}")
            time.sleep(LOOK_EVERY_S)

    def _is_up(self, name: str, state: str, health: dict[str, Any]) -> bool:
        if state != "RUNNING":
            return False
        if name == "postgres":
            return self.postgres.answers()
        if name == "broker":
            return self._broker_answers()
        if name == "cluster":
            return (self.home.cluster / "run" / "ready").exists()
        if name == "mail":
            return listens(self.ports.smtp)
        if name in AIRFLOW_PARTS:
            key = {"api-server": "metadatabase"}.get(name, name.replace("-", "_"))
            return (health.get(key) or {}).get("status") == "healthy"
        return True

    def _broker_answers(self) -> bool:
        """Return whether the broker that runs here has written its address, and listens there."""
        try:
            first = self.home.broker_address.read_text().split()[0].split(",")[0]
            return listens(int(first.rpartition(":")[2]))
        except (OSError, IndexError, ValueError):
            return False

    def _airflow_health(self) -> dict[str, Any]:
        """Return what Airflow says of its components; nothing while it does not answer."""
        try:
            with DIRECT.open(f"{self.address}/api/v2/monitor/health", timeout=10) as answer:
                health: dict[str, Any] = json.load(answer)
        except (OSError, ValueError):
            return {}
        return health

    def airflow_complaints(self) -> list[str]:
        """Return what Airflow says of DAG files that it could not read."""
        try:
            answer = self.airflow_client().get("/api/v2/importErrors").json()
        except (httpx.HTTPError, ValueError, KeyError):
            return ["Airflow's page does not answer"]
        return [
            f"Airflow cannot read {item['filename']}: {item['stack_trace'].strip().splitlines()[-1]}"
            for item in answer.get("import_errors", ())
        ]

    def airflow_client(self) -> httpx.Client:
        """Return a client of Airflow's REST interface that is logged in as the administrator."""
        login = {"username": ADMIN, "password": self.home.secret(ADMIN)}
        answer = httpx.post(f"{self.address}/auth/token", json=login, timeout=20, trust_env=False).raise_for_status()
        client = httpx.Client(base_url=self.address, timeout=20, trust_env=False)
        token = answer.json()["access_token"]
        client.headers["Authorization"] = f"Bearer {token}"
        return client
