"""Which exposures are to be reduced now."""

from collections.abc import Iterable, Mapping
from typing import Any

from nightshift.context import Context
from nightshift.keys import LIVE
from nightshift.kinds.master.fallback import read_sets
from nightshift.kinds.poll import Poll
from nightshift.kinds.science.catalogues import catalogue_path, own_catalogues

__all__ = ["due", "requested"]


def due(context: Context, poll: Poll) -> Iterable[dict[str, str]]:
    """Yield the exposures that are whole, or past their time, and wait for no master and no catalogue."""
    sets = poll.once(read_sets)
    rows = context.ledger.rows(
        "science", "waiting_exposures", instrument=context.survey.camera.instrument, campaign=LIVE
    )
    order = _OwnCatalogueOrder(context, rows)
    for row in rows:
        together = len(row["detectors"] or ()) >= row["expected"]
        if not together and row["age_s"] < context.survey.exposure.detectors_wait_s:
            continue
        if sets.waits_for_master(row) or not order.may_start(row):
            continue
        yield {"instrument": row["instrument"], "exposure_id": row["exposure_id"]}


def requested(context: Context, conf: Mapping[str, str], run_id: str) -> None:
    """Note that an exposure is being reduced."""
    context.ledger.run(
        "science", "mark_exposure_running",
        instrument=conf["instrument"], exposure_id=conf["exposure_id"], run_id=run_id,
    )  # fmt: skip


class _OwnCatalogueOrder:
    """Which exposures of a field without a catalogue must wait for the field's first good frame.

    A field without a catalogue is measured against its own first good frame in shutter order, so that one must
    have ended before another starts. The order is kept quadrant by quadrant.
    """

    def __init__(self, context: Context, rows: list[dict[str, Any]]):
        self.camera = context.survey.camera
        self.fields = {
            row["field"] for row in rows if row["field"] is not None and catalogue_path(context, row["field"]) is None
        }
        self.seeded: set[tuple[int, str, int, int]] = set()
        self.first: dict[tuple[int, str], str] = {}
        if not self.fields:
            return
        waiting = sorted({(row["field"], row["filter"]) for row in rows if row["field"] in self.fields})
        for row in own_catalogues(context, waiting, LIVE):
            self.seeded.add((row["field"], row["filter"], row["detector"], row["quadrant"]))
        for row in context.ledger.rows("science", "unended_of_fields", instrument=self.camera.instrument):
            self.first.setdefault((row["field"], row["filter"]), row["exposure_id"])

    def may_start(self, row: Mapping[str, Any]) -> bool:
        if row["field"] not in self.fields:
            return True
        group = (row["field"], row["filter"])
        quadrants = ((d, q) for d in row["detectors"] or () for q in self.camera.quadrant_ids)
        if all((*group, *place) in self.seeded for place in quadrants):
            return True
        exposure_id: str = row["exposure_id"]
        return self.first.get(group) == exposure_id
