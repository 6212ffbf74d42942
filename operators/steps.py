"""What the tasks do. Each opens the workplace, calls one part of `nightshift`, and says in a line what happened.

Nothing of the survey is decided here, and nothing heavy is imported before it is needed.
"""

import logging
import os
import time
from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any

__all__ = [
    "InboxWatch",
    "account_for_night",
    "archive_night",
    "begin_night_end",
    "close_night",
    "dispose_frame",
    "how_run_of_night_ended",
    "ingest_and_request",
    "mail_report",
    "night_of_run",
    "post_alerts",
    "regenerate_references",
    "request_moving_objects",
    "settle_night",
    "verify_archive",
    "why_night_may_close",
]

log = logging.getLogger(__name__)

LEDGER_EVERY_S = 2.0  # how often a quiet watch asks the ledger what is due
ASK_EVERY_S = 1.0  # and a busy one
LINGER_S = 6.0  # the next file of a sequence is taken in without a new task
AT_MOST_S = 300.0  # of one task of ingest, however busy the night
LATELY_S = 300.0  # a run that was asked for longer ago keeps nobody waiting
SWEEP_EVERY_S = 20.0
PAUSE_S = 0.25
STORAGE_PAUSE_S = 5.0  # after a disk refused what its figures promised


# --- alerts -------------------------------------------------------------------------------------------------


def post_alerts() -> str:
    """Send what is released. What the broker does not take stays queued, and the sweep tries it again."""
    from nightshift.workplace import open_workplace

    with open_workplace() as workplace:
        return _post(workplace)


def _post(workplace: Any) -> str:
    from nightshift.alerts.post import post

    summary = post(workplace)
    text = f"{summary.acknowledged} acknowledged, {summary.failed} still queued, {summary.damaged} withheld"
    if summary.waiting:
        text += f", {summary.waiting} wait for the night's own consumer"
    if summary.failed or summary.damaged:
        log.warning("%s: %s", text, summary.error)
    return "another poster is at work" if summary.busy else text


# --- inbox --------------------------------------------------------------------------------------------------


class InboxWatch:
    """Notices that there is something to do: a complete file, something due, or that it has been quiet for long.

    Parameters
    ----------
    at_most_s : float
        How long it may be quiet.
    """

    def __init__(self, at_most_s: float):
        self._until = time.monotonic() + at_most_s
        self._ask_ledger_at = 0.0
        self._waits = False  # for storage
        self._memory: dict = {}

    def news(self) -> str | None:
        """Return what there is to do, or None."""
        now = time.monotonic()
        if now >= self._ask_ledger_at:
            self._ask_ledger_at = now + LEDGER_EVERY_S
            if due := self._due():
                return due
        if self._waits:
            return None
        if files := self._complete_files():
            return f"{len(files)} files"
        return "time to sweep" if now > self._until else None

    def _complete_files(self) -> list:
        from nightshift.ingest.inbox import complete_files
        from nightshift.workplace import survey_from_environment

        try:
            return complete_files(Path(os.environ["NIGHTSHIFT_INBOX"]), self._memory, survey_from_environment())
        except OSError as error:
            log.warning("the inbox does not read: %s", error)
            return []

    def _due(self) -> str | None:
        from nightshift.errors import Retry
        from nightshift.guard import look, storage_trouble
        from nightshift.workflow.due import due_runs
        from nightshift.workplace import open_workplace

        try:
            with open_workplace() as workplace:
                look(workplace)
                self._waits = bool(storage_trouble(workplace))
                due = [] if self._waits else due_runs(workplace)
        except Retry as error:
            log.warning("the ledger does not answer: %s", error)
            return None
        return f"{len(due)} runs are due, the first: {due[0].run_id}" if due else None


def ingest_and_request() -> str:
    """Take in what came, ask for the runs that are due, sweep up stragglers; go on while the night is busy."""
    from nightshift.errors import Retry
    from nightshift.guard import look, storage_trouble
    from nightshift.ingest.inbox import complete_files
    from nightshift.ingest.ingest import ingest_all
    from nightshift.vocabulary import Reason
    from nightshift.workplace import open_workplace

    began = busy_at = time.monotonic()
    ask_at = sweep_at = began
    files = runs = 0
    memory: dict = {}
    with open_workplace() as workplace:
        while True:
            if time.monotonic() >= ask_at:
                look(workplace)
                if trouble := storage_trouble(workplace):
                    return f"the night waits: {'; '.join(trouble)}"
            came = complete_files(workplace.inbox, memory, workplace.survey)
            try:
                files += len(ingest_all(workplace, came)) if came else 0
            except Retry as error:
                if error.reason is not Reason.STORAGE_UNAVAILABLE:
                    raise
                time.sleep(STORAGE_PAUSE_S)
                return f"the night waits: {error}"
            now = time.monotonic()
            if came or now >= ask_at:
                asked = request_due(workplace)
                runs += asked
                busy_at = now if came or asked or _under_way(workplace) else busy_at
                ask_at = now + ASK_EVERY_S
            if now >= sweep_at:
                _sweep(workplace)
                sweep_at = now + SWEEP_EVERY_S
            if now - busy_at > LINGER_S or now - began > AT_MOST_S:
                return f"{files} files, {runs} runs asked for"
            time.sleep(PAUSE_S)


