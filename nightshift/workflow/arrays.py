"""Arrays of jobs: submit them safely, and have their results taken into the ledger.

The ledger holds the intent before the runner is asked, so a crash between any two steps is mended by running the
same step again. A result is believed only with the token of the attempt that the ledger waits for. Whose an array is,
and who may cancel it, is said in `nightshift.workflow.cancelling`.
"""

import contextlib
from collections import defaultdict
from collections.abc import Mapping
from datetime import date
from pathlib import Path

from nightshift.code_version import code_version
from nightshift.context import Context
from nightshift.errors import NeedsOperator, NightshiftError, Retry
from nightshift.jobs.contract import JobFile, UnitWork, new_token, write_job_file
from nightshift.kinds.plans import Plan, PlannedUnit
from nightshift.ledger.queries import jobs as job_queries
from nightshift.ledger.queries import runs as run_queries
from nightshift.ledger.queries.jobs import EarlierFailures, OpenSubmission, PastAttempt, Straggler
from nightshift.runners.base import ArrayRequest, Runner
from nightshift.settings.models import Profile
from nightshift.settings.stages import hash_of_kind, settings_of_job
from nightshift.vocabulary import AttemptState, ErrorClass, Reason
from nightshift.workflow.cancelling import forget_cancelled, supersede, was_taken_back
from nightshift.workflow.collecting import CollectSummary, call_once, subject_of_job, take_in
from nightshift.workflow.persistence import tries_made
from nightshift.workflow.priorities import is_backlog, priority_of
from nightshift.workflow.subjects import Subject, context_of, subject_of
from nightshift.workflow.verdicts import ENDED_WELL

__all__ = ["CollectSummary", "array_to_wait_for", "collect", "give_up", "submit", "sweep"]

GROWTH = 1.5  # of memory or time, for each earlier attempt that ran out of it
OPEN = (AttemptState.INTENDED, AttemptState.SUBMITTED)
RETRIED = (ErrorClass.RETRY, ErrorClass.RESOURCES)


# --- submit -------------------------------------------------------------------------------------------------


def submit(
    context: Context,
    runner: Runner,
    kind: str,
    conf: Mapping[str, str],
    *,
    airflow_run: str,
    airflow_try: int,
    cleared_after: int = 0,
    wanted_anew: bool = False,
) -> str | None:
    """Give the runner an array of all that a subject needs now, or adopt the one that is there.

    Parameters
    ----------
    context : Context
    runner : Runner
    kind : str
    conf : mapping of str to str
        The run's natural keys.
    airflow_run, airflow_try : str, int
        Recorded with the array as its owner; 0 where a wait, and no `submit`, asks.
    cleared_after : int
        The last try before a person cleared the task, 0 where nobody did. What the tries up to it handed in is
        superseded; what later ones did is adopted.
    wanted_anew : bool
        Whether a person wants what was cancelled before; a clear says so too.

    Returns
    -------
    str or None
        The array's name, by which the runner and `collect` know it. None: nothing is to be done.

    Raises
    ------
    nightshift.errors.Retry
        If it is not known whether the runner took the array: call again.
    nightshift.errors.NeedsOperator
        If the runner refuses it.
    """
    subject, ledger = subject_of(kind, conf), context.ledger
    context = context_of(context, subject)
    for old in job_queries.open_submissions(ledger, job_key=subject.job_key):
        if cleared_after and old.airflow_run == airflow_run and (old.airflow_try or 0) <= cleared_after:
            supersede(context, runner, old.name, f"a person cleared try {old.airflow_try} of {airflow_run}")
    with ledger.transaction():
        run_queries.lock_subject(ledger, subject=subject.job_key)
        run_queries.put_run(
            ledger, run_id=airflow_run, dag_id=subject.kind.workflow, subject=subject.job_key, conf=dict(conf)
        )
        if cleared_after or wanted_anew:
            run_queries.resume_run(ledger, run_id=airflow_run)
            forget_cancelled(context, subject)
        _intend(context, runner, subject, airflow_run, airflow_try)
        waiting = job_queries.open_submissions(ledger, job_key=subject.job_key)
        if not waiting:
            subject.kind.end(context, subject)
            run_queries.end_runs(ledger, subject=subject.job_key)
            return None
        for submission in waiting:
            job_queries.own_submission(
                ledger, job_key=subject.job_key, submission=submission.submission, airflow_run=airflow_run,
                airflow_try=airflow_try,
            )  # fmt: skip
    for submission in waiting:
        if submission.runner_job_id is None:
            _hand_over(context, runner, subject, submission)
    return waiting[-1].name


