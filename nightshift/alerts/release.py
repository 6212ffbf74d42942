"""The second half of the gather: candidates that pass the cuts become packets in the depot and rows to be sent.

What it does not do: it sends nothing (`nightshift.alerts.post` does), and an alert that is released already is
left as it is, whatever the ledger has learned since.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import TypedDict

from nightshift.alerts.associate import associate
from nightshift.alerts.cuts import missed_cut
from nightshift.alerts.history import histories
from nightshift.alerts.ids import julian_date
from nightshift.alerts.packets import build_packet, candidate_record, encode
from nightshift.alerts.schema import SCHEMA_VERSION
from nightshift.alerts.searches import detection_fields, search_fields, searches_of
from nightshift.alerts.tars import Member, read_member, read_stamps, write_tar
from nightshift.context import Context
from nightshift.errors import NeedsOperator, NightshiftError
from nightshift.keys import ExposureKey
from nightshift.ledger import Ledger
from nightshift.ledger.advisory_lock import LockedWork, advisory_lock
from nightshift.ledger.queries import alerts as alert_queries
from nightshift.ledger.queries.alerts import Candidate, CutoutsFile, Search
from nightshift.settings import Survey
from nightshift.vocabulary import AlertState, EventLevel, Reason

__all__ = ["ReleaseSummary", "release"]

Stamps = dict[int, dict[str, bytes]]
UNDECIDED = (None, AlertState.HELD)  # states of an alert that nothing was decided about


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
    candidates: list[Candidate]
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
    chosen: list[Candidate] = []
    stamps: dict[str, Stamps] = {}
    withheld: list[Withheld] = []
    cutouts = _cutouts(context.ledger, searches)
    for unit_key, candidates in by_unit.items():
        fresh = [candidate for candidate in candidates if candidate.alert_state in UNDECIDED]
        try:
            _refuse_flood(context, unit_key, len(candidates))
            if fresh:
                stamps[unit_key] = _stamps(context, cutouts.get(unit_key))
            chosen += fresh
        except NightshiftError as error:
            if fresh:
                withheld.append(Withheld(unit_key, fresh, error))
    released, kept_back, decided = _publish(context, exposure, searches, chosen, stamps, withheld)
    looked_at = len(chosen) + sum(len(unit.candidates) for unit in withheld)
    unchanged = sum(map(len, by_unit.values())) - looked_at
    return ReleaseSummary(released, kept_back, unchanged, dict(missed), decided)


def _passing(context: Context, searches: dict[str, Search]) -> tuple[dict[str, list[Candidate]], Counter[str]]:
    """Return the candidates that pass the cuts, by unit, and how many miss which cut."""
    one = next(iter(searches.values()))
    candidates = alert_queries.candidates_of_units(
        context.ledger, unit_keys=list(searches), shutter_open=one.shutter_open, campaign=one.campaign
    )
    passing: dict[str, list[Candidate]] = defaultdict(list)
    missed: Counter[str] = Counter()
    for candidate in candidates:
        cut = missed_cut(
            context.survey.alerts, signal_to_noise=candidate.signal_to_noise, magnitude=candidate.magnitude,
            record=candidate.record,
        )  # fmt: skip
        if cut is None or candidate.alert_state not in UNDECIDED:
            passing[candidate.unit_key].append(candidate)
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


def _cutouts(ledger: Ledger, searches: dict[str, Search]) -> dict[str, CutoutsFile]:
    return {file.unit_key: file for file in alert_queries.cutouts_of_units(ledger, unit_keys=list(searches))}


def _stamps(context: Context, file: CutoutsFile | None) -> Stamps:
    """Return a unit's stamps; a unit that made none sends its alerts without."""
    return read_stamps(context.depot.absolute(file.path), file.sha256) if file else {}


