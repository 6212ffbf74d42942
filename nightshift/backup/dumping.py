"""Take a backup of the ledger: one snapshot, dumped, written whole, read back, copied, and old ones removed."""

import hashlib
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import IO

from nightshift.backup.backup_files import Backup, Manifest, backups_in, name_of, unfinished
from nightshift.backup.backup_rota import those_that_stay
from nightshift.backup.ledger_contents import contents_of
from nightshift.backup.postgres_programs import Programs, failed, programs_for
from nightshift.code_version import code_version
from nightshift.context import Context
from nightshift.errors import NeedsOperator, NightshiftError, Retry
from nightshift.files import copy_whole, new_file
from nightshift.ledger.advisory_lock import LockedWork, advisory_lock
from nightshift.ledger.queries import backup as backup_queries
from nightshift.ledger.queries import ledger as ledger_queries
from nightshift.settings.backup import BackupPolicy
from nightshift.vocabulary import EventLevel, Reason

__all__ = ["Taken", "backup_folder", "backup_policy", "check_free", "take_backup"]

CHUNK = 1 << 20
SHARE = 0.5  # of the database's size that a dump may take where none was made before; a tenth to a quarter is usual
GROWTH = 1.5  # from one dump to the next


@dataclass(frozen=True)
class Taken:
    """What a backup did."""

    backup: Backup
    manifest: Manifest
    copied_to: Path | None
    removed: tuple[str, ...]

    def __str__(self) -> str:
        rows = sum(self.manifest.rows.values())
        text = f"{self.backup.dump}: {self.manifest.bytes / 1e6:.1f} MB, {rows} rows, read back"
        text += f"; copied to {self.copied_to}" if self.copied_to else ""
        return text + (f"; removed by the rota: {', '.join(self.removed)}" if self.removed else "")


def backup_policy(context: Context) -> BackupPolicy:
    """Return how this survey's ledger is backed up: there is one ledger, and the first instrument's settings hold."""
    return context.deployment.surveys[0].backup


def backup_folder(context: Context) -> Path:
    """Return the folder of this survey's dumps."""
    folder = backup_policy(context).folder
    return Path(folder) if folder else context.depot.root / "backups"


def take_backup(context: Context) -> Taken:
    """Back the ledger up while the night goes on, verify the backup, copy it, and remove what the rota gives up.

    What went wrong is a row and, the first time, an event; a backup that works again ends it. May run again.

    Raises
    ------
    nightshift.ledger.advisory_lock.Busy
        If another backup is being taken.
    nightshift.errors.NightshiftError
        If this one failed. Earlier ones stay.
    """
    began = time.monotonic()
    with advisory_lock(context.ledger, LockedWork.BACKUP, wait_s=0):
        try:
            taken = _take(context)
        except (NightshiftError, OSError) as error:
            _note_failure(context, error, time.monotonic() - began)
            if isinstance(error, NightshiftError):
                raise
            raise NeedsOperator(
                Reason.STORAGE_UNAVAILABLE, f"the ledger was not backed up: {error}. Earlier backups stay."
            ) from error
        _note_success(context, taken, time.monotonic() - began)
    return taken


def _take(context: Context) -> Taken:
    policy, folder, survey = backup_policy(context), backup_folder(context), context.deployment.name
    folder.mkdir(parents=True, exist_ok=True)
    for path in unfinished(folder, survey):
        path.unlink(missing_ok=True)
    backup, manifest = _dump(context, folder, policy)
    removed = _apply_rota(folder, survey, policy)
    copy = _copy(backup, Path(policy.copy_to)) if policy.copy_to else None
    if copy is not None:
        _apply_rota(copy, survey, policy)
    return Taken(backup, manifest, copy, removed)


def _dump(context: Context, folder: Path, policy: BackupPolicy) -> tuple[Backup, Manifest]:
    """Write the dump and its manifest from one snapshot, and read the dump back."""
    with context.ledger.transaction() as ledger:
        backup_queries.one_snapshot(ledger)
        server = backup_queries.server(ledger)
        assert server is not None  # it is one row
        programs = programs_for(server.version, policy.programs)
        _check_room(context, folder, server.bytes)
        night = backup_queries.newest_night(ledger)
        contents = contents_of(ledger)
        backup = Backup(folder, name_of(context.deployment.name, server.taken_at))
        snapshot = str(backup_queries.export_snapshot(ledger))
        sha256, size = _write_dump(programs, ledger.url, snapshot, backup.dump)
        manifest = Manifest(
            survey=context.deployment.name,
            revision=str(ledger_queries.revision(ledger)),
            code_version=code_version(),
            taken_at=server.taken_at,
            server_version=server.version,
            lsn=server.lsn,
            newest_night=f"{night.site}/{night.night} {night.state}" if night else "",
            rows=dict(contents.rows),
            checksums=dict(contents.checksums),
            fingerprint=contents.fingerprint,
            bytes=size,
            database_bytes=server.bytes,
            sha256=sha256,
        )
    backup.write_manifest(manifest)
    if fault := backup.fault():
        backup.remove()
        raise NeedsOperator(Reason.CHECKSUM_MISMATCH, f"{fault}. The disk does not keep what it gets: look at it.")
    programs.run("pg_restore", ["--list", str(backup.dump)])
    return backup, manifest


