"""How runs are asked for."""

import json

import httpx
import pytest

from nightshift.errors import NeedsOperator, Retry
from operators.airflow_api import AirflowApi

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
