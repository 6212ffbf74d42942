"""Events of long ago leave the ledger: first into a file of the archive, and out of the table when it was read back.

The database itself refuses to remove an event that no verified file of the archive holds. What people did (the table
``audit``) is never removed, nor is the word that a night was closed: what came after it is late for ever.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime

from nightshift.archive.night_archive import add_to_archive, night_folder
from nightshift.context import Context
from nightshift.errors import BadInput, NeedsOperator
from nightshift.files import write_whole
from nightshift.health import storage_trouble
from nightshift.ledger.advisory_lock import LockedWork, advisory_lock
from nightshift.ledger.queries import ledger as ledger_queries
from nightshift.ledger.queries import night_end as night_end_queries
from nightshift.ledger.queries.night_end import OldEvent
from nightshift.vocabulary import Reason

__all__ = ["OldEvents", "old_events", "prune_events"]

AT_ONCE = 50_000  # events of one file
LEAST_DAYS = 30  # what was said lately is asked for, so that nobody is called twice


@dataclass(frozen=True)
class OldEvents:
    """What is, or was, old enough to leave.

    Parameters
    ----------
    events : int
    first, last : datetime or None
        When the oldest and the newest of them were said; None where there are none.
    files : tuple of str
        Where they are, below the archive; none before they were removed.
    kept : str
        How many that are as old stay, and for the sake of which night; empty where none do.
    """

    events: int
    first: datetime | None = None
    last: datetime | None = None
    files: tuple[str, ...] = ()
    kept: str = ""


def old_events(context: Context, *, older_than_days: int) -> OldEvents:
    """Return what is old enough to leave, and change nothing.

    What was said since the first night began that is not closed never is.

    Raises
    ------
    BadInput
        If fewer than `LEAST_DAYS` days would stay.
    """
    if older_than_days < LEAST_DAYS:
        text = f"events older than {older_than_days} days: keep those of at least {LEAST_DAYS} days"
        raise BadInput(Reason.INTERNAL_ERROR, text)
    found = night_end_queries.old_events_in_sum(context.ledger, days=older_than_days)
    assert found is not None  # sums have a row always
    keeps = night_end_queries.night_that_keeps_events(context.ledger, days=older_than_days)
    kept = ""
    if keeps is not None and keeps.events:
        kept = f"kept besides: {keeps.events}, until the night of {keeps.night} is closed; it is {keeps.state}"
    return OldEvents(found.events, found.first, found.last, kept=kept)


def prune_events(context: Context, *, older_than_days: int, operator: str, account: str = "") -> OldEvents:
    """Archive old events with their checksum, read them back, and remove them. May run again after a crash.

    The files go to the archive of the last night that was closed, and into its ``SHA256SUMS``.

    Parameters
    ----------
    older_than_days : int
    operator : str
        Who wants it; kept in the audit.
    account : str
        Of the machine where it was asked for, kept there too.

    Raises
    ------
    BadInput
        If fewer than `LEAST_DAYS` days would stay.
    NeedsOperator
        If no night was closed yet, a disk of the night is not there or not the right one, or a file does not read
        back as it was written: nothing of it was removed.
    """
    found = old_events(context, older_than_days=older_than_days)
    if not found.events:
        return found
    night = night_end_queries.last_closed_night(context.ledger, site=context.site.name)
    if night is None:
        raise NeedsOperator(
            Reason.NEVER_ARRIVED, "no night was closed yet, so there is no archive to put events into"
        )
    with advisory_lock(context.ledger, LockedWork.PRUNE):
        files = tuple(_move(context, night, older_than_days, operator, account))
    return replace(found, files=files)


def _move(context: Context, night: date, days: int, operator: str, account: str) -> Iterator[str]:
    """Let file after file appear in the archive and its events go, and yield each file's place."""
    while events := night_end_queries.old_events(context.ledger, days=days, most=AT_ONCE):
        if trouble := storage_trouble(context):  # a disk that is not mounted would leave the only copy beneath it
            raise NeedsOperator(Reason.STORAGE_UNAVAILABLE, "; ".join(trouble))
        ids = [event.event_id for event in events]
        name, content = f"events_{ids[0]}_{ids[-1]}.jsonl", b"".join(_lines(events))
        sha256 = write_whole(night_folder(context, night) / name, content)
        path = add_to_archive(context, night, name, kind="events", sha256=sha256, size=len(content))
        with context.ledger.transaction() as ledger:
            last_at = max(event.at for event in events)
            night_end_queries.put_event_archive(ledger, path=path, first=ids[0], last=ids[-1], last_at=last_at)
            night_end_queries.delete_events(ledger, event_ids=ids)
            detail = {"events": len(ids), "sha256": sha256, "older_than_days": days}
            detail |= {"account": account} if account else {}
            ledger_queries.put_audit(ledger, operator=operator, action="prune_events", subject=path, detail=detail)
        yield path


def _lines(events: Sequence[OldEvent]) -> Iterator[bytes]:
    for event in events:
        named = asdict(event).items()
        values = {name: value.isoformat() if isinstance(value, datetime) else value for name, value in named}
        yield json.dumps(values, sort_keys=True).encode() + b"\n"
