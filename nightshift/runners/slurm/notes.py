"""What the runner remembers of each array, in a folder that it shares with the nodes.

One folder an array: what was asked for, written before SLURM was asked; the job ids, once they are known; what was
found absent and since when; how the tasks ended; and what they printed. Every process of the survey reads and
writes it, so that a submit that was cut off is taken up by whoever comes next.
"""

import fcntl
import hashlib
import json
import logging
import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

from nightshift.errors import NeedsOperator, Retry
from nightshift.files import write_json
from nightshift.runners.base import ArrayRequest, TaskReport
from nightshift.vocabulary import JobState, Reason

__all__ = ["Damaged", "Note", "Notes", "Piece", "key_of"]

PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.=+@-]{0,179}")
log = logging.getLogger(__name__)
NOTE, ABSENT, ENDED = "array.json", "absent.json", "ended.json"


def key_of(name: str) -> str:
    """Return the name and comment by which SLURM knows an array.

    It is the array's own name where that is plain. Otherwise what SLURM's lists, patterns and separators could
    misread is replaced, and a hash of the whole name keeps it apart from every other.
    """
    if PLAIN.fullmatch(name):
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:16]
    return f"a_{re.sub(r'[^A-Za-z0-9_.=+@-]', '_', name)[:150]}.{digest}"


class Damaged(Retry):
    """What was written down of an array cannot be understood: nothing is known of it, and it may live."""


@dataclass(frozen=True)
class Piece:
    """Tasks of an array that SLURM has as an array of its own; nearly always that is all of them.

    Parameters
    ----------
    key : str
        Name and comment of SLURM's job. No array's own key has a colon in it, as those of several pieces have.
    first : int
        What SLURM counts as its task 0 is this task of the array.
    tasks : int
    job_id : int or None
        None: it has not been handed in, or the answer was lost.
    """

    key: str
    first: int
    tasks: int
    job_id: int | None

    @property
    def indices(self) -> range:
        """The tasks by their numbers in the array."""
        return range(self.first, self.first + self.tasks)


@dataclass(frozen=True)
class Note:
    """What is known of one array.

    Parameters
    ----------
    name, key : str
    tasks : int
    memory_mb : float
        Each task's limit.
    intended : float
        When SLURM was first going to be asked, in seconds since 1970: no job of it is older.
    requeue : bool
        Whether SLURM may start its tasks again by itself.
    job_ids : tuple of int
        Of its pieces, as far as they have been handed in: one after the other.
    asked : float or None
        When a submit was last under way whose answer is not known.
    cancelled : bool
        Whether somebody asked for its end.
    piece_tasks : int or None
        How many tasks a piece has at most. None: the cluster takes them all as one.
    """

    name: str
    key: str
    tasks: int
    memory_mb: float
    intended: float
    requeue: bool = False
    job_ids: tuple[int, ...] = ()
    asked: float | None = None
    cancelled: bool = False
    piece_tasks: int | None = None

    @property
    def pieces(self) -> list[Piece]:
        """What it is handed in as: the same tasks in the same pieces, whoever asks."""
        if self.piece_tasks is None:
            return [Piece(self.key, 0, self.tasks, next(iter(self.job_ids), None))]
        starts = range(0, self.tasks, self.piece_tasks)
        return [
            Piece(f"{self.key}:{first}", first, min(self.piece_tasks, self.tasks - first), job_id)
            for first, job_id in zip_longest(starts, self.job_ids)
        ]

    @property
    def next_piece(self) -> Piece | None:
        """The first piece that is not known to be handed in, or None where all are."""
        return next((piece for piece in self.pieces if piece.job_id is None), None)


