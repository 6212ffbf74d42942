"""Which exposures have files in the inbox that jobs are to take in."""

import logging
from collections.abc import Iterable

from nightshift.context import Context
from nightshift.kinds.ingest.inbox_files import files_for_jobs, groups_of_inbox, taken_by_jobs
from nightshift.kinds.poll import Poll

__all__ = ["due"]

log = logging.getLogger(__name__)


def due(context: Context, poll: Poll) -> Iterable[dict[str, str]]:
    """Yield the exposures to take in now, the newest first.

    Never more than ``ingest.at_once``: in a backlog whatever comes next goes before what waits.
    """
    if not taken_by_jobs(context.survey):
        return
    try:
        groups = groups_of_inbox(context)
    except OSError as error:
        log.warning("the inbox does not read: %s", error)
        return
    asked = 0
    for (instrument, exposure_id), files in groups.items():
        if asked == context.survey.ingest.at_once:
            return
        if files_for_jobs(context, files):
            asked += 1
            yield {"instrument": instrument, "exposure_id": exposure_id}
