"""Asks Airflow for runs and after their tasks, through its public interface."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import quote

import httpx

from nightshift.errors import BadInput, NeedsOperator, Retry
from nightshift.vocabulary import Reason

__all__ = ["AirflowApi", "TaskState", "airflow_api", "asked_by_person", "person_of"]

CONNECTION = "nightshift_api"  # Airflow's connection; AIRFLOW_CONN_NIGHTSHIFT_API in the environment
TIMEOUT_S = 15.0
RUNS_A_QUESTION, TASKS_AN_ANSWER = 10, 100  # Airflow gives at most 100 tasks at once; a run has at most eight


@dataclass(frozen=True)
class TaskState:
    """How a task of a run stands.

    Parameters
    ----------
    state : str or None
        Airflow's word; None where it has not been looked at, or was cleared.
    try_number, max_tries : int
    """

    state: str | None
    try_number: int
    max_tries: int

    @property
    def ended_by_hand(self) -> bool:
        """Whether a person ended it, or an error that only a person can mend: tries were left, or it was skipped."""
        return self.state == "skipped" or (self.state == "failed" and self.try_number <= self.max_tries)


class AirflowApi:
    """A client of Airflow's REST interface, version 2.

    Parameters
    ----------
    base_url : str
        Such as ``http://127.0.0.1:8080``.
    user, password : str
        Of an account that may start runs.
    transport : httpx.BaseTransport, optional
        For tests.
    """

    def __init__(self, base_url: str, user: str, password: str, *, transport: httpx.BaseTransport | None = None):
        self._login = {"username": user, "password": password}
        self._client = httpx.Client(base_url=base_url, timeout=TIMEOUT_S, transport=transport)
        self._token: str | None = None

    @classmethod
    def from_connection(cls) -> "AirflowApi":
        """Return the client that Airflow's connection ``nightshift_api`` describes."""
        from airflow.sdk import BaseHook

        connection = BaseHook.get_connection(CONNECTION)
        base_url = f"{connection.conn_type or 'http'}://{connection.host}:{connection.port}"
        return cls(base_url, connection.login or "", connection.password or "")

    def create_run(self, dag_id: str, run_id: str, conf: dict[str, Any]) -> bool:
        """Ask for a run; return False where there is one of that id already.

        Raises
        ------
        nightshift.errors.Retry
            If Airflow does not answer, or not as it should: it is not known whether it has the run, and asking
            again does no harm.
        nightshift.errors.NeedsOperator
            If it refuses.
        """
        body = {"dag_run_id": run_id, "logical_date": None, "conf": conf}
        answer = self._authorised("POST", f"/api/v2/dags/{dag_id}/dagRuns", body)
        if answer.status_code == httpx.codes.CONFLICT:
            return False
        if answer.status_code in (httpx.codes.OK, httpx.codes.CREATED):
            return True
        text = f"Airflow answers {answer.status_code} to the request for {run_id}: {answer.text[:300]}"
        # a DAG may be unknown for a while after Airflow started; a server error passes
        passes = answer.is_server_error or answer.status_code in (
            httpx.codes.NOT_FOUND,
            httpx.codes.TOO_MANY_REQUESTS,
        )
        raise (Retry if passes else NeedsOperator)(Reason.INTERNAL_ERROR, text)

    def run_state(self, dag_id: str, run_id: str) -> str | None:
        """Return the state of a run, or None where there is none.

        Raises
        ------
        nightshift.errors.Retry
            If Airflow does not answer, or not as it should.
        """
        answer = self._authorised("GET", f"/api/v2/dags/{dag_id}/dagRuns/{quote(run_id, safe='')}")
        if answer.status_code == httpx.codes.NOT_FOUND:
            return None
        if not answer.is_success:
            raise Retry(Reason.INTERNAL_ERROR, f"Airflow answers {answer.status_code} to the question for {run_id}")
        return str(answer.json()["state"])

    def put_note(self, dag_id: str, run_id: str, text: str) -> None:
        """Write the note of a run, which its page shows.

        Raises
        ------
        nightshift.errors.Retry
            If Airflow does not answer, or not as it should.
        """
        path = f"/api/v2/dags/{dag_id}/dagRuns/{quote(run_id, safe='')}"
        answer = self._authorised("PATCH", path, {"note": text})
        if not answer.is_success:
            raise Retry(Reason.INTERNAL_ERROR, f"Airflow answers {answer.status_code} to the note of {run_id}")

    def tasks_of_runs(self, run_ids: Iterable[str]) -> dict[str, dict[str, TaskState]]:
        """Return the tasks of some runs, by run and task; a run that is gone has no entry.

        Raises
        ------
        nightshift.errors.Retry
            If Airflow does not answer, or not as it should.
        """
        found: dict[str, dict[str, TaskState]] = {}
        wanted = sorted(run_ids)
        for first in range(0, len(wanted), RUNS_A_QUESTION):
            body = {"dag_run_ids": wanted[first : first + RUNS_A_QUESTION], "page_limit": TASKS_AN_ANSWER}
            answer = self._authorised("POST", "/api/v2/dags/~/dagRuns/~/taskInstances/list", body)
            if not answer.is_success:
                raise Retry(Reason.INTERNAL_ERROR, f"Airflow answers {answer.status_code} to the question for tasks")
            table = answer.json()
            rows, total = table["task_instances"], table.get("total_entries") or 0
            if len(rows) < total:  # a run that was cut off would look like one that is gone
                raise Retry(Reason.INTERNAL_ERROR, f"Airflow tells of {len(rows)} of {total} tasks")
            for row in rows:
                tasks = found.setdefault(row["dag_run_id"], {})
                tasks[row["task_id"]] = TaskState(row["state"], row["try_number"], row["max_tries"])
        return found

    def _authorised(self, method: str, path: str, body: dict[str, Any] | None = None) -> httpx.Response:
        answer = self._send(method, path, body, self._token or self._new_token())
        if answer.status_code == httpx.codes.UNAUTHORIZED:  # the token's time was over
            answer = self._send(method, path, body, self._new_token())
        return answer

    def _new_token(self) -> str:
        answer = self._send("POST", "/auth/token", self._login, None)
        if not answer.is_success:
            kind = Retry if answer.is_server_error else NeedsOperator
            raise kind(
                Reason.INTERNAL_ERROR,
                f"Airflow gives no token ({answer.status_code}): see its connection {CONNECTION!r}",
            )
        self._token = str(answer.json()["access_token"])
        return self._token

    def _send(self, method: str, path: str, body: dict[str, Any] | None, token: str | None) -> httpx.Response:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        try:
            return self._client.request(method, path, json=body, headers=headers)
        except httpx.HTTPError as error:
            raise Retry(Reason.INTERNAL_ERROR, f"Airflow does not answer: {error!r}") from error


def person_of(run: Any) -> str:
    """Return the account that asked for a run.

    Raises
    ------
    nightshift.errors.BadInput
        If Airflow names none: what a person asks for is done under a name, or not at all.
    """
    if not (name := (run.triggering_user_name or "").strip()):
        raise BadInput(Reason.INTERNAL_ERROR, "nobody is named who asked for this run: ask for it logged in")
    return name


def asked_by_person(run: Any) -> bool:
    """Whether a person, and not Nightshift itself, asked for a run."""
    from airflow.sdk import BaseHook

    asker = getattr(run, "triggering_user_name", None)
    return asker is not None and asker != BaseHook.get_connection(CONNECTION).login


@cache
def airflow_api() -> AirflowApi:
    """Return this process's client."""
    return AirflowApi.from_connection()
