"""Everything that a step of the night works with, opened from the environment in one place."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from nightshift.clock import Clock, clock_from_environment
from nightshift.depot import Depot
from nightshift.ledger import Ledger, open_ledger
from nightshift.ledger.revision import check_revision
from nightshift.pins import survey_now, survey_of_night
from nightshift.settings import SettingsError, Survey, load_survey

__all__ = ["Context", "open_context", "survey_from_environment", "survey_name"]


@dataclass(frozen=True)
class Context:
    """The survey's settings, the ledger, the depot, the inbox and the clock."""

    survey: Survey
    ledger: Ledger
    depot: Depot
    inbox: Path
    clock: Clock

    def of_night(self, night: date | None) -> "Context":
        """Return it with the settings that hold for a night, whatever the survey's files hold by now.

        None: no night in particular; the settings stay as they are.
        """
        return self if night is None else replace(self, survey=survey_of_night(self.ledger, self.survey, night))


def survey_from_environment() -> Survey:
    """Return what the files of the survey hold that ``NIGHTSHIFT_SURVEY`` names.

    Where they do not load, the settings of the night that is under way serve: its workflows go on.
    """
    try:
        return load_survey(survey_name())
    except SettingsError:
        if "NIGHTSHIFT_LEDGER" not in os.environ:
            raise
        with open_ledger() as ledger:
            return survey_now(ledger, survey_name(), clock_from_environment().now())


def survey_name() -> str:
    """Return the survey that ``NIGHTSHIFT_SURVEY`` names."""
    return _from_environment("NIGHTSHIFT_SURVEY")


def _from_environment(name: str) -> str:
    value = os.environ.get(name)
    if not value:
        raise SettingsError(f'{name} is not set; eval "$(nightshift environment --survey <name>)" sets all of them')
    return value


@contextmanager
def open_context(night: date | None = None) -> Iterator[Context]:
    """Open the context that the environment describes, and close its ledger afterwards.

    Its settings are those of the night that it works for: `night`, by default the one that is under way
    (`nightshift.pins`).

    ``NIGHTSHIFT_SURVEY``, ``NIGHTSHIFT_LEDGER``, ``NIGHTSHIFT_DEPOT``, ``NIGHTSHIFT_INBOX`` and, where the
    night is not live, ``NIGHTSHIFT_CLOCK``.
    """
    clock = clock_from_environment()
    with open_ledger() as ledger:
        check_revision(ledger)
        context = Context(
            survey_now(ledger, survey_name(), clock.now()),
            ledger,
            Depot.from_environment(),
            Path(_from_environment("NIGHTSHIFT_INBOX")),
            clock,
        )
        yield context.of_night(night)
