"""A task that failed for good is an event, and a hundred of them are one message."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from nightshift.messages.channels import Carrier
from nightshift.messages.listeners import Listeners
from nightshift.messages.telling import tell
from nightshift.vocabulary import EventLevel
from operators.defaults import task_defaults
from operators.task_failed import TaskFailed

pytestmark = pytest.mark.integration


def failed(number: int) -> dict[str, object]:
    task = SimpleNamespace(dag_id="exposure", run_id=f"run {number}", task_id="submit", try_number=4)
    return {"task_instance": task, "exception": ValueError("no such field")}


def events(context) -> list[dict[str, object]]:
    return context.ledger.rows("ledger", "events_since", event_id=0, most=1000)


@pytest.fixture(autouse=True)
def around(monkeypatch, ledger_url):
    monkeypatch.setenv("NIGHTSHIFT_LEDGER", ledger_url)


def test_every_task_has_it_and_its_level_is_that_of_the_workflow(context):
    assert task_defaults()["on_failure_callback"].level is EventLevel.ERROR
    task_defaults(when_failed=EventLevel.PAGE)["on_failure_callback"](failed(1))
    (event,) = events(context)
    assert (event["level"], event["kind"], event["subject"]) == ("page", "task_failed", "exposure/run 1/submit")
    assert "ValueError: no such field" in event["message"]


def test_a_storm_of_failed_tasks_is_one_message(context):
    for number in range(100):
        TaskFailed(EventLevel.PAGE).notify(failed(number))
    sent, now = [], datetime.now(UTC)
    carrier = Carrier(5.0, lambda _, letter: sent.append(letter) or "")
    for later in range(0, 600, 60):
        tell(
            context.ledger, Listeners.of(context.deployment), carrier,
            survey="Test", open_sites=(), now=now + timedelta(seconds=later),
        )  # fmt: skip
    (letter,) = sent
    assert "100 times. A task of a workflow failed" in letter.body


def test_a_ledger_that_does_not_answer_is_no_second_failure(monkeypatch):
    monkeypatch.setenv("NIGHTSHIFT_LEDGER", "postgresql://nobody@127.0.0.1:1/nothing")
    TaskFailed()(failed(1))
