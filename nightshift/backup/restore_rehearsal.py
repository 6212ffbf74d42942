"""Rehearse a restore: the newest backup into a scratch server, where it must be what it was when it was taken."""

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from nightshift.backup.backup_files import Backup, Manifest, newest_good
from nightshift.backup.dump_loading import load_dump
from nightshift.backup.dumping import backup_folder, backup_policy, check_free
from nightshift.backup.ledger_contents import Contents, contents_of, differences
from nightshift.backup.postgres_programs import programs_for
from nightshift.backup.scratch_server import scratch_database
from nightshift.context import Context
from nightshift.errors import NeedsOperator, NightshiftError
from nightshift.ledger import Ledger
from nightshift.ledger.advisory_lock import LockedWork, advisory_lock
from nightshift.ledger.queries import backup as backup_queries
from nightshift.ledger.queries import ledger as ledger_queries
from nightshift.ledger.revision import known_revisions
from nightshift.vocabulary import EventLevel, Reason

__all__ = ["Rehearsal", "check_content", "rehearse"]

ROOM = 2.0  # times the database's size: data, indexes and the log of writing them


@dataclass(frozen=True)
class Rehearsal:
    """A restore that was rehearsed, and ended well."""

    backup: Backup
    rows: int
    seconds: float

    def __str__(self) -> str:
        return f"{self.backup.name} was restored in {self.seconds:.0f} s: {self.rows} rows, all as they were"


def rehearse(context: Context) -> Rehearsal:
    """Restore the newest backup into a server of its own and compare it with what was dumped.

    The result is a row; a failure calls a human, once until it works again. May run again.

    Raises
    ------
    nightshift.errors.NightshiftError
        If the backup could not be restored, or is not what was dumped.
    """
    began, name = time.monotonic(), ""
    with advisory_lock(context.ledger, LockedWork.REHEARSAL, wait_s=0):
        try:
            backup = _newest(context)
            name = backup.name
            rows = _restore_elsewhere(context, backup)
        except (NightshiftError, OSError) as error:
            _note(context, name, str(error), good=False, seconds=time.monotonic() - began)
            raise
        rehearsal = Rehearsal(backup, rows, time.monotonic() - began)
        _note(context, name, str(rehearsal), good=True, seconds=rehearsal.seconds)
    return rehearsal


def _newest(context: Context) -> Backup:
    """Return the newest backup; one that is damaged is not passed over in silence."""
    folder = backup_folder(context)
    backup, faults = newest_good(folder, context.deployment.name)
    if faults:
        raise NeedsOperator(Reason.CHECKSUM_MISMATCH, f"the newest backup is damaged: {faults[0]}")
    if backup is None:
        raise NeedsOperator(
            Reason.NEVER_ARRIVED, f"there is no backup of the ledger in {folder}: `nightshift backup now` takes one"
        )
    return backup


def _restore_elsewhere(context: Context, backup: Backup) -> int:
    """Restore a backup into a scratch server, compare, and return how many rows it has."""
    manifest, policy = backup.manifest, backup_policy(context)
    programs = programs_for(manifest.server_version, policy.programs)
    if not programs.can_serve:
        raise NeedsOperator(
            Reason.INTERNAL_ERROR,
            f"{programs.folder} has no server of PostgreSQL {programs.major}, which the rehearsal starts: install it",
        )
    below = Path(policy.scratch or tempfile.gettempdir())
    wanted = ROOM * manifest.database_bytes / 1e6 + context.storage_policy.least_free_mb
    check_free(below, wanted, "the rehearsal of a restore (backup.scratch)")
    with scratch_database(programs, below) as url:
        load_dump(programs, backup, url)
        with Ledger(url) as restored:
            check_content(restored, manifest)
    return sum(manifest.rows.values())


def check_content(ledger: Ledger, manifest: Manifest) -> None:
    """Raise `NeedsOperator` where a restored ledger is not what its manifest says, or not of this code's schema."""
    found = contents_of(ledger)
    wanted = Contents(manifest.rows, manifest.checksums)
    if wrong := differences(wanted, found):
        raise NeedsOperator(
            Reason.CHECKSUM_MISMATCH,
            f"the restored ledger differs from what was dumped in {len(wrong)} tables: {'; '.join(wrong[:5])}",
        )
    revision = ledger_queries.revision(ledger)
    if revision not in known_revisions():
        raise NeedsOperator(
            Reason.INTERNAL_ERROR,
            f"the restored ledger has the schema {revision}, and this code knows those up to {known_revisions()[-1]}",
        )


def _note(context: Context, name: str, text: str, *, good: bool, seconds: float) -> None:
    before = backup_queries.last_step(context.ledger, step="rehearsal")
    backup_queries.put_step(
        context.ledger, step="rehearsal", backup=name, good=good, detail=text[:1000], taken_at=None, seconds=seconds
    )
    if not good and (before is None or before.good):
        context.ledger.event(
            EventLevel.PAGE, "rehearsal_failed",
            f"A backup of the ledger could not be restored in a rehearsal: {text} Mend it, take a backup "
            "(`nightshift backup now`) and rehearse again (`nightshift backup rehearse`)."[:1000],
            night_time=context.clock.now(),
        )  # fmt: skip
    if good and before is not None and not before.good:
        context.ledger.event(
            EventLevel.INFO, "rehearsal_works_again", f"A restore was rehearsed well again: {text}",
            night_time=context.clock.now(),
        )  # fmt: skip
