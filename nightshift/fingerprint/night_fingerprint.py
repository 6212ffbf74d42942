"""Take the fingerprint of everything that a ledger and its depot hold."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from nightshift.files import write_json
from nightshift.fingerprint.file_fingerprints import FOLDERS, consumer_members, folder_members, packet_members
from nightshift.fingerprint.row_fingerprints import TABLES, Members, fingerprint, table_members
from nightshift.ledger import Ledger

__all__ = ["Fingerprint", "take_fingerprint"]

FORMAT = 1


@dataclass(frozen=True)
class Fingerprint:
    """What two runs of the same night must agree on.

    Parameters
    ----------
    classes : dict of str to Members
        Of each table (``table ...``), folder of the depot (``files ...``), of the packets and of what the consumer
        received: the hashes of the parts of every member, by its key.
    """

    classes: dict[str, Members]

    def lines(self) -> Iterator[tuple[str, int, str]]:
        """Yield name, number of members and fingerprint of each class."""
        for name, members in self.classes.items():
            yield name, len(members), fingerprint(members)

    @property
    def whole(self) -> str:
        """The fingerprint of all classes together."""
        return fingerprint(self.classes)

    def write(self, path: Path) -> None:
        """Write it, so that it can be compared later."""
        write_json(path, {"format": FORMAT, "fingerprint": self.whole, "classes": self.classes})

    @classmethod
    def read(cls, path: Path) -> "Fingerprint":
        """Read one that was written.

        Raises
        ------
        ValueError
            If the file is not a fingerprint.
        """
        try:
            table = json.loads(path.read_text())
            classes = table["classes"] if table["format"] == FORMAT else None
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{path} is not a fingerprint: {error!r}") from error
        if not isinstance(classes, dict):
            raise ValueError(f"{path} is a fingerprint of another format")
        return cls(classes)


def take_fingerprint(ledger: Ledger, depot: Path, received: Path | None = None) -> Fingerprint:
    """Take the fingerprint of a ledger and a depot that nobody writes to meanwhile.

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
        places = ledger.rows("fingerprint", "packet_places")
        deleted = {row["path"]: row["archived"] for row in ledger.rows("fingerprint", "deleted_places")}
    for folder in FOLDERS:
        classes[f"files {folder}"] = folder_members(depot, folder, deleted)
    classes["packets"] = packet_members(depot, places, deleted)
    if received is not None:
        classes["received by the consumer"] = consumer_members(received)
    return Fingerprint(classes)
