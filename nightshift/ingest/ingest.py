"""Take in what arrived. Bad input is set aside with its reason and stops nothing."""

import errno
import os
import shutil
import stat
from collections.abc import Iterable
from pathlib import Path

from nightshift.context import Context
from nightshift.errors import BadInput, Retry
from nightshift.files import copy_whole, write_whole
from nightshift.ingest.arrival import Arrival, Known, PhysicalFile, look_at
from nightshift.ingest.manifests import is_manifest, register_manifest
from nightshift.ingest.naming import shown
from nightshift.ingest.register import RawFrame, examine, register
from nightshift.ingest.verify import SIDECAR, sidecar_checksum
from nightshift.keys import FrameKey
from nightshift.nights import night_of
from nightshift.settings import Survey
from nightshift.vocabulary import Disposition, EventLevel, Reason

__all__ = ["examine_safely", "ingest_all", "note_of"]

MANIFEST_MOST_BYTES = 100_000_000
# of an error that is the machine's and not the file's: the night waits and goes on when it is mended
MACHINE = {
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EROFS,
    errno.EIO,
    errno.ESTALE,
    errno.ENOTCONN,
    errno.EMFILE,
    errno.ENFILE,
}


def ingest_all(context: Context, paths: Iterable[Path]) -> list[Arrival]:
    """Take files of the inbox in: register, or set aside with the reason. May run again, and beside itself.

    Parameters
    ----------
    context : Context
    paths : iterable of Path
        As `complete_files` gives them. What is gone meanwhile, or still changes, is left out.

    Returns
    -------
    list of Arrival
        One a file whose fate is known.

    Raises
    ------
    nightshift.errors.Retry
        STORAGE_UNAVAILABLE, after all other files were taken in, where inbox or depot cannot be read or written.
    """
    arrivals, trouble = [], None
    for path in paths:
        try:
            arrival = _ingest_one(context, path)
        except FileNotFoundError:
            continue
        except OSError as error:
            if error.errno in MACHINE:
                trouble = error
            else:
                _say_stuck(context, path, error)
            continue
        if arrival is not None:
            arrivals.append(arrival)
    if trouble is not None:
        if context.ledger.row("ingest", "storage_said_lately") is None:  # it is tried again every few seconds
            context.ledger.event(
                EventLevel.PAGE, "storage_unavailable", f"Ingest waits: {trouble}", night_time=context.clock.now()
            )
        raise Retry(Reason.STORAGE_UNAVAILABLE, f"ingest waits: {trouble}") from trouble
    return arrivals


def _say_stuck(context: Context, path: Path, error: OSError) -> None:
    """Say once that a file stays in the inbox, for a cause of its own."""
    name = shown(path.name)
    if context.ledger.row("ledger", "event_said", kind="file_stuck", subject=name) is None:
        context.ledger.event(
            EventLevel.ERROR, "file_stuck", f"It cannot be taken out of the inbox: {shown(str(error))}"[:1000],
            subject=name, night_time=context.clock.now(),
        )  # fmt: skip


def _ingest_one(context: Context, path: Path) -> Arrival | None:
    """Return what became of one file; None where it is gone or not ripe."""
    survey, known = context.survey, Known()
    if path.name.endswith(SIDECAR) and not path.is_symlink() and path.is_file():
        return _ingest_sidecar(context, path)
    manifest = is_manifest(path.name, survey)
    file = look_at(path, MANIFEST_MOST_BYTES if manifest else int(survey.camera.file_names.largest_mb * 1e6))
    with context.ledger.transaction():
        context.ledger.rows("ingest", "lock_name", file_name=file.name)
        if not file.unchanged():
            return None
        if context.ledger.row("ingest", "arrival", arrival_key=file.key) is None:
            _take(context, file, known, manifest=manifest)
    return _leave_inbox(context, file)


def _take(context: Context, file: PhysicalFile, known: Known, *, manifest: bool) -> None:
    """Write a file's arrival, whatever it is."""
    try:
        if manifest:
            arrival = register_manifest(context, file, known)
        else:
            arrival = register(context, file, examine_safely(file, context.survey, known))
    except BadInput as error:
        arrival = Arrival(
            file.name, Disposition.QUARANTINED, error.reason, shown(str(error)), known.frame, known.night
        )
    if arrival.disposition is not Disposition.REGISTERED:
        _put_aside(context, file, known, arrival)


def examine_safely(file: PhysicalFile, survey: Survey, known: Known) -> RawFrame:
    """Return what a file is, as `examine`; one over which it stumbles is `BadInput` INTERNAL_ERROR."""
    try:
        return examine(file, survey, known)
    except (BadInput, OSError):
        raise
    except Exception as error:  # a file over which we stumble is set aside like any other
        raise BadInput(Reason.INTERNAL_ERROR, f"{type(error).__name__}: {error}") from error


