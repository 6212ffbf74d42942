"""Locks in the ledger: one process at a time does a thing, whatever machine it runs on.

A lock lives as long as the connection that took it, so that nobody has to clear up after a process that was killed.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum

from nightshift.errors import Retry
from nightshift.ledger.database import Ledger
from nightshift.ledger.queries import ledger as ledger_queries
from nightshift.vocabulary import Reason

__all__ = ["Busy", "LockedWork", "advisory_lock"]

POLL_S = 0.2


class LockedWork(StrEnum):
    """Work that one process at a time does on one thing."""

    POST = "post"  # send what the outbox holds: what is queued stays queued meanwhile
    RELEASE = "release"  # make the alerts of an exposure
    RELEASE_ORDER = "release_order"  # release the differences of a field in their order
    MESSAGES = "messages"  # tell people what the events say
    PRUNE = "prune"  # move old events into the archive
    ARCHIVE = "archive"  # fill the archive of a night
    COVERAGE = "coverage"  # write a site's maps
    BACKUP = "backup"  # write a backup of the ledger, or remove old ones
    REHEARSAL = "rehearsal"  # restore a backup elsewhere, to see whether it can be
    CHECKSUMS = "checksums"  # write the list of a night's archive
    COPIES = "copies"  # write, read or mend the second copies of a place
    CLEAN_UP = "clean_up"  # delete what may leave the depot


class Busy(Retry):
    """Another process does the same thing, for longer than the caller was ready to wait."""


@contextmanager
def advisory_lock(ledger: Ledger, work: LockedWork, of: object = "", *, wait_s: float = 60.0) -> Iterator[None]:
    """Let nobody else do that work on the same thing meanwhile. Call it outside of a transaction.

    Parameters
    ----------
    ledger : Ledger
    work : LockedWork
    of : object
        What the work is done on; its text counts.
    wait_s : float
        How long to wait for another to finish, in real seconds.

    Raises
    ------
    Busy
        If that was not enough.
    """
    deadline = time.monotonic() + wait_s
    while not ledger_queries.try_lock(ledger, work=work, of=str(of)):
        if time.monotonic() >= deadline:
            raise Busy(Reason.INTERNAL_ERROR, f"another process is at it ({work} {of}), for {wait_s:.0f} s already")
        time.sleep(POLL_S)
    try:
        yield
    finally:
        ledger_queries.unlock(ledger, work=work, of=str(of))
