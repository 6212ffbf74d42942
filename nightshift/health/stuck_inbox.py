"""Whether files lie in the inbox and nobody takes anything in: ingest itself cannot say that it does not run."""

import os
import stat
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from nightshift.context import Context
from nightshift.ingest.inbox import may_be_taken
from nightshift.ingest.naming import shown
from nightshift.ledger import Ledger
from nightshift.ledger.queries import watch
from nightshift.vocabulary import EventLevel

__all__ = ["INGEST", "say_whether_ingest_is_stuck", "stuck_ingest"]

STUCK_AFTER_S = 600.0  # without an arrival, while a file lies in the inbox
INGEST = "ingest"  # of what the night waits for


def stuck_ingest(ledger: Ledger, inbox: Path) -> str | None:
    """Return in words that files wait and nothing was taken in for long, or None where all is well.

    Pauses do not count: while the machine was off nothing could be taken in (`nightshift.health.clock_steps`).
    """
    waiting = _waiting_files(inbox)
    if not waiting:
        return None
    since, name = min(waiting)
    quiet_s = watch.quiet_s(ledger, since=since)
    if quiet_s < STUCK_AFTER_S:
        return None
    files = "1 file waits" if len(waiting) == 1 else f"{len(waiting)} files wait"
    return (
        f"{files} in the inbox, and nothing was taken in for {quiet_s / 60:.0f} minutes; the first to come was "
        f"{name}. See the runs of watch_inbox in Airflow, and the night's events"
    )


def _waiting_files(inbox: Path) -> list[tuple[datetime, str]]:
    """Return since when the files of the inbox lie there, with their names."""
    found = []
    with suppress(OSError), os.scandir(inbox) as entries:
        for entry in entries:
            if may_be_taken(entry.name):
                with suppress(OSError):
                    status = entry.stat(follow_symlinks=False)
                    if not stat.S_ISDIR(status.st_mode):
                        found.append((datetime.fromtimestamp(changed_at_s(status), UTC), shown(entry.name)))
    return found


def changed_at_s(status: os.stat_result) -> float:
    """Return when a file came or was changed, in seconds since 1970: no program can set that time."""
    return status.st_ctime


def say_whether_ingest_is_stuck(context: Context) -> str | None:
    """Return what `stuck_ingest` does, keep it with what the night waits for, and call somebody once."""
    why = stuck_ingest(context.ledger, context.inbox)
    if why and watch.put_wait(context.ledger, folder=INGEST, why=why):
        context.ledger.event(
            EventLevel.PAGE,
            "ingest_stuck",
            f"Ingest is stuck: {why}.",
            subject=INGEST,
            night_time=context.clock.now(),
        )
    elif not why and watch.delete_wait(context.ledger, folder=INGEST):
        context.ledger.event(
            EventLevel.INFO, "ingest_goes_on", "Ingest takes files in again.", subject=INGEST,
            night_time=context.clock.now(),
        )  # fmt: skip
    return why
