"""Second copies are made: of raw frames as they come, of a night's archive at its end, again until they are there.

A file is read once, hashed while it is sent. What was sent is read back and hashed on its own, since a store may keep
less than it acknowledged, and only then does the ledger say that there is a copy.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from nightshift.archive.copy_lists import write_lists
from nightshift.archive.copy_place import (
    CopyPlace,
    NotTheFile,
    PlaceAway,
    chunks_of,
    content_fault,
    copy_key,
    hashed_chunks,
)
from nightshift.archive.place_in_use import (
    FIRST_PAUSE_S,
    LONGEST_PAUSE_S,
    PlaceInUse,
    copy_policy,
    end_trouble,
    name_of_place,
    note_trouble,
    use_place,
)
from nightshift.context import Context
from nightshift.ledger.advisory_lock import Busy, LockedWork, advisory_lock
from nightshift.ledger.queries import copies as copy_queries
from nightshift.ledger.queries.copies import WantedCopy

__all__ = ["Copied", "Stand", "copies_stand", "copy_night", "copy_what_is_due", "want_what_came_since"]

BATCH = 64  # files of one transaction
NAMED_MOST = 100
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Copied:
    """What became of some copies that were due.

    Parameters
    ----------
    files, bytes : int
        Copied, read back and found equal.
    waiting : int
        Files that are still to be copied.
    trouble : str
        Why they wait; empty where all is well, or there just was no time.
    """

    files: int
    bytes: int
    waiting: int
    trouble: str = ""

    def __str__(self) -> str:
        said = f"{self.files} files copied and read back, {self.bytes / 1e6:.1f} MB; {self.waiting} wait"
        return f"{said}: {self.trouble}" if self.trouble else said


@dataclass(frozen=True)
class Stand:
    """How second copies stand.

    Parameters
    ----------
    place : str
    waiting, bytes : int
        Files that are still to be copied.
    trouble : str
        Why the place cannot be used; empty where nothing is known to be wrong.
    failing : tuple of str
        Files that could not be copied, and why.
    """

    place: str
    waiting: int
    bytes: int
    trouble: str
    failing: tuple[str, ...]


@dataclass(frozen=True)
class _Made:
    """What became of one copy."""

    wanted: WantedCopy
    fault: str | None


def copy_night(
    context: Context, night: date, *, at_most_s: float | None = None, progress: Progress | None = None
) -> Copied | None:
    """Copy all that a night's archive holds, now, for as long as there is time.

    What is not copied by then follows (`copy_what_is_due`). May run again: what is copied stays as it is.

    Parameters
    ----------
    context : Context
        Of one site, with the settings that hold now and not those of the night.
    night : date
    at_most_s : float, optional
        Begin nothing new after so long, in real seconds; by default what the settings say that the mail waits.
    progress : callable, optional
        Is told how many files, and bytes, were copied so far.

    Returns
    -------
    Copied or None
        None where the settings name no place for copies.
    """
    policy = copy_policy(context)
    name = name_of_place(policy, context.depot)
    if not name:
        return None
    _queue(context, night, name)
    limit = policy.mail_waits_s if at_most_s is None else at_most_s
    return _copy(context, name, night=night, at_most_s=limit, progress=progress)


def _queue(context: Context, night: date, name: str) -> None:
    """Want a copy of all that a night's archive holds."""
    with context.ledger.transaction() as ledger:
        copy_queries.want_copies_of_night(ledger, site=context.site.name, night=night, place=name)
        copy_queries.want_list(ledger, site=context.site.name, night=night, place=name)


def want_what_came_since(context: Context, nights: Iterable[date]) -> None:
    """Want copies of what came into the archives of some nights after these were copied.

    `copy_what_is_due` makes them. Nothing happens where the settings name no place for copies.
    """
    name, site = name_of_place(copy_policy(context), context.depot), context.site.name
    for night in nights if name else ():
        with context.ledger.transaction() as ledger:
            if copy_queries.want_copies_of_night(ledger, site=site, night=night, place=name):
                copy_queries.want_list(ledger, site=site, night=night, place=name)


def copy_what_is_due(
    context: Context, *, at_most_s: float, at_once: bool = False, progress: Progress | None = None
) -> Copied | None:
    """Copy what waits: raw frames of the nights that are under way, and what could not be copied before.

    Parameters
    ----------
    context : Context
        Of one site, with the settings that hold now.
    at_most_s : float
        Begin nothing new after so long, in real seconds.
    at_once : bool
        Try also a place that was away a moment ago, whose pause is not over.
    progress : callable, optional
        Is told how many files, and bytes, were copied so far.

    Returns
    -------
    Copied or None
        None where the settings name no place for copies.
    """
    name = name_of_place(copy_policy(context), context.depot)
    if not name:
        return None
    site, ledger = context.site.name, context.ledger
    copy_queries.want_copies_of_frames(ledger, site=site, place=name)
    row = copy_queries.place(ledger, site=site, place=name)
    if row is not None and row.trouble and not row.may_try and not at_once:
        return Copied(0, 0, _waiting(context, name), row.trouble)
    return _copy(context, name, night=None, at_most_s=at_most_s, progress=progress)


def _copy(context: Context, name: str, *, night: date | None, at_most_s: float, progress: Progress | None) -> Copied:
    """Copy what is due, as the only one who does at this place. That another is at it is no trouble."""
    done: list[WantedCopy] = []
    try:
        with advisory_lock(context.ledger, LockedWork.COPIES, name, wait_s=0):
            trouble = _copy_batches(context, name, night, time.monotonic() + at_most_s, done, progress)
    except Busy:
        return Copied(0, 0, _waiting(context, name), "another process is copying")
    return Copied(len(done), sum(wanted.bytes for wanted in done), _waiting(context, name), trouble)


