"""The named queries of ``sql/queries/jobs.sql``, typed.

Written by ``make queries``: change the SQL and run it.
"""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from nightshift.ledger.database import Ledger
from nightshift.vocabulary import AttemptState, ErrorClass

__all__ = [
    "ArrayOfRun",
    "ArrayOfWorkflow",
    "EarlierFailures",
    "LockedAttempt",
    "OpenArray",
    "OpenAttempt",
    "OpenJob",
    "OpenSubmission",
    "OwnedArray",
    "PastAttempt",
    "Straggler",
    "Submission",
    "SupersededAttempt",
    "all_open_submissions",
    "array_of_dag",
    "arrays_of_run",
    "attempts_of_job",
    "campaign_number",
    "earlier_failures",
    "end_attempt",
    "end_job",
    "end_submissions",
    "lock_attempt",
    "next_submission",
    "night_of_job",
    "open_attempts",
    "open_jobs_of_night",
    "open_submissions",
    "own_submission",
    "owned_up_to",
    "put_attempt",
    "put_job",
    "put_submission",
    "set_attempts_submitted",
    "set_submitted",
    "stragglers",
    "submission_by_name",
    "supersede_attempts",
    "was_taken_back",
]

TOPIC = "jobs"


@dataclass(frozen=True, slots=True)
class PastAttempt:
    """A row of `attempts_of_job`."""

    unit_key: str
    attempt: int
    state: AttemptState
    reason: str | None
    error_class: ErrorClass | None
    overruled: bool


@dataclass(frozen=True, slots=True)
class OpenSubmission:
    """A row of `open_submissions`."""

    job_key: str
    submission: int
    name: str
    runner: str
    job_file: str
    tasks: int
    runner_job_id: str | None
    airflow_run: str | None
    airflow_try: int | None


@dataclass(frozen=True, slots=True)
class Submission:
    """A row of `submission_by_name`."""

    job_key: str
    submission: int
    name: str
    tasks: int
    airflow_run: str | None
    airflow_try: int | None
    ended_at: datetime | None
    runner: str
    ended_s: float | None
    kind: str
    subject: str
    campaign: str


@dataclass(frozen=True, slots=True)
class ArrayOfRun:
    """A row of `arrays_of_run`."""

    name: str
    tasks: int
    airflow_try: int | None
    intended_at: datetime


@dataclass(frozen=True, slots=True)
class ArrayOfWorkflow:
    """A row of `array_of_dag`."""

    name: str
    tasks: int


@dataclass(frozen=True, slots=True)
class OwnedArray:
    """A row of `owned_up_to`."""

    job_key: str
    name: str
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class OpenArray:
    """A row of `all_open_submissions`."""

    job_key: str
    submission: int
    name: str
    airflow_run: str | None
    runner_job_id: str | None


@dataclass(frozen=True, slots=True)
class SupersededAttempt:
    """A row of `supersede_attempts`."""

    unit_key: str


@dataclass(frozen=True, slots=True)
class EarlierFailures:
    """A row of `earlier_failures`."""

    memory: int
    time: int


@dataclass(frozen=True, slots=True)
class OpenAttempt:
    """A row of `open_attempts`."""

    job_key: str
    unit_key: str
    attempt: int
    submission: int
    task_index: int
    token: str
    folder: str
    state: AttemptState
    name: str
    runner: str
    job_file: str
    age_s: float
    earlier_reasons: list[str]


@dataclass(frozen=True, slots=True)
class LockedAttempt:
    """A row of `lock_attempt`."""

    token: str


@dataclass(frozen=True, slots=True)
class Straggler:
    """A row of `stragglers`."""

    job_key: str
    kind: str
    subject: str
    campaign: str
    age_s: float


@dataclass(frozen=True, slots=True)
class OpenJob:
    """A row of `open_jobs_of_night`."""

    job_key: str
    kind: str
    subject: str
    campaign: str


