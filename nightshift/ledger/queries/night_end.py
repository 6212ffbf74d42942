"""The named queries of ``sql/queries/night_end.sql``, typed.

Written by ``make queries``: change the SQL and run it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from nightshift.ledger.database import Ledger
from nightshift.vocabulary import (
    AlertState,
    CalibrationKind,
    Disposition,
    ErrorClass,
    EventLevel,
    ImageType,
    NightState,
    UnitState,
)

__all__ = [
    "AlertOnSky",
    "AlertsInState",
    "ArchiveTotals",
    "ArrivalOfNight",
    "ArrivalOnManifest",
    "AwaitedName",
    "BestCandidate",
    "CalibrationUse",
    "DifferencesInState",
    "ExposureType",
    "FilterOfScience",
    "Footprint",
    "FrameOfNight",
    "KnownReason",
    "LateFrame",
    "Latency",
    "LoudEvent",
    "Manifest",
    "ManifestEntry",
    "MastersOfKind",
    "MeasurementOfExposure",
    "MeasurementOfFilter",
    "Night",
    "NightThatKeepsEvents",
    "OldEvent",
    "QualityOfFilter",
    "QuarantinedFile",
    "ReferenceBuilt",
    "ScienceOfField",
    "SumOfOldEvents",
    "TimelineExposure",
    "TopicMessages",
    "Tracklet",
    "TrackletPosition",
    "UnclosedNight",
    "Unfinished",
    "UnitOfNight",
    "WarnedMeasurement",
    "WrittenReport",
    "alerts_by_state",
    "archive_totals",
    "arrivals_of_night",
    "arrivals_on_manifest",
    "attempts_in_flight",
    "begin_closing",
    "best_candidates",
    "calibration_uses",
    "changed_since_mail",
    "count_from_now",
    "delete_events",
    "differences_by_state",
    "exposure_types",
    "exposures_in_flight",
    "fail_stragglers",
    "filters_of_science",
    "footprints",
    "frames_of_night",
    "image_quality_by_filter",
    "last_closed_night",
    "late_frames",
    "latency",
    "lock_night",
    "loud_events",
    "manifest_entries",
    "manifests",
    "mark_mismatches",
    "masters",
    "measurements_by_filter",
    "measurements_of_timeline",
    "names_awaited",
    "night",
    "night_that_keeps_events",
    "old_events",
    "old_events_in_sum",
    "outbox_by_topic",
    "outbox_in_flight",
    "put_ended_unit",
    "put_event_archive",
    "put_report",
    "put_summary",
    "quality_warnings",
    "quarantined",
    "reasons",
    "references_built",
    "reject_units_of_mismatches",
    "releases_in_flight",
    "reopen_exposures",
    "report",
    "restore_units_of_mismatches",
    "revive_units",
    "runs_in_flight",
    "science_by_field",
    "seconds_closing",
    "set_closed",
    "set_report_sent",
    "sky_of_alerts",
    "timeline",
    "tracklet_positions",
    "tracklets",
    "unclosed_nights",
    "units_in_flight",
    "units_of_night",
    "unmark_mismatches",
]

TOPIC = "night_end"


@dataclass(frozen=True, slots=True)
class Night:
    """A row of `night`."""

    site: str
    night: date
    begins: datetime
    ends: datetime
    state: NightState
    closing_since: datetime | None
    closed_at: datetime | None
    signal: str | None
    summary: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Manifest:
    """A row of `manifests`."""

    part: int
    parts: int
    sha256: str
    path: str
    synthetic: bool
    received_at: datetime


@dataclass(frozen=True, slots=True)
class ManifestEntry:
    """A row of `manifest_entries`."""

    file_name: str
    bytes: int
    sha256: str
    part: int


@dataclass(frozen=True, slots=True)
class ArrivalOfNight:
    """A row of `arrivals_of_night`."""

    arrival_key: str
    inbox_name: str
    bytes: int
    sha256: str | None
    disposition: Disposition
    reason: str | None
    detail: str
    arrived_at: datetime
    exposure_id: str | None
    has_frame: bool
    has_quarantine: bool


@dataclass(frozen=True, slots=True)
class ArrivalOnManifest:
    """A row of `arrivals_on_manifest`."""

    inbox_name: str
    sha256: str | None
    disposition: Disposition
    reason: str | None
    detail: str


@dataclass(frozen=True, slots=True)
class FrameOfNight:
    """A row of `frames_of_night`."""

    instrument: str
    exposure_id: str
    detector: int
    inbox_name: str
    path: str
    sha256: str
    bytes: int
    invalid_reason: str | None
    image_type: ImageType
    filter: str
    field: int | None
    shutter_open: datetime


@dataclass(frozen=True, slots=True)
class LateFrame:
    """A row of `late_frames`."""

    inbox_name: str


@dataclass(frozen=True, slots=True)
class ExposureType:
    """A row of `exposure_types`."""

    instrument: str
    exposure_id: str
    image_type: ImageType
    detectors_expected: list[int]


@dataclass(frozen=True, slots=True)
class UnitOfNight:
    """A row of `units_of_night`."""

    unit_key: str
    instrument: str
    exposure_id: str
    detector: int
    quadrant: int
    state: UnitState
    reason: str | None
    detail: str
    flags: list[str]


@dataclass(frozen=True, slots=True)
class CalibrationUse:
    """A row of `calibration_uses`."""

    instrument: str
    exposure_id: str
    detector: int
    accepted: bool
    reason: str | None
    level: float | None


@dataclass(frozen=True, slots=True)
class OldEvent:
    """A row of `old_events`."""

    event_id: int
    at: datetime
    night_time: datetime | None
    level: EventLevel
    kind: str
    subject: str
    message: str
    detail: dict[str, Any]


@dataclass(frozen=True, slots=True)
class SumOfOldEvents:
    """A row of `old_events_in_sum`."""

    events: int
    first: datetime | None
    last: datetime | None


@dataclass(frozen=True, slots=True)
class NightThatKeepsEvents:
    """A row of `night_that_keeps_events`."""

    night: date
    state: NightState
    events: int


@dataclass(frozen=True, slots=True)
class ArchiveTotals:
    """A row of `archive_totals`."""

    files: int
    bytes: int
    verified: int


@dataclass(frozen=True, slots=True)
class ScienceOfField:
    """A row of `science_by_field`."""

    field: int | None
    filter: str
    exposures: int
    first_open: datetime
    last_open: datetime
    processed: int
    rejected: int
    failed: int
    missing: int
    held: int
    unfinished: int
    differenced: int
    candidates: int
    alerts: int


@dataclass(frozen=True, slots=True)
class FilterOfScience:
    """A row of `filters_of_science`."""

    filter: str


@dataclass(frozen=True, slots=True)
class MastersOfKind:
    """A row of `masters`."""

    kind: CalibrationKind
    filter: str
    masters: int
    in_service: int
    frames: int
    level: float | None
    noise: float | None
    read_noise: float | None
    gain: float | None
    reasons: list[str]
    first_not_in_service: str | None


@dataclass(frozen=True, slots=True)
class QualityOfFilter:
    """A row of `image_quality_by_filter`."""

    filter: str
    units: int
    bad: int
    relative: int


@dataclass(frozen=True, slots=True)
class MeasurementOfFilter:
    """A row of `measurements_by_filter`."""

    filter: str
    name: str
    quantiles: list[float] | None
    present: int


@dataclass(frozen=True, slots=True)
class WarnedMeasurement:
    """A row of `quality_warnings`."""

    measurement: str
    units: int


@dataclass(frozen=True, slots=True)
class TimelineExposure:
    """A row of `timeline`."""

    exposure_id: str
    shutter_open: datetime
    exposure_s: float
    filter: str
    field: int | None
    good: bool


@dataclass(frozen=True, slots=True)
class MeasurementOfExposure:
    """A row of `measurements_of_timeline`."""

    exposure_id: str
    name: str
    median: float | None


@dataclass(frozen=True, slots=True)
class QuarantinedFile:
    """A row of `quarantined`."""

    inbox_name: str
    bytes: int
    arrived_at: datetime
    disposition: Disposition
    reason: str | None
    detail: str
    disposed_as: str | None


@dataclass(frozen=True, slots=True)
class DifferencesInState:
    """A row of `differences_by_state`."""

    state: UnitState
    reason: str | None
    units: int
    candidates: int
    noise_ratio: float | None


@dataclass(frozen=True, slots=True)
class ReferenceBuilt:
    """A row of `references_built`."""

    field: int
    filter: str
    version: int
    quadrants: int
    in_service: int
    frames: int
    fwhm_px: float | None
    limiting_magnitude: float | None
    reasons: list[str]


@dataclass(frozen=True, slots=True)
class AlertsInState:
    """A row of `alerts_by_state`."""

    state: AlertState
    alerts: int
    objects: int
    reasons: list[str]
    first_unit: str


@dataclass(frozen=True, slots=True)
class TopicMessages:
    """A row of `outbox_by_topic`."""

    topic: str
    messages: int
    acknowledged: int
    queued: int
    most_tries: int


@dataclass(frozen=True, slots=True)
class Latency:
    """A row of `latency`."""

    waited: bool
    alerts: int
    p50_s: float
    p90_s: float
    p99_s: float
    max_s: float


@dataclass(frozen=True, slots=True)
class Tracklet:
    """A row of `tracklets`."""

    number: int
    tracklet_key: str
    detections: int
    begins: datetime
    ends: datetime
    ra_deg: float
    dec_deg: float
    rate_deg_per_day: float
    position_angle_deg: float
    residual_arcsec: float
    magnitude: float | None


@dataclass(frozen=True, slots=True)
class TrackletPosition:
    """A row of `tracklet_positions`."""

    number: int
    shutter_open: datetime
    ra_deg: float
    dec_deg: float


@dataclass(frozen=True, slots=True)
class AlertOnSky:
    """A row of `sky_of_alerts`."""

    field: int | None
    filter: str
    ra_deg: float
    dec_deg: float
    signal_to_noise: float
    state: AlertState


@dataclass(frozen=True, slots=True)
class Footprint:
    """A row of `footprints`."""

    field: int | None
    corners_deg: list[float]


@dataclass(frozen=True, slots=True)
class BestCandidate:
    """A row of `best_candidates`."""

    object_id: str
    candid: int
    number: int
    unit_key: str
    signal_to_noise: float
    magnitude: float | None
    filter: str
    shutter_open: datetime
    positive: bool
    cutouts: str


@dataclass(frozen=True, slots=True)
class LoudEvent:
    """A row of `loud_events`."""

    level: EventLevel
    kind: str
    message: str
    subject: str
    times: int


@dataclass(frozen=True, slots=True)
class KnownReason:
    """A row of `reasons`."""

    reason: str
    error_class: ErrorClass
    sentence: str


@dataclass(frozen=True, slots=True)
class WrittenReport:
    """A row of `report`."""

    path: str
    sent_at: datetime | None
    message_id: str | None


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A row of `units_in_flight` or `exposures_in_flight` or `attempts_in_flight` or `runs_in_flight` or
    `releases_in_flight` or `outbox_in_flight`.
    """

    subject: str
    state: str


