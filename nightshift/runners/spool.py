"""The folder through which arrays reach the pool and their states come back.

One folder an array: its request, written once by whoever submits, and its tasks' states, written only by the
pool. A folder appears whole by a rename, so that submitting a name twice leaves one array; a request to
cancel is a file of its own. Nothing here needs the pool to be alive.
"""

import fcntl
import hashlib
import json
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import quote

from nightshift.errors import NeedsOperator, Retry
from nightshift.files import write_json
from nightshift.runners.base import ArrayRequest
from nightshift.vocabulary import JobState, Reason

__all__ = ["Spool", "TaskRecord"]

VARIABLE = "NIGHTSHIFT_SPOOL"
REQUEST, STATES = "request.json", "states.json"
LONGEST_NAME = 200  # bytes of a folder's name; the file system's limit is 255


@dataclass
class TaskRecord:
    """How one task stands.

    Parameters
    ----------
    state : JobState
    restarts : int
        How often it was begun again because the pool under it went away.
    started, ended : float or None
        Seconds since 1970.
    pid, born : int, float or None
        The worker, and when that process began: a pid alone may be another's by now.
    detail : str
    """

    state: JobState = JobState.PENDING
    restarts: int = 0
    started: float | None = None
    ended: float | None = None
    pid: int | None = None
    born: float | None = None
    detail: str = ""


def folder_name(array: str) -> str:
    """Return the name of an array's folder: its own, quoted, or a digest where that is too long."""
    quoted = "a_" + quote(array, safe="")
    if len(quoted) <= LONGEST_NAME:
        return quoted
    return f"{quoted[: LONGEST_NAME - 65]}_{hashlib.sha256(array.encode()).hexdigest()}"


class Spool:
    """A spool folder.

    Parameters
    ----------
    root : Path
        Shared by the runner, which may be in any process, and the one pool that serves it.
    """

    def __init__(self, root: Path):
        self.root = root
        self.arrays = root / "arrays"
        self.cancelled = root / "cancel"

    @classmethod
    def from_environment(cls) -> "Spool":
        """Return the spool that ``NIGHTSHIFT_SPOOL`` names."""
        try:
            return cls(Path(os.environ[VARIABLE]))
        except KeyError:
            raise NeedsOperator(
                Reason.INTERNAL_ERROR, f"{VARIABLE} is not set: give the folder through which jobs reach the pool"
            ) from None

    def prepare(self) -> None:
        """Make the folders where they are missing."""
        self.arrays.mkdir(parents=True, exist_ok=True)
        self.cancelled.mkdir(exist_ok=True)

    def folder(self, array: str) -> Path:
        """Return the folder of an array."""
        return self.arrays / folder_name(array)

    def log(self, array: str, index: int) -> Path:
        """Return the file that takes what a task prints."""
        return self.folder(array) / f"{index}.log"

    # --- what the runner writes -----------------------------------------------------------------------------

    def put(self, request: ArrayRequest) -> bool:
        """Hand in an array; return False where one of its name is already there."""
        self.prepare()
        final = self.folder(request.name)
        if final.exists():
            return False
        draft = self.arrays / f".{secrets.token_hex(8)}.tmp"
        draft.mkdir()
        try:
            table = asdict(request) | {"job_file": str(request.job_file), "submitted": time.time()}
            write_json(draft / REQUEST, table)
            draft.rename(final)  # fails where another was faster: a folder with content is not replaced
        except OSError:
            shutil.rmtree(draft, ignore_errors=True)
            if final.exists():
                return False
            raise
        return True

    def ask_to_cancel(self, array: str) -> None:
        """Leave word that an array is to be stopped."""
        self.prepare()
        (self.cancelled / folder_name(array)).touch()

    # --- what both read -------------------------------------------------------------------------------------

    def folder_names(self) -> set[str]:
        """Return the names of all arrays' folders.

        Raises
        ------
        nightshift.errors.Retry
            If the folder cannot be read: nothing is known.
        """
        try:
            return {entry.name for entry in os.scandir(self.arrays) if not entry.name.startswith(".")}
        except OSError as error:
            raise Retry(Reason.WORKER_LOST, f"the spool {self.root} does not read: {error}") from error

    def request(self, folder: str) -> tuple[ArrayRequest, float]:
        """Return the array of a folder, and when it was handed in (seconds since 1970)."""
        table = json.loads((self.arrays / folder / REQUEST).read_text())
        submitted = table.pop("submitted")
        table |= {"job_file": Path(table["job_file"])}
        return ArrayRequest(**table), submitted

    def records(self, folder: str, tasks: int) -> list[TaskRecord]:
        """Return how the tasks of an array stand; all are pending until the pool has seen them."""
        try:
            table = json.loads((self.arrays / folder / STATES).read_text())
        except FileNotFoundError:
            return [TaskRecord() for _ in range(tasks)]
        return [TaskRecord(**record | {"state": JobState(record["state"])}) for record in table["tasks"]]

    # --- what the pool writes -------------------------------------------------------------------------------

    def write_records(self, folder: str, records: list[TaskRecord]) -> None:
        """Write how the tasks of an array stand."""
        write_json(self.arrays / folder / STATES, {"tasks": [asdict(record) for record in records]})

    def cancellations(self) -> list[str]:
        """Return the folders of the arrays that are to be stopped."""
        with suppress(FileNotFoundError):
            return sorted(entry.name for entry in os.scandir(self.cancelled))
        return []

    def cancellation_done(self, folder: str) -> None:
        """Forget a request to cancel."""
        (self.cancelled / folder).unlink(missing_ok=True)

    def forget(self, folder: str) -> None:
        """Remove an array that ended long ago."""
        shutil.rmtree(self.arrays / folder, ignore_errors=True)

    # --- one pool a spool -----------------------------------------------------------------------------------

    @contextmanager
    def serve(self, patience_s: float = 10.0) -> Iterator[None]:
        """Be the pool of this spool: hold its lock, which the system releases however the process ends.

        Raises
        ------
        nightshift.errors.NeedsOperator
            If another pool serves it.
        """
        self.prepare()
        with (self.root / "pool.lock").open("a") as stream:
            deadline = time.monotonic() + patience_s
            while not _lock(stream.fileno(), fcntl.LOCK_EX):
                if time.monotonic() > deadline:
                    raise NeedsOperator(Reason.INTERNAL_ERROR, f"another pool serves the spool {self.root}")
                time.sleep(0.1)
            yield

    def pool_is_alive(self) -> bool:
        """Whether a pool holds the spool's lock."""
        try:
            with (self.root / "pool.lock").open() as stream:
                return not _lock(stream.fileno(), fcntl.LOCK_SH)
        except FileNotFoundError:
            return False


def _lock(descriptor: int, how: int) -> bool:
    try:
        fcntl.flock(descriptor, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
