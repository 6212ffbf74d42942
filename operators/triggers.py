"""What waits without a worker. Triggers only watch: whoever comes after them reads what happened.

They start in the triggerer and end their task there, so that a wait costs no worker process at either end. Their
arguments may be templates; Airflow renders them in the triggerer before `run`. A template there should ask for
nothing but the run itself: for another task's value the triggerer would build a whole API server in its process.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

from airflow.triggers.base import BaseTrigger, TaskSuccessEvent, TriggerEvent

from nightshift.runners.watch import Watch
from nightshift.workplace import survey_from_environment
from operators.poller import shared_poller

__all__ = ["ArrayTrigger", "InboxTrigger", "NightTrigger", "RunTrigger"]

KILL_PATIENCE_S = 5.0  # a cleared wait's successor attaches within this


def ended(why: str) -> TaskSuccessEvent:
    """Return the event that ends a task as a success, with why as its value."""
    return TaskSuccessEvent(xcoms={"return_value": why})


class ArrayTrigger(BaseTrigger):
    """Waits until every task of a subject's array has ended, or the exposure's soft deadline has passed.

    The ledger says which array that is. All arrays that wait in one triggerer share one question to the runner an
    interval. It decides nothing about results, and a restart of the triggerer begins it again and harms nothing.

    Parameters
    ----------
    kind : str
        The kind of job.
    keys : str
        The run's `conf` as JSON: the subject's natural keys.
    """

    def __init__(self, kind: str, keys: str):
        super().__init__()
        self.kind = kind
        self.keys = keys
        self._array: str | None = None

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what makes this trigger again."""
        return "operators.triggers.ArrayTrigger", {"kind": self.kind, "keys": self.keys}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Watch the array."""
        from operators.steps import array_of

        self._array = await asyncio.to_thread(array_of, self.kind, json.loads(self.keys) or {})
        if self._array is None:
            yield ended("nothing to wait for")
            return
        watch = Watch(survey_from_environment().exposure.soft_deadline_s)
        async for asked, reports in shared_poller().watch(self._array):
            if why := watch.over(reports, asked=asked, now=time.time()):
                yield ended(why)
                return

    async def on_kill(self) -> None:
        """Cancel the array where a person ended the wait, unless another wait has adopted it since."""
        if self._array is None:
            return
        poller = shared_poller()
        await asyncio.sleep(KILL_PATIENCE_S)
        if not poller.watchers(self._array):
            await asyncio.to_thread(poller.runner.cancel, self._array)


class Asking(BaseTrigger):
    """Puts one blocking question again and again, in a thread, until it has an answer."""

    interval_s = 1.0

    def question(self) -> Callable[[], str | None]:
        """Return a function that returns why the wait is over, or None while it is not."""
        raise NotImplementedError

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Ask until there is an answer."""
        ask = self.question()
        while True:
            if why := await asyncio.to_thread(ask):
                yield ended(why)
                return
            await asyncio.sleep(self.interval_s)


class InboxTrigger(Asking):
    """Waits until there is something to do: a complete file in the inbox, or something due by the ledger.

    Parameters
    ----------
    at_most_s : float
        It also ends after so long, so that the sweep has its turn on a quiet night.
    """

    interval_s = 0.5

    def __init__(self, at_most_s: float = 60.0):
        super().__init__()
        self.at_most_s = at_most_s

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what makes this trigger again."""
        return "operators.triggers.InboxTrigger", {"at_most_s": self.at_most_s}

    def question(self) -> Callable[[], str | None]:
        """Look at the inbox every time, at the ledger now and then."""
        from operators.steps import InboxWatch

        return InboxWatch(self.at_most_s).news


class NightTrigger(Asking):
    """Waits until nothing of a night is under way or due any more, or the night's deadline has passed.

    Parameters
    ----------
    night : str
        The date of its evening, ``YYYY-MM-DD``; empty where the clock asked for the run.
    ended_at : str
        Then the end of the run's data interval.
    """

    interval_s = 2.0

    def __init__(self, night: str, ended_at: str):
        super().__init__()
        self.night = night
        self.ended_at = ended_at

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what makes this trigger again."""
        return "operators.triggers.NightTrigger", {"night": self.night, "ended_at": self.ended_at}

    def question(self) -> Callable[[], str | None]:
        """Ask the ledger."""
        from operators.steps import night_of_run, why_night_may_close

        night = night_of_run(self.night, self.ended_at)
        return lambda: why_night_may_close(night)


class RunTrigger(Asking):
    """Waits until another workflow's run for a night has ended, however it ended.

    Parameters
    ----------
    workflow : str
        Its DAG.
    night, ended_at : str
        As of `NightTrigger`.
    """

    interval_s = 2.0

    def __init__(self, workflow: str, night: str, ended_at: str):
        super().__init__()
        self.workflow = workflow
        self.night = night
        self.ended_at = ended_at

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what makes this trigger again."""
        arguments = {"workflow": self.workflow, "night": self.night, "ended_at": self.ended_at}
        return "operators.triggers.RunTrigger", arguments

    def question(self) -> Callable[[], str | None]:
        """Ask Airflow."""
        from operators.steps import how_run_of_night_ended, night_of_run

        night = night_of_run(self.night, self.ended_at)
        return lambda: how_run_of_night_ended(self.workflow, night)