@dataclass(frozen=True, slots=True)
class AwaitedName:
    """A row of `names_awaited`."""

    file_name: str


@dataclass(frozen=True, slots=True)
class UnclosedNight:
    """A row of `unclosed_nights`."""

    site: str
    night: date
    state: NightState
    ends: datetime
    closing_since: datetime | None


def night(ledger: Ledger, *, site: str, night: date) -> Night | None:
    """Run `night`."""
    return ledger.first(TOPIC, "night", Night, site=site, night=night)


def lock_night(ledger: Ledger, *, subject: str) -> None:
    """One at a time for one night; released with the transaction."""
    ledger.run(TOPIC, "lock_night", subject=subject)


def manifests(ledger: Ledger, *, site: str, night: date) -> list[Manifest]:
    """Run `manifests`."""
    return ledger.select(TOPIC, "manifests", Manifest, site=site, night=night)


def manifest_entries(ledger: Ledger, *, site: str, night: date) -> list[ManifestEntry]:
    """Run `manifest_entries`."""
    return ledger.select(TOPIC, "manifest_entries", ManifestEntry, site=site, night=night)


def arrivals_of_night(ledger: Ledger, *, site: str, night: date) -> list[ArrivalOfNight]:
    """What a registered frame belongs to is said by its exposure, of anything else by the arrival itself."""
    return ledger.select(TOPIC, "arrivals_of_night", ArrivalOfNight, site=site, night=night)


