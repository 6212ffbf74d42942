"""Everything that a step of the night works with, opened from the environment in one place."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from nightshift.clock import Clock, clock_from_environment
from nightshift.depot import Depot
from nightshift.ledger import Ledger, open_ledger
from nightshift.settings import SettingsError, Survey, load_survey

__all__ = ["Context", "open_context", "survey_from_environment"]


@dataclass(frozen=True)
class Context:
    """The survey's settings, the ledger, the depot, the inbox and the clock."""

    survey: Survey
    ledger: Ledger
    depot: Depot
    inbox: Path
    clock: Clock


def survey_from_environment() -> Survey:
    """Return the settings of the survey that ``NIGHTSHIFT_SURVEY`` names."""
    return load_survey(_from_environment("NIGHTSHIFT_SURVEY"))


def _from_environment(name: str) -> str:
    value = os.environ.get(name)
    if not value:
        raise SettingsError(f'{name} is not set; eval "$(nightshift environment --survey <name>)" sets all of them')
    return value


@contextmanager
def open_context() -> Iterator[Context]:
    """Open the context that the environment describes, and close its ledger afterwards.

    ``NIGHTSHIFT_SURVEY``, ``NIGHTSHIFT_LEDGER``, ``NIGHTSHIFT_DEPOT``, ``NIGHTSHIFT_INBOX`` and, where the
    night is not live, ``NIGHTSHIFT_CLOCK``.
    """
    with open_ledger() as ledger:
        yield Context(
            survey_from_environment(),
            ledger,
            Depot.from_environment(),
            Path(_from_environment("NIGHTSHIFT_INBOX")),
            clock_from_environment(),
        )
