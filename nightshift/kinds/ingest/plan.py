"""A unit for each file of some exposures that lies in the inbox, the newest exposure first.

A unit is one physical file: name, inode and time of change. Another file under the same name is another unit. Of one
exposure alone each file is a task; a task of several exposures takes many files, because it must start Python first.
How many goes by their size, which tells better than their number how long they take.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from nightshift.context import Context
from nightshift.kinds.ingest.inbox_files import DueFile, InboxFile, due_files, groups_of_inbox
from nightshift.kinds.ingest.spans import Groups, exposures_of, subject_that_tried
from nightshift.kinds.plans import Plan, PlannedUnit
from nightshift.ledger.queries import ingest as ingest_queries
from nightshift.nights import night_of
from nightshift.workflow.subjects import Subject

__all__ = ["files_of", "moment", "plan"]


def plan(context: Context, subject: Subject) -> Plan:
    """Plan the files that are complete now; those that come later are planned by the exposure's next run."""
    site = context.survey.site
    due = [
        entry
        for entry in due_files(context, files_of(context, subject))
        if not entry.tried_by or subject_that_tried(entry) == subject
    ]
    task_bytes = context.survey.ingest.task_mb * 1e6 if subject["oldest"] else 0
    units = tuple(
        PlannedUnit(file.unit_key, task, (), _parameters(file))
        for task, files in enumerate(_tasks(due, task_bytes))
        for file in files
    )
    return Plan(site.name, night_of(site, context.clock.now()), units)


def _parameters(file: InboxFile) -> dict[str, Any]:
    return {"path": str(file.path), "key": file.key, "bytes": file.status.st_size}


def _tasks(due: Sequence[DueFile], task_bytes: float) -> Iterator[Sequence[InboxFile]]:
    """Yield the files of each task. One at which a job failed before is alone: it may take the task down with it."""
    yield from ([entry.file] for entry in due if entry.tried_by)
    task: list[InboxFile] = []
    for file in (entry.file for entry in due if not entry.tried_by):
        if task and sum(other.status.st_size for other in (*task, file)) > task_bytes:
            yield task
            task = []
        task.append(file)
    if task:
        yield task


def moment(context: Context, subject: Subject) -> datetime | None:
    """Return when the newest of the files was written."""
    return max((file.modified for file in files_of(context, subject)), default=None)


def files_of(context: Context, subject: Subject) -> list[InboxFile]:
    """Return the files of a subject that lie in the inbox and hold still, the newest exposure first.

    Those of its exposures, and those at which its job has made an attempt, whatever has left the inbox since.
    """
    groups = groups_of_inbox(context)
    files = [file for group in exposures_of(dict(subject.conf), groups) for file in groups[group]]
    return list({file.path: file for file in (*files, *_tried_files(context, subject, groups))}.values())


def _tried_files(context: Context, subject: Subject, groups: Groups) -> Iterator[InboxFile]:
    tried = {row.unit_key for row in ingest_queries.files_of_job(context.ledger, job_key=subject.job_key)}
    exposures = {unit_key.split("/")[2] for unit_key in tried}
    for (_, exposure_id), files in groups.items():
        if exposure_id in exposures:
            yield from (file for file in files if file.unit_key in tried)
