"""The named queries of ``sql/queries/housekeeping.sql``, typed.

Written by ``make queries``: change the SQL and run it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from nightshift.ledger.database import Ledger
from nightshift.vocabulary import EventLevel, NightState

__all__ = [
    "ArchivedPlace",
    "CleanUp",
    "CleanedNight",
    "DeletedFile",
    "DeletedOfKind",
    "DeletionsOfExposure",
    "DiskSample",
    "DiskWarning",
    "DueFile",
    "DueFolder",
    "FileToRestore",
    "GrownTable",
    "MarkedFile",
    "MarkedPath",
    "NeededProduct",
    "ObservedNight",
    "SecondPlace",
    "archived_places",
    "begin_clean_up",
    "cleaned",
    "confirm",
    "delete_warning",
    "deleted_by_kind",
    "deleted_files",
    "deleted_of_exposure",
    "deleted_of_unit",
    "end_clean_up",
    "files_due",
    "files_to_restore",
    "folders_due",
    "forget_cleaned",
    "grown_tables",
    "has_second_place",
    "last_clean_up",
    "lasting_work",
    "ledger_bytes",
    "ledger_folder",
    "make_month_of",
    "make_month_of_night",
    "mark_files",
    "mark_folder",
    "mark_products",
    "mark_quarantined",
    "mark_raw_frames",
    "marked",
    "needed_products",
    "observed_nights",
    "put_cleaned",
    "put_sample",
    "put_warning",
    "restored",
    "samples",
    "second_places",
    "thin_samples",
    "unmark",
    "unmark_products",
    "unmark_quarantined",
    "unmark_raw_frames",
    "warned",
    "why_night_stays",
]

TOPIC = "housekeeping"


@dataclass(frozen=True, slots=True)
class ObservedNight:
    """A row of `observed_nights`."""

    night: date
    state: NightState
    changed: bool
    closed_at: datetime | None


@dataclass(frozen=True, slots=True)
class CleanedNight:
    """A row of `cleaned`."""

    night: date
    kind: str


@dataclass(frozen=True, slots=True)
class DueFile:
    """A row of `files_due`."""

    archived: str
    source: str
    kind: str
    sha256: str
    bytes: int
    restored_on: date | None
    archived_in_two_places: str | None


@dataclass(frozen=True, slots=True)
class NeededProduct:
    """A row of `needed_products`."""

    path: str
    why: str


@dataclass(frozen=True, slots=True)
class DueFolder:
    """A row of `folders_due`."""

    path: str
    failed: bool


@dataclass(frozen=True, slots=True)
class MarkedPath:
    """A row of `mark_files`."""

    path: str


@dataclass(frozen=True, slots=True)
class MarkedFile:
    """A row of `marked`."""

    night: date
    path: str
    kind: str
    sha256: str | None
    bytes: int
    archived_in_two_places: str | None


@dataclass(frozen=True, slots=True)
class DeletedFile:
    """A row of `deleted_files` or `deleted_of_unit`."""

    path: str
    site: str
    night: date
    kind: str
    rule: str
    deleted_at: datetime


@dataclass(frozen=True, slots=True)
class DeletionsOfExposure:
    """A row of `deleted_of_exposure`."""

    kind: str
    rule: str
    files: int
    first_at: datetime
    restore_night: date | None


@dataclass(frozen=True, slots=True)
class ArchivedPlace:
    """A row of `archived_places`."""

    archived: str


@dataclass(frozen=True, slots=True)
class FileToRestore:
    """A row of `files_to_restore`."""

    path: str
    kind: str
    sha256: str
    bytes: int
    archived: str


@dataclass(frozen=True, slots=True)
class CleanUp:
    """A row of `last_clean_up`."""

    clean_up: int
    operator: str
    newest_night: date
    began_at: datetime
    ended_at: datetime | None
    files: int
    bytes: int
    why_not: dict[str, Any]


@dataclass(frozen=True, slots=True)
class DeletedOfKind:
    """A row of `deleted_by_kind`."""

    kind: str
    rule: str
    files: int
    bytes: int
    first_night: date
    last_night: date


@dataclass(frozen=True, slots=True)
class DiskSample:
    """A row of `samples`."""

    name: str
    sampled_at: datetime
    folder: str
    total_bytes: int
    free_bytes: int


@dataclass(frozen=True, slots=True)
class SecondPlace:
    """A row of `second_places`."""

    site: str
    place: str


@dataclass(frozen=True, slots=True)
class DiskWarning:
    """A row of `warned`."""

    name: str
    level: EventLevel


@dataclass(frozen=True, slots=True)
class GrownTable:
    """A row of `grown_tables`."""

    table_name: str
    live: int | None
    dead: int | None


def observed_nights(ledger: Ledger, *, site: str) -> list[ObservedNight]:
    """Nights of which exposures came, the newest first: by these the age of files is counted."""
    return ledger.select(TOPIC, "observed_nights", ObservedNight, site=site)


def cleaned(ledger: Ledger, *, site: str) -> list[CleanedNight]:
    """What was cleaned since its night was closed last: nothing of it is left to delete."""
    return ledger.select(TOPIC, "cleaned", CleanedNight, site=site)


def put_cleaned(ledger: Ledger, *, site: str | None, night: date | None, kind: str | None) -> int:
    """Run `put_cleaned`."""
    return ledger.run(TOPIC, "put_cleaned", site=site, night=night, kind=kind)


def forget_cleaned(ledger: Ledger, *, site: str | None, night: date | None) -> int:
    """Run `forget_cleaned`."""
    return ledger.run(TOPIC, "forget_cleaned", site=site, night=night)


def why_night_stays(ledger: Ledger, *, site: str, night: date) -> str:
    """Something of a night that still reads its files; empty where nothing does."""
    found: str = ledger.value(TOPIC, "why_night_stays", site=site, night=night)
    return found


def lasting_work(ledger: Ledger, *, site: str) -> bool:
    """Whether a master or a reference is being made at a site: it may read files of any night."""
    found: bool = ledger.value(TOPIC, "lasting_work", site=site)
    return found


def has_second_place(ledger: Ledger, *, site: str) -> bool:
    """Whether a second copy of the site's files is made anywhere."""
    found: bool = ledger.value(TOPIC, "has_second_place", site=site)
    return found


