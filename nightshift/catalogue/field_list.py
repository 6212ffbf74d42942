"""From a published list of a survey's fields to the table that its settings read."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.table import Table

from nightshift.catalogue.star_table import FORMATS, CatalogueError, UserTable, read_table
from nightshift.files import write_whole

__all__ = ["ROLES", "FieldList", "read_list"]

ROLES = ("id", "ra_deg", "dec_deg", "name")


@dataclass(frozen=True)
class FieldList:
    """Fields as a list has them.

    Parameters
    ----------
    ids : ndarray of int
    ra_deg, dec_deg : ndarray of float
        ICRS.
    names : sequence of str
        The id where the list has no names.
    """

    ids: np.ndarray
    ra_deg: np.ndarray
    dec_deg: np.ndarray
    names: Sequence[str]

    def write(self, path: Path) -> None:
        """Write the table that ``sky.fields_table`` names, whole."""
        stream = io.StringIO()
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(("id", "name", "ra_deg", "dec_deg"))
        for row in zip(self.ids.tolist(), self.names, self.ra_deg.tolist(), self.dec_deg.tolist(), strict=True):
            writer.writerow(row)
        write_whole(path, stream.getvalue().encode())


def read_list(path: Path, columns: Mapping[str, str]) -> FieldList:
    """Read a list of fields: FITS, Parquet, CSV, ECSV, or text whose columns are set apart by blanks.

    Parameters
    ----------
    path : Path
    columns : mapping of str to str
        Column by role (`ROLES`): its name, or its number from 1 where the list has no names.

    Raises
    ------
    CatalogueError
        If it does not read, a column is not there, or a value is no field's; the message names column and row.
    """
    table = read_table(path) if path.name.lower().endswith(tuple(FORMATS)) else _text_table(path)
    if unknown := sorted(set(columns) - set(ROLES)):
        raise CatalogueError(f"there is no role {', '.join(unknown)} for a column; there are {', '.join(ROLES)}")
    found = {role: _column(table, role, columns.get(role, role)) for role in ROLES[:3]}
    ids = table.numbers(found["id"], "", "")
    table.refuse_first(
        ~(np.isfinite(ids) & (ids == np.rint(ids)) & (ids >= 0)), found["id"], ids, "is no id of a field"
    )
    ra, dec = (table.numbers(found[role], "deg", "deg") for role in ("ra_deg", "dec_deg"))
    table.refuse_first(~((ra >= 0) & (ra < 360)), found["ra_deg"], ra, "is no right ascension in degrees")
    table.refuse_first(~((dec >= -90) & (dec <= 90)), found["dec_deg"], dec, "is no declination in degrees")
    whole = ids.astype(np.int64)
    numbers, counts = np.unique(whole, return_counts=True)
    if (counts > 1).any():
        raise CatalogueError(f"{path}: field {numbers[counts > 1][0]} stands twice")
    names = [str(number) for number in whole]
    if "name" in columns:
        names = [str(value) for value in table.table[_column(table, "name", columns["name"])]]
    return FieldList(whole, ra, dec, names)


def _text_table(path: Path) -> UserTable:
    """Read columns set apart by blanks; a first line that holds no numbers is left out, as are comments (# and %)."""
    if not path.is_file():
        raise CatalogueError(f"{path} is no file")
    rows = [line.split() for line in path.read_text(errors="replace").splitlines() if not line.startswith(("#", "%"))]
    rows = [row for row in rows if row]
    if rows and not _is_number(rows[0][0]):
        rows = rows[1:]
    if not rows:
        raise CatalogueError(f"{path} has no row")
    width = min(map(len, rows))
    return UserTable(path, Table({str(k + 1): [row[k] for row in rows] for k in range(width)}))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _column(table: UserTable, role: str, name: str) -> str:
    names: list[str] = table.table.colnames
    if name in names:
        return name
    if name.isdecimal() and 1 <= int(name) <= len(names):
        return names[int(name) - 1]
    raise CatalogueError(
        f"{table.path}: there is no column {name!r} for {role}; there are: {', '.join(names)}. Say --column "
        f"{role}=NAME, or its number from 1"
    )
