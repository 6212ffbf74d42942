"""The job file and the result file: all that is said between the ledger's side and a node.

Both are JSON, written whole, and carry the version of their schema.
"""

import json
import secrets
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from nightshift.errors import BadInput, Retry
from nightshift.files import write_json
from nightshift.vocabulary import AttemptState, ErrorClass, Reason, Tier

__all__ = [
    "RESULT_NAME",
    "Input",
    "JobFile",
    "NotWhole",
    "Product",
    "UnitResult",
    "UnitWork",
    "new_token",
    "read_job_file",
    "read_result",
    "write_job_file",
    "write_result",
]

JOB_SCHEMA = "nightshift.job/1"
RESULT_SCHEMA = "nightshift.result/1"
RESULT_NAME = "result.json"


class NotWhole(Retry):
    """A result file that is not JSON, or not all of it yet: whoever writes it may still be at it."""


@dataclass(frozen=True)
class Input:
    """One input of a unit, by place and checksum.

    Parameters
    ----------
    role : str
        What it is for: ``raw``, ``bias``, ``dark``, ``flat``, ``catalogue``, ``reference``, ``calibrated``,
        ``detections``, ...
    path : str
        Absolute, as the node sees it.
    sha256 : str
        Of its content. Checked before it is used.
    key : str
        The product's key, or the raw frame's.
    """

    role: str
    path: str
    sha256: str
    key: str


@dataclass(frozen=True)
class UnitWork:
    """One unit of a job: what to do, with what, and where to write.

    Parameters
    ----------
    unit_key : str
        The text of the unit's, calibration's, reference's or night's key.
    attempt : int
        From 1, within the job.
    token : str
        Names this attempt. A result with another token is not believed.
    folder : str
        Absolute; this attempt's own. Products and ``result.json`` go there.
    inputs : tuple of Input
        All that it reads.
    parameters : dict
        All else that it must know: JSON values only. Each kind of job documents its own.
    """

    unit_key: str
    attempt: int
    token: str
    folder: str
    inputs: tuple[Input, ...]
    parameters: dict[str, Any] = field(default_factory=dict)

    def inputs_of(self, role: str) -> tuple[Input, ...]:
        """Return the inputs of one role, in the order given."""
        return tuple(i for i in self.inputs if i.role == role)

    def input(self, role: str) -> Input | None:
        """Return the only input of a role, or None where there is none."""
        return next(iter(self.inputs_of(role)), None)


@dataclass(frozen=True)
class JobFile:
    """One array: its units, and which units each task of the array takes.

    Parameters
    ----------
    kind : str
        What to run.
    job_key : str
        Kind, subject and campaign: the same work is the same job.
    submission : int
        From 1, within the job.
    survey : str
        Name of the survey's settings.
    settings_hash, settings : str, dict
        Hash of the settings that the kind uses, and all settings by value: a node needs no configuration folder.
    tasks : tuple of tuple of int
        For each task of the array the indices of its units.
    units : tuple of UnitWork
    campaign, tier : str
    code_version : str
        Of whoever wrote it; empty in a job file of before this was written. A node that runs other code works all the
        same, and its result says which.
    """

    kind: str
    job_key: str
    submission: int
    survey: str
    settings_hash: str
    settings: dict[str, Any]
    tasks: tuple[tuple[int, ...], ...]
    units: tuple[UnitWork, ...]
    campaign: str = "live"
    tier: str = Tier.PROCESSED
    code_version: str = ""
    schema: str = JOB_SCHEMA


@dataclass(frozen=True)
class Product:
    """One file that a unit made, in its attempt's folder.

    Parameters
    ----------
    kind : str
        ``calibrated``, ``sources``, ``bias``, ``reference``, ``difference``, ``cutouts``, ...
    name : str
        File name within the attempt's folder.
    sha256 : str
    bytes : int
    inputs : tuple of Input
        What it was made from.
    """

    kind: str
    name: str
    sha256: str
    bytes: int
    inputs: tuple[Input, ...] = ()


