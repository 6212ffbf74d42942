"""Read somebody's table, and its columns as numbers in the units that are wanted."""

import warnings
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from astropy import units
from astropy.table import Table

from nightshift.files import sha256_of
from nightshift.settings import SettingsError
from reduction.measure.catalogue import read_parquet

__all__ = ["CatalogueError", "UserTable", "read_table"]

FORMATS = {
    ".fits": "fits", ".fit": "fits", ".fits.gz": "fits",
    ".parquet": "parquet", ".pq": "parquet",
    ".csv": "ascii.csv", ".ecsv": "ascii.ecsv",
}  # fmt: skip


class CatalogueError(SettingsError):
    """A table cannot become a catalogue as it was asked for; the message names file, column and row."""


@dataclass(frozen=True)
class UserTable:
    """A table as it was read.

    Parameters
    ----------
    path : Path
    table : astropy.table.Table
    missing : tuple of float
        Numbers that stand for no value, such as -999.
    """

    path: Path
    table: Table
    missing: tuple[float, ...] = ()

    @cached_property
    def sha256(self) -> str:
        """The checksum of the file."""
        return sha256_of(self.path)

    def numbers(self, column: str, wanted: str, assumed: str) -> np.ndarray:
        """Return a column as float64 in a unit, NaN where it has no value.

        Parameters
        ----------
        column : str
        wanted : str
            The unit of what is returned.
        assumed : str
            The unit of a column that says none.

        Raises
        ------
        CatalogueError
            If there is no such column, a value is no number, or the unit is another kind of quantity.
        """
        if column not in self.table.colnames:
            raise CatalogueError(
                f"{self.path}: there is no column {column!r}; there are: {', '.join(self.table.colnames)}"
            )
        values = self._floats(column)
        for sentinel in self.missing:
            values[values == sentinel] = np.nan
        try:
            factor: float = self.unit(column, assumed).to(wanted)
        except units.UnitConversionError:
            told = self.table[column].unit
            raise CatalogueError(f"{self.path}: column {column!r} is in {told}, which is no {wanted}") from None
        return values * factor

    def unit(self, column: str, assumed: str) -> units.UnitBase:
        """Return the unit that a column says that it has, or the assumed one."""
        told = self.table[column].unit
        known = units.Unit(assumed) if told is None else units.Unit(told)
        return getattr(known, "function_unit", known)  # magnitudes of a named system are magnitudes

    def refuse_first(self, bad: np.ndarray, column: str, values: np.ndarray, complaint: str) -> None:
        """Raise with the first bad row, if there is one.

        Parameters
        ----------
        bad : ndarray of bool, one a row
        column : str
        values : ndarray
            What is shown of that row.
        complaint : str
            What is wrong, and what to do.
        """
        rows = np.flatnonzero(bad)
        if len(rows):
            more = f" ({len(rows)} rows are so)" if len(rows) > 1 else ""
            raise CatalogueError(
                f"{self.path}: column {column!r}, row {rows[0] + 1}: {_shown(values[rows[0]])} {complaint}{more}"
            )

    def _floats(self, column: str) -> np.ndarray:
        content = self.table[column]
        if content.ndim != 1:
            raise CatalogueError(f"{self.path}: column {column!r} has several values a row")
        missing = np.ma.getmaskarray(np.ma.asarray(content))
        if content.dtype.kind in "fiu":
            values = np.array(np.ma.filled(np.ma.asarray(content), 0), dtype=float)
        else:
            values = np.array([self._float(column, row, text, missing[row]) for row, text in enumerate(content)])
        values[missing] = np.nan
        return values

    def _float(self, column: str, row: int, text: object, is_missing: bool) -> float:
        text = text.decode(errors="replace") if isinstance(text, bytes) else text
        if is_missing or text is None or not str(text).strip():
            return np.nan
        try:
            return float(str(text))
        except ValueError:
            hint = "; sexagesimal places must be turned into degrees first" if ":" in str(text) else ""
            message = f"{self.path}: column {column!r}, row {row + 1}: {str(text)!r} is no number{hint}"
            raise CatalogueError(message) from None


def _shown(value: object) -> str:
    return f"{value:.10g}" if isinstance(value, float) else str(value)


def read_table(path: Path, missing: tuple[float, ...] = ()) -> UserTable:
    """Read a table of FITS, Parquet, CSV or ECSV, told by the end of its name.

    Raises
    ------
    CatalogueError
        If the name ends otherwise, or the file does not read as what its name says, or has no row.
    """
    name = path.name.lower()
    kind = next((kind for end, kind in FORMATS.items() if name.endswith(end)), None)
    if kind is None:
        raise CatalogueError(f"{path}: the name ends with none of {', '.join(FORMATS)}")
    if not path.is_file():
        raise CatalogueError(f"{path} is no file")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # units that astropy does not know: `UserTable.unit` says so
            table = read_parquet(path) if kind == "parquet" else Table.read(path, format=kind)
    except Exception as error:  # four readers, each with errors of its own; all mean the same here
        raise CatalogueError(f"{path} does not read as {kind.removeprefix('ascii.')}: {error}") from error
    if not len(table):
        raise CatalogueError(f"{path} has no row")
    return UserTable(path, table, missing)
