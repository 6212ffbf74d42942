"""The shared question of all waiting triggers."""

import asyncio
import threading

import pytest

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


class Task:
    """The instance of a wait's task, as far as its trigger looks at it."""

    task_id, run_id, try_number = "science.wait", "exposure__1", 1


@pytest.fixture
def waiting(monkeypatch):
    """Return a function that makes a trigger that waits for the arrays of a list, one after the other."""
    monkeypatch.setenv("NIGHTSHIFT_SURVEY", "demo")

    def make(runner, *arrays):
        poller, left = ArrayPoller(runner, 0.01), list(arrays)
        monkeypatch.setattr("operators.triggers.shared_poller", lambda: poller)
        monkeypatch.setattr(
            "operators.array_steps.array_of", lambda kind, conf, **_: left.pop(0) if len(left) > 1 else left[0]
        )
        monkeypatch.setattr("operators.array_steps.soft_deadline_s_of", lambda kind, conf: 60.0)
        trigger = ArrayTrigger("science", "{}")
        trigger.task_instance = Task()
        return trigger, poller

    return make


async def events_of(trigger):
    return [event async for event in trigger.run()]


def test_the_trigger_ends_its_task_as_a_success_however_the_jobs_ended(waiting):
    trigger, _ = waiting(CountingRunner({"a": JobState.FAILED}), "a")
    (event,) = asyncio.run(events_of(trigger))
    assert event.task_instance_state == "success"
    assert event.xcoms == {"return_value": "1 failed"}


def test_where_nothing_was_submitted_there_is_nothing_to_wait_for(waiting):
    runner = CountingRunner({})
    trigger, _ = waiting(runner, None)
    (event,) = asyncio.run(events_of(trigger))
    assert event.task_instance_state == "success"
    assert not runner.asked


def test_a_ledger_that_is_away_for_a_moment_ends_no_wait(waiting, monkeypatch):
    trigger, _ = waiting(CountingRunner({"a": JobState.DONE}), "a")
    answers = [Retry(Reason.INTERNAL_ERROR, "away"), Retry(Reason.INTERNAL_ERROR, "away"), "a"]

    def array_of(kind, conf, **_):
        answer = answers.pop(0)
        if isinstance(answer, Retry):
            raise answer
        return answer

    monkeypatch.setattr("operators.array_steps.array_of", array_of)
    monkeypatch.setattr("operators.triggers.ASK_AGAIN_S", 0.01)
    (event,) = asyncio.run(events_of(trigger))
    assert event.xcoms == {"return_value": "1 done"}


def test_a_wait_follows_the_array_that_took_the_place_of_its_own(waiting):
    own, anew, of_a_new_try = "a__s1t1__1f", "a__s2t0__2f", "a__s2t2__3f"
    runner = CountingRunner({own: JobState.CANCELLED, anew: JobState.DONE, of_a_new_try: JobState.DONE})
    trigger, _ = waiting(runner, own, anew)
    (event,) = asyncio.run(events_of(trigger))
    assert event.xcoms == {"return_value": "1 done"}
    trigger, _ = waiting(runner, own, of_a_new_try)
    (event,) = asyncio.run(events_of(trigger))
    assert event.xcoms == {"return_value": "1 cancelled"}
    assert trigger._array == own  # what ends this wait now does not reach the new try's jobs


def test_an_array_that_was_cancelled_and_has_no_successor_ends_the_wait(waiting):
    trigger, _ = waiting(CountingRunner({"a": JobState.CANCELLED}), "a")
    (event,) = asyncio.run(events_of(trigger))
    assert event.xcoms == {"return_value": "1 cancelled"}


def test_only_what_a_person_does_and_no_restart_of_the_triggerer_touches_the_jobs(waiting, monkeypatch):
    runner, ended = CountingRunner({"a": JobState.RUNNING}), []
    trigger, poller = waiting(runner, "a")
    monkeypatch.setattr("operators.array_steps.end_wait", lambda **what: ended.append(what))

    async def scenario():
        task = asyncio.create_task(events_of(trigger))
        while not poller.watchers("a"):
            await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await trigger.cleanup()  # a restart of the triggerer goes this way
        assert not ended
        await trigger.on_kill()

    asyncio.run(scenario())
    assert runner.cancelled == []
    assert ended == [{"run_id": "exposure__1", "task_id": "science.wait", "try_number": 1, "array": "a"}]


@pytest.mark.parametrize(("cleared", "asked"), [(True, False), (False, True)])
def test_a_wait_that_was_cleared_before_it_asked_leaves_the_new_tries_array_alone(
    waiting, monkeypatch, cleared, asked
):
    runner = CountingRunner({"set__s2t2__5e9190": JobState.DONE})
    trigger, _ = waiting(runner, "set__s2t2__5e9190")
    monkeypatch.setattr("operators.array_steps.was_cleared", lambda **_: cleared)
    asyncio.run(events_of(trigger))
    assert bool(runner.asked) is asked
    assert (trigger._array is None) is cleared
