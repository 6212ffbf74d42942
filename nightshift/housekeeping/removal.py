"""Removing a file below a folder, and nothing else: no link is followed, no path climbs."""

import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

__all__ = ["NotRemoved", "disk_use", "remove_empty_folders", "remove_file", "remove_folder"]


class NotRemoved(Exception):
    """What the ledger names is not a file or folder that may be removed; the text says why."""


def remove_file(root: Path, relative: str, *, size: int) -> int:
    """Remove one file below a folder.

    Parameters
    ----------
    root : Path
    relative : str
        Its place as the ledger has it.
    size : int
        In bytes; a file of another size is not the one that is meant.

    Returns
    -------
    int
        Bytes that became free: none where it was gone already, or has another name in the archive.

    Raises
    ------
    NotRemoved
        If the path climbs or leads through a link, or what is there is no file of that size.
    OSError
        If the disk does not do it.
    """
    with _folder_of(root, relative) as (folder, name):
        found = _look_at(folder, name)
        if folder is None or found is None:
            return 0
        if not stat.S_ISREG(found.st_mode):
            raise NotRemoved(f"{relative} is no plain file")
        if found.st_size != size:
            raise NotRemoved(f"{relative} has {found.st_size} bytes, and the ledger says {size}")
        os.unlink(name, dir_fd=folder)
        os.fsync(folder)
        return found.st_size if found.st_nlink == 1 else 0


def remove_folder(root: Path, relative: str) -> int:
    """Remove a folder below another with all that is in it, and return the bytes that became free.

    Raises
    ------
    NotRemoved
        If the path climbs or leads through a link, or what is there is no folder.
    OSError
        If the disk does not do it.
    """
    with _folder_of(root, relative) as (folder, name):
        found = _look_at(folder, name)
        if folder is None or found is None:
            return 0
        if not stat.S_ISDIR(found.st_mode):
            raise NotRemoved(f"{relative} is no folder")
        size = disk_use(root / relative)
        shutil.rmtree(name, dir_fd=folder)  # follows no link on a system that has dir_fd
        os.fsync(folder)
        return size


def remove_empty_folders(root: Path, relative: str) -> None:
    """Remove the folder that a path lies in where nothing is left in it, and so on upwards to the second level."""
    path = PurePosixPath(relative).parent
    while len(path.parts) > 1:
        with _folder_of(root, str(path)) as (folder, name):
            if folder is None:
                return
            try:
                os.rmdir(name, dir_fd=folder)
            except OSError:  # something lies in it, or it is gone: either way there is nothing to do
                return
        path = path.parent


def disk_use(folder: Path) -> int:
    """Return the bytes of all files below a folder that have no other name; links are not followed."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            found = (Path(place) / name).lstat()
            total += found.st_size if found.st_nlink == 1 else 0
    return total


def _look_at(folder: int | None, name: str) -> os.stat_result | None:
    """Return what lies in a folder under a name; None where it, or the folder, is gone."""
    try:
        return None if folder is None else os.lstat(name, dir_fd=folder)
    except FileNotFoundError:
        return None


@contextmanager
def _folder_of(root: Path, relative: str) -> Iterator[tuple[int | None, str]]:
    """Open the folder that a path lies in, step by step; None where a folder on the way is gone."""
    path = PurePosixPath(relative)
    if path.is_absolute() or not path.parts or ".." in path.parts or len(path.parts) < 2:
        raise NotRemoved(f"{relative!r} is no path below a folder of the depot")
    opened = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for part in path.parts[:-1]:
            try:
                inner = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=opened)
            except FileNotFoundError:
                yield None, path.name
                return
            except OSError as error:
                raise NotRemoved(f"{relative} leads through {part}, which is no folder: {error.strerror}") from error
            os.close(opened)
            opened = inner
        yield opened, path.name
    finally:
        os.close(opened)
