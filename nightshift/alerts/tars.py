"""Tars whose bytes follow from their members alone, and members that are found again by offset."""

import hashlib
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from nightshift.errors import NeedsOperator
from nightshift.files import new_file, sha256_of
from nightshift.vocabulary import Reason

__all__ = ["Member", "read_member", "read_stamps", "write_members", "write_tar"]

BLOCK = tarfile.BLOCKSIZE


class Writable(Protocol):
    """What a tar is written to."""

    def write(self, content: bytes, /) -> int:
        """Write all of it."""
        ...

    def tell(self) -> int:
        """Return how many bytes were written before."""
        ...


@dataclass(frozen=True)
class Member:
    """Where a member's content lies in its tar."""

    offset: int
    bytes: int
    sha256: str


def write_tar(path: Path, members: Iterable[tuple[str, bytes]]) -> list[Member]:
    """Write a tar that appears whole, and return where each member lies.

    Times, owners and modes are fixed: the same members give the same bytes.

    Parameters
    ----------
    path : Path
    members : iterable of (name, content)
        Names of at most 100 ASCII characters.
    """
    with new_file(path) as stream:
        return write_members(stream, members)


def write_members(stream: Writable, members: Iterable[tuple[str, bytes]]) -> list[Member]:
    """Write a tar to a stream, as `write_tar` does to a file."""
    places = []
    for name, content in members:
        info = tarfile.TarInfo(name)
        info.size, info.mode = len(content), 0o644
        stream.write(info.tobuf(tarfile.USTAR_FORMAT))
        places.append(Member(stream.tell(), len(content), hashlib.sha256(content).hexdigest()))
        stream.write(content + bytes(-len(content) % BLOCK))
    stream.write(bytes(2 * BLOCK))
    return places


def read_member(path: Path, place: Member) -> bytes:
    """Return a member's content.

    Raises
    ------
    OSError
        If the tar cannot be read now.
    NeedsOperator
        If the bytes are not those that were written.
    """
    with path.open("rb") as stream:
        stream.seek(place.offset)
        content = stream.read(place.bytes)
    if hashlib.sha256(content).hexdigest() != place.sha256:
        raise NeedsOperator(
            Reason.INPUT_LOST,
            f"{path} at {place.offset}: the {place.bytes} bytes there have not the checksum of the ledger; "
            "restore the file from its copy",
        )
    return content


def read_stamps(path: Path, sha256: str) -> dict[int, dict[str, bytes]]:
    """Return the stamps that a node cut out, by candidate number and kind.

    Parameters
    ----------
    path : Path
        A tar with members ``<number>_<kind>.fits.gz``.
    sha256 : str
        Of the tar.

    Raises
    ------
    NeedsOperator
        If the tar is not there or not what was made.
    """
    try:
        if sha256_of(path) != sha256:
            raise NeedsOperator(Reason.INPUT_LOST, f"{path} has not the checksum of the ledger: make the unit again")
        stamps: dict[int, dict[str, bytes]] = {}
        with tarfile.open(path, "r:") as tar:
            for info in tar:
                number, kind = info.name.removesuffix(".fits.gz").split("_", 1)
                content = tar.extractfile(info)
                if content is not None:
                    stamps.setdefault(int(number), {})[kind] = content.read()
    except (OSError, tarfile.TarError, ValueError) as error:
        raise NeedsOperator(Reason.INPUT_LOST, f"the stamps {path} do not read: {error}") from error
    return stamps
