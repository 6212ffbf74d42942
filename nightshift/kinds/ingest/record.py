"""What the taking in of a file leaves in the ledger: its frame, or its arrival with the reason why it is none.

The order makes any crash harmless: the copy is whole before the result tells of it, moves to its place in the depot
before the ledger knows of it, and the file leaves the inbox only after both. One that a crash left there is known by
its arrival's key.
"""

import errno
from contextlib import suppress
from datetime import date
from functools import partial
from pathlib import Path

from nightshift.context import Context
from nightshift.errors import BadInput, Retry
from nightshift.files import copy_whole, sha256_of, sync_folder
from nightshift.ingest.arrival import Arrival, Known, PhysicalFile
from nightshift.ingest.examine import frame_of
from nightshift.ingest.leave import leave_inbox, write_arrival
from nightshift.ingest.naming import parse_name
from nightshift.ingest.register import register
from nightshift.ingest.unexpected import UnexpectedError
from nightshift.jobs.contract import UnitWork
from nightshift.kinds.ingest.plan import files_of
from nightshift.kinds.ingest.work import COPY
from nightshift.ledger.queries import ingest as ingest_queries
from nightshift.nights import night_of
from nightshift.vocabulary import Reason
from nightshift.workflow.persistence import Ending
from nightshift.workflow.subjects import Subject
from nightshift.workflow.verdicts import ENDED_WELL

__all__ = ["end", "home", "record"]

OF_THE_FILE = (Reason.OUT_OF_MEMORY, Reason.TIMEOUT)  # it would take the watch down with it
OF_THE_MACHINE = (Reason.INPUT_LOST, Reason.STORAGE_UNAVAILABLE, Reason.CANCELLED)


def home(context: Context, subject: Subject, work: UnitWork) -> tuple[Path, date]:
    """Return the folder of an attempt: it has no products, for where a raw file goes its header says."""
    return Path(work.folder), night_of(context.survey.site, context.clock.now())


def record(context: Context, ending: Ending) -> None:
    """Write the arrival of a file, whatever it is.

    Nothing is written of one that is not in the inbox any more: what lies under its name now is a unit of its own.
    Nor where all attempts failed by no fault of the file: then the watch takes it in itself.
    """
    file = _planned_file(ending)
    if file is None or not _says_something_of_the_file(ending):
        return
    ingest_queries.lock_name(context.ledger, file_name=file.name)
    if ingest_queries.arrival(context.ledger, arrival_key=file.key) is None:
        known = _known(ending)
        write_arrival(context, file, known, partial(_register, context, ending, file, known))
    (Path(ending.work.folder) / COPY).unlink(missing_ok=True)


def _planned_file(ending: Ending) -> PhysicalFile | None:
    path = Path(ending.work.parameters["path"])
    try:
        status = path.lstat()
    except FileNotFoundError:
        return None
    file = PhysicalFile(path, status, None, known_sha256=ending.metrics.get("sha256") or "")
    return file if file.key == ending.work.parameters["key"] else None


def _says_something_of_the_file(ending: Ending) -> bool:
    """Whether an attempt ended because of what the file is, and not because of the machine under it."""
    if ending.outcome.state in ENDED_WELL or ending.outcome.reason in OF_THE_FILE:
        return True
    return ending.outcome.result is not None and ending.outcome.reason not in OF_THE_MACHINE


def _known(ending: Ending) -> Known:
    said = ending.metrics
    night = date.fromisoformat(said["night"]) if said.get("night") else None
    return Known(night, said.get("instrument"), said.get("exposure_id"), said.get("detector"))


def _register(context: Context, ending: Ending, file: PhysicalFile, known: Known) -> Arrival:
    """Register what the job found to be sound, or raise `BadInput` with what it found."""
    if "traceback" in ending.metrics:
        raise UnexpectedError(ending.outcome.detail, ending.metrics["traceback"])
    if not ending.succeeded:
        raise BadInput(ending.outcome.reason or Reason.INTERNAL_ERROR, ending.outcome.detail)
    name = parse_name(file.path.name, context.survey.camera)
    frame = frame_of(name, ending.metrics["header"], context.survey, known)
    place = partial(_place_copy, Path(ending.work.folder) / COPY, file)
    return register(context, file, frame, place=place)


def _place_copy(copy: Path, file: PhysicalFile, target: Path) -> None:
    """Move the job's copy to its place. After a crash it is there; where it is lost, the file itself is copied.

    Raises
    ------
    nightshift.errors.Retry
        STORAGE_UNAVAILABLE, where that cannot be done now.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if copy.exists():
            copy.replace(target)
            sync_folder(target.parent)
        elif not target.exists() or sha256_of(target) != file.sha256:
            digest, _ = copy_whole(file.path, target)
            if digest != file.sha256:
                raise OSError(errno.EIO, f"{file.path} is not what the job read")
    except OSError as error:
        raise Retry(Reason.STORAGE_UNAVAILABLE, f"{file.name} cannot be placed in the depot: {error}") from error


def end(context: Context, subject: Subject) -> None:
    """Let the files that have an arrival leave the inbox. One that cannot is left to the watch, which says so."""
    files = files_of(context, subject)
    rows = ingest_queries.arrived(context.ledger, arrival_keys=[file.key for file in files])
    arrived = {row.arrival_key for row in rows}
    for file in files:
        if file.key in arrived:
            with suppress(OSError):
                leave_inbox(context, file.physical)
