"""What is guessed of a camera: each value with how sure it is and a sentence that says why."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from nightshift.settings.open_questions import question

__all__ = ["Certainty", "Draft", "DraftTable", "Guess", "asked"]


class Certainty(StrEnum):
    """How far a guess may be believed."""

    SURE = "sure"
    """Read or measured, and nothing contradicts it."""
    LIKELY = "likely"
    """Read or measured once, or by a rule that seldom fails."""
    UNSURE = "unsure"
    """A usual value, or one that only the header says: look at it before the first night."""
    ASKED = "ASK"
    """Cannot be known from the files."""


@dataclass(frozen=True)
class Guess:
    """A value of the settings.

    Parameters
    ----------
    key : str
        Of its table.
    value : Any
        Text, number, truth value, list or table of them.
    certainty : Certainty
    says : str
        Why, or for what is asked, where to find it out. One sentence or two.
    """

    key: str
    value: Any
    certainty: Certainty
    says: str


def asked(key: str, what: str, *, instead: Any = None, in_list: bool = False) -> Guess:
    """Return what has to be found out: the settings do not load before, unless a harmless value stands `instead`."""
    value = question(what) if instead is None else instead
    return Guess(key, [value] if in_list else value, Certainty.ASKED, what)


@dataclass(frozen=True)
class DraftTable:
    """A table of a settings file, such as ``[camera.header]``."""

    heading: str
    guesses: tuple[Guess, ...]
    says: str = ""


@dataclass(frozen=True)
class Draft:
    """All five files of a survey, and what to know about them.

    Parameters
    ----------
    files : dict
        File name to tables; the table of an empty heading stands first.
    notes : tuple of str
        What was found and fits no key.
    """

    files: dict[str, tuple[DraftTable, ...]]
    notes: tuple[str, ...] = field(default=())

    def guesses(self) -> Iterator[tuple[str, str, Guess]]:
        """Yield file, table and guess of each value."""
        for file, tables in self.files.items():
            for table in tables:
                for guess in table.guesses:
                    yield file, table.heading, guess
