"""The interface of every runner, with dataclass answers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from nightshift.vocabulary import JobState, Reason

__all__ = ["MOST_LOG_BYTES", "ArrayRequest", "Runner", "TaskReport"]


@dataclass(frozen=True)
class ArrayRequest:
    """One array to run.

    Parameters
    ----------
    name : str
        Deterministic and unique: the job's key, submission and try. Submitting the same name again
        adopts what is already there.
    kind : str
    job_file : Path
        Absolute, as the node sees it.
    tasks : int
        How many tasks; task ``i`` takes the units of ``tasks[i]`` in the job file.
    memory_mb, time_s, cores, priority
        From the profile of the kind of job.
    options : mapping of str to str
        What only one kind of runner knows: partition, qos, account.
    environment : mapping of str to str
        For the job's processes.
    """

    name: str
    kind: str
    job_file: Path
    tasks: int
    memory_mb: float
    time_s: float
    cores: int = 1
    priority: int = 0
    options: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)


MOST_LOG_BYTES = 1_000_000
"""Of what a task printed, as `Runner.log` gives it: more would fill the memory of whoever shows it."""


@dataclass(frozen=True)
class TaskReport:
    """What a runner knows of one task of an array."""

    name: str
    index: int
    state: JobState
    host: str = ""
    restarts: int = 0
    started: float | None = None  # seconds since 1970
    detail: str = ""
    reason: Reason | None = None  # where the runner knows more than the state says; of UNKNOWN: somebody must act


class Runner(Protocol):
    """Submit, watch, cancel. Nothing here blocks for as long as a job runs."""

    name: str

    def submit(self, request: ArrayRequest) -> str:
        """Start an array, or adopt the one of the same name; return the runner's own id of it.

        Raises
        ------
        nightshift.errors.Retry
            If it is not known whether the array was taken: ask `states` before trying again.
        nightshift.errors.NeedsOperator
            If it was refused and will be refused again.
        """
        ...

    def states(self, names: frozenset[str] | None = None) -> dict[str, list[TaskReport]]:
        """Return the tasks of all live and lately ended arrays (or of those named), by array name.

        One call asks for all. A name that is absent was never taken or is long gone.

        Raises
        ------
        nightshift.errors.Retry
            If the runner does not answer: nothing is known, nothing is done.
        """
        ...

    def cancel(self, name: str) -> None:
        """Stop every task of an array. Unknown names are no error.

        Raises
        ------
        nightshift.errors.Retry
            If it is not certain that they will end: ask again.
        """
        ...

    def log(self, name: str, index: int) -> str:
        """Return what a task of an array printed, the end of it where it is long, or an empty text."""
        ...
