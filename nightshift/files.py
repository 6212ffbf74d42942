"""Files appear whole: temporary name, fsync, rename, fsync of the folder."""

import errno
import hashlib
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

__all__ = ["copy_whole", "end_of", "new_file", "sha256_of", "write_and_read_back", "write_json", "write_whole"]

CHUNK = 1 << 20


@contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """Open a file that appears under its name only when the block ends without an error.

    Parameters
    ----------
    path : Path
        The final name. Its folder is made where it is missing.

    Yields
    ------
    BinaryIO
        The temporary file, open for writing and reading.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.parent / f".{path.name[:100]}.{secrets.token_hex(6)}.tmp"
    try:
        with temporary.open("x+b") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make the folder's entries durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_whole(path: Path, content: bytes) -> str:
    """Write a file so that it appears whole, and return the sha256 of its content in hexadecimal."""
    with new_file(path) as stream:
        stream.write(content)
    return hashlib.sha256(content).hexdigest()


def write_and_read_back(path: Path, content: bytes) -> None:
    """Write a file so that it appears whole, and read it back.

    Raises
    ------
    OSError
        EIO, if it does not read back as it was written.
    """
    with new_file(path) as stream:
        stream.write(content)
    if path.read_bytes() != content:
        raise OSError(errno.EIO, f"{path} does not read back as it was written")


def write_json(path: Path, value: Any) -> str:
    """Write JSON with sorted keys so that it appears whole, and return its sha256."""
    return write_whole(path, json.dumps(value, sort_keys=True, indent=1, allow_nan=False).encode() + b"\n")


def sha256_of(path: Path) -> str:
    """Return the sha256 of a file's content in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def copy_whole(source: Path, target: Path) -> tuple[str, int]:
    """Copy a file so that the copy appears whole; return the sha256 and the size of what was written.

    The link is not followed: a symbolic link raises `OSError`.
    """
    digest, size = hashlib.sha256(), 0
    descriptor = os.open(source, os.O_RDONLY | os.O_NOFOLLOW)
    with os.fdopen(descriptor, "rb") as reader, new_file(target) as writer:
        while chunk := reader.read(CHUNK):
            digest.update(chunk)
            size += len(chunk)
            writer.write(chunk)
    return digest.hexdigest(), size


def end_of(path: Path, most_bytes: int) -> str:
    """Return the last part of a text file, which may be a log that grows without bounds.

    Parameters
    ----------
    path : Path
    most_bytes : int
        Where the file has more, the first line says how many were left out.

    Raises
    ------
    OSError
        If it does not read.
    """
    with path.open("rb") as stream:
        left_out = max(0, stream.seek(0, os.SEEK_END) - most_bytes)
        stream.seek(left_out)
        text = stream.read(most_bytes).decode(errors="replace")
    return f"... {left_out} bytes before this are left out: {path}\n{text}" if left_out else text
