"""What leaves the mountain, and in which order: the files, the links and pipes, and what the manifest says."""

import hashlib
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from nightshift.files import write_whole

__all__ = ["AGAIN", "PlayOrder", "Transfer"]

AGAIN = "again"  # folder below the raw files for what is sent under a name that is taken


@dataclass(frozen=True)
class PlayOrder:
    """In which order a night's files are sent.

    Parameters
    ----------
    files : tuple of str
        Paths below the folder of the raw files, in the order of sending. The manifest follows them.
    after_manifest : tuple of str
        Sent while the night closes.
    after_closing : tuple of str
        Sent when it has closed.
    """

    files: tuple[str, ...]
    after_manifest: tuple[str, ...] = ()
    after_closing: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the plain table that lies beside the night as ``play.json``."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "PlayOrder":
        """Return the order that ``play.json`` holds."""
        return cls(*(tuple(value[name]) for name in ("files", "after_manifest", "after_closing")))


@dataclass
class Transfer:
    """A night's files on their way, open to faults.

    Parameters
    ----------
    raw : Path
        Folder of the raw files.
    manifest_name : str
        Of the night's manifest.
    entries : dict of str to dict
        The manifest's, by file name: name, bytes, sha256.
    order, after_manifest, after_closing : list of str
        See `PlayOrder`.
    random : numpy.random.Generator
        Of the fault that is at work.
    """

    raw: Path
    manifest_name: str
    entries: dict[str, dict[str, Any]]
    order: list[str]
    random: np.random.Generator
    after_manifest: list[str] = field(default_factory=list)
    after_closing: list[str] = field(default_factory=list)

    def content(self, name: str) -> bytes:
        """Return a file's bytes."""
        return (self.raw / name).read_bytes()

    def arrives_as(self, name: str, content: bytes) -> None:
        """Let a file arrive with other content than the manifest's."""
        write_whole(self.raw / name, content)

    def sent_as(self, name: str, content: bytes) -> None:
        """Let a file leave the mountain with other content, which the manifest knows."""
        sha256 = write_whole(self.raw / name, content)
        self.entries[name] = {"name": name, "bytes": len(content), "sha256": sha256}

    def add(self, place: str, content: bytes, *, before: str | None = None, after: str | None = None) -> None:
        """Send something that no manifest names, beside a file or, without one, last."""
        write_whole(self.raw / place, content)
        self.add_made(place, before=before, after=after)

    def add_made(self, place: str, *, before: str | None = None, after: str | None = None) -> None:
        """Send what was made already."""
        neighbour = before or after
        at = len(self.order) if neighbour is None else self.order.index(neighbour) + (after is not None)
        self.order.insert(at, place)

    def remove(self, name: str) -> None:
        """Let a file that the manifest names never be sent."""
        (self.raw / name).unlink()
        self.order.remove(name)

    def link(self, name: str, target: str) -> None:
        """Make a symbolic link and send it."""
        (self.raw / name).unlink(missing_ok=True)
        (self.raw / name).symlink_to(target)
        self.add_made(name)

    def pipe(self, name: str) -> None:
        """Make a named pipe and send it."""
        (self.raw / name).unlink(missing_ok=True)
        os.mkfifo(self.raw / name)
        self.add_made(name)

    def play_order(self) -> PlayOrder:
        """Return the order of sending."""
        return PlayOrder(tuple(self.order), tuple(self.after_manifest), tuple(self.after_closing))

    def other_sha256(self, name: str) -> str:
        """Return a checksum that is not a file's own."""
        return hashlib.sha256(b"another file than " + name.encode()).hexdigest()
