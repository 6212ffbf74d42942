"""Files leave the depot: marked in the ledger, removed, confirmed. A kill at any moment loses no step of it.

A file is marked only where the archive and the second copy both hold it, read back and found equal, in the same
transaction; from then on no plan takes it. What was marked and not confirmed is looked at anew by the next clean-up:
removed if it still has its two places, taken back if it does not.
"""

import errno
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import islice
from typing import Any

from nightshift.context import Context
from nightshift.errors import NeedsOperator
from nightshift.health.storage import storage_away
from nightshift.housekeeping.due_files import (
    ATTEMPTS,
    NO_SECOND_PLACE,
    DueFiles,
    archived_on_disk,
    due_attempts,
    due_files,
    nights_without_attempts,
)
from nightshift.housekeeping.removal import NotRemoved, remove_empty_folders, remove_file, remove_folder
from nightshift.housekeeping.retention_rules import ObservedNights, Rule, observed_nights, rules
from nightshift.ledger.advisory_lock import LockedWork, advisory_lock
from nightshift.ledger.queries import housekeeping as housekeeping_queries
from nightshift.ledger.queries import ledger as ledger_queries
from nightshift.ledger.queries.housekeeping import DueFile, MarkedFile
from nightshift.vocabulary import EventLevel, Reason

__all__ = ["CleanedUp", "Line", "clean_up", "what_may_leave"]

AT_ONCE = 500  # files that are marked in one transaction


@dataclass(frozen=True)
class Line:
    """What left, or may leave, of one night by one rule.

    Parameters
    ----------
    night : date
    rule : Rule
    files : int
    bytes : int
        Their sizes, added up; what becomes free is less where the archive has the same file under a second name.
    """

    night: date
    rule: Rule
    files: int
    bytes: int


@dataclass
class CleanedUp:
    """What a clean-up did, or would do.

    Parameters
    ----------
    newest_night : date or None
        From which ages were counted; None where no exposure came yet.
    lines : list of Line
    why_not : Counter
        How many files are old enough and stay, by the reason.
    freed_bytes : int
        That became free; of a dry run 0.
    goes_on : bool
        Whether the next one has more to do: this one has reached its bound.
    """

    newest_night: date | None = None
    lines: list[Line] = field(default_factory=list)
    why_not: Counter[str] = field(default_factory=Counter)
    freed_bytes: int = 0
    goes_on: bool = False

    @property
    def files(self) -> int:
        """How many files and folders."""
        return sum(line.files for line in self.lines)

    @property
    def bytes(self) -> int:
        """Their sizes, added up."""
        return sum(line.bytes for line in self.lines)


def what_may_leave(context: Context) -> CleanedUp:
    """Return what a clean-up of a site would do now, and change nothing.

    Raises
    ------
    NeedsOperator
        If the clock and the ledger disagree.
    """
    observed = None if context.retention_policy.keep else observed_nights(context)
    found = CleanedUp()
    if observed is None:
        return found
    found.newest_night = observed.newest
    for due in due_files(context, observed):
        found.why_not += due.why_not
        if due.files:
            found.lines.append(Line(due.night, due.rule, len(due.files), due.bytes))
    folders = Counter((night, rule) for night, rule, _ in due_attempts(context, observed))
    found.lines += [Line(night, rule, count, 0) for (night, rule), count in folders.items()]
    return found


def clean_up(context: Context, *, operator: str, account: str = "") -> CleanedUp:
    """Delete in the depot what may leave it. May run again at any time, also after it was killed.

    Parameters
    ----------
    context : Context
        Of one site.
    operator : str
        Who wants it; kept in the audit.
    account : str
        Of the machine where it was asked for, kept there too.

    Returns
    -------
    CleanedUp

    Raises
    ------
    Busy
        If another process does the same.
    NeedsOperator
        If the clock and the ledger disagree, or a disk is not there; what was done before stays done.
    """
    with advisory_lock(context.ledger, LockedWork.CLEAN_UP, context.site.name, wait_s=0):
        observed = None if context.retention_policy.keep else observed_nights(context)
        if observed is None:
            return CleanedUp()
        _check_disks(context)
        return _CleanUp(context, observed, operator, account).run()


def _check_disks(context: Context) -> None:
    if trouble := storage_away(context):
        raise NeedsOperator(Reason.STORAGE_UNAVAILABLE, f"nothing more is deleted: {'; '.join(trouble)}")


