"""Which files of the inbox are complete, by looking only."""

import contextlib
import os
import stat
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from nightshift.ingest.verify import SIDECAR
from nightshift.settings import Survey
from nightshift.settings.models import ExposurePolicy

__all__ = ["Seen", "complete_files", "may_be_taken"]

UNFINISHED = (".part", ".tmp")


class Seen(NamedTuple):
    """What the last look found under a name."""

    size: int
    modified_ns: int
    since: float  # by the machine's monotonic clock: unchanged since then


def complete_files(inbox: Path, memory: dict[str, Seen], *surveys: Survey) -> list[Path]:
    """Return what lies in the inbox and holds still, by name.

    A file is complete when its size and time of change have held still for ``exposure.stillness_s``. Links and other
    oddities count too, so that they are set aside with their reason. Checksums beside a file go with it; one
    without its file, and a folder, are given ``exposure.detectors_wait_s`` to be completed. Names that begin with a
    dot or end in .part or .tmp are somebody's unfinished business.

    Parameters
    ----------
    inbox : Path
    memory : dict
        What earlier looks saw; changed by the call. Start with an empty one.
    *surveys : Survey
        Of the instruments whose files come here; the most patient one's times hold for all.

    Returns
    -------
    list of Path

    Raises
    ------
    OSError
        If the inbox cannot be read; it may be mounted again later.
    """
    now, found = time.monotonic(), {}
    policies = [survey.exposure for survey in surveys]
    with os.scandir(inbox) as entries:
        for entry in entries:
            if may_be_taken(entry.name):
                with contextlib.suppress(FileNotFoundError):  # somebody took it meanwhile
                    found[entry.name] = entry.stat(follow_symlinks=False)
    for name in memory.keys() - found.keys():
        del memory[name]
    complete = []
    for name, status in sorted(found.items()):
        before = memory.get(name)
        if before is None or before[:2] != (status.st_size, status.st_mtime_ns):
            before = memory[name] = Seen(status.st_size, status.st_mtime_ns, now)
        wait_s = _wait_s(name, status, found, policies)
        if wait_s is not None and now - before.since >= wait_s:
            complete.append(inbox / name)
    return complete


def may_be_taken(name: str) -> bool:
    """Whether a name is not one of somebody's unfinished business."""
    return not name.startswith(".") and not name.endswith(UNFINISHED)


def _wait_s(
    name: str, status: os.stat_result, found: dict[str, os.stat_result], policies: Sequence[ExposurePolicy]
) -> float | None:
    """Return how long something must have held still; None where it goes with its file."""
    if name.endswith(SIDECAR) and name.removesuffix(SIDECAR) in found:
        return None
    if name.endswith(SIDECAR) or stat.S_ISDIR(status.st_mode):
        return max(policy.detectors_wait_s for policy in policies)
    return max(policy.stillness_s for policy in policies)
