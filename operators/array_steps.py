"""What the tasks of a job array do, and what happens to the array when a person ends its wait.

Whose an array is, and who may cancel it, is said in `nightshift.workflow.cancelling`; here is only what Airflow knows
of it: which try this is, which came before a person's clear, and how the tasks of a run stand.
"""

import logging
import time
from collections.abc import Iterable, Mapping
from typing import Any

__all__ = [
    "array_of",
    "collect_array",
    "end_wait",
    "reap_arrays",
    "soft_deadline_s_of",
    "submit_array",
    "was_cleared",
]

log = logging.getLogger(__name__)

LOG_LINES = 40  # of a job that did not end well
MOST_LOGS = 8  # in one task's log; all of them are a link away
ASK_AIRFLOW_S = 20.0  # for so long it is asked again what a person did; then the reaper finds out
ENDED_BY_HAND = ("failed", "upstream_failed", "skipped", "removed")


def submit_array(
    kind: str, conf: Mapping[str, Any], *, run_id: str, try_number: int, cleared_after: int, by_person: bool = False
) -> str | None:
    """Hand the array of a run to the runner, and return its name.

    Parameters
    ----------
    cleared_after : int
        The last try of the task before a person cleared it, 0 where nobody did.
    by_person : bool
        Whether a person asked for the run.
    """
    from nightshift.context import open_context
    from nightshift.health import wait_for_storage
    from nightshift.runners import runner_from_environment
    from nightshift.workflow.arrays import submit

    with open_context() as context:
        wait_for_storage(context)
        name = submit(
            context, runner_from_environment(), kind, conf, airflow_run=run_id, airflow_try=try_number,
            cleared_after=cleared_after, wanted_anew=by_person,
        )  # fmt: skip
    log.info("array %s", name or "not needed: nothing is to be done")
    return name


def array_of(kind: str, conf: Mapping[str, Any], *, run_id: str, try_number: int) -> str | None:
    """Return the name of the array that works for what a run's `conf` names, or None where there is none."""
    from nightshift.context import open_context
    from nightshift.runners import runner_from_environment
    from nightshift.workflow.arrays import array_to_wait_for

    with open_context() as context:
        return array_to_wait_for(
            context, runner_from_environment(), kind, conf, airflow_run=run_id, wait_try=try_number
        )


def soft_deadline_s_of(kind: str, conf: Mapping[str, Any]) -> float:
    """Return for how long the array of a subject is waited for, in seconds, by the settings of its night."""
    from nightshift.context import open_context
    from nightshift.workflow.subjects import context_of, subject_of

    with open_context() as context:
        return context_of(context, subject_of(kind, conf)).survey.exposure.soft_deadline_s


def was_cleared(*, run_id: str, task_id: str, try_number: int) -> bool:
    """Return whether a person cleared a try of a wait, which is then neither deferred any more nor ended by hand."""
    wait = (_tasks_of_run(run_id) or {}).get(task_id)
    current = ("deferred", "success", *ENDED_BY_HAND)
    return wait is None or wait.try_number != try_number or wait.state not in current


def end_wait(*, run_id: str, task_id: str, try_number: int, array: str) -> str:
    """Do with the arrays of a run what a person meant who ended its wait, and return what that was.

    A triggerer that was thought dead is told to end its triggers too, once another has taken them over: then the
    same try of the wait is still deferred, and nobody meant anything.

    Parameters
    ----------
    task_id, try_number : str, int
        The wait's.
    array : str
        The one that it waited for: what was handed in after it belongs to later tries and is left alone.
    """
    from nightshift.context import open_context
    from nightshift.ledger.queries import jobs as job_queries
    from nightshift.ledger.queries import runs as run_queries
    from nightshift.runners import runner_from_environment
    from nightshift.workflow.cancelling import stop, supersede

    tasks = _tasks_of_run(run_id)
    wait = (tasks or {}).get(task_id)
    if wait is not None and wait.state == "success":
        return f"the wait was marked as a success: {array} goes on"
    if wait is not None and (wait.state, wait.try_number) == ("deferred", try_number):
        return f"another triggerer has taken the wait over: {array} goes on"
    runner = runner_from_environment()
    with open_context() as context:
        owned = job_queries.owned_up_to(context.ledger, array_name=array, airflow_run=run_id)
        names = [each.name for each in owned]
        if wait is not None and wait.state in ENDED_BY_HAND:
            gone = [stop(context, runner, name, f"a person ended its wait in {run_id}") for name in names]
            return f"stopped {_told(names, gone)}"
        gone = [supersede(context, runner, name, f"a person cleared its wait in {run_id}") for name in names]
        if tasks is None:
            run_queries.end_runs(context.ledger, subject=owned[0].job_key if owned else "")
        return f"superseded {_told(names, gone)}"


