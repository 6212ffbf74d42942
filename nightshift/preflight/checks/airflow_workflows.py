"""Whether Airflow reads every workflow, and none is paused."""

import json
import os
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import httpx

from nightshift.preflight.check import Afternoon, Finding, check, green, red, unknown

__all__ = ["ask_airflow", "check_airflow", "judge_workflows", "read_connection"]

VARIABLE = "AIRFLOW_CONN_NIGHTSHIFT_API"
DAGS = Path(__file__).resolve().parents[3] / "dags"
ANSWER_S = 8.0


@check("airflow", "Airflow's workflows")
def check_airflow(afternoon: Afternoon) -> Finding:
    """Ask Airflow's interface for workflows that do not import or are paused."""
    connection = os.environ.get(VARIABLE)
    if not connection:
        return unknown(
            f"{VARIABLE} is not set here, so Airflow cannot be asked",
            'Set what the stack runs with: eval "$(nightshift environment --survey <survey>)".',
        )
    wanted = {file.stem for file in DAGS.glob("*.py")}
    try:
        dags, errors = ask_airflow(read_connection(connection))
    except (httpx.HTTPError, KeyError, ValueError) as error:
        return red(f"Airflow does not answer: {type(error).__name__}: {error}", "Start it: nightshift status.")
    return judge_workflows(wanted, dags, errors)


def read_connection(text: str) -> dict[str, Any]:
    """Return where Airflow is and who asks, from JSON or an address, as Airflow itself takes them.

    Raises
    ------
    KeyError, ValueError
        If it does not read.
    """
    if text.lstrip().startswith("{"):
        return {"conn_type": "http", **json.loads(text)}
    parts = urlsplit(text)
    return {
        "conn_type": parts.scheme, "host": parts.hostname, "port": parts.port, "login": unquote(parts.username or ""),
        "password": unquote(parts.password or ""),
    }  # fmt: skip


def ask_airflow(
    connection: dict[str, Any], transport: httpx.BaseTransport | None = None
) -> tuple[dict[str, bool], list[str]]:
    """Return the workflows that Airflow knows, each with whether it is paused, and the files that do not import.

    Raises
    ------
    httpx.HTTPError, KeyError, ValueError
        If it does not answer, or not as it should.
    """
    base = f"{connection['conn_type']}://{connection['host']}:{connection['port']}"
    login = {"username": connection["login"], "password": connection["password"]}
    with httpx.Client(base_url=base, timeout=ANSWER_S, trust_env=False, transport=transport) as client:
        token = client.post("/auth/token", json=login).raise_for_status().json()["access_token"]
        client.headers["Authorization"] = f"Bearer {token}"
        dags = client.get("/api/v2/dags", params={"limit": 100}).raise_for_status().json()["dags"]
        errors = client.get("/api/v2/importErrors").raise_for_status().json()["import_errors"]
    return {str(dag["dag_id"]): bool(dag["is_paused"]) for dag in dags}, [str(each["filename"]) for each in errors]


def judge_workflows(wanted: set[str], dags: dict[str, bool], errors: list[str]) -> Finding:
    """Say what is amiss with the workflows."""
    if errors:
        return red(f"Airflow cannot read {', '.join(errors)}", "See its page: DAG import errors.", number=len(errors))
    if lacking := sorted(wanted - dags.keys()):
        return red(f"Airflow does not know {', '.join(lacking)}", "See the log of its dag processor.")
    if paused := sorted(name for name in wanted if dags[name]):
        return red(f"Paused: {', '.join(paused)}", "Unpause them on Airflow's page.", number=len(paused))
    return green(f"All {len(wanted)} workflows are read, and none is paused", number=len(wanted), unit="workflows")
