"""Which exposures are to be differenced against a reference that came after them."""

from collections.abc import Iterable

from nightshift.context import Context
from nightshift.kinds.poll import Poll

__all__ = ["due"]


def due(context: Context, poll: Poll) -> Iterable[dict[str, str]]:
    """Yield the exposures that were reduced before their reference came into service, in shutter order."""
    for row in context.ledger.rows("difference", "differences_due", instrument=context.survey.camera.instrument):
        yield {
            "instrument": row["instrument"],
            "exposure_id": row["exposure_id"],
            "version": str(row["version"]),
        }