def files_due(ledger: Ledger, *, site: str, night: date, kind: str) -> list[DueFile]:
    """Files of a night in the depot that the archive has too, with the same content, by the ledger; and their
    place in the archive where it and the second copy were read back and found equal.
    """
    return ledger.select(TOPIC, "files_due", DueFile, site=site, night=night, kind=kind)


def needed_products(ledger: Ledger, *, site: str, night: date) -> list[NeededProduct]:
    """Products of a night that later nights use."""
    return ledger.select(TOPIC, "needed_products", NeededProduct, site=site, night=night)


def folders_due(ledger: Ledger, *, night: date, site: str) -> list[DueFolder]:
    """Folders of a night's jobs, and whether an attempt of it failed."""
    return ledger.select(TOPIC, "folders_due", DueFolder, night=night, site=site)


def make_month_of_night(ledger: Ledger, *, night: date) -> None:
    """A month that left before there were deletions has no partition for them when it is back."""
    ledger.run(TOPIC, "make_month_of_night", night=night)


def begin_clean_up(ledger: Ledger, *, site: str, operator: str, newest_night: date, rules: dict[str, Any]) -> int:
    """Run `begin_clean_up`."""
    found: int = ledger.value(
        TOPIC, "begin_clean_up", site=site, operator=operator, newest_night=newest_night, rules=rules
    )
    return found


def end_clean_up(
    ledger: Ledger,
    *,
    files: int | None,
    bytes: int | None,
    why_not: dict[str, Any] | None,
    clean_up: int | None,
    site: str | None,
) -> int:
    """Run `end_clean_up`."""
    return ledger.run(TOPIC, "end_clean_up", files=files, bytes=bytes, why_not=why_not, clean_up=clean_up, site=site)