def _publish(
    context: Context,
    exposure: ExposureKey,
    searches: dict[str, Search],
    chosen: Sequence[Candidate],
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
        policy = context.survey.alerts
        names = associate(
            context.ledger, chosen, prefix=policy.object_prefix, radius_arcsec=policy.match_radius_arcsec
        )
        places = _write_packets(context, path, searches, chosen, names, stamps)
    with context.ledger.transaction():
        units = alert_queries.lock_units_that_stand(context.ledger, unit_keys=list(searches))
        standing = [unit.unit_key for unit in units]
        leaving = [pair for pair in zip(chosen, places, strict=True) if pair[0].unit_key in standing]
        kept_back = [each for each in withheld if each.unit_key in standing]
        if leaving:
            _queue(context, one, leaving, names, path)
        for each in kept_back:
            _withhold(context, each, searches[each.unit_key])
        decided = alert_queries.set_released(context.ledger, unit_keys=standing, campaign=one.campaign)
    return len(leaving), sum(len(each.candidates) for each in kept_back), decided


def _queue(
    context: Context,
    search: Search,
    leaving: Sequence[tuple[Candidate, Member]],
    names: dict[int, str],
    path: Path,
) -> None:
    """Write the alerts of an exposure and their messages. `search` is any one of its differences."""
    candids = [candidate.candid for candidate, _ in leaving]
    places = [place for _, place in leaving]
    alert_queries.put_alerts(
        context.ledger, **_exposure_columns(search), candids=candids,
        names=[names[candid] for candid in candids], unit_keys=[candidate.unit_key for candidate, _ in leaving],
        schema_version=SCHEMA_VERSION, packet_path=context.depot.relative(path),
        offsets=[place.offset for place in places], sizes=[place.bytes for place in places],
        digests=[place.sha256 for place in places],
    )  # fmt: skip
    topic = kafka_topic(context.survey, search)
    alert_queries.queue_messages(context.ledger, candids=candids, shutter_open=search.shutter_open, kafka_topic=topic)
    exposure = ExposureKey(search.instrument, search.exposure_id)
    context.ledger.event(
        EventLevel.INFO, "alerts_released", f"{len(leaving)} alerts of {exposure} may be sent",
        subject=exposure, night_time=context.clock.now(), alerts=len(leaving),
    )  # fmt: skip


def _withhold(context: Context, unit: Withheld, search: Search) -> None:
    """Keep a unit's alerts back, and call somebody: none of this resolves itself."""
    candids = [candidate.candid for candidate in unit.candidates]
    alert_queries.withhold_alerts(
        context.ledger, **_exposure_columns(search), candids=candids, unit_key=unit.unit_key,
        reason=unit.error.reason,
    )  # fmt: skip
    topic = kafka_topic(context.survey, search)
    alert_queries.withhold_messages(
        context.ledger, candids=candids, shutter_open=search.shutter_open, kafka_topic=topic
    )
    context.ledger.event(
        EventLevel.PAGE, "alerts_withheld", f"{len(unit.candidates)} alerts are kept back: {unit.error}",
        subject=unit.unit_key, night_time=context.clock.now(), reason=unit.error.reason, alerts=len(unit.candidates),
    )  # fmt: skip


class ExposureColumns(TypedDict):
    """What all alerts of an exposure have alike."""

    shutter_open: datetime
    campaign: str
    site: str
    night: date


def _exposure_columns(search: Search) -> ExposureColumns:
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


def _tar_name(campaign: str, chosen: Sequence[Candidate]) -> str:
    """Return a name that the same packets have again, and the stragglers of the same exposure have not."""
    digest = hashlib.sha256(" ".join(str(candidate.candid) for candidate in chosen).encode()).hexdigest()
    return f"{campaign}_{digest[:12]}"


def _write_packets(
    context: Context,
    path: Path,
    searches: dict[str, Search],
    chosen: Sequence[Candidate],
    names: dict[int, str],
    stamps: dict[str, Stamps],
) -> list[Member]:
    ledger, survey = context.ledger, context.survey
    past = histories(ledger, survey, searches, chosen)
    spans = _reference_spans(ledger, searches)
    common = {unit_key: search_fields(survey, search) for unit_key, search in searches.items()}
    published = _Published(context, chosen)

    def members() -> Iterator[tuple[str, bytes]]:
        for candidate in chosen:
            search = searches[candidate.unit_key]
            known = {
                **detection_fields(common[search.unit_key], candidate),
                **past[candidate.candid].counts,
                **spans.get(search.reference_key, {}),
            }
            packet = build_packet(
                publisher=survey.alerts.publisher,
                object_id=names[candidate.candid],
                candidate=candidate_record(known, missing=survey.alerts.missing),
                history=past[candidate.candid].entries,
                stamps=stamps[candidate.unit_key].get(candidate.number, {}),
            )
            yield f"{candidate.candid}.avro", published.or_new(candidate.candid, encode(packet))

    places = write_tar(path, members())
    published.say()
    return places


class _Published:
    """Packets that were published before the ledger was restored from a backup: each stays as it was.

    Parameters
    ----------
    context : Context
    candidates : sequence of Candidate
        Whose packets are made now.
    """

    def __init__(self, context: Context, candidates: Sequence[Candidate]):
        self._context = context
        candids = [candidate.candid for candidate in candidates]
        self._packets = {row.candid: row for row in alert_queries.published_packets(context.ledger, candids=candids)}
        self._differed: list[int] = []

    def or_new(self, candid: int, content: bytes) -> bytes:
        """Return the packet that was published, where there is one, and the new one where not."""
        known = self._packets.get(candid)
        if known is None:
            return content
        place = Member(known.packet_offset, known.packet_bytes, known.packet_sha256)
        before = read_member(self._context.depot.absolute(known.packet_path), place)
        if before != content:
            self._differed.append(candid)
        return before

    def say(self) -> None:
        """Say in the story of the night which packets would be others now."""
        if self._differed:
            self._context.ledger.event(
                EventLevel.WARNING, "published_before_restore",
                f"{len(self._differed)} alerts were published before the ledger was restored, with another content "
                f"than they would have now. What was published stays. The first: {self._differed[0]}",
                subject=self._differed[0], night_time=self._context.clock.now(), alerts=len(self._differed),
            )  # fmt: skip


def _reference_spans(ledger: Ledger, searches: dict[str, Search]) -> dict[str, dict[str, float]]:
    """Return when the first and the last exposure of each reference were taken."""
    keys = sorted({search.reference_key for search in searches.values()})
    return {
        span.reference_key: {"jdstartref": julian_date(span.begins), "jdendref": julian_date(span.ends)}
        for span in alert_queries.reference_spans(ledger, reference_keys=keys)
    }
