"""The shared question of all waiting triggers."""

import asyncio
import threading

from nightshift.errors import Retry
from nightshift.runners.base import TaskReport
from nightshift.vocabulary import JobState, Reason
from operators.poller import ArrayPoller
from operators.triggers import ArrayTrigger


class CountingRunner:
    """Answers from a list, one answer a question; the last one stays. An exception in it is raised."""

    name = "counting"

    def __init__(self, *answers):
        self.answers = list(answers)
        self.asked: list[frozenset[str]] = []
        self.threads: set[int] = set()
        self.cancelled: list[str] = []

    def states(self, names=None):
        self.asked.append(names)
        self.threads.add(threading.get_ident())
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return {name: [TaskReport(name, 0, state)] for name, state in answer.items() if name in names}

    def cancel(self, name):
        self.cancelled.append(name)


async def first_end(poller: ArrayPoller, name: str) -> list[bool]:
    """Watch until the array has ended; return whether the runner answered, for every answer."""
    asked = []
    async for answered, reports in poller.watch(name):
        asked.append(answered)
        if any(report.state.ended for report in reports):
            return asked
    raise AssertionError("the watch ended by itself")


def test_many_that_wait_are_one_question_an_interval_off_the_event_loop():
    runner = CountingRunner(
        {}, {"a": JobState.RUNNING, "b": JobState.RUNNING}, {"a": JobState.DONE, "b": JobState.DONE}
    )
    poller = ArrayPoller(runner, 0.01)

    async def both():
        return await asyncio.gather(first_end(poller, "a"), first_end(poller, "b"))

    asyncio.run(both())
    assert runner.asked[0] == {"a", "b"}
    assert len(runner.asked) == 3
    assert threading.get_ident() not in runner.threads


def test_questions_end_when_nobody_waits_and_begin_again():
    runner = CountingRunner({"a": JobState.DONE, "b": JobState.DONE})
    poller = ArrayPoller(runner, 0.01)

    async def scenario():
        await first_end(poller, "a")
        await asyncio.sleep(0.1)
        between = len(runner.asked)
        await asyncio.sleep(0.1)
        assert len(runner.asked) == between
        await first_end(poller, "b")

    asyncio.run(scenario())
    assert runner.asked[-1] == {"b"}


def test_a_question_that_fails_is_passed_on_as_not_answered_and_asked_again():
    refused = Retry(Reason.WORKER_LOST, "no answer")
    runner = CountingRunner(refused, RuntimeError("garbled"), {"a": JobState.DONE})
    assert asyncio.run(first_end(ArrayPoller(runner, 0.01), "a")) == [False, False, True]


def run_trigger(monkeypatch, runner, array):
    poller = ArrayPoller(runner, 0.01)
    monkeypatch.setattr("operators.steps.array_of", lambda kind, conf: array)
    monkeypatch.setenv("NIGHTSHIFT_SURVEY", "demo")
    monkeypatch.setattr("operators.triggers.shared_poller", lambda: poller)
    trigger = ArrayTrigger("science", "{}")

    async def only_event():
        return [event async for event in trigger.run()]

    return asyncio.run(only_event())


def test_the_trigger_ends_its_task_as_a_success_however_the_jobs_ended(monkeypatch):
    (event,) = run_trigger(monkeypatch, CountingRunner({"a": JobState.FAILED}), "a")
    assert event.task_instance_state == "success"
    assert event.xcoms == {"return_value": "1 failed"}


def test_where_nothing_was_submitted_there_is_nothing_to_wait_for(monkeypatch):
    runner = CountingRunner({})
    (event,) = run_trigger(monkeypatch, runner, None)
    assert event.task_instance_state == "success"
    assert not runner.asked


def killed_while_waiting(monkeypatch, runner, *, others: int) -> None:
    """Let a person end a wait while `others` wait for the same array."""
    poller = ArrayPoller(runner, 0.01)
    monkeypatch.setenv("NIGHTSHIFT_SURVEY", "demo")
    monkeypatch.setattr("operators.triggers.shared_poller", lambda: poller)
    monkeypatch.setattr("operators.triggers.KILL_PATIENCE_S", 0.05)
    monkeypatch.setattr("operators.steps.array_of", lambda kind, conf: "a")

    async def wait(trigger):
        async for _ in trigger.run():
            pass

    async def scenario():
        triggers = [ArrayTrigger("science", "{}") for _ in range(1 + others)]
        tasks = [asyncio.create_task(wait(trigger)) for trigger in triggers]
        while poller.watchers("a") < len(tasks):
            await asyncio.sleep(0.01)
        tasks[0].cancel()
        await asyncio.gather(tasks[0], return_exceptions=True)
        await triggers[0].cleanup()
        assert not runner.cancelled  # a restart of the triggerer goes this way too
        await triggers[0].on_kill()
        for task in tasks[1:]:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(scenario())


def test_a_wait_that_a_person_ended_takes_its_jobs_along(monkeypatch):
    runner = CountingRunner({"a": JobState.RUNNING})
    killed_while_waiting(monkeypatch, runner, others=0)
    assert runner.cancelled == ["a"]


def test_jobs_that_another_wait_has_adopted_are_left_alone(monkeypatch):
    runner = CountingRunner({"a": JobState.RUNNING})
    killed_while_waiting(monkeypatch, runner, others=1)
    assert runner.cancelled == []
