"""The night as the ledger keys it: its text and its row."""

from datetime import date

from nightshift.context import Context
from nightshift.errors import NeedsOperator
from nightshift.ledger.months import check_is_here
from nightshift.ledger.queries import night_end as night_end_queries
from nightshift.ledger.queries.night_end import Night
from nightshift.pins import pin_night
from nightshift.settings.models import Site
from nightshift.vocabulary import Reason

__all__ = ["night_row", "night_text", "put_night"]


def night_text(site: Site, night: date) -> str:
    """Return what jobs, events and pages call a night."""
    return f"{site.name}/{night:%Y%m%d}"


def night_row(context: Context, night: date) -> Night:
    """Return the night's row of the ledger.

    Raises
    ------
    NeedsOperator
        If the ledger knows no such night: looking at one must not make one.
    BadInput
        If the month of the night has left the ledger.
    """
    row = night_end_queries.night(context.ledger, site=context.site.name, night=night)
    if row is None:
        raise NeedsOperator(
            Reason.NEVER_ARRIVED,
            f"the ledger of {context.site.name} has no night of {night}: nothing of it ever came. "
            "A night is named by the date of its evening.",
        )
    check_is_here(context.ledger, context.site, night)
    return row


def put_night(context: Context, night: date) -> Night:
    """Return the night's row of the ledger; a night of which nothing came gets one."""
    check_is_here(context.ledger, context.site, night)  # before a row would begin the month anew
    for survey in context.deployment.surveys:
        pin_night(context.ledger, survey, night)
    return night_row(context, night)
