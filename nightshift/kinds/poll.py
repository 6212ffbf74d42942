"""One look at what is due: what several kinds ask of the ledger is read once."""

from collections.abc import Callable
from typing import Any, TypeVar

from nightshift.context import Context

__all__ = ["Poll"]

Answer = TypeVar("Answer")


class Poll:
    """What was read in one look.

    Parameters
    ----------
    context : Context
    """

    def __init__(self, context: Context):
        self._context = context
        self._answers: dict[Callable[[Context], Any], Any] = {}

    def once(self, read: Callable[[Context], Answer]) -> Answer:
        """Return what a function reads, which is called only once in this look."""
        if read not in self._answers:
            self._answers[read] = read(self._context)
        answer: Answer = self._answers[read]
        return answer
