"""Take the digest of everything that a ledger and its depot hold."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from nightshift.digest.files import FOLDERS, consumer_members, folder_members, packet_members
from nightshift.digest.rows import TABLES, Members, fingerprint, table_members
from nightshift.files import write_json
from nightshift.ledger import Ledger

__all__ = ["Digest", "take_digest"]

FORMAT = 1


@dataclass(frozen=True)
class Digest:
    """What two runs of the same night must agree on.

    Parameters
    ----------
    classes : dict of str to Members
        Of each table (``table ...``), folder of the depot (``files ...``), of the packets and of what the consumer
        received: the hashes of the parts of every member, by its key.
    """

    classes: dict[str, Members]

    def lines(self) -> Iterator[tuple[str, int, str]]:
        """Yield name, number of members and digest of each class."""
        for name, members in self.classes.items():
            yield name, len(members), fingerprint(members)

    @property
    def whole(self) -> str:
        """The digest of all classes together."""
        return fingerprint(self.classes)

    def write(self, path: Path) -> None:
        """Write it, so that it can be compared later."""
        write_json(path, {"format": FORMAT, "digest": self.whole, "classes": self.classes})

    @classmethod
    def read(cls, path: Path) -> "Digest":
        """Read one that was written.

        Raises
        ------
        ValueError
            If the file is not a digest.
        """
        try:
            table = json.loads(path.read_text())
            classes = table["classes"] if table["format"] == FORMAT else None
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{path} is not a digest: {error!r}") from error
        if not isinstance(classes, dict):
            raise ValueError(f"{path} is a digest of another format")
        return cls(classes)


def take_digest(ledger: Ledger, depot: Path, received: Path | None = None) -> Digest:
    """Take the digest of a ledger and a depot that nobody writes to meanwhile.

    Parameters
    ----------
    ledger : Ledger
    depot : Path
    received : Path, optional
        The consumer's lines (``alerts.jsonl``).
    """
    classes: dict[str, Members] = {}
    with ledger.transaction():
        for table in TABLES:
            classes[f"table {table}"] = table_members(ledger, table)
        places = ledger.rows("digest", "packet_places")
    for folder in FOLDERS:
        classes[f"files {folder}"] = folder_members(depot, folder)
    classes["packets"] = packet_members(depot, places)
    if received is not None:
        classes["received by the consumer"] = consumer_members(received)
    return Digest(classes)
