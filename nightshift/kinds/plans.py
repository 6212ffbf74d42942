"""What a kind plans for a subject: its units, with inputs and parameters by the job contract.

Planning reads the ledger and decides; it changes nothing but the reasons of units that cannot be worked on.
"""

from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any

from nightshift.context import Context
from nightshift.files import sha256_of
from nightshift.jobs.contract import Input

__all__ = ["Plan", "PlannedUnit", "input_in_depot", "input_of_file"]


@dataclass(frozen=True)
class PlannedUnit:
    """One unit before it has an attempt.

    Parameters
    ----------
    unit_key : str
    task : int
        Units of the same task are taken by one process.
    inputs : tuple of Input
    parameters : dict
    """

    unit_key: str
    task: int
    inputs: tuple[Input, ...]
    parameters: dict[str, Any]


@dataclass(frozen=True)
class Plan:
    """All that a subject needs now.

    Parameters
    ----------
    site, night : str, date
        Of the job.
    units : tuple of PlannedUnit
        May be empty.
    """

    site: str
    night: date
    units: tuple[PlannedUnit, ...]


def input_in_depot(context: Context, role: str, path: str, sha256: str, key: str) -> Input:
    """Return an input whose path the ledger knows, relative to the depot."""
    return Input(role, str(context.depot.absolute(path)), sha256, key)


@lru_cache(maxsize=256)
def _sha256_of_state(path: Path, modified_ns: int, size: int) -> str:
    return sha256_of(path)


def input_of_file(role: str, path: Path, key: str) -> Input:
    """Return an input that is a file of the user's own."""
    status = path.stat()
    return Input(role, str(path), _sha256_of_state(path, status.st_mtime_ns, status.st_size), key)
