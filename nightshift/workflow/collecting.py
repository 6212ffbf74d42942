"""Results into the ledger: whatever of a job's arrays has ended, one transaction a unit."""

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache

from nightshift.context import Context
from nightshift.errors import NeedsOperator, NightshiftError, Retry
from nightshift.jobs.contract import JobFile, read_job_file
from nightshift.ledger.queries import jobs as job_queries
from nightshift.ledger.queries import ledger as ledger_queries
from nightshift.ledger.queries.jobs import OpenAttempt, OpenJob, Straggler, Submission
from nightshift.runners.base import Runner
from nightshift.vocabulary import ErrorClass, EventLevel, JobState, Reason
from nightshift.workflow.gather import gather
from nightshift.workflow.persistence import Outcome, record
from nightshift.workflow.subjects import Subject, context_of
from nightshift.workflow.verdicts import Answer, ask, outcome_of

__all__ = ["CollectSummary", "Problem", "call_once", "job_file_of", "settle", "subject_of_job", "take_in"]


log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Problem:
    """One unit whose attempt did not end well.

    Parameters
    ----------
    unit_key : str
    attempt : int
    reason, error_class : Reason, ErrorClass
    detail : str
        What was found, and what to do.
    again : bool
        Whether it is made again by itself.
    array, task : str, int
        Where it ran: its log is the runner's under this name and index.
    """

    unit_key: str
    attempt: int
    reason: Reason | None
    error_class: ErrorClass | None
    detail: str
    again: bool
    array: str
    task: int

    def __str__(self) -> str:
        became = "is made again" if self.again else "failed"
        return f"{self.unit_key}, attempt {self.attempt}, {became}: {self.reason}. {self.detail}"


@dataclass(frozen=True)
class CollectSummary:
    """What one look at a job's arrays found.

    Parameters
    ----------
    job_key : str
    succeeded, rejected, failed, retried : int
        Units whose attempt ended now; `retried` ones are due again.
    running : int
        Units whose attempt is still open.
    problems : tuple of Problem
        Of those that failed or are retried.
    """

    job_key: str
    succeeded: int = 0
    rejected: int = 0
    failed: int = 0
    retried: int = 0
    running: int = 0
    problems: tuple[Problem, ...] = ()

    @property
    def ended(self) -> bool:
        """Whether no attempt of the job is open any more."""
        return self.running == 0

    @property
    def nothing_but_trouble(self) -> bool:
        """Whether every unit failed for good, and not because of what the camera delivered."""
        others = self.succeeded + self.rejected + self.retried + self.running
        causes = {problem.error_class for problem in self.problems if not problem.again}
        return self.failed > 0 and others == 0 and ErrorClass.BAD_INPUT not in causes


def take_in(
    context: Context, runner: Runner, subject: Subject, *, final: bool = False, spare_live: bool = False
) -> CollectSummary:
    """Take what has ended into the ledger.

    Parameters
    ----------
    final : bool
        Whether attempts without a result are given up as lost, and what lives of them is cancelled.
    spare_live : bool
        Then too not those that wait or run, or of which the runner says nothing.
    """
    context = context_of(context, subject)
    attempts = job_queries.open_attempts(context.ledger, job_key=subject.job_key)
    answer = ask(runner, frozenset(attempt.name for attempt in attempts))
    _call_where_nothing_is_known(context, answer)
    read_job = cache(lambda place: job_file_of(context, place))
    counts: dict[str, int] = defaultdict(int)
    problems, ended = [], []
    for attempt in attempts:
        outcome = outcome_of(context, attempt, answer, final=final and not (spare_live and answer.may_live(attempt)))
        if outcome is None:
            counts["running"] += 1
        else:
            ended.append((attempt, outcome))
    for attempt, outcome in _in_order_of_jobs(ended, read_job):
        try:
            became, outcome = record(context, subject, attempt, read_job(attempt.job_file), outcome, final=final)
        except Retry as error:
            if error.reason is not Reason.STORAGE_UNAVAILABLE:
                raise
            log.warning("%s is looked at again: %s", attempt.unit_key, error)
            counts["running"] += 1
            continue
        counts[became] += 1
        if became in ("failed", "retried"):
            problems.append(_problem(attempt, outcome, again=became == "retried"))
    if final and not spare_live:
        _cancel_what_lives(runner, attempts, answer)
    settle(context, subject)
    gather(context, subject)
    counts.pop("known", None)
    return CollectSummary(subject.job_key, **counts, problems=tuple(problems))


