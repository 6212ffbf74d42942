"""The named queries of ``sql/queries/overrides.sql``, typed.

Written by ``make queries``: change the SQL and run it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from nightshift.ledger.database import Ledger
from nightshift.vocabulary import Disposition, ImageType, UnitState

__all__ = [
    "ChangedUnit",
    "FileInQuarantine",
    "FrameCalled",
    "KnownRequest",
    "NightCalled",
    "OverrideAbout",
    "ProductMadeWith",
    "UnitCalled",
    "dispose",
    "frame_called",
    "invalidate_frame",
    "lock_disposal",
    "made_with",
    "nights_called",
    "overrides_about",
    "put_override",
    "quarantined_called",
    "reject_units",
    "reopen_exposure",
    "reopen_units",
    "request_known",
    "restore_units",
    "send_after_all",
    "unit_called",
    "validate_frame",
    "withhold_alerts",
]

TOPIC = "overrides"


@dataclass(frozen=True, slots=True)
class KnownRequest:
    """A row of `request_known`."""

    text: str


@dataclass(frozen=True, slots=True)
class FrameCalled:
    """A row of `frame_called`."""

    instrument: str
    exposure_id: str
    detector: int
    inbox_name: str
    invalid_reason: str | None
    image_type: ImageType


@dataclass(frozen=True, slots=True)
class UnitCalled:
    """A row of `unit_called`."""

    unit_key: str
    instrument: str
    exposure_id: str
    detector: int
    quadrant: int
    state: UnitState
    reason: str | None
    inbox_name: str | None
    invalid_reason: str | None


@dataclass(frozen=True, slots=True)
class FileInQuarantine:
    """A row of `quarantined_called`."""

    arrival_key: str
    inbox_name: str
    disposition: Disposition
    bytes: int
    sha256: str | None
    path: str
    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class NightCalled:
    """A row of `nights_called`."""

    night: date


@dataclass(frozen=True, slots=True)
class ChangedUnit:
    """A row of `reject_units` or `restore_units` or `reopen_units`."""

    unit_key: str


@dataclass(frozen=True, slots=True)
class ProductMadeWith:
    """A row of `made_with`."""

    unit_key: str


@dataclass(frozen=True, slots=True)
class OverrideAbout:
    """A row of `overrides_about`."""

    made_at: datetime
    subject: str
    verdict: str
    explanation: str
    operator: str


def lock_disposal(ledger: Ledger, *, subject: str) -> None:
    """One at a time; released with the transaction."""
    ledger.run(TOPIC, "lock_disposal", subject=subject)


def request_known(ledger: Ledger, *, action: str, request_id: str) -> KnownRequest | None:
    """Run `request_known`."""
    return ledger.first(TOPIC, "request_known", KnownRequest, action=action, request_id=request_id)


def frame_called(ledger: Ledger, *, thing: str, night: date | None) -> list[FrameCalled]:
    """A registered frame by its file's name (of one night, where it is given) or by its key."""
    return ledger.select(TOPIC, "frame_called", FrameCalled, thing=thing, night=night)


def unit_called(ledger: Ledger, *, thing: str) -> UnitCalled | None:
    """Run `unit_called`."""
    return ledger.first(TOPIC, "unit_called", UnitCalled, thing=thing)


def quarantined_called(ledger: Ledger, *, thing: str, night: date | None) -> FileInQuarantine | None:
    """The newest file in quarantine of that name or arrival key of which nobody has disposed."""
    return ledger.first(TOPIC, "quarantined_called", FileInQuarantine, thing=thing, night=night)


def nights_called(ledger: Ledger, *, thing: str) -> list[NightCalled]:
    """The nights that have a registered frame, or a file in quarantine of which nobody has disposed, of that name."""
    return ledger.select(TOPIC, "nights_called", NightCalled, thing=thing)


