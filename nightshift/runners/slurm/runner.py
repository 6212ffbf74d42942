"""The runner of a SLURM cluster: submit once, judge carefully, cancel and make sure."""

import logging
import os
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TypeVar

from nightshift.errors import NeedsOperator, Retry
from nightshift.files import end_of
from nightshift.runners.base import MOST_LOG_BYTES, ArrayRequest, TaskReport
from nightshift.runners.slurm.cli import CliTransport
from nightshift.runners.slurm.job_states import SlurmState
from nightshift.runners.slurm.nodes import NodeFailures
from nightshift.runners.slurm.notes import Damaged, Note, Notes, Piece
from nightshift.runners.slurm.transport import Accounted, Ambiguous, Order, Queued, Transport
from nightshift.runners.slurm.verdict import Grace, Sources, judge, needs_accounting
from nightshift.vocabulary import JobState, Reason

__all__ = ["SlurmRunner"]

log = logging.getLogger(__name__)

SPOOL, TRANSPORT, PYTHON = "NIGHTSHIFT_SPOOL", "NIGHTSHIFT_SLURM_TRANSPORT", "NIGHTSHIFT_NODE_PYTHON"
CLOCKS_APART_S = 30.0  # the controller's clock and ours
FOUND_WITHIN_S = 20.0  # a submit whose answer was lost shows up, or the controller is still away
SETTLED_S = 2.0  # between two answers of the controller that agree
CANCELLED_WITHIN_S = 10.0
LOOK_EVERY_S = 0.5
KEEP_S = 2 * 86400.0
PATIENCE_S = 60  # a task that cannot write begins again for so long; then it ends, and its core is free
HIGHEST = 50_000  # priority that becomes `--nice=0`: none by rule is as high (nightshift/workflow/priorities.py)
TOO_LONG = "job array spec"  # of what SLURM says of an array that is longer than it allows
LEFT_OUT_TOO_MANY = ("invalid node name", "node configuration is not available")  # one that is gone, or all there are
ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
RESERVED = ("SLURM_", "SBATCH_", "SQUEUE_", "SACCT_", "LD_")  # variables that would change SLURM, not the job

Row = TypeVar("Row", Queued, Accounted)


