"""A backup as it lies in a folder: the dump, and a manifest of JSON that says what is in it."""

import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from nightshift.errors import BadInput
from nightshift.files import sha256_of, write_json
from nightshift.vocabulary import Reason

__all__ = ["Backup", "Manifest", "backup_at", "backups_in", "name_of", "newest_good", "unfinished"]

FORMAT = "nightshift.ledger-backup/1"
NAME = re.compile(r"ledger_(?P<survey>[a-z0-9_]+)_(?P<taken>\d{8}T\d{6}Z)")
MANIFEST, DUMP = ".json", ".dump"
MOMENT = "%Y%m%dT%H%M%SZ"


def name_of(survey: str, taken_at: datetime) -> str:
    """Return the name of a backup, by whose ledger it is of and when."""
    return f"ledger_{survey}_{taken_at.astimezone(UTC):{MOMENT}}"


@dataclass(frozen=True)
class Manifest:
    """What a backup's manifest says of it.

    Parameters
    ----------
    survey : str
        Whose ledger it is, by its stamp.
    revision : str
        Of the ledger's schema.
    code_version : str
        Of the code that wrote the backup.
    taken_at : datetime
        When the snapshot was taken, which all of the dump is of.
    server_version : int
        Of the ledger's server, such as 160014.
    lsn : str
        The server's place in its log at that moment.
    newest_night : str
        ``site/YYYY-MM-DD`` and its state; empty where the ledger had no night.
    rows : dict of str to int
        Rows by table.
    checksums : dict of str to str
        Of the content of each table.
    fingerprint : str
        Of all tables together.
    bytes : int
        Size of the dump.
    database_bytes : int
        Size of the database that it is of.
    sha256 : str
        Of the dump.
    """

    survey: str
    revision: str
    code_version: str
    taken_at: datetime
    server_version: int
    lsn: str
    newest_night: str
    rows: dict[str, int]
    checksums: dict[str, str]
    fingerprint: str
    bytes: int
    database_bytes: int
    sha256: str

    def as_json(self) -> dict[str, Any]:
        """Return it as the file holds it."""
        return {"format": FORMAT, **asdict(self), "taken_at": self.taken_at.isoformat()}

    @classmethod
    def of_json(cls, table: Any) -> "Manifest":
        """Return what a file holds, or raise `ValueError`."""
        if not isinstance(table, dict) or table.get("format") != FORMAT:
            raise ValueError(f"its format is not {FORMAT}")
        known = {key: value for key, value in table.items() if key != "format"}
        try:
            manifest = cls(**known)
            manifest = replace(manifest, taken_at=datetime.fromisoformat(known["taken_at"]))
        except (TypeError, KeyError) as error:
            raise ValueError(f"its keys are not those of {FORMAT}: {error}") from error
        if manifest.taken_at.tzinfo is None or not isinstance(manifest.rows, dict):
            raise ValueError("its values are not those of a backup")
        return manifest


@dataclass(frozen=True)
class Backup:
    """One backup in a folder.

    Parameters
    ----------
    folder : Path
    name : str
        Of both files, without their ends.
    """

    folder: Path
    name: str

    @property
    def dump(self) -> Path:
        """The file of `pg_dump`."""
        return self.folder / f"{self.name}{DUMP}"

    @property
    def manifest_path(self) -> Path:
        """The manifest's file."""
        return self.folder / f"{self.name}{MANIFEST}"

    @property
    def taken_at(self) -> datetime:
        """When it was taken, as its name says."""
        match = NAME.fullmatch(self.name)
        assert match is not None  # it was found by that
        return datetime.strptime(match["taken"], MOMENT).replace(tzinfo=UTC)

    @property
    def taken_on(self) -> date:
        """The date (UTC) on which it was taken."""
        return self.taken_at.date()

    @cached_property
    def manifest(self) -> Manifest:
        """What its manifest says; `BadInput` where that does not read."""
        try:
            return Manifest.of_json(json.loads(self.manifest_path.read_bytes()))
        except (OSError, ValueError) as error:
            raise BadInput(Reason.CHECKSUM_MISMATCH, f"{self.manifest_path}: {error}") from error

    def fault(self) -> str:
        """Return what is wrong with the files, by name, or an empty text: every byte of the dump is read."""
        try:
            manifest = self.manifest
            size = self.dump.stat().st_size
            if size != manifest.bytes:
                return f"{self.dump} has {size} bytes, and its manifest says {manifest.bytes}"
            if sha256_of(self.dump) != manifest.sha256:
                return f"{self.dump} has another sha256 than its manifest says: its content has changed"
        except BadInput as error:
            return str(error)
        except OSError as error:
            return f"{self.dump}: {error.strerror}"
        return ""

    def write_manifest(self, manifest: Manifest) -> None:
        """Write the manifest, which makes it a backup."""
        write_json(self.manifest_path, manifest.as_json())

    def remove(self) -> None:
        """Remove both files, the manifest first: what is left after a kill is no backup."""
        self.manifest_path.unlink(missing_ok=True)
        self.dump.unlink(missing_ok=True)


def backups_in(folder: Path, survey: str) -> list[Backup]:
    """Return a survey's backups in a folder, the newest first; none where there is no folder."""
    names = (path.stem for path in _files(folder, MANIFEST, survey))
    return sorted((Backup(folder, name) for name in names), key=lambda backup: backup.taken_at, reverse=True)


def newest_good(folder: Path, survey: str) -> tuple[Backup | None, list[str]]:
    """Return the newest backup whose files are whole, and what is wrong with those that are newer."""
    faults: list[str] = []
    for backup in backups_in(folder, survey):
        if not (fault := backup.fault()):
            return backup, faults
        faults.append(fault)
    return None, faults


def unfinished(folder: Path, survey: str) -> list[Path]:
    """Return dumps without a manifest, and temporary files: what a backup that was killed left."""
    dumps = [path for path in _files(folder, DUMP, survey) if not path.with_suffix(MANIFEST).exists()]
    started = f".ledger_{survey}_"
    return dumps + [path for path in _entries(folder) if path.name.startswith(started) and path.suffix == ".tmp"]


def _files(folder: Path, ending: str, survey: str) -> Iterator[Path]:
    for path in _entries(folder):
        match = NAME.fullmatch(path.stem) if path.suffix == ending else None
        if match is not None and match["survey"] == survey:
            yield path


def _entries(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def backup_at(path: Path) -> Backup:
    """Return the backup that a file is of: its dump or its manifest.

    Raises
    ------
    BadInput
        If the path names none.
    """
    if path.suffix not in (MANIFEST, DUMP) or not NAME.fullmatch(path.stem):
        raise BadInput(
            Reason.NAME_NOT_RECOGNISED,
            f"{path} is no backup: name a file called ledger_<survey>_<time>.dump; `nightshift backup list` has them",
        )
    if not path.exists():
        raise BadInput(Reason.NEVER_ARRIVED, f"{path}: there is no such file")
    return Backup(path.parent.absolute(), path.stem)
