"""The runner of a SLURM cluster: submit once, judge carefully, cancel and make sure."""

import logging
import os
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

from nightshift.errors import NeedsOperator, Retry
from nightshift.files import end_of
from nightshift.runners.base import MOST_LOG_BYTES, ArrayRequest, Capacity, TaskReport
from nightshift.runners.slurm.cli import CliTransport
from nightshift.runners.slurm.nodes import NodeFailures
from nightshift.runners.slurm.notes import Damaged, Note, Notes
from nightshift.runners.slurm.states import SlurmState
from nightshift.runners.slurm.transport import Accounted, Ambiguous, NoAccounting, Order, Queued, Transport
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
LEFT_OUT_TOO_MANY = ("invalid node name", "node configuration is not available")  # one that is gone, or all there are
ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
RESERVED = ("SLURM_", "SBATCH_", "SQUEUE_", "SACCT_", "LD_")  # variables that would change SLURM, not the job


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
        the job before submitting again, and after every error of the submit itself.
        """
        with self.notes.held(request.name):
            note = self.notes.get(request.name)
            first = note is None
            if note is None:
                note = self.notes.begin(request, requeue=_is_preemptible(request))
            if note.job_id is not None:
                return str(note.job_id)
            if note.cancelled:
                return "cancelled"
            job_id = self._find(note, thoroughly=not first)
            if job_id is None:
                job_id = self._submit(note, self._order(request, note))
            self.notes.write(replace(note, job_id=job_id, asked=None))
            return str(job_id)

    def _submit(self, note: Note, order: Order) -> int:
        self.notes.write(replace(note, asked=time.time()))
        try:
            return self.transport.submit(order)
        except NeedsOperator as error:
            if order.exclude and any(text in str(error).lower() for text in LEFT_OUT_TOO_MANY):
                return self._submit(note, replace(order, exclude=()))
            self.notes.write(replace(note, asked=None))
            raise
        except Ambiguous as error:
            log.warning("%s: whether SLURM took it is not known (%s): looking for it", note.key, error)
            job_id = self._find_within(note, FOUND_WITHIN_S)
            if job_id is None:
                raise
            return job_id

    def _find_within(self, note: Note, seconds: float) -> int | None:
        """Look for an array until it shows up, or the controller has answered twice that it is not there."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                return self._find(note, thoroughly=True)
            except Retry as error:
                if time.monotonic() > deadline:
                    raise Ambiguous(f"whether SLURM took {note.key} is not known: {error}") from error
            time.sleep(LOOK_EVERY_S)

    def _find(self, note: Note, *, thoroughly: bool) -> int | None:
        """Return the job of an array, or None where there is none.

        Parameters
        ----------
        thoroughly : bool
            Whether a submit may have been under way before: then a job may have ended and be forgotten by the
            controller, and a submit that waited in its backlog may be read a moment after our question.
        """
        found = self._jobs(note, self.transport.queue())
        if not found and thoroughly:
            time.sleep(SETTLED_S)
            found = self._jobs(note, self.transport.queue())
            if not found:
                try:
                    found = self._jobs(note, self.transport.accounted([note.key], note.intended - CLOCKS_APART_S))
                except NoAccounting:
                    found = {}
        if not found:
            return None
        first, *others = sorted(found, key=lambda job_id: (found[job_id], job_id))
        if others:
            log.error("%s was submitted more than once: %s are cancelled, %s stays", note.key, others, first)
            self.transport.cancel(others)
        return first

    def _jobs(self, note: Note, rows: Iterable[Queued | Accounted]) -> dict[int, float]:
        """Return when each job of an array was submitted, by job id."""
        return {row.job_id: row.submitted for row in rows if _is_of(row, note)}

    def _order(self, request: ArrayRequest, note: Note) -> Order:
        bad = [name for name in request.environment if name.startswith(RESERVED) or "=" in name]
        if bad:
            raise NeedsOperator(
                Reason.INTERNAL_ERROR, f"`environment` of a profile may not set {', '.join(bad)}: SLURM reads them"
            )
        options = request.options
        return Order(
            key=note.key,
            command=(*self.command, str(request.kind), str(request.job_file)),
            tasks=request.tasks,
            memory_mb=request.memory_mb,
            time_s=request.time_s,
            cores=request.cores,
            nice=max(0, HIGHEST - request.priority),
            folder=self.notes.folder(request.name),
            environment=_environment(request),
            partition=options.get("partition") or self.partition,
            qos=options.get("qos"),
            account=options.get("account"),
            requeue=note.requeue,
            exclude=self.nodes.excluded(),
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
        queue = self._by_task(open_notes, self.transport.queue())
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
        if reports is None and note.cancelled and note.asked is None and note.job_id is None:
            reports = _all_tasks(note, JobState.CANCELLED, "cancelled before it was submitted")
            self.notes.settle(note, reports)
        return reports

    def _by_task(self, notes: list[Note], rows: Iterable[Queued]) -> dict[tuple[str, int], Queued]:
        by_key = {note.key: note for note in notes}
        return {
            (row.key, row.index): row
            for row in rows
            if (note := by_key.get(row.key)) and _is_of(row, note) and note.job_id in (None, row.job_id)
        }

    def _accounted(
        self, notes: list[Note], queue: Mapping[tuple[str, int], Queued]
    ) -> dict[tuple[str, int], list[Accounted]] | None:
        """Ask the accounting about the tasks that the controller leaves open. None: it does not answer."""
        doubtful = [
            note for note in notes
            if any(needs_accounting(queue.get((note.key, index)), note) for index in range(note.tasks))
        ]  # fmt: skip
        found: dict[tuple[str, int], list[Accounted]] = defaultdict(list)
        if not doubtful:
            return found
        by_key = {note.key: note for note in doubtful}
        since = min(note.intended for note in doubtful) - CLOCKS_APART_S
        try:
            rows = self.transport.accounted(by_key, since)
        except NoAccounting:
            return found
        except Retry as error:
            log.warning("the accounting does not answer: %s", error)
            return None
        for row in sorted(rows, key=lambda row: row.started or row.submitted):
            note = by_key[row.key]
            if _is_of(row, note) and note.job_id in (None, row.job_id):
                found[row.key, row.index].append(row)
        return found

    def _reports(
        self,
        note: Note,
        queue: Mapping[tuple[str, int], Queued],
        starts: Mapping[tuple[str, int], list[Accounted]] | None,
    ) -> list[TaskReport]:
        """Return the tasks of an array, or nothing where SLURM was asked for it in vain."""
        now, reports = time.time(), []
        known = any(
            (note.key, index) in queue or (starts or {}).get((note.key, index)) for index in range(note.tasks)
        )
        if note.job_id is None and not known:
            if starts is not None and now - note.intended > KEEP_S:  # settled, so that it is asked about no more
                self.notes.settle(note, _all_tasks(note, JobState.LOST, "SLURM never took it"))
            return []
        with self.notes.look(note, now, gap_s=self.grace.lost_s) as absent_for:
            for index in range(note.tasks):
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
        rows = self.transport.queue()
        return {row.job_id for row in rows if _is_of(row, note) and not row.state.ended}

    def _cancel_again(self, notes: list[Note], queue: Mapping[tuple[str, int], Queued]) -> None:
        """End what shows up of arrays that were cancelled while their submit was under way."""
        unwanted = {note.key for note in notes if note.cancelled}
        live = {row.job_id for row in queue.values() if row.key in unwanted and not row.state.ended}
        if live:
            self.transport.cancel(live)

    # --- the rest ---------------------------------------------------------------------------------------------

    def capacity(self) -> Capacity:
        """Return how many cores are up and how many are free."""
        try:
            return Capacity(*self.transport.slots(self.partition))
        except (Retry, NeedsOperator):
            return Capacity(None, None)

    def log(self, name: str, index: int) -> str:
        """Return what a task printed, or an empty text."""
        try:
            return end_of(self.notes.log(name, index), MOST_LOG_BYTES)
        except OSError:
            return ""


def _is_of(row: Queued | Accounted, note: Note) -> bool:
    """Whether a row is of this array: by its key and by when it was submitted, never by a bare job id.

    SLURM keeps a record also of a submit that it refused: as failed, without a node. That is no job.
    """
    refused = row.state is SlurmState.FAILED and not row.node
    return row.key == note.key and row.submitted >= note.intended - CLOCKS_APART_S and not refused


def _all_tasks(note: Note, state: JobState, detail: str) -> list[TaskReport]:
    return [TaskReport(note.name, index, state, detail=detail) for index in range(note.tasks)]


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
