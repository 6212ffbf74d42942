"""What waits without a worker. Triggers only watch: whoever comes after them reads what happened.

They start in the triggerer and end their task there, so that a wait costs no worker process at either end. Their
arguments are templates; Airflow renders them in the triggerer before `run`.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from datetime import date
from typing import Any

from airflow.triggers.base import BaseTrigger, TaskSuccessEvent, TriggerEvent

from nightshift.runners.watch import Watch
from nightshift.workplace import survey_from_environment
from operators.poller import shared_poller

__all__ = ["ArrayTrigger", "InboxTrigger", "NightTrigger"]

NOTHING = ("", "None")  # how a template renders where nothing was submitted


def ended(why: str) -> TaskSuccessEvent:
    """Return the event that ends a task as a success, with why as its value."""
    return TaskSuccessEvent(xcoms={"return_value": why})


class ArrayTrigger(BaseTrigger):
    """Waits until every task of an array has ended, or the exposure's soft deadline has passed.

    All arrays that wait in one triggerer share one question to the runner an interval. It decides nothing about
    results, and a restart of the triggerer begins it again and harms nothing.

    Parameters
    ----------
    array : str
        The array's name, as `submit` returned it.
    """

    def __init__(self, array: str):
        super().__init__()
        self.array = array

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what makes this trigger again."""
        return "operators.triggers.ArrayTrigger", {"array": self.array}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Watch the array."""
        if self.array in NOTHING:
            yield ended("nothing to wait for")
            return
        watch = Watch(survey_from_environment().exposure.soft_deadline_s)
        async for asked, reports in shared_poller().watch(self.array):
            if why := watch.over(reports, asked=asked, now=time.time()):
                yield ended(why)
                return

    async def on_kill(self) -> None:
        """Cancel the array where a person ended the wait, unless another wait has adopted it since."""
        poller = shared_poller()
        if self.array not in NOTHING and not poller.watchers(self.array):
            await asyncio.to_thread(poller.runner.cancel, self.array)


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
        The date of its evening, ``YYYY-MM-DD``.
    """

    interval_s = 2.0

    def __init__(self, night: str):
        super().__init__()
        self.night = night

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what makes this trigger again."""
        return "operators.triggers.NightTrigger", {"night": self.night}

    def question(self) -> Callable[[], str | None]:
        """Ask the ledger."""
        from operators.steps import why_night_may_close

        night = date.fromisoformat(self.night)
        return lambda: why_night_may_close(night)
