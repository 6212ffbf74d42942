"""What happens without a master, in order: wait, a bounded substitute, go on without or hold.

`MasterSets` answers the first question, whether to wait; `Masters` takes what is there.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from nightshift.context import Context
from nightshift.jobs.contract import Input
from nightshift.keys import LIVE, serving
from nightshift.kinds.master import queries
from nightshift.kinds.master.queries import CalibrationSet, Master
from nightshift.kinds.plans import input_in_depot
from nightshift.kinds.science.queries import WaitingExposure
from nightshift.settings.models import CalibrationPolicy
from nightshift.vocabulary import CalibrationKind, Reason

__all__ = ["MasterChoice", "MasterSets", "Masters", "read_masters", "read_sets"]

ORDER = (CalibrationKind.BIAS, CalibrationKind.DARK, CalibrationKind.FLAT)


@dataclass(frozen=True)
class MasterChoice:
    """What serves one quadrant.

    Parameters
    ----------
    inputs : tuple of Input
        One a kind that is there.
    flags : tuple of Reason
        CALIBRATION_SUBSTITUTED or CALIBRATION_MISSING, where that is so.
    missing : tuple of CalibrationKind
        Kinds for which nothing serves.
    """

    inputs: tuple[Input, ...]
    flags: tuple[Reason, ...]
    missing: tuple[CalibrationKind, ...]


class Masters:
    """The masters within reach of one night and filter, by kind and quadrant."""

    def __init__(self, context: Context, masters: Sequence[Master]):
        self._context = context
        self._masters = {(master.kind, master.detector, master.quadrant): master for master in masters}

    def serves(self, kind: CalibrationKind, detector: int, quadrant: int, *, own_only: bool = False) -> bool:
        """Whether a master is there; with `own_only`, one of the night itself."""
        master = self._masters.get((kind, detector, quadrant))
        return master is not None and (master.own or not own_only)

    def choose(self, kinds: Iterable[CalibrationKind], detector: int, quadrant: int) -> MasterChoice:
        """Take what is there for one quadrant, with the flags that say what is not its own."""
        inputs, missing, substituted = [], [], False
        for kind in kinds:
            master = self._masters.get((kind, detector, quadrant))
            if master is None:
                missing.append(kind)
                continue
            substituted = substituted or not master.own
            inputs.append(input_in_depot(self._context, kind.value, master.path, master.sha256, master.product_key))
        flags = (Reason.CALIBRATION_SUBSTITUTED,) * substituted + (Reason.CALIBRATION_MISSING,) * bool(missing)
        return MasterChoice(tuple(inputs), flags, tuple(missing))


def read_masters(context: Context, instrument: str, night: date, filter_name: str, campaign: str = LIVE) -> Masters:
    """Return the masters that may serve a campaign's frames of that night and filter: of its epoch, not too old."""
    policy = context.survey.calibration
    masters = queries.masters_in_reach(
        context.ledger, instrument=instrument, night=night, filter=filter_name,
        oldest=max(night - timedelta(days=policy.substitute_days), policy.epoch_begins(night)),
        campaigns=serving(campaign),
    )  # fmt: skip
    return Masters(context, masters)


class MasterSets:
    """The calibration sets of the nights in which something has not ended."""

    def __init__(self, context: Context, rows: Sequence[CalibrationSet]):
        self.rows = rows
        self._context = context
        self._sets = {(row.night, row.instrument, row.kind, row.filter): row for row in rows}
        self._masters: dict[tuple[str, date, str], Masters] = {}

    def waits_for_earlier_kind(self, row: CalibrationSet) -> bool:
        """Whether a set must wait for a set that it needs: bias before dark before flat."""
        earlier = ORDER[: ORDER.index(row.kind)]
        return any(self._unended(row, kind, "") for kind in earlier if kind in self._policy.kinds)

    def waits_for_master(self, exposure: WaitingExposure) -> bool:
        """Whether an exposure still waits for a master: the first fallback.

        It waits `wait_s` for its own night's masters, counted from its first file or from the last sign of life
        of the set, whichever is later; and as long for files of a set of which nothing came, where
        nothing else would serve. It does not wait for a set that has ended.
        """
        masters = self._masters_of(exposure.instrument, exposure.night, exposure.filter)
        for kind in self._policy.kinds:
            filter_name = exposure.filter if kind is CalibrationKind.FLAT else ""
            known = self._sets.get((exposure.night, exposure.instrument, kind, filter_name))
            if known is not None and not known.unended:
                continue
            if self._all_serve(masters, kind, exposure, own_only=known is not None):
                continue
            still_s = exposure.age_s if known is None else min(exposure.age_s, known.still_s)
            if still_s < self._policy.wait_s:
                return True
        return False

    @property
    def _policy(self) -> CalibrationPolicy:
        return self._context.survey.calibration

    def _unended(self, row: CalibrationSet, kind: CalibrationKind, filter_name: str) -> bool:
        known = self._sets.get((row.night, row.instrument, kind, filter_name))
        return known is not None and known.unended > 0

    def _masters_of(self, instrument: str, night: date, filter_name: str) -> Masters:
        key = (instrument, night, filter_name)
        if key not in self._masters:
            self._masters[key] = read_masters(self._context, *key)
        return self._masters[key]

    def _all_serve(
        self, masters: Masters, kind: CalibrationKind, exposure: WaitingExposure, *, own_only: bool
    ) -> bool:
        return all(
            masters.serves(kind, detector, quadrant, own_only=own_only)
            for detector in exposure.detectors or ()
            for quadrant in self._context.survey.camera.quadrant_ids
        )


def read_sets(context: Context) -> MasterSets:
    """Return the calibration sets of the nights in which something has not ended."""
    camera = context.survey.camera
    rows = queries.calibration_sets(
        context.ledger, instrument=camera.instrument, quadrants=len(camera.quadrant_ids), campaign=LIVE,
    )  # fmt: skip
    return MasterSets(context, rows)
