"""Which calibration sets are to be combined now."""

from collections.abc import Iterable, Mapping
from datetime import date

from nightshift.context import Context
from nightshift.kinds.master import queries
from nightshift.kinds.master.fallback import read_sets
from nightshift.kinds.master.queries import CalibrationSet
from nightshift.kinds.poll import Poll

__all__ = ["due", "next_version", "requested"]


def due(context: Context, poll: Poll) -> Iterable[dict[str, str]]:
    """Yield the sets that are complete, or quiet for long enough, and wait for no other."""
    sets, policy = poll.once(read_sets), context.survey.calibration
    for row in sets.rows:
        if not row.unended or row.kind not in policy.kinds:
            continue
        if not (row.complete or row.quiet_s >= policy.quiet_s) or sets.waits_for_earlier_kind(row):
            continue
        yield {
            "instrument": row.instrument,
            "night": row.night.isoformat(),
            "kind": row.kind.value,
            "filter": row.filter,
            "version": str(next_version(row, len(context.survey.camera.quadrant_ids))),
        }


def requested(context: Context, conf: Mapping[str, str], run_id: str) -> None:
    """Note that the frames of a set are being combined."""
    queries.mark_set_running(
        context.ledger,
        instrument=conf["instrument"], night=date.fromisoformat(conf["night"]), kind=conf["kind"],
        filter=conf.get("filter", ""), run_id=run_id,
    )  # fmt: skip


def next_version(row: CalibrationSet, quadrants: int) -> int:
    """Return the version that a set's masters get: the newest while some quadrant lacks it, else the one after."""
    begun = row.version > 0 and row.masters < row.detectors * quadrants
    return row.version if begun else row.version + 1
