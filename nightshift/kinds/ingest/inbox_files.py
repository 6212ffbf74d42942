"""The files of the inbox that jobs take in, and those that are left to the watch.

What has the name of one of the camera's frames is for jobs, unless jobs have failed at it for good. Manifests,
checksums that came alone, and whatever else lies in an inbox cost nothing to look at and stay with the watch.
"""

import os
import stat
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from nightshift.context import Context
from nightshift.errors import BadInput
from nightshift.ingest.arrival import PhysicalFile
from nightshift.ingest.inbox import may_be_taken
from nightshift.ingest.naming import one_exposure, parse_name
from nightshift.ledger.queries import ingest as ingest_queries
from nightshift.ledger.queries.ingest import AttemptAtFile
from nightshift.runners.choice import runner_name
from nightshift.settings import Deployment, Survey
from nightshift.vocabulary import AttemptState, ErrorClass, Reason
from nightshift.workflow.persistence import tries_made

__all__ = [
    "DueFile",
    "Group",
    "InboxFile",
    "due_files",
    "groups_of_inbox",
    "left_by_jobs",
    "named_for_watch",
    "taken_by_jobs",
]

OPEN = (AttemptState.INTENDED, AttemptState.SUBMITTED, AttemptState.SUPERSEDED)
RETRIED = (ErrorClass.RETRY, ErrorClass.RESOURCES)

Group = tuple[str, str]  # instrument and exposure, as the names say


@dataclass(frozen=True)
class InboxFile:
    """One file of the inbox that has the name of a frame.

    Parameters
    ----------
    path : Path
    status : os.stat_result
    group : tuple of str
        Instrument and exposure, as its name says.
    """

    path: Path
    status: os.stat_result
    group: Group

    @property
    def physical(self) -> PhysicalFile:
        """The file, unread."""
        return PhysicalFile(self.path, self.status, None)

    @cached_property
    def key(self) -> str:
        """Its arrival's key: another file under the same name has another."""
        return self.physical.key

    @property
    def unit_key(self) -> str:
        """Its unit of work."""
        return f"ingest/{'/'.join(self.group)}/{self.key}"

    @property
    def modified(self) -> datetime:
        """When it was written, at the telescope where the transfer keeps that."""
        return datetime.fromtimestamp(self.status.st_mtime, UTC)


def taken_by_jobs(survey: Survey) -> bool:
    """Whether files are taken in by jobs here, and not by the watch itself."""
    by = survey.ingest.by
    return by == "jobs" or (by == "auto" and runner_name() == "slurm")


def groups_of_inbox(context: Context) -> dict[Group, list[InboxFile]]:
    """Return the files that have held still, by exposure, the newest exposure first.

    One look must do here, so the time of a file's last change counts, by the clock of the inbox's disk. Where that
    clock is wrong a file may be found too early; a job notices, because the file is another one when it is read.

    Raises
    ------
    OSError
        If the inbox cannot be read.
    """
    groups = defaultdict(list)
    for file in _still_files(context):
        groups[file.group].append(file)
    newest = sorted(groups, key=lambda group: (max(f.modified for f in groups[group]), group), reverse=True)
    return {group: groups[group] for group in newest}


def _still_files(context: Context) -> Iterator[InboxFile]:
    still_s, now = context.survey.exposure.stillness_s, time.time()
    with os.scandir(context.inbox) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            group = _group_of(entry.name, context.deployment)
            if group is None:
                continue
            with suppress(FileNotFoundError):  # somebody took it meanwhile
                status = entry.stat(follow_symlinks=False)
                if stat.S_ISREG(status.st_mode) and not 0 <= now - status.st_ctime < still_s:
                    yield InboxFile(context.inbox / entry.name, status, group)


def _group_of(name: str, deployment: Deployment) -> Group | None:
    """Return the exposure that a file's name says; None where it is no frame's name of one instrument alone."""
    survey = deployment.survey
    if not may_be_taken(name) or deployment.fits_several(name):
        return None
    try:
        parse_name(name, survey.camera)
    except BadInput:
        return None
    return survey.camera.instrument, one_exposure(name, survey.camera)


@dataclass(frozen=True)
class DueFile:
    """A file that a job is to take in.

    Parameters
    ----------
    file : InboxFile
    tried_by : str
        The subject of the job that has tried before: the file stays with it. Empty where none has.
    """

    file: InboxFile
    tried_by: str = ""


def due_files(context: Context, files: Iterable[InboxFile]) -> list[DueFile]:
    """Return those that a job may take in now: not in the ledger, and not given up."""
    return [
        DueFile(file, attempts[-1].subject if attempts else "")
        for file, stands, attempts in _how_they_stand(context, list(files))
        if stands == "due"
    ]


def named_for_watch(deployment: Deployment, paths: Iterable[Path]) -> list[Path]:
    """Return which complete files of the inbox the watch takes in itself, as far as their names tell."""
    of_jobs = [deployment.of_instrument(s.camera.instrument) for s in deployment.surveys if taken_by_jobs(s)]
    return [path for path in paths if not any(_group_of(path.name, own) for own in of_jobs) or not _is_file(path)]


def left_by_jobs(context: Context, paths: Iterable[Path]) -> list[Path]:
    """Return which complete files of the inbox jobs left there: the watch mends it, and need not look often.

    They were taken in and not removed since, or jobs failed at them for good by no fault of the files.
    """
    paths = list(paths)
    return [path for own in context.instruments() for path in _left_of_instrument(own, paths)]


def _left_of_instrument(context: Context, paths: Iterable[Path]) -> list[Path]:
    files = []
    for path in paths if taken_by_jobs(context.survey) else ():
        with suppress(FileNotFoundError):
            if (group := _group_of(path.name, context.deployment)) and _is_file(path):
                files.append(InboxFile(path, path.lstat(), group))
    return [file.path for file, stands, _ in _how_they_stand(context, files) if stands == "left"]


def _is_file(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


def _how_they_stand(
    context: Context, files: list[InboxFile]
) -> Iterator[tuple[InboxFile, str, Sequence[AttemptAtFile]]]:
    """Yield each file, whether it is due, left to the watch, or stopped by a person, and the attempts at it."""
    if not files:
        return
    keys = [file.key for file in files]
    arrived = {row.arrival_key for row in ingest_queries.arrived(context.ledger, arrival_keys=keys)}
    attempts = defaultdict(list)
    for row in ingest_queries.attempts_at_files(context.ledger, unit_keys=[file.unit_key for file in files]):
        attempts[row.unit_key].append(row)
    for file in files:
        made = attempts[file.unit_key]
        yield file, "left" if file.key in arrived else _how_it_stands(made, context.survey), made


def _how_it_stands(attempts: Sequence[AttemptAtFile], survey: Survey) -> str:
    if not attempts or attempts[-1].state in OPEN:
        return "due"
    if attempts[-1].reason == Reason.CANCELLED:
        return "stopped"
    retried = attempts[-1].error_class in RETRIED
    again = retried and tries_made(row.reason for row in attempts) < survey.exposure.attempts
    return "due" if again else "left"
