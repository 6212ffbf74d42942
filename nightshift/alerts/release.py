"""The second half of the gather: candidates that pass the cuts become packets in the depot and rows to be sent.

What it does not do: it sends nothing (`nightshift.alerts.post` does), and an alert that is released already is
left as it is, whatever the ledger has learned since.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nightshift.alerts.associate import Detection, associate
from nightshift.alerts.cuts import missed_cut
from nightshift.alerts.history import histories
from nightshift.alerts.ids import julian_date
from nightshift.alerts.packets import build_packet, candidate_record, encode
from nightshift.alerts.schema import SCHEMA_VERSION
from nightshift.alerts.searches import Search, detection_fields, search_fields, searches_of
from nightshift.alerts.tars import Member, read_stamps, write_tar
from nightshift.context import Context
from nightshift.errors import NeedsOperator, NightshiftError
from nightshift.keys import ExposureKey
from nightshift.ledger import Ledger
from nightshift.ledger.advisory_lock import LockedWork, advisory_lock
from nightshift.settings import Survey
from nightshift.vocabulary import EventLevel, Reason

__all__ = ["ReleaseSummary", "release"]

Row = dict[str, Any]
Stamps = dict[int, dict[str, bytes]]


@dataclass(frozen=True)
class ReleaseSummary:
    """What became of the candidates of some units.

    Parameters
    ----------
    released : int
        Packets made and queued by this call.
    withheld : int
        Alerts kept back by this call.
    unchanged : int
        Alerts that an earlier call had released or withheld.
    missed : dict of str to int
        Candidates that miss a cut, by the cut's name.
    decided : int
        Differences whose alerts, if any, were decided on by this call.
    """

    released: int = 0
    withheld: int = 0
    unchanged: int = 0
    missed: dict[str, int] | None = None
    decided: int = 0

    def __add__(self, other: "ReleaseSummary") -> "ReleaseSummary":
        missed = dict(Counter(self.missed or {}) + Counter(other.missed or {}))
        return ReleaseSummary(
            self.released + other.released, self.withheld + other.withheld, self.unchanged + other.unchanged, missed,
            self.decided + other.decided,
        )  # fmt: skip


@dataclass(frozen=True)
class Withheld:
    """A unit whose alerts must not leave, and why."""

    unit_key: str
    rows: list[Row]
    error: NightshiftError


def release(context: Context, unit_keys: Iterable[str]) -> ReleaseSummary:
    """Make and queue the alerts of some units. May run again: what is released stays as it is.

    Call it outside of a transaction. Each exposure's alerts and messages appear in the ledger together, after
    their packets are in the depot. A unit that does not stand as processed at that moment sends nothing.

    Parameters
    ----------
    context : Context
    unit_keys : iterable of str
        Units whose candidates are in the ledger. Those without a processed difference have none.
    """
    exposures: dict[tuple[ExposureKey, str], dict[str, Search]] = defaultdict(dict)
    for unit_key, search in searches_of(context.ledger, sorted(map(str, unit_keys))).items():
        exposures[ExposureKey(search.instrument, search.exposure_id), search.campaign][unit_key] = search
    total = ReleaseSummary()
    for (exposure, _), searches in sorted(exposures.items()):
        with advisory_lock(context.ledger, LockedWork.RELEASE, exposure):
            total += _release_exposure(context, exposure, searches)
    return total


def _release_exposure(context: Context, exposure: ExposureKey, searches: dict[str, Search]) -> ReleaseSummary:
    by_unit, missed = _passing(context, searches)
    chosen: list[Row] = []
    stamps: dict[str, Stamps] = {}
    withheld: list[Withheld] = []
    places = _cutout_places(context.ledger, searches)
    for unit_key, rows in by_unit.items():
        fresh = [row for row in rows if row["alert_state"] in (None, "held")]
        try:
            _refuse_flood(context, unit_key, len(rows))
            if fresh:
                stamps[unit_key] = _stamps(context, places.get(unit_key))
            chosen += fresh
        except NightshiftError as error:
            if fresh:
                withheld.append(Withheld(unit_key, fresh, error))
    released, kept_back, decided = _publish(context, exposure, searches, chosen, stamps, withheld)
    looked_at = len(chosen) + sum(len(unit.rows) for unit in withheld)
    unchanged = sum(len(rows) for rows in by_unit.values()) - looked_at
    return ReleaseSummary(released, kept_back, unchanged, dict(missed), decided)


def _passing(context: Context, searches: dict[str, Search]) -> tuple[dict[str, list[Row]], Counter[str]]:
    """Return the candidates that pass the cuts, by unit, and how many miss which cut."""
    one = next(iter(searches.values()))
    rows = context.ledger.rows(
        "alerts", "candidates_of_units",
        unit_keys=list(searches), shutter_open=one.shutter_open, campaign=one.campaign,
    )  # fmt: skip
    passing: dict[str, list[Row]] = defaultdict(list)
    missed: Counter[str] = Counter()
    for row in rows:
        cut = missed_cut(row, context.survey.alerts)
        if cut is None or row["alert_state"] not in (None, "held"):
            passing[row["unit_key"]].append(row)
        else:
            missed[cut] += 1
    return dict(sorted(passing.items())), missed


def _refuse_flood(context: Context, unit_key: str, alerts: int) -> None:
    most = context.survey.alerts.at_most_per_unit
    if alerts > most:
        raise NeedsOperator(
            Reason.FLOOD,
            f"{unit_key} would send {alerts}, and at most {most} are allowed (alerts.at_most_per_unit); "
            "look at its difference image",
        )


def _cutout_places(ledger: Ledger, searches: dict[str, Search]) -> dict[str, Row]:
    rows = ledger.rows("alerts", "cutouts_of_units", unit_keys=list(searches))
    return {row["unit_key"]: row for row in rows}


def _stamps(context: Context, place: Row | None) -> Stamps:
    """Return a unit's stamps; a unit that made none sends its alerts without."""
    return read_stamps(context.depot.absolute(place["path"]), place["sha256"]) if place else {}


