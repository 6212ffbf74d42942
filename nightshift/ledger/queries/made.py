"""The named queries of ``sql/queries/made.sql``, typed.

Written by ``make queries``: change the SQL and run it.
"""

from dataclasses import dataclass
from datetime import date, datetime

from nightshift.ledger.database import Ledger
from nightshift.vocabulary import (
    AlertState,
    AttemptState,
    CalibrationKind,
    CalibrationState,
    OutboxState,
    ReferenceState,
)

__all__ = [
    "AlertStory",
    "AttemptAtIt",
    "DisposedFile",
    "FrameOfExposure",
    "LastWord",
    "MadeWithIt",
    "MasterFrame",
    "MasterStory",
    "MemberOfReference",
    "MessageOfAlert",
    "ReferenceStory",
    "RestoredMaster",
    "alert",
    "attempts_at",
    "disposed_file",
    "frames_of_exposure",
    "last_word",
    "made_with_it",
    "master",
    "master_frames",
    "messages_of_alert",
    "reference",
    "reference_members",
    "restore_master",
    "restore_reference",
    "send_alert_after_all",
    "unset_reference",
    "withdraw_master",
    "withhold_alert",
]

TOPIC = "made"


@dataclass(frozen=True, slots=True)
class MasterStory:
    """A row of `master`."""

    calibration_key: str
    state: CalibrationState
    reason: str | None
    detail: str
    frames: int
    level: float | None
    noise: float | None
    read_noise: float | None
    gain: float | None
    valid_from: datetime
    built_at: datetime
    path: str | None
    sha256: str | None
    code_version: str | None


@dataclass(frozen=True, slots=True)
class MasterFrame:
    """A row of `master_frames`."""

    instrument: str
    exposure_id: str
    detector: int
    accepted: bool
    reason: str | None
    level: float | None


@dataclass(frozen=True, slots=True)
class ReferenceStory:
    """A row of `reference`."""

    reference_key: str
    state: ReferenceState
    reason: str | None
    detail: str
    frames: int
    fwhm_px: float | None
    zero_point: float | None
    limiting_magnitude: float | None
    valid_from: datetime | None
    requested_by: str
    request_reason: str
    built_at: datetime
    path: str | None
    sha256: str | None
    code_version: str | None


@dataclass(frozen=True, slots=True)
class MemberOfReference:
    """A row of `reference_members`."""

    unit_key: str
    weight: float


@dataclass(frozen=True, slots=True)
class AttemptAtIt:
    """A row of `attempts_at`."""

    job_key: str
    attempt: int
    state: AttemptState
    reason: str | None
    detail: str
    host: str | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class MadeWithIt:
    """A row of `made_with_it`."""

    kind: str
    products: int
    first_unit: str


@dataclass(frozen=True, slots=True)
class AlertStory:
    """A row of `alert`."""

    candid: int
    shutter_open: datetime
    unit_key: str
    reference_key: str
    object_id: str | None
    number: int
    ra_deg: float
    dec_deg: float
    signal_to_noise: float
    magnitude: float | None
    positive: bool
    state: AlertState | None
    reason: str | None
    released_at: datetime | None
    packet_path: str | None


@dataclass(frozen=True, slots=True)
class MessageOfAlert:
    """A row of `messages_of_alert`."""

    topic: str
    state: OutboxState
    acknowledged_at: datetime | None
    broker_partition: int | None
    broker_offset: int | None
    last_error: str | None


@dataclass(frozen=True, slots=True)
class RestoredMaster:
    """A row of `restore_master`."""

    kind: CalibrationKind
    instrument: str
    detector: int
    quadrant: int
    filter: str
    night: date
    epoch: int
    version: int
    campaign: str


@dataclass(frozen=True, slots=True)
class LastWord:
    """A row of `last_word`."""

    verdict: str
    explanation: str
    operator: str
    made_at: datetime


@dataclass(frozen=True, slots=True)
class FrameOfExposure:
    """A row of `frames_of_exposure`."""

    detector: int


