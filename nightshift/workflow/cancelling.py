"""When an array is cancelled: because a person stopped it, or because a person wants it begun anew.

An array belongs to the run that asked for it last, and in that run to the tries of `submit` since the last clear.
From this follows who may do what to it:

- A try of `submit` that follows a crash finds its run's array and *adopts* it: nobody cleared, the jobs are wanted.
- A try of `submit` that follows a clear *supersedes* the array of the tries before: what has ended is taken in, the
  attempts that are open are taken back (`superseded`: their late results are not believed, and they do not count as
  tries), the array is cancelled, and a new one under a new name is handed in.
- Another run for the same subject adopts an open array and owns it from then on. What a person does to the earlier
  run's tasks does not touch it any more.
- A wait that a person ended (the trigger's `on_kill`) cancels only the array that it waited for itself, by its name,
  and only while its own run owns it: never the array that a later try has handed in. Marked failed, or its run marked
  failed: the array is *stopped*, its units fail with the reason `cancelled`, and only a person's clear (or a run that
  a person asks for) takes that back. Cleared: it is superseded. Marked as a success: the night goes on without the
  stragglers, which the sweeper takes in.
- A wait that was cleared without its `submit`, and finds that nothing is open and the work was taken back, hands it
  in anew itself.
- Nothing else cancels. A triggerer, scheduler or worker that ends, by whatever signal, leaves the jobs alone; what a
  person did while the triggerer was away is found by the reaper (`nightshift.workflow.reaper`).

The ledger is written before the runner is asked to cancel, so that a crash between the two leaves an array that no
open submission wants, which the reaper cancels.
"""

import contextlib
import time

from nightshift.context import Context
from nightshift.errors import Retry
from nightshift.ledger.queries import exposures as exposure_queries
from nightshift.ledger.queries import jobs as job_queries
from nightshift.ledger.queries import runs as run_queries
from nightshift.ledger.queries.jobs import Submission
from nightshift.runners.base import Runner
from nightshift.vocabulary import AttemptState, ErrorClass, EventLevel, Reason
from nightshift.workflow.collecting import job_file_of, settle, subject_of_job, take_in
from nightshift.workflow.persistence import Outcome, record
from nightshift.workflow.subjects import Subject

__all__ = ["cancel_and_verify", "forget_cancelled", "stop", "supersede", "was_taken_back"]

VERIFIED_WITHIN_S = 8.0  # real seconds that the jobs may take to go
LOOK_EVERY_S = 0.5


def stop(context: Context, runner: Runner, array: str, why: str) -> bool:
    """Stop an array for good: what has no result fails with the reason `cancelled`, until a person wants it again.

    Parameters
    ----------
    array : str
        Its name. One that the ledger does not have open is only cancelled.
    why : str
        Who or what wanted it, for the record.

    Returns
    -------
    bool
        Whether the runner says that nothing of it lives any more.
    """
    submission = job_queries.submission_by_name(context.ledger, array_name=array)
    if submission is not None and submission.ended_at is None:
        subject = subject_of_job(submission)
        context = subject.scope(context)
        take_in(context, runner, subject)
        _fail_what_is_open(context, subject, submission, why)
        settle(context, subject)
        run_queries.end_runs(context.ledger, subject=subject.job_key)
        _say(context, EventLevel.WARNING, "array_stopped", array, f"The array is stopped: {why}.")
    return cancel_and_verify(context, runner, array)


def supersede(context: Context, runner: Runner, array: str, why: str) -> bool:
    """Cancel an array whose work is to be begun anew: what has no result is due again.

    Parameters, answer: as of `stop`.
    """
    submission = job_queries.submission_by_name(context.ledger, array_name=array)
    if submission is not None and submission.ended_at is None:
        subject = subject_of_job(submission)
        context = subject.scope(context)
        take_in(context, runner, subject)
        with context.ledger.transaction():
            run_queries.lock_subject(context.ledger, subject=subject.job_key)
            for attempt in job_queries.supersede_attempts(
                context.ledger, job_key=subject.job_key, submission=submission.submission, detail=why
            ):
                exposure_queries.return_unit(context.ledger, unit_key=attempt.unit_key)
            settle(context, subject)
        _say(context, EventLevel.INFO, "array_superseded", array, f"The array's work is begun anew: {why}.")
    return cancel_and_verify(context, runner, array)


def cancel_and_verify(context: Context, runner: Runner, array: str, *, within_s: float = VERIFIED_WITHIN_S) -> bool:
    """Cancel an array and look until nothing of it lives; say so where that takes too long.

    Also one of which the runner says nothing is cancelled: its submit may be under way, and the runner remembers.

    Returns
    -------
    bool
        False where it is not known to be gone: the reaper comes back to it.
    """
    deadline = time.monotonic() + within_s
    while True:
        with contextlib.suppress(Retry):
            runner.cancel(array)
            if not _lives(runner, array):
                return True
        if time.monotonic() > deadline:
            break
        time.sleep(LOOK_EVERY_S)
    _say(
        context, EventLevel.WARNING, "array_not_gone", array,
        f"The array was cancelled and is not known to be gone after {within_s:g} s; it is cancelled again.",
    )  # fmt: skip
    return False


def was_taken_back(context: Context, subject: Subject) -> bool:
    """Whether the last word on some unit of a subject is that it was stopped or superseded."""
    return job_queries.was_taken_back(context.ledger, job_key=subject.job_key)


def forget_cancelled(context: Context, subject: Subject) -> None:
    """Take back the failures that a cancel left, so that a person's new wish finds the work due."""
    if not was_taken_back(context, subject):
        return
    with context.ledger.transaction():
        subject.kind.forget_cancelled(context, subject)


def _lives(runner: Runner, array: str) -> bool:
    reports = runner.states(frozenset({array})).get(array, [])
    return any(not report.state.ended for report in reports)


def _fail_what_is_open(context: Context, subject: Subject, submission: Submission, why: str) -> None:
    outcome = Outcome(
        AttemptState.FAILED,
        reason=Reason.CANCELLED,
        error_class=ErrorClass.NEEDS_OPERATOR,
        detail=f"{why}. Clear the run's `submit` in Airflow's page to have it made.",
    )
    for attempt in job_queries.open_attempts(context.ledger, job_key=subject.job_key):
        if attempt.name == submission.name:
            job = job_file_of(context, attempt.job_file)
            record(context, subject, attempt, job, outcome)


def _say(context: Context, level: EventLevel, kind: str, array: str, text: str) -> None:
    context.ledger.event(level, kind, text, subject=array, night_time=context.clock.now())