def _publish(
    context: Context,
    exposure: ExposureKey,
    searches: dict[str, Search],
    chosen: Sequence[Row],
    stamps: dict[str, Stamps],
    withheld: Sequence[Withheld],
) -> tuple[int, int, int]:
    """Write the packets, then all rows of the exposure in one transaction.

    Units that were rejected since they were looked at have no part in it: they stay locked until the rows are
    there, so that whoever rejects one later finds its alerts and withholds them.

    Returns
    -------
    tuple of int
        How many alerts left, how many were kept back, and of how many differences that was decided.
    """
    one = next(iter(searches.values()))
    path = context.depot.packets(one.night, *exposure, _tar_name(one.campaign, chosen))
    names: dict[int, str] = {}
    places: list[Member] = []
    if chosen:
        names = _associate(context, chosen)
        places = _write_packets(context, path, searches, chosen, names, stamps)
    with context.ledger.transaction():
        rows = context.ledger.rows("alerts", "lock_units_that_stand", unit_keys=list(searches))
        standing = [row["unit_key"] for row in rows]
        leaving = [(row, place) for row, place in zip(chosen, places, strict=True) if row["unit_key"] in standing]
        kept_back = [unit for unit in withheld if unit.unit_key in standing]
        if leaving:
            _queue(context, one, leaving, names, path)
        for unit in kept_back:
            _withhold(context, unit, searches[unit.unit_key])
        decided = context.ledger.run("alerts", "set_released", unit_keys=standing, campaign=one.campaign)
    return len(leaving), sum(len(unit.rows) for unit in kept_back), decided


def _associate(context: Context, chosen: Sequence[Row]) -> dict[int, str]:
    policy = context.survey.alerts
    detections = [
        Detection(row["candid"], row["shutter_open"], row["site"], row["ra_deg"], row["dec_deg"]) for row in chosen
    ]
    return associate(
        context.ledger, detections, prefix=policy.object_prefix, radius_arcsec=policy.match_radius_arcsec
    )