@dataclass(frozen=True)
class UnitResult:
    """What became of one attempt at one unit.

    Parameters
    ----------
    unit_key, token : str
        Repeated from the job file; a result is believed only with the current attempt's token.
    state : AttemptState
        SUCCEEDED, REJECTED or FAILED.
    reason, error_class, detail
        Of a result that did not succeed. `reason` of a success may not be set: use `flags`.
    flags : tuple of Reason
        What did not stop it.
    products : tuple of Product
    metrics : dict
        Measurements; each kind of job documents its own. Finite JSON values only.
    rows : dict of str to list of dict
        Tables for the ledger, such as ``candidates``.
    seconds : dict of str to float
        CPU seconds by step.
    peak_memory_mb : float
    host : str
    code_version : str
        Of the node.
    scratch : dict
        How full the node's disk of temporary files is (`nightshift.jobs.scratch`).
    """

    unit_key: str
    token: str
    state: AttemptState
    reason: Reason | None = None
    error_class: ErrorClass | None = None
    detail: str = ""
    flags: tuple[Reason, ...] = ()
    products: tuple[Product, ...] = ()
    metrics: dict[str, Any] = field(default_factory=dict)
    rows: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    peak_memory_mb: float = 0.0
    host: str = ""
    code_version: str = ""
    scratch: dict[str, str | int] = field(default_factory=dict)
    schema: str = RESULT_SCHEMA


def new_token() -> str:
    """Return a name that no other attempt has."""
    return secrets.token_hex(16)


def write_job_file(path: Path, job: JobFile) -> str:
    """Write a job file whole and return its sha256."""
    return write_json(path, asdict(job))


def read_job_file(path: Path) -> JobFile:
    """Read a job file.

    Raises
    ------
    BadInput
        If it is damaged or of another schema.
    OSError
        If the file is not there, or its disk fails.
    """
    try:
        table = json.loads(path.read_text())
        if table["schema"] != JOB_SCHEMA:
            raise ValueError(f"schema {table['schema']!r}, not {JOB_SCHEMA!r}")
        units = tuple(
            UnitWork(**{**unit, "inputs": tuple(Input(**i) for i in unit["inputs"])}) for unit in table["units"]
        )
        tasks = tuple(tuple(task) for task in table["tasks"])
        return JobFile(**{**table, "units": units, "tasks": tasks})
    except (ValueError, KeyError, TypeError) as error:
        raise BadInput(Reason.RESULT_INVALID, f"job file {path} does not read: {error}") from error


def write_result(folder: Path, result: UnitResult) -> None:
    """Leave the result of an attempt in its folder, whole."""
    write_json(folder / RESULT_NAME, asdict(result))


def read_result(folder: Path, token: str) -> UnitResult | None:
    """Read the result that an attempt left.

    Parameters
    ----------
    folder : Path
        The attempt's own.
    token : str
        The current attempt's; a result with another is not believed.

    Returns
    -------
    UnitResult or None
        None while there is no result file.

    Raises
    ------
    NotWhole
        If it does not read as JSON.
    Retry
        If it is of another schema, or another attempt's; STORAGE_UNAVAILABLE, if the disk does not give it: then
        nothing is known of it.
    """
    path = folder / RESULT_NAME
    try:
        table = json.loads(path.read_text())
    except FileNotFoundError:
        return None
    except (IsADirectoryError, PermissionError, ValueError) as error:
        raise NotWhole(Reason.RESULT_INVALID, f"{path} does not read: {error}") from error
    except OSError as error:
        raise Retry(Reason.STORAGE_UNAVAILABLE, f"{path} cannot be read now: {error}") from error
    try:
        if table["schema"] != RESULT_SCHEMA or table["token"] != token:
            raise ValueError(f"schema {table['schema']!r} and token {table['token']!r} are not this attempt's")
        return UnitResult(
            **{
                **table,
                "state": AttemptState(table["state"]),
                "reason": Reason(table["reason"]) if table["reason"] else None,
                "error_class": ErrorClass(table["error_class"]) if table["error_class"] else None,
                "flags": tuple(Reason(flag) for flag in table["flags"]),
                "products": tuple(
                    Product(**{**p, "inputs": tuple(Input(**i) for i in p["inputs"])}) for p in table["products"]
                ),
            }
        )
    except (KeyError, TypeError, ValueError) as error:
        raise Retry(Reason.RESULT_INVALID, f"{path} is not a result of this attempt: {error}") from error
