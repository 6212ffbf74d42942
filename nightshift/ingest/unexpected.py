"""An error that nobody foresaw, over one file: it is set aside like any other, and an engineer finds where it was."""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

from nightshift.errors import BadInput, NightshiftError
from nightshift.ingest.naming import shown
from nightshift.vocabulary import Reason

__all__ = ["UnexpectedError", "as_bad_input", "trace_of"]

LONGEST = 20_000  # characters of a traceback that are kept: its end, where the error was raised


class UnexpectedError(BadInput):
    """An error that nobody foresaw was raised while a file was taken in.

    Parameters
    ----------
    message : str
        The error's class and words.
    trace : str
        Its traceback.
    """

    def __init__(self, message: str, trace: str):
        super().__init__(Reason.INTERNAL_ERROR, message)
        self.trace = trace

    def __reduce__(self) -> tuple[type[Self], tuple[object, ...]]:
        return type(self), (str(self), self.trace)

    @classmethod
    def of(cls, error: Exception) -> Self:
        """Return it for an error that was caught."""
        return cls(f"{type(error).__name__}: {error}", trace_of(error))


def trace_of(error: Exception) -> str:
    """Return the traceback of an error as text that the ledger can hold."""
    return "\n".join(shown(line) for line in "".join(traceback.format_exception(error)).splitlines())[-LONGEST:]


@contextmanager
def as_bad_input() -> Iterator[None]:
    """Let what nobody foresaw be `UnexpectedError`. What already says who must act, and what a disk does, stay."""
    try:
        yield
    except NightshiftError:
        raise
    except OSError as error:
        if error.errno is not None:
            raise
        raise UnexpectedError.of(error) from error  # of a library that found a file unreadable, and not of a disk
    except Exception as error:
        raise UnexpectedError.of(error) from error
