"""How one attempt ended: its own result first, then what the runner says, and otherwise nothing yet.

A question to the runner that could not be answered is no verdict. Every failure says which file was looked for and
what to do.
"""

import contextlib
import os
from dataclasses import dataclass, field, replace
from pathlib import Path

from nightshift.context import Context
from nightshift.errors import Retry
from nightshift.jobs.contract import RESULT_NAME, NotWhole, UnitResult, new_token, read_result
from nightshift.ledger.queries.jobs import OpenAttempt
from nightshift.runners.base import Runner, TaskReport
from nightshift.runners.watch import LOST_AFTER_S
from nightshift.vocabulary import AttemptState, EventLevel, JobState, Reason, reason_entries
from nightshift.workflow.persistence import Outcome

__all__ = ["CLASS_OF", "ENDED_WELL", "Answer", "ask", "outcome_of"]

CLASS_OF = {entry.code: entry.error_class for entry in reason_entries()}
ENDED_WELL = (AttemptState.SUCCEEDED, AttemptState.REJECTED)

# what a runner's verdict means where the attempt left no result
_REASONS = {
    JobState.DONE: Reason.NO_RESULT,
    JobState.FAILED: Reason.NO_RESULT,
    JobState.CANCELLED: Reason.CANCELLED,
    JobState.TIMEOUT: Reason.TIMEOUT,
    JobState.OUT_OF_MEMORY: Reason.OUT_OF_MEMORY,
    JobState.NODE_FAILED: Reason.WORKER_LOST,
    JobState.LOST: Reason.WORKER_LOST,
}
_WHAT_TO_DO = {
    Reason.NO_RESULT: "Read the job's log; is the depot's folder there and writable on the node, and Nightshift "
    "installed?",
    Reason.RESULT_INVALID: "What lay there is kept as `not_believed_*.json`; what else writes to that folder?",
    Reason.OUT_OF_MEMORY: "It is tried with more; if it fails again, raise `memory_mb` in the survey's jobs.toml.",
    Reason.TIMEOUT: "It is tried with more; if it fails again, raise `time_s` in the survey's jobs.toml.",
    Reason.WORKER_LOST: "It is tried elsewhere; if it fails again, look at the node.",
    Reason.STORAGE_UNAVAILABLE: "It is made again, ten times at no cost; are the depot and the spool there on that "
    "node, writable, and have they free space?",
    Reason.CANCELLED: "Clear the run's `submit` in Airflow's page to have it made.",
}


@dataclass(frozen=True)
class Answer:
    """What the runner said about some arrays, all asked for at once.

    Parameters
    ----------
    runner : str
        Its name.
    answered : bool
        False: nothing is known, so nothing is lost.
    reports : dict
        By array name and task index.
    arrays : frozenset of str
        The names of those that it knows, be it that nothing is said of some task of them.
    """

    runner: str
    answered: bool
    reports: dict[tuple[str, int], TaskReport] = field(default_factory=dict)
    arrays: frozenset[str] = frozenset()

    def of(self, attempt: OpenAttempt) -> TaskReport | None:
        """Return what was said of the task of an attempt."""
        return self.reports.get((attempt.name, attempt.task_index))

    def may_live(self, attempt: OpenAttempt) -> bool:
        """Whether the task waits or runs, or could not be asked about."""
        if not self.answered or (report := self.of(attempt)) is None:
            return not self.answered or attempt.name in self.arrays
        return not report.state.ended

    def is_lost(self, attempt: OpenAttempt) -> bool:
        """Whether the runner took the array, answers, and does not know it any more."""
        return (
            self.answered
            and attempt.runner == self.runner
            and attempt.state == AttemptState.SUBMITTED
            and attempt.age_s > LOST_AFTER_S
            and attempt.name not in self.arrays
        )


def ask(runner: Runner, names: frozenset[str]) -> Answer:
    """Ask the runner once about all arrays."""
    if not names:
        return Answer(runner.name, True)
    try:
        said = runner.states(names)
    except Retry:
        return Answer(runner.name, False)
    reports = {(name, report.index): report for name, reports in said.items() for report in reports}
    return Answer(runner.name, True, reports, frozenset(said))


def outcome_of(context: Context, attempt: OpenAttempt, answer: Answer, *, final: bool) -> Outcome | None:
    """Return how an attempt ended, or None while it has not.

    Parameters
    ----------
    attempt : OpenAttempt
    final : bool
        Whether it is given up where neither a result nor a verdict is there.
    """
    folder, report = context.depot.absolute(attempt.folder), answer.of(attempt)
    if report is not None and report.state is JobState.DONE:
        _refresh(folder)
    try:
        result, invalid = read_result(folder, attempt.token), ""
    except Retry as error:
        away = error.reason is Reason.STORAGE_UNAVAILABLE  # a disk that does not answer says nothing of the result
        if not final and (away or (isinstance(error, NotWhole) and answer.may_live(attempt))):
            return None
        result, invalid = None, str(error)
        if not away:
            _set_aside(context, folder, attempt, invalid)
    if result is not None:
        return _outcome_of_result(result, report)
    if report is not None and report.state in _REASONS:
        reason = Reason.RESULT_INVALID if invalid else report.reason or _REASONS[report.state]
        said = f"the runner says: {report.state}" + (f", {report.detail}" if report.detail else "")
        return _failure(reason, f"{invalid or f'no {folder / RESULT_NAME}'}; {said}", report)
    if answer.is_lost(attempt):
        return _failure(Reason.WORKER_LOST, "the runner does not know the array any more", None, AttemptState.LOST)
    if final:
        taken = attempt.state != AttemptState.INTENDED
        why = "no result by the hard deadline" if taken else "the runner has not taken the array by the hard deadline"
        return _failure(Reason.WORKER_LOST, why, report, AttemptState.LOST)
    return None


def _refresh(folder: Path) -> None:
    """Let a network file system look again: it may go on saying for seconds that a new file is not there."""
    with contextlib.suppress(OSError):
        os.scandir(folder).close()


def _set_aside(context: Context, folder: Path, attempt: OpenAttempt, why: str) -> None:
    """Keep a result that is not believed, out of the way of the attempt's own."""
    with contextlib.suppress(FileNotFoundError):
        (folder / RESULT_NAME).replace(folder / f"not_believed_{new_token()[:8]}.json")
    context.ledger.event(
        EventLevel.WARNING, "result_not_believed", why,
        subject=attempt.unit_key, night_time=context.clock.now(),
    )  # fmt: skip


def _outcome_of_result(result: UnitResult, report: TaskReport | None) -> Outcome:
    restarts = report.restarts if report else 0
    if result.state in ENDED_WELL:
        return Outcome(result.state, result=result, reason=result.reason, detail=result.detail, restarts=restarts)
    reason = result.reason or Reason.INTERNAL_ERROR
    return Outcome(
        AttemptState.FAILED,
        result=result,
        reason=reason,
        error_class=result.error_class or CLASS_OF[reason],
        detail=result.detail,
        restarts=restarts,
    )


def _failure(
    reason: Reason, detail: str, report: TaskReport | None, state: AttemptState = AttemptState.FAILED
) -> Outcome:
    outcome = Outcome(
        state, reason=reason, error_class=CLASS_OF[reason], detail=f"{detail}. {_WHAT_TO_DO.get(reason, '')}".strip()
    )
    return outcome if report is None else replace(outcome, restarts=report.restarts, host=report.host)
