"""Which array goes first: by rule, from what the work is for.

Calibrations go before science, because science waits for them; the newest exposure before the older ones, because its
alerts are worth most; whatever nobody waits for at the telescope (references, differences against a reference that
came later, frames of nights before) below that; reprocessing campaigns last. A survey may shift a kind of job by the
`priority` of its profile, in the same units.

The numbers stay small enough for the `nice` of a cluster's scheduler.
"""

from datetime import datetime

from nightshift.context import Context
from nightshift.keys import LIVE
from nightshift.kinds import Rank
from nightshift.ledger.queries import exposures as exposure_queries
from nightshift.nights import night_bounds, night_of
from nightshift.workflow.subjects import Subject

__all__ = ["HIGHEST", "is_backlog", "priority_of", "rank_of"]

STEP = 10_000  # between ranks; within one, newer work counts up to 8,640: tens of seconds since the night's noon
HIGHEST = 5 * STEP  # no priority by rule is as high


def priority_of(context: Context, subject: Subject) -> int:
    """Return the priority of a subject's arrays; the higher goes first.

    Parameters
    ----------
    context : Context
        Its clock says which night is under way.
    subject : Subject

    Returns
    -------
    int
        From 0 to `HIGHEST` - 1.
    """
    site, moment = context.survey.site, _moment(context, subject)
    tonight = moment is not None and night_of(site, moment) == night_of(site, context.clock.now())
    newness = 0
    if moment is not None:
        begins, _ = night_bounds(site, night_of(site, moment))
        newness = int((moment - begins).total_seconds() // 10)
    return rank_of(subject, tonight=tonight) * STEP + min(max(newness, 0), STEP - 1)


def is_backlog(priority: int) -> bool:
    """Whether work of that priority may be displaced by work of the night that is under way."""
    return priority < Rank.REAL_TIME * STEP


def rank_of(subject: Subject, *, tonight: bool) -> Rank:
    """Return the rank of a subject; `tonight` says whether its exposure is of the night that is under way."""
    if subject.campaign != LIVE:
        return Rank.REPROCESSING
    if subject.kind.real_time and tonight:
        return Rank.REAL_TIME
    return subject.kind.rank


def _moment(context: Context, subject: Subject) -> datetime | None:
    if not subject.kind.of_exposure:
        return subject.kind.moment(context, subject)
    exposure = exposure_queries.exposure(
        context.ledger, instrument=subject["instrument"], exposure_id=subject["exposure_id"]
    )
    return exposure.shutter_open if exposure else None
