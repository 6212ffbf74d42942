"""Which exposures have a raw file whose brightest pixel is not known."""

from collections.abc import Iterable

from nightshift.context import Context
from nightshift.kinds.poll import Poll
from toy_kind import queries

__all__ = ["due"]


def due(context: Context, poll: Poll) -> Iterable[dict[str, str]]:
    """Yield each of them once, the newest first."""
    files = queries.files_without(context.ledger, exposure_id=None)
    for instrument, exposure_id in dict.fromkeys((file.instrument, file.exposure_id) for file in files):
        yield {"instrument": instrument, "exposure_id": exposure_id}
