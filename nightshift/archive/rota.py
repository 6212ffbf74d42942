"""Old nights are read again, in both of their places, and what was damaged meanwhile is named and mended.

Each day those files are read that were read longest ago, a bounded amount, so that all are within a number of days.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from nightshift.archive.copy_lists import write_lists
from nightshift.archive.copy_place import PlaceAway, chunks_of, content_fault, copy_key
from nightshift.archive.copying import want_what_came_since
from nightshift.archive.mending import ARCHIVE, archive_path, check_archive_is_there, mend, note_damaged
from nightshift.archive.place_in_use import PlaceInUse, copy_policy, name_of_place, note_trouble, use_place
from nightshift.context import Context
from nightshift.ledger.advisory_lock import LockedWork, advisory_lock
from nightshift.ledger.queries import copies as copy_queries
from nightshift.ledger.queries import night_end as night_end_queries
from nightshift.ledger.queries.copies import ArchivedContent, CopiedContent, DamagedFile
from nightshift.vocabulary import EventLevel

__all__ = ["Verified", "due_to_verify", "mend_now", "verify_night_again", "verify_old_nights"]

BATCH = 64
BEGIN_AT = 0.75  # of the days: the rest is for days on which nothing can be read
LOCK_WAIT_S = 600.0
Progress = Callable[[int, int], None]
Found = tuple[ArchivedContent, str | None]
FoundCopy = tuple[CopiedContent, str | None]


@dataclass
class Verified:
    """What reading old files again found.

    Parameters
    ----------
    files, bytes : int
        Read.
    damaged, mended, lost : list of str
        Names of files: below the archive, or as the place of copies calls them.
    trouble : str
        Why the copies were not read; empty where they were.
    nights : set of date
        Of whose archives files were read.
    """

    files: int = 0
    bytes: int = 0
    damaged: list[str] = field(default_factory=list)
    mended: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    trouble: str = ""
    nights: set[date] = field(default_factory=set)

    def __str__(self) -> str:
        said = (
            f"{self.files} files read again, {self.bytes / 1e6:.1f} MB: {len(self.damaged)} damaged, "
            f"{len(self.mended)} mended, {len(self.lost)} lost"
        )
        return f"{said}; {self.trouble}" if self.trouble else said


def verify_old_nights(context: Context, *, progress: Progress | None = None) -> Verified:
    """Read what was read longest ago, a day's amount of it, in both places; mend what is damaged.

    Parameters
    ----------
    context : Context
        Of one site, with the settings that hold now.
    progress : callable, optional
        Is told how many files, and bytes, were read so far.
    """
    policy, now = copy_policy(context), copy_queries.now(context.ledger)
    begin = now - timedelta(days=BEGIN_AT * policy.verify_within_days)
    done = _verify(context, None, begin, policy.verify_gb_a_day * 1e9, progress)
    last = night_end_queries.last_closed_night(context.ledger, site=context.site.name)
    want_what_came_since(context, done.nights | ({last} if last else set()))
    _say_whether_in_time(context, now - timedelta(days=policy.verify_within_days))
    return done


def verify_night_again(context: Context, night: date, *, progress: Progress | None = None) -> Verified:
    """Read all of a night's archive and copies again, and mend what is damaged; see `verify_old_nights`."""
    return _verify(context, night, copy_queries.now(context.ledger), float("inf"), progress)


def due_to_verify(context: Context, night: date | None = None) -> str:
    """Return what would be read again now: of a night all, else what was read longest ago."""
    policy, now = copy_policy(context), copy_queries.now(context.ledger)
    before = now if night else now - timedelta(days=BEGIN_AT * policy.verify_within_days)
    due = copy_queries.late_in_sum(
        context.ledger, site=context.site.name, before=before, place=name_of_place(policy, context.depot),
        of_night=night,
    )  # fmt: skip
    assert due is not None  # a sum has a row
    oldest = f", the oldest of {due.oldest:%Y-%m-%d}" if due.oldest else ""
    return f"{due.files} files, {due.bytes / 1e9:.1f} GB, would be read again{oldest}"


