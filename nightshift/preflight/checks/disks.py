"""Whether the disks have room for the night."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from nightshift.health import Storage
from nightshift.night_plan.plan_tables import size
from nightshift.preflight.check import Afternoon, Finding, check, green, red, unknown, worst, yellow

__all__ = ["check_disks"]


@dataclass(frozen=True)
class _Disk:
    """A file system, the folders of the night on it, and what the night puts there."""

    names: tuple[str, ...]
    free_bytes: float
    taken_bytes: float


@check("disks", "Disks")
def check_disks(afternoon: Afternoon) -> Finding:
    """Compare the free room of inbox, depot and archive with what the night will take."""
    folders = _folders(afternoon)
    broken = [text for name, folder in folders.items() if (text := Storage(name, folder).trouble(0)) is not None]
    if broken:
        return red("; ".join(broken), "Do what it says; the night waits until then.")
    if afternoon.plan is None:
        return unknown("What the night takes is not known: it has no plan.", "See why: nightshift plan.")
    return worst(_judged(afternoon, disk) for disk in _disks(afternoon, folders))


def _folders(afternoon: Afternoon) -> dict[str, Path]:
    depot = afternoon.context.depot.root
    archive = depot / "archive"
    folders = {"depot": depot, "inbox": afternoon.context.inbox}
    return folders | ({"archive": archive} if archive.exists() else {})


def _disks(afternoon: Afternoon, folders: dict[str, Path]) -> Iterator[_Disk]:
    """Yield the file systems. What is moved or linked within one takes its room once."""
    assert afternoon.plan is not None
    room = afternoon.plan.room
    takes = {"depot": room.bytes, "archive": room.bytes, "inbox": room.raw_bytes}
    by_device: dict[int, list[str]] = {}
    for name, folder in folders.items():
        by_device.setdefault(folder.stat().st_dev, []).append(name)
    for names in by_device.values():
        status = os.statvfs(folders[names[0]])
        yield _Disk(tuple(names), status.f_bavail * status.f_frsize, max(takes[name] for name in names))


def _judged(afternoon: Afternoon, disk: _Disk) -> Finding:
    least = afternoon.context.storage_policy.least_free_mb * 1e6
    names = " and ".join(disk.names)
    guess = " (a guess)" if afternoon.plan is not None and afternoon.plan.room.is_guess else ""
    sentence = f"{size(disk.free_bytes)} free for {names}; the night takes {size(disk.taken_bytes)}{guess}"
    free_gb, unit = round(disk.free_bytes / 1e9, 2), "GB free"
    if disk.free_bytes < disk.taken_bytes + least:
        return red(sentence, f"Free some room for {names} before the night.", number=free_gb, unit=unit)
    if disk.free_bytes < afternoon.policy.room_factor * disk.taken_bytes + least:
        return yellow(sentence, f"Free some room for {names} soon.", number=free_gb, unit=unit)
    return green(sentence, number=free_gb, unit=unit)