def arrivals_on_manifest(ledger: Ledger, *, site: str, night: date) -> list[ArrivalOnManifest]:
    """Every arrival of a file that the night's manifest lists, whenever it came."""
    return ledger.select(TOPIC, "arrivals_on_manifest", ArrivalOnManifest, site=site, night=night)


def frames_of_night(ledger: Ledger, *, site: str, night: date) -> list[FrameOfNight]:
    """Run `frames_of_night`."""
    return ledger.select(TOPIC, "frames_of_night", FrameOfNight, site=site, night=night)


def late_frames(ledger: Ledger, *, site: str, night: date, subject: str) -> list[LateFrame]:
    """Registered frames that came after the night was closed for the first time."""
    return ledger.select(TOPIC, "late_frames", LateFrame, site=site, night=night, subject=subject)


def exposure_types(ledger: Ledger, *, site: str, night: date) -> list[ExposureType]:
    """Run `exposure_types`."""
    return ledger.select(TOPIC, "exposure_types", ExposureType, site=site, night=night)


def units_of_night(ledger: Ledger, *, site: str, night: date, tier: str, campaign: str) -> list[UnitOfNight]:
    """Run `units_of_night`."""
    return ledger.select(TOPIC, "units_of_night", UnitOfNight, site=site, night=night, tier=tier, campaign=campaign)