def mend_now(context: Context, night: date | None = None) -> Verified:
    """Mend what is known to be damaged, of one night or of all."""
    done = Verified()
    with _locked(context):
        _mend(context, _place(context, done), night, done)
    return done


def _locked(context: Context) -> AbstractContextManager[None]:
    name = name_of_place(copy_policy(context), context.depot)
    return advisory_lock(context.ledger, LockedWork.COPIES, name or context.site.name, wait_s=LOCK_WAIT_S)


def _place(context: Context, done: Verified) -> PlaceInUse | None:
    """Return the place of copies; None where there is none, or it is away: then that is noted."""
    try:
        return use_place(context)
    except PlaceAway as error:
        note_trouble(context, name_of_place(copy_policy(context), context.depot), str(error))
        done.trouble = str(error)
        return None


def _verify(
    context: Context, night: date | None, before: datetime, most_bytes: float, progress: Progress | None
) -> Verified:
    done = Verified()
    for read in (_read_archive, _read_copies):
        budget = most_bytes
        for step in read(context, night, before, done):
            done.files += len(step)
            done.bytes += sum(row.bytes for row, _ in step)
            budget -= sum(row.bytes for row, _ in step)
            if progress:
                progress(done.files, done.bytes)
            if budget <= 0:
                break
    with _locked(context):
        _mend(context, _place(context, done), night, done)
    return done


def _mend(context: Context, in_use: PlaceInUse | None, night: date | None, done: Verified) -> None:
    """Mend what is damaged, and correct the lists of its nights. While the copies are away, nothing can be judged."""
    if done.trouble:
        return
    try:
        found = mend(context, in_use, night)
        if in_use is not None:
            write_lists(context, in_use)
    except PlaceAway as error:
        note_trouble(context, name_of_place(copy_policy(context), context.depot), str(error))
        done.trouble = str(error)
        return
    done.mended += found.mended
    done.lost += found.lost


# --- the archive --------------------------------------------------------------------------------------------


def _read_archive(context: Context, night: date | None, before: datetime, done: Verified) -> Iterator[list[Found]]:
    """Read files of the archive, a batch at a time: first what has no mark, then what was read longest ago."""
    site, ledger = context.site.name, context.ledger
    unmarked = copy_queries.archive_unverified(ledger, site=site, of_night=night)
    for first in range(0, len(unmarked), BATCH):
        yield _read_archived(context, unmarked[first : first + BATCH], done)
    while batch := copy_queries.archive_to_verify(ledger, site=site, before=before, of_night=night, most=BATCH):
        yield _read_archived(context, batch, done)


def _read_archived(context: Context, rows: Sequence[ArchivedContent], done: Verified) -> list[Found]:
    read_at = copy_queries.now(context.ledger)
    done.nights |= {row.night for row in rows}
    with ThreadPoolExecutor(copy_policy(context).at_once, thread_name_prefix="verify") as pool:
        found = list(zip(rows, pool.map(lambda row: _archive_fault(context, row), rows), strict=True))
    if any(fault for _, fault in found):
        check_archive_is_there(context)
    with context.ledger.transaction() as ledger:
        for row, fault in found:
            if fault is None:
                copy_queries.set_archive_verified(
                    ledger, site=context.site.name, night=row.night, path=row.path, sha256=row.sha256,
                    read_at=read_at,
                )  # fmt: skip
    _note(context, [_damaged(row.night, row.sha256, ARCHIVE, row.path, fault) for row, fault in found if fault], done)
    return found


def _archive_fault(context: Context, row: ArchivedContent) -> str | None:
    path = archive_path(context, row.path)
    return content_fault(lambda: chunks_of(path), row.sha256, row.bytes)


# --- the copies ---------------------------------------------------------------------------------------------