def _in_order_of_jobs(
    ended: Iterable[tuple[OpenAttempt, Outcome]], read_job: Callable[[str], JobFile]
) -> list[tuple[OpenAttempt, Outcome]]:
    """Return attempts as their job files list them: what is wanted most comes first there."""
    ended = list(ended)
    jobs = {attempt.job_file: read_job(attempt.job_file) for attempt, _ in ended}
    places = {unit.token: number for job in jobs.values() for number, unit in enumerate(job.units)}
    return sorted(ended, key=lambda each: places.get(each[0].token, 0))


def _call_where_nothing_is_known(context: Context, answer: Answer) -> None:
    """Call somebody about arrays that wait until a person has mended what the runner keeps of them."""
    for (name, _), report in answer.reports.items():
        if report.state is JobState.UNKNOWN and report.reason is not None:
            call_once(
                context, "array_unknown", name, f"Its units wait, and nothing is known of them: {report.detail}"
            )


def call_once(context: Context, kind: str, subject: str, text: str) -> None:
    """Call somebody, where nobody was called about it before."""
    if not ledger_queries.event_said(context.ledger, kind=kind, subject=subject):
        context.ledger.event(EventLevel.PAGE, kind, text[:1000], subject=subject, night_time=context.clock.now())


def job_file_of(context: Context, place: str) -> JobFile:
    """Read the job file of an array.

    Raises
    ------
    nightshift.errors.BadInput
        If it is damaged.
    nightshift.errors.NeedsOperator
        If it is not there.
    nightshift.errors.Retry
        If its disk does not answer.
    """
    path = context.depot.absolute(place)
    try:
        return read_job_file(path)
    except FileNotFoundError as error:
        raise NeedsOperator(Reason.INPUT_LOST, f"the job file {path} is not there: restore it") from error
    except OSError as error:
        raise Retry(Reason.STORAGE_UNAVAILABLE, f"the job file {path} does not read: {error}") from error


def settle(context: Context, subject: Subject) -> None:
    """End the submissions, the job and the exposures of a subject of which nothing is open any more."""
    with context.ledger.transaction():
        job_queries.end_submissions(context.ledger, job_key=subject.job_key)
        job_queries.end_job(context.ledger, job_key=subject.job_key)
        subject.kind.end(context, subject)


def subject_of_job(job: OpenJob | Straggler | Submission) -> Subject:
    """Return what a job is for."""
    return Subject.parse(job.kind, job.subject, job.campaign)


def _problem(attempt: OpenAttempt, outcome: Outcome, *, again: bool) -> Problem:
    return Problem(
        attempt.unit_key, attempt.attempt, outcome.reason, outcome.error_class, outcome.detail, again,
        attempt.name, attempt.task_index,
    )  # fmt: skip


def _cancel_what_lives(runner: Runner, attempts: Iterable[OpenAttempt], answer: Answer) -> None:
    """Stop arrays whose tasks were given up while they live: their output would not be believed any more."""
    live = {each.name for each in attempts if (report := answer.of(each)) and not report.state.ended}
    for name in sorted(live):
        try:
            runner.cancel(name)
        except NightshiftError as error:  # the reaper finds it, and tries again
            log.warning("%s lives, was given up and cannot be cancelled now: %s", name, error)
