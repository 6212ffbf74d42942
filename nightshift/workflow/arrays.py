"""Arrays of jobs: submit them safely, and take their results into the ledger.

The ledger holds the intent before the runner is asked, so a crash between any two steps is mended by running the
same step again. A result is believed only with the token of the attempt that the ledger waits for.
"""

import contextlib
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from nightshift.errors import NeedsOperator, Retry
from nightshift.jobs.contract import (
    RESULT_NAME,
    JobFile,
    UnitResult,
    UnitWork,
    new_token,
    read_job_file,
    read_result,
    write_job_file,
)
from nightshift.runners.base import ArrayRequest, Runner, TaskReport
from nightshift.settings import settings_hash
from nightshift.vocabulary import AttemptState, ErrorClass, EventLevel, JobKind, JobState, Reason, reason_entries
from nightshift.workflow.gather import gather
from nightshift.workflow.keys import Subject, subject_of
from nightshift.workflow.planning import PLANNERS, Plan, PlannedUnit
from nightshift.workflow.recording import Outcome, end_subject, record
from nightshift.workplace import Workplace

__all__ = ["CollectSummary", "collect", "give_up", "submit", "sweep"]

GROWTH = 1.5  # of memory or time, for each earlier attempt that ran out of it
ENDED_WELL = (AttemptState.SUCCEEDED, AttemptState.REJECTED)
OPEN = (AttemptState.INTENDED, AttemptState.SUBMITTED)
RETRIED = (ErrorClass.RETRY, ErrorClass.RESOURCES)
_CLASS_OF = {entry.code: entry.error_class for entry in reason_entries()}

# what a runner's verdict means where the attempt left no result
_VERDICTS = {
    JobState.DONE: Reason.NO_RESULT,
    JobState.FAILED: Reason.NO_RESULT,
    JobState.CANCELLED: Reason.CANCELLED,
    JobState.TIMEOUT: Reason.TIMEOUT,
    JobState.OUT_OF_MEMORY: Reason.OUT_OF_MEMORY,
    JobState.NODE_FAILED: Reason.WORKER_LOST,
    JobState.LOST: Reason.WORKER_LOST,
}


@dataclass(frozen=True)
class CollectSummary:
    """What one call of `collect` found.

    Parameters
    ----------
    job_key : str
    succeeded, rejected, failed, retried : int
        Units whose attempt ended in this call; `retried` ones are due again.
    running : int
        Units whose attempt is still open.
    ended : bool
        Whether no attempt of the job is open any more.
    """

    job_key: str
    succeeded: int = 0
    rejected: int = 0
    failed: int = 0
    retried: int = 0
    running: int = 0

    @property
    def ended(self) -> bool:
        """Whether no attempt of the job is open any more."""
        return self.running == 0


# --- submit -------------------------------------------------------------------------------------------------