def calibration_uses(ledger: Ledger, *, site: str, night: date, campaign: str) -> list[CalibrationUse]:
    """What each master of the night's frames made of each of them."""
    return ledger.select(TOPIC, "calibration_uses", CalibrationUse, site=site, night=night, campaign=campaign)


def mark_mismatches(ledger: Ledger, *, site: str | None, night: date | None) -> int:
    """The registered content is not what the mountain sent, and no person has accepted it all the same."""
    return ledger.run(TOPIC, "mark_mismatches", site=site, night=night)


def unmark_mismatches(ledger: Ledger, *, site: str | None, night: date | None) -> int:
    """A corrected manifest agrees with what is here."""
    return ledger.run(TOPIC, "unmark_mismatches", site=site, night=night)


def reject_units_of_mismatches(ledger: Ledger, *, site: str | None, night: date | None) -> int:
    """Run `reject_units_of_mismatches`."""
    return ledger.run(TOPIC, "reject_units_of_mismatches", site=site, night=night)


def restore_units_of_mismatches(ledger: Ledger, *, site: str | None, night: date | None) -> int:
    """Run `restore_units_of_mismatches`."""
    return ledger.run(TOPIC, "restore_units_of_mismatches", site=site, night=night)


def put_ended_unit(
    ledger: Ledger,
    *,
    instrument: str | None,
    exposure_id: str | None,
    detector: int | None,
    quadrant: int | None,
    tier: str | None,
    campaign: str | None,
    unit_key: str | None,
    state: str | None,
    reason: str | None,
    detail: str | None,
    file_reasons: Sequence[str] | None,
) -> int:
    """A unit whose file never came, or came unusable. What has begun otherwise stays as it is."""
    return ledger.run(
        TOPIC,
        "put_ended_unit",
        instrument=instrument,
        exposure_id=exposure_id,
        detector=detector,
        quadrant=quadrant,
        tier=tier,
        campaign=campaign,
        unit_key=unit_key,
        state=state,
        reason=reason,
        detail=detail,
        file_reasons=file_reasons,
    )


def revive_units(ledger: Ledger, *, site: str | None, night: date | None, file_reasons: Sequence[str] | None) -> int:
    """Their file came after all, so their work is due."""
    return ledger.run(TOPIC, "revive_units", site=site, night=night, file_reasons=file_reasons)


def reopen_exposures(ledger: Ledger, *, site: str | None, night: date | None, campaign: str | None) -> int:
    """Run `reopen_exposures`."""
    return ledger.run(TOPIC, "reopen_exposures", site=site, night=night, campaign=campaign)


def put_summary(ledger: Ledger, *, summary: dict[str, Any] | None, site: str | None, night: date | None) -> int:
    """Run `put_summary`."""
    return ledger.run(TOPIC, "put_summary", summary=summary, site=site, night=night)


def last_closed_night(ledger: Ledger, *, site: str) -> date | None:
    """Run `last_closed_night`."""
    found: date | None = ledger.value(TOPIC, "last_closed_night", site=site)
    return found