def _check_room(context: Context, folder: Path, database_bytes: int) -> None:
    earlier = [path.stat().st_size for path in folder.glob("*.dump")]
    wanted = GROWTH * max(earlier) if earlier else SHARE * database_bytes
    check_free(folder, wanted / 1e6 + context.storage_policy.least_free_mb, "a backup of the ledger")


def check_free(folder: Path, wanted_mb: float, what: str) -> None:
    """Raise `Retry` where a disk has less free space than something takes."""
    status = os.statvfs(folder)
    free_mb = status.f_bavail * status.f_frsize / 1e6
    if free_mb < wanted_mb:
        raise Retry(
            Reason.STORAGE_UNAVAILABLE,
            f"{folder} has {free_mb:.0f} MB left, and {what} needs {wanted_mb:.0f}: free some",
        )


def _write_dump(programs: Programs, url: str, snapshot: str, path: Path) -> tuple[str, int]:
    """Write a dump so that it appears whole; return the sha256 and size of what pg_dump said.

    It comes through a pipe, so that pg_dump ends with this process, and what was said is judged apart from the disk.
    """
    arguments = ["--format=custom", "--no-owner", "--no-acl", "--schema=public", f"--snapshot={snapshot}"]
    process = programs.start(
        "pg_dump", arguments, url, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None and process.stderr is not None  # both are pipes
    digest, size = hashlib.sha256(), 0
    with _all_of(process.stderr) as said, new_file(path) as stream:
        try:
            while chunk := process.stdout.read(CHUNK):
                digest.update(chunk)
                size += stream.write(chunk)
        except BaseException:
            process.kill()
            raise
        finally:
            process.stdout.close()
            code = process.wait()
        if code:
            raise failed("pg_dump", code, b"".join(said))
    return digest.hexdigest(), size


@contextmanager
def _all_of(stream: IO[bytes]) -> Iterator[list[bytes]]:
    """Read a stream beside the block, so that who writes there never waits."""
    said: list[bytes] = []
    reader = Thread(target=lambda: said.append(stream.read()), daemon=True)
    reader.start()
    try:
        yield said
    finally:
        reader.join(5)
        stream.close()


def _copy(backup: Backup, folder: Path) -> Path:
    """Copy a backup to another folder and read the copy back, its manifest last.

    Raises
    ------
    NeedsOperator
        If it does not read back. A folder that is not there is not made: it may be a disk that is not mounted.
    """
    if not folder.is_dir():
        raise NeedsOperator(
            Reason.STORAGE_UNAVAILABLE,
            f"the backup {backup.dump} is good and was not copied: {folder} (backup.copy_to) is not there or not "
            "mounted",
        )
    twin = Backup(folder, backup.name)
    copy_whole(backup.dump, twin.dump)
    copy_whole(backup.manifest_path, twin.manifest_path)
    if fault := twin.fault():
        twin.remove()
        raise NeedsOperator(Reason.CHECKSUM_MISMATCH, f"the copy of a backup does not read back: {fault}")
    return folder


def _apply_rota(folder: Path, survey: str, policy: BackupPolicy) -> tuple[str, ...]:
    """Remove the backups that the rota gives up; called after a new one was read back, which always stays."""
    backups = backups_in(folder, survey)
    going = [backup for backup in backups if backup not in those_that_stay(backups, policy)]
    for backup in going:
        backup.remove()
    return tuple(backup.name for backup in going)


# --- what is told of it -------------------------------------------------------------------------------------


def _note_failure(context: Context, error: Exception, seconds: float) -> None:
    before = backup_queries.last_step(context.ledger, step="backup")
    backup_queries.put_step(
        context.ledger, step="backup", backup="", good=False, detail=str(error)[:1000], taken_at=None, seconds=seconds
    )
    if before is None or before.good:
        context.ledger.event(
            EventLevel.ERROR, "backup_failed", f"The ledger was not backed up: {error}"[:1000],
            night_time=context.clock.now(),
        )  # fmt: skip


def _note_success(context: Context, taken: Taken, seconds: float) -> None:
    before = backup_queries.last_step(context.ledger, step="backup")
    backup_queries.put_step(
        context.ledger, step="backup", backup=taken.backup.name, good=True, detail=str(taken)[:1000],
        taken_at=taken.manifest.taken_at, seconds=seconds,
    )  # fmt: skip
    if before is not None and not before.good:
        context.ledger.event(
            EventLevel.INFO, "backup_works_again", f"The ledger is backed up again: {taken.backup.name}",
            night_time=context.clock.now(),
        )  # fmt: skip