def _intend(context: Context, runner: Runner, subject: Subject, airflow_run: str, airflow_try: int) -> None:
    """Write job file, submission and attempts of what is planned and not under way."""
    ledger, job_key = context.ledger, subject.job_key
    plan = subject.kind.plan(context, subject)
    numbers = _next_attempts(context, job_key, plan)
    if not numbers:
        return
    job_queries.put_job(
        ledger, job_key=job_key, kind=subject.kind.name, subject=subject.text, campaign=subject.campaign,
        site=plan.site, night=plan.night,
    )  # fmt: skip
    submission = job_queries.next_submission(ledger, job_key=job_key)
    folder = context.depot.work(plan.night, job_key)
    job = _job_file(context, subject, plan, numbers, submission, folder)
    path = folder / f"job_{submission}.json"
    write_job_file(path, job)
    # the last part keeps apart two ledgers of one survey that share a cluster, such as a night played twice
    name = f"{job_key.replace('/', '__')}__s{submission}t{airflow_try}__{new_token()[:6]}"
    job_queries.put_submission(
        ledger, job_key=job_key, submission=submission, array_name=name,
        runner=runner.name, airflow_run=airflow_run, airflow_try=airflow_try,
        job_file=context.depot.relative(path), tasks=len(job.tasks),
    )  # fmt: skip
    for task, indices in enumerate(job.tasks):
        for unit in (job.units[index] for index in indices):
            job_queries.put_attempt(
                ledger, job_key=job_key, unit_key=unit.unit_key, attempt=unit.attempt, submission=submission,
                task_index=task, token=unit.token, folder=context.depot.relative(Path(unit.folder)),
            )  # fmt: skip
    subject.kind.begin(context, subject, [unit.unit_key for unit in job.units])


def _next_attempts(context: Context, job_key: str, plan: Plan) -> dict[str, int]:
    """Return the number of the next attempt of every planned unit that may have one."""
    past = defaultdict(list)
    numbers: dict[str, int] = defaultdict(int)
    for attempt in job_queries.attempts_of_job(context.ledger, job_key=job_key):
        numbers[attempt.unit_key] += 1
        if not attempt.overruled or attempt.state in OPEN:
            past[attempt.unit_key].append(attempt)
    return {
        unit.unit_key: numbers[unit.unit_key] + 1
        for unit in plan.units
        if not any(map(_is_final, past[unit.unit_key]))
        and tries_made(attempt.reason for attempt in past[unit.unit_key]) < context.survey.exposure.attempts
    }


def _is_final(attempt: PastAttempt) -> bool:
    """Whether an attempt is open, ended well, or failed in a way that the same input would again.

    What a person cancelled is not: it is planned again only after a person has taken that back.
    """
    if attempt.reason == Reason.CANCELLED:
        return False
    if attempt.state in OPEN or attempt.state in ENDED_WELL:
        return True
    return attempt.error_class is not None and attempt.error_class not in RETRIED


def _job_file(
    context: Context, subject: Subject, plan: Plan, numbers: dict[str, int], submission: int, folder: Path
) -> JobFile:
    planned = [unit for unit in plan.units if unit.unit_key in numbers]
    units = tuple(_work(unit, numbers[unit.unit_key], folder) for unit in planned)
    tasks: dict[int, list[int]] = defaultdict(list)
    for index, unit in enumerate(planned):
        tasks[unit.task].append(index)
    return JobFile(
        kind=subject.kind.name,
        job_key=subject.job_key,
        submission=submission,
        survey=context.survey.name,
        settings_hash=hash_of_kind(context.survey, subject.kind),
        settings=settings_of_job(context.survey, subject.kind),
        tasks=tuple(tuple(indices) for _, indices in sorted(tasks.items())),
        units=units,
        campaign=subject.campaign,
        code_version=code_version(),
    )


def _work(unit: PlannedUnit, attempt: int, folder: Path) -> UnitWork:
    own = folder / unit.unit_key / f"a{attempt}"
    return UnitWork(unit.unit_key, attempt, new_token(), str(own), unit.inputs, unit.parameters)


def _hand_over(context: Context, runner: Runner, subject: Subject, submission: OpenSubmission) -> None:
    """Ask the runner to take an array whose intent is written. Asking again adopts what it has."""
    try:
        runner_job_id = runner.submit(_request(context, subject, submission))
    except NeedsOperator as error:
        call_once(context, "array_refused", submission.name, f"The runner refuses the array: {error}")
        raise
    ledger, job_key, number = context.ledger, submission.job_key, submission.submission
    with ledger.transaction():
        job_queries.set_submitted(ledger, job_key=job_key, submission=number, runner_job_id=runner_job_id)
        job_queries.set_attempts_submitted(ledger, job_key=job_key, submission=number)


