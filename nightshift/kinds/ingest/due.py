"""Which exposures have files in the inbox that jobs are to take in."""

import logging
from collections.abc import Iterable

from nightshift.context import Context
from nightshift.kinds.ingest.inbox_files import groups_of_inbox, taken_by_jobs
from nightshift.kinds.ingest.spans import due_spans
from nightshift.kinds.poll import Poll

__all__ = ["due"]

log = logging.getLogger(__name__)


def due(context: Context, poll: Poll) -> Iterable[dict[str, str]]:
    """Return the exposures to take in now, the newest first: see `due_spans`."""
    if not taken_by_jobs(context.survey):
        return ()
    try:
        groups = groups_of_inbox(context)
    except OSError as error:
        log.warning("the inbox does not read: %s", error)
        return ()
    return due_spans(context, groups)
