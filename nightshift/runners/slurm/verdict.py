"""What the answers of the controller and of the accounting mean for one task.

The controller is believed first. The accounting is asked only about what the controller has forgotten, or ended
without saying how. After an outage the accounting answers wrongly for some seconds; an end that does not hold
together is therefore not believed until it has lasted.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from nightshift.runners.base import TaskReport
from nightshift.runners.slurm.job_states import SlurmState, job_state
from nightshift.runners.slurm.notes import Note
from nightshift.runners.slurm.transport import Accounted, Queued
from nightshift.vocabulary import JobState, Reason

__all__ = ["Grace", "Sources", "judge", "needs_accounting"]

NEAR_LIMIT = 0.8  # of the memory: killed there means out of memory
KILLED, CANNOT_OPEN = 9, 53  # signals; 53 is SLURM's own, for a working directory or output that does not open
TIMED_OUT = (124, 137)  # exit codes of `timeout`, when TERM was enough and when it was not
COULD_NOT_WRITE = os.EX_TEMPFAIL  # of a job: nothing is wrong with it but its storage
OOM = 125  # the signal by which SLURM reports an end by cgroup's memory limit


@dataclass(frozen=True)
class Grace:
    """How long an answer must last before it is believed, in seconds.

    Parameters
    ----------
    lost_s : float
        Of a task that no source knows, every source answering.
    doubtful_s : float
        Of an end in the accounting that does not hold together.
    cause_s : float
        For an accounting that answers to say why a task failed, after the controller said that it did.
    """

    lost_s: float = 60.0
    doubtful_s: float = 60.0
    cause_s: float = 60.0


@dataclass(frozen=True)
class Sources:
    """What is known of one task.

    Parameters
    ----------
    queued : Queued or None
        The controller answered; None: it does not know the task.
    starts : sequence of Accounted or None
        Every start that the accounting knows, earliest first; None: the accounting does not answer.
    """

    queued: Queued | None
    starts: Sequence[Accounted] | None


def needs_accounting(queued: Queued | None, note: Note) -> bool:
    """Whether the controller's answer leaves open how a task stands."""
    if queued is None or queued.state in (SlurmState.FAILED, SlurmState.UNNAMED):
        return True
    return queued.state.ended and note.requeue  # how often it was begun again


def judge(note: Note, index: int, sources: Sources, grace: Grace, absent_for: Callable[[], float]) -> TaskReport:
    """Return how a task stands.

    Parameters
    ----------
    note : Note
    index : int
    sources : Sources
    grace : Grace
    absent_for : callable
        Returns for how long the present doubt about this task has lasted; called only while there is one.
    """
    queued, starts = sources.queued, sources.starts
    last = starts[-1] if starts else None
    report = TaskReport(note.name, index, JobState.UNKNOWN, restarts=max(0, len(starts or ()) - 1))
    if queued is not None:
        restarts = max(report.restarts, queued.restarts)
        report = replace(report, host=queued.node, started=queued.started, detail=queued.why, restarts=restarts)
        if queued.state is SlurmState.FAILED:
            if starts is None:
                return replace(report, detail="failed; the accounting, which knows how, does not answer")
            return _failed(report, note, last, grace, absent_for)
        lags = note.requeue and queued.state.ended and starts is not None and not _is_same_start(queued, last)
        if lags and absent_for() < grace.cause_s:
            return replace(report, detail="ended; the accounting does not say yet how often it was begun")
        return replace(report, state=job_state(queued.state))
    if starts is None:
        return replace(report, detail="the controller does not know it, and the accounting does not answer")
    if last is not None:
        report = replace(report, host=last.node, started=last.started)
        if last.state.ended and not _is_doubtful(last):
            return explained(report, note, last)
    return _absent(report, note, last, grace, absent_for)


def _failed(
    report: TaskReport, note: Note, last: Accounted | None, grace: Grace, absent_for: Callable[[], float]
) -> TaskReport:
    """The controller says that it failed; the accounting says how."""
    if last is not None and last.state.ended and not _is_doubtful(last):
        return explained(report, note, last)
    if absent_for() < grace.cause_s:
        return replace(report, state=JobState.UNKNOWN, detail="failed; the accounting does not say yet how")
    return replace(report, state=JobState.FAILED, detail=report.detail or "failed, and the accounting says not how")


def _absent(
    report: TaskReport, note: Note, last: Accounted | None, grace: Grace, absent_for: Callable[[], float]
) -> TaskReport:
    """The controller does not know it any more, and the accounting knows no end of it that can be believed."""
    lasted = absent_for()
    if last is not None and _is_doubtful(last):
        if lasted < grace.doubtful_s:
            return replace(report, detail="the accounting says that it failed, with exit code zero")
        return explained(report, note, last)
    if lasted < grace.lost_s:
        return replace(report, detail="neither the controller nor the accounting knows it")
    return replace(report, state=JobState.LOST, detail=f"known to nobody for {lasted:.0f} s")


def _is_same_start(queued: Queued, last: Accounted | None) -> bool:
    return last is not None and last.state is queued.state and last.started == queued.started


def _is_doubtful(start: Accounted) -> bool:
    """Whether an end contradicts itself: so the accounting answers for some seconds after an outage."""
    return start.state is SlurmState.FAILED and not start.exit_code and not start.exit_signal


def explained(report: TaskReport, note: Note, start: Accounted) -> TaskReport:
    """Return the report of a task whose end the accounting knows."""
    state, detail = job_state(start.state), report.detail
    if start.exit_code == COULD_NOT_WRITE and not start.exit_signal:
        report = replace(report, reason=Reason.STORAGE_UNAVAILABLE)
    if start.state in (SlurmState.FAILED, SlurmState.OUT_OF_MEMORY):
        state, detail = _cause(note, start)
    elif start.state in (SlurmState.NODE_FAIL, SlurmState.PREEMPTED):
        detail = start.state.value.lower().replace("_", " ")
    return replace(report, state=state, detail=detail, host=start.node or report.host)


def _cause(note: Note, start: Accounted) -> tuple[JobState, str]:
    """Tell a task's own failure from a kill for memory, for time, and from a node that could not start it."""
    used = f"{start.memory_mb:.0f} of {note.memory_mb:.0f} MB"
    if start.state is SlurmState.OUT_OF_MEMORY or start.exit_signal == OOM:
        return JobState.OUT_OF_MEMORY, f"ended by its memory limit at {used}"
    if start.exit_signal == KILLED:
        if start.memory_mb > NEAR_LIMIT * note.memory_mb:
            return JobState.OUT_OF_MEMORY, f"killed at {used}"
        return JobState.NODE_FAILED, f"killed by signal 9 at {used}"
    if start.exit_code in TIMED_OUT:
        return JobState.TIMEOUT, "ran longer than its time"
    if start.exit_signal == CANNOT_OPEN:
        return JobState.NODE_FAILED, f"node {start.node} could not open its folder: is the shared disk mounted there?"
    if start.exit_signal:
        return JobState.FAILED, f"ended by signal {start.exit_signal}"
    if start.exit_code == COULD_NOT_WRITE:
        return JobState.FAILED, "it could not write"
    return JobState.FAILED, f"exit code {start.exit_code}"
