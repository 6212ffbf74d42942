"""What is made after a night was accounted for. Whatever becomes of it, the night closes."""

import traceback
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from nightshift.context import Context
from nightshift.coverage.candidate_history import put_candidates
from nightshift.coverage.make_maps import map_night
from nightshift.errors import Retry
from nightshift.ledger.queries import coverage as coverage_queries
from nightshift.ledger.queries import ledger as ledger_queries
from nightshift.night_end.night_rows import night_text
from nightshift.vocabulary import EventLevel

__all__ = ["MadeAfterNight", "make_after_night"]

MOST_TEXT = 1000  # characters of an event


@dataclass(frozen=True)
class MadeAfterNight:
    """What was made, in words, and whether all of it was."""

    texts: tuple[str, ...]
    whole: bool

    def __str__(self) -> str:
        return "; ".join(self.texts)


def make_after_night(context: Context, night: date) -> MadeAfterNight:
    """Make the maps of a night and the file of its candidates.

    One that fails harms nothing else: an event says so, once, and another when it is made after all.

    Parameters
    ----------
    context : Context
        Of one site, with the settings of the night.
    night : date

    Raises
    ------
    Retry
        If the ledger or the disk is away, or another process is at it: the same may work later.
    """
    failures: dict[str, str] = {}
    steps = (("maps", _maps), ("candidates", _candidates))
    texts = [_made(what, make, context, night, failures) for what, make in steps]
    made = MadeAfterNight(tuple(texts), whole=not failures)
    subject = night_text(context.site, night)
    failed = coverage_queries.failed_last(context.ledger, subject=subject)
    if failures:
        _say_failed(context, subject, failures, failed=failed)
    elif failed:
        context.ledger.event(
            EventLevel.INFO, "coverage_made", str(made), subject=subject, night_time=context.clock.now()
        )
    return made


def _maps(context: Context, night: date) -> str:
    return str(map_night(context, night))


def _candidates(context: Context, night: date) -> str:
    return f"{put_candidates(context, night)} candidates"


def _made(
    what: str, make: Callable[[Context, date], str], context: Context, night: date, failures: dict[str, str]
) -> str:
    """Return what was made; a failure is put among the others, with its traceback."""
    try:
        return make(context, night)
    except Retry:
        raise
    except Exception as error:  # noqa: BLE001 - the boundary between what is useful and what must close
        said = f"{what} not made: {type(error).__name__}: {error}"
        failures[said] = traceback.format_exc()
        return said


def _say_failed(context: Context, subject: str, failures: dict[str, str], *, failed: bool) -> None:
    """Say it once, however often the same is tried."""
    message = "; ".join(failures)[:MOST_TEXT]
    if not (
        failed
        and ledger_queries.event_said_so(context.ledger, kind="coverage_failed", subject=subject, message=message)
    ):
        context.ledger.event(
            EventLevel.ERROR, "coverage_failed", message, subject=subject, night_time=context.clock.now(),
            traceback="\n".join(failures.values()),
        )  # fmt: skip
