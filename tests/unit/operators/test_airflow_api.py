"""How runs are asked for."""

import json
from types import SimpleNamespace

import httpx
import pytest

from nightshift.errors import BadInput, NeedsOperator, Retry
from operators.airflow_api import AirflowApi, TaskState, person_of

RUN = ("exposure", "exposure__demo__1", {"instrument": "demo", "exposure_id": "1"})


class Airflow:
    """Answers as Airflow does; `answers` are the codes for the requests for runs, one after the other."""

    def __init__(self, *answers: int, tokens: int = 200):
        self.answers, self.tokens = list(answers), tokens
        self.seen: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.seen.append(request)
        if request.url.path == "/auth/token":
            return httpx.Response(self.tokens, json={"access_token": f"token{len(self.seen)}"})
        code = self.answers.pop(0)
        if code == 0:
            raise httpx.ConnectError("refused")
        return httpx.Response(code, json={})

    def client(self) -> AirflowApi:
        return AirflowApi("http://airflow", "nightshift", "secret", transport=httpx.MockTransport(self))

    @property
    def logins(self) -> int:
        return sum(request.url.path == "/auth/token" for request in self.seen)


def test_a_run_is_asked_for_by_its_own_id_and_without_a_logical_date():
    airflow = Airflow(200)
    assert airflow.client().create_run(*RUN)
    assert airflow.seen[-1].url.path == "/api/v2/dags/exposure/dagRuns"
    assert json.loads(airflow.seen[-1].content) == {"dag_run_id": RUN[1], "logical_date": None, "conf": RUN[2]}


def test_a_run_that_exists_counts_as_asked_for():
    assert not Airflow(409).client().create_run(*RUN)


def test_one_login_serves_many_requests_and_an_old_token_is_renewed_once():
    airflow = Airflow(200, 200, 401, 200)
    client = airflow.client()
    for _ in range(3):
        assert client.create_run(*RUN)
    assert airflow.logins == 2


@pytest.mark.parametrize("code", [0, 500, 503, 429, 404])
def test_what_may_pass_is_to_be_tried_again(code):
    with pytest.raises(Retry):
        Airflow(code).client().create_run(*RUN)


@pytest.mark.parametrize("code", [400, 403, 422])
def test_what_will_not_pass_needs_somebody(code):
    with pytest.raises(NeedsOperator, match=str(code)):
        Airflow(code).client().create_run(*RUN)


def test_an_account_that_is_refused_needs_somebody_and_says_which_connection():
    with pytest.raises(NeedsOperator, match="nightshift_api"):
        Airflow(tokens=401).client().create_run(*RUN)


def tasks(*rows):
    """Answer every question for tasks with these."""

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/auth/token":
            return httpx.Response(200, json={"access_token": "token"})
        wanted = json.loads(request.content)["dag_run_ids"]
        found = [row for row in rows if row["dag_run_id"] in wanted]
        return httpx.Response(200, json={"task_instances": found[:100], "total_entries": len(found)})

    return AirflowApi("http://airflow", "nightshift", "secret", transport=httpx.MockTransport(answer))


def test_the_tasks_of_many_runs_are_a_few_questions_and_a_run_that_is_gone_has_none():
    rows = [
        {"dag_run_id": f"run{n}", "task_id": "science.wait", "state": "deferred", "try_number": 1, "max_tries": 3}
        for n in range(25)
    ]
    found = tasks(*rows).tasks_of_runs([f"run{n}" for n in range(26)])
    assert len(found) == 25
    assert found["run7"] == {"science.wait": TaskState("deferred", 1, 3)}
    assert "run25" not in found


def test_an_answer_that_was_cut_off_is_no_answer():
    rows = [
        {"dag_run_id": "run0", "task_id": f"t{n}", "state": "success", "try_number": 1, "max_tries": 3}
        for n in range(101)
    ]
    with pytest.raises(Retry, match="100 of 101"):
        tasks(*rows).tasks_of_runs(["run0", "run1"])


@pytest.mark.parametrize("name", [None, "", " "])
def test_what_a_person_asks_for_is_done_under_a_name_or_not_at_all(name):
    with pytest.raises(BadInput, match="nobody is named"):
        person_of(SimpleNamespace(triggering_user_name=name))
    assert person_of(SimpleNamespace(triggering_user_name="mira")) == "mira"


@pytest.mark.parametrize(
    ("state", "try_number", "by_hand"),
    [("failed", 1, True), ("failed", 4, False), ("skipped", 0, True), ("success", 1, False), (None, 0, False)],
)
def test_a_task_that_failed_with_tries_left_was_ended_by_hand(state, try_number, by_hand):
    assert TaskState(state, try_number, 3).ended_by_hand is by_hand


def test_a_note_is_written_on_the_run_it_names_and_an_answer_that_is_none_is_tried_again():
    airflow = Airflow(200, 403)
    client = airflow.client()
    client.put_note("dispose_frame", "manual__2026:1+1", "Refused: no")
    assert (airflow.seen[-1].method, json.loads(airflow.seen[-1].content)) == ("PATCH", {"note": "Refused: no"})
    assert airflow.seen[-1].url.raw_path.endswith(b"/dispose_frame/dagRuns/manual__2026%3A1%2B1")
    with pytest.raises(Retry):
        client.put_note("dispose_frame", "x", "Refused: no")
