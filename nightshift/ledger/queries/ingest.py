"""The named queries of ``sql/queries/ingest.sql``, typed.

Written by ``make queries``: change the SQL and run it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from nightshift.ledger.database import Ledger
from nightshift.vocabulary import AttemptState, Disposition, ErrorClass

__all__ = [
    "ArrivedFile",
    "AttemptAtFile",
    "FileOfJob",
    "KnownOpening",
    "ManifestEntry",
    "ManifestPart",
    "MismatchedFrame",
    "NamedFrame",
    "SimilarFrame",
    "WrittenArrival",
    "arrival",
    "arrived",
    "attempts_at_files",
    "delete_entries",
    "files_of_job",
    "frame_like",
    "frame_named",
    "lock_name",
    "manifest",
    "manifest_entry",
    "mark_mismatches",
    "opening",
    "put_arrival",
    "put_entries",
    "put_frame",
    "put_manifest",
    "put_quarantine",
    "set_invalid",
    "storage_said_lately",
]

TOPIC = "ingest"


@dataclass(frozen=True, slots=True)
class WrittenArrival:
    """A row of `arrival`."""

    arrival_key: str
    disposition: Disposition
    reason: str | None
    detail: str
    night: date | None
    instrument: str | None
    exposure_id: str | None
    detector: int | None
    kept_path: str | None


@dataclass(frozen=True, slots=True)
class SimilarFrame:
    """A row of `frame_like`."""

    sha256: str
    same_name: bool


@dataclass(frozen=True, slots=True)
class KnownOpening:
    """A row of `opening`."""

    night: date
    shutter_open: datetime


@dataclass(frozen=True, slots=True)
class NamedFrame:
    """A row of `frame_named`."""

    instrument: str
    exposure_id: str
    detector: int
    sha256: str
    path: str


@dataclass(frozen=True, slots=True)
class AttemptAtFile:
    """A row of `attempts_at_files`."""

    unit_key: str
    state: AttemptState
    reason: str | None
    error_class: ErrorClass | None
    subject: str


@dataclass(frozen=True, slots=True)
class FileOfJob:
    """A row of `files_of_job`."""

    unit_key: str


@dataclass(frozen=True, slots=True)
class ArrivedFile:
    """A row of `arrived`."""

    arrival_key: str


@dataclass(frozen=True, slots=True)
class ManifestEntry:
    """A row of `manifest_entry`."""

    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class ManifestPart:
    """A row of `manifest`."""

    sha256: str
    path: str


@dataclass(frozen=True, slots=True)
class MismatchedFrame:
    """A row of `mark_mismatches`."""

    instrument: str
    exposure_id: str
    detector: int
    inbox_name: str


def lock_name(ledger: Ledger, *, file_name: str) -> None:
    """One at a time for one name; released with the transaction."""
    ledger.run(TOPIC, "lock_name", file_name=file_name)


def arrival(ledger: Ledger, *, arrival_key: str) -> WrittenArrival | None:
    """Run `arrival`."""
    return ledger.first(TOPIC, "arrival", WrittenArrival, arrival_key=arrival_key)


def storage_said_lately(ledger: Ledger) -> bool:
    """Run `storage_said_lately`."""
    found: bool = ledger.value(TOPIC, "storage_said_lately")
    return found


def put_arrival(
    ledger: Ledger,
    *,
    arrival_key: str | None,
    inbox_name: str | None,
    bytes: int | None,
    sha256: str | None,
    disposition: str | None,
    reason: str | None,
    detail: str | None,
    site: str | None,
    night: date | None,
    night_by_clock: bool | None,
    instrument: str | None,
    exposure_id: str | None,
    detector: int | None,
    kept_path: str | None,
) -> int:
    """Run `put_arrival`."""
    return ledger.run(
        TOPIC,
        "put_arrival",
        arrival_key=arrival_key,
        inbox_name=inbox_name,
        bytes=bytes,
        sha256=sha256,
        disposition=disposition,
        reason=reason,
        detail=detail,
        site=site,
        night=night,
        night_by_clock=night_by_clock,
        instrument=instrument,
        exposure_id=exposure_id,
        detector=detector,
        kept_path=kept_path,
    )


def put_quarantine(
    ledger: Ledger, *, arrival_key: str | None, path: str | None, reason: str | None, detail: str | None
) -> int:
    """Run `put_quarantine`."""
    return ledger.run(TOPIC, "put_quarantine", arrival_key=arrival_key, path=path, reason=reason, detail=detail)


def frame_like(
    ledger: Ledger, *, file_name: str, night: date, instrument: str, exposure_id: str, detector: int
) -> SimilarFrame | None:
    """The registered frame of that key, or of that name in that night: a camera may use its names again each
    night.
    """
    return ledger.first(
        TOPIC,
        "frame_like",
        SimilarFrame,
        file_name=file_name,
        night=night,
        instrument=instrument,
        exposure_id=exposure_id,
        detector=detector,
    )


def opening(ledger: Ledger, *, instrument: str, exposure_id: str) -> KnownOpening | None:
    """When the shutter opened for the exposure that has this id."""
    return ledger.first(TOPIC, "opening", KnownOpening, instrument=instrument, exposure_id=exposure_id)


def frame_named(ledger: Ledger, *, file_name: str, sha256: str) -> NamedFrame | None:
    """Where the name was used in several nights: the frame that a checksum proves, or the newest."""
    return ledger.first(TOPIC, "frame_named", NamedFrame, file_name=file_name, sha256=sha256)


def put_frame(
    ledger: Ledger,
    *,
    instrument: str | None,
    exposure_id: str | None,
    site: str | None,
    night: date | None,
    ut_day: date | None,
    image_type: str | None,
    field: int | None,
    filter: str | None,
    exposure_s: float | None,
    shutter_open: datetime | None,
    ra_deg: float | None,
    dec_deg: float | None,
    airmass: float | None,
    object: str | None,
    program_id: int | None,
    sequence: str | None,
    sequence_index: int | None,
    sequence_length: int | None,
    detectors_expected: Sequence[int] | None,
    reduced: bool | None,
    arrival_key: str | None,
    inbox_name: str | None,
    bytes: int | None,
    sha256: str | None,
    detector: int | None,
    path: str | None,
    second_copy: str | None,
    header: dict[str, Any] | None,
    set_aside: str | None,
    tier: str | None,
    campaign: str | None,
    set_aside_detail: str | None,
    units: dict[str, Any] | None,
) -> int:
    """A raw frame of a night that is open, with its exposure and units, in one statement. The first file of an
    exposure says what it is; one that comes late opens an exposure that had ended, and a unit that was counted as
    missing is due after all. Only a file that a person takes out of quarantine has an arrival already. A frame
    that the calendar sets aside is not reduced.
    """
    return ledger.run(
        TOPIC,
        "put_frame",
        instrument=instrument,
        exposure_id=exposure_id,
        site=site,
        night=night,
        ut_day=ut_day,
        image_type=image_type,
        field=field,
        filter=filter,
        exposure_s=exposure_s,
        shutter_open=shutter_open,
        ra_deg=ra_deg,
        dec_deg=dec_deg,
        airmass=airmass,
        object=object,
        program_id=program_id,
        sequence=sequence,
        sequence_index=sequence_index,
        sequence_length=sequence_length,
        detectors_expected=detectors_expected,
        reduced=reduced,
        arrival_key=arrival_key,
        inbox_name=inbox_name,
        bytes=bytes,
        sha256=sha256,
        detector=detector,
        path=path,
        second_copy=second_copy,
        header=header,
        set_aside=set_aside,
        tier=tier,
        campaign=campaign,
        set_aside_detail=set_aside_detail,
        units=units,
    )


def set_invalid(
    ledger: Ledger, *, reason: str | None, instrument: str | None, exposure_id: str | None, detector: int | None
) -> int:
    """Run `set_invalid`."""
    return ledger.run(
        TOPIC, "set_invalid", reason=reason, instrument=instrument, exposure_id=exposure_id, detector=detector
    )


def attempts_at_files(ledger: Ledger, *, unit_keys: Sequence[str]) -> list[AttemptAtFile]:
    """How the attempts at some files ended, the first of each file first, and whose they were: also of a job whose
    night has moved on since.
    """
    return ledger.select(TOPIC, "attempts_at_files", AttemptAtFile, unit_keys=unit_keys)


def files_of_job(ledger: Ledger, *, job_key: str) -> list[FileOfJob]:
    """The files at which a job has made an attempt."""
    return ledger.select(TOPIC, "files_of_job", FileOfJob, job_key=job_key)


def arrived(ledger: Ledger, *, arrival_keys: Sequence[str]) -> list[ArrivedFile]:
    """Which of these files have an arrival."""
    return ledger.select(TOPIC, "arrived", ArrivedFile, arrival_keys=arrival_keys)


def manifest_entry(ledger: Ledger, *, site: str, night: date, file_name: str) -> ManifestEntry | None:
    """Run `manifest_entry`."""
    return ledger.first(TOPIC, "manifest_entry", ManifestEntry, site=site, night=night, file_name=file_name)


def manifest(ledger: Ledger, *, site: str, night: date, part: int) -> ManifestPart | None:
    """Run `manifest`."""
    return ledger.first(TOPIC, "manifest", ManifestPart, site=site, night=night, part=part)


def put_manifest(
    ledger: Ledger,
    *,
    site: str | None,
    night: date | None,
    part: int | None,
    parts: int | None,
    sha256: str | None,
    path: str | None,
    synthetic: bool | None,
) -> int:
    """Run `put_manifest`."""
    return ledger.run(
        TOPIC,
        "put_manifest",
        site=site,
        night=night,
        part=part,
        parts=parts,
        sha256=sha256,
        path=path,
        synthetic=synthetic,
    )


def delete_entries(ledger: Ledger, *, site: str | None, night: date | None, part: int | None) -> int:
    """Run `delete_entries`."""
    return ledger.run(TOPIC, "delete_entries", site=site, night=night, part=part)


def put_entries(
    ledger: Ledger, *, site: str | None, night: date | None, part: int | None, entries: dict[str, Any] | None
) -> int:
    """Run `put_entries`."""
    return ledger.run(TOPIC, "put_entries", site=site, night=night, part=part, entries=entries)


def mark_mismatches(ledger: Ledger, *, site: str, night: date, part: int) -> list[MismatchedFrame]:
    """Registered frames whose content is not what the mountain says was sent."""
    return ledger.select(TOPIC, "mark_mismatches", MismatchedFrame, site=site, night=night, part=part)
