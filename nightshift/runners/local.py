"""The runner of one machine: a spool folder, served by the resident pool of `nightshift.runners.pool`."""

from pathlib import Path

from nightshift.errors import Retry
from nightshift.files import end_of
from nightshift.runners.base import MOST_LOG_BYTES, ArrayRequest, TaskReport
from nightshift.runners.spool import Spool, TaskRecord
from nightshift.vocabulary import JobState, Reason

__all__ = ["LocalRunner"]

HOST = "local"


class LocalRunner:
    """Hands arrays to the pool through a spool folder.

    Submitting, watching and cancelling touch files only, so that they work, and nothing is lost, while the
    pool is away. What a pool that went away was working on is unknown until the next one has looked.

    Parameters
    ----------
    spool : Path
        The folder that the pool serves.
    """

    name = "local"

    def __init__(self, spool: Path):
        self.spool = Spool(spool)

    @classmethod
    def from_environment(cls) -> "LocalRunner":
        """Return the runner of the spool that ``NIGHTSHIFT_SPOOL`` names."""
        return cls(Spool.from_environment().root)

    def submit(self, request: ArrayRequest) -> str:
        """Start an array, or adopt the one of the same name; return its folder's name."""
        try:
            self.spool.put(request)
        except OSError as error:
            raise Retry(Reason.WORKER_LOST, f"the spool {self.spool.root} takes nothing: {error}") from error
        return self.spool.folder(request.name).name

    def states(self, names: frozenset[str] | None = None) -> dict[str, list[TaskReport]]:
        """Return the tasks of all arrays that the spool holds (or of those named), by array name."""
        here = self.spool.folder_names()
        if names is not None:
            here &= {self.spool.folder(name).name for name in names}
        alive = self.spool.pool_is_alive()
        return dict(filter(None, (self._reports(folder, alive) for folder in sorted(here))))

    def _reports(self, folder: str, alive: bool) -> tuple[str, list[TaskReport]] | None:
        try:
            request, _ = self.spool.request(folder)
            records = self.spool.records(folder, request.tasks)
        except FileNotFoundError:
            return None  # removed since the folder was listed: long gone
        except (OSError, ValueError) as error:
            raise Retry(Reason.WORKER_LOST, f"array {folder} does not read: {error}") from error
        return request.name, [_report(request.name, i, record, alive) for i, record in enumerate(records)]

    def cancel(self, name: str) -> None:
        """Stop every task of an array, as soon as the pool sees it. Unknown names are no error."""
        if self.spool.folder(name).exists():
            self.spool.ask_to_cancel(name)

    def log(self, name: str, index: int) -> str:
        """Return what a task printed, or an empty text."""
        try:
            return end_of(self.spool.log(name, index), MOST_LOG_BYTES)
        except OSError:
            return ""


def _report(name: str, index: int, record: TaskRecord, alive: bool) -> TaskReport:
    state = record.state
    if state is JobState.RUNNING and not alive:
        state = JobState.UNKNOWN
    host = HOST if record.started is not None else ""
    return TaskReport(name, index, state, host, record.restarts, record.started, record.detail)
