"""What a ledger holds, in a few characters a table: equal before a dump and after its restore."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

from nightshift.ledger import Ledger
from nightshift.ledger.queries import backup as backup_queries

__all__ = ["Contents", "contents_of", "differences"]


@dataclass(frozen=True)
class Contents:
    """Rows and a checksum of each table, whatever the order of the rows.

    Unlike the fingerprint of a night (`nightshift.fingerprint`) it leaves nothing out: a restored ledger is the same
    in every row and column, not only in what a night left.
    """

    rows: Mapping[str, int]
    checksums: Mapping[str, str]

    @property
    def fingerprint(self) -> str:
        """Of all tables together, in hexadecimal."""
        text = json.dumps([dict(self.rows), dict(self.checksums)], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


def contents_of(ledger: Ledger) -> Contents:
    """Read every row of a ledger's tables."""
    found = backup_queries.table_contents(ledger)
    return Contents({row.name: row.row_count for row in found}, {row.name: row.checksum for row in found})


def differences(wanted: Contents, found: Contents) -> list[str]:
    """Return in which tables two ledgers differ, a sentence each."""
    told = []
    for table in sorted({*wanted.rows, *found.rows}):
        before, after = wanted.rows.get(table), found.rows.get(table)
        if before != after:
            told.append(f"{table} has {_counted(after)} and had {_counted(before)}")
        elif wanted.checksums[table] != found.checksums[table]:
            told.append(f"{table} has as many rows as before, and not the same content")
    return told


def _counted(rows: int | None) -> str:
    return "is not there" if rows is None else f"{rows} rows"