def old_events(ledger: Ledger, *, days: int, most: int) -> list[OldEvent]:
    """The oldest that may leave. What tells when a night was closed stays, and so does what programs may ask for
    of a night that is not closed.
    """
    return ledger.select(TOPIC, "old_events", OldEvent, days=days, most=most)


def old_events_in_sum(ledger: Ledger, *, days: int) -> SumOfOldEvents | None:
    """Run `old_events_in_sum`."""
    return ledger.first(TOPIC, "old_events_in_sum", SumOfOldEvents, days=days)


def night_that_keeps_events(ledger: Ledger, *, days: int) -> NightThatKeepsEvents | None:
    """The first night that is not closed, and how many old events stay for its sake."""
    return ledger.first(TOPIC, "night_that_keeps_events", NightThatKeepsEvents, days=days)


def put_event_archive(
    ledger: Ledger, *, path: str | None, first: int | None, last: int | None, last_at: datetime | None
) -> int:
    """Run `put_event_archive`."""
    return ledger.run(TOPIC, "put_event_archive", path=path, first=first, last=last, last_at=last_at)


def delete_events(ledger: Ledger, *, event_ids: Sequence[int] | None) -> int:
    """Run `delete_events`."""
    return ledger.run(TOPIC, "delete_events", event_ids=event_ids)


def archive_totals(ledger: Ledger, *, site: str, night: date) -> ArchiveTotals | None:
    """Run `archive_totals`."""
    return ledger.first(TOPIC, "archive_totals", ArchiveTotals, site=site, night=night)


def science_by_field(
    ledger: Ledger, *, night: date, tier: str, campaign: str, site: str, instrument: str
) -> list[ScienceOfField]:
    """Run `science_by_field`."""
    return ledger.select(
        TOPIC,
        "science_by_field",
        ScienceOfField,
        night=night,
        tier=tier,
        campaign=campaign,
        site=site,
        instrument=instrument,
    )


def filters_of_science(ledger: Ledger, *, instrument: str, night: date) -> list[FilterOfScience]:
    """Run `filters_of_science`."""
    return ledger.select(TOPIC, "filters_of_science", FilterOfScience, instrument=instrument, night=night)


def masters(ledger: Ledger, *, night: date, instrument: str, campaign: str) -> list[MastersOfKind]:
    """Of each quadrant the version that serves, or the newest where none does."""
    return ledger.select(TOPIC, "masters", MastersOfKind, night=night, instrument=instrument, campaign=campaign)


def image_quality_by_filter(
    ledger: Ledger, *, site: str, night: date, instrument: str, tier: str, campaign: str
) -> list[QualityOfFilter]:
    """Run `image_quality_by_filter`."""
    return ledger.select(
        TOPIC,
        "image_quality_by_filter",
        QualityOfFilter,
        site=site,
        night=night,
        instrument=instrument,
        tier=tier,
        campaign=campaign,
    )


def measurements_by_filter(
    ledger: Ledger, *, site: str, night: date, instrument: str, tier: str, campaign: str, names: Sequence[str]
) -> list[MeasurementOfFilter]:
    """Of each measurement, over the quadrants of a filter: four quantiles, null where it was never made, and in
    how many quadrants it is above zero.
    """
    return ledger.select(
        TOPIC,
        "measurements_by_filter",
        MeasurementOfFilter,
        site=site,
        night=night,
        instrument=instrument,
        tier=tier,
        campaign=campaign,
        names=names,
    )


def quality_warnings(
    ledger: Ledger, *, site: str, night: date, instrument: str, tier: str, campaign: str
) -> list[WarnedMeasurement]:
    """How many quadrants are outside of the `warn` bounds of each measurement, the commonest first."""
    return ledger.select(
        TOPIC,
        "quality_warnings",
        WarnedMeasurement,
        site=site,
        night=night,
        instrument=instrument,
        tier=tier,
        campaign=campaign,
    )


def timeline(
    ledger: Ledger, *, night: date, tier: str, campaign: str, site: str, instrument: str
) -> list[TimelineExposure]:
    """One row a science exposure, in shutter order; it is good where all its units that were measured are."""
    return ledger.select(
        TOPIC,
        "timeline",
        TimelineExposure,
        night=night,
        tier=tier,
        campaign=campaign,
        site=site,
        instrument=instrument,
    )


