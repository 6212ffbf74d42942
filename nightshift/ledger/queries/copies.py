"""The named queries of ``sql/queries/copies.sql``, typed.

Written by ``make queries``: change the SQL and run it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from nightshift.ledger.database import Ledger

__all__ = [
    "ArchivedContent",
    "CopiedContent",
    "CopyOfContent",
    "CopyPlaceRow",
    "DamagedFile",
    "FailingCopy",
    "IndexedFile",
    "LateInSum",
    "MountainFile",
    "StaleList",
    "WaitingCopies",
    "WantedCopy",
    "archive_to_verify",
    "archive_unverified",
    "archived_as",
    "copies_to_verify",
    "copy_of",
    "damaged",
    "delete_trouble",
    "due_copies",
    "failing_copies",
    "in_two_places",
    "last_said",
    "late_in_sum",
    "night_index",
    "night_to_queue",
    "now",
    "place",
    "put_damaged",
    "put_place",
    "put_trouble",
    "raw_of_mountain",
    "retire_other_places",
    "set_archive_damaged",
    "set_archive_verified",
    "set_copied",
    "set_copy_damaged",
    "set_list_stale",
    "set_listed",
    "set_mended",
    "set_not_copied",
    "stale_lists",
    "waiting",
    "want_copies_of_frames",
    "want_copies_of_night",
    "want_list",
    "want_old_nights",
]

TOPIC = "copies"


@dataclass(frozen=True, slots=True)
class CopyPlaceRow:
    """A row of `place`."""

    place: str
    marker: str | None
    trouble: str
    trouble_since: datetime | None
    tries: int
    next_try_at: datetime
    retired_at: datetime | None
    may_try: bool


@dataclass(frozen=True, slots=True)
class WantedCopy:
    """A row of `due_copies`."""

    night: date
    sha256: str
    bytes: int
    source: str
    tries: int


@dataclass(frozen=True, slots=True)
class WaitingCopies:
    """A row of `waiting`."""

    files: int
    bytes: int
    oldest: datetime | None


@dataclass(frozen=True, slots=True)
class FailingCopy:
    """A row of `failing_copies`."""

    night: date
    sha256: str
    source: str
    tries: int
    last_error: str


@dataclass(frozen=True, slots=True)
class ArchivedContent:
    """A row of `archive_to_verify` or `archive_unverified` or `archived_as`."""

    night: date
    path: str
    source: str
    sha256: str
    bytes: int


@dataclass(frozen=True, slots=True)
class CopiedContent:
    """A row of `copies_to_verify`."""

    night: date
    sha256: str
    bytes: int


@dataclass(frozen=True, slots=True)
class LateInSum:
    """A row of `late_in_sum`."""

    files: int
    bytes: int
    oldest: datetime | None


@dataclass(frozen=True, slots=True)
class DamagedFile:
    """A row of `damaged`."""

    night: date
    sha256: str
    place: str
    file: str
    found_at: datetime
    says: str


@dataclass(frozen=True, slots=True)
class StaleList:
    """A row of `stale_lists`."""

    night: date


@dataclass(frozen=True, slots=True)
class IndexedFile:
    """A row of `night_index`."""

    path: str
    kind: str
    sha256: str
    bytes: int


@dataclass(frozen=True, slots=True)
class MountainFile:
    """A row of `raw_of_mountain`."""

    file_name: str
    path: str | None
    sha256: str | None
    bytes: int | None
    invalid_reason: str | None
    sent_sha256: str | None
    in_two_places: bool
    archived: bool
    disposition: str | None


@dataclass(frozen=True, slots=True)
class CopyOfContent:
    """A row of `copy_of`."""

    bytes: int
    source: str


def in_two_places(ledger: Ledger, *, source: str, sha256: str) -> bool:
    """Whether a file of the depot has two verified places, so that its name there may be deleted: by its path
    below the depot and the checksum that its own table says it has.
    """
    found: bool = ledger.value(TOPIC, "in_two_places", source=source, sha256=sha256)
    return found


def place(ledger: Ledger, *, site: str, place: str) -> CopyPlaceRow | None:
    """Run `place`."""
    return ledger.first(TOPIC, "place", CopyPlaceRow, site=site, place=place)


def put_place(ledger: Ledger, *, site: str | None, place: str | None, marker: str | None) -> int:
    """Run `put_place`."""
    return ledger.run(TOPIC, "put_place", site=site, place=place, marker=marker)


def retire_other_places(ledger: Ledger, *, site: str | None, place: str | None) -> int:
    """Run `retire_other_places`."""
    return ledger.run(TOPIC, "retire_other_places", site=site, place=place)


def put_trouble(
    ledger: Ledger, *, site: str, place: str, trouble: str, first_s: float, most_s: float
) -> datetime | None:
    """Returns since when it has had one, as of before."""
    found: datetime | None = ledger.value(
        TOPIC, "put_trouble", site=site, place=place, trouble=trouble, first_s=first_s, most_s=most_s
    )
    return found


def delete_trouble(ledger: Ledger, *, site: str, place: str) -> datetime | None:
    """Returns since when it had one."""
    found: datetime | None = ledger.value(TOPIC, "delete_trouble", site=site, place=place)
    return found


def want_copies_of_frames(ledger: Ledger, *, place: str | None, site: str | None) -> int:
    """Of the raw frames of nights that are not closed, or have something new since."""
    return ledger.run(TOPIC, "want_copies_of_frames", place=place, site=site)


def want_copies_of_night(ledger: Ledger, *, place: str | None, site: str | None, night: date | None) -> int:
    """Of all that its archive holds: from there it is copied, whatever is cleared up in the depot."""
    return ledger.run(TOPIC, "want_copies_of_night", place=place, site=site, night=night)


def due_copies(
    ledger: Ledger, *, site: str, place: str, by: datetime, of_night: date | None, most: int
) -> list[WantedCopy]:
    """What waits, the longest waiting first; of what was tried in vain, that whose pause was over at a moment."""
    return ledger.select(TOPIC, "due_copies", WantedCopy, site=site, place=place, by=by, of_night=of_night, most=most)


def set_copied(
    ledger: Ledger,
    *,
    site: str | None,
    night: date | None,
    place: str | None,
    sha256s: Sequence[str] | None,
    read_at: datetime | None,
) -> int:
    """Read back from the place and found equal, at a moment after which no damage was found there."""
    return ledger.run(TOPIC, "set_copied", site=site, night=night, place=place, sha256s=sha256s, read_at=read_at)


def set_not_copied(
    ledger: Ledger,
    *,
    error: str | None,
    most_s: float | None,
    first_s: float | None,
    site: str | None,
    night: date | None,
    place: str | None,
    sha256: str | None,
) -> int:
    """Run `set_not_copied`."""
    return ledger.run(
        TOPIC,
        "set_not_copied",
        error=error,
        most_s=most_s,
        first_s=first_s,
        site=site,
        night=night,
        place=place,
        sha256=sha256,
    )


def waiting(ledger: Ledger, *, site: str, place: str) -> WaitingCopies | None:
    """Run `waiting`."""
    return ledger.first(TOPIC, "waiting", WaitingCopies, site=site, place=place)


def failing_copies(ledger: Ledger, *, site: str, place: str, most: int) -> list[FailingCopy]:
    """Run `failing_copies`."""
    return ledger.select(TOPIC, "failing_copies", FailingCopy, site=site, place=place, most=most)


def archive_to_verify(
    ledger: Ledger, *, site: str, before: datetime, of_night: date | None, most: int
) -> list[ArchivedContent]:
    """Of an archive, what was read longest ago."""
    return ledger.select(
        TOPIC, "archive_to_verify", ArchivedContent, site=site, before=before, of_night=of_night, most=most
    )


def archive_unverified(ledger: Ledger, *, site: str, of_night: date | None) -> list[ArchivedContent]:
    """Of the archives of nights that were closed, what lost its mark or never had it."""
    return ledger.select(TOPIC, "archive_unverified", ArchivedContent, site=site, of_night=of_night)


def copies_to_verify(
    ledger: Ledger, *, site: str, place: str, before: datetime, of_night: date | None, most: int
) -> list[CopiedContent]:
    """Run `copies_to_verify`."""
    return ledger.select(
        TOPIC, "copies_to_verify", CopiedContent, site=site, place=place, before=before, of_night=of_night, most=most
    )


def late_in_sum(
    ledger: Ledger, *, site: str, before: datetime, of_night: date | None, place: str
) -> LateInSum | None:
    """What was read longer ago."""
    return ledger.first(TOPIC, "late_in_sum", LateInSum, site=site, before=before, of_night=of_night, place=place)


def set_archive_verified(
    ledger: Ledger,
    *,
    site: str | None,
    night: date | None,
    path: str | None,
    sha256: str | None,
    read_at: datetime | None,
) -> int:
    """Read at a moment after which no damage was found."""
    return ledger.run(
        TOPIC, "set_archive_verified", site=site, night=night, path=path, sha256=sha256, read_at=read_at
    )


def set_archive_damaged(
    ledger: Ledger, *, site: str | None, night: date | None, path: str | None, sha256: str | None
) -> int:
    """Run `set_archive_damaged`."""
    return ledger.run(TOPIC, "set_archive_damaged", site=site, night=night, path=path, sha256=sha256)


def set_copy_damaged(
    ledger: Ledger, *, site: str | None, night: date | None, place: str | None, sha256: str | None
) -> int:
    """Run `set_copy_damaged`."""
    return ledger.run(TOPIC, "set_copy_damaged", site=site, night=night, place=place, sha256=sha256)


def put_damaged(
    ledger: Ledger,
    *,
    site: str | None,
    night: date | None,
    sha256: str | None,
    place: str | None,
    file: str | None,
    says: str | None,
) -> int:
    """Run `put_damaged`."""
    return ledger.run(TOPIC, "put_damaged", site=site, night=night, sha256=sha256, place=place, file=file, says=says)


def set_mended(
    ledger: Ledger, *, site: str | None, night: date | None, place: str | None, file: str | None, sha256: str | None
) -> int:
    """Run `set_mended`."""
    return ledger.run(TOPIC, "set_mended", site=site, night=night, place=place, file=file, sha256=sha256)


def damaged(ledger: Ledger, *, site: str, of_night: date | None) -> list[DamagedFile]:
    """What is not mended."""
    return ledger.select(TOPIC, "damaged", DamagedFile, site=site, of_night=of_night)


def archived_as(ledger: Ledger, *, site: str, night: date, sha256: str) -> list[ArchivedContent]:
    """The names of a content in the night's archive."""
    return ledger.select(TOPIC, "archived_as", ArchivedContent, site=site, night=night, sha256=sha256)


