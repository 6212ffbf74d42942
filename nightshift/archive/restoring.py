"""A night is restored from its second copies alone: without ledger and depot, by its index at their place."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path, PurePosixPath
from typing import Any

from nightshift.archive.copy_lists import INDEX_SCHEMA, index_key
from nightshift.archive.copy_place import (
    CopyPlace,
    Gone,
    NotTheFile,
    chunks_of,
    content_fault,
    copy_key,
    hashed_chunks,
)
from nightshift.errors import BadInput, NeedsOperator
from nightshift.files import new_file
from nightshift.vocabulary import Reason

__all__ = ["IndexedCopy", "Restored", "night_index", "restore"]

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class IndexedCopy:
    """A file of a night as its index names it.

    Parameters
    ----------
    path : str
        Below the archive.
    sha256 : str
        In hexadecimal.
    bytes : int
    """

    path: str
    sha256: str
    bytes: int


@dataclass(frozen=True)
class Restored:
    """What was restored of a night.

    Parameters
    ----------
    files, bytes : int
        Restored and found equal, those included that were there already.
    faults : tuple of str
        What could not be restored, and why.
    """

    files: int
    bytes: int
    faults: tuple[str, ...]


def night_index(place: CopyPlace, site: str, night: date) -> list[IndexedCopy]:
    """Return the files of a night that a place of copies holds.

    Raises
    ------
    BadInput
        If the place has no index of the night.
    NeedsOperator
        If the index is damaged.
    PlaceAway
        If the place cannot be used now.
    """
    key = index_key(night, site)
    try:
        index: dict[str, Any] = json.loads(b"".join(place.read(key)))
        listed = json.dumps(index["files"], sort_keys=True).encode()
        if index["schema"] != INDEX_SCHEMA or hashlib.sha256(listed).hexdigest() != index["files_sha256"]:
            raise ValueError("its checksum or its form differs")
        files = [IndexedCopy(file["path"], file["sha256"], file["bytes"]) for file in index["files"]]
        for file in files:
            _check(file)
    except Gone:
        raise BadInput(
            Reason.INPUT_LOST, f"{place.name} has no {key}: the night of {night} at {site} was not copied there whole"
        ) from None
    except (ValueError, KeyError, TypeError, AttributeError, NotTheFile) as error:
        raise NeedsOperator(
            Reason.INPUT_LOST,
            f"{key} at {place.name} is damaged ({error}); the copies beside it may be good all the same",
        ) from error
    return files


def _check(file: IndexedCopy) -> None:
    path = PurePosixPath(file.path)
    if path.is_absolute() or ".." in path.parts or not path.name or "\0" in file.path:
        raise ValueError(f"the path {file.path!r} leaves the folder")
    if len(file.sha256) != 64 or not set(file.sha256) <= set("0123456789abcdef") or int(file.bytes) < 0:
        raise ValueError(f"no checksum or size of {file.path!r}")


def restore(place: CopyPlace, site: str, night: date, folder: Path, *, progress: Progress | None = None) -> Restored:
    """Restore a night's archive into a folder, each file under its path below the archive and checked.

    May run again: what is there and good is not read from the place again. A file that is there and differs stays,
    and is a fault: nothing is written over.

    Parameters
    ----------
    place : CopyPlace
    site : str
    night : date
    folder : Path
    progress : callable, optional
        Is told how many files, and bytes, were restored so far.
    """
    files, size, faults = 0, 0, []
    for file in night_index(place, site, night):
        fault = _restore(place, night, file, folder)
        if fault is not None:
            faults.append(f"{file.path}: {fault}")
            continue
        files, size = files + 1, size + file.bytes
        if progress:
            progress(files, size)
    return Restored(files, size, tuple(faults))


def _restore(place: CopyPlace, night: date, file: IndexedCopy, folder: Path) -> str | None:
    target = (folder / file.path).resolve()
    if not target.is_relative_to(folder.resolve()):
        return "a link in the folder leads out of it"
    if target.exists():
        fault = content_fault(lambda: chunks_of(target), file.sha256, file.bytes)
        return fault and f"another file is there ({fault}); move it away"
    try:
        with new_file(target) as stream:
            for chunk in hashed_chunks(place.read(copy_key(night, file.sha256)), file.sha256, file.bytes):
                stream.write(chunk)
    except Gone:
        return "its copy is gone"
    except NotTheFile as error:
        return f"its copy is damaged: {error}"
    return None
