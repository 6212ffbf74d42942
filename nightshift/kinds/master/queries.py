"""The named queries of ``nightshift/kinds/master/queries.sql``, typed.

Written by ``make queries``: change the SQL and run it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from nightshift.ledger.database import Ledger
from nightshift.vocabulary import CalibrationKind

__all__ = [
    "CalibrationFrame",
    "CalibrationSet",
    "LastMaster",
    "MadeMaster",
    "Master",
    "calibration_sets",
    "end_set",
    "forget_cancelled_calibration_frames",
    "forget_cancelled_calibrations",
    "frames_of_set",
    "last_masters",
    "mark_set_running",
    "masters_in_reach",
    "masters_of_version",
    "put_calibration",
    "put_calibration_frames",
    "release_held",
]

TOPIC = "master"


@dataclass(frozen=True, slots=True)
class CalibrationSet:
    """A row of `calibration_sets`."""

    site: str
    night: date
    instrument: str
    kind: CalibrationKind
    filter: str
    unended: int
    complete: bool
    quiet_s: float
    detectors: int
    version: int
    masters: int
    still_s: float


@dataclass(frozen=True, slots=True)
class CalibrationFrame:
    """A row of `frames_of_set`."""

    instrument: str
    exposure_id: str
    detector: int
    path: str
    sha256: str
    filter: str
    exposure_s: float
    shutter_open: datetime
    site: str
    meant_filter: str
    accepted: bool


@dataclass(frozen=True, slots=True)
class Master:
    """A row of `masters_in_reach`."""

    kind: CalibrationKind
    detector: int
    quadrant: int
    calibration_key: str
    own: bool
    product_key: str
    path: str
    sha256: str


@dataclass(frozen=True, slots=True)
class LastMaster:
    """A row of `last_masters`."""

    detector: int
    quadrant: int
    product_key: str
    path: str
    sha256: str


@dataclass(frozen=True, slots=True)
class MadeMaster:
    """A row of `masters_of_version`."""

    calibration_key: str


def mark_set_running(
    ledger: Ledger,
    *,
    run_id: str | None,
    instrument: str | None,
    night: date | None,
    kind: str | None,
    filter: str | None,
) -> int:
    """Run `mark_set_running`."""
    return ledger.run(
        TOPIC, "mark_set_running", run_id=run_id, instrument=instrument, night=night, kind=kind, filter=filter
    )


def calibration_sets(ledger: Ledger, *, instrument: str, campaign: str, quadrants: int) -> list[CalibrationSet]:
    """The sets (night, kind, filter, instrument) of every night of which something has not ended. A frame that a
    master has judged for every quadrant needs no other, though nobody may have come to end its exposure yet.
    `offset 0` keeps the few nights apart from what is looked up for each: what is read of the rest of history does
    not grow with it.
    """
    return ledger.select(
        TOPIC, "calibration_sets", CalibrationSet, instrument=instrument, campaign=campaign, quadrants=quadrants
    )


def frames_of_set(ledger: Ledger, *, instrument: str, night: date, kind: str, filter: str) -> list[CalibrationFrame]:
    """With the filter that the frame's sequence was meant to be in: another than its own where it is one of few
    strays.
    """
    return ledger.select(
        TOPIC, "frames_of_set", CalibrationFrame, instrument=instrument, night=night, kind=kind, filter=filter
    )


def end_set(
    ledger: Ledger,
    *,
    instrument: str | None,
    night: date | None,
    kind: str | None,
    filter: str | None,
    campaign: str | None,
    quadrants: int | None,
) -> int:
    """A calibration exposure has ended when every quadrant of every usable frame of it was judged."""
    return ledger.run(
        TOPIC,
        "end_set",
        instrument=instrument,
        night=night,
        kind=kind,
        filter=filter,
        campaign=campaign,
        quadrants=quadrants,
    )


def masters_in_reach(
    ledger: Ledger, *, night: date, instrument: str, filter: str, oldest: date, campaigns: Sequence[str]
) -> list[Master]:
    """The newest usable master of each kind and quadrant, of the night itself or of a night not too long before
    it. Of one night that of the campaign named first.
    """
    return ledger.select(
        TOPIC,
        "masters_in_reach",
        Master,
        night=night,
        instrument=instrument,
        filter=filter,
        oldest=oldest,
        campaigns=campaigns,
    )


def last_masters(
    ledger: Ledger, *, instrument: str, kind: str, filter: str, night: date, oldest: date, campaigns: Sequence[str]
) -> list[LastMaster]:
    """The last good master before this night, however old within its epoch, to compare a new one with."""
    return ledger.select(
        TOPIC,
        "last_masters",
        LastMaster,
        instrument=instrument,
        kind=kind,
        filter=filter,
        night=night,
        oldest=oldest,
        campaigns=campaigns,
    )


def masters_of_version(
    ledger: Ledger, *, instrument: str, night: date, kind: str, filter: str, version: int, campaign: str
) -> list[MadeMaster]:
    """Run `masters_of_version`."""
    return ledger.select(
        TOPIC,
        "masters_of_version",
        MadeMaster,
        instrument=instrument,
        night=night,
        kind=kind,
        filter=filter,
        version=version,
        campaign=campaign,
    )


def put_calibration(
    ledger: Ledger,
    *,
    kind: str | None,
    instrument: str | None,
    detector: int | None,
    quadrant: int | None,
    filter: str | None,
    night: date | None,
    epoch: int | None,
    version: int | None,
    campaign: str | None,
    calibration_key: str | None,
    state: str | None,
    reason: str | None,
    detail: str | None,
    product_key: str | None,
    frames: int | None,
    level: float | None,
    noise: float | None,
    read_noise: float | None,
    gain: float | None,
    gain_error: float | None,
    valid_from: datetime | None,
) -> int:
    """Run `put_calibration`."""
    return ledger.run(
        TOPIC,
        "put_calibration",
        kind=kind,
        instrument=instrument,
        detector=detector,
        quadrant=quadrant,
        filter=filter,
        night=night,
        epoch=epoch,
        version=version,
        campaign=campaign,
        calibration_key=calibration_key,
        state=state,
        reason=reason,
        detail=detail,
        product_key=product_key,
        frames=frames,
        level=level,
        noise=noise,
        read_noise=read_noise,
        gain=gain,
        gain_error=gain_error,
        valid_from=valid_from,
    )


def put_calibration_frames(ledger: Ledger, *, calibration_key: str | None, frames: dict[str, Any] | None) -> int:
    """Run `put_calibration_frames`."""
    return ledger.run(TOPIC, "put_calibration_frames", calibration_key=calibration_key, frames=frames)


def release_held(
    ledger: Ledger,
    *,
    instrument: str | None,
    night: date | None,
    filter: str | None,
    detector: int | None,
    quadrant: int | None,
    campaign: str | None,
) -> int:
    """A master came after all: what was held for the lack of one is due again."""
    return ledger.run(
        TOPIC,
        "release_held",
        instrument=instrument,
        night=night,
        filter=filter,
        detector=detector,
        quadrant=quadrant,
        campaign=campaign,
    )


def forget_cancelled_calibration_frames(ledger: Ledger, *, job_key: str | None) -> int:
    """Run `forget_cancelled_calibration_frames`."""
    return ledger.run(TOPIC, "forget_cancelled_calibration_frames", job_key=job_key)


def forget_cancelled_calibrations(ledger: Ledger, *, job_key: str | None) -> int:
    """Run `forget_cancelled_calibrations`."""
    return ledger.run(TOPIC, "forget_cancelled_calibrations", job_key=job_key)
