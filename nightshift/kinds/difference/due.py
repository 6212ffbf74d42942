"""Which exposures are to be differenced against a reference that came after them."""

from collections.abc import Iterable

from nightshift.context import Context
from nightshift.keys import LIVE, serving
from nightshift.kinds.poll import Poll

__all__ = ["due"]


def due(context: Context, poll: Poll) -> Iterable[dict[str, str]]:
    """Yield the exposures that were reduced before their reference came into service, in shutter order."""
    instrument = context.survey.camera.instrument
    rows = context.ledger.rows(
        "difference", "differences_due", instrument=instrument, campaign=LIVE, campaigns=serving(LIVE)
    )
    for row in rows:
        yield {
            "instrument": row["instrument"],
            "exposure_id": row["exposure_id"],
            "version": str(row["version"]),
        }