def _request(context: Context, subject: Subject, submission: OpenSubmission) -> ArrayRequest:
    profile = context.survey.profile(subject.kind.name)
    failures = job_queries.earlier_failures(
        context.ledger, job_key=submission.job_key, submission=submission.submission
    ) or EarlierFailures(memory=0, time=0)
    priority = priority_of(context, subject)
    return ArrayRequest(
        name=submission.name,
        kind=subject.kind.name,
        job_file=context.depot.absolute(submission.job_file),
        tasks=submission.tasks,
        memory_mb=profile.memory_mb * GROWTH**failures.memory,
        time_s=profile.time_s * GROWTH**failures.time,
        cores=profile.cores,
        priority=profile.priority + priority,
        options=_options(profile, backlog=is_backlog(priority)),
        environment=profile.environment,
    )


def _options(profile: Profile, *, backlog: bool) -> dict[str, str]:
    """Return where a cluster runs an array; work that real-time work may displace goes where it can be displaced."""
    options = {"partition": profile.partition, "qos": profile.qos, "account": profile.account}
    if backlog and (profile.backlog_partition or profile.backlog_qos):
        options["partition"] = profile.backlog_partition or profile.partition
        options["qos"] = profile.backlog_qos or profile.qos
        options["preemptible"] = "yes"
    return {key: value for key, value in options.items() if value is not None}


# --- wait ---------------------------------------------------------------------------------------------------


def array_to_wait_for(
    context: Context, runner: Runner, kind: str, conf: Mapping[str, str], *, airflow_run: str, wait_try: int
) -> str | None:
    """Return the name of the array that works for a subject, or None where there is none.

    A wait that was cleared by itself, without its `submit`, has the work that was taken back handed in anew here.
    """
    subject = subject_of(kind, conf)
    if waiting := job_queries.open_submissions(context.ledger, job_key=subject.job_key):
        return waiting[-1].name
    if wait_try > 1 and was_taken_back(context, subject):
        return submit(context, runner, kind, conf, airflow_run=airflow_run, airflow_try=0, wanted_anew=True)
    return None


# --- collect ------------------------------------------------------------------------------------------------


def collect(context: Context, runner: Runner, kind: str, conf: Mapping[str, str], *, final: bool) -> CollectSummary:
    """Take the results of a subject's arrays into the ledger, one transaction a unit.

    Parameters
    ----------
    final : bool
        Whether this is the hard deadline: attempts that have no result by now are given up as lost. Otherwise they
        are left alone, and the sweeper takes them in later.

    Returns
    -------
    CollectSummary
    """
    subject = subject_of(kind, conf)
    context = subject.scope(context)
    summary = take_in(context, runner, subject, final=final)
    run_queries.end_runs(context.ledger, subject=subject.job_key)
    return summary


def sweep(context: Context, runner: Runner) -> list[CollectSummary]:
    """Collect the stragglers: jobs whose arrays are open although no run waits for them.

    An attempt is given up where the hard deadline has passed and the runner, asked and answering, does not say that
    it waits or runs. A job that cannot be collected is said once and holds up no other.
    """
    summaries = []
    for site in context.sites():
        deadline_s = min(survey.exposure.hard_deadline_s for survey in site.deployment.surveys)
        for job in job_queries.stragglers(site.ledger, site=site.site.name, deadline_s=deadline_s):
            try:
                summaries.append(_collect_straggler(site, runner, job))
            except NightshiftError as error:
                call_once(site, "job_not_collected", job.job_key, f"The job cannot be collected: {error}")
    return summaries


def _collect_straggler(site: Context, runner: Runner, job: Straggler) -> CollectSummary:
    subject = subject_of_job(job)
    context = subject.scope(site)
    _hand_over_again(context, runner, subject)
    late = job.age_s > context.survey.exposure.hard_deadline_s
    return take_in(context, runner, subject, final=late, spare_live=True)


def give_up(context: Context, runner: Runner, site: str, night: date) -> list[CollectSummary]:
    """Collect everything of a night that is open, and give up what has no result: the night's hard deadline."""
    subjects = map(subject_of_job, job_queries.open_jobs_of_night(context.ledger, site=site, night=night))
    return [take_in(subject.scope(context), runner, subject, final=True) for subject in subjects]


def _hand_over_again(context: Context, runner: Runner, subject: Subject) -> None:
    """Ask the runner again for arrays of which it is not known whether it took them."""
    for submission in job_queries.open_submissions(context.ledger, job_key=subject.job_key):
        if submission.runner_job_id is None:
            with contextlib.suppress(Retry, NeedsOperator):
                _hand_over(context, runner, subject, submission)
