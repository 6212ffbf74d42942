"""The schema of the packets: five records, kept one a file and put together as one."""

from functools import cache
from pathlib import Path
from typing import Any, cast

from fastavro.schema import load_schema_ordered

__all__ = ["SCHEMA_VERSION", "alert_schema", "nullable", "record_fields"]

SCHEMA_VERSION = "4.02"
FOLDER = Path(__file__).with_name("schemas")
ORDER = ("cutout", "fp_hist", "prv_candidate", "candidate", "alert")  # what is named comes before who names it


@cache
def alert_schema() -> dict[str, Any]:
    """Return the schema of a packet, parsed, with every record inside it."""
    return _load(ORDER)


@cache
def record_fields(record: str) -> dict[str, str]:
    """Return the fields of ``candidate``, ``prv_candidate`` or ``fp_hist`` in order, each with its type.

    The type is the Avro name: ``int``, ``long``, ``float``, ``double``, ``string``; null is left out.
    """
    return {name: types[-1] if isinstance(types, list) else types for name, types in _types(record)}


@cache
def nullable(record: str) -> frozenset[str]:
    """Return the names of a record's fields that may be null."""
    return frozenset(name for name, types in _types(record) if isinstance(types, list))


def _types(record: str) -> list[tuple[str, Any]]:
    return [(field["name"], field["type"]) for field in _load((record,))["fields"]]


def _load(records: tuple[str, ...]) -> dict[str, Any]:
    parsed = load_schema_ordered([str(FOLDER / f"{name}.avsc") for name in records])
    return cast(dict[str, Any], parsed)
