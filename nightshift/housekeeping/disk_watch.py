"""How full the disks are: sampled into the ledger, and said when one fills up."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from pathlib import Path

from nightshift.context import Context
from nightshift.housekeeping.disk_forecast import Forecast, forecast
from nightshift.ledger.queries import housekeeping as housekeeping_queries
from nightshift.ledger.queries.housekeeping import DiskSample
from nightshift.settings.retention import DiskPolicy
from nightshift.vocabulary import EventLevel

__all__ = ["DiskState", "disk_states", "here", "note_scratch", "sample_disks", "watch_disks"]

EVERY_S = 600.0  # between two samples of one disk
KEEP_DAYS = 400
OVER = 1.2  # times the bound, before it is said that a trouble has ended


@dataclass(frozen=True)
class DiskState:
    """How a disk stands, and how it goes on.

    Parameters
    ----------
    name, folder : str
    total_bytes, free_bytes : int
    forecast : Forecast
    """

    name: str
    folder: str
    total_bytes: int
    free_bytes: int
    forecast: Forecast

    @property
    def free(self) -> float:
        """The share of it that is free."""
        return self.free_bytes / self.total_bytes if self.total_bytes else 0.0

    def level(self, policy: DiskPolicy, *, times: float = 1.0) -> EventLevel | None:
        """Return how loud it is to be said that it fills up, None where it is not; by bounds that are so many times
        as strict.
        """
        days = self.forecast.days
        for level, least_days, least_free in (
            (EventLevel.PAGE, policy.page_days, policy.page_free),
            (EventLevel.WARNING, policy.warn_days, policy.warn_free),
        ):
            if self.free < least_free * times or (days is not None and days < least_days * times):
                return level
        return None

    def __str__(self) -> str:
        return (
            f"{self.name} ({self.folder}): {self.free_bytes / 1e9:.1f} of {self.total_bytes / 1e9:.1f} GB free "
            f"({self.free:.0%}), {self.forecast}"
        )


# --- samples ------------------------------------------------------------------------------------------------


def here(folder: Path) -> tuple[int, int] | None:
    """Return the bytes of a folder's disk, all and those free to this user; None where it is not there."""
    try:
        status = os.statvfs(folder)
    except OSError:
        return None
    return status.f_blocks * status.f_frsize, status.f_bavail * status.f_frsize


def sample_disks(context: Context) -> int:
    """Write down how full inbox, depot, archive, second copy and the ledger's disk are, and return how many are new.

    What is not there now is left out; that the night waits for it is said elsewhere (`nightshift.health`).
    """
    now, added = context.clock.now(), 0
    for name, folder in _disks(context):
        if found := here(folder):
            added += housekeeping_queries.put_sample(
                context.ledger, disk=name, now=now, folder=str(folder), total_bytes=found[0], free_bytes=found[1],
                every_s=EVERY_S,
            )  # fmt: skip
    housekeeping_queries.thin_samples(context.ledger, now=now, keep_days=KEEP_DAYS)
    return added


def _disks(context: Context) -> Iterator[tuple[str, Path]]:
    """Yield name and folder of each disk that is this machine's, or mounted on it."""
    yield "inbox", context.inbox
    yield "depot", context.depot.root
    yield "archive", context.depot.root / "archive"
    for row in housekeeping_queries.second_places(context.ledger, sites=[s.name for s in context.deployment.sites]):
        if row.place.startswith("/"):  # the others are stores, which have no end that could be seen
            yield "second_copy", Path(row.place)
    folder = housekeeping_queries.ledger_folder(context.ledger)
    if folder is not None and Path(folder).is_dir():  # of a server on another machine its own watch tells
        yield "ledger", Path(folder)


def note_scratch(context: Context, host: str, scratch: dict[str, str | int]) -> None:
    """Write down how full a node's disk of temporary files is, as a job found it."""
    if scratch and host:
        housekeeping_queries.put_sample(
            context.ledger, disk=f"scratch/{host}", now=context.clock.now(), folder=str(scratch["folder"]),
            total_bytes=int(scratch["total_bytes"]), free_bytes=int(scratch["free_bytes"]), every_s=EVERY_S,
        )  # fmt: skip


# --- states -------------------------------------------------------------------------------------------------


def disk_states(context: Context) -> list[DiskState]:
    """Return how each disk stands by its last sample; one that gave none for a week is left out."""
    now, policy = context.clock.now(), context.disk_policy
    since = now - timedelta(days=policy.nights)
    rows = housekeeping_queries.samples(context.ledger, since=since, now=now)
    states = [_state(list(of_disk)) for _, of_disk in groupby(rows, key=lambda row: row.name)]
    return [state for state, last in states if now - last < timedelta(days=7)]


def _state(samples: list[DiskSample]) -> tuple[DiskState, datetime]:
    last = samples[-1]
    same = [(row.sampled_at, row.free_bytes) for row in samples if row.total_bytes == last.total_bytes]
    found = forecast(same, total_bytes=last.total_bytes)
    return DiskState(last.name, last.folder, last.total_bytes, last.free_bytes, found), last.sampled_at


def watch_disks(context: Context) -> list[DiskState]:
    """Sample the disks, and say once of each that fills up, and once that it has room again.

    Returns
    -------
    list of DiskState
        All of them.
    """
    sample_disks(context)
    said = {row.name: row.level for row in housekeeping_queries.warned(context.ledger)}
    states = disk_states(context)
    for state in states:
        _say(context, state, said.get(state.name))
    return states


def _say(context: Context, state: DiskState, said: EventLevel | None) -> None:
    ledger, now = context.ledger, context.clock.now()
    level = state.level(context.disk_policy)
    if level is not None and said not in (level, EventLevel.PAGE):
        with ledger.transaction():
            housekeeping_queries.put_warning(ledger, disk=state.name, level=level)
            ledger.event(level, "disk_fills", f"{state}.", subject=state.name, night_time=now)
    elif said is not None and state.level(context.disk_policy, times=OVER) is None:
        with ledger.transaction():
            housekeeping_queries.delete_warning(ledger, disk=state.name)
            ledger.event(EventLevel.INFO, "disk_has_room", f"{state}.", subject=state.name, night_time=now)