def mark_files(
    ledger: Ledger,
    *,
    site: str,
    night: date,
    kind: str,
    rule: str,
    clean_up: int,
    paths: Sequence[str],
    checksums: Sequence[str],
) -> list[MarkedPath]:
    """Those that have two verified places at this moment, and no others. One that was brought back may leave
    again.
    """
    return ledger.select(
        TOPIC,
        "mark_files",
        MarkedPath,
        site=site,
        night=night,
        kind=kind,
        rule=rule,
        clean_up=clean_up,
        paths=paths,
        checksums=checksums,
    )


def mark_folder(
    ledger: Ledger,
    *,
    site: str | None,
    night: date | None,
    path: str | None,
    kind: str | None,
    bytes: int | None,
    rule: str | None,
    clean_up: int | None,
) -> int:
    """Run `mark_folder`."""
    return ledger.run(
        TOPIC, "mark_folder", site=site, night=night, path=path, kind=kind, bytes=bytes, rule=rule, clean_up=clean_up
    )


def mark_products(ledger: Ledger, *, site: str | None, night: date | None, paths: Sequence[str] | None) -> int:
    """From now on no plan takes them."""
    return ledger.run(TOPIC, "mark_products", site=site, night=night, paths=paths)


def mark_raw_frames(ledger: Ledger, *, site: str | None, paths: Sequence[str] | None) -> int:
    """Run `mark_raw_frames`."""
    return ledger.run(TOPIC, "mark_raw_frames", site=site, paths=paths)


def mark_quarantined(ledger: Ledger, *, site: str | None, paths: Sequence[str] | None) -> int:
    """Run `mark_quarantined`."""
    return ledger.run(TOPIC, "mark_quarantined", site=site, paths=paths)


def marked(ledger: Ledger, *, site: str) -> list[MarkedFile]:
    """What was marked and not confirmed, with its place in the archive where it has two verified places."""
    return ledger.select(TOPIC, "marked", MarkedFile, site=site)


def confirm(ledger: Ledger, *, site: str | None, night: date | None, paths: Sequence[str] | None) -> int:
    """Run `confirm`."""
    return ledger.run(TOPIC, "confirm", site=site, night=night, paths=paths)


def unmark(ledger: Ledger, *, site: str | None, night: date | None, paths: Sequence[str] | None) -> int:
    """They stay after all."""
    return ledger.run(TOPIC, "unmark", site=site, night=night, paths=paths)


def unmark_products(ledger: Ledger, *, site: str | None, night: date | None, paths: Sequence[str] | None) -> int:
    """Run `unmark_products`."""
    return ledger.run(TOPIC, "unmark_products", site=site, night=night, paths=paths)


def unmark_raw_frames(ledger: Ledger, *, site: str | None, paths: Sequence[str] | None) -> int:
    """Run `unmark_raw_frames`."""
    return ledger.run(TOPIC, "unmark_raw_frames", site=site, paths=paths)


def unmark_quarantined(ledger: Ledger, *, site: str | None, paths: Sequence[str] | None) -> int:
    """Run `unmark_quarantined`."""
    return ledger.run(TOPIC, "unmark_quarantined", site=site, paths=paths)


def deleted_files(ledger: Ledger, *, file_paths: Sequence[str]) -> list[DeletedFile]:
    """Which of some places hold nothing because their file left by retention, and is not back."""
    return ledger.select(TOPIC, "deleted_files", DeletedFile, file_paths=file_paths)


def deleted_of_unit(ledger: Ledger, *, unit_key: str) -> list[DeletedFile]:
    """Run `deleted_of_unit`."""
    return ledger.select(TOPIC, "deleted_of_unit", DeletedFile, unit_key=unit_key)


def deleted_of_exposure(ledger: Ledger, *, key: str) -> list[DeletionsOfExposure]:
    """Files of an exposure that left by retention, by their kind."""
    return ledger.select(TOPIC, "deleted_of_exposure", DeletionsOfExposure, key=key)


