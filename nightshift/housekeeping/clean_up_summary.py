"""What the morning's mail and the status say of clean-up."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from nightshift.context import Context
from nightshift.housekeeping.due_files import NO_SECOND_PLACE
from nightshift.ledger import Ledger
from nightshift.ledger.queries import housekeeping as housekeeping_queries
from nightshift.ledger.queries.housekeeping import DeletedOfKind

__all__ = ["CleanUpSummary", "clean_up_summary", "housekeeping_lines"]


@dataclass(frozen=True)
class CleanUpSummary:
    """The last clean-up of a site.

    Parameters
    ----------
    began_at : datetime or None
        None where nobody ever cleaned up.
    ended : bool
        Whether it ended; one that was killed is ended by the next.
    rows : tuple of DeletedOfKind
        What left, by kind of file and setting: files, bytes, first and last night.
    freed_bytes : int
        That became free.
    why_not : dict of str to int
        How many files are old enough and stayed, by the reason.
    second_copy : bool
        Whether second copies are made: without them nothing leaves.
    """

    began_at: datetime | None
    ended: bool
    rows: tuple[DeletedOfKind, ...]
    freed_bytes: int
    why_not: dict[str, int]
    second_copy: bool

    @property
    def sentence(self) -> str:
        """One sentence for people."""
        if not self.second_copy:
            return f"Nothing leaves the depot: {NO_SECOND_PLACE}."
        if self.began_at is None:
            return "Nobody has cleaned up yet."
        files = sum(row.files for row in self.rows)
        text = f"{files} files left the depot, {self.freed_bytes / 1e6:.0f} MB are free again"
        stay = sum(self.why_not.values())
        return f"{text}; {stay} are old enough and stay." if stay else f"{text}."


def clean_up_summary(context: Context, night: date) -> CleanUpSummary:
    """Return what the last clean-up of the site did, as the morning after a night tells it.

    Parameters
    ----------
    context : Context
        Of one site.
    night : date
        The night that the mail is of. A clean-up that counted from a later night is not told with it.
    """
    ledger, site = context.ledger, context.site.name
    second_copy = housekeeping_queries.has_second_place(ledger, site=site)
    last = housekeeping_queries.last_clean_up(ledger, site=site, night=night)
    if last is None:
        return CleanUpSummary(None, True, (), 0, {}, second_copy)
    rows = housekeeping_queries.deleted_by_kind(ledger, site=site, clean_up=last.clean_up)
    return CleanUpSummary(
        last.began_at, last.ended_at is not None, tuple(rows), last.bytes, last.why_not, second_copy
    )


def housekeeping_lines(ledger: Ledger, sites: Sequence[str]) -> Iterator[str]:
    """Yield what the status says of housekeeping: disks that fill up, and sites without a second copy."""
    for disk in housekeeping_queries.warned(ledger):
        yield f"{disk.level}: the disk {disk.name} fills up; `nightshift disks` says when it is full"
    for site in sites:
        if not housekeeping_queries.has_second_place(ledger, site=site):
            yield f"{site}: nothing leaves the depot, {NO_SECOND_PLACE}"