def _under_way(workplace: Any) -> bool:
    return workplace.ledger.value("watch", "under_way", lately_s=LATELY_S) > 0


def request_due(workplace: Any) -> int:
    """Ask Airflow for the runs that are due, and return how many."""
    from nightshift.workflow.due import due_runs, mark_requested
    from operators.airflow_api import airflow_api

    due = due_runs(workplace)
    for request in due:
        airflow_api().create_run(request.dag_id, request.run_id, request.conf)
        mark_requested(workplace, request)
        log.info("asked for %s", request.run_id)
    return len(due)


def _sweep(workplace: Any) -> None:
    from nightshift.alerts.turns import release_all_in_turn
    from nightshift.runners import runner_from_environment
    from nightshift.workflow.arrays import sweep

    for summary in sweep(workplace, runner_from_environment()):
        log.info("swept up %s", summary)
    release_all_in_turn(workplace)
    _post(workplace)


# --- references ---------------------------------------------------------------------------------------------


def regenerate_references(asked: Mapping[str, Any], run: Any) -> str:
    """Check a person's request for a new reference, and ask for the run that builds it.

    Parameters
    ----------
    asked : mapping
        The form's values.
    run : DagRun
        Its `conf` shows keys that the form does not have.
    """
    from nightshift.workflow.due import mark_requested
    from nightshift.workflow.regenerate import read_regeneration, regenerate
    from nightshift.workplace import open_workplace
    from operators.airflow_api import airflow_api, person_of

    with open_workplace() as workplace:
        request = read_regeneration(workplace.survey, {**asked, **(run.conf or {})})
        text, wanted = regenerate(workplace, request, operator=person_of(run), request_id=run.run_id)
        log.info("%s", text)
        if wanted:
            airflow_api().create_run(wanted.dag_id, wanted.run_id, wanted.conf)
            mark_requested(workplace, wanted)
    return text


def dispose_frame(asked: Mapping[str, Any], run: Any) -> str:
    """Accept or reject a frame as a person asks, under their name.

    Parameters
    ----------
    asked : mapping
        The form's values.
    run : DagRun
        Its `conf` shows keys that the form does not have.
    """
    from nightshift.workflow.overrides import dispose, read_disposal
    from nightshift.workplace import open_workplace
    from operators.airflow_api import person_of

    request = read_disposal({**asked, **(run.conf or {})})
    with open_workplace() as workplace:
        text = dispose(workplace, request, operator=person_of(run), request_id=run.run_id)
    log.info("%s", text)
    return text


# --- the end of a night -------------------------------------------------------------------------------------


def begin_night_end(run: Any) -> str:
    """Mark the night as closing and return it; skip where the clock asks for one that has begun to close.

    Parameters
    ----------
    run : DagRun
        Asked for with a night, or made by the timetable at the night's end.
    """
    from airflow.sdk.exceptions import AirflowSkipException

    from nightshift.night_end.close import begin_closing
    from nightshift.vocabulary import NightState
    from nightshift.workplace import open_workplace

    conf = run.conf or {}
    by_clock = "night" not in conf
    night = night_of_run(conf.get("night", ""), str(run.data_interval_end or ""))
    with open_workplace() as workplace:
        if by_clock and (state := night_state(workplace, night)) is not NightState.OPEN:
            raise AirflowSkipException(f"the night of {night} is {state or 'unknown: nothing came of it'}")
        begin_closing(workplace, night, signal="clock" if by_clock else conf.get("signal", "operator"))
    return night.isoformat()


def night_of_run(night: str, ended_at: str) -> date:
    """Return the night that a run is for: the one it was asked for, or the one that ended at a moment."""
    from nightshift.nights import night_of
    from nightshift.workplace import survey_from_environment

    if night:
        return date.fromisoformat(night)
    return night_of(survey_from_environment().site, datetime.fromisoformat(ended_at))