def submit(
    workplace: Workplace,
    runner: Runner,
    kind: JobKind,
    conf: Mapping[str, str],
    *,
    airflow_run: str,
    airflow_try: int,
) -> str | None:
    """Give the runner an array of all that a subject needs now, or adopt the one that is there.

    Parameters
    ----------
    workplace : Workplace
    runner : Runner
    kind : JobKind
    conf : mapping of str to str
        The run's natural keys.
    airflow_run, airflow_try : str, int
        Recorded with the array.

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
    subject, ledger = subject_of(kind, conf), workplace.ledger
    with ledger.transaction():
        ledger.rows("workflow", "lock_subject", subject=subject.job_key)
        ledger.run(
            "workflow", "put_run",
            run_id=airflow_run, dag_id=subject.dag_id, subject=subject.job_key, conf=dict(conf),
        )  # fmt: skip
        _intend(workplace, runner, subject, airflow_run, airflow_try)
        waiting = ledger.rows("workflow", "open_submissions", job_key=subject.job_key)
        if not waiting:
            end_subject(workplace, subject)
            ledger.run("workflow", "end_runs", subject=subject.job_key)
            return None
    for submission in waiting:
        if submission["runner_job_id"] is None:
            _hand_over(workplace, runner, kind, submission)
    return waiting[-1]["name"]


def _intend(workplace: Workplace, runner: Runner, subject: Subject, airflow_run: str, airflow_try: int) -> None:
    """Write job file, submission and attempts of what is planned and not under way."""
    ledger, job_key = workplace.ledger, subject.job_key
    plan = PLANNERS[subject.kind](workplace, subject)
    numbers = _next_attempts(workplace, job_key, plan)
    if not numbers:
        return
    ledger.run(
        "workflow", "put_job",
        job_key=job_key, kind=subject.kind, subject=subject.text, campaign=subject.campaign, site=plan.site,
        night=plan.night,
    )  # fmt: skip
    submission = ledger.value("workflow", "next_submission", job_key=job_key)
    folder = workplace.depot.work(plan.night, job_key)
    job = _job_file(workplace, subject, plan, numbers, submission, folder)
    path = folder / f"job_{submission}.json"
    write_job_file(path, job)
    ledger.run(
        "workflow", "put_submission",
        job_key=job_key, submission=submission, array_name=f"{job_key.replace('/', '__')}__s{submission}",
        runner=runner.name, airflow_run=airflow_run, airflow_try=airflow_try,
        job_file=workplace.depot.relative(path), tasks=len(job.tasks),
    )  # fmt: skip
    for task, indices in enumerate(job.tasks):
        for unit in (job.units[index] for index in indices):
            ledger.run(
                "workflow", "put_attempt",
                job_key=job_key, unit_key=unit.unit_key, attempt=unit.attempt, submission=submission,
                task_index=task, token=unit.token, folder=workplace.depot.relative(Path(unit.folder)),
            )  # fmt: skip
    if subject.kind is JobKind.SCIENCE:
        ledger.run("workflow", "set_unit_running", unit_keys=[unit.unit_key for unit in job.units])


def _next_attempts(workplace: Workplace, job_key: str, plan: Plan) -> dict[str, int]:
    """Return the number of the next attempt of every planned unit that may have one."""
    past = defaultdict(list)
    for row in workplace.ledger.rows("workflow", "attempts_of_job", job_key=job_key):
        past[row["unit_key"]].append(row)
    return {
        unit.unit_key: len(past[unit.unit_key]) + 1
        for unit in plan.units
        if not any(_is_final(row) for row in past[unit.unit_key])
        and len(past[unit.unit_key]) < workplace.survey.exposure.attempts
    }


def _is_final(attempt: Mapping[str, Any]) -> bool:
    """Whether an attempt is open, ended well, or failed in a way that the same input would again."""
    state = AttemptState(attempt["state"])
    if state in OPEN or state in ENDED_WELL:
        return True
    return attempt["error_class"] is not None and ErrorClass(attempt["error_class"]) not in RETRIED


def _job_file(
    workplace: Workplace, subject: Subject, plan: Plan, numbers: dict[str, int], submission: int, folder: Path
) -> JobFile:
    planned = [unit for unit in plan.units if unit.unit_key in numbers]
    units = tuple(_work(unit, numbers[unit.unit_key], folder) for unit in planned)
    tasks: dict[int, list[int]] = defaultdict(list)
    for index, unit in enumerate(planned):
        tasks[unit.task].append(index)
    return JobFile(
        kind=subject.kind,
        job_key=subject.job_key,
        submission=submission,
        survey=workplace.survey.name,
        settings_hash=settings_hash(workplace.survey),
        settings=workplace.survey.model_dump(mode="json"),
        tasks=tuple(tuple(indices) for _, indices in sorted(tasks.items())),
        units=units,
        campaign=subject.campaign,
    )


def _work(unit: PlannedUnit, attempt: int, folder: Path) -> UnitWork:
    own = folder / unit.unit_key / f"a{attempt}"
    return UnitWork(unit.unit_key, attempt, new_token(), str(own), unit.inputs, unit.parameters)


def _hand_over(workplace: Workplace, runner: Runner, kind: JobKind, submission: dict[str, Any]) -> None:
    """Ask the runner to take an array whose intent is written. Asking again adopts what it has."""
    key = {"job_key": submission["job_key"], "submission": submission["submission"]}
    try:
        runner_job_id = runner.submit(_request(workplace, kind, submission))
    except NeedsOperator as error:
        workplace.ledger.event(
            EventLevel.PAGE, "array_refused", f"The runner refuses the array: {error}",
            subject=submission["name"], night_time=workplace.clock.now(),
        )  # fmt: skip
        raise
    with workplace.ledger.transaction():
        workplace.ledger.run("workflow", "set_submitted", runner_job_id=runner_job_id, **key)
        workplace.ledger.run("workflow", "set_attempts_submitted", **key)


def _request(workplace: Workplace, kind: JobKind, submission: dict[str, Any]) -> ArrayRequest:
    profile = workplace.survey.profile(kind)
    failures = workplace.ledger.row(
        "workflow", "earlier_failures", job_key=submission["job_key"], submission=submission["submission"]
    ) or {"memory": 0, "time": 0}
    options = {"partition": profile.partition, "qos": profile.qos, "account": profile.account}
    return ArrayRequest(
        name=submission["name"],
        kind=kind,
        job_file=workplace.depot.absolute(submission["job_file"]),
        tasks=submission["tasks"],
        memory_mb=profile.memory_mb * GROWTH ** failures["memory"],
        time_s=profile.time_s * GROWTH ** failures["time"],
        cores=profile.cores,
        priority=profile.priority,
        options={key: value for key, value in options.items() if value is not None},
        environment=profile.environment,
    )


# --- collect ------------------------------------------------------------------------------------------------


def collect(
    workplace: Workplace, runner: Runner, kind: JobKind, conf: Mapping[str, str], *, final: bool
) -> CollectSummary:
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
    summary = _collect(workplace, runner, subject, final=final)
    workplace.ledger.run("workflow", "end_runs", subject=subject.job_key)
    return summary


def sweep(workplace: Workplace, runner: Runner) -> list[CollectSummary]:
    """Collect the stragglers: jobs whose arrays are open although no run waits for them.

    An attempt is given up where the hard deadline has passed and the runner does not say that it waits or runs.
    """
    deadline_s = workplace.survey.exposure.hard_deadline_s
    rows = workplace.ledger.rows("workflow", "stragglers", deadline_s=deadline_s)
    summaries = []
    for row in rows:
        subject = _subject_of_job(row)
        _hand_over_again(workplace, runner, subject)
        late = row["age_s"] > deadline_s
        summaries.append(_collect(workplace, runner, subject, final=late, spare_live=True))
    return summaries


def give_up(workplace: Workplace, runner: Runner, site: str, night: Any) -> list[CollectSummary]:
    """Collect everything of a night that is open, and give up what has no result: the night's hard deadline."""
    rows = workplace.ledger.rows("workflow", "open_jobs_of_night", site=site, night=night)
    return [_collect(workplace, runner, _subject_of_job(row), final=True) for row in rows]


