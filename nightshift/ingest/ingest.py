"""Take in what arrived. Bad input is set aside with its reason and stops nothing."""

import errno
from collections.abc import Iterable
from pathlib import Path

from nightshift.context import Context
from nightshift.errors import BadInput, Retry
from nightshift.ingest.arrival import Arrival, Known, PhysicalFile, look_at
from nightshift.ingest.examine import examine_safely, largest_bytes
from nightshift.ingest.leave import leave_inbox, put_aside, write_arrival
from nightshift.ingest.manifests import is_manifest, register_manifest
from nightshift.ingest.naming import shown
from nightshift.ingest.register import register
from nightshift.ingest.unexpected import UnexpectedError, as_bad_input
from nightshift.ingest.unexpected_events import say_stuck, say_unexpected
from nightshift.ingest.verify import SIDECAR, sidecar_checksum
from nightshift.ingest.whose import context_of_frame, context_of_manifest, context_of_stranger, waits_for_settings
from nightshift.keys import FrameKey
from nightshift.ledger.queries import ingest as ingest_queries
from nightshift.vocabulary import Disposition, EventLevel, Reason

__all__ = ["ingest_all"]

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
                say_stuck(context, path.name, error)
            continue
        except Retry:
            raise
        except Exception as error:  # noqa: BLE001 - a file that cannot even be set aside holds up no other
            say_stuck(context, path.name, error)
            continue
        if arrival is not None:
            arrivals.append(arrival)
    if trouble is not None:
        if not ingest_queries.storage_said_lately(context.ledger):  # it is tried again every few seconds
            context.ledger.event(
                EventLevel.PAGE, "storage_unavailable", f"Ingest waits: {trouble}", night_time=context.clock.now()
            )
        raise Retry(Reason.STORAGE_UNAVAILABLE, f"ingest waits: {trouble}") from trouble
    return arrivals


def _say_it_waits(context: Context, file: PhysicalFile) -> None:
    """Say once that a file waits for settings that load again, and what to do."""
    deployment, kind = context.deployment, "file_waits_for_settings"
    if context.ledger.value("ledger", "event_said", kind=kind, subject=file.name):
        return
    missing = ", ".join(deployment.without_settings)
    context.ledger.event(
        EventLevel.PAGE, kind,
        f"It may be of {missing}, whose settings no night was opened with, and config/{deployment.name} does not "
        f"load. It waits in the inbox and is taken in as soon as that is corrected: {deployment.unread}"[:1000],
        subject=file.name, night_time=context.clock.now(),
    )  # fmt: skip


def _ingest_one(context: Context, path: Path) -> Arrival | None:
    """Return what became of one file; None where it is gone or not ripe."""
    surveys, known = context.deployment.surveys, Known()
    if path.name.endswith(SIDECAR) and not path.is_symlink() and path.is_file():
        return _ingest_sidecar(context, path)
    manifest = is_manifest(path.name, *surveys)
    file = look_at(path, MANIFEST_MOST_BYTES if manifest else largest_bytes(*surveys))
    if waits_for_settings(context.deployment, file, manifest=manifest):
        _say_it_waits(context, file)
        return None
    with context.ledger.transaction():
        ingest_queries.lock_name(context.ledger, file_name=file.name)
        if not file.unchanged():
            return None
        if ingest_queries.arrival(context.ledger, arrival_key=file.key) is None:
            _take(context, file, known, manifest=manifest)
    return leave_inbox(context, file)


def _take(context: Context, file: PhysicalFile, known: Known, *, manifest: bool) -> None:
    """Write a file's arrival, whatever it is."""
    try:
        with as_bad_input():
            own = (context_of_manifest if manifest else context_of_frame)(context, file)
    except BadInput as error:
        if isinstance(error, UnexpectedError):
            say_unexpected(context, file.name, error)
        arrival = Arrival(file.name, Disposition.QUARANTINED, error.reason, shown(str(error)))
        put_aside(context_of_stranger(context), file, known, arrival)
        return

    def registered() -> Arrival:
        if manifest:
            return register_manifest(own, file, known)
        return register(own, file, examine_safely(file, own.survey, known))

    write_arrival(own, file, known, registered)


def _ingest_sidecar(context: Context, path: Path) -> Arrival | None:
    """Take in a checksum whose file came before it: it proves the registered frame, or shows it to be bad."""
    name = path.name.removesuffix(SIDECAR)
    if path.with_name(name).exists():
        return None  # it goes with its file
    said = sidecar_checksum(path)
    frame = ingest_queries.frame_named(context.ledger, file_name=shown(name), sha256=said)
    if frame is None:
        return _orphan(context, path)
    if said != frame.sha256:
        key = FrameKey(frame.instrument, frame.exposure_id, frame.detector)
        ingest_queries.set_invalid(context.ledger, reason=Reason.CHECKSUM_MISMATCH, **key._asdict())
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
        arrival = Arrival(file.name, Disposition.QUARANTINED, Reason.NAME_NOT_RECOGNISED, why)
        put_aside(context_of_stranger(context), file, Known(), arrival)
    return leave_inbox(context, file)