def night_state(workplace: Any, night: date) -> Any:
    """Return how a night stands, or None where the ledger has none."""
    from nightshift.vocabulary import NightState

    row = workplace.ledger.row("night_end", "night", site=workplace.survey.site.name, night=night)
    return NightState(row["state"]) if row else None


def why_night_may_close(night: date) -> str | None:
    """Return why a night may close, or None while something of it is under way or due."""
    from nightshift.errors import Retry
    from nightshift.guard import storage_trouble
    from nightshift.night_end.close import may_close
    from nightshift.workflow.due import due_runs
    from nightshift.workplace import open_workplace

    try:
        with open_workplace() as workplace:
            if trouble := storage_trouble(workplace):
                log.info("the night waits: %s", "; ".join(trouble))
                return None
            over, why = may_close(workplace, night)
            if over and "deadline" not in why and (due := due_runs(workplace)):
                over, why = False, f"{len(due)} runs are due, the first: {due[0].run_id}"
    except Retry as error:
        log.warning("the ledger does not answer: %s", error)
        return None
    log.info("%s", why)
    return why if over else None


def settle_night(night: str) -> str:
    """Post what is released, take in what has a result, and give up what has none and the deadline allows."""
    from nightshift.alerts.turns import release_all_in_turn
    from nightshift.guard import wait_for_storage
    from nightshift.night_end.close import fail_stragglers, in_flight
    from nightshift.runners import runner_from_environment
    from nightshift.workflow.arrays import give_up
    from nightshift.workplace import open_workplace

    day = date.fromisoformat(night)
    with open_workplace() as workplace:
        given_up = 0
        wait_for_storage(workplace)  # what cannot be read now is not lost
        if in_flight(workplace, day):
            give_up(workplace, runner_from_environment(), workplace.survey.site.name, day)
            given_up = fail_stragglers(workplace, day)
        release_all_in_turn(workplace, at_once=True)
        return f"{given_up} units given up; alerts: {_post(workplace)}"


def request_moving_objects(night: str) -> str:
    """Ask for the night's run of moving objects, or find that it is there, and return its id."""
    from operators.airflow_api import airflow_api

    run_id, conf = _run_of_night("moving_objects", date.fromisoformat(night))
    airflow_api().create_run("moving_objects", run_id, conf)
    return run_id


def _run_of_night(dag_id: str, night: date) -> tuple[str, dict[str, str]]:
    from nightshift.workflow.keys import run_id
    from nightshift.workplace import survey_from_environment

    conf = {"site": survey_from_environment().site.name, "night": night.isoformat()}
    return run_id(dag_id, conf, 0), conf


def how_run_of_night_ended(dag_id: str, night: date) -> str | None:
    """Return the state in which a workflow's run for a night ended, or None while it has not."""
    from nightshift.errors import Retry
    from operators.airflow_api import airflow_api

    try:
        state = airflow_api().run_state(dag_id, _run_of_night(dag_id, night)[0])
    except Retry as error:
        log.warning("%s", error)
        return None
    return state if state in ("success", "failed") else None


def account_for_night(night: str) -> str:
    """Count the night's three identities."""
    from nightshift.night_end.accounts import account
    from nightshift.workplace import open_workplace

    with open_workplace() as workplace:
        books = account(workplace, date.fromisoformat(night))
    return "; ".join(books.imbalances) or "it closes to zero"


def archive_night(night: str) -> str:
    """Copy the night into the archive."""
    from nightshift.guard import wait_for_storage
    from nightshift.night_end.archive import archive
    from nightshift.workplace import open_workplace

    with open_workplace() as workplace:
        wait_for_storage(workplace)
        return str(archive(workplace, date.fromisoformat(night)))


def verify_archive(night: str) -> str:
    """Read the archive back."""
    from nightshift.guard import wait_for_storage
    from nightshift.night_end.archive import verify
    from nightshift.workplace import open_workplace

    with open_workplace() as workplace:
        wait_for_storage(workplace)
        return str(verify(workplace, date.fromisoformat(night)))


def mail_report(night: str) -> str:
    """Write and send the morning's mail."""
    from nightshift.guard import wait_for_storage
    from nightshift.night_end.report import send_report
    from nightshift.workplace import open_workplace

    with open_workplace() as workplace:
        wait_for_storage(workplace)
        return str(send_report(workplace, date.fromisoformat(night)))


def close_night(night: str) -> str:
    """Close the night, or say that it does not balance."""
    from nightshift.night_end.close import close
    from nightshift.workplace import open_workplace

    with open_workplace() as workplace:
        return str(close(workplace, date.fromisoformat(night)))
