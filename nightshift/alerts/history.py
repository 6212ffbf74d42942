"""What was seen before at the place of a detection, and how often it was looked at.

The history follows the sky's time, not the order of processing: it holds what has its shutter opened before the
alert's own and was released before it (`nightshift.alerts.release_order`), so that it is the same at any pace.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from nightshift.alerts.associate import windows_of
from nightshift.alerts.cone_search import footprints_cover, separation_arcsec
from nightshift.alerts.ids import julian_date
from nightshift.alerts.packets import fill_record
from nightshift.alerts.searches import Search, detection_fields, search_fields, searches_of
from nightshift.keys import UnitKey
from nightshift.ledger import Ledger
from nightshift.settings import Survey

__all__ = ["History", "histories"]

Row = dict[str, Any]


@dataclass(frozen=True)
class History:
    """What a packet says of the past.

    Parameters
    ----------
    entries : list of dict
        Records of ``prv_candidate``, by time: earlier detections, and upper limits where a search of the same
        place found nothing.
    counts : dict
        The fields ``ndethist``, ``ncovhist``, ``jdstarthist``, ``jdendhist``.
    """

    entries: list[Row]
    counts: Row


def histories(ledger: Ledger, survey: Survey, searches: dict[str, Search], rows: Sequence[Row]) -> dict[int, History]:
    """Return the histories of detections of one exposure, by candid.

    Parameters
    ----------
    ledger : Ledger
    survey : Survey
    searches : dict of str to Search
        The differences of the exposure that the detections are from, by unit.
    rows : sequence of dict
        Of table ``candidates``.
    """
    if not rows:
        return {}
    one = searches[rows[0]["unit_key"]]
    since = one.shutter_open - timedelta(days=survey.alerts.history_days)
    past = _past_searches(ledger, one, since)
    earlier = _earlier_detections(ledger, survey, one, since, rows)
    covered = _covering(past, rows)
    limits = {search.unit_key: fill_record("prv_candidate", search_fields(survey, search)) for search in past}
    found = searches_of(ledger, sorted({row["unit_key"] for near in earlier.values() for row in near}))
    common = {unit_key: search_fields(survey, search) for unit_key, search in found.items()}
    counts = _counts(ledger, survey, searches, rows)
    result = {}
    for item, row in enumerate(rows):
        near = earlier[item]
        seen_in = {detection["unit_key"] for detection in near}
        entries = [
            fill_record("prv_candidate", detection_fields(common[d["unit_key"]], d))
            for d in near
            if d["unit_key"] in common
        ]
        entries += [limits[search.unit_key] for search in covered[item] if search.unit_key not in seen_in]
        entries.sort(key=lambda entry: (entry["jd"], entry["pid"], entry["candid"] or 0))
        result[row["candid"]] = History(entries, counts[row["candid"]])
    return result


def _past_searches(ledger: Ledger, one: Search, since: datetime) -> list[Search]:
    """Return the earlier searches of the same field in any filter; without a field none is known."""
    if one.field is None:
        return []
    rows = ledger.rows(
        "alerts", "searches_of_field",
        instrument=one.instrument, field=one.field, campaign=one.campaign, since=since, before=one.shutter_open,
        release_order_at=one.release_order_at,
    )  # fmt: skip
    return [Search(**row) for row in rows]


def _earlier_detections(
    ledger: Ledger, survey: Survey, one: Search, since: datetime, rows: Sequence[Row]
) -> dict[int, list[Row]]:
    """Return for each detection, by its index, the earlier ones within the match radius."""
    radius = survey.alerts.match_radius_arcsec
    near = ledger.rows(
        "alerts", "detections_in_windows",
        **windows_of(_places(rows), radius), campaign=one.campaign, since=since, before=one.shutter_open,
        release_order_at=one.release_order_at,
    )  # fmt: skip
    return _within(rows, near, radius)


def _covering(past: list[Search], rows: Sequence[Row]) -> list[list[Search]]:
    """Return for each detection the earlier searches whose footprint holds its place."""
    if not past:
        return [[] for _ in rows]
    inside = footprints_cover(np.array([search.corners_deg for search in past]), np.array(_places(rows)))
    return [[past[i] for i in np.flatnonzero(inside[:, item])] for item in range(len(rows))]


def _counts(ledger: Ledger, survey: Survey, searches: dict[str, Search], rows: Sequence[Row]) -> dict[int, Row]:
    """Return by candid how often the place was looked at and detected, in the same field and channel."""
    one, radius = searches[rows[0]["unit_key"]], survey.alerts.match_radius_arcsec
    near = ledger.rows(
        "alerts", "detection_times_in_windows",
        **windows_of(_places(rows), radius), campaign=one.campaign, until=one.shutter_open,
        release_order_at=one.release_order_at,
    )  # fmt: skip
    looked = {
        (row["detector"], row["quadrant"]): row["searches"]
        for row in ledger.rows("alerts", "searches_so_far", instrument=one.instrument, field=one.field,
                               campaign=one.campaign, until=one.shutter_open, release_order_at=one.release_order_at)
    }  # fmt: skip
    detections = _within(rows, near, radius)
    counts = {}
    for item, row in enumerate(rows):
        own = searches[row["unit_key"]]
        times = [d["shutter_open"] for d in detections[item] if _same_channel(d, own)] or [row["shutter_open"]]
        counts[row["candid"]] = {
            "ndethist": len(times),
            "ncovhist": max(looked.get((own.detector, own.quadrant), 0), 1),
            "jdstarthist": julian_date(min(times)),
            "jdendhist": julian_date(max(times)),
        }
    return counts


def _same_channel(row: Row, search: Search) -> bool:
    key = UnitKey.parse(row["unit_key"])
    mine = (search.instrument, search.detector, search.quadrant, search.field)
    return (key.instrument, key.detector, key.quadrant, row["field"]) == mine


def _within(rows: Sequence[Row], near: list[Row], radius_arcsec: float) -> dict[int, list[Row]]:
    """Keep of what the windows gave what is truly near, by the index of the detection."""
    kept: dict[int, list[Row]] = defaultdict(list)
    for found in near:
        row = rows[found["item"]]
        away = separation_arcsec(row["ra_deg"], row["dec_deg"], found["ra_deg"], found["dec_deg"])
        if away <= radius_arcsec:
            kept[found["item"]].append(found)
    return kept


def _places(rows: Sequence[Row]) -> list[tuple[float, float]]:
    return [(row["ra_deg"], row["dec_deg"]) for row in rows]
