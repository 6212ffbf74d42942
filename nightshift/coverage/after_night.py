"""What is made after a night was accounted for. Whatever becomes of it, the night closes."""

import traceback
from datetime import date

from nightshift.context import Context
from nightshift.coverage.make_maps import map_night
from nightshift.errors import Retry
from nightshift.ledger.queries import coverage as coverage_queries
from nightshift.ledger.queries import ledger as ledger_queries
from nightshift.night_end.night_rows import night_text
from nightshift.vocabulary import EventLevel

__all__ = ["make_after_night"]

FAILED, MADE = "coverage_failed", "coverage_made"
MOST_TEXT = 1000  # characters of an event


def make_after_night(context: Context, night: date) -> str:
    """Make what is made after a night, and return what was made; a failure is an event and no exception.

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
    try:
        made = str(map_night(context, night))
    except Retry:
        raise
    except Exception as error:  # noqa: BLE001 - the boundary between what is useful and what must close
        _say_failed(context, night, error)
        return f"not made: {error}"
    subject = night_text(context.site, night)
    if coverage_queries.failed_last(context.ledger, subject=subject):
        context.ledger.event(EventLevel.INFO, MADE, made, subject=subject, night_time=context.clock.now())
    return made


def _say_failed(context: Context, night: date, error: Exception) -> None:
    """Say it once, however often the same is tried."""
    subject, message = night_text(context.site, night), f"{type(error).__name__}: {error}"[:MOST_TEXT]
    where = {"kind": FAILED, "subject": subject}
    failed = coverage_queries.failed_last(context.ledger, subject=subject)
    if not (failed and ledger_queries.event_said_so(context.ledger, **where, message=message)):
        context.ledger.event(
            EventLevel.ERROR, FAILED, message, subject=subject, night_time=context.clock.now(),
            traceback=traceback.format_exc(),
        )  # fmt: skip
