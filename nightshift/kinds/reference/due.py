"""Which fields and filters are to get their first reference now."""

from collections.abc import Iterable

from nightshift.context import Context
from nightshift.keys import LIVE, serving
from nightshift.kinds.poll import Poll
from nightshift.kinds.reference import queries
from nightshift.vocabulary import Tier

__all__ = ["due"]


def due(context: Context, poll: Poll) -> Iterable[dict[str, str]]:
    """Yield the fields and filters of which some quadrant lacks a reference and has frames enough."""
    policy = context.survey.reference
    rows = queries.references_due(
        context.ledger, instrument=context.survey.camera.instrument, campaign=LIVE, campaigns=serving(LIVE),
        tier=Tier.PROCESSED, at_least=policy.at_least_frames, at_closing=policy.first_serves == "next_night",
    )  # fmt: skip
    for row in rows:
        yield {
            "instrument": row.instrument,
            "field": str(row.field),
            "filter": row.filter,
            "version": "1",
        }