def _subject_of_job(row: Mapping[str, Any]) -> Subject:
    return Subject.parse(JobKind(row["kind"]), row["subject"], row["campaign"])


def _hand_over_again(workplace: Workplace, runner: Runner, subject: Subject) -> None:
    """Ask the runner again for arrays of which it is not known whether it took them."""
    for submission in workplace.ledger.rows("workflow", "open_submissions", job_key=subject.job_key):
        if submission["runner_job_id"] is None:
            with contextlib.suppress(Retry, NeedsOperator):
                _hand_over(workplace, runner, subject.kind, submission)


def _collect(
    workplace: Workplace, runner: Runner, subject: Subject, *, final: bool, spare_live: bool = False
) -> CollectSummary:
    ledger = workplace.ledger
    attempts = ledger.rows("workflow", "open_attempts", job_key=subject.job_key)
    reports = _reports(runner, frozenset(row["name"] for row in attempts))
    read_job = cache(lambda place: read_job_file(workplace.depot.absolute(place)))
    counts: dict[str, int] = defaultdict(int)
    for attempt in attempts:
        report = reports.get((attempt["name"], attempt["task_index"]))
        outcome = _outcome(workplace, attempt, report, final=final and not (spare_live and _is_live(report)))
        if outcome is None:
            counts["running"] += 1
            continue
        job = read_job(attempt["job_file"])
        counts[record(workplace, subject, attempt, job, outcome)] += 1
    _cancel_given_up(workplace, runner, attempts, reports, final=final and not spare_live)
    with ledger.transaction():
        ledger.run("workflow", "end_submissions", job_key=subject.job_key)
        ledger.run("workflow", "end_job", job_key=subject.job_key)
        end_subject(workplace, subject)
    gather(workplace, subject)
    counts.pop("known", None)
    return CollectSummary(subject.job_key, **counts)


