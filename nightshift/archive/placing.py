"""Files brought into the archive: linked where the file system allows it, copied and hashed in one read where not.

Nothing here is made durable file by file: `make_durable` does it for all that was placed before.
"""

import ctypes
import errno
import hashlib
import os
import secrets
import stat
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TypeVar

from nightshift.errors import NeedsOperator, Retry
from nightshift.files import sha256_of
from nightshift.vocabulary import Reason

__all__ = [
    "HashedStream", "Placed", "appearing", "in_batches", "in_threads", "is_same_file", "make_durable", "place",
    "writing_to",
]  # fmt: skip

CHUNK = 1 << 18  # bytes: it stays in the processor's cache between being read, hashed and written
BATCH_FILES, BATCH_BYTES = 2000, 1 << 32
LOST = (errno.ENOENT, errno.ENOTDIR)

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Placed:
    """What lies in the archive now."""

    sha256: str
    bytes: int


class HashedStream:
    """A stream that is hashed as it is written."""

    def __init__(self, stream: BinaryIO):
        self._stream = stream
        self._digest = hashlib.sha256()
        self._bytes = 0

    def write(self, content: bytes | memoryview) -> int:
        """Write and hash."""
        self._digest.update(content)
        self._bytes += len(content)
        return self._stream.write(content)

    def tell(self) -> int:
        """Return how many bytes were written."""
        return self._bytes

    @property
    def written(self) -> Placed:
        """What was written up to now."""
        return Placed(self._digest.hexdigest(), self._bytes)


def place(
    source: Path, target: Path, unfinished: Path, *, sha256: str | None = None, size: int | None = None
) -> Placed:
    """Let a file appear in the archive whole, in place of what has its name there.

    Parameters
    ----------
    source, target : Path
    unfinished : Path
        A folder of the target's file system for what is not whole yet.
    sha256, size : str, int, optional
        What the source must have. A copy is compared as it is made; a link is compared when it is read back.

    Raises
    ------
    NeedsOperator
        INPUT_LOST, if the source is gone, does not read, or is not what it was.
    OSError
        If the archive does not take it.
    """
    found = _size_of(source)
    if size is not None and found != size:
        raise _differs(source, f"it has {found} bytes, not {size}")
    target.parent.mkdir(parents=True, exist_ok=True)
    if _linked(source, target, unfinished):
        return Placed(sha256 or _hashed(source), found)
    with appearing(target, unfinished) as stream:
        for chunk in _chunks(source):
            stream.write(chunk)
        copied = stream.written
        if sha256 is not None and copied.sha256 != sha256:
            raise _differs(source, "its content differs from its checksum")
    return copied


def is_same_file(one: Path, other: Path) -> bool:
    """Return whether both are there and names of the same file."""
    try:
        return os.path.samestat(one.lstat(), other.lstat())
    except FileNotFoundError:
        return False


def make_durable(folder: Path) -> None:
    """Return when all that was written to the file system of a folder is on its disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        if _libc.syncfs(descriptor):
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code), str(folder))
    finally:
        os.close(descriptor)


_libc = ctypes.CDLL(None, use_errno=True)  # Python has no syncfs of its own; a call lets other threads run


def in_threads(
    work: Callable[[Item], Result], items: Iterable[Item], threads: int | None
) -> Iterator[tuple[Item, Result | NeedsOperator]]:
    """Do work on each item, several at a time, and yield in their order what came of it, or what a human must mend.

    Parameters
    ----------
    work : callable
        Reads, hashes and copies: it lets other threads run meanwhile.
    items : iterable
    threads : int or None
        At most; None: one a core that this process may use.
    """
    with ThreadPoolExecutor(threads or len(os.sched_getaffinity(0)), thread_name_prefix="archive") as pool:
        waiting = [(item, pool.submit(work, item)) for item in items]
        try:
            for item, future in waiting:
                try:
                    yield item, future.result()
                except NeedsOperator as error:
                    yield item, error
        finally:
            pool.shutdown(cancel_futures=True)


def in_batches(items: Iterable[Item], size_of: Callable[[Item], int]) -> Iterator[list[Item]]:
    """Yield items in lists of what one transaction holds: as much is done again after a kill."""
    batch: list[Item] = []
    size = 0
    for item in items:
        batch.append(item)
        size += size_of(item)
        if len(batch) >= BATCH_FILES or size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


@contextmanager
def writing_to(folder: Path) -> Iterator[None]:
    """Say of an error that comes from the disk of the archive what it is and what to do.

    Raises
    ------
    Retry
        STORAGE_UNAVAILABLE.
    """
    try:
        yield
    except OSError as error:
        raise Retry(
            Reason.STORAGE_UNAVAILABLE,
            f"the archive {folder} does not take what belongs there: {error.strerror or error}. Make room or mount "
            "it; what is in it stays, and archiving the night again goes on from there",
        ) from error


def _size_of(source: Path) -> int:
    try:
        status = source.lstat()
    except OSError as error:
        raise _unreadable(source, error) from error
    if not stat.S_ISREG(status.st_mode):
        raise _differs(source, "it is no file")
    return status.st_size


def _linked(source: Path, target: Path, unfinished: Path) -> bool:
    """Give the file its name in the archive; return False where only a copy can have it."""
    try:
        os.link(source, target, follow_symlinks=False)
    except FileExistsError:
        if is_same_file(source, target):
            return True
        return _linked_over(source, target, unfinished)
    except OSError:  # another file system, or one without links; a copy says what else is wrong
        return False
    return True


def _linked_over(source: Path, target: Path, unfinished: Path) -> bool:
    """Put a link in the place of a file that is damaged, or that nobody entered into the ledger before a kill."""
    temporary = _temporary(unfinished)
    try:
        os.link(source, temporary, follow_symlinks=False)
        temporary.replace(target)
    except OSError:
        temporary.unlink(missing_ok=True)
        return False
    return True


@contextmanager
def appearing(target: Path, unfinished: Path) -> Iterator[HashedStream]:
    """Open a file that appears under its name, in place of another one, only when the block ends without an error.

    Parameters
    ----------
    target : Path
        In a folder that is there.
    unfinished : Path
        A folder of the same file system.
    """
    temporary = _temporary(unfinished)
    try:
        with temporary.open("xb") as stream:
            yield HashedStream(stream)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def _temporary(unfinished: Path) -> Path:
    unfinished.mkdir(parents=True, exist_ok=True)
    return unfinished / secrets.token_hex(8)


def _chunks(source: Path) -> Iterator[memoryview]:
    buffer = bytearray(CHUNK)
    whole = memoryview(buffer)
    try:
        descriptor = os.open(source, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError as error:
        raise _unreadable(source, error) from error
    with os.fdopen(descriptor, "rb", buffering=0) as reader:
        while True:
            try:
                count = reader.readinto(buffer)
            except OSError as error:
                raise _unreadable(source, error) from error
            if not count:
                return
            yield whole[:count]


def _hashed(source: Path) -> str:
    try:
        return sha256_of(source)
    except OSError as error:
        raise _unreadable(source, error) from error


def _unreadable(source: Path, error: OSError) -> NeedsOperator:
    why = "it is not there" if error.errno in LOST else f"it does not read ({error.strerror})"
    return _differs(source, why)


def _differs(source: Path, why: str) -> NeedsOperator:
    return NeedsOperator(Reason.INPUT_LOST, f"{source}: {why}. Restore it from its copy and archive the night again.")