@dataclass(frozen=True, slots=True)
class DisposedFile:
    """A row of `disposed_file`."""

    inbox_name: str
    disposed_as: str | None
    disposed_by: str | None
    disposed_at: datetime | None


def master(ledger: Ledger, *, key: str) -> MasterStory | None:
    """Run `master`."""
    return ledger.first(TOPIC, "master", MasterStory, key=key)


def master_frames(ledger: Ledger, *, key: str) -> list[MasterFrame]:
    """Run `master_frames`."""
    return ledger.select(TOPIC, "master_frames", MasterFrame, key=key)


def reference(ledger: Ledger, *, key: str) -> ReferenceStory | None:
    """Run `reference`."""
    return ledger.first(TOPIC, "reference", ReferenceStory, key=key)


def reference_members(ledger: Ledger, *, key: str) -> list[MemberOfReference]:
    """Run `reference_members`."""
    return ledger.select(TOPIC, "reference_members", MemberOfReference, key=key)


def attempts_at(ledger: Ledger, *, key: str) -> list[AttemptAtIt]:
    """A master or reference is of no exposure, so every month is looked at."""
    return ledger.select(TOPIC, "attempts_at", AttemptAtIt, key=key)


def made_with_it(ledger: Ledger, *, key: str) -> list[MadeWithIt]:
    """How many units, masters and references were made with a master or reference, by kind of product."""
    return ledger.select(TOPIC, "made_with_it", MadeWithIt, key=key)


def alert(ledger: Ledger, *, candid: int) -> AlertStory | None:
    """Run `alert`."""
    return ledger.first(TOPIC, "alert", AlertStory, candid=candid)


def messages_of_alert(ledger: Ledger, *, candid: int, shutter_open: datetime) -> list[MessageOfAlert]:
    """Run `messages_of_alert`."""
    return ledger.select(TOPIC, "messages_of_alert", MessageOfAlert, candid=candid, shutter_open=shutter_open)


def withdraw_master(ledger: Ledger, *, explanation: str | None, key: str | None) -> int:
    """Run `withdraw_master`."""
    return ledger.run(TOPIC, "withdraw_master", explanation=explanation, key=key)


def restore_master(ledger: Ledger, *, key: str) -> RestoredMaster | None:
    """Run `restore_master`."""
    return ledger.first(TOPIC, "restore_master", RestoredMaster, key=key)


def unset_reference(ledger: Ledger, *, explanation: str | None, key: str | None) -> int:
    """Run `unset_reference`."""
    return ledger.run(TOPIC, "unset_reference", explanation=explanation, key=key)


def restore_reference(ledger: Ledger, *, key: str | None) -> int:
    """Run `restore_reference`."""
    return ledger.run(TOPIC, "restore_reference", key=key)


def withhold_alert(ledger: Ledger, *, candid: int | None) -> int:
    """One that was not sent yet, with its messages."""
    return ledger.run(TOPIC, "withhold_alert", candid=candid)


def send_alert_after_all(ledger: Ledger, *, candid: int | None) -> int:
    """Run `send_alert_after_all`."""
    return ledger.run(TOPIC, "send_alert_after_all", candid=candid)


def last_word(ledger: Ledger, *, subject: str) -> LastWord | None:
    """What a person said last of a thing."""
    return ledger.first(TOPIC, "last_word", LastWord, subject=subject)


def frames_of_exposure(ledger: Ledger, *, instrument: str, exposure_id: str) -> list[FrameOfExposure]:
    """Run `frames_of_exposure`."""
    return ledger.select(TOPIC, "frames_of_exposure", FrameOfExposure, instrument=instrument, exposure_id=exposure_id)


def disposed_file(ledger: Ledger, *, thing: str) -> DisposedFile | None:
    """The newest file of that name or arrival key that was in quarantine and of which somebody has disposed."""
    return ledger.first(TOPIC, "disposed_file", DisposedFile, thing=thing)