def _queue(
    context: Context,
    search: Search,
    leaving: Sequence[tuple[Row, Member]],
    names: dict[int, str],
    path: Path,
) -> None:
    """Write the alerts of an exposure and their messages. `search` is any one of its differences."""
    candids = [row["candid"] for row, _ in leaving]
    places = [place for _, place in leaving]
    context.ledger.run(
        "alerts", "put_alerts", **_exposure_columns(search), candids=candids,
        names=[names[candid] for candid in candids], unit_keys=[row["unit_key"] for row, _ in leaving],
        schema_version=SCHEMA_VERSION, packet_path=context.depot.relative(path),
        offsets=[place.offset for place in places], sizes=[place.bytes for place in places],
        digests=[place.sha256 for place in places],
    )  # fmt: skip
    topic = kafka_topic(context.survey, search)
    context.ledger.run(
        "alerts", "queue_messages", candids=candids, shutter_open=search.shutter_open, kafka_topic=topic
    )
    exposure = ExposureKey(search.instrument, search.exposure_id)
    context.ledger.event(
        EventLevel.INFO, "alerts_released", f"{len(leaving)} alerts of {exposure} may be sent",
        subject=exposure, night_time=context.clock.now(), alerts=len(leaving),
    )  # fmt: skip


def _withhold(context: Context, unit: Withheld, search: Search) -> None:
    """Keep a unit's alerts back, and call somebody: none of this resolves itself."""
    candids = [row["candid"] for row in unit.rows]
    context.ledger.run(
        "alerts", "withhold_alerts", **_exposure_columns(search), candids=candids, unit_key=unit.unit_key,
        reason=unit.error.reason,
    )  # fmt: skip
    topic = kafka_topic(context.survey, search)
    context.ledger.run(
        "alerts", "withhold_messages", candids=candids, shutter_open=search.shutter_open, kafka_topic=topic
    )
    context.ledger.event(
        EventLevel.PAGE, "alerts_withheld", f"{len(unit.rows)} alerts are kept back: {unit.error}",
        subject=unit.unit_key, night_time=context.clock.now(), reason=unit.error.reason, alerts=len(unit.rows),
    )  # fmt: skip


def _exposure_columns(search: Search) -> Row:
    return {
        "shutter_open": search.shutter_open, "campaign": search.campaign, "site": search.site, "night": search.night,
    }  # fmt: skip


def kafka_topic(survey: Survey, search: Search) -> str:
    """Return the topic that an exposure's alerts go to, by the survey's settings."""
    return survey.alerts.topic.format(
        survey=survey.name,
        night=f"{search.night:%Y%m%d}",
        ut_day=f"{search.ut_day:%Y%m%d}",
        program_id=search.program_id,
    )


def _tar_name(campaign: str, chosen: Sequence[Row]) -> str:
    """Return a name that the same packets have again, and the stragglers of the same exposure have not."""
    digest = hashlib.sha256(" ".join(str(row["candid"]) for row in chosen).encode()).hexdigest()
    return f"{campaign}_{digest[:12]}"


def _write_packets(
    context: Context,
    path: Path,
    searches: dict[str, Search],
    chosen: Sequence[Row],
    names: dict[int, str],
    stamps: dict[str, Stamps],
) -> list[Member]:
    ledger, survey = context.ledger, context.survey
    past = histories(ledger, survey, searches, chosen)
    spans = _reference_spans(ledger, searches)
    common = {unit_key: search_fields(survey, search) for unit_key, search in searches.items()}

    def members() -> Iterator[tuple[str, bytes]]:
        for row in chosen:
            search = searches[row["unit_key"]]
            known = {
                **detection_fields(common[search.unit_key], row),
                **past[row["candid"]].counts,
                **spans.get(search.reference_key, {}),
            }
            packet = build_packet(
                publisher=survey.alerts.publisher,
                object_id=names[row["candid"]],
                candidate=candidate_record(known, missing=survey.alerts.missing),
                history=past[row["candid"]].entries,
                stamps=stamps[row["unit_key"]].get(row["number"], {}),
            )
            yield f"{row['candid']}.avro", encode(packet)

    return write_tar(path, members())


def _reference_spans(ledger: Ledger, searches: dict[str, Search]) -> dict[str, Row]:
    """Return when the first and the last exposure of each reference were taken."""
    keys = sorted({search.reference_key for search in searches.values()})
    return {
        row["reference_key"]: {"jdstartref": julian_date(row["begins"]), "jdendref": julian_date(row["ends"])}
        for row in ledger.rows("alerts", "reference_spans", reference_keys=keys)
    }
