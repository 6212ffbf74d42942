"""Airflow's own metadata grows without end: what is old and over leaves it."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from tempfile import TemporaryDirectory

from nightshift.errors import NeedsOperator, Retry
from nightshift.ledger import Ledger
from nightshift.settings import SettingsError
from nightshift.vocabulary import Reason

__all__ = ["VARIABLE", "Pruned", "metadata_address", "prune_metadata"]

VARIABLE = "NIGHTSHIFT_AIRFLOW_METADATA"
# What grows with each run. The DAGs themselves and their newest versions stay.
TABLES = (
    "dag_run", "task_instance", "task_instance_history", "task_reschedule", "task_state_store", "xcom", "log", "job",
    "trigger", "callback", "deadline", "asset_event", "import_error", "revoked_token",
)  # fmt: skip
TIMEOUT_S = 3600.0


@dataclass(frozen=True)
class Pruned:
    """What was removed from Airflow's metadata, or would be.

    Parameters
    ----------
    before : datetime
        What is older has left.
    runs : int
        Of workflows, of which the rest hangs.
    held_back_by : str
        The run that is open and older than what was asked for, so that nothing as old as it may leave; empty where
        there is none.
    """

    before: datetime
    runs: int
    held_back_by: str = ""

    def __str__(self) -> str:
        held = f"; {self.held_back_by} is open and keeps what is as old as it" if self.held_back_by else ""
        return f"{self.runs} runs of before {self.before:%Y-%m-%d %H:%M} UTC{held}"


def metadata_address() -> str:
    """Return the libpq address of Airflow's database: tasks cannot ask Airflow for it."""
    address = os.environ.get(VARIABLE)
    if not address:
        raise SettingsError(
            f"{VARIABLE} is not set, the address of Airflow's database, such as postgresql://user@host:5432/airflow; "
            'of a stack on this machine eval "$(nightshift environment --survey <name>)" sets it'
        )
    return address


def prune_metadata(address: str, *, older_than_days: int, dry_run: bool = False) -> Pruned:
    """Remove runs that are older than so many days and over, with all that hangs on them. May run again.

    An open run keeps itself and everything that is as old as it.

    Parameters
    ----------
    address : str
        libpq address of Airflow's database.
    older_than_days : int
    dry_run : bool
        Count only, and change nothing.

    Raises
    ------
    nightshift.errors.NeedsOperator
        If Airflow's own command fails; the message has the end of what it printed.
    """
    wanted = datetime.now(UTC) - timedelta(days=older_than_days)
    with Ledger(address) as metadata:
        oldest = metadata.row("airflow", "oldest_open_run", before=wanted)
        before = oldest["since"] - timedelta(seconds=1) if oldest else wanted
        runs = metadata.value("airflow", "runs_over", before=before)
        if not dry_run:
            _clean(address, before)
            runs -= metadata.value("airflow", "runs_over", before=before)
    return Pruned(before, runs, oldest["run_id"] if oldest else "")


def _clean(address: str, before: datetime) -> None:
    command = (
        sys.executable, "-m", "airflow", "db", "clean", "--yes", "--skip-archive", "--error-on-cleanup-failure",
        "--batch-size", "10000", "--clean-before-timestamp", before.isoformat(), "--tables", ",".join(TABLES),
    )  # fmt: skip
    driver = address.replace("postgresql://", "postgresql+psycopg2://", 1)
    with TemporaryDirectory(prefix="nightshift-airflow-") as folder:  # Airflow writes a configuration into it
        done = _run(command, {
            **_outside_of_a_task(), "AIRFLOW_HOME": folder, "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": driver,
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC": "",
        })  # fmt: skip
    if done.returncode:
        said = "\n".join((done.stdout + done.stderr).splitlines()[-15:])
        raise NeedsOperator(Reason.INTERNAL_ERROR, f"`airflow db clean` failed:\n{said}")


def _outside_of_a_task() -> dict[str, str]:
    """Return the environment without what Airflow tells a task's process of itself: the command is none."""
    return {key: value for key, value in os.environ.items() if not key.startswith("_AIRFLOW")}


def _run(command: Sequence[str], environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise Retry(
            Reason.INTERNAL_ERROR,
            f"`airflow db clean` was stopped after {TIMEOUT_S:.0f} s; what it removed stays removed: run it again",
        ) from error