def archived_places(ledger: Ledger, *, file_path: str) -> list[ArchivedPlace]:
    """Where the archive has a file that left the depot by retention."""
    return ledger.select(TOPIC, "archived_places", ArchivedPlace, file_path=file_path)


def files_to_restore(ledger: Ledger, *, site: str, night: date, of_kind: str | None) -> list[FileToRestore]:
    """Files of a night that left, and where the archive has them."""
    return ledger.select(TOPIC, "files_to_restore", FileToRestore, site=site, night=night, of_kind=of_kind)


def restored(
    ledger: Ledger, *, restored_on: date | None, site: str | None, night: date | None, paths: Sequence[str] | None
) -> int:
    """Run `restored`."""
    return ledger.run(TOPIC, "restored", restored_on=restored_on, site=site, night=night, paths=paths)


def last_clean_up(ledger: Ledger, *, site: str, night: date) -> CleanUp | None:
    """Run `last_clean_up`."""
    return ledger.first(TOPIC, "last_clean_up", CleanUp, site=site, night=night)


def deleted_by_kind(ledger: Ledger, *, site: str, clean_up: int) -> list[DeletedOfKind]:
    """What a clean-up deleted, by the kind of file and the setting."""
    return ledger.select(TOPIC, "deleted_by_kind", DeletedOfKind, site=site, clean_up=clean_up)


def put_sample(
    ledger: Ledger,
    *,
    disk: str | None,
    now: datetime | None,
    folder: str | None,
    total_bytes: int | None,
    free_bytes: int | None,
    every_s: float | None,
) -> int:
    """Not more often than that."""
    return ledger.run(
        TOPIC,
        "put_sample",
        disk=disk,
        now=now,
        folder=folder,
        total_bytes=total_bytes,
        free_bytes=free_bytes,
        every_s=every_s,
    )


def thin_samples(ledger: Ledger, *, now: datetime | None, keep_days: int | None) -> int:
    """Of days before the last two the last sample of each stays, and nothing of long ago."""
    return ledger.run(TOPIC, "thin_samples", now=now, keep_days=keep_days)


def samples(ledger: Ledger, *, since: datetime, now: datetime) -> list[DiskSample]:
    """Of each disk the last sample of each day, since some moment."""
    return ledger.select(TOPIC, "samples", DiskSample, since=since, now=now)


def second_places(ledger: Ledger, *, sites: Sequence[str]) -> list[SecondPlace]:
    """Where second copies are kept now."""
    return ledger.select(TOPIC, "second_places", SecondPlace, sites=sites)


def warned(ledger: Ledger) -> list[DiskWarning]:
    """Run `warned`."""
    return ledger.select(TOPIC, "warned", DiskWarning)


def put_warning(ledger: Ledger, *, disk: str | None, level: str | None) -> int:
    """Run `put_warning`."""
    return ledger.run(TOPIC, "put_warning", disk=disk, level=level)


def delete_warning(ledger: Ledger, *, disk: str | None) -> int:
    """Run `delete_warning`."""
    return ledger.run(TOPIC, "delete_warning", disk=disk)


def ledger_bytes(ledger: Ledger) -> int:
    """Run `ledger_bytes`."""
    found: int = ledger.value(TOPIC, "ledger_bytes")
    return found


def ledger_folder(ledger: Ledger) -> str | None:
    """Where the server keeps its data; null where this user may not know."""
    found: str | None = ledger.value(TOPIC, "ledger_folder")
    return found


def make_month_of(ledger: Ledger, *, moment: datetime) -> None:
    """Makes the partitions of a moment's month (UTC) before they are needed."""
    ledger.run(TOPIC, "make_month_of", moment=moment)


def grown_tables(ledger: Ledger, *, most: int) -> list[GrownTable]:
    """Tables of which many rows changed since they were last vacuumed or analysed."""
    return ledger.select(TOPIC, "grown_tables", GrownTable, most=most)
