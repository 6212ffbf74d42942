"""The fields of a survey as a table beside its settings: for a grid of thousands, which nobody writes as TOML."""

import csv
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nightshift.settings.settings_error import SettingsError

__all__ = ["COLUMNS", "FORMATS", "read_fields", "with_fields_of_table"]

COLUMNS = ("id", "name", "ra_deg", "dec_deg", "radius_deg", "object_pattern", "catalogue")  # as in [[sky.fields]]
NEEDED = ("id", "ra_deg", "dec_deg")
FORMATS = (".csv", ".ecsv", ".parquet")


def read_fields(path: Path) -> list[dict[str, Any]]:
    """Read the fields of a table, as the tables ``[[sky.fields]]`` of TOML would be read.

    Parameters
    ----------
    path : Path
        CSV with a line of names, ECSV or Parquet. Columns are the keys of ``[[sky.fields]]``; an empty cell leaves
        the key out, and a field without a name is called by its id.

    Raises
    ------
    SettingsError
        If it does not read, lacks a column or has one that is none of the keys.
    """
    try:
        rows = _rows(path)
    except FileNotFoundError:
        raise SettingsError(f"{path} is not there; sky.fields_table in fields.toml names it") from None
    except Exception as error:  # three readers, each with errors of its own
        raise SettingsError(f"{path} does not read as a table of fields: {error}") from error
    if not rows:
        raise SettingsError(f"{path} has no row")
    names = list(rows[0])
    if unknown := [name for name in names if name not in COLUMNS]:
        raise SettingsError(
            f"{path}: {', '.join(map(repr, unknown))} is no column of a table of fields; there are "
            f"{', '.join(COLUMNS)}"
        )
    if lacking := [name for name in NEEDED if name not in names]:
        raise SettingsError(f"{path} has no column {', '.join(lacking)}")
    return [_field(row) for row in rows]


def _rows(path: Path) -> list[Mapping[str, Any]]:
    if path.suffix == ".csv":
        with path.open(newline="") as stream:
            return list(csv.DictReader(stream, strict=True))
    if path.suffix == ".parquet":
        from pyarrow import parquet

        rows: list[Mapping[str, Any]] = parquet.read_table(path).to_pylist()
        return rows
    from astropy.table import Table

    table = Table.read(path, format="ascii.ecsv")
    return [{name: table[name][k].item() for name in table.colnames} for k in range(len(table))]


def _field(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keys that a row has a value for."""
    given = {key: value for key, value in row.items() if not _empty(value)}
    given.setdefault("name", str(given.get("id", "")))
    return {**given, "name": str(given["name"])}


def _empty(value: Any) -> bool:
    return value is None or str(value).strip() == "" or (isinstance(value, float) and math.isnan(value))


def with_fields_of_table(tables: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Return a survey's tables with the fields of the table that they name, beside those that are written out.

    Parameters
    ----------
    tables : mapping
        As they were read from TOML.
    folder : Path
        Of the survey.
    """
    sky = tables.get("sky")
    name = sky.get("fields_table") if isinstance(sky, dict) else None
    if not isinstance(sky, dict) or not isinstance(name, str) or Path(name).name != name:
        return dict(tables)  # none, or one that the check of the settings refuses
    return {**tables, "sky": {**sky, "fields": [*sky.get("fields", []), *read_fields(folder / name)]}}
