"""The resident pool: warm worker processes that take tasks from a spool folder.

``python -m nightshift.runners.pool --workers N`` is a long-lived process beside Airflow, so that running tasks
survive the restart of any Airflow component. It alone decides which task runs: the highest priority first,
then in the order in which arrays were handed in. It watches each worker's memory and time from outside and
kills what passes its limit. Everything it knows is in the spool, so that a pool that was killed is followed by
one that goes on: what the old one was working on is begun again, a bounded number of times.

It does not look at results: whether a task's work succeeded is what its result files say.
"""

import argparse
import heapq
import logging
import multiprocessing
import os
import signal
import time
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import psutil

from nightshift.runners.base import ArrayRequest
from nightshift.runners.spool import Spool, TaskRecord
from nightshift.runners.worker import Assignment, serve
from nightshift.vocabulary import JobState

__all__ = ["Pool", "main"]

log = logging.getLogger(__name__)

ENTRY = "nightshift.jobs.run:run_task"
TICK_S = 0.1
GRACE_S = 5.0  # a running task may use so long to end when the pool is asked to
RESTARTS = 2  # of a task whose pool went away
TASKS_A_WORKER = 64  # then it is replaced: memory that libraries never give back stays bounded
TRY_AGAIN = os.EX_TEMPFAIL  # a task's exit code: nothing is wrong with it but its storage
STORAGE_PAUSE_S = 5.0  # before such a task is begun again
KEEP_S = 2 * 86400.0  # an array that ended is remembered for so long
NEAR_LIMIT = 0.8  # of its memory: killed by the system there means out of memory
MB = 1024 * 1024
ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


@dataclass
class Array:
    """One array in the pool's memory."""

    folder: str
    request: ArrayRequest
    submitted: float
    records: list[TaskRecord]

    @property
    def ended(self) -> bool:
        """Whether no task of it will run any further."""
        return all(record.state.ended for record in self.records)


@dataclass
class Worker:
    """One worker process as the pool sees it."""

    process: ForkServerProcess
    connection: Connection
    ready: bool = False
    tasks: int = 0
    task: tuple[Array, int] | None = None
    began: float = 0.0  # by the steady clock: the other may be set while a task runs
    peak_mb: float = 0.0
    watch: psutil.Process | None = field(default=None, repr=False)

    @property
    def free(self) -> bool:
        """Whether it waits for a task and lives: the death of one may not have been heard of yet."""
        return self.ready and self.task is None and self.process.is_alive()