def _copy_batches(
    context: Context,
    name: str,
    night: date | None,
    deadline: float,
    done: list[WantedCopy],
    progress: Progress | None,
) -> str:
    """Copy batch after batch, and return what is in the way."""
    faults: list[_Made] = []
    began = copy_queries.now(context.ledger)  # what fails is not tried again before the next call
    try:
        in_use = use_place(context)
        assert in_use is not None  # it has a name
        while batch := _due(context, name, night, began) or _of_old_night(context, name, night, began):
            made = _copy_batch(context, in_use, batch)
            done += [one.wanted for one in made if one.fault is None]
            faults += [one for one in made if one.fault is not None]
            if progress:
                progress(len(done), sum(wanted.bytes for wanted in done))
            if time.monotonic() > deadline:
                break
        write_lists(context, in_use)
    except PlaceAway as error:
        note_trouble(context, name, str(error))
        return str(error)
    if not faults and not copy_queries.failing_copies(context.ledger, site=context.site.name, place=name, most=1):
        end_trouble(context, name)
        return ""
    if faults:
        first = faults[0]
        text = f"{len(faults)} files cannot be copied, the first: {first.wanted.source}: {first.fault}"
        note_trouble(context, name, text)
        return text
    return "some files could not be copied: `nightshift archive copies --list` names them"


def _due(context: Context, name: str, night: date | None, by: datetime) -> list[WantedCopy]:
    return copy_queries.due_copies(
        context.ledger, site=context.site.name, place=name, of_night=night, by=by, most=BATCH
    )


def _of_old_night(context: Context, name: str, night: date | None, by: datetime) -> list[WantedCopy]:
    """Want the files of the newest night that was archived before the place was used; return the first of them."""
    site = context.site.name
    while night is None and (old := copy_queries.night_to_queue(context.ledger, site=site, place=name)):
        _queue(context, old, name)
        if batch := _due(context, name, None, by):
            return batch
    return []


def _copy_batch(context: Context, in_use: PlaceInUse, batch: Sequence[WantedCopy]) -> list[_Made]:
    """Copy some files, several at once, and write into the ledger what became of them, all in one transaction."""
    read_at = copy_queries.now(context.ledger)
    with ThreadPoolExecutor(copy_policy(context).at_once, thread_name_prefix="copies") as pool:
        made = list(pool.map(lambda wanted: _copied(context, in_use.place, wanted), batch))
    in_use.check()  # before anything is believed: what was written may lie below a mount point
    _record(context, in_use.place.name, made, read_at)
    return made


def _copied(context: Context, place: CopyPlace, wanted: WantedCopy) -> _Made:
    return _Made(wanted, make_copy(place, wanted.night, context.depot.absolute(wanted.source), wanted))


def make_copy(place: CopyPlace, night: date, source: Path, wanted: WantedCopy) -> str | None:
    """Have a content at a place, and read it back.

    One that lies there whole already is read and not sent again.

    Returns
    -------
    str or None
        What is wrong; None where it was read back and found equal.
    """
    key = copy_key(night, wanted.sha256)
    if place.size(key) == wanted.bytes and _copy_fault(place, key, wanted) is None:
        return None
    try:
        place.write(key, hashed_chunks(chunks_of(source), wanted.sha256, wanted.bytes), wanted.bytes)
    except NotTheFile as error:
        return f"what is to be copied is not the file that the ledger knows: {error}"
    fault = _copy_fault(place, key, wanted)
    return fault and f"the copy does not read back as it was sent: {fault}"


def _copy_fault(place: CopyPlace, key: str, wanted: WantedCopy) -> str | None:
    return content_fault(lambda: place.read(key), wanted.sha256, wanted.bytes)


def _record(context: Context, name: str, made: Sequence[_Made], read_at: datetime) -> None:
    site = context.site.name
    good: dict[date, list[str]] = {}
    for one in made:
        if one.fault is None:
            good.setdefault(one.wanted.night, []).append(one.wanted.sha256)
    with context.ledger.transaction() as ledger:
        for night, sha256s in good.items():
            copy_queries.set_copied(ledger, site=site, night=night, place=name, sha256s=sha256s, read_at=read_at)
        for one in made:
            if one.fault is not None:
                copy_queries.set_not_copied(
                    ledger, site=site, night=one.wanted.night, place=name, sha256=one.wanted.sha256,
                    error=one.fault[:1000], first_s=FIRST_PAUSE_S, most_s=LONGEST_PAUSE_S,
                )  # fmt: skip


def copies_stand(context: Context) -> Stand | None:
    """Return how second copies of the only site in scope stand; None where the settings name no place."""
    name, site = name_of_place(copy_policy(context), context.depot), context.site.name
    if not name:
        return None
    place = copy_queries.place(context.ledger, site=site, place=name)
    waiting = copy_queries.waiting(context.ledger, site=site, place=name)
    failing = copy_queries.failing_copies(context.ledger, site=site, place=name, most=NAMED_MOST)
    lines = tuple(f"{row.night} {row.source}: {row.last_error} ({row.tries} tries)" for row in failing)
    size = (waiting.files, waiting.bytes) if waiting else (0, 0)
    return Stand(name, *size, place.trouble if place else "", lines)


def _waiting(context: Context, name: str) -> int:
    row = copy_queries.waiting(context.ledger, site=context.site.name, place=name)
    return row.files if row else 0
