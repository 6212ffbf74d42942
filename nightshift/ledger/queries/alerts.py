"""The named queries of ``sql/queries/alerts.sql``, typed.

Written by ``make queries``: change the SQL and run it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from nightshift.ledger.database import Ledger
from nightshift.vocabulary import AlertState

__all__ = [
    "AddedObject",
    "Candidate",
    "CutoutsFile",
    "DetectionTime",
    "EarlierDetection",
    "FieldAwaitingRelease",
    "NamedDetection",
    "NextDifference",
    "PacketPlace",
    "PublishedPacket",
    "QueuedMessage",
    "ReferenceSpan",
    "Search",
    "SearchCount",
    "SkyObject",
    "StandingUnit",
    "acknowledge",
    "add_objects",
    "candidates_of_units",
    "count_detections",
    "cutouts_of_units",
    "detection_times_in_windows",
    "detections_in_windows",
    "fields_awaiting_release",
    "lock_association",
    "lock_units_that_stand",
    "next_in_release_order",
    "note_failures",
    "objects_in_windows",
    "objects_of",
    "packet_place",
    "published_packets",
    "put_alerts",
    "queue_length",
    "queue_messages",
    "queued",
    "reference_spans",
    "searches_of_field",
    "searches_of_units",
    "searches_so_far",
    "set_objects",
    "set_released",
    "withhold_alerts",
    "withhold_damaged",
    "withhold_messages",
]

TOPIC = "alerts"


@dataclass(frozen=True, slots=True)
class NamedDetection:
    """A row of `objects_of`."""

    candid: int
    object_id: str


@dataclass(frozen=True, slots=True)
class SkyObject:
    """A row of `objects_in_windows`."""

    object_id: str
    ra_deg: float
    dec_deg: float


@dataclass(frozen=True, slots=True)
class AddedObject:
    """A row of `add_objects`."""

    object_id: str
    first_candid: int


@dataclass(frozen=True, slots=True)
class FieldAwaitingRelease:
    """A row of `fields_awaiting_release`."""

    instrument: str
    field: int | None
    campaign: str


@dataclass(frozen=True, slots=True)
class NextDifference:
    """A row of `next_in_release_order`."""

    unit_key: str
    exposure_id: str
    waited_s: float
    waits_for: str | None


@dataclass(frozen=True, slots=True)
class StandingUnit:
    """A row of `lock_units_that_stand`."""

    unit_key: str


@dataclass(frozen=True, slots=True)
class Search:
    """A row of `searches_of_units` or `searches_of_field`."""

    unit_key: str
    campaign: str
    campaign_number: int
    reference_key: str
    limiting_magnitude: float | None
    instrument: str
    exposure_id: str
    detector: int
    quadrant: int
    site: str
    night: date
    ut_day: date
    field: int | None
    filter: str
    exposure_s: float
    shutter_open: datetime
    program_id: int
    zero_point: float | None
    zero_point_rms: float | None
    stars_matched: float | None
    corners_deg: list[float] | None
    reference_version: int
    reference_frames: int
    difference_path: str | None
    release_order_at: datetime


@dataclass(frozen=True, slots=True)
class SearchCount:
    """A row of `searches_so_far`."""

    detector: int
    quadrant: int
    searches: int


@dataclass(frozen=True, slots=True)
class Candidate:
    """A row of `candidates_of_units`."""

    candid: int
    shutter_open: datetime
    unit_key: str
    number: int
    processing_id: int
    site: str
    ra_deg: float
    dec_deg: float
    x: float
    y: float
    positive: bool
    signal_to_noise: float
    magnitude: float | None
    magnitude_error: float | None
    record: dict[str, Any]
    alert_state: AlertState | None


@dataclass(frozen=True, slots=True)
class EarlierDetection:
    """A row of `detections_in_windows`."""

    item: int
    candid: int
    shutter_open: datetime
    unit_key: str
    number: int
    processing_id: int
    site: str
    ra_deg: float
    dec_deg: float
    x: float
    y: float
    positive: bool
    signal_to_noise: float
    magnitude: float | None
    magnitude_error: float | None
    record: dict[str, Any]


@dataclass(frozen=True, slots=True)
class DetectionTime:
    """A row of `detection_times_in_windows`."""

    item: int
    candid: int
    shutter_open: datetime
    unit_key: str
    field: int | None
    ra_deg: float
    dec_deg: float


@dataclass(frozen=True, slots=True)
class ReferenceSpan:
    """A row of `reference_spans`."""

    reference_key: str
    begins: datetime
    ends: datetime


@dataclass(frozen=True, slots=True)
class CutoutsFile:
    """A row of `cutouts_of_units`."""

    unit_key: str
    path: str
    sha256: str


@dataclass(frozen=True, slots=True)
class PublishedPacket:
    """A row of `published_packets`."""

    candid: int
    packet_path: str
    packet_offset: int
    packet_bytes: int
    packet_sha256: str


@dataclass(frozen=True, slots=True)
class QueuedMessage:
    """A row of `queued`."""

    candid: int
    shutter_open: datetime
    topic: str
    queued_at: datetime
    object_id: str
    packet_path: str
    packet_offset: int
    packet_bytes: int
    packet_sha256: str


@dataclass(frozen=True, slots=True)
class PacketPlace:
    """A row of `packet_place`."""

    candid: int
    state: AlertState
    object_id: str | None
    packet_path: str | None
    packet_offset: int | None
    packet_bytes: int | None
    packet_sha256: str | None


def lock_association(ledger: Ledger) -> int:
    """Run `lock_association`."""
    return ledger.run(TOPIC, "lock_association")


def objects_of(ledger: Ledger, *, candids: Sequence[int]) -> list[NamedDetection]:
    """Run `objects_of`."""
    return ledger.select(TOPIC, "objects_of", NamedDetection, candids=candids)


def objects_in_windows(
    ledger: Ledger, *, items: Sequence[int], zones: Sequence[int], lows: Sequence[float], highs: Sequence[float]
) -> list[SkyObject]:
    """Run `objects_in_windows`."""
    return ledger.select(TOPIC, "objects_in_windows", SkyObject, items=items, zones=zones, lows=lows, highs=highs)


def add_objects(
    ledger: Ledger,
    *,
    names: Sequence[str],
    sites: Sequence[str],
    ras: Sequence[float],
    decs: Sequence[float],
    candids: Sequence[int],
    times: Sequence[datetime],
) -> list[AddedObject]:
    """Run `add_objects`."""
    return ledger.select(
        TOPIC, "add_objects", AddedObject, names=names, sites=sites, ras=ras, decs=decs, candids=candids, times=times
    )


def count_detections(ledger: Ledger, *, names: Sequence[str] | None, times: Sequence[datetime] | None) -> int:
    """Run `count_detections`."""
    return ledger.run(TOPIC, "count_detections", names=names, times=times)


def set_objects(
    ledger: Ledger, *, candids: Sequence[int] | None, times: Sequence[datetime] | None, names: Sequence[str] | None
) -> int:
    """Run `set_objects`."""
    return ledger.run(TOPIC, "set_objects", candids=candids, times=times, names=names)


def fields_awaiting_release(ledger: Ledger, *, instrument: str) -> list[FieldAwaitingRelease]:
    """Where something awaits its release."""
    return ledger.select(TOPIC, "fields_awaiting_release", FieldAwaitingRelease, instrument=instrument)


def next_in_release_order(
    ledger: Ledger,
    *,
    instrument: str,
    field: int,
    campaign: str,
    tier: str,
    campaigns: Sequence[str],
    at_least: int,
    serves_now: bool,
) -> list[NextDifference]:
    """The differences of the exposure that is next in its field, and whether something that comes before it in the
    order of release is still open: not reduced yet, or reduced and to be differenced with a reference that is
    there or for which enough good frames are there.
    """
    return ledger.select(
        TOPIC,
        "next_in_release_order",
        NextDifference,
        instrument=instrument,
        field=field,
        campaign=campaign,
        tier=tier,
        campaigns=campaigns,
        at_least=at_least,
        serves_now=serves_now,
    )


def lock_units_that_stand(ledger: Ledger, *, unit_keys: Sequence[str]) -> list[StandingUnit]:
    """Which of some units are processed; nobody rejects one of them before the transaction has ended."""
    return ledger.select(TOPIC, "lock_units_that_stand", StandingUnit, unit_keys=unit_keys)


def set_released(ledger: Ledger, *, unit_keys: Sequence[str] | None, campaign: str | None) -> int:
    """Its alerts were decided on, those of a difference without any too."""
    return ledger.run(TOPIC, "set_released", unit_keys=unit_keys, campaign=campaign)


def searches_of_units(ledger: Ledger, *, unit_keys: Sequence[str]) -> list[Search]:
    """Of one exposure."""
    return ledger.select(TOPIC, "searches_of_units", Search, unit_keys=unit_keys)


def searches_of_field(
    ledger: Ledger,
    *,
    since: datetime,
    before: datetime,
    instrument: str,
    field: int | None,
    campaign: str,
    release_order_at: datetime,
) -> list[Search]:
    """A shutter opens on the date of its night, or the day before or after it."""
    return ledger.select(
        TOPIC,
        "searches_of_field",
        Search,
        since=since,
        before=before,
        instrument=instrument,
        field=field,
        campaign=campaign,
        release_order_at=release_order_at,
    )


def searches_so_far(
    ledger: Ledger, *, instrument: str, field: int, campaign: str, until: datetime, release_order_at: datetime
) -> list[SearchCount]:
    """Since the survey began, as far as the ledger holds it."""
    return ledger.select(
        TOPIC,
        "searches_so_far",
        SearchCount,
        instrument=instrument,
        field=field,
        campaign=campaign,
        until=until,
        release_order_at=release_order_at,
    )


def candidates_of_units(
    ledger: Ledger, *, unit_keys: Sequence[str], shutter_open: datetime, campaign: str
) -> list[Candidate]:
    """Run `candidates_of_units`."""
    return ledger.select(
        TOPIC, "candidates_of_units", Candidate, unit_keys=unit_keys, shutter_open=shutter_open, campaign=campaign
    )


def detections_in_windows(
    ledger: Ledger,
    *,
    items: Sequence[int],
    zones: Sequence[int],
    lows: Sequence[float],
    highs: Sequence[float],
    campaign: str,
    since: datetime,
    before: datetime,
    release_order_at: datetime,
) -> list[EarlierDetection]:
    """Run `detections_in_windows`."""
    return ledger.select(
        TOPIC,
        "detections_in_windows",
        EarlierDetection,
        items=items,
        zones=zones,
        lows=lows,
        highs=highs,
        campaign=campaign,
        since=since,
        before=before,
        release_order_at=release_order_at,
    )


def detection_times_in_windows(
    ledger: Ledger,
    *,
    items: Sequence[int],
    zones: Sequence[int],
    lows: Sequence[float],
    highs: Sequence[float],
    campaign: str,
    until: datetime,
    release_order_at: datetime,
) -> list[DetectionTime]:
    """Since the survey began, as far as the ledger holds it: every month is looked into, by an index."""
    return ledger.select(
        TOPIC,
        "detection_times_in_windows",
        DetectionTime,
        items=items,
        zones=zones,
        lows=lows,
        highs=highs,
        campaign=campaign,
        until=until,
        release_order_at=release_order_at,
    )


def reference_spans(ledger: Ledger, *, reference_keys: Sequence[str]) -> list[ReferenceSpan]:
    """Run `reference_spans`."""
    return ledger.select(TOPIC, "reference_spans", ReferenceSpan, reference_keys=reference_keys)


def cutouts_of_units(ledger: Ledger, *, unit_keys: Sequence[str]) -> list[CutoutsFile]:
    """Run `cutouts_of_units`."""
    return ledger.select(TOPIC, "cutouts_of_units", CutoutsFile, unit_keys=unit_keys)


def published_packets(ledger: Ledger, *, candids: Sequence[int]) -> list[PublishedPacket]:
    """Packets of before a restore of the ledger: what was published under a candid stays."""
    return ledger.select(TOPIC, "published_packets", PublishedPacket, candids=candids)


def put_alerts(
    ledger: Ledger,
    *,
    shutter_open: datetime | None,
    campaign: str | None,
    site: str | None,
    night: date | None,
    schema_version: str | None,
    packet_path: str | None,
    candids: Sequence[int] | None,
    names: Sequence[str] | None,
    unit_keys: Sequence[str] | None,
    offsets: Sequence[int] | None,
    sizes: Sequence[int] | None,
    digests: Sequence[str] | None,
) -> int:
    """Run `put_alerts`."""
    return ledger.run(
        TOPIC,
        "put_alerts",
        shutter_open=shutter_open,
        campaign=campaign,
        site=site,
        night=night,
        schema_version=schema_version,
        packet_path=packet_path,
        candids=candids,
        names=names,
        unit_keys=unit_keys,
        offsets=offsets,
        sizes=sizes,
        digests=digests,
    )


def queue_messages(
    ledger: Ledger, *, shutter_open: datetime | None, kafka_topic: str | None, candids: Sequence[int] | None
) -> int:
    """Run `queue_messages`."""
    return ledger.run(TOPIC, "queue_messages", shutter_open=shutter_open, kafka_topic=kafka_topic, candids=candids)


def withhold_alerts(
    ledger: Ledger,
    *,
    shutter_open: datetime | None,
    unit_key: str | None,
    campaign: str | None,
    site: str | None,
    night: date | None,
    reason: str | None,
    candids: Sequence[int] | None,
) -> int:
    """Run `withhold_alerts`."""
    return ledger.run(
        TOPIC,
        "withhold_alerts",
        shutter_open=shutter_open,
        unit_key=unit_key,
        campaign=campaign,
        site=site,
        night=night,
        reason=reason,
        candids=candids,
    )


def withhold_messages(
    ledger: Ledger, *, shutter_open: datetime | None, kafka_topic: str | None, candids: Sequence[int] | None
) -> int:
    """Run `withhold_messages`."""
    return ledger.run(TOPIC, "withhold_messages", shutter_open=shutter_open, kafka_topic=kafka_topic, candids=candids)


def queued(
    ledger: Ledger, *, after_time: datetime, after_candid: int, after_topic: str, most: int
) -> list[QueuedMessage]:
    """Run `queued`."""
    return ledger.select(
        TOPIC,
        "queued",
        QueuedMessage,
        after_time=after_time,
        after_candid=after_candid,
        after_topic=after_topic,
        most=most,
    )


def acknowledge(
    ledger: Ledger,
    *,
    candids: Sequence[int] | None,
    times: Sequence[datetime] | None,
    topics: Sequence[str] | None,
    partitions: Sequence[int] | None,
    offsets: Sequence[int] | None,
) -> int:
    """Run `acknowledge`."""
    return ledger.run(
        TOPIC, "acknowledge", candids=candids, times=times, topics=topics, partitions=partitions, offsets=offsets
    )


def note_failures(
    ledger: Ledger,
    *,
    candids: Sequence[int] | None,
    times: Sequence[datetime] | None,
    topics: Sequence[str] | None,
    errors: Sequence[str] | None,
) -> int:
    """Run `note_failures`."""
    return ledger.run(TOPIC, "note_failures", candids=candids, times=times, topics=topics, errors=errors)


def withhold_damaged(
    ledger: Ledger, *, error: str | None, candid: int | None, shutter_open: datetime | None, reason: str | None
) -> int:
    """Run `withhold_damaged`."""
    return ledger.run(TOPIC, "withhold_damaged", error=error, candid=candid, shutter_open=shutter_open, reason=reason)


def queue_length(ledger: Ledger) -> int:
    """Run `queue_length`."""
    found: int = ledger.value(TOPIC, "queue_length")
    return found


def packet_place(ledger: Ledger, *, candid: int) -> PacketPlace | None:
    """Run `packet_place`."""
    return ledger.first(TOPIC, "packet_place", PacketPlace, candid=candid)
