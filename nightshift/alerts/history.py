"""What was seen before at the place of a detection, and how often it was looked at.

The history follows the sky's time, not the order of processing: it holds what has its shutter opened before the
alert's own and was released before it (`nightshift.alerts.release_order`), so that it is the same at any pace.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

import numpy as np

from nightshift.alerts.associate import windows_of
from nightshift.alerts.cone_search import footprints_cover, separation_arcsec
from nightshift.alerts.ids import julian_date
from nightshift.alerts.packets import fill_record
from nightshift.alerts.searches import detection_fields, search_fields, searches_of
from nightshift.keys import UnitKey
from nightshift.ledger import Ledger
from nightshift.ledger.queries import alerts as alert_queries
from nightshift.ledger.queries.alerts import Candidate, DetectionTime, EarlierDetection, Search
from nightshift.settings import Survey

__all__ = ["History", "histories"]

Near = TypeVar("Near", EarlierDetection, DetectionTime)


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

    entries: list[dict[str, Any]]
    counts: dict[str, Any]


def histories(
    ledger: Ledger, survey: Survey, searches: dict[str, Search], candidates: Sequence[Candidate]
) -> dict[int, History]:
    """Return the histories of detections of one exposure, by candid.

    Parameters
    ----------
    ledger : Ledger
    survey : Survey
    searches : dict of str to Search
        The differences of the exposure that the detections are from, by unit.
    candidates : sequence of Candidate
        The detections.
    """
    if not candidates:
        return {}
    one = searches[candidates[0].unit_key]
    since = one.shutter_open - timedelta(days=survey.alerts.history_days)
    past = _past_searches(ledger, one, since)
    earlier = _earlier_detections(ledger, survey, one, since, candidates)
    covered = _covering(past, candidates)
    limits = {search.unit_key: fill_record("prv_candidate", search_fields(survey, search)) for search in past}
    found = searches_of(ledger, sorted({detection.unit_key for near in earlier.values() for detection in near}))
    common = {unit_key: search_fields(survey, search) for unit_key, search in found.items()}
    counts = _counts(ledger, survey, searches, candidates)
    result = {}
    for item, candidate in enumerate(candidates):
        near = earlier[item]
        seen_in = {detection.unit_key for detection in near}
        entries = [
            fill_record("prv_candidate", detection_fields(common[d.unit_key], d))
            for d in near
            if d.unit_key in common
        ]
        entries += [limits[search.unit_key] for search in covered[item] if search.unit_key not in seen_in]
        entries.sort(key=lambda entry: (entry["jd"], entry["pid"], entry["candid"] or 0))
        result[candidate.candid] = History(entries, counts[candidate.candid])
    return result


def _past_searches(ledger: Ledger, one: Search, since: datetime) -> list[Search]:
    """Return the earlier searches of the same field in any filter; without a field none is known."""
    if one.field is None:
        return []
    return alert_queries.searches_of_field(
        ledger, instrument=one.instrument, field=one.field, campaign=one.campaign, since=since,
        before=one.shutter_open, release_order_at=one.release_order_at,
    )  # fmt: skip


def _earlier_detections(
    ledger: Ledger, survey: Survey, one: Search, since: datetime, candidates: Sequence[Candidate]
) -> dict[int, list[EarlierDetection]]:
    """Return for each detection, by its index, the earlier ones within the match radius."""
    radius = survey.alerts.match_radius_arcsec
    near = alert_queries.detections_in_windows(
        ledger, **windows_of(_places(candidates), radius), campaign=one.campaign, since=since,
        before=one.shutter_open, release_order_at=one.release_order_at,
    )  # fmt: skip
    return _within(candidates, near, radius)


def _covering(past: list[Search], candidates: Sequence[Candidate]) -> list[list[Search]]:
    """Return for each detection the earlier searches whose footprint holds its place."""
    if not past:
        return [[] for _ in candidates]
    inside = footprints_cover(np.array([search.corners_deg for search in past]), np.array(_places(candidates)))
    return [[past[i] for i in np.flatnonzero(inside[:, item])] for item in range(len(candidates))]


def _counts(
    ledger: Ledger, survey: Survey, searches: dict[str, Search], candidates: Sequence[Candidate]
) -> dict[int, dict[str, Any]]:
    """Return by candid how often the place was looked at and detected, in the same field and channel."""
    one, radius = searches[candidates[0].unit_key], survey.alerts.match_radius_arcsec
    near = alert_queries.detection_times_in_windows(
        ledger, **windows_of(_places(candidates), radius), campaign=one.campaign, until=one.shutter_open,
        release_order_at=one.release_order_at,
    )  # fmt: skip
    looked = _looked_at(ledger, one)
    detections = _within(candidates, near, radius)
    counts = {}
    for item, candidate in enumerate(candidates):
        own = searches[candidate.unit_key]
        times = [d.shutter_open for d in detections[item] if _same_channel(d, own)] or [candidate.shutter_open]
        counts[candidate.candid] = {
            "ndethist": len(times),
            "ncovhist": max(looked.get((own.detector, own.quadrant), 0), 1),
            "jdstarthist": julian_date(min(times)),
            "jdendhist": julian_date(max(times)),
        }
    return counts


def _looked_at(ledger: Ledger, one: Search) -> dict[tuple[int, int], int]:
    """Return how often each quadrant of a search's field was searched up to it; without a field none is known."""
    if one.field is None:
        return {}
    counts = alert_queries.searches_so_far(
        ledger, instrument=one.instrument, field=one.field, campaign=one.campaign, until=one.shutter_open,
        release_order_at=one.release_order_at,
    )  # fmt: skip
    return {(count.detector, count.quadrant): count.searches for count in counts}


def _same_channel(detection: DetectionTime, search: Search) -> bool:
    key = UnitKey.parse(detection.unit_key)
    mine = (search.instrument, search.detector, search.quadrant, search.field)
    return (key.instrument, key.detector, key.quadrant, detection.field) == mine


def _within(candidates: Sequence[Candidate], near: list[Near], radius_arcsec: float) -> dict[int, list[Near]]:
    """Keep of what the windows gave what is truly near, by the index of the detection."""
    kept: dict[int, list[Near]] = defaultdict(list)
    for found in near:
        candidate = candidates[found.item]
        away = separation_arcsec(candidate.ra_deg, candidate.dec_deg, found.ra_deg, found.dec_deg)
        if away <= radius_arcsec:
            kept[found.item].append(found)
    return kept


def _places(candidates: Sequence[Candidate]) -> list[tuple[float, float]]:
    return [(candidate.ra_deg, candidate.dec_deg) for candidate in candidates]