class Pool:
    """The pool of one spool.

    Parameters
    ----------
    spool : Spool
    workers : int
        How many tasks run at once.
    entry : str
        ``module:function`` that runs a task.
    warm : bool
        Whether workers are forks of a process that has the reduction's libraries loaded and compiled.
    """

    def __init__(self, spool: Spool, *, workers: int, entry: str = ENTRY, warm: bool = True):
        self.spool = spool
        self.entry = entry
        self.stopping = False
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["nightshift.runners.preload"] if warm else [])
        self._wanted = workers
        self._workers: list[Worker] = []
        self._arrays: dict[str, Array] = {}
        self._waiting: list[tuple[int, float, str, int]] = []
        self._later: list[tuple[float, Array, int]] = []
        self._unwritten: dict[str, Array] = {}
        self._forget_at = 0.0

    def stop(self, *_: object) -> None:
        """End after the tasks that run now, or after a grace, whichever is first."""
        self.stopping = True

    def run(self) -> None:
        """Serve the spool until `stop` is called."""
        with self.spool.serve():
            log.info("serving %s with %d workers", self.spool.root, self._wanted)
            try:
                while not self.stopping:
                    self._round()
                    self._dispatch()
                self._finish()
            finally:
                for worker in list(self._workers):
                    self._dismiss(worker)
            log.info("ended")

    def _round(self) -> None:
        """Look once at everything but the tasks that wait."""
        self._hire()
        self._write_what_is_left()
        self._enqueue_what_waited()
        self._take_in()
        self._cancel_what_was_asked()
        self._listen()
        self._enforce_limits()

    # --- arrays -----------------------------------------------------------------------------------------------

    def _take_in(self) -> None:
        names = self.spool.folder_names()
        for folder in sorted(names - self._arrays.keys()):
            try:
                request, submitted = self.spool.request(folder)
                records = self.spool.records(folder, request.tasks)
            except (OSError, ValueError, KeyError, TypeError) as error:
                log.error("array %s does not read and is set aside: %s", folder, error)
                (self.spool.arrays / folder).rename(self.spool.arrays / f".unreadable.{folder}")
                continue
            array = self._arrays[folder] = Array(folder, request, submitted, records)
            for index, record in enumerate(records):
                if record.state is JobState.RUNNING:
                    self._recover(array, index)
                if record.state is JobState.PENDING:
                    self._enqueue(array, index)
        self._forget_old()

    def _recover(self, array: Array, index: int) -> None:
        """Begin again what a pool that went away was working on."""
        record = array.records[index]
        _kill_if_it_is(record.pid, record.born)
        if record.restarts < RESTARTS:
            self._set(array, index, JobState.PENDING, "the pool under it went away", restarts=record.restarts + 1)
        else:
            self._set(array, index, JobState.NODE_FAILED, f"the pool under it went away {RESTARTS + 1} times")

    def _enqueue(self, array: Array, index: int) -> None:
        heapq.heappush(self._waiting, (-array.request.priority, array.submitted, array.folder, index))

    def _set(
        self,
        array: Array,
        index: int,
        state: JobState,
        detail: str = "",
        *,
        pid: int | None = None,
        born: float | None = None,
        **changes: float,
    ) -> None:
        record = array.records[index]
        record.state, record.detail = state, detail
        record.ended = time.time() if state.ended else None
        record.pid, record.born = pid, born
        for name, value in changes.items():
            setattr(record, name, value)
        if detail:
            log.info("%s task %d: %s: %s", array.request.name, index, state, detail)
        self._write(array)

    def _write(self, array: Array) -> None:
        """Write how an array stands; where the spool takes nothing now, the next round tries again."""
        try:
            self.spool.write_records(array.folder, array.records)
            self._unwritten.pop(array.folder, None)
        except OSError as error:
            if array.folder not in self._unwritten:
                log.error("the spool takes nothing: %s", error)
            self._unwritten[array.folder] = array

    def _write_what_is_left(self) -> None:
        for array in list(self._unwritten.values()):
            self._write(array)

    def _enqueue_what_waited(self) -> None:
        due = [entry for entry in self._later if entry[0] <= time.monotonic()]
        self._later = [entry for entry in self._later if entry not in due]
        for _, array, index in due:
            self._enqueue(array, index)

    def _cancel_what_was_asked(self) -> None:
        for folder in self.spool.cancellations():
            array = self._arrays.get(folder)
            if array:
                self._cancel(array)
            if array or not (self.spool.arrays / folder).exists():  # otherwise it came just now: next round
                self.spool.cancellation_done(folder)

    def _cancel(self, array: Array) -> None:
        for worker in list(self._workers):
            if worker.task and worker.task[0] is array:
                self._end_by_force(worker, JobState.CANCELLED, "cancelled while it ran")
        for index, record in enumerate(array.records):
            if not record.state.ended:
                self._set(array, index, JobState.CANCELLED, "cancelled before it ran")

    def _forget_old(self) -> None:
        now = time.time()
        if now < self._forget_at:
            return
        self._forget_at = now + 600
        for array in list(self._arrays.values()):
            if array.ended and all((record.ended or now) < now - KEEP_S for record in array.records):
                self.spool.forget(array.folder)
                del self._arrays[array.folder]

    # --- workers ----------------------------------------------------------------------------------------------

    def _hire(self) -> None:
        while len(self._workers) < self._wanted:
            ours, theirs = self._context.Pipe()
            process = self._context.Process(target=serve, args=(theirs, self.entry), daemon=True)
            try:
                process.start()
            except (
                EOFError,
                OSError,
            ) as error:  # the process that workers are forked from died: the next round's lives
                log.error("a worker could not be started: %s", error)
                ours.close()
                theirs.close()
                time.sleep(1)
                return
            theirs.close()
            self._workers.append(Worker(process, ours))

    def _dispatch(self) -> None:
        for worker in [w for w in self._workers if w.free]:
            task = self._next()
            if task is None:
                return
            self._assign(worker, *task)

    def _next(self) -> tuple[Array, int] | None:
        while self._waiting:
            _, _, folder, index = heapq.heappop(self._waiting)
            array = self._arrays.get(folder)
            if array and array.records[index].state is JobState.PENDING:
                return array, index
        return None

    def _assign(self, worker: Worker, array: Array, index: int) -> None:
        request = array.request
        assert worker.watch is not None  # it said that it is ready
        self._set(
            array, index, JobState.RUNNING,
            started=time.time(), pid=worker.watch.pid, born=worker.watch.create_time(),
        )  # fmt: skip
        worker.task, worker.began, worker.peak_mb = (array, index), time.monotonic(), 0.0
        worker.tasks += 1
        with suppress(OSError):  # it died just now: `_listen` sees that
            worker.connection.send(
                Assignment(
                    str(request.job_file), index, str(self.spool.log(request.name, index)), dict(request.environment)
                )
            )

    def _listen(self) -> None:
        """Wait a moment for what the workers say."""
        by_connection = {worker.connection: worker for worker in self._workers}
        for connection in wait(list(by_connection), TICK_S):
            worker = by_connection[connection]  # type: ignore[index]
            try:
                message = worker.connection.recv()
            except (EOFError, OSError):
                self._bury(worker)
                continue
            if worker.ready:
                self._done(worker, message)
            else:
                worker.ready, worker.watch = True, psutil.Process(message)

    def _done(self, worker: Worker, code: int) -> None:
        if worker.task is None:
            return
        array, index = worker.task
        worker.task = None
        if code == 0:
            self._set(array, index, JobState.DONE)
        elif code == TRY_AGAIN:
            self._set(
                array, index, JobState.PENDING, "it could not write; it is begun again when the storage is back"
            )
            self._later.append((time.monotonic() + STORAGE_PAUSE_S, array, index))
        else:
            self._set(array, index, JobState.FAILED, f"exit code {code}")
        if worker.tasks >= TASKS_A_WORKER:
            self._dismiss(worker)

    def _bury(self, worker: Worker) -> None:
        """A worker died by itself: its task was lost with it."""
        if worker.task:
            array, index = worker.task
            memory = worker.peak_mb > NEAR_LIMIT * array.request.memory_mb
            state = JobState.OUT_OF_MEMORY if memory else JobState.NODE_FAILED
            self._set(array, index, state, f"its process died at {worker.peak_mb:.0f} MB")
        elif not worker.ready:
            log.error("a worker died before it was ready")
            time.sleep(1)  # whatever ails it, do not start them in a tight loop
        self._dismiss(worker)

    def _enforce_limits(self) -> None:
        now = time.monotonic()
        for worker in list(self._workers):
            if worker.task is None or worker.watch is None:
                continue
            array, _ = worker.task
            request = array.request
            resident_mb = _resident_mb(worker.watch)
            worker.peak_mb = max(worker.peak_mb, resident_mb)
            if resident_mb > request.memory_mb:
                text = f"{resident_mb:.0f} MB resident, {request.memory_mb:.0f} MB allowed"
                self._end_by_force(worker, JobState.OUT_OF_MEMORY, text)
            elif now - worker.began > request.time_s:
                self._end_by_force(worker, JobState.TIMEOUT, f"ran longer than {request.time_s:g} s")

    def _end_by_force(self, worker: Worker, state: JobState, detail: str) -> None:
        assert worker.task is not None
        array, index = worker.task
        self._dismiss(worker)
        self._set(array, index, state, detail)

    def _dismiss(self, worker: Worker) -> None:
        self._workers.remove(worker)
        self._kill(worker)

    def _kill(self, worker: Worker) -> None:
        pid = worker.process.pid
        if pid:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, signal.SIGKILL)
        worker.process.kill()
        worker.process.join(5)
        worker.connection.close()

    def _finish(self) -> None:
        """Let running tasks end for a moment; the others go back, for the next pool."""
        deadline = time.monotonic() + GRACE_S
        while time.monotonic() < deadline and any(worker.task for worker in self._workers):
            self._listen()
        for worker in list(self._workers):
            if worker.task:
                array, index = worker.task
                restarts = array.records[index].restarts + 1
                self._end_by_force(worker, JobState.PENDING, "the pool ended; the next one begins it again")
                array.records[index].restarts = restarts
                self._write(array)


