"""Which quadrants of a field get a reference, and of which frames."""

from collections import defaultdict
from datetime import date
from typing import Any

from nightshift.context import Context
from nightshift.keys import ReferenceKey
from nightshift.kinds.plans import Plan, PlannedUnit, input_of_product
from nightshift.nights import night_of
from nightshift.settings.models import ReferencePolicy
from nightshift.vocabulary import Tier
from nightshift.workflow.subjects import Subject

__all__ = ["choose_members", "plan"]


def plan(context: Context, subject: Subject) -> Plan:
    """Plan one unit a quadrant of a field and filter that lacks this version and has enough good frames.

    Where a person asked for some quadrants only (``quadrants`` of the run's conf: ``d01/q1,...``), only those.
    """
    field = int(subject["field"])
    of_field = {"instrument": subject["instrument"], "field": field, "filter": subject["filter"]}
    version, policy = int(subject["version"]), context.survey.reference
    of_campaign = {"campaign": subject.campaign}
    made = {
        (r["detector"], r["quadrant"])
        for r in context.ledger.rows("reference", "reference_versions", version=version, **of_field, **of_campaign)
        if r["made"]
    }
    good = defaultdict(list)
    for row in context.ledger.rows("reference", "good_units", tier=Tier.PROCESSED, **of_field, **of_campaign):
        good[row["detector"], row["quadrant"]].append(row)
    asked = context.ledger.row("runs", "conf_of_subject", subject=subject.job_key) or {"conf": {}}
    wanted = {name for name in asked["conf"].get("quadrants", "").split(",") if name}
    units: list[PlannedUnit] = []
    nights: list[date] = []
    for place, rows in sorted(good.items()):
        if wanted and f"d{place[0]:02d}/q{place[1]}" not in wanted:
            continue
        if place in made or len(rows) < policy.at_least_frames:
            continue
        members = choose_members(rows, policy)
        key = ReferenceKey(field, subject["instrument"], *place, subject["filter"], version, subject.campaign)
        units.append(_reference_unit(context, key, members, task=len(units)))
        nights.append(max(member["night"] for member in members))
    night = max(nights, default=night_of(context.site, context.clock.now()))
    return Plan(context.site.name, night, tuple(units))


def choose_members(rows: list[dict[str, Any]], policy: ReferencePolicy) -> list[dict[str, Any]]:
    """Choose a reference's members by the survey's policy; they are returned in shutter order.

    Parameters
    ----------
    rows : list of dict
        The good frames in shutter order.
    policy : ReferencePolicy
        ``first``: the first `at_least_frames`, so that a first reference serves soon and does not depend on what
        comes later. ``best_seeing``: the sharpest, `at_most_frames` at most.
    """
    if policy.choose == "first":
        return rows[: policy.at_least_frames]
    sharpest = sorted(rows, key=lambda row: (row["fwhm_px"] is None, row["fwhm_px"], row["unit_key"]))
    chosen = {row["unit_key"] for row in sharpest[: policy.at_most_frames]}
    return [row for row in rows if row["unit_key"] in chosen]


def _reference_unit(context: Context, key: ReferenceKey, members: list[dict[str, Any]], *, task: int) -> PlannedUnit:
    calibrated = [input_of_product(context, "calibrated", member, "calibrated_") for member in members]
    sources = [input_of_product(context, "sources", member, "sources_") for member in members]
    parameters = {
        "field": key.field,
        "filter": key.filter,
        "members": [
            {
                "unit_key": member["unit_key"],
                "shutter_open": member["shutter_open"].isoformat(),
                "fwhm_px": member["fwhm_px"],
                "zero_point": member["zero_point"],
            }
            for member in members
        ],
    }
    return PlannedUnit(str(key), task, (*calibrated, *sources), parameters)
