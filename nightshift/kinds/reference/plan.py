"""Which quadrants of a field get a reference, and of which frames."""

from collections import defaultdict
from datetime import date

from nightshift.context import Context
from nightshift.keys import ReferenceKey
from nightshift.kinds.plans import Plan, PlannedUnit, input_in_depot
from nightshift.kinds.reference import queries
from nightshift.kinds.reference.queries import GoodUnit
from nightshift.ledger.queries import runs as run_queries
from nightshift.nights import night_of
from nightshift.settings.models import ReferencePolicy
from nightshift.vocabulary import Tier
from nightshift.workflow.subjects import Subject

__all__ = ["choose_members", "plan"]


def plan(context: Context, subject: Subject) -> Plan:
    """Plan one unit a quadrant of a field and filter that lacks this version and has enough good frames.

    Where a person asked for some quadrants only (``quadrants`` of the run's conf: ``d01/q1,...``), only those.
    """
    field, version, policy = int(subject["field"]), int(subject["version"]), context.survey.reference
    versions = queries.reference_versions(
        context.ledger, instrument=subject["instrument"], field=field, filter=subject["filter"], version=version,
        campaign=subject.campaign,
    )  # fmt: skip
    made = {(row.detector, row.quadrant) for row in versions if row.made}
    wanted = _wanted_quadrants(context, subject)
    units: list[PlannedUnit] = []
    nights: list[date] = []
    for place, rows in sorted(_good_units(context, subject).items()):
        if wanted and f"d{place[0]:02d}/q{place[1]}" not in wanted:
            continue
        if place in made or len(rows) < policy.at_least_frames:
            continue
        members = choose_members(rows, policy)
        key = ReferenceKey(field, subject["instrument"], *place, subject["filter"], version, subject.campaign)
        units.append(_reference_unit(context, key, members, task=len(units)))
        nights.append(max(member.night for member in members))
    night = max(nights, default=night_of(context.site, context.clock.now()))
    return Plan(context.site.name, night, tuple(units))


def _good_units(context: Context, subject: Subject) -> dict[tuple[int, int], list[GoodUnit]]:
    """Return the good frames of each detector and quadrant, in shutter order."""
    good = defaultdict(list)
    for unit in queries.good_units(
        context.ledger, instrument=subject["instrument"], field=int(subject["field"]), filter=subject["filter"],
        campaign=subject.campaign, tier=Tier.PROCESSED,
    ):  # fmt: skip
        good[unit.detector, unit.quadrant].append(unit)
    return good


def _wanted_quadrants(context: Context, subject: Subject) -> set[str]:
    """Return the quadrants that a person asked for; none: all."""
    asked = run_queries.conf_of_subject(context.ledger, subject=subject.job_key)
    return {name for name in (asked.conf.get("quadrants", "") if asked else "").split(",") if name}


def choose_members(rows: list[GoodUnit], policy: ReferencePolicy) -> list[GoodUnit]:
    """Choose a reference's members by the survey's policy; they are returned in shutter order.

    Parameters
    ----------
    rows : list of GoodUnit
        The good frames in shutter order.
    policy : ReferencePolicy
        ``first``: the first `at_least_frames`, so that a first reference serves soon and does not depend on what
        comes later. ``best_seeing``: the sharpest, `at_most_frames` at most.
    """
    if policy.choose == "first":
        return rows[: policy.at_least_frames]
    sharpest = sorted(rows, key=lambda row: (row.fwhm_px is None, row.fwhm_px, row.unit_key))
    chosen = {row.unit_key for row in sharpest[: policy.at_most_frames]}
    return [row for row in rows if row.unit_key in chosen]


def _reference_unit(context: Context, key: ReferenceKey, members: list[GoodUnit], *, task: int) -> PlannedUnit:
    calibrated = [
        input_in_depot(context, "calibrated", m.calibrated_path, m.calibrated_sha256, m.calibrated_key)
        for m in members
    ]
    sources = [input_in_depot(context, "sources", m.sources_path, m.sources_sha256, m.sources_key) for m in members]
    parameters = {
        "field": key.field,
        "filter": key.filter,
        "members": [
            {
                "unit_key": member.unit_key,
                "shutter_open": member.shutter_open.isoformat(),
                "fwhm_px": member.fwhm_px,
                "zero_point": member.zero_point,
            }
            for member in members
        ],
    }
    return PlannedUnit(str(key), task, (*calibrated, *sources), parameters)
