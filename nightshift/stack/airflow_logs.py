"""Airflow keeps a file of each task that ever ran: those of long ago leave, as its metadata do."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = ["VARIABLE", "PrunedLogs", "logs_folder", "prune_logs"]

VARIABLE = "AIRFLOW__LOGGING__BASE_LOG_FOLDER"
DAY_S = 86400.0


@dataclass(frozen=True)
class PrunedLogs:
    """What was removed of Airflow's logs, or would be.

    Parameters
    ----------
    files, bytes : int
    """

    files: int
    bytes: int

    def __str__(self) -> str:
        return f"{self.files} log files, {self.bytes / 1e6:.1f} MB"


def logs_folder() -> Path | None:
    """Return the folder of Airflow's logs; None where this process is not told."""
    place = os.environ.get(VARIABLE)
    return Path(place) if place else None


def prune_logs(folder: Path, *, older_than_days: float, dry_run: bool = False) -> PrunedLogs:
    """Remove log files that were last written so many days before the newest one, and folders that are empty then.

    The newest file tells what time it is: a clock that leaps removes nothing.

    Parameters
    ----------
    folder : Path
    older_than_days : float
    dry_run : bool
        Count only.
    """
    found = [(path, path.lstat()) for path in _files(folder)]
    newest = max((status.st_mtime for _, status in found), default=0.0)
    old = [(path, status.st_size) for path, status in found if status.st_mtime < newest - older_than_days * DAY_S]
    for path, _ in () if dry_run else old:
        path.unlink(missing_ok=True)
    if not dry_run:
        _remove_empty(folder)
    return PrunedLogs(len(old), sum(size for _, size in old))


def _files(folder: Path) -> Iterator[Path]:
    """Yield the plain files below a folder; links are not followed."""
    for place, _, names in os.walk(folder):
        yield from (Path(place) / name for name in names if not (Path(place) / name).is_symlink())


def _remove_empty(folder: Path) -> None:
    for place, _, _ in os.walk(folder, topdown=False):
        if Path(place) != folder:
            try:
                Path(place).rmdir()
            except OSError:  # something lies in it, or was written just now
                continue
