"""One question to the runner an interval, however many arrays wait in this triggerer."""

import asyncio
import logging
import random
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from functools import cache

from nightshift.errors import NightshiftError
from nightshift.runners import Runner, TaskReport, runner_from_environment

__all__ = ["ArrayPoller", "shared_poller"]

log = logging.getLogger(__name__)

INTERVAL_S = {"local": 0.5}  # files on this machine; everything else is a cluster that others use too
USUAL_INTERVAL_S = 2.0
JITTER = 0.1  # of the interval, so that several triggerers do not ask in step

Answer = dict[str, list[TaskReport]] | None


class ArrayPoller:
    """Asks the runner for all watched arrays at once, in a thread, for as long as any is watched.

    Parameters
    ----------
    runner : Runner
    interval_s : float
        From the end of one question to the next, a tenth more or less.
    """

    def __init__(self, runner: Runner, interval_s: float):
        self.runner = runner
        self.interval_s = interval_s
        self._watched: Counter[str] = Counter()
        self._next: asyncio.Future[Answer] | None = None
        self._task: asyncio.Task[None] | None = None

    async def watch(self, name: str) -> AsyncGenerator[tuple[bool, Sequence[TaskReport]], None]:
        """Yield, an interval apart, whether the runner answered and what it knows of an array."""
        self._watched[name] += 1
        try:
            while True:
                answer = await asyncio.shield(self._answer())
                yield answer is not None, (answer or {}).get(name, [])
        finally:
            self._watched[name] -= 1
            self._watched += Counter()  # drops those that nobody watches

    def watchers(self, name: str) -> int:
        """Return how many watch an array."""
        return self._watched[name]

    def _answer(self) -> "asyncio.Future[Answer]":
        if self._next is None or self._next.done():
            self._next = asyncio.get_running_loop().create_future()
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._ask())
        return self._next

    async def _ask(self) -> None:
        while self._watched:
            answer = await self._states(frozenset(self._watched))
            if self._next and not self._next.done():
                self._next.set_result(answer)
            await asyncio.sleep(self.interval_s * random.uniform(1 - JITTER, 1 + JITTER))  # noqa: S311

    async def _states(self, names: frozenset[str]) -> Answer:
        try:
            return await asyncio.to_thread(self.runner.states, names)
        except NightshiftError as error:
            log.warning("the runner does not answer: %s", error)
        except Exception:  # the boundary: one bad answer must not end the wait of every array
            log.exception("the question to the runner failed")
        return None


@cache
def shared_poller() -> ArrayPoller:
    """Return the poller of this process."""
    runner = runner_from_environment()
    return ArrayPoller(runner, INTERVAL_S.get(runner.name, USUAL_INTERVAL_S))
