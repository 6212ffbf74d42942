"""A place that keeps second copies: each is called by the checksum of its content.

So a copy is never written over by another content, whoever writes at the same time; files of the same content have
one; and whether a copy is good can be told from the place alone.
"""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from datetime import date
from pathlib import Path

from nightshift.errors import Retry
from nightshift.files import CHUNK
from nightshift.vocabulary import Reason

__all__ = ["CopyPlace", "Gone", "NotTheFile", "PlaceAway", "chunks_of", "content_fault", "copy_key", "hashed_chunks"]


class PlaceAway(Retry):
    """The place cannot be used now; the message says why and what to do."""

    def __init__(self, message: str):
        super().__init__(Reason.STORAGE_UNAVAILABLE, message)

    def __reduce__(self) -> tuple[type["PlaceAway"], tuple[object, ...]]:
        return type(self), (str(self),)


class Gone(Exception):
    """The place has no such object."""


class NotTheFile(Exception):
    """What was read is not the file that the ledger describes; the message says how it differs."""


class CopyPlace(ABC):
    """Where copies are kept.

    Every method raises `PlaceAway` where the place cannot be used now.

    Parameters
    ----------
    name : str
        As the ledger calls it: a folder, or ``s3://bucket/prefix``.
    """

    def __init__(self, name: str):
        self.name = name

    @abstractmethod
    def write(self, key: str, chunks: Iterable[bytes], size: int) -> None:
        """Let an object appear whole, in place of one that is there. Where `chunks` raises, nothing changes."""

    @abstractmethod
    def read(self, key: str) -> Iterator[bytes]:
        """Yield an object's content; `Gone` where there is none."""

    @abstractmethod
    def size(self, key: str) -> int | None:
        """Return how many bytes an object has, or None where there is none."""

    @abstractmethod
    def set_aside(self, key: str, aside: str) -> None:
        """Keep what an object holds under another key too; nothing where there is no such object."""

    @abstractmethod
    def remove(self, key: str) -> None:
        """Remove an object, where there is one."""


def copy_key(night: date, sha256: str) -> str:
    """Return the key of a content: the night's folder, and its checksum."""
    return f"{night:%Y/%m%d}/{sha256[:2]}/{sha256}"


def hashed_chunks(chunks: Iterable[bytes], sha256: str, size: int) -> Iterator[bytes]:
    """Yield chunks on, and raise `NotTheFile` at their end where they are not the content that they should be."""
    digest, read = hashlib.sha256(), 0
    for chunk in chunks:
        digest.update(chunk)
        read += len(chunk)
        yield chunk
    if fault := _difference(read, digest.hexdigest(), sha256, size):
        raise NotTheFile(fault)


def chunks_of(path: Path) -> Iterator[bytes]:
    """Yield a file's content; `NotTheFile` where it is gone or does not read."""
    try:
        with path.open("rb") as stream:
            while chunk := stream.read(CHUNK):
                yield chunk
    except FileNotFoundError:
        raise NotTheFile("it is gone") from None
    except OSError as error:
        raise NotTheFile(f"it does not read: {error.strerror}") from error


def content_fault(chunks: Callable[[], Iterable[bytes]], sha256: str, size: int) -> str | None:
    """Read a content and return what is wrong with it, or None.

    Parameters
    ----------
    chunks : callable
        Begins to read; may raise `Gone` or `NotTheFile`.
    sha256 : str
        That it should have, in hexadecimal.
    size : int
        In bytes.
    """
    try:
        for _ in hashed_chunks(chunks(), sha256, size):
            pass
    except Gone:
        return "it is gone"
    except NotTheFile as error:
        return str(error)
    return None


def _difference(read: int, found: str, sha256: str, size: int) -> str | None:
    if read != size:
        return f"it has {read} bytes, not {size}"
    return None if found == sha256 else "its content differs from its checksum"
