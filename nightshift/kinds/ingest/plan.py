"""One unit, and one task, for each file of an exposure that lies in the inbox.

A unit is one physical file: name, inode and time of change. Another file under the same name is another unit.
"""

from datetime import datetime

from nightshift.context import Context
from nightshift.kinds.ingest.inbox_files import InboxFile, files_for_jobs, groups_of_inbox
from nightshift.kinds.plans import Plan, PlannedUnit
from nightshift.nights import night_of
from nightshift.workflow.subjects import Subject

__all__ = ["files_of", "moment", "plan"]


def plan(context: Context, subject: Subject) -> Plan:
    """Plan the files that are complete now; those that come later are planned by the exposure's next run."""
    site = context.survey.site
    files = files_for_jobs(context, files_of(context, subject))
    units = tuple(
        PlannedUnit(file.unit_key, task, (), {"path": str(file.path), "key": file.key, "bytes": file.status.st_size})
        for task, file in enumerate(files)
    )
    return Plan(site.name, night_of(site, context.clock.now()), units)


def moment(context: Context, subject: Subject) -> datetime | None:
    """Return when the newest of the files was written."""
    return max((file.modified for file in files_of(context, subject)), default=None)


def files_of(context: Context, subject: Subject) -> list[InboxFile]:
    """Return the files of a subject that lie in the inbox and hold still."""
    return groups_of_inbox(context).get((subject["instrument"], subject["exposure_id"]), [])
