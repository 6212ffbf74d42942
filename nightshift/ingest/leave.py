"""How a file leaves the inbox once its arrival is written: safe in the depot, or set aside with its reason."""

import errno
import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

from nightshift.context import Context
from nightshift.errors import BadInput
from nightshift.files import copy_whole, write_whole
from nightshift.ingest.arrival import Arrival, Known, PhysicalFile
from nightshift.ingest.naming import shown
from nightshift.ingest.set_aside import SetAside, leave_note, put_set_aside
from nightshift.ingest.unexpected import UnexpectedError, as_bad_input
from nightshift.ingest.unexpected_events import say_unexpected
from nightshift.ingest.verify import SIDECAR
from nightshift.ledger.queries import ingest as ingest_queries
from nightshift.ledger.queries import ledger as ledger_queries
from nightshift.nights import night_of
from nightshift.vocabulary import Disposition, EventLevel, Reason

__all__ = ["leave_inbox", "note_of", "put_aside", "write_arrival"]


def write_arrival(context: Context, file: PhysicalFile, known: Known, register: Callable[[], Arrival]) -> None:
    """Write the arrival of a file. Call it inside a transaction that holds the name's lock.

    Parameters
    ----------
    known : Known
        What is known of it by then.
    register : callable
        Registers it, or raises `BadInput` or an error that nobody foresaw: then what it wrote in the ledger is
        undone, and the file is set aside.
    """
    try:
        with context.ledger.savepoint(), as_bad_input():
            arrival = register()
    except BadInput as error:
        arrival = Arrival(
            file.name, Disposition.QUARANTINED, error.reason, shown(str(error)), known.frame, known.night
        )
        if error.reason is Reason.EXPOSURE_ID_REPEATS:
            _say_repeats(context, known, arrival.detail)
        if isinstance(error, UnexpectedError):
            say_unexpected(context, file.name, error)
    if arrival.disposition is not Disposition.REGISTERED:
        put_aside(context, file, known, arrival)


def _say_repeats(context: Context, known: Known, detail: str) -> None:
    """Page once a night: no later frame of a camera whose ids repeat is taken in before its settings are changed."""
    subject = f"{known.instrument}/{known.night:%Y%m%d}"
    text = f"{detail} Nothing is lost: such files are in quarantine, and `nightshift accept` takes them in then."
    if not ledger_queries.event_said(context.ledger, kind="exposure_id_repeats", subject=subject):
        context.ledger.event(
            EventLevel.PAGE, "exposure_id_repeats", text[:1000],
            subject=subject, night_time=context.clock.now(), reason=Reason.EXPOSURE_ID_REPEATS,
        )  # fmt: skip


def put_aside(context: Context, file: PhysicalFile, known: Known, arrival: Arrival) -> None:
    """Write the arrival of a file that is not registered, and where its bytes will be kept."""
    night = known.night or night_of(context.site, context.clock.now())
    kept = arrival.disposition is not Disposition.DUPLICATE
    place = context.depot.relative(context.depot.quarantine(night, file.key)) if kept else None
    written = SetAside(
        arrival_key=file.key, inbox_name=file.name, bytes=file.status.st_size, sha256=file.sha256,
        disposition=arrival.disposition, reason=arrival.reason, detail=arrival.detail, kept_path=place,
        site=context.site.name, night=night, instrument=known.instrument, exposure_id=known.exposure_id,
        detector=known.detector, night_by_clock=known.night is None,
    )  # fmt: skip
    put_set_aside(context, written)
    context.ledger.once_committed(lambda: leave_note(context, written))
    if kept:
        context.ledger.event(
            EventLevel.WARNING, f"file_{arrival.disposition}", f"{arrival.reason}: {arrival.detail}"[:1000],
            subject=file.name, night_time=context.clock.now(), reason=arrival.reason, arrival_key=file.key,
        )  # fmt: skip


def leave_inbox(context: Context, file: PhysicalFile) -> Arrival:
    """Take a file whose arrival is written out of the inbox; one that came under its name meanwhile stays.

    A registered file is safe in the depot. What is quarantined moves there now; where it cannot be moved it
    stays, and is known by its key at the next look.
    """
    written = ingest_queries.arrival(context.ledger, arrival_key=file.key)
    assert written is not None  # it was written before
    if file.unchanged():
        if written.disposition in (Disposition.REGISTERED, Disposition.DUPLICATE):
            file.path.unlink()
        else:
            assert written.kept_path is not None  # only of a duplicate nothing is kept
            _quarantine(file, context.depot.absolute(written.kept_path))
        if os.path.lexists(sidecar := file.path.with_name(file.path.name + SIDECAR)):
            sidecar.unlink()
    known = Known(written.night, written.instrument, written.exposure_id, written.detector)
    reason = Reason(written.reason) if written.reason else None
    return Arrival(file.name, written.disposition, reason, written.detail, known.frame, written.night)


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