def measurements_of_timeline(
    ledger: Ledger, *, site: str, night: date, instrument: str, tier: str, campaign: str, names: Sequence[str]
) -> list[MeasurementOfExposure]:
    """Of each science exposure and measurement the median over its units, null where it was made on none."""
    return ledger.select(
        TOPIC,
        "measurements_of_timeline",
        MeasurementOfExposure,
        site=site,
        night=night,
        instrument=instrument,
        tier=tier,
        campaign=campaign,
        names=names,
    )


def quarantined(ledger: Ledger, *, site: str, night: date) -> list[QuarantinedFile]:
    """Run `quarantined`."""
    return ledger.select(TOPIC, "quarantined", QuarantinedFile, site=site, night=night)


def differences_by_state(ledger: Ledger, *, site: str, night: date, campaign: str) -> list[DifferencesInState]:
    """Run `differences_by_state`."""
    return ledger.select(TOPIC, "differences_by_state", DifferencesInState, site=site, night=night, campaign=campaign)


def references_built(
    ledger: Ledger, *, instrument: str, campaign: str, site: str, night: date
) -> list[ReferenceBuilt]:
    """Run `references_built`."""
    return ledger.select(
        TOPIC, "references_built", ReferenceBuilt, instrument=instrument, campaign=campaign, site=site, night=night
    )


def alerts_by_state(ledger: Ledger, *, site: str, night: date) -> list[AlertsInState]:
    """Run `alerts_by_state`."""
    return ledger.select(TOPIC, "alerts_by_state", AlertsInState, site=site, night=night)


def outbox_by_topic(ledger: Ledger, *, site: str, night: date) -> list[TopicMessages]:
    """Run `outbox_by_topic`."""
    return ledger.select(TOPIC, "outbox_by_topic", TopicMessages, site=site, night=night)


def latency(ledger: Ledger, *, live: bool, site: str, night: date) -> list[Latency]:
    """Seconds from the closing of the shutter (of a night that is not live: from an exposure's last file) to the
    broker's acknowledgement of each of its alerts. Alerts of frames that had to wait for their reference are
    apart: they measure the wait.
    """
    return ledger.select(TOPIC, "latency", Latency, live=live, site=site, night=night)


def tracklets(ledger: Ledger, *, site: str, night: date, campaign: str) -> list[Tracklet]:
    """Run `tracklets`."""
    return ledger.select(TOPIC, "tracklets", Tracklet, site=site, night=night, campaign=campaign)


def tracklet_positions(ledger: Ledger, *, site: str, night: date, campaign: str) -> list[TrackletPosition]:
    """Run `tracklet_positions`."""
    return ledger.select(TOPIC, "tracklet_positions", TrackletPosition, site=site, night=night, campaign=campaign)


def sky_of_alerts(ledger: Ledger, *, site: str, night: date, most: int) -> list[AlertOnSky]:
    """Run `sky_of_alerts`."""
    return ledger.select(TOPIC, "sky_of_alerts", AlertOnSky, site=site, night=night, most=most)


def footprints(ledger: Ledger, *, site: str, night: date, most: int) -> list[Footprint]:
    """Run `footprints`."""
    return ledger.select(TOPIC, "footprints", Footprint, site=site, night=night, most=most)


def best_candidates(ledger: Ledger, *, site: str, night: date, most: int) -> list[BestCandidate]:
    """The strongest detection of each object whose alert left, strongest first."""
    return ledger.select(TOPIC, "best_candidates", BestCandidate, site=site, night=night, most=most)


def loud_events(
    ledger: Ledger,
    *,
    site: str,
    night: date,
    begins: Sequence[str],
    ends: Sequence[str],
    elsewhere: Sequence[str],
    subject: str,
) -> list[LoudEvent]:
    """Each thing said aloud during the night, once, with how often; without what the books and the archive say by
    themselves as they stand now.
    """
    return ledger.select(
        TOPIC,
        "loud_events",
        LoudEvent,
        site=site,
        night=night,
        begins=begins,
        ends=ends,
        elsewhere=elsewhere,
        subject=subject,
    )


def reasons(ledger: Ledger) -> list[KnownReason]:
    """Run `reasons`."""
    return ledger.select(TOPIC, "reasons", KnownReason)


def report(ledger: Ledger, *, site: str, night: date, kind: str) -> WrittenReport | None:
    """Run `report`."""
    return ledger.first(TOPIC, "report", WrittenReport, site=site, night=night, kind=kind)


