"""What waits without a worker. Triggers only watch: whoever comes after them reads what happened.

They start in the triggerer and end their task there, so that a wait costs no worker process at either end. Their
arguments may be templates; Airflow renders them in the triggerer before `run`. A template there should ask for
nothing but the run itself: for another task's value the triggerer would build a whole API server in its process.
"""

import asyncio
import json
import re
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from functools import partial
from typing import Any, TypeVar

from airflow.triggers.base import BaseTrigger, TaskSuccessEvent, TriggerEvent

from nightshift.errors import Retry
from nightshift.ledger.notices import DueNotices
from nightshift.runners.watch import Watch
from nightshift.vocabulary import JobState
from operators.poller import shared_poller

__all__ = ["ArrayTrigger", "InboxTrigger", "NightTrigger", "RunTrigger"]

ASK_AGAIN_S = 2.0
NOTICES_APART_S = 0.5
CONNECT_AGAIN_S = 5.0
Answer = TypeVar("Answer")
IN_A_NAME = re.compile(r"__s(?P<submission>\d+)t(?P<try>\d+)__\w+$")  # of an array
# threads of their own: many waits that a person ends at once hold up no other wait's questions
ENDINGS = ThreadPoolExecutor(8, thread_name_prefix="end-wait")


def ended(why: str) -> TaskSuccessEvent:
    """Return the event that ends a task as a success, with why as its value."""
    return TaskSuccessEvent(xcoms={"return_value": why})


class ArrayTrigger(BaseTrigger):
    """Waits until every task of a subject's array has ended, or the exposure's soft deadline has passed.

    The ledger says which array that is; where it was cancelled and begun anew meanwhile, the new one is waited for.
    All arrays that wait in one triggerer share one question to the runner an interval. It decides nothing about
    results, and a restart of the triggerer begins it again and harms nothing. What happens when a person ends the
    wait is said in `nightshift.workflow.cancelling`.

    Parameters
    ----------
    kind : str
        The kind of job.
    keys : str
        The run's `conf` as JSON: the subject's natural keys.
    """

    def __init__(self, kind: str, keys: str):
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow gives no types
        self.kind = kind
        self.keys = keys
        self._array: str | None = None

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what makes this trigger again."""
        return "operators.triggers.ArrayTrigger", {"kind": self.kind, "keys": self.keys}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Watch the array."""
        from operators.array_steps import soft_deadline_s_of

        soft_deadline_s = await self._ask(soft_deadline_s_of)
        why, seen = "nothing to wait for", set[str]()
        while (array := await self._ask_for_array()) is not None and array not in seen:
            if (seen or await self._was_cleared_before(array)) and not _handed_in_by_a_wait(array):
                break  # it belongs to a new try of `submit`, and this wait is about to be ended
            self._array = array
            seen.add(array)
            why, may_have_successor = await _watch(array, Watch(soft_deadline_s))
            if not may_have_successor:
                break
        yield ended(why)

    async def _ask_for_array(self) -> str | None:
        from operators.array_steps import array_of

        instance = self.task_instance  # none where a test of Airflow's runs the trigger inline
        run_id, try_number = (instance.run_id, instance.try_number) if instance else ("", 1)
        return await self._ask(partial(array_of, run_id=run_id, try_number=try_number))

    async def _ask(self, question: Callable[[str, dict[str, str]], Answer]) -> Answer:
        """Ask the ledger about this wait's subject until it answers."""
        while True:
            try:
                return await asyncio.to_thread(question, self.kind, self._conf)
            except Retry as error:
                self.log.warning("the ledger cannot be asked yet: %s", error)
                await asyncio.sleep(ASK_AGAIN_S)

    async def _was_cleared_before(self, array: str) -> bool:
        """Whether a person cleared this wait before an array was handed in. The first one of all is never so late."""
        from operators.array_steps import was_cleared

        instance = self.task_instance
        if instance is None or _submission_and_try(array)[0] == 1:
            return False
        return await asyncio.to_thread(
            was_cleared, run_id=instance.run_id, task_id=instance.task_id, try_number=instance.try_number
        )

    @property
    def _conf(self) -> dict[str, Any]:
        return json.loads(self.keys) or {}

    async def on_kill(self) -> None:
        """Do with the array what the person meant who ended the wait."""
        from operators.array_steps import end_wait

        instance = self.task_instance
        if self._array is None or instance is None:
            return
        ending = partial(
            end_wait, run_id=instance.run_id, task_id=instance.task_id, try_number=instance.try_number,
            array=self._array,
        )  # fmt: skip
        self.log.info("%s", await asyncio.get_running_loop().run_in_executor(ENDINGS, ending))


def _handed_in_by_a_wait(array: str) -> bool:
    """Whether an array was handed in by a wait that was cleared alone: try 0 in its name."""
    return _submission_and_try(array)[1] == 0


