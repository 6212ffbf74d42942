"""One file that arrived: what was held of it while it was looked at, and what became of it."""

import hashlib
import os
import stat
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path

from nightshift.ingest.naming import shown
from nightshift.keys import FrameKey
from nightshift.vocabulary import Disposition, Reason

__all__ = ["Arrival", "Known", "PhysicalFile", "look_at"]


@dataclass(frozen=True)
class Arrival:
    """What became of a file that arrived.

    Parameters
    ----------
    name : str
        As it may be shown.
    disposition : Disposition
    reason : Reason or None
        Why it was not registered.
    detail : str
    frame : FrameKey or None
        The raw frame that it is, or conflicts with, where that is known.
    night : date or None
    """

    name: str
    disposition: Disposition
    reason: Reason | None = None
    detail: str = ""
    frame: FrameKey | None = None
    night: date | None = None


@dataclass
class Known:
    """What is known so far of a file that is being looked at; it stays known when a later look fails."""

    night: date | None = None
    instrument: str | None = None
    exposure_id: str | None = None
    detector: int | None = None

    @property
    def frame(self) -> FrameKey | None:
        """The frame's key, where all of it is known."""
        if self.instrument is None or self.exposure_id is None or self.detector is None:
            return None
        return FrameKey(self.instrument, self.exposure_id, self.detector)


@dataclass(frozen=True)
class PhysicalFile:
    """One directory entry at one moment, with its content where it is a file that may be read.

    Parameters
    ----------
    path : Path
    status : os.stat_result
        Of the entry itself: a link is not followed.
    content : bytes or None
        None for what is no regular file, and for one that is too large to be one of ours.
    refused : str
        Why it may not be read, where that is so.
    known_key : str
        Its arrival's key, where that is not made of its content here.
    known_sha256 : str
        The checksum of its content, where somebody else has read it.
    """

    path: Path
    status: os.stat_result
    content: bytes | None
    refused: str = ""
    known_key: str = ""
    known_sha256: str = ""

    @property
    def name(self) -> str:
        """Its name, as it may be shown."""
        return shown(self.path.name)

    @property
    def regular(self) -> bool:
        """Whether it is a regular file."""
        return stat.S_ISREG(self.status.st_mode)

    @cached_property
    def sha256(self) -> str | None:
        """The checksum of its content, None where it was not read."""
        if self.known_sha256:
            return self.known_sha256
        return None if self.content is None else hashlib.sha256(self.content).hexdigest()

    @property
    def key(self) -> str:
        """Name, inode and time of change: one physical file, once, known before it is read."""
        if self.known_key:
            return self.known_key
        said = (os.fsencode(self.path.name), self.status.st_ino, self.status.st_ctime_ns)
        return hashlib.sha256(repr(said).encode()).hexdigest()[:40]

    def unchanged(self) -> bool:
        """Whether the same file, untouched since, still lies under its name."""
        try:
            now = self.path.lstat()
        except OSError:
            return False
        return _identity(now) == _identity(self.status)


def _identity(status: os.stat_result) -> tuple[int, ...]:
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def look_at(path: Path, most_bytes: int) -> PhysicalFile:
    """Read a directory entry. A file that is larger than `most_bytes` is not read.

    Raises
    ------
    FileNotFoundError
        If it is gone.
    OSError
        If it cannot be read.
    """
    status = path.lstat()
    if not stat.S_ISREG(status.st_mode) or status.st_size > most_bytes:
        return PhysicalFile(path, status, None)
    # no link is followed, and a pipe put in its place meanwhile is not waited for
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except PermissionError as error:
        return PhysicalFile(path, status, None, refused=f"it may not be read: {error.strerror}")
    with os.fdopen(descriptor, "rb") as stream:
        return PhysicalFile(path, os.fstat(stream.fileno()), stream.read(most_bytes + 1))