# --- what is not registered ---------------------------------------------------------------------------------


def _put_aside(context: Context, file: PhysicalFile, known: Known, arrival: Arrival) -> None:
    """Write the arrival of a file that is not registered, and where its bytes will be kept."""
    night = known.night or night_of(context.survey.site, context.clock.now())
    kept = arrival.disposition is not Disposition.DUPLICATE
    place = context.depot.relative(context.depot.quarantine(night, file.key)) if kept else None
    context.ledger.run(
        "ingest", "put_arrival",
        arrival_key=file.key, inbox_name=file.name, bytes=file.status.st_size, sha256=file.sha256,
        disposition=arrival.disposition, reason=arrival.reason, detail=arrival.detail, kept_path=place,
        site=context.survey.site.name, night=night, instrument=known.instrument, exposure_id=known.exposure_id,
        detector=known.detector,
    )  # fmt: skip
    if kept:
        context.ledger.run(
            "ingest", "put_quarantine",
            arrival_key=file.key, path=place, reason=arrival.reason, detail=arrival.detail,
        )  # fmt: skip
        context.ledger.event(
            EventLevel.WARNING, f"file_{arrival.disposition}", f"{arrival.reason}: {arrival.detail}"[:1000],
            subject=file.name, night_time=context.clock.now(), reason=arrival.reason, arrival_key=file.key,
        )  # fmt: skip


def _leave_inbox(context: Context, file: PhysicalFile) -> Arrival:
    """Take a file whose arrival is written out of the inbox; one that came under its name meanwhile stays.

    A registered file is safe in the depot. What is quarantined moves there now; where it cannot be moved it
    stays, and is known by its key at the next look.
    """
    row = context.ledger.row("ingest", "arrival", arrival_key=file.key)
    assert row is not None  # it was written before
    disposition = Disposition(row["disposition"])
    if file.unchanged():
        if disposition in (Disposition.REGISTERED, Disposition.DUPLICATE):
            file.path.unlink()
        else:
            _quarantine(file, context.depot.absolute(row["kept_path"]))
        if os.path.lexists(sidecar := file.path.with_name(file.path.name + SIDECAR)):
            sidecar.unlink()
    known = Known(row["night"], row["instrument"], row["exposure_id"], row["detector"])
    reason = Reason(row["reason"]) if row["reason"] else None
    return Arrival(file.name, disposition, reason, row["detail"], known.frame, row["night"])


def _quarantine(file: PhysicalFile, target: Path) -> None:
    """Move what is not ours out of the inbox, by name where that can be. Of a link or special file a note is kept."""
    if not file.regular and not stat.S_ISDIR(file.status.st_mode):
        write_whole(target, note_of(file))
        file.path.unlink()
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        file.path.rename(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        if not file.regular:
            shutil.move(file.path, target)
            return
        copy_whole(file.path, target)
        file.path.unlink()


def note_of(file: PhysicalFile) -> bytes:
    """Return what is kept of a link or special file in its place."""
    if file.path.is_symlink():
        return f"a link to {shown(str(file.path.readlink()))}\n".encode()
    return f"a special file, mode {file.status.st_mode:o}\n".encode()


def _ingest_sidecar(context: Context, path: Path) -> Arrival | None:
    """Take in a checksum whose file came before it: it proves the registered frame, or shows it to be bad."""
    name = path.name.removesuffix(SIDECAR)
    if path.with_name(name).exists():
        return None  # it goes with its file
    frame = context.ledger.row("ingest", "frame_named", file_name=shown(name))
    if frame is None:
        return _orphan(context, path)
    if sidecar_checksum(path) != frame["sha256"]:
        key = FrameKey(frame["instrument"], frame["exposure_id"], frame["detector"])
        context.ledger.run("ingest", "set_invalid", reason=Reason.CHECKSUM_MISMATCH, **key._asdict())
        context.ledger.event(
            EventLevel.ERROR, "checksum_mismatch", f"{shown(name)} is not what the checksum that came after it says.",
            subject=key, night_time=context.clock.now(), reason=Reason.CHECKSUM_MISMATCH,
        )  # fmt: skip
    path.unlink(missing_ok=True)
    return None


def _orphan(context: Context, path: Path) -> Arrival:
    file = look_at(path, MANIFEST_MOST_BYTES)
    why = "a checksum whose file never came"
    with context.ledger.transaction():
        _put_aside(
            context, file, Known(), Arrival(file.name, Disposition.QUARANTINED, Reason.NAME_NOT_RECOGNISED, why)
        )
    return _leave_inbox(context, file)
