"""Which exposures have a raw file whose brightest pixel is not known."""

from collections.abc import Iterable

from nightshift.context import Context
from nightshift.kinds.poll import Poll

__all__ = ["due"]


def due(context: Context, poll: Poll) -> Iterable[dict[str, str]]:
    """Yield each of them once, the newest first."""
    rows = context.ledger.rows("toy", "files_without", exposure_id=None)
    for instrument, exposure_id in dict.fromkeys((row["instrument"], row["exposure_id"]) for row in rows):
        yield {"instrument": instrument, "exposure_id": exposure_id}