def _told(names: list[str], gone: list[bool]) -> str:
    lives = {name for name, is_gone in zip(names, gone, strict=True) if not is_gone}
    told = [f"{name}{' (not known to be gone)' if name in lives else ''}" for name in names]
    return ", ".join(told) or "nothing: another run owns the array by now"


def _tasks_of_run(run_id: str) -> dict[str, Any] | None:
    """Return how the tasks of a run stand, None where the run is gone; ask for a while where Airflow is silent."""
    from nightshift.errors import Retry
    from operators.airflow_api import airflow_api

    deadline = time.monotonic() + ASK_AIRFLOW_S
    while True:
        try:
            return airflow_api().tasks_of_runs([run_id]).get(run_id)
        except Retry:
            if time.monotonic() > deadline:
                raise
            time.sleep(1)


def collect_array(kind: str, conf: Mapping[str, Any]) -> str:
    """Take an array's results into the ledger, print what did not end well, and return a summary.

    Raises
    ------
    airflow.sdk.exceptions.AirflowFailException
        If nothing succeeded, for causes other than what the camera delivered: a human must look.
    """
    from airflow.sdk.exceptions import AirflowFailException

    from nightshift.context import open_context
    from nightshift.health import wait_for_storage
    from nightshift.runners import runner_from_environment
    from nightshift.workflow.arrays import collect

    runner = runner_from_environment()
    with open_context() as context:
        wait_for_storage(context)
        summary = collect(context, runner, kind, conf, final=False)
    for problem in summary.problems:
        log.error("%s", problem)
    _print_logs(runner, summary.problems)
    words = ("succeeded", "rejected", "failed", "retried", "running")
    text = ", ".join(f"{getattr(summary, word)} {word}" for word in words if getattr(summary, word))
    log.info("%s: %s", summary.job_key, text or "nothing new")
    if summary.nothing_but_trouble:
        problem = summary.problems[0]
        raise AirflowFailException(
            f"all {summary.failed} units failed; the first: {problem.reason}. {problem.detail}"
        )
    return text


def _print_logs(runner: Any, problems: Iterable[Any]) -> None:
    """Print the end of the logs of the tasks in which units did not end well."""
    tasks = sorted({(problem.array, problem.task) for problem in problems})
    for array, task in tasks[:MOST_LOGS]:
        lines = runner.log(array, task).splitlines()[-LOG_LINES:]
        log.warning("the end of the log of task %d of %s:\n%s", task, array, "\n".join(lines) or "(nothing)")
    if len(tasks) > MOST_LOGS:
        log.warning("%d more tasks did not end well: see the link to the jobs' logs", len(tasks) - MOST_LOGS)


def reap_arrays() -> str:
    """Compare what lives on the cluster with the ledger and with Airflow's runs, and put right what differs.

    It also looks whether ingest goes on: the watch over the inbox cannot say that it does not run.
    """
    from nightshift.context import open_context
    from nightshift.health import say_whether_ingest_is_stuck, storage_trouble
    from nightshift.runners import runner_from_environment
    from nightshift.workflow.reaper import reap

    with open_context() as context:
        if trouble := storage_trouble(context):
            return f"waits: {'; '.join(trouble)}"  # what cannot be read now is not lost
        if stuck := say_whether_ingest_is_stuck(context):
            log.warning("%s", stuck)
        actions = reap(context, runner_from_environment(), how_runs_stand)
    for action in actions:
        log.warning("%s", action)
    return f"{len(actions)} actions" if actions else "nothing was wrong"


def how_runs_stand(run_ids: frozenset[str]) -> dict[str, Any]:
    """Return whether each run still wants its arrays, as far as Airflow says."""
    from nightshift.workflow.reaper import RunStanding
    from operators.airflow_api import airflow_api

    tasks = airflow_api().tasks_of_runs(run_ids)
    standing = dict.fromkeys(run_ids, RunStanding.WANTED)
    for run_id in run_ids:
        if run_id not in tasks:
            standing[run_id] = RunStanding.GONE
        elif any(task.ended_by_hand for name, task in tasks[run_id].items() if name.endswith((".submit", ".wait"))):
            standing[run_id] = RunStanding.STOPPED
    return standing
