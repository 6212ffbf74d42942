"""Quadrants that were reduced without a master because the machine was slow: reduced again when it serves.

A frame waits for its night's masters for a bounded time and goes on without (`nightshift.kinds.master.fallback`).
What it lacked is kept until the night closes. When a master of that kind serves, the quadrant is due once more: a
new attempt at the same unit, whose products and measurements replace the former ones whole. So how good a night's
frames are does not depend on how fast the machine was.

What was published stays. Where a packet was made of one of the frame's candidates, its difference and its candidates
are kept and no other is made: a candid never changes, and nothing is sent twice. Where none was, the difference is
made again and its alerts are the frame's first.

A quadrant that cannot be reduced again stands as it was before.
"""

from datetime import date
from functools import partial

from nightshift.context import Context
from nightshift.keys import ExposureKey, QuadrantKey, UnitKey
from nightshift.kinds.science import queries
from nightshift.ledger.queries import exposures as exposure_queries
from nightshift.ledger.queries import jobs as job_queries
from nightshift.vocabulary import EventLevel, Reason
from nightshift.workflow.persistence import Ending

__all__ = ["keep_published", "note_lacking_masters", "reduce_again", "replace_former", "stands_as_before"]


def note_lacking_masters(context: Context, ending: Ending) -> None:
    """Note what a quadrant was reduced without, and let it be due at once where that serves by now."""
    lacking = list(ending.work.parameters.get("lacking", []))
    if not lacking:
        return
    unit = UnitKey.parse(ending.work.unit_key)
    night = job_queries.night_of_job(context.ledger, job_key=ending.subject.job_key)
    # whoever puts a master in service at this moment finds the row, or this finds the master
    _lock(context, unit.instrument, night, unit.detector, unit.quadrant)
    queries.note_lacking(context.ledger, unit_key=str(unit), kinds=lacking)
    _make_due(context, unit.instrument, night, unit.detector, unit.quadrant)


def reduce_again(context: Context, instrument: str, night: date, detector: int, quadrant: int) -> None:
    """Let everything of a quadrant be due once more that was reduced without a master that serves by now.

    Call it in the transaction that puts a master in service.
    """
    _lock(context, instrument, night, detector, quadrant)
    _make_due(context, instrument, night, detector, quadrant)


def _lock(context: Context, instrument: str, night: date, detector: int, quadrant: int) -> None:
    queries.lock_masters(context.ledger, subject=f"{QuadrantKey(instrument, detector, quadrant)}/{night:%Y%m%d}")


def _make_due(context: Context, instrument: str, night: date, detector: int, quadrant: int) -> None:
    units = queries.reduce_again(
        context.ledger, instrument=instrument, night=night, detector=detector, quadrant=quadrant
    )
    if not units:
        return
    exposure_queries.reopen_exposures(context.ledger, instrument=instrument, night=night)
    for unit in units:
        # first: whoever writes a difference at this moment has written it when this returns, or never does
        queries.supersede_differences(context.ledger, unit_key=unit.unit_key)
        # by now whoever releases alerts has either written them or finds that the unit does not stand
        queries.forget_unpublished(context.ledger, unit_key=unit.unit_key)
        context.ledger.event(
            EventLevel.INFO, "reduced_again",
            "It was reduced without a master that serves now, and is reduced again with it.",
            subject=unit.unit_key, night_time=context.clock.now(),
        )  # fmt: skip


def keep_published(context: Context, exposure: ExposureKey, campaign: str) -> frozenset[str]:
    """Return the units of an exposure whose difference stays, whatever becomes of their image: none other is made."""
    rows = queries.differenced_units(context.ledger, **exposure._asdict(), campaign=campaign)
    return frozenset(row.unit_key for row in rows)


def replace_former(context: Context, ending: Ending) -> None:
    """Take back what a unit that was reduced again had before and this attempt did not make."""
    unit_key = ending.work.unit_key
    if not queries.forget_lacking(context.ledger, unit_key=unit_key):
        return  # this was the first time
    if ending.work.parameters.get("reference_key"):  # it was planned where no difference stays
        queries.forget_unpublished(context.ledger, unit_key=unit_key)
    queries.forget_measurements(context.ledger, unit_key=unit_key)
    gone = queries.forget_other_products(
        context.ledger, unit_key=unit_key, job_key=ending.job.job_key, attempt=ending.attempt.attempt
    )
    for product in gone:
        former = context.depot.absolute(product.path)
        context.ledger.once_committed(partial(former.unlink, missing_ok=True))


def stands_as_before(context: Context, ending: Ending) -> bool:
    """Let a unit that could not be reduced again stand as it did; return whether it is such a one.

    What a person cancelled is none: it is begun anew, or fails, as they say.
    """
    if ending.outcome.reason is Reason.CANCELLED:
        return False
    unit_key = ending.work.unit_key
    if not exposure_queries.stand_as_before(
        context.ledger, kinds=[ending.subject.kind.name], unit_key=unit_key, site=None, night=None
    ):
        return False
    context.ledger.event(
        EventLevel.WARNING, "not_reduced_again",
        f"It could not be reduced again with its master and stands as before: {ending.outcome.detail}"[:1000],
        subject=unit_key, night_time=context.clock.now(), reason=ending.outcome.reason,
    )  # fmt: skip
    return True
