"""The reaper: what lives on the cluster against what the ledger and the workflows want.

Everything that it finds would be found and mended by others in the usual course; it is for what happened while they
were away. Each thing that it does is an event of the night:

- an array that lives although the ledger has ended its submission (its cancel was lost) is cancelled;
- an array whose run a person stopped while nobody was there to hear it is stopped;
- an array whose run is gone from Airflow is cancelled, and its work is due again;
- an array that the ledger waits for and the runner does not know is handed in again or its units are made again (or
  fail, when their tries are used up);
- an array that the ledger has never heard of is left alone and told of once: it may be somebody else's.

A question that is not answered, by the runner or by Airflow, is no finding.
"""

from collections.abc import Callable
from enum import StrEnum

from nightshift.context import Context
from nightshift.errors import NightshiftError, Retry
from nightshift.ledger.queries import jobs as job_queries
from nightshift.ledger.queries import ledger as ledger_queries
from nightshift.ledger.queries import runs as run_queries
from nightshift.ledger.queries.jobs import OpenArray
from nightshift.runners.base import Runner
from nightshift.vocabulary import EventLevel
from nightshift.workflow.arrays import sweep
from nightshift.workflow.cancelling import cancel_and_verify, stop, supersede

__all__ = ["RunStanding", "reap"]

SETTLED_AFTER_S = 20.0  # what changed less long ago is still on its way


class RunStanding(StrEnum):
    """Whether a run still wants its arrays."""

    WANTED = "wanted"  # it is under way, or ended by itself: its jobs go on
    STOPPED = "stopped"  # a person marked it, or its submit or wait, as failed
    GONE = "gone"  # Airflow does not have it


Standings = Callable[[frozenset[str]], dict[str, RunStanding]]


def reap(context: Context, runner: Runner, how_runs_stand: Standings) -> list[str]:
    """Look once, put right what differs, and return what was done.

    Parameters
    ----------
    how_runs_stand : callable
        Takes run ids and says how each stands; raises `nightshift.errors.Retry` where Airflow does not answer.
    """
    actions: list[str] = []
    try:
        alive = {
            name for name, reports in runner.states(None).items() if any(not report.state.ended for report in reports)
        }
    except Retry:
        return actions
    for name in sorted(alive):
        actions += _orphan(context, runner, name)
    actions += _unwanted(context, runner, how_runs_stand)
    for summary in sweep(context, runner):
        actions += map(str, summary.problems)
    return actions


def _orphan(context: Context, runner: Runner, name: str) -> list[str]:
    """Cancel a live array that no open submission wants."""
    submission = job_queries.submission_by_name(context.ledger, array_name=name)
    if submission is None:
        if not ledger_queries.event_said(context.ledger, kind="array_unknown", subject=name):
            _say(context, "array_unknown", name, "A live array that the ledger does not know; it is left alone.")
        return []
    if submission.ended_s is None or submission.ended_s < SETTLED_AFTER_S:
        return []
    gone = cancel_and_verify(context, runner, name)
    return [_say(context, "orphan_cancelled", name, f"An orphan {'is' if gone else 'is being'} cancelled.")]


def _unwanted(context: Context, runner: Runner, how_runs_stand: Standings) -> list[str]:
    """Stop or supersede the open arrays whose run was stopped or is gone."""
    arrays = [
        array
        for site in context.sites()
        for array in job_queries.all_open_submissions(context.ledger, site=site.site.name, settled_s=SETTLED_AFTER_S)
    ]
    runs = frozenset(array.airflow_run for array in arrays if array.airflow_run)
    if not runs:
        return []
    try:
        standing = how_runs_stand(runs)
    except Retry:
        return []
    actions = []
    for array in arrays:
        how = standing.get(array.airflow_run or "", RunStanding.WANTED)
        try:
            actions += _end_unwanted(context, runner, array, how)
        except NightshiftError as error:
            actions.append(_say(context, "array_not_reaped", array.name, f"{how}, and cannot be ended: {error}"))
    return actions


def _end_unwanted(context: Context, runner: Runner, array: OpenArray, how: RunStanding) -> list[str]:
    name, run = array.name, array.airflow_run
    if how is RunStanding.STOPPED and not _was_refused(context, array):
        stop(context, runner, name, f"{run} was stopped by a person")
        return [_say(context, "stopped_run_reaped", name, f"The array of {run}, which a person stopped, is ended.")]
    if how is RunStanding.GONE:
        supersede(context, runner, name, f"{run} is gone from Airflow")
        run_queries.end_runs(context.ledger, subject=array.job_key)
        return [_say(context, "lost_run_reaped", name, f"{run} is gone from Airflow; its work is due again.")]
    return []


def _was_refused(context: Context, array: OpenArray) -> bool:
    """Whether the cluster, and no person, ended the run: the sweep hands the array in again until it is taken."""
    said = ledger_queries.event_said(context.ledger, kind="array_refused", subject=array.name)
    return array.runner_job_id is None and bool(said)


def _say(context: Context, kind: str, name: str, text: str) -> str:
    context.ledger.event(EventLevel.WARNING, kind, text, subject=name, night_time=context.clock.now())
    return f"{name}: {text}"