def put_job(
    ledger: Ledger,
    *,
    job_key: str | None,
    kind: str | None,
    subject: str | None,
    campaign: str | None,
    site: str | None,
    night: date | None,
) -> int:
    """The night is that of its newest work: names of files that come again each night are one job."""
    return ledger.run(
        TOPIC, "put_job", job_key=job_key, kind=kind, subject=subject, campaign=campaign, site=site, night=night
    )


def attempts_of_job(ledger: Ledger, *, job_key: str) -> list[PastAttempt]:
    """With whether a person has accepted the unit or its frame since, or a master came that it lacked: then what
    was before says nothing any more.
    """
    return ledger.select(TOPIC, "attempts_of_job", PastAttempt, job_key=job_key)


def next_submission(ledger: Ledger, *, job_key: str) -> int:
    """Run `next_submission`."""
    found: int = ledger.value(TOPIC, "next_submission", job_key=job_key)
    return found


def put_submission(
    ledger: Ledger,
    *,
    submission: int | None,
    array_name: str | None,
    runner: str | None,
    airflow_run: str | None,
    airflow_try: int | None,
    job_file: str | None,
    tasks: int | None,
    job_key: str | None,
) -> int:
    """Run `put_submission`."""
    return ledger.run(
        TOPIC,
        "put_submission",
        submission=submission,
        array_name=array_name,
        runner=runner,
        airflow_run=airflow_run,
        airflow_try=airflow_try,
        job_file=job_file,
        tasks=tasks,
        job_key=job_key,
    )


def put_attempt(
    ledger: Ledger,
    *,
    unit_key: str | None,
    attempt: int | None,
    task_index: int | None,
    token: str | None,
    folder: str | None,
    job_key: str | None,
    submission: int | None,
) -> int:
    """Run `put_attempt`."""
    return ledger.run(
        TOPIC,
        "put_attempt",
        unit_key=unit_key,
        attempt=attempt,
        task_index=task_index,
        token=token,
        folder=folder,
        job_key=job_key,
        submission=submission,
    )


def open_submissions(ledger: Ledger, *, job_key: str) -> list[OpenSubmission]:
    """Run `open_submissions`."""
    return ledger.select(TOPIC, "open_submissions", OpenSubmission, job_key=job_key)


def own_submission(
    ledger: Ledger, *, airflow_run: str | None, airflow_try: int | None, job_key: str | None, submission: int | None
) -> int:
    """The run that asked last, and its try, own the array from now on."""
    return ledger.run(
        TOPIC,
        "own_submission",
        airflow_run=airflow_run,
        airflow_try=airflow_try,
        job_key=job_key,
        submission=submission,
    )


def submission_by_name(ledger: Ledger, *, array_name: str) -> Submission | None:
    """Run `submission_by_name`."""
    return ledger.first(TOPIC, "submission_by_name", Submission, array_name=array_name)


def arrays_of_run(ledger: Ledger, *, dag_id: str, run_id: str) -> list[ArrayOfRun]:
    """Run `arrays_of_run`."""
    return ledger.select(TOPIC, "arrays_of_run", ArrayOfRun, dag_id=dag_id, run_id=run_id)


def array_of_dag(ledger: Ledger, *, dag_id: str, array_name: str) -> ArrayOfWorkflow | None:
    """Run `array_of_dag`."""
    return ledger.first(TOPIC, "array_of_dag", ArrayOfWorkflow, dag_id=dag_id, array_name=array_name)


def owned_up_to(ledger: Ledger, *, array_name: str, airflow_run: str) -> list[OwnedArray]:
    """The array of that name and what is open of the ones before it, as far as that run owns them."""
    return ledger.select(TOPIC, "owned_up_to", OwnedArray, array_name=array_name, airflow_run=airflow_run)


def all_open_submissions(ledger: Ledger, *, site: str, settled_s: float) -> list[OpenArray]:
    """Run `all_open_submissions`."""
    return ledger.select(TOPIC, "all_open_submissions", OpenArray, site=site, settled_s=settled_s)