def _read_copies(context: Context, night: date | None, before: datetime, done: Verified) -> Iterator[list[FoundCopy]]:
    """Read copies, a batch at a time, those first that were read longest ago, for as long as their place is there."""
    name = name_of_place(copy_policy(context), context.depot)
    while name and (batch := _old_copies(context, name, night, before)):
        with _locked(context):
            in_use = _place(context, done)
            found = _read_batch_of_copies(context, in_use, batch, done) if in_use else None
        if found is None:
            return
        yield found


def _old_copies(context: Context, name: str, night: date | None, before: datetime) -> list[CopiedContent]:
    return copy_queries.copies_to_verify(
        context.ledger, site=context.site.name, place=name, before=before, of_night=night, most=BATCH
    )


def _read_batch_of_copies(
    context: Context, in_use: PlaceInUse, rows: Sequence[CopiedContent], done: Verified
) -> list[FoundCopy] | None:
    """Read some copies; None where their place went away meanwhile."""
    read_at, name = copy_queries.now(context.ledger), in_use.place.name
    try:
        with ThreadPoolExecutor(copy_policy(context).at_once, thread_name_prefix="verify") as pool:
            found = list(zip(rows, pool.map(lambda row: _copy_fault(in_use, row), rows), strict=True))
        in_use.check()
    except PlaceAway as error:
        note_trouble(context, name, str(error))
        done.trouble = str(error)
        return None
    with context.ledger.transaction() as ledger:
        for row, fault in found:
            if fault is None:
                copy_queries.set_copied(
                    ledger, site=context.site.name, night=row.night, place=name, sha256s=[row.sha256],
                    read_at=read_at,
                )  # fmt: skip
    damaged = [
        _damaged(row.night, row.sha256, name, copy_key(row.night, row.sha256), fault) for row, fault in found if fault
    ]
    _note(context, damaged, done)
    return found


def _copy_fault(in_use: PlaceInUse, row: CopiedContent) -> str | None:
    key = copy_key(row.night, row.sha256)
    return content_fault(lambda: in_use.place.read(key), row.sha256, row.bytes)


def _damaged(night: date, sha256: str, place: str, file: str, says: str) -> DamagedFile:
    return DamagedFile(night, sha256, place, file, datetime.now(UTC), says)


def _note(context: Context, damaged: list[DamagedFile], done: Verified) -> None:
    note_damaged(context, damaged)
    done.damaged += [row.file for row in damaged]


# --- in time ------------------------------------------------------------------------------------------------


def _say_whether_in_time(context: Context, oldest_allowed: datetime) -> None:
    """Say once that files were read longer ago than they may be, and once that this is over."""
    policy, site = copy_policy(context), context.site.name
    late = copy_queries.late_in_sum(
        context.ledger, site=site, before=oldest_allowed, place=name_of_place(policy, context.depot), of_night=None
    )
    subject, kinds = f"{site}/verify_archive", ["archive_not_verified_in_time", "archive_verified_in_time"]
    said = copy_queries.last_said(context.ledger, subject=subject, kinds=kinds)
    behind = said == "archive_not_verified_in_time"
    if late is not None and late.files and not behind:
        text = (
            f"{late.files} files of the archive and its copies, {late.bytes / 1e9:.1f} GB, were read longer ago than "
            f"{policy.verify_within_days} days: raise copies.verify_gb_a_day ({policy.verify_gb_a_day:g}) or "
            "copies.verify_within_days."
        )
        context.ledger.event(
            EventLevel.WARNING, "archive_not_verified_in_time", text, subject=subject,
            night_time=context.clock.now(),
        )  # fmt: skip
    if behind and (late is None or not late.files):
        context.ledger.event(
            EventLevel.INFO, "archive_verified_in_time",
            f"All files were read within {policy.verify_within_days} days again.",
            subject=subject, night_time=context.clock.now(),
        )  # fmt: skip
