"""What Airflow must be told on one machine."""

import base64
import hashlib
from collections.abc import Mapping
from pathlib import Path

from nightshift.stack.machine_size import cores, memory_mb

__all__ = ["MUST_HOLD", "airflow_environment", "of_the_site", "overruled", "sizes"]

ROOT = Path(__file__).resolve().parents[2]
TASK_MB = 200.0  # of a task's process; a quarter of the memory is for tasks, the rest for jobs and services
API_WORKER_MB = 260.0
# What the stack cannot run without. A site's own variable of these names is not taken; every other wins over ours.
MUST_HOLD = frozenset(
    f"AIRFLOW__{name}"
    for name in (
        "CORE__EXECUTOR",  # no other executor's workers run here
        "CORE__DAGS_FOLDER", "CORE__PLUGINS_FOLDER", "CORE__DAGS_ARE_PAUSED_AT_CREATION", "CORE__FERNET_KEY",
        "CORE__EXECUTION_API_SERVER_URL", "CORE__AUTH_MANAGER", "CORE__SIMPLE_AUTH_MANAGER_USERS",
        "CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE", "CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS",
        "DATABASE__SQL_ALCHEMY_CONN", "DATABASE__SQL_ALCHEMY_CONN_ASYNC", "API__HOST", "API__PORT", "API__BASE_URL",
        "API__SECRET_KEY", "API_AUTH__JWT_SECRET", "LOGGING__BASE_LOG_FOLDER",
    )
)  # fmt: skip
FORMS = ("", "_CMD", "_SECRET")  # in which Airflow takes a setting from the environment
OURS = ("AIRFLOW_HOME", "AIRFLOW_CONN_NIGHTSHIFT_API")


def of_the_site(environment: Mapping[str, str]) -> dict[str, str]:
    """Return those of a site's own variables for Airflow that are respected."""
    return {
        key: value
        for key, value in environment.items()
        if key.startswith("AIRFLOW") and key not in OURS and not _must_hold(key)
    }


def overruled(environment: Mapping[str, str]) -> list[str]:
    """Return those that are set and not taken, as the stack cannot run with another value."""
    return sorted(key for key in environment if _must_hold(key))


def _must_hold(key: str) -> bool:
    return any(key == f"{name}{form}" for name in MUST_HOLD for form in FORMS)


def sizes(cpus: int, memory: float) -> dict[str, str]:
    """Return how many processes Airflow runs on a machine.

    Parameters
    ----------
    cpus : int
        Cores that it may use.
    memory : float
        In MB.
    """
    tasks = min(3 * cpus, int(memory / 4 / TASK_MB), 64)
    workers = min(cpus // 8, int(memory / 16 / API_WORKER_MB), 4)
    return {
        "CORE__PARALLELISM": str(max(2, tasks)),
        "API__WORKERS": str(max(1, workers)),
        "DAG_PROCESSOR__PARSING_PROCESSES": str(max(1, min(cpus, 4))),
    }


def airflow_environment(folder: Path, *, database: str, port: int, secret: str, passwords: Path) -> dict[str, str]:
    """Return Airflow's settings as environment variables, by the size of this machine.

    Parameters
    ----------
    folder : Path
        Airflow's own folder: its logs are below it.
    database : str
        libpq address of the database for Airflow's metadata.
    port : int
        Where its page answers, on 127.0.0.1.
    secret : str
        From which its keys are derived; the same for every component.
    passwords : Path
        JSON file of the simple auth manager: user to password.
    """
    base = f"http://127.0.0.1:{port}"
    settings = {
        "CORE__EXECUTOR": "LocalExecutor",
        **sizes(cores(), memory_mb()),
        "CORE__MAX_ACTIVE_TASKS_PER_DAG": "16",
        "CORE__MAX_ACTIVE_RUNS_PER_DAG": "16",
        "CORE__LOAD_EXAMPLES": "False",
        "CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "CORE__DAGS_FOLDER": str(ROOT / "dags"),
        "CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
        "CORE__FERNET_KEY": base64.urlsafe_b64encode(_derived(secret, "fernet")).decode(),
        "CORE__EXECUTION_API_SERVER_URL": f"{base}/execution/",
        "CORE__SIMPLE_AUTH_MANAGER_USERS": "admin:admin,operator:op,viewer:viewer,nightshift:op",
        "CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords),
        "DATABASE__SQL_ALCHEMY_CONN": database.replace("postgresql://", "postgresql+psycopg2://", 1),
        # empty: no asynchronous engine, which needs a second driver and serves only multi-team and run-wait requests
        "DATABASE__SQL_ALCHEMY_CONN_ASYNC": "",
        "API__HOST": "127.0.0.1",
        "API__PORT": str(port),
        "API__BASE_URL": base,
        "API__SECRET_KEY": _derived(secret, "api").hex(),
        "API_AUTH__JWT_SECRET": _derived(secret, "jwt").hex() * 2,
        # parsing costs a CPU second a file; a file that changed is parsed at once all the same
        "DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "3600",
        "LOGGING__BASE_LOG_FOLDER": str(folder / "logs"),
        "SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.5",
        "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "60",
        "SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "30",
        "TRIGGERER__JOB_HEARTBEAT_SEC": "2",
        "TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "15",
    }
    return {"AIRFLOW_HOME": str(folder), **{f"AIRFLOW__{key}": value for key, value in settings.items()}}


def _derived(secret: str, purpose: str) -> bytes:
    return hashlib.sha256(f"{purpose}:{secret}".encode()).digest()
