"""The folder of a night in the archive, and what is told of it."""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from nightshift.context import Context
from nightshift.errors import NeedsOperator
from nightshift.ledger.queries import archive as archive_queries
from nightshift.ledger.queries import ledger as ledger_queries
from nightshift.ledger.queries.archive import ArchivedFile, Bag
from nightshift.night_end.night_rows import night_text
from nightshift.vocabulary import EventLevel, Reason

__all__ = ["CHECKSUMS", "Entry", "NightFolder", "has_size"]

CHECKSUMS = "SHA256SUMS"
MOST_TOLD = 10  # one by one: more at once are one trouble, such as a disk that is gone


@dataclass(frozen=True)
class Entry:
    """What the ledger is to say of a file that lies in the archive.

    Parameters
    ----------
    path : str
        Below the archive.
    kind, source, sha256 : str
    bytes : int
    """

    path: str
    kind: str
    source: str
    sha256: str
    bytes: int


@dataclass(frozen=True)
class NightFolder:
    """Where a night's bags are, and their rows in the ledger."""

    context: Context
    night: date

    @property
    def key(self) -> dict[str, Any]:
        """What the ledger knows the night by."""
        return {"site": self.context.site.name, "night": self.night}

    @property
    def root(self) -> Path:
        """The archive of all nights."""
        return self.context.depot.root / "archive"

    @property
    def path(self) -> Path:
        """The night's folder; where several sites have one of that date, it is below their names."""
        below = f"{self.context.site.name}/" if self.context.deployment.has_several_sites else ""
        return self.context.depot.archive(self.night, f"{below}{CHECKSUMS}").parent

    @property
    def below(self) -> str:
        """The same below the archive, as rows begin."""
        return self.path.relative_to(self.root).as_posix()

    @property
    def of_lock(self) -> str:
        """What locks in the ledger call it."""
        return f"{self.context.site.name}/{self.below}"

    @property
    def unfinished(self) -> Path:
        """The folder of what is not whole yet; see `no_leftovers`."""
        return self.path / ".unfinished"

    @contextmanager
    def no_leftovers(self) -> Iterator[None]:
        """Clear what a process left that was killed, and what this one leaves. One process a night may be inside."""
        shutil.rmtree(self.unfinished, ignore_errors=True)
        try:
            yield
        finally:
            shutil.rmtree(self.unfinished, ignore_errors=True)

    def rows(self) -> list[ArchivedFile]:
        """Return what the ledger knows of the night's archive."""
        return archive_queries.archived(self.context.ledger, **self.key)

    def bags(self) -> list[Bag]:
        """Return the versions of the night's bag, the last one last."""
        return archive_queries.bags(self.context.ledger, **self.key)

    def place_of(self, row: ArchivedFile) -> Path:
        """Return where a file of the archive lies."""
        return self.root / row.path

    def source(self, relative: str) -> Path:
        """Return where a file of the depot lies.

        Raises
        ------
        NeedsOperator
            INPUT_LOST, if a link leads out of the depot there.
        """
        try:
            return self.context.depot.absolute(relative)
        except ValueError as error:
            text = f"{error}: somebody put a link there. Restore the file from its copy and archive the night again."
            raise NeedsOperator(Reason.INPUT_LOST, text) from error

    def is_there(self, row: ArchivedFile) -> bool:
        """Return whether a file of the archive is there with its size; its content is not read."""
        return has_size(self.place_of(row), row.bytes)

    def enter(self, entries: Sequence[Entry]) -> int:
        """Write files of the archive into the ledger, all or none; return how many."""
        return archive_queries.put_archived(
            self.context.ledger, **self.key,
            paths=[entry.path for entry in entries], kinds=[entry.kind for entry in entries],
            sources=[entry.source for entry in entries], sha256s=[entry.sha256 for entry in entries],
            sizes=[entry.bytes for entry in entries],
        )  # fmt: skip

    def call(self, messages: Sequence[str]) -> None:
        """Call a human, once for each message, or once for all where there are many."""
        if len(messages) > MOST_TOLD:
            messages = [f"{len(messages)} files of the night: {messages[0]}"]
        subject = night_text(self.context.site, self.night)
        for message in messages:
            if not ledger_queries.event_said_so(
                self.context.ledger, kind="archive_fault", subject=subject, message=message
            ):
                self.context.ledger.event(
                    EventLevel.PAGE, "archive_fault", message, subject=subject, night_time=self.context.clock.now()
                )

    def say_that_it_is_good(self) -> None:
        """Tell whoever was called that nothing is wrong any more."""
        ledger, subject = self.context.ledger, night_text(self.context.site, self.night)
        if archive_queries.has_fault_told(ledger, subject=subject):
            text = f"The archive of the night {self.night} was read back, and nothing of it is missing or differs."
            ledger.event(EventLevel.INFO, "archive_good", text, subject=subject, night_time=self.context.clock.now())


def has_size(path: Path, size: int, *, if_gone: bool = False) -> bool:
    """Return whether a file is there and has so many bytes; `if_gone` where it is not there."""
    try:
        return path.lstat().st_size == size
    except (FileNotFoundError, NotADirectoryError):
        return if_gone
