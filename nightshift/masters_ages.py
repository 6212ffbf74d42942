"""How old the masters are that serve a camera: one definition for the afternoon's checks and the morning's mail."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from nightshift.context import Context
from nightshift.keys import LIVE
from nightshift.ledger.queries import master_ages as master_age_queries
from nightshift.ledger.queries.master_ages import NewestMaster
from nightshift.settings.report_policy import ReportPolicy
from nightshift.vocabulary import CalibrationKind

__all__ = ["MasterAge", "MasterFreshness", "freshness", "masters_ages"]


class MasterFreshness(StrEnum):
    """How good the age of a master is."""

    FRESH = "fresh"
    """Younger than `report.masters_fresh_days`: green."""
    AGING = "aging"
    """Neither fresh nor old: amber."""
    OLD = "old"
    """Older than `report.masters_old_days`: red."""
    MISSING = "missing"
    """A quadrant has none that is young enough to serve: red."""


@dataclass(frozen=True)
class MasterAge:
    """The masters of one kind and filter, over the quadrants of a camera that are in service.

    Parameters
    ----------
    kind : CalibrationKind
    filter : str
        Empty for a bias and a dark.
    newest, oldest : date or None
        Nights of the newest master of each quadrant: the latest and the earliest of them. None where there is none.
    quadrants : int
        How many there are in service.
    with_master : int
        How many of them have a master that may still serve (`calibration.substitute_days`, `calibration.epochs`).
    age_days : int or None
        Nights since `oldest`.
    freshness : MasterFreshness
    """

    kind: CalibrationKind
    filter: str
    newest: date | None
    oldest: date | None
    quadrants: int
    with_master: int
    age_days: int | None
    freshness: MasterFreshness


def freshness(policy: ReportPolicy, age_days: int) -> MasterFreshness:
    """Return how good an age is."""
    if age_days < policy.masters_fresh_days:
        return MasterFreshness.FRESH
    return MasterFreshness.AGING if age_days <= policy.masters_old_days else MasterFreshness.OLD


def masters_ages(context: Context, night: date, filters: Iterable[str] = ()) -> list[MasterAge]:
    """Return how old the masters of a camera are on a night.

    Parameters
    ----------
    context : Context
        Of one instrument.
    night : date
    filters : iterable of str
        Filters in which frames are planned or were taken: they are in the answer also where no flat of them is found.

    Returns
    -------
    list of MasterAge
        One a kind that the survey makes, of flats one a filter; in the order of `calibration.kinds` and of filters.
    """
    policy, first = context.survey.calibration, _oldest(context, night)
    rows = master_age_queries.newest_masters(
        context.ledger, instrument=context.survey.camera.instrument, oldest=first, night=night, campaign=LIVE
    )
    found: dict[tuple[CalibrationKind, str], list[NewestMaster]] = {}
    for kind in policy.kinds:
        for name in sorted(set(filters)) if kind is CalibrationKind.FLAT else ("",):
            found[kind, name] = []
    for row in rows:
        if row.kind in policy.kinds:
            found.setdefault((row.kind, row.filter), []).append(row)
    order = sorted(found, key=lambda key: (policy.kinds.index(key[0]), key[1]))
    return [_age(context, night, *key, found[key]) for key in order]


def _oldest(context: Context, night: date) -> date:
    """Return the first night that is looked at: of the same epoch, and no year of history is read."""
    policy, report = context.survey.calibration, context.survey.report
    span = max(timedelta(days=policy.substitute_days), report.masters_look_back)
    return max(night - span, policy.epoch_begins(night))


def _age(
    context: Context, night: date, kind: CalibrationKind, filter_name: str, rows: Sequence[NewestMaster]
) -> MasterAge:
    camera, policy = context.survey.camera, context.survey.calibration
    places = {(d.id, q.id) for d in camera.detectors if d.in_service for q in camera.quadrants}
    nights = [row.night for row in rows if (row.detector, row.quadrant) in places]
    serving = sum((night - made).days <= policy.substitute_days for made in nights)
    age_days = (night - min(nights)).days if nights else None
    state = MasterFreshness.MISSING
    if age_days is not None and serving == len(places):
        state = freshness(context.survey.report, age_days)
    return MasterAge(
        kind, filter_name, max(nights, default=None), min(nights, default=None), len(places), serving, age_days, state
    )