class SlurmRunner:
    """Runs arrays on a cluster.

    Parameters
    ----------
    folder : Path
        Shared with the nodes; the runner's notes and the tasks' logs go there.
    transport : Transport, optional
        SLURM's commands by default.
    command : tuple of str
        What a node runs; kind, job file and ``--unit I`` follow.
    partition : str, optional
        Where an array goes whose profile names none.
    grace : Grace
    nodes : NodeFailures, optional
    """

    name = "slurm"

    def __init__(
        self,
        folder: Path,
        transport: Transport | None = None,
        *,
        command: tuple[str, ...] = (sys.executable, "-m", "nightshift.jobs"),
        partition: str | None = None,
        grace: Grace | None = None,
        nodes: NodeFailures | None = None,
    ):
        self.notes = Notes(folder)
        self.transport = transport or CliTransport()
        self.command = command
        self.partition = partition
        self.grace = grace or Grace()
        self.nodes = nodes or NodeFailures(folder / "nodes")

    @classmethod
    def from_environment(cls) -> "SlurmRunner":
        """Return the runner that the environment describes.

        ``NIGHTSHIFT_SPOOL`` is a folder that the nodes share, ``NIGHTSHIFT_SLURM_TRANSPORT`` is ``cli`` or
        ``pyslurm``, ``NIGHTSHIFT_NODE_PYTHON`` is Python as the nodes have it (by default this one). SLURM's own
        ``SLURM_CONF`` names the cluster.
        """
        if not (spool := os.environ.get(SPOOL)):
            raise NeedsOperator(
                Reason.INTERNAL_ERROR, f"{SPOOL} is not set: give a folder that this machine and the nodes share"
            )
        command = (os.environ.get(PYTHON) or sys.executable, "-m", "nightshift.jobs", f"--patience={PATIENCE_S}")
        return cls(Path(spool).resolve() / "slurm", _transport_from_environment(), command=command)

    # --- submit -----------------------------------------------------------------------------------------------

    def submit(self, request: ArrayRequest) -> str:
        """Submit an array, or adopt the one of the same name; return its job id.

        What is going to be submitted is written down first. Whoever finds such a note without a job id looks for
        the job before submitting again, and after every error of the submit itself. An array that is longer than the
        cluster allows is cut, and the next piece submitted when the job id of the last one is written down; the
        answer has the ids of all, as SLURM's commands take them: with commas between.

        Of an array that is settled nothing more is submitted. Pieces that were refused for `KEEP_S` are told as lost
        by then, and who asked for them asks for their units under a new name.
        """
        with self.notes.held(request.name):
            note = self.notes.get(request.name)
            thoroughly = note is not None
            if note is None:
                note = self.notes.begin(request, requeue=_is_preemptible(request))
            settled = thoroughly and self.notes.ended(note) is not None
            while not (settled or note.cancelled) and (piece := note.next_piece) is not None:
                note = self._hand_in(request, note, piece, thoroughly=thoroughly)
                self.notes.write(note)
                thoroughly = False
            return ",".join(map(str, note.job_ids)) or ("cancelled" if note.cancelled else "given up")

    def _hand_in(self, request: ArrayRequest, note: Note, piece: Piece, *, thoroughly: bool) -> Note:
        """Find or submit a piece; return the note with its job id, or with shorter pieces where it is too long."""
        job_id = self._find(note, piece, thoroughly=thoroughly)
        if job_id is None:
            try:
                job_id = self._submit(note, piece, self._order(request, note, piece))
            except NeedsOperator as error:
                if TOO_LONG not in str(error).lower() or note.job_ids:
                    raise
                if not 0 < (longest := self.transport.longest_array()) < piece.tasks:
                    raise
                return replace(note, piece_tasks=longest, asked=None)
        return replace(note, job_ids=(*note.job_ids, job_id), asked=None)

    def _submit(self, note: Note, piece: Piece, order: Order) -> int:
        self.notes.write(replace(note, asked=time.time()))
        try:
            return self.transport.submit(order)
        except NeedsOperator as error:
            if order.exclude and any(text in str(error).lower() for text in LEFT_OUT_TOO_MANY):
                return self._submit(note, piece, replace(order, exclude=()))
            self.notes.write(replace(note, asked=None))
            raise
        except Ambiguous as error:
            log.warning("%s: whether SLURM took it is not known (%s): looking for it", piece.key, error)
            job_id = self._find_within(note, piece, FOUND_WITHIN_S)
            if job_id is None:
                raise
            return job_id

    def _find_within(self, note: Note, piece: Piece, seconds: float) -> int | None:
        """Look for a piece until it shows up, or the controller has answered twice that it is not there."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                return self._find(note, piece, thoroughly=True)
            except Retry as error:
                if time.monotonic() > deadline:
                    raise Ambiguous(f"whether SLURM took {piece.key} is not known: {error}") from error
            time.sleep(LOOK_EVERY_S)

    def _find(self, note: Note, piece: Piece, *, thoroughly: bool) -> int | None:
        """Return the job of a piece, or None where there is none.

        Parameters
        ----------
        thoroughly : bool
            Whether a submit may have been under way before: then a job may have ended and be forgotten by the
            controller, and a submit that waited in its backlog may be read a moment after our question.
        """
        since = note.intended - CLOCKS_APART_S
        found = _jobs(note, piece, self.transport.queue())
        if not found and thoroughly:
            time.sleep(SETTLED_S)
            found = _jobs(note, piece, self.transport.queue())
            if not found:
                found = _jobs(note, piece, self.transport.accounted([piece.key], since))
        if not found:
            return None
        first, *others = sorted(found, key=lambda job_id: (found[job_id], job_id))
        if others:
            log.error("%s was submitted more than once: %s are cancelled, %s stays", piece.key, others, first)
            self.transport.cancel(others)
        return first

    def _order(self, request: ArrayRequest, note: Note, piece: Piece) -> Order:
        bad = [name for name in request.environment if name.startswith(RESERVED) or "=" in name]
        if bad:
            raise NeedsOperator(
                Reason.INTERNAL_ERROR, f"`environment` of a profile may not set {', '.join(bad)}: SLURM reads them"
            )
        options, folder = request.options, self.notes.piece_folder(note, piece)
        folder.mkdir(exist_ok=True)
        return Order(
            key=piece.key,
            command=(*self.command, str(request.kind), str(request.job_file)),
            tasks=piece.tasks,
            memory_mb=request.memory_mb,
            time_s=request.time_s,
            cores=request.cores,
            nice=max(0, HIGHEST - request.priority),
            folder=folder,
            environment=_environment(request),
            partition=options.get("partition") or self.partition,
            qos=options.get("qos"),
            account=options.get("account"),
            requeue=note.requeue,
            exclude=self.nodes.excluded(),
            first=piece.first,
        )

    # --- states -----------------------------------------------------------------------------------------------

    def states(self, names: frozenset[str] | None = None) -> dict[str, list[TaskReport]]:
        """Return the tasks of all live and lately ended arrays (or of those named), by array name."""
        answer: dict[str, list[TaskReport]] = {}
        if names is None:
            self.notes.forget(KEEP_S)
            notes = self.notes.all()
        else:
            notes, answer = self._legible(names)
        answer |= {note.name: reports for note in notes if (reports := self._ended(note)) is not None}
        open_notes = [note for note in notes if note.name not in answer]
        if not open_notes:
            return answer
        queue = dict(_by_task(open_notes, self.transport.queue()))
        starts = self._accounted(open_notes, queue)
        self._cancel_again(open_notes, queue)
        for note in open_notes:
            if reports := self._reports(note, queue, starts):
                answer[note.name] = reports
        return answer

    def _legible(self, names: frozenset[str]) -> tuple[list[Note], dict[str, list[TaskReport]]]:
        """Return the notes of some arrays, and for those that are damaged an answer that says nothing."""
        notes: list[Note] = []
        unknown: dict[str, list[TaskReport]] = {}
        for name in sorted(names):
            try:
                notes += filter(None, [self.notes.get(name)])
            except Damaged as error:
                report = TaskReport(name, 0, JobState.UNKNOWN, detail=str(error), reason=error.reason)
                unknown[name] = [report]  # of how many tasks?
        return notes, unknown

    def _ended(self, note: Note) -> list[TaskReport] | None:
        reports = self.notes.ended(note)
        if reports is None and note.cancelled and note.asked is None and not note.job_ids:
            reports = _unsubmitted(note, range(note.tasks))
            self.notes.settle(note, reports)
        return reports

    def _accounted(
        self, notes: list[Note], queue: Mapping[tuple[str, int], Queued]
    ) -> dict[tuple[str, int], list[Accounted]] | None:
        """Ask the accounting about the tasks that the controller leaves open. None: it does not answer."""
        doubtful = {
            piece.key: note
            for note in notes for piece in note.pieces
            if any(needs_accounting(queue.get((note.key, index)), note) for index in piece.indices)
        }  # fmt: skip
        found: dict[tuple[str, int], list[Accounted]] = defaultdict(list)
        if not doubtful:
            return found
        since = min(note.intended for note in doubtful.values()) - CLOCKS_APART_S
        try:
            rows = self.transport.accounted(doubtful, since)
        except Retry as error:
            log.warning("the accounting does not answer: %s", error)
            return None
        for task, row in _by_task(notes, sorted(rows, key=lambda row: row.started or row.submitted)):
            found[task].append(row)
        return found

    def _reports(
        self,
        note: Note,
        queue: Mapping[tuple[str, int], Queued],
        starts: Mapping[tuple[str, int], list[Accounted]] | None,
    ) -> list[TaskReport]:
        """Return the tasks of an array, or nothing where SLURM was asked for it in vain."""
        now, reports = time.time(), []
        taken = [
            piece.job_id is not None
            or any((note.key, index) in queue or (starts or {}).get((note.key, index)) for index in piece.indices)
            for piece in note.pieces
        ]
        given_up = starts is not None and now - note.intended > KEEP_S
        if not any(taken):
            if given_up:  # settled, so that it is asked about no more
                self.notes.settle(note, _unsubmitted(note, range(note.tasks), given_up=True))
            return []
        with self.notes.look(note, now, gap_s=self.grace.lost_s) as absent_for:
            for piece, is_taken in zip(note.pieces, taken, strict=True):
                if not is_taken and not _may_turn_up(note, piece):
                    reports += _unsubmitted(note, piece.indices, given_up=given_up)
                    continue
                for index in piece.indices:
                    task = note.key, index
                    sources = Sources(queue.get(task), None if starts is None else starts.get(task, ()))
                    reports.append(judge(note, index, sources, self.grace, partial(absent_for, index)))
        for report in reports:
            if report.state is JobState.NODE_FAILED or report.reason is Reason.STORAGE_UNAVAILABLE:
                self.nodes.add(report.host, note.key, report.index)
        if all(report.state.ended for report in reports):
            self.notes.settle(note, reports)
        return reports

    # --- cancel -----------------------------------------------------------------------------------------------

    def cancel(self, name: str) -> None:
        """Stop every task of an array, and return when none is left. Unknown names are no error.

        Raises
        ------
        nightshift.errors.Retry
            If it is not certain that all of them ended. It is remembered: `states` asks again.
        """
        if self.notes.get(name) is None:
            return
        with self.notes.held(name):
            note = self.notes.get(name)
            if note is None or self._ended(note) is not None:
                return
            self.notes.write(replace(note, cancelled=True))
        deadline = time.monotonic() + CANCELLED_WITHIN_S
        while live := self._live(note):
            if time.monotonic() > deadline:
                raise Retry(Reason.WORKER_LOST, f"SLURM was asked to end {note.key}, and jobs {sorted(live)} live on")
            self.transport.cancel(live)
            time.sleep(LOOK_EVERY_S)

    def _live(self, note: Note) -> set[int]:
        keys = {piece.key for piece in note.pieces}
        rows = self.transport.queue()
        return {row.job_id for row in rows if row.key in keys and _counts(row, note) and not row.state.ended}

    def _cancel_again(self, notes: list[Note], queue: Mapping[tuple[str, int], Queued]) -> None:
        """End what shows up of arrays that were cancelled while their submit was under way."""
        unwanted = {note.key for note in notes if note.cancelled}
        live = {row.job_id for (key, _), row in queue.items() if key in unwanted and not row.state.ended}
        if live:
            self.transport.cancel(live)

    # --- the rest ---------------------------------------------------------------------------------------------

    def log(self, name: str, index: int) -> str:
        """Return what a task printed, or an empty text."""
        try:
            note = self.notes.get(name)
            path = self.notes.log(note, index) if note else None
            return end_of(path, MOST_LOG_BYTES) if path else ""
        except (OSError, Retry):
            return ""


def _counts(row: Queued | Accounted, note: Note) -> bool:
    """Whether a row with an array's key is of this array: by when it was submitted, never by a bare job id.

    SLURM keeps a record also of a submit that it refused: as failed, without a node. That is no job.
    """
    refused = row.state is SlurmState.FAILED and not row.node
    return row.submitted >= note.intended - CLOCKS_APART_S and not refused


def _jobs(note: Note, piece: Piece, rows: Iterable[Queued | Accounted]) -> dict[int, float]:
    """Return when each job of a piece was submitted, by job id."""
    return {row.job_id: row.submitted for row in rows if row.key == piece.key and _counts(row, note)}


def _by_task(notes: Iterable[Note], rows: Iterable[Row]) -> Iterator[tuple[tuple[str, int], Row]]:
    """Yield the rows of some arrays, each with its array's key and its task's number in the array."""
    pieces = {piece.key: (note, piece) for note in notes for piece in note.pieces}
    for row in rows:
        if row.key in pieces:
            note, piece = pieces[row.key]
            if _counts(row, note) and piece.job_id in (None, row.job_id):
                yield (note.key, piece.first + row.index), row


def _may_turn_up(note: Note, piece: Piece) -> bool:
    """Whether the submit of a piece was under way when its array was cancelled: nobody asks for it again."""
    return note.cancelled and note.asked is not None and piece == note.next_piece


def _unsubmitted(note: Note, indices: Iterable[int], *, given_up: bool = False) -> list[TaskReport]:
    """Return the tasks of which SLURM has never known."""
    state, detail = JobState.PENDING, "not known to be submitted yet"
    if note.cancelled:
        state, detail = JobState.CANCELLED, "cancelled before it was submitted"
    elif given_up:
        state, detail = JobState.LOST, "SLURM never took it"
    return [TaskReport(note.name, index, state, detail=detail) for index in indices]


def _is_preemptible(request: ArrayRequest) -> bool:
    return request.options.get("preemptible") == "yes"


def _environment(request: ArrayRequest) -> dict[str, str]:
    """Return all that a task sees: what a node's Python needs, and what the profile declares."""
    threads = dict.fromkeys(ONE_THREAD, str(request.cores))
    kept = {name: os.environ[name] for name in ("NUMBA_CACHE_DIR",) if name in os.environ}
    own = {"HOME": str(Path.home()), "TZ": "UTC", "PYTHONNOUSERSITE": "1", "PYTHONUNBUFFERED": "1"}
    return {**own, **threads, **kept, **request.environment}


def _transport_from_environment() -> Transport:
    name = os.environ.get(TRANSPORT) or "cli"
    if name == "cli":
        return CliTransport()
    if name == "pyslurm":
        from nightshift.runners.slurm.pyslurm_transport import PyslurmTransport

        return PyslurmTransport()
    raise NeedsOperator(Reason.INTERNAL_ERROR, f"{TRANSPORT}={name!r}: it is cli or pyslurm")
