"""What is done once quadrants of an exposure are in: the alerts of its field that are next are released."""

from contextlib import suppress

from nightshift.alerts.release_order import release_in_order
from nightshift.context import Context
from nightshift.ledger.advisory_lock import Busy
from nightshift.ledger.queries import exposures as exposure_queries
from nightshift.workflow.subjects import Subject

__all__ = ["gather"]


def gather(context: Context, subject: Subject) -> None:
    """Release what is next in the field of an exposure. May run again; quadrants that come later follow.

    A flood is not released: a quadrant with more alerts than the sky can have is withheld, and a human is
    called.
    """
    if not subject.kind.of_exposure:
        return
    exposure = exposure_queries.exposure(
        context.ledger, instrument=subject["instrument"], exposure_id=subject["exposure_id"]
    )
    if exposure is None:
        return
    with suppress(Busy):  # whoever is at it releases these too, or the watch does
        release_in_order(context, exposure.instrument, exposure.field, subject.campaign)