def supersede_attempts(ledger: Ledger, *, detail: str, job_key: str, submission: int) -> list[SupersededAttempt]:
    """Take back what is open of an array; a late result of it is not believed."""
    return ledger.select(
        TOPIC, "supersede_attempts", SupersededAttempt, detail=detail, job_key=job_key, submission=submission
    )


def was_taken_back(ledger: Ledger, *, job_key: str) -> bool:
    """Whether the last word on some unit of a job is that it was stopped or superseded."""
    found: bool = ledger.value(TOPIC, "was_taken_back", job_key=job_key)
    return found


def earlier_failures(ledger: Ledger, *, job_key: str, submission: int) -> EarlierFailures | None:
    """How often the units of a submission ran out of memory or time before."""
    return ledger.first(TOPIC, "earlier_failures", EarlierFailures, job_key=job_key, submission=submission)


def set_submitted(ledger: Ledger, *, runner_job_id: str | None, job_key: str | None, submission: int | None) -> int:
    """Run `set_submitted`."""
    return ledger.run(TOPIC, "set_submitted", runner_job_id=runner_job_id, job_key=job_key, submission=submission)


def set_attempts_submitted(ledger: Ledger, *, job_key: str | None, submission: int | None) -> int:
    """Run `set_attempts_submitted`."""
    return ledger.run(TOPIC, "set_attempts_submitted", job_key=job_key, submission=submission)


def open_attempts(ledger: Ledger, *, job_key: str) -> list[OpenAttempt]:
    """What is not known to have ended, with the reasons why earlier attempts of the unit did not succeed, since a
    master came that it lacked.
    """
    return ledger.select(TOPIC, "open_attempts", OpenAttempt, job_key=job_key)


def lock_attempt(ledger: Ledger, *, token: str, job_key: str) -> LockedAttempt | None:
    """Run `lock_attempt`."""
    return ledger.first(TOPIC, "lock_attempt", LockedAttempt, token=token, job_key=job_key)


def end_attempt(
    ledger: Ledger,
    *,
    state: str | None,
    reason: str | None,
    error_class: str | None,
    detail: str | None,
    restart_count: int | None,
    host: str | None,
    peak_memory_mb: float | None,
    seconds: dict[str, Any] | None,
    token: str | None,
    job_key: str | None,
) -> int:
    """Run `end_attempt`."""
    return ledger.run(
        TOPIC,
        "end_attempt",
        state=state,
        reason=reason,
        error_class=error_class,
        detail=detail,
        restart_count=restart_count,
        host=host,
        peak_memory_mb=peak_memory_mb,
        seconds=seconds,
        token=token,
        job_key=job_key,
    )


def end_submissions(ledger: Ledger, *, job_key: str | None) -> int:
    """Run `end_submissions`."""
    return ledger.run(TOPIC, "end_submissions", job_key=job_key)


def end_job(ledger: Ledger, *, job_key: str | None) -> int:
    """Run `end_job`."""
    return ledger.run(TOPIC, "end_job", job_key=job_key)


def stragglers(ledger: Ledger, *, site: str, deadline_s: float) -> list[Straggler]:
    """Jobs with an open array although no run of theirs is under way, or beyond their deadline."""
    return ledger.select(TOPIC, "stragglers", Straggler, site=site, deadline_s=deadline_s)


def open_jobs_of_night(ledger: Ledger, *, site: str, night: date) -> list[OpenJob]:
    """Run `open_jobs_of_night`."""
    return ledger.select(TOPIC, "open_jobs_of_night", OpenJob, site=site, night=night)


def night_of_job(ledger: Ledger, *, job_key: str) -> date:
    """Run `night_of_job`."""
    found: date = ledger.value(TOPIC, "night_of_job", job_key=job_key)
    return found


def campaign_number(ledger: Ledger, *, campaign: str) -> int:
    """Run `campaign_number`."""
    found: int = ledger.value(TOPIC, "campaign_number", campaign=campaign)
    return found