def now(ledger: Ledger) -> datetime:
    """Run `now`."""
    found: datetime = ledger.value(TOPIC, "now")
    return found


def want_list(ledger: Ledger, *, site: str | None, night: date | None, place: str | None) -> int:
    """Run `want_list`."""
    return ledger.run(TOPIC, "want_list", site=site, night=night, place=place)


def want_old_nights(ledger: Ledger, *, place: str | None, site: str | None) -> int:
    """Of a place that is new: what was archived before is copied there too, a night after the other."""
    return ledger.run(TOPIC, "want_old_nights", place=place, site=site)


def night_to_queue(ledger: Ledger, *, site: str, place: str) -> date | None:
    """Run `night_to_queue`."""
    found: date | None = ledger.value(TOPIC, "night_to_queue", site=site, place=place)
    return found


def set_list_stale(ledger: Ledger, *, site: str | None, night: date | None) -> int:
    """Of a night that was listed: something of it changed."""
    return ledger.run(TOPIC, "set_list_stale", site=site, night=night)


def stale_lists(ledger: Ledger, *, site: str, place: str) -> list[StaleList]:
    """Nights that are to be listed, all of whose files are copied; those that were listed before, at once."""
    return ledger.select(TOPIC, "stale_lists", StaleList, site=site, place=place)


def set_listed(ledger: Ledger, *, site: str | None, night: date | None, place: str | None) -> int:
    """Run `set_listed`."""
    return ledger.run(TOPIC, "set_listed", site=site, night=night, place=place)


def night_index(ledger: Ledger, *, place: str, site: str, night: date) -> list[IndexedFile]:
    """The files of a night's archive that its place in use holds."""
    return ledger.select(TOPIC, "night_index", IndexedFile, place=place, site=site, night=night)


def raw_of_mountain(ledger: Ledger, *, site: str, night: date) -> list[MountainFile]:
    """Every name that the mountain sent in a night, or says that it sent, and what is known of it."""
    return ledger.select(TOPIC, "raw_of_mountain", MountainFile, site=site, night=night)


def last_said(ledger: Ledger, *, subject: str, kinds: Sequence[str]) -> str | None:
    """Run `last_said`."""
    found: str | None = ledger.value(TOPIC, "last_said", subject=subject, kinds=kinds)
    return found


def copy_of(ledger: Ledger, *, site: str, night: date, sha256: str, place: str) -> CopyOfContent | None:
    """Run `copy_of`."""
    return ledger.first(TOPIC, "copy_of", CopyOfContent, site=site, night=night, sha256=sha256, place=place)
