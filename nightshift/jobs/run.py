"""Run one task of an array: its units one after the other, each with a result whatever happens."""

import dataclasses
import errno
import math
import os
import resource
import socket
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from nightshift.code_version import code_version
from nightshift.errors import NeedsOperator, NightshiftError, Retry
from nightshift.files import sha256_of
from nightshift.jobs.contract import JobFile, UnitResult, UnitWork, read_job_file, read_result, write_result
from nightshift.jobs.memory import freed_memory_kept
from nightshift.jobs.scratch import scratch_of_node
from nightshift.kinds import kind_named
from nightshift.settings import Survey
from nightshift.vocabulary import AttemptState, ErrorClass, Reason, reason_of
from reduction.problems import Unusable

__all__ = ["OF_STORAGE", "TRY_AGAIN", "plain", "run_task", "run_unit"]

TRY_AGAIN = os.EX_TEMPFAIL
# Errors of a disk and not of what is on it: full, read-only, failing, gone.
OF_STORAGE = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.ESTALE, errno.ENOTCONN, errno.ENODEV, errno.ENXIO}
)

Work = Callable[[UnitWork, Survey, Path], UnitResult]


def run_task(job_file: Path, index: int | None = None) -> int:
    """Run the units of one task of an array, or all units of the job.

    Every unit leaves `result.json` in its attempt's folder. A unit that has left one with its token is not run
    again, so that a task which the cluster starts twice changes nothing.

    Parameters
    ----------
    job_file : Path
    index : int, optional
        Of the task; None runs all units.

    Returns
    -------
    int
        0: every unit has a result. What became of them only the results say. `TRY_AGAIN`: the storage failed, and
        some unit has none; the same task is to be started again when it is mended.
    """
    try:
        if not Path(job_file).exists():  # it was there before the task was asked for
            _say(f"the storage is gone: {job_file} is not there")
            return TRY_AGAIN
        job = read_job_file(Path(job_file))
        survey = Survey.model_validate(job.settings)
        chosen = range(len(job.units)) if index is None else job.tasks[index]
        for number in chosen:
            unit = job.units[number]
            if not _has_result(unit):
                result = run_unit(job, unit, survey)
                if result.reason is Reason.STORAGE_UNAVAILABLE or not Path(job_file).exists():
                    _say(f"{unit.unit_key}: {result.detail}")
                    return TRY_AGAIN
                write_result(Path(unit.folder), result)
    except OSError as error:
        if not storage_failed(error, Path(job_file)):
            raise
        _say(f"the storage fails: {error}")
        return TRY_AGAIN
    return 0


def _say(text: str) -> None:
    """Print a line, or not: the log may lie on the same disk, and a stream would try again at the very end."""
    with suppress(OSError):
        os.write(1, f"{text}\n".encode())


def storage_failed(error: OSError, job_file: Path) -> bool:
    """Whether an error is the disk's: full, read-only, gone, or the folder of the job itself has vanished."""
    return error.errno in OF_STORAGE or not job_file.exists()


def _has_result(unit: UnitWork) -> bool:
    try:
        return read_result(Path(unit.folder), unit.token) is not None
    except Retry:  # another attempt's, or torn: this attempt writes its own
        return False


def run_unit(job: JobFile, unit: UnitWork, survey: Survey, *, work: Work | None = None) -> UnitResult:
    """Run one unit; whatever it raises becomes its result.

    This is the one place where every exception is caught: a unit may fail, the array may not.

    Parameters
    ----------
    job : JobFile
    unit : UnitWork
    survey : Survey
    work : callable, optional
        What to run in place of the kind's own module.
    """
    folder = Path(unit.folder)
    _reset_peak_memory()
    start = time.process_time()
    seconds: dict[str, float] = {}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        verify_inputs(unit)
        seconds["verify_inputs"] = time.process_time() - start
        with freed_memory_kept():
            result = (work or work_of(job.kind))(unit, survey, folder)
    except NightshiftError as error:
        result = _failed(unit, error.reason, error.error_class, str(error))
    except Unusable as error:
        result = _failed(unit, reason_of(error.cause), ErrorClass.BAD_INPUT, str(error))
    except MemoryError:
        result = _failed(unit, Reason.OUT_OF_MEMORY, ErrorClass.RESOURCES, traceback.format_exc())
    except OSError as error:
        reason = Reason.STORAGE_UNAVAILABLE if error.errno in OF_STORAGE else Reason.INTERNAL_ERROR
        result = _failed(unit, reason, ErrorClass.RETRY, traceback.format_exc())
    except Exception:  # noqa: BLE001 -- the boundary of jobs
        result = _failed(unit, Reason.INTERNAL_ERROR, ErrorClass.NEEDS_OPERATOR, traceback.format_exc())
    seconds["total"] = time.process_time() - start
    return dataclasses.replace(
        result,
        metrics=plain(result.metrics),
        rows=plain(result.rows),
        seconds=plain({**result.seconds, **{step: round(value, 4) for step, value in seconds.items()}}),
        peak_memory_mb=round(_peak_memory_mb(), 1),
        host=socket.gethostname(),
        code_version=code_version(),
        scratch=scratch_of_node(),
    )


def work_of(kind: str) -> Work:
    """Return the function that works on units of a kind."""
    return kind_named(kind).run


def verify_inputs(unit: UnitWork) -> None:
    """Check every input against its checksum.

    Raises
    ------
    NeedsOperator
        ``input_lost`` where one is absent or has changed.
    """
    for item in unit.inputs:
        try:
            found = sha256_of(Path(item.path))
        except OSError as error:
            raise NeedsOperator(Reason.INPUT_LOST, f"{item.role} {item.key}: {error}") from error
        if found != item.sha256:
            raise NeedsOperator(
                Reason.INPUT_LOST,
                f"{item.role} {item.key}: {item.path} has sha256 {found}, the job file says {item.sha256}",
            )


def _failed(unit: UnitWork, reason: Reason, error_class: ErrorClass, detail: str) -> UnitResult:
    return UnitResult(
        unit.unit_key, unit.token, AttemptState.FAILED, reason=reason, error_class=error_class, detail=detail[-4000:]
    )


def plain(value: Any) -> Any:
    """Return a value as JSON can hold it: numpy's numbers as Python's, what is not finite as None."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _reset_peak_memory() -> None:
    """Let the kernel forget what earlier units of this process took, where it can."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return


def _peak_memory_mb() -> float:
    try:
        status = Path("/proc/self/status").read_text()
        return float(status.split("VmHWM:")[1].split()[0]) / 1024
    except (OSError, IndexError, ValueError):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