def _submission_and_try(array: str) -> tuple[int, int]:
    """Return which of its job's arrays one is, from 1, and by which try of `submit` it was handed in."""
    found = IN_A_NAME.search(array)
    return (int(found["submission"]), int(found["try"])) if found else (1, 1)


async def _watch(array: str, watch: Watch) -> tuple[str, bool]:
    """Return why the wait for an array is over, and whether it was cancelled or is gone."""
    async with aclosing(shared_poller().watch(array)) as answers:
        async for asked, reports in answers:
            if why := watch.over(reports, asked=asked, now=time.time()):
                return why, not reports or any(report.state is JobState.CANCELLED for report in reports)
    raise AssertionError("the poller answers for as long as it is asked")


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
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow gives no types
        self.at_most_s = at_most_s

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what makes this trigger again."""
        return "operators.triggers.InboxTrigger", {"at_most_s": self.at_most_s}

    def question(self) -> Callable[[], str | None]:
        """Look at the inbox every time, at the ledger now and then."""
        from operators.steps import InboxWatch

        return InboxWatch(self.at_most_s).news

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look until there is something to do; at the ledger also as soon as it says that something may be due."""
        from operators.steps import InboxWatch

        watch = InboxWatch(self.at_most_s)
        async with aclosing(ledger_notices(self.interval_s)) as notices:
            async for heard in notices:
                if heard:
                    watch.hear()
                if why := await asyncio.to_thread(watch.news):
                    yield ended(why)
                    return


async def ledger_notices(interval_s: float) -> AsyncGenerator[bool, None]:
    """Yield at once and then every interval, or sooner, whether the ledger has said that something may be due.

    No more often than `NOTICES_APART_S`: a unit that is written says so, and an exposure has dozens. Without a ledger
    nothing is heard; it is connected to again at intervals.
    """
    notices, loop, came = DueNotices(), asyncio.get_running_loop(), asyncio.Event()
    connect_at = 0.0
    try:
        yield False
        while True:
            if not notices.open and time.monotonic() >= connect_at:
                connect_at = time.monotonic() + CONNECT_AGAIN_S
                await asyncio.to_thread(notices.listen)
            heard = await _heard(notices, loop, came, interval_s)
            yield heard
            if heard:
                await asyncio.sleep(NOTICES_APART_S)
    finally:
        notices.close()


async def _heard(
    notices: DueNotices, loop: asyncio.AbstractEventLoop, came: asyncio.Event, interval_s: float
) -> bool:
    """Wait for a notice, or for an interval."""
    if not notices.open:
        await asyncio.sleep(interval_s)
        return False
    descriptor = notices.fileno()
    came.clear()
    loop.add_reader(descriptor, came.set)
    try:
        async with asyncio.timeout(interval_s):
            await came.wait()
    except TimeoutError:
        pass
    finally:
        loop.remove_reader(descriptor)
    return notices.take()


class NightTrigger(Asking):
    """Waits until nothing of a night is under way or due any more, or the night's deadline has passed.

    Parameters
    ----------
    site, night : str
        The site, and the date of its evening, ``YYYY-MM-DD``; empty where the clock asked for the run.
    ended_at : str
        Then the end of the run's data interval.
    """

    interval_s = 2.0

    def __init__(self, site: str, night: str, ended_at: str):
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow gives no types
        self.site = site
        self.night = night
        self.ended_at = ended_at

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what makes this trigger again."""
        arguments = {"site": self.site, "night": self.night, "ended_at": self.ended_at}
        return "operators.triggers.NightTrigger", arguments

    def question(self) -> Callable[[], str | None]:
        """Ask the ledger."""
        from operators.steps import night_of_run, why_night_may_close

        night = night_of_run(self.site, self.night, self.ended_at)
        return lambda: why_night_may_close(night)


class RunTrigger(Asking):
    """Waits until another workflow's run for a night has ended, however it ended, or is not known to Airflow.

    Parameters
    ----------
    workflow : str
        Its DAG.
    site, night, ended_at : str
        As of `NightTrigger`.
    """

    interval_s = 2.0

    def __init__(self, workflow: str, site: str, night: str, ended_at: str):
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow gives no types
        self.workflow = workflow
        self.site = site
        self.night = night
        self.ended_at = ended_at

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what makes this trigger again."""
        arguments = {
            "workflow": self.workflow, "site": self.site, "night": self.night, "ended_at": self.ended_at,
        }  # fmt: skip
        return "operators.triggers.RunTrigger", arguments

    def question(self) -> Callable[[], str | None]:
        """Ask Airflow."""
        from operators.steps import RunWatch, night_of_run

        return RunWatch(self.workflow, night_of_run(self.site, self.night, self.ended_at)).how_it_ended
