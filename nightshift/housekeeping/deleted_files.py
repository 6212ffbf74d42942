"""What is known of a file that left the depot on purpose, and how it comes back from the archive."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from nightshift.context import Context
from nightshift.errors import BadInput, NeedsOperator
from nightshift.files import copy_whole, sha256_of
from nightshift.health.storage import storage_away
from nightshift.housekeeping.retention_rules import observed_nights
from nightshift.ledger.advisory_lock import LockedWork, advisory_lock
from nightshift.ledger.queries import housekeeping as housekeeping_queries
from nightshift.ledger.queries import ledger as ledger_queries
from nightshift.ledger.queries.housekeeping import DeletedFile, FileToRestore
from nightshift.vocabulary import EventLevel, Reason

__all__ = ["Restored", "file_at_hand", "restore", "said_of_deleted", "said_of_unit", "sentence"]

AT_ONCE = 500


def sentence(file: DeletedFile) -> str:
    """Return when and why a file left, and the command that brings it back."""
    bring = f"restore-files {file.night} --kind {file.kind} --site {file.site} --operator <you>"
    return (
        f"{file.path} was deleted by retention on {file.deleted_at:%Y-%m-%d} ({file.rule}); "
        f"`nightshift {bring}` brings it back from the archive"
    )


def said_of_deleted(context: Context, paths: Sequence[Path]) -> str:
    """Return what is known of those files that left the depot by retention; an empty text where none did.

    Parameters
    ----------
    context : Context
    paths : sequence of Path
        Absolute; those outside of the depot are passed over.
    """
    below = [p.relative_to(context.depot.root).as_posix() for p in paths if p.is_relative_to(context.depot.root)]
    rows = housekeeping_queries.deleted_files(context.ledger, file_paths=below)
    more = f"; and {len(rows) - 1} more" if len(rows) > 1 else ""
    return f"{sentence(rows[0])}{more}" if rows else ""


def said_of_unit(context: Context, unit_key: str) -> str:
    """Return what is known of products of a unit that left the depot by retention; empty where none did."""
    rows = housekeeping_queries.deleted_of_unit(context.ledger, unit_key=unit_key)
    return "; ".join(map(sentence, rows))


def file_at_hand(context: Context, relative: str) -> Path:
    """Return where a file of the depot can be read: its own place, or the archive's where it left by retention.

    A file that is at neither is at its own place as far as anybody knows; who reads it finds out.
    """
    path = context.depot.absolute(relative)
    if path.is_file():
        return path
    rows = housekeeping_queries.archived_places(context.ledger, file_path=relative)
    found = (context.depot.absolute(f"archive/{row.archived}") for row in rows)
    return next((place for place in found if place.is_file()), path)


# --- back again ---------------------------------------------------------------------------------------------


@dataclass
class Restored:
    """What came back, or would.

    Parameters
    ----------
    files : Counter
        By kind.
    bytes : int
    not_there : list of str
        Places in the archive that hold no such file, or another.
    """

    files: Counter[str] = field(default_factory=Counter)
    bytes: int = 0
    not_there: list[str] = field(default_factory=list)


def restore(context: Context, night: date, *, kind: str | None, operator: str, dry_run: bool) -> Restored:
    """Bring files of a night back from the archive. Their age counts anew from the newest night on.

    Parameters
    ----------
    context : Context
        Of one site.
    night : date
    kind : str or None
        Of file, as the table ``deletions`` has it; None: all kinds.
    operator : str
        Who wants it; kept in the audit.
    dry_run : bool
        Whether only to tell what would come.

    Raises
    ------
    BadInput
        If no such file left.
    NeedsOperator
        If depot or archive are not there.
    """
    rows = housekeeping_queries.files_to_restore(context.ledger, site=context.site.name, night=night, of_kind=kind)
    if not rows:
        what = f"of kind {kind} " if kind else ""
        raise BadInput(Reason.NEVER_ARRIVED, f"no file {what}of the night {night} left the depot by retention")
    if dry_run:
        return Restored(Counter(row.kind for row in rows), sum(row.bytes for row in rows))
    if trouble := storage_away(context):
        raise NeedsOperator(Reason.STORAGE_UNAVAILABLE, "; ".join(trouble))
    done = Restored()
    with advisory_lock(context.ledger, LockedWork.CLEAN_UP, context.site.name):
        for begin in range(0, len(rows), AT_ONCE):
            _restore(context, night, rows[begin : begin + AT_ONCE], done)
        housekeeping_queries.forget_cleaned(context.ledger, site=context.site.name, night=night)
    detail = {"files": done.files.total(), "kind": kind or "all"}
    subject = f"{context.site.name}/{night:%Y%m%d}"
    ledger_queries.put_audit(
        context.ledger, operator=operator, action="restore_files", subject=subject, detail=detail
    )
    context.ledger.event(
        EventLevel.INFO, "files_restored", f"{done.files.total()} files were brought back from the archive.",
        subject=subject, night_time=context.clock.now(),
    )  # fmt: skip
    return done


def _restore(context: Context, night: date, rows: Sequence[FileToRestore], done: Restored) -> None:
    back = []
    for row in rows:
        if _copied_back(context, row):
            back.append(row.path)
            done.files[row.kind] += 1
            done.bytes += row.bytes
        else:
            done.not_there.append(row.archived)
    site, observed = context.site.name, observed_nights(context)
    newest = observed.newest if observed is not None else night
    with context.ledger.transaction() as ledger:
        housekeeping_queries.restored(ledger, site=site, night=night, paths=back, restored_on=newest)
        housekeeping_queries.unmark_products(ledger, site=site, night=night, paths=back)
        housekeeping_queries.unmark_raw_frames(ledger, site=site, paths=back)
        housekeeping_queries.unmark_quarantined(ledger, site=site, paths=back)


def _copied_back(context: Context, row: FileToRestore) -> bool:
    """Copy one file to its place and compare it; what is not what it was does not stay there."""
    source, target = context.depot.absolute(f"archive/{row.archived}"), context.depot.absolute(row.path)
    try:
        if sha256_of(source) != row.sha256:
            return False
    except FileNotFoundError:
        return False
    copy_whole(source, target)
    if sha256_of(target) != row.sha256:
        target.unlink()
        return False
    return True
