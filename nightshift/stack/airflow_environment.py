"""What Airflow must be told on one machine."""

import base64
import hashlib
from pathlib import Path

__all__ = ["airflow_environment"]

ROOT = Path(__file__).resolve().parents[2]


def airflow_environment(folder: Path, *, database: str, port: int, secret: str, passwords: Path) -> dict[str, str]:
    """Return Airflow's settings as environment variables.

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
        "CORE__PARALLELISM": "6",
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
        "API__WORKERS": "1",
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