class _CleanUp:
    """One clean-up while it goes on."""

    def __init__(self, context: Context, observed: ObservedNights, operator: str, account: str):
        self.context, self.observed, self.operator = context, observed, operator
        self.done = CleanedUp(observed.newest)
        self.site = context.site.name
        kept = {rule.key: rule.nights for rule in rules(context.retention_policy)}
        self.number = housekeeping_queries.begin_clean_up(
            context.ledger, site=self.site, operator=operator, newest_night=observed.newest, rules=kept
        )
        self.account = account
        self.left = context.retention_policy.files_at_once

    def run(self) -> CleanedUp:
        """Do all of it, and say what was done; also where a disk goes away on the way."""
        try:
            self._finish_marked()
            for due in due_files(self.context, self.observed):
                self._delete(due)
            self._delete_attempts()
        finally:
            self._end()
        return self.done

    def _end(self) -> None:
        ledger, done = self.context.ledger, self.done
        housekeeping_queries.end_clean_up(
            ledger, clean_up=self.number, site=self.site, files=done.files, bytes=done.freed_bytes,
            why_not=dict(done.why_not),
        )  # fmt: skip
        if done.files:
            text = f"{done.files} files left the depot, {done.bytes / 1e6:.1f} MB"
            text += f"; {done.freed_bytes / 1e6:.1f} MB are free again."
            ledger.event(EventLevel.INFO, "cleaned_up", text, subject=self.site, night_time=self.context.clock.now())
            detail: dict[str, Any] = {"clean_up": self.number, "files": done.files, "bytes": done.bytes}
            detail |= {"account": self.account} if self.account else {}
            ledger_queries.put_audit(
                ledger, operator=self.operator, action="clean_up", subject=self.site, detail=detail
            )
        if done.why_not[NO_SECOND_PLACE]:
            self._say_not_copied(done.why_not[NO_SECOND_PLACE])

    def _say_not_copied(self, files: int) -> None:
        if not ledger_queries.event_said(self.context.ledger, kind="nothing_copied", subject=self.site):
            self.context.ledger.event(
                EventLevel.WARNING, "nothing_copied",
                f"{files} files are old enough to leave the depot, and stay: no second copy is made of anything.",
                subject=self.site, night_time=self.context.clock.now(),
            )  # fmt: skip

    # --- files ------------------------------------------------------------------------------------------------

    def _delete(self, due: DueFiles) -> None:
        """Delete what one rule lets go of one night, as far as this clean-up may."""
        self.done.why_not += due.why_not
        files = iter(due.files[: self.left])
        self.done.goes_on = self.done.goes_on or len(due.files) > self.left
        left_all = not due.why_not and len(due.files) <= self.left
        while batch := list(islice(files, AT_ONCE)):
            left_all = self._delete_batch(due.night, due.rule, batch) and left_all
        if left_all:
            housekeeping_queries.put_cleaned(self.context.ledger, site=self.site, night=due.night, kind=due.rule.kind)

    def _delete_batch(self, night: date, rule: Rule, files: Sequence[DueFile]) -> bool:
        """Mark, remove and confirm some files; return whether all left."""
        _check_disks(self.context)
        marked = set(self._mark(night, rule, files))
        gone, size = self._remove(night, [(file.source, file.bytes) for file in files if file.source in marked])
        if gone:
            self.done.lines.append(Line(night, rule, len(gone), size))
        self.left -= len(gone)
        return len(gone) == len(files)

    def _mark(self, night: date, rule: Rule, files: Sequence[DueFile]) -> list[str]:
        """Mark those that have two verified places at this moment, and let no plan take them any more."""
        with self.context.ledger.transaction() as ledger:
            housekeeping_queries.make_month_of_night(ledger, night=night)
            rows = housekeeping_queries.mark_files(
                ledger, site=self.site, night=night, kind=rule.kind, rule=str(rule), clean_up=self.number,
                paths=[file.source for file in files], checksums=[file.sha256 for file in files],
            )  # fmt: skip
            paths = [row.path for row in rows]
            housekeeping_queries.mark_products(ledger, site=self.site, night=night, paths=paths)
            housekeeping_queries.mark_raw_frames(ledger, site=self.site, paths=paths)
            housekeeping_queries.mark_quarantined(ledger, site=self.site, paths=paths)
        return paths

    def _remove(self, night: date, files: Sequence[tuple[str, int]]) -> tuple[list[str], int]:
        """Remove marked files and confirm it; return those that are gone, and their sizes added up."""
        gone, refused, size = [], [], 0
        try:
            for path, bytes_ in files:
                try:
                    self.done.freed_bytes += remove_file(self.context.depot.root, path, size=bytes_)
                except NotRemoved as error:
                    self._refuse(path, str(error))
                    refused.append(path)
                else:
                    gone.append(path)
                    size += bytes_
        except OSError as error:
            raise _disk_failed(error) from error
        finally:
            housekeeping_queries.confirm(self.context.ledger, site=self.site, night=night, paths=gone)
            self._take_back(night, refused)
        for path in gone:
            remove_empty_folders(self.context.depot.root, path)
        return gone, size

    def _refuse(self, path: str, text: str) -> None:
        self.done.why_not["it is not what the ledger says of it"] += 1
        message = f"It stays in the depot: {text}."
        ledger = self.context.ledger
        if not ledger_queries.event_said_so(ledger, kind="deletion_refused", subject=path, message=message):
            ledger.event(
                EventLevel.ERROR, "deletion_refused", message, subject=path, night_time=self.context.clock.now()
            )

    def _take_back(self, night: date, paths: Sequence[str]) -> None:
        """Let files stay that were marked."""
        if not paths:
            return
        with self.context.ledger.transaction() as ledger:
            housekeeping_queries.unmark(ledger, site=self.site, night=night, paths=paths)
            housekeeping_queries.unmark_products(ledger, site=self.site, night=night, paths=paths)
            housekeeping_queries.unmark_raw_frames(ledger, site=self.site, paths=paths)
            housekeeping_queries.unmark_quarantined(ledger, site=self.site, paths=paths)

    # --- what a clean-up before this one left undone ------------------------------------------------------------

    def _finish_marked(self) -> None:
        """End what was marked by one that was killed."""
        for marked in housekeeping_queries.marked(self.context.ledger, site=self.site):
            _check_disks(self.context)
            if marked.kind == ATTEMPTS:
                self._remove_folder(marked.night, marked.path)
            elif self._may_still_leave(marked) or not (self.context.depot.root / marked.path).exists():
                self._remove(marked.night, [(marked.path, marked.bytes)])
            else:
                self._take_back(marked.night, [marked.path])

    def _may_still_leave(self, marked: MarkedFile) -> bool:
        archived = marked.archived_in_two_places
        return archived is not None and archived_on_disk(self.context, archived, marked.bytes)

    # --- folders of jobs ----------------------------------------------------------------------------------------

    def _delete_attempts(self) -> None:
        counts: Counter[tuple[date, Rule]] = Counter()
        sizes: Counter[tuple[date, Rule]] = Counter()
        for night, rule, path in self._folders():
            _check_disks(self.context)
            housekeeping_queries.make_month_of_night(self.context.ledger, night=night)
            housekeeping_queries.mark_folder(
                self.context.ledger, site=self.site, night=night, path=path, kind=ATTEMPTS, bytes=0,
                rule=str(rule), clean_up=self.number,
            )  # fmt: skip
            sizes[night, rule] += self._remove_folder(night, path)
            counts[night, rule] += 1
        self.done.lines += [Line(*of, count, sizes[of]) for of, count in counts.items()]
        if not self.done.goes_on:
            for night in nights_without_attempts(self.context, self.observed):
                housekeeping_queries.put_cleaned(self.context.ledger, site=self.site, night=night, kind=ATTEMPTS)

    def _folders(self) -> Iterator[tuple[date, Rule, str]]:
        """Yield the folders that may leave, as many as this clean-up may delete."""
        found = due_attempts(self.context, self.observed)
        yield from islice(found, max(0, self.left))
        self.done.goes_on = self.done.goes_on or next(found, None) is not None

    def _remove_folder(self, night: date, path: str) -> int:
        try:
            size = remove_folder(self.context.depot.root, path)
            remove_empty_folders(self.context.depot.root, path)
        except NotRemoved as error:
            self._refuse(path, str(error))
            return 0
        except OSError as error:
            raise _disk_failed(error) from error
        self.done.freed_bytes += size
        housekeeping_queries.confirm(self.context.ledger, site=self.site, night=night, paths=[path])
        return size


def _disk_failed(error: OSError) -> NeedsOperator:
    name = errno.errorcode.get(error.errno or 0, "")
    return NeedsOperator(
        Reason.STORAGE_UNAVAILABLE,
        f"the depot's disk does not delete ({name}: {error}): see to the disk, then clean up again; what was begun "
        "is ended then",
    )