def changed_since_mail(ledger: Ledger, *, site: str, night: date, kind: str) -> bool:
    """Whether something of the night came or was reduced after its report was sent."""
    found: bool = ledger.value(TOPIC, "changed_since_mail", site=site, night=night, kind=kind)
    return found


def put_report(ledger: Ledger, *, site: str | None, night: date | None, kind: str | None, path: str | None) -> int:
    """Run `put_report`."""
    return ledger.run(TOPIC, "put_report", site=site, night=night, kind=kind, path=path)


def set_report_sent(
    ledger: Ledger, *, message_id: str | None, site: str | None, night: date | None, kind: str | None
) -> int:
    """Run `set_report_sent`."""
    return ledger.run(TOPIC, "set_report_sent", message_id=message_id, site=site, night=night, kind=kind)


def begin_closing(ledger: Ledger, *, signal: str | None, site: str | None, night: date | None) -> int:
    """A night that was closed opens its books again without losing its signal."""
    return ledger.run(TOPIC, "begin_closing", signal=signal, site=site, night=night)


def count_from_now(ledger: Ledger, *, site: str | None, night: date | None) -> int:
    """What comes from now on may not be counted any more when the night closes."""
    return ledger.run(TOPIC, "count_from_now", site=site, night=night)


def set_closed(ledger: Ledger, *, state: str | None, site: str | None, night: date | None) -> int:
    """Run `set_closed`."""
    return ledger.run(TOPIC, "set_closed", state=state, site=site, night=night)


def seconds_closing(ledger: Ledger, *, site: str, night: date) -> float | None:
    """Run `seconds_closing`."""
    found: float | None = ledger.value(TOPIC, "seconds_closing", site=site, night=night)
    return found


def units_in_flight(ledger: Ledger, *, site: str, night: date) -> list[Unfinished]:
    """Run `units_in_flight`."""
    return ledger.select(TOPIC, "units_in_flight", Unfinished, site=site, night=night)


def exposures_in_flight(ledger: Ledger, *, site: str, night: date, kinds: Sequence[str]) -> list[Unfinished]:
    """Run `exposures_in_flight`."""
    return ledger.select(TOPIC, "exposures_in_flight", Unfinished, site=site, night=night, kinds=kinds)


def attempts_in_flight(ledger: Ledger, *, site: str, night: date) -> list[Unfinished]:
    """Run `attempts_in_flight`."""
    return ledger.select(TOPIC, "attempts_in_flight", Unfinished, site=site, night=night)


def runs_in_flight(
    ledger: Ledger, *, workflows: Sequence[str], stale_s: float, site: str, night: date, instruments: Sequence[str]
) -> list[Unfinished]:
    """Runs that were asked for and whose job is this night's, or whose job is not planned yet."""
    return ledger.select(
        TOPIC,
        "runs_in_flight",
        Unfinished,
        workflows=workflows,
        stale_s=stale_s,
        site=site,
        night=night,
        instruments=instruments,
    )


def releases_in_flight(ledger: Ledger, *, site: str, night: date) -> list[Unfinished]:
    """Searched differences whose alerts await their release."""
    return ledger.select(TOPIC, "releases_in_flight", Unfinished, site=site, night=night)


def outbox_in_flight(ledger: Ledger, *, site: str, night: date) -> list[Unfinished]:
    """Run `outbox_in_flight`."""
    return ledger.select(TOPIC, "outbox_in_flight", Unfinished, site=site, night=night)


def names_awaited(ledger: Ledger, *, site: str, night: date) -> list[AwaitedName]:
    """Run `names_awaited`."""
    return ledger.select(TOPIC, "names_awaited", AwaitedName, site=site, night=night)


def fail_stragglers(ledger: Ledger, *, site: str | None, night: date | None, campaign: str | None) -> int:
    """Run `fail_stragglers`."""
    return ledger.run(TOPIC, "fail_stragglers", site=site, night=night, campaign=campaign)


def unclosed_nights(ledger: Ledger, *, site: str, now: datetime, quiet_s: float) -> list[UnclosedNight]:
    """Nights that should have closed: noon has passed by the night's clock, and nothing has come for a while."""
    return ledger.select(TOPIC, "unclosed_nights", UnclosedNight, site=site, now=now, quiet_s=quiet_s)
