"""Which exposures are to be differenced against a reference that came after them."""

from collections.abc import Iterable

from nightshift.context import Context
from nightshift.keys import LIVE, serving
from nightshift.kinds.difference import queries
from nightshift.kinds.poll import Poll

__all__ = ["due"]


def due(context: Context, poll: Poll) -> Iterable[dict[str, str]]:
    """Yield the exposures that were reduced before their reference came into service, in shutter order."""
    instrument = context.survey.camera.instrument
    for row in queries.differences_due(context.ledger, instrument=instrument, campaign=LIVE, campaigns=serving(LIVE)):
        yield {"instrument": row.instrument, "exposure_id": row.exposure_id, "version": str(row.version)}
