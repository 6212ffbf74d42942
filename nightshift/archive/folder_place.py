"""Second copies in a folder: on another disk, or one that is mounted from elsewhere."""

import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from nightshift.archive.copy_place import CopyPlace, Gone, PlaceAway, chunks_of
from nightshift.files import new_file

__all__ = ["FolderPlace"]


class FolderPlace(CopyPlace):
    """A folder; files appear whole in it and are durable.

    Parameters
    ----------
    root : Path
        Absolute. It is made where the folder above it is there.
    """

    def __init__(self, root: Path):
        super().__init__(str(root))
        self.root = root

    def write(self, key: str, chunks: Iterable[bytes], size: int) -> None:
        """Let a file appear whole; see `CopyPlace.write`."""
        try:
            with new_file(self.root / key) as stream:
                for chunk in chunks:
                    stream.write(chunk)
        except OSError as error:
            raise self._away("cannot be written", error) from error

    def read(self, key: str) -> Iterator[bytes]:
        """Yield a file's content. One that does not read is damaged: `NotTheFile`."""
        path = self.root / key
        try:
            path.stat()
        except (FileNotFoundError, NotADirectoryError):
            raise Gone(key) from None
        except OSError as error:
            raise self._away("does not read", error) from error
        return chunks_of(path)

    def size(self, key: str) -> int | None:
        """Return how many bytes a file has, or None where there is none."""
        try:
            return (self.root / key).stat().st_size
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise self._away("does not read", error) from error

    def set_aside(self, key: str, aside: str) -> None:
        """Keep a file under another name too; on a file system without links, as far as it reads."""
        source, target = self.root / key, self.root / aside
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.exists() and not target.exists():
                try:
                    os.link(source, target)
                except OSError:
                    shutil.copyfile(source, target)
        except OSError as error:
            raise self._away("cannot be written", error) from error

    def remove(self, key: str) -> None:
        """Remove a file, where there is one."""
        try:
            (self.root / key).unlink(missing_ok=True)
        except OSError as error:
            raise self._away("cannot be written", error) from error

    def _away(self, what: str, error: OSError) -> PlaceAway:
        return PlaceAway(
            f"the folder of second copies {self.root} {what} ({error.strerror}): mount it, make it writable for this "
            "user, or free space on it"
        )