def _resident_mb(process: psutil.Process) -> float:
    try:
        resident: int = process.memory_info().rss
        return resident / MB
    except psutil.Error:
        return 0.0


def _kill_if_it_is(pid: int | None, born: float | None) -> None:
    """Kill a process with all of its group, unless the pid is another process's by now."""
    with suppress(psutil.Error, ProcessLookupError, PermissionError):
        if pid and psutil.Process(pid).create_time() == born:
            os.killpg(pid, signal.SIGKILL)
            psutil.Process(pid).wait(5)


def main(arguments: list[str] | None = None) -> None:
    """Run a pool until it is told to end (SIGTERM or SIGINT)."""
    parser = argparse.ArgumentParser(prog="python -m nightshift.runners.pool", description=__doc__.split("\n")[0])
    parser.add_argument("--spool", type=Path, help="its folder (default: NIGHTSHIFT_SPOOL)")
    parser.add_argument(
        "--workers", type=int, default=int(os.environ.get("NIGHTSHIFT_WORKERS") or os.cpu_count() or 1),
        help="tasks at once (default: NIGHTSHIFT_WORKERS, or one a core)",
    )  # fmt: skip
    parser.add_argument("--entry", default=ENTRY, help="module:function that runs a task (default: %(default)s)")
    parser.add_argument("--cold", action="store_true", help="do not load the reduction's libraries beforehand")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    for variable in ONE_THREAD:
        os.environ[variable] = "1"  # a task has one core; the pool's width uses the others
    spool = Spool(options.spool) if options.spool else Spool.from_environment()
    pool = Pool(spool, workers=max(1, options.workers), entry=options.entry, warm=not options.cold)
    signal.signal(signal.SIGTERM, pool.stop)
    signal.signal(signal.SIGINT, pool.stop)
    pool.run()


if __name__ == "__main__":
    main()
