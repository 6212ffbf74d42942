"""Which exposures are to be reduced now."""

from collections.abc import Iterable, Mapping, Sequence

from nightshift.context import Context
from nightshift.keys import LIVE
from nightshift.kinds.master.fallback import read_sets
from nightshift.kinds.poll import Poll
from nightshift.kinds.science import queries
from nightshift.kinds.science.catalogues import catalogue_path, own_catalogues
from nightshift.kinds.science.queries import WaitingExposure

__all__ = ["due", "requested"]


def due(context: Context, poll: Poll) -> Iterable[dict[str, str]]:
    """Yield the exposures that are whole, or past their time, and wait for no master and no catalogue."""
    sets = poll.once(read_sets)
    rows = queries.waiting_exposures(context.ledger, instrument=context.survey.camera.instrument, campaign=LIVE)
    order = _OwnCatalogueOrder(context, rows)
    for row in rows:
        if row.awaited and row.age_s < context.survey.exposure.detectors_wait_s:
            continue
        if sets.waits_for_master(row) or not order.may_start(row):
            continue
        yield {"instrument": row.instrument, "exposure_id": row.exposure_id}


def requested(context: Context, conf: Mapping[str, str], run_id: str) -> None:
    """Note that an exposure is being reduced."""
    queries.mark_exposure_running(
        context.ledger, instrument=conf["instrument"], exposure_id=conf["exposure_id"], run_id=run_id
    )


class _OwnCatalogueOrder:
    """Which exposures of a field without a catalogue must wait for the field's first good frame.

    A field without a catalogue is measured against its own first good frame in shutter order, so that one must
    have ended before another starts. The order is kept quadrant by quadrant.
    """

    def __init__(self, context: Context, rows: Sequence[WaitingExposure]):
        self.camera = context.survey.camera
        self.fields = {
            row.field for row in rows if row.field is not None and catalogue_path(context, row.field) is None
        }
        self.seeded: set[tuple[int, str, int, int]] = set()
        self.first: dict[tuple[int, str], str] = {}
        if not self.fields:
            return
        waiting = sorted(
            {(row.field, row.filter) for row in rows if row.field is not None and row.field in self.fields}
        )
        for own in own_catalogues(context, waiting, LIVE):
            self.seeded.add((own.field, own.filter, own.detector, own.quadrant))
        for unended in queries.unended_of_fields(context.ledger, instrument=self.camera.instrument):
            self.first.setdefault((unended.field, unended.filter), unended.exposure_id)

    def may_start(self, exposure: WaitingExposure) -> bool:
        if exposure.field is None or exposure.field not in self.fields:
            return True
        group = (exposure.field, exposure.filter)
        quadrants = ((d, q) for d in exposure.detectors or () for q in self.camera.quadrant_ids)
        if all((*group, *place) in self.seeded for place in quadrants):
            return True
        return self.first.get(group) == exposure.exposure_id
