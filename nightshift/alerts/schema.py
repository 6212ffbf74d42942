"""The schema of the packets: five records, kept one a file and put together as one."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, cast

import numpy as np
from fastavro.schema import load_schema_ordered

__all__ = ["SCHEMA_VERSION", "alert_schema", "in_single_precision", "nullable", "record_fields", "single_fields"]

SCHEMA_VERSION = "4.02"
FOLDER = Path(__file__).with_name("schemas")
ORDER = ("cutout", "fp_hist", "prv_candidate", "candidate", "alert")  # what is named comes before who names it
KEYS = ("type", "name", "namespace", "fields", "doc")  # of a schema, in the order in which every process writes them


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
def single_fields() -> frozenset[str]:
    """Return the names of a candidate's fields that packets hold in single precision."""
    return frozenset(name for name, kind in record_fields("candidate").items() if kind == "float")


def in_single_precision(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return a candidate's record with its numbers as packets hold them: each single one in its fewest digits."""
    single = single_fields()
    return {
        name: float(str(np.float32(value))) if name in single and isinstance(value, float) else value
        for name, value in record.items()
    }


@cache
def nullable(record: str) -> frozenset[str]:
    """Return the names of a record's fields that may be null."""
    return frozenset(name for name, types in _types(record) if isinstance(types, list))


def _types(record: str) -> list[tuple[str, Any]]:
    return [(field["name"], field["type"]) for field in _load((record,))["fields"]]


def _load(records: tuple[str, ...]) -> dict[str, Any]:
    parsed = load_schema_ordered([str(FOLDER / f"{name}.avsc") for name in records])
    return cast(dict[str, Any], _in_order(parsed))


def _in_order(value: Any) -> Any:
    """Return a schema with its keys in one order: the parser leaves them in one of each process."""
    if isinstance(value, dict):
        places = {key: (KEYS.index(key) if key in KEYS else len(KEYS), key) for key in value}
        return {key: _in_order(value[key]) for key in sorted(value, key=places.__getitem__)}
    return [_in_order(item) for item in value] if isinstance(value, list) else value
