"""What the runner asks of SLURM, whatever carries the question."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, Self

from nightshift.errors import Retry
from nightshift.runners.slurm.job_states import SlurmState
from nightshift.vocabulary import Reason

__all__ = ["Accounted", "Ambiguous", "Order", "Queued", "Transport"]


class Ambiguous(Retry):
    """A submit failed in a way that leaves open whether the controller has the job."""

    def __init__(self, message: str, reason: Reason = Reason.WORKER_LOST):
        super().__init__(reason, message)

    def __reduce__(self) -> tuple[type[Self], tuple[str, Reason]]:
        return type(self), (str(self), self.reason)


@dataclass(frozen=True)
class Order:
    """One array, as it is handed to SLURM.

    Parameters
    ----------
    key : str
        Name and comment of the job.
    command : tuple of str
        What every task runs; ``--unit`` and its index, counted from `first`, are appended on the node.
    tasks : int
    memory_mb, time_s, cores : float, float, int
    nice : int
        0 goes first.
    folder : Path
        Working directory, and where ``<index>.log`` files go.
    environment : mapping of str to str
        All that the tasks see beside what SLURM itself sets.
    partition, qos, account : str, optional
    requeue : bool
        Whether SLURM may put it back into the queue by itself: preemptible work only.
    exclude : tuple of str
        Nodes that must not run it.
    first : int
        The index of the first task; SLURM itself counts from 0.
    """

    key: str
    command: tuple[str, ...]
    tasks: int
    memory_mb: float
    time_s: float
    cores: int
    nice: int
    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    partition: str | None = None
    qos: str | None = None
    account: str | None = None
    requeue: bool = False
    exclude: tuple[str, ...] = ()
    first: int = 0


@dataclass(frozen=True)
class Queued:
    """What the controller says of one task. Times in seconds since 1970; `restarts` where the transport knows it."""

    key: str
    job_id: int
    index: int
    state: SlurmState
    submitted: float
    started: float | None = None
    node: str = ""
    why: str = ""
    restarts: int = 0


@dataclass(frozen=True)
class Accounted:
    """What the accounting says of one start of one task.

    Parameters
    ----------
    key, job_id, index, state, submitted, started, ended, node
    exit_code, exit_signal : int
    memory_mb : float
        The largest resident memory that was sampled; 0 where none was.
    """

    key: str
    job_id: int
    index: int
    state: SlurmState
    submitted: float
    started: float | None = None
    ended: float | None = None
    node: str = ""
    exit_code: int = 0
    exit_signal: int = 0
    memory_mb: float = 0.0


class Transport(Protocol):
    """A way to ask one cluster. Every question may raise `Retry`: then nothing is known."""

    name: str

    def submit(self, order: Order) -> int:
        """Submit an array and return its job id.

        Raises
        ------
        Ambiguous
            If it is not known whether the controller took it.
        nightshift.errors.NeedsOperator
            If it was refused, with what to do.
        """
        ...

    def queue(self) -> list[Queued]:
        """Return every task of this user that the controller knows, ended ones too: one call for all."""
        ...

    def accounted(self, keys: Iterable[str], since: float) -> list[Accounted]:
        """Return every start of every task with one of these keys that was submitted after `since`.

        A cluster that keeps no accounting gives what its controller still knows of those that failed.
        """
        ...

    def cancel(self, job_ids: Iterable[int]) -> None:
        """Ask the controller to end jobs. That it was asked does not mean that they ended."""
        ...

    def longest_array(self) -> int:
        """Return how many tasks the cluster allows one array to have; 0 where it takes none."""
        ...