def _reports(runner: Runner, names: frozenset[str]) -> dict[tuple[str, int], TaskReport]:
    """Ask the runner once about all arrays. A question that fails leaves every task unknown."""
    if not names:
        return {}
    try:
        answer = runner.states(names)
    except Retry:
        return {}
    return {(name, report.index): report for name, reports in answer.items() for report in reports}


def _is_live(report: TaskReport | None) -> bool:
    return report is not None and report.state in (JobState.PENDING, JobState.RUNNING)


def _outcome(
    workplace: Workplace, attempt: dict[str, Any], report: TaskReport | None, *, final: bool
) -> Outcome | None:
    """Return how an attempt ended, or None while it has not: its own result first, then the runner's verdict."""
    folder = workplace.depot.absolute(attempt["folder"])
    invalid = ""
    try:
        result = read_result(folder, attempt["token"])
    except Retry as error:
        result, invalid = None, str(error)
        _set_aside(workplace, folder, attempt, invalid)
    if result is not None:
        return _outcome_of_result(result, report)
    if report is not None and report.state in _VERDICTS:
        reason = Reason.RESULT_INVALID if invalid else _VERDICTS[report.state]
        return _failure(reason, invalid or report.detail or f"the runner says: {report.state}", report)
    if final:
        return _failure(Reason.WORKER_LOST, "no result by the hard deadline", report, state=AttemptState.LOST)
    return None


def _set_aside(workplace: Workplace, folder: Path, attempt: dict[str, Any], why: str) -> None:
    """Keep a result that is not believed, out of the way of the attempt's own."""
    with contextlib.suppress(FileNotFoundError):
        (folder / RESULT_NAME).replace(folder / f"not_believed_{new_token()[:8]}.json")
    workplace.ledger.event(
        EventLevel.WARNING, "result_not_believed", why,
        subject=attempt["unit_key"], night_time=workplace.clock.now(),
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
        error_class=result.error_class or _CLASS_OF[reason],
        detail=result.detail,
        restarts=restarts,
    )


def _failure(
    reason: Reason, detail: str, report: TaskReport | None, *, state: AttemptState = AttemptState.FAILED
) -> Outcome:
    outcome = Outcome(state, reason=reason, error_class=_CLASS_OF[reason], detail=detail)
    return outcome if report is None else replace(outcome, restarts=report.restarts, host=report.host)


def _cancel_given_up(
    workplace: Workplace,
    runner: Runner,
    attempts: list[dict[str, Any]],
    reports: dict[tuple[str, int], TaskReport],
    *,
    final: bool,
) -> None:
    """Stop arrays whose tasks were given up while they live: their output would not be believed any more."""
    if not final:
        return
    live = {row["name"] for row in attempts if _is_live(reports.get((row["name"], row["task_index"])))}
    for name in sorted(live):
        with contextlib.suppress(Retry):
            runner.cancel(name)