def put_override(
    ledger: Ledger, *, subject: str | None, verdict: str | None, explanation: str | None, operator: str | None
) -> int:
    """Run `put_override`."""
    return ledger.run(
        TOPIC, "put_override", subject=subject, verdict=verdict, explanation=explanation, operator=operator
    )


def dispose(ledger: Ledger, *, operator: str | None, disposed_as: str | None, arrival_key: str | None) -> int:
    """Run `dispose`."""
    return ledger.run(TOPIC, "dispose", operator=operator, disposed_as=disposed_as, arrival_key=arrival_key)


def invalidate_frame(ledger: Ledger, *, instrument: str | None, exposure_id: str | None, detector: int | None) -> int:
    """Run `invalidate_frame`."""
    return ledger.run(TOPIC, "invalidate_frame", instrument=instrument, exposure_id=exposure_id, detector=detector)


def validate_frame(ledger: Ledger, *, instrument: str | None, exposure_id: str | None, detector: int | None) -> int:
    """Run `validate_frame`."""
    return ledger.run(TOPIC, "validate_frame", instrument=instrument, exposure_id=exposure_id, detector=detector)


def reject_units(
    ledger: Ledger,
    *,
    explanation: str,
    instrument: str,
    exposure_id: str,
    detector: int,
    quadrant: int | None,
    campaign: str,
) -> list[ChangedUnit]:
    """Of a frame, or one of them. A result that is still under way will change them no more."""
    return ledger.select(
        TOPIC,
        "reject_units",
        ChangedUnit,
        explanation=explanation,
        instrument=instrument,
        exposure_id=exposure_id,
        detector=detector,
        quadrant=quadrant,
        campaign=campaign,
    )


def withhold_alerts(ledger: Ledger, *, unit_keys: Sequence[str] | None) -> int:
    """What was not sent yet stays here."""
    return ledger.run(TOPIC, "withhold_alerts", unit_keys=unit_keys)


def send_after_all(ledger: Ledger, *, unit_keys: Sequence[str] | None) -> int:
    """What was withheld because somebody rejected its unit, now that the unit stands again."""
    return ledger.run(TOPIC, "send_after_all", unit_keys=unit_keys)


def restore_units(
    ledger: Ledger,
    *,
    instrument: str,
    exposure_id: str,
    detector: int,
    quadrant: int | None,
    campaign: str,
    reducing: Sequence[str],
) -> list[ChangedUnit]:
    """What had succeeded before somebody rejected it stands again; of what succeeded later nothing was kept."""
    return ledger.select(
        TOPIC,
        "restore_units",
        ChangedUnit,
        instrument=instrument,
        exposure_id=exposure_id,
        detector=detector,
        quadrant=quadrant,
        campaign=campaign,
        reducing=reducing,
    )


def reopen_units(
    ledger: Ledger, *, instrument: str, exposure_id: str, detector: int, quadrant: int | None, campaign: str
) -> list[ChangedUnit]:
    """They are due once more."""
    return ledger.select(
        TOPIC,
        "reopen_units",
        ChangedUnit,
        instrument=instrument,
        exposure_id=exposure_id,
        detector=detector,
        quadrant=quadrant,
        campaign=campaign,
    )


def reopen_exposure(ledger: Ledger, *, instrument: str | None, exposure_id: str | None) -> int:
    """Run `reopen_exposure`."""
    return ledger.run(TOPIC, "reopen_exposure", instrument=instrument, exposure_id=exposure_id)


def made_with(ledger: Ledger, *, frame_key: str) -> list[ProductMadeWith]:
    """Masters and references that were made with a frame or with its units before."""
    return ledger.select(TOPIC, "made_with", ProductMadeWith, frame_key=frame_key)


def overrides_about(ledger: Ledger, *, subjects: Sequence[str]) -> list[OverrideAbout]:
    """Run `overrides_about`."""
    return ledger.select(TOPIC, "overrides_about", OverrideAbout, subjects=subjects)
