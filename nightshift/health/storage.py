"""Whether the disks of a night are there, can be written, and have free space; the night waits while they are not.

An empty mount point looks like an empty depot. So the depot and its archive carry a marker, whose content the ledger
knows: a folder without it, or with another's, is not written to.
"""

import os
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from nightshift.context import Context
from nightshift.errors import Retry
from nightshift.files import write_whole
from nightshift.ledger.queries import watch
from nightshift.vocabulary import EventLevel, Reason

__all__ = ["MARKER", "Storage", "storage_away", "storage_trouble", "wait_for_storage"]

MARKER = ".nightshift-storage"
LOOK_EVERY_S = 2.0
NAMES = ("inbox", "depot", "archive")  # the night waits for other things too


@dataclass(frozen=True)
class Storage:
    """One folder that the night cannot do without.

    Parameters
    ----------
    name : str
        ``inbox``, ``depot`` or ``archive``.
    folder : Path
    marker : str, optional
        What its marker must say; None where it needs none.
    """

    name: str
    folder: Path
    marker: str | None = None

    def trouble(self, least_free_mb: float) -> str | None:
        """Return what is wrong with it and what to do, or None."""
        try:
            status = os.statvfs(self.folder)
            if self.marker is not None and (self.folder / MARKER).read_text().strip() != self.marker:
                return f"the {self.name} {self.folder} is not the one that the ledger knows: mount the right one"
        except FileNotFoundError:
            return f"the {self.name} {self.folder} is not there, or not mounted: mount it"
        except OSError as error:
            return f"the {self.name} {self.folder} does not read: {error.strerror}"
        if status.f_flag & os.ST_RDONLY or not os.access(self.folder, os.W_OK | os.X_OK):
            return f"the {self.name} {self.folder} cannot be written: make it writable for this user"
        free_mb = status.f_bavail * status.f_frsize / 1e6
        if free_mb < least_free_mb:
            return (
                f"the {self.name} {self.folder} has {free_mb:.0f} MB left, of {least_free_mb:.0f} needed: free some"
            )
        return None


def storage_trouble(context: Context) -> list[str]:
    """Return what the night waits for, and say in an event what is new in it and what is over.

    Returns
    -------
    list of str
        Sentences that say what is wrong and what to do. Empty: go on.
    """
    least = context.storage_policy.least_free_mb
    found = {s.name: text for s in _storages(context) if (text := s.trouble(least)) is not None}
    known = {wait.name: wait for wait in watch.waits(context.ledger) if wait.name in NAMES}
    for name in found.keys() - known.keys():
        if watch.put_wait(context.ledger, folder=name, why=found[name]):
            context.ledger.event(
                EventLevel.PAGE, "storage_unavailable", f"The night waits: {found[name]}.", subject=name,
                night_time=context.clock.now(), reason=Reason.STORAGE_UNAVAILABLE,
            )  # fmt: skip
    for name in known.keys() - found.keys():
        if watch.delete_wait(context.ledger, folder=name):
            context.ledger.event(
                EventLevel.INFO, "storage_back", f"The {name} can be used again after "
                f"{known[name].waited_s:.0f} s; the night goes on.", subject=name,
                night_time=context.clock.now(),
            )  # fmt: skip
    return [found[name] for name in sorted(found)]


def storage_away(context: Context) -> list[str]:
    """Return which of depot and archive are not there, not the right ones or not to be written; full ones are.

    Nothing is said in the ledger: who frees space asks this, and must not wait for the space.
    """
    found = (s.trouble(least_free_mb=0) for s in _storages(context) if s.name != "inbox")
    return sorted(text for text in found if text is not None)


def _storages(context: Context) -> Iterator[Storage]:
    yield Storage("inbox", context.inbox)
    known = {row.name: row.marker for row in watch.storage(context.ledger)}
    for name, folder in (("depot", context.depot.root), ("archive", context.depot.root / "archive")):
        if name not in known and folder.is_dir() and (marker := _mark(folder)) is not None:
            watch.put_storage(context.ledger, folder=name, marker=marker)
            known[name] = marker
        if name in known:
            yield Storage(name, folder, known[name])
        elif name == "depot":
            yield Storage(name, folder)


def _mark(folder: Path) -> str | None:
    """Return the marker of a folder that the ledger does not know yet; None where it cannot be written."""
    path = folder / MARKER
    try:
        if not path.exists():
            write_whole(path, secrets.token_hex(16).encode() + b"\n")
        return path.read_text().strip()
    except OSError:
        return None


def wait_for_storage(
    context: Context, *, at_most_s: float = 3600.0, sleep: Callable[[float], None] = time.sleep
) -> None:
    """Return when nothing is wrong with the storage.

    Raises
    ------
    Retry
        STORAGE_UNAVAILABLE, if it is not mended in time.
    """
    deadline = time.monotonic() + at_most_s
    while trouble := storage_trouble(context):
        if time.monotonic() > deadline:
            raise Retry(Reason.STORAGE_UNAVAILABLE, "; ".join(trouble))
        sleep(LOOK_EVERY_S)
