"""Which calibration sets are to be combined now."""

from collections.abc import Iterable, Mapping
from typing import Any

from nightshift.context import Context
from nightshift.kinds.master.fallback import read_sets
from nightshift.kinds.poll import Poll
from nightshift.vocabulary import CalibrationKind

__all__ = ["due", "next_version", "requested"]


def due(context: Context, poll: Poll) -> Iterable[dict[str, str]]:
    """Yield the sets that are complete, or quiet for long enough, and wait for no other."""
    sets, policy = poll.once(read_sets), context.survey.calibration
    for row in sets.rows:
        kind = CalibrationKind(row["kind"])
        if not row["unended"] or kind not in policy.kinds:
            continue
        if not (row["complete"] or row["quiet_s"] >= policy.quiet_s) or sets.waits_for_earlier_kind(row):
            continue
        yield {
            "instrument": row["instrument"],
            "night": row["night"].isoformat(),
            "kind": kind.value,
            "filter": row["filter"],
            "version": str(next_version(row, len(context.survey.camera.quadrant_ids))),
        }


def requested(context: Context, conf: Mapping[str, str], run_id: str) -> None:
    """Note that the frames of a set are being combined."""
    context.ledger.run(
        "master", "mark_set_running",
        instrument=conf["instrument"], night=conf["night"], kind=conf["kind"], filter=conf.get("filter", ""),
        run_id=run_id,
    )  # fmt: skip


def next_version(row: Mapping[str, Any], quadrants: int) -> int:
    """Return the version that a set's masters get: the newest while some quadrant lacks it, else the one after."""
    version: int = row["version"]
    begun = version > 0 and row["masters"] < row["detectors"] * quadrants
    return version if begun else version + 1