class Notes:
    """The folder of all arrays.

    Parameters
    ----------
    root : Path
        Shared by every process of the survey and by the nodes.
    """

    def __init__(self, root: Path):
        self.root = root

    def folder(self, name: str) -> Path:
        """Return the folder of an array."""
        return self.root / "arrays" / key_of(name)

    def piece_folder(self, note: Note, piece: Piece) -> Path:
        """Return the folder in which a piece's tasks start and print, by SLURM's numbers."""
        folder = self.folder(note.name)
        return folder if note.piece_tasks is None else folder / f"from_{piece.first}"

    def log(self, note: Note, index: int) -> Path | None:
        """Return the file that takes what a task prints, or None where the array has no such task."""
        for piece in note.pieces:
            if index in piece.indices:
                return self.piece_folder(note, piece) / f"{index - piece.first}.log"
        return None

    @contextmanager
    def held(self, name: str) -> Iterator[None]:
        """Let one process at a time submit or cancel an array.

        Raises
        ------
        nightshift.errors.NeedsOperator
            If the folder takes nothing: it may not be mounted.
        """
        folder = self.folder(name)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with (folder / "lock").open("a") as stream:
                fcntl.flock(stream, fcntl.LOCK_EX)
                yield
        except (NeedsOperator, Retry):
            raise
        except OSError as error:
            raise NeedsOperator(
                Reason.STORAGE_UNAVAILABLE,
                f"the folder {self.root}, which the nodes share, takes nothing ({error}): is it mounted, "
                "has it free space, is it this user's?",
            ) from error

    def get(self, name: str) -> Note | None:
        """Return what is known of an array, or None.

        Raises
        ------
        Damaged
            If it does not say: look at the folder that the message names.
        """
        return self._read(self.folder(name))

    def all(self) -> list[Note]:
        """Return what is known of every array, but for damaged notes: a line in the log says so."""
        try:
            folders = sorted(path for path in (self.root / "arrays").iterdir() if path.is_dir())
        except FileNotFoundError:
            return []
        except OSError as error:
            raise Retry(Reason.STORAGE_UNAVAILABLE, f"{self.root} does not read: {error}") from error
        notes = []
        for folder in folders:
            try:
                notes.append(self._read(folder))
            except Damaged as error:
                log.error("%s", error)
        return [note for note in notes if note is not None]

    @staticmethod
    def _read(folder: Path) -> Note | None:
        try:
            return _note(json.loads((folder / NOTE).read_text()))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise Retry(Reason.STORAGE_UNAVAILABLE, f"{folder / NOTE} does not read: {error}") from error
        except (ValueError, TypeError) as error:
            raise Damaged(
                Reason.STORAGE_UNAVAILABLE,
                f"{folder / NOTE} is damaged ({error}): look for jobs named {folder.name} on the cluster, cancel "
                "them, and remove that folder",
            ) from error

    def begin(self, request: ArrayRequest, *, requeue: bool) -> Note:
        """Write down that an array is going to be submitted."""
        note = Note(
            request.name, key_of(request.name), request.tasks, request.memory_mb, time.time(), requeue=requeue
        )
        self.write(note)
        return note

    def write(self, note: Note) -> None:
        """Write down what is known of an array."""
        write_json(self.folder(note.name) / NOTE, asdict(note))

    # --- absence ----------------------------------------------------------------------------------------------

    @contextmanager
    def look(self, note: Note, now: float, *, gap_s: float) -> Iterator[Callable[[int], float]]:
        """Give what says for how many seconds a task has been seen by no source, every source answering.

        Two looks that lie further apart than `gap_s` are no evidence of what was in between: it begins anew. What
        was found absent is written once, when the look is over, and forgotten where nothing was.
        """
        path = self.folder(note.name) / ABSENT
        before: dict[str, list[float]] = {}
        with suppress(OSError, ValueError):
            before = json.loads(path.read_text())
        found: dict[str, list[float]] = {}

        def absent_for(index: int) -> float:
            first, last = before.get(str(index), (now, now))
            found[str(index)] = [first if now - last <= gap_s else now, now]
            return now - found[str(index)][0]

        yield absent_for
        with suppress(OSError):
            if found:
                write_json(path, found)
            elif before:
                path.unlink(missing_ok=True)

    # --- ends -------------------------------------------------------------------------------------------------

    def ended(self, note: Note) -> list[TaskReport] | None:
        """Return how an array's tasks ended, or None while that is not settled."""
        try:
            table = json.loads((self.folder(note.name) / ENDED).read_text())
        except (OSError, ValueError):
            return None
        return [_report(row) for row in table["tasks"]]

    def settle(self, note: Note, reports: list[TaskReport]) -> None:
        """Write down how an array's tasks ended: it is not asked about again."""
        with suppress(OSError):
            write_json(self.folder(note.name) / ENDED, {"tasks": [asdict(report) for report in reports]})

    def forget(self, older_than_s: float, *, every_s: float = 3600.0) -> None:
        """Remove arrays that were settled so long ago, with their logs; look for them now and then only."""
        now, looked = time.time(), self.root / "looked_for_old"
        with suppress(OSError):
            if looked.exists() and now - looked.stat().st_mtime < every_s:
                return
            looked.touch()
        for note in self.all():
            folder = self.folder(note.name)
            with suppress(OSError):
                if self.ended(note) is not None and now - (folder / ENDED).stat().st_mtime > older_than_s:
                    shutil.rmtree(folder, ignore_errors=True)


def _note(table: dict[str, Any]) -> Note:
    fields = {"job_ids": (), **table}
    if (job_id := fields.pop("job_id", None)) is not None:  # as it was written before arrays were cut in pieces
        fields["job_ids"] = [job_id]
    return Note(**fields | {"job_ids": tuple(fields["job_ids"])})


def _report(row: dict[str, Any]) -> TaskReport:
    reason = row.get("reason")
    return TaskReport(**row | {"state": JobState(row["state"]), "reason": Reason(reason) if reason else None})
