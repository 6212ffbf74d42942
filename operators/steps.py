"""What the tasks do. Each opens the context, calls one part of `nightshift`, and says in a line what happened.

Nothing of the survey is decided here, and nothing heavy is imported before it is needed.
"""

import logging
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nightshift.ingest.inbox import Seen

__all__ = [
    "InboxWatch",
    "RunWatch",
    "account_for_night",
    "archive_night",
    "back_up_ledger",
    "begin_night_end",
    "close_night",
    "copy_files",
    "copy_night",
    "dispose_frame",
    "ingest_and_request",
    "mail_report",
    "map_coverage",
    "night_of_run",
    "open_night",
    "post_alerts",
    "preflight",
    "prune_airflow",
    "regenerate_references",
    "rehearse_restore",
    "request_backup",
    "request_run_of_night",
    "settle_night",
    "verify_archive",
    "verify_old_nights",
    "watch_disks",
    "why_night_may_close",
]

log = logging.getLogger(__name__)

LEDGER_EVERY_S = 2.0  # how often a quiet watch asks the ledger what is due
ASK_EVERY_S = 1.0  # and a busy one
LINGER_S = 6.0  # the next file of a sequence is taken in without a new task
AT_MOST_S = 300.0  # of one task of ingest, however busy the night
LATELY_S = 300.0  # a run that was asked for longer ago keeps nobody waiting
SWEEP_EVERY_S = 20.0
COPY_AT_MOST_S = 240.0  # of one task: the next run goes on
PAUSE_S = 0.25
LOOKS_IN_VAIN = 150  # five minutes of a trigger's: Airflow may not know a workflow for a while after it started
FRESH_BACKUP_H = 12.0  # noon takes no second backup of the same night
STORAGE_PAUSE_S = 5.0  # after a disk refused what its figures promised


# --- alerts -------------------------------------------------------------------------------------------------


def post_alerts() -> str:
    """Send what is released. What the broker does not take stays queued, and the sweep tries it again."""
    from nightshift.context import open_context

    with open_context() as context:
        return _post(context)


def _post(context: Any) -> str:
    from nightshift.alerts.post import post

    summary = post(context)
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
        self._memory: dict[str, Seen] = {}
        self._deployment: Any = None  # with the settings of the nights that are under way

    def hear(self) -> None:
        """Let the next look ask the ledger, which has said that something may be due."""
        self._ask_ledger_at = 0.0

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

    def _complete_files(self) -> list[Path]:
        from nightshift.context import deployment_from_environment
        from nightshift.ingest.inbox import complete_files
        from nightshift.kinds.ingest.inbox_files import named_for_watch

        try:
            deployment = self._deployment or deployment_from_environment()
            complete = complete_files(Path(os.environ["NIGHTSHIFT_INBOX"]), self._memory, *deployment.surveys)
            return named_for_watch(deployment, complete)
        except OSError as error:
            log.warning("the inbox does not read: %s", error)
            return []

    def _due(self) -> str | None:
        from nightshift.context import open_context
        from nightshift.errors import Retry
        from nightshift.health import look, storage_trouble
        from nightshift.workflow.due_runs import due_runs

        try:
            with open_context() as context:
                self._deployment = context.deployment
                look(context)
                self._waits = bool(storage_trouble(context))
                due = [] if self._waits else due_runs(context)
        except Retry as error:
            log.warning("the ledger does not answer: %s", error)
            return None
        return f"{len(due)} runs are due, the first: {due[0].run_id}" if due else None


def ingest_and_request() -> str:
    """Take in what came, ask for the runs that are due, sweep up stragglers; go on while the night is busy."""
    from nightshift.context import open_context
    from nightshift.errors import Retry
    from nightshift.health import look, storage_trouble
    from nightshift.ingest.inbox import complete_files
    from nightshift.ingest.ingest import ingest_all
    from nightshift.kinds.ingest.inbox_files import left_by_jobs, named_for_watch
    from nightshift.pins.changes import notice_changes
    from nightshift.vocabulary import Reason

    began = busy_at = time.monotonic()
    ask_at = sweep_at = began
    files = runs = 0
    memory: dict[str, Seen] = {}
    with open_context() as context:
        notice_changes(context.ledger, context.deployment.name, context.clock.now())
        while True:
            if time.monotonic() >= ask_at:
                look(context)
                if trouble := storage_trouble(context):
                    return f"the night waits: {'; '.join(trouble)}"
            complete = complete_files(context.inbox, memory, *context.deployment.surveys)
            came = named_for_watch(context.deployment, complete)
            if time.monotonic() >= sweep_at:
                came += left_by_jobs(context, complete)
            try:
                files += len(ingest_all(context, came)) if came else 0
            except Retry as error:
                if error.reason is not Reason.STORAGE_UNAVAILABLE:
                    raise
                time.sleep(STORAGE_PAUSE_S)
                return f"the night waits: {error}"
            now = time.monotonic()
            if came or now >= ask_at:
                asked = request_due(context)
                runs += asked
                busy_at = now if came or asked or _under_way(context) else busy_at
                ask_at = now + ASK_EVERY_S
            if now >= sweep_at:
                _sweep(context)
                sweep_at = now + SWEEP_EVERY_S
            if now - busy_at > LINGER_S or now - began > AT_MOST_S:
                return f"{files} files, {runs} runs asked for"
            time.sleep(PAUSE_S)


def _under_way(context: Any) -> bool:
    from nightshift.ledger.queries import watch

    return watch.under_way(context.ledger, lately_s=LATELY_S) > 0


def request_due(context: Any) -> int:
    """Ask Airflow for the runs that are due, and return how many."""
    from nightshift.workflow.due_runs import due_runs, mark_requested
    from operators.airflow_api import airflow_api

    due = due_runs(context)
    for request in due:
        airflow_api().create_run(request.dag_id, request.run_id, request.conf)
        mark_requested(context, request)
        log.info("asked for %s", request.run_id)
    return len(due)


def _sweep(context: Any) -> None:
    from nightshift.alerts.release_order import release_all_in_order
    from nightshift.night_watch import look_at_open_night
    from nightshift.runners import runner_from_environment
    from nightshift.workflow.arrays import sweep

    for summary in sweep(context, runner_from_environment()):
        log.info("swept up %s", summary)
    release_all_in_order(context)
    _post(context)
    for of_site in context.sites():
        look_at_open_night(of_site)


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
    from operators.outcomes import answer_person

    return answer_person(run, lambda: _regenerate({**asked, **(run.conf or {})}, run))


def _regenerate(asked: dict[str, Any], run: Any) -> str:
    from nightshift.context import open_context
    from nightshift.kinds.reference.regenerate import read_regeneration, regenerate
    from nightshift.workflow.due_runs import mark_requested
    from operators.airflow_api import airflow_api, person_of

    with open_context() as context:
        own = context.of_work({"instrument": asked.pop("instrument")}) if "instrument" in asked else context
        request = read_regeneration(own.survey, asked)
        text, wanted = regenerate(own, request, operator=person_of(run), request_id=run.run_id)
        if wanted:
            airflow_api().create_run(wanted.dag_id, wanted.run_id, wanted.conf)
            mark_requested(own, wanted)
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
    from operators.outcomes import answer_person

    return answer_person(run, lambda: _dispose({**asked, **(run.conf or {})}, run))


def _dispose(asked: Mapping[str, Any], run: Any) -> str:
    from nightshift.context import open_context
    from nightshift.workflow.overrides import dispose, read_disposal
    from operators.airflow_api import person_of

    request = read_disposal(asked)
    with open_context() as context:
        return dispose(context, request, operator=person_of(run), request_id=run.run_id)


# --- the end of a night -------------------------------------------------------------------------------------


def begin_night_end(run: Any) -> str:
    """Mark the night as closing and return its text; skip where the clock asks for one that has begun to close.

    What is refused, as a night whose month has left the ledger, is refused at once.

    Parameters
    ----------
    run : DagRun
        Asked for with a night, or made by the timetable at the night's end.
    """
    from airflow.sdk.exceptions import AirflowSkipException

    from nightshift.night_end.close import begin_closing
    from nightshift.vocabulary import NightState
    from operators.outcomes import no_retry_where_a_human_must_act

    conf = run.conf or {}
    by_clock = "night" not in conf
    with no_retry_where_a_human_must_act():
        text = night_of_run(conf.get("site", ""), conf.get("night", ""), str(run.data_interval_end or ""))
        with open_night(text) as (context, night):
            if by_clock and (state := night_state(context, night)) is not NightState.OPEN:
                raise AirflowSkipException(f"the night of {night} is {state or 'unknown: nothing came of it'}")
            begin_closing(context, night, signal="clock" if by_clock else conf.get("signal", "operator"))
    return text


def night_of_run(site: str, night: str, ended_at: str) -> str:
    """Return the night that a run is for, as ``site/YYYY-MM-DD``.

    Parameters
    ----------
    site, night : str
        What the run was asked for; a survey of one site needs no name of it.
    ended_at : str
        Without a night: the moment at which it ended, by the timetable.
    """
    from nightshift.context import deployment_from_environment
    from operators.timetables import night_ended_at

    deployment = deployment_from_environment()
    if night:
        return f"{deployment.site_named(site).name}/{_date_of(night).isoformat()}"
    name, ended = night_ended_at(deployment.sites, datetime.fromisoformat(ended_at))
    return f"{name}/{ended.isoformat()}"


def _date_of(night: str) -> date:
    from nightshift.errors import BadInput
    from nightshift.vocabulary import Reason

    try:
        return date.fromisoformat(night)
    except ValueError:
        raise BadInput(Reason.INTERNAL_ERROR, f"{night!r} is no night: write YYYY-MM-DD") from None


@contextmanager
def open_night(text: str) -> Iterator[tuple[Any, date]]:
    """Open the context of a night's site, and give it with the night: its text is as of `night_of_run`."""
    from nightshift.context import open_context

    site, night = _site_and_night(text)
    with open_context() as context:
        day = date.fromisoformat(night)
        yield context.of_site(context.deployment.site_named(site).name).of_night(day), day


def _site_and_night(text: str) -> tuple[str, str]:
    """Return both, or fail at once where there is no night: the end of a night gives none that did not begin."""
    from airflow.sdk.exceptions import AirflowFailException

    site, _, night = text.rpartition("/")
    if not site:
        raise AirflowFailException("the night did not begin to close: see what the task `begin` says")
    return site, night


def night_state(context: Any, night: date) -> Any:
    """Return how a night stands, or None where the ledger has none."""
    from nightshift.ledger.queries import night_end as night_end_queries

    row = night_end_queries.night(context.ledger, site=context.site.name, night=night)
    return row.state if row else None


def why_night_may_close(text: str) -> str | None:
    """Return why a night may close, or None while something of it is under way or due."""
    from nightshift.errors import Retry
    from nightshift.health import storage_trouble
    from nightshift.night_end.close import may_close
    from nightshift.workflow.due_runs import due_runs

    try:
        with open_night(text) as (context, night):
            if trouble := storage_trouble(context):
                log.info("the night waits: %s", "; ".join(trouble))
                return None
            over, why = may_close(context, night)
            if over and "deadline" not in why and (due := due_runs(context)):
                over, why = False, f"{len(due)} runs are due, the first: {due[0].run_id}"
    except Retry as error:
        log.warning("the ledger does not answer: %s", error)
        return None
    log.info("%s", why)
    return why if over else None


def settle_night(night: str) -> str:
    """Post what is released, take in what has a result, and give up what has none and the deadline allows."""
    from nightshift.alerts.release_order import release_all_in_order
    from nightshift.health import wait_for_storage
    from nightshift.night_end.close import fail_stragglers, in_flight
    from nightshift.runners import runner_from_environment
    from nightshift.workflow.arrays import give_up

    with open_night(night) as (context, day):
        given_up = 0
        wait_for_storage(context)  # what cannot be read now is not lost
        if in_flight(context, day):
            give_up(context, runner_from_environment(), context.site.name, day)
            given_up = fail_stragglers(context, day)
        release_all_in_order(context, at_once=True)
        return f"{given_up} units given up; alerts: {_post(context)}"


def request_run_of_night(workflow: str, night: str) -> str:
    """Ask for a workflow's run for a night, or find that it is there, and return its id."""
    from operators.airflow_api import airflow_api

    run_id, conf = _run_of_night(workflow, night)
    airflow_api().create_run(workflow, run_id, conf)
    return run_id


def _run_of_night(dag_id: str, text: str) -> tuple[str, dict[str, str]]:
    from nightshift.context import deployment_from_environment
    from nightshift.workflow.subjects import run_id

    site, night = _site_and_night(text)
    conf = {"site": deployment_from_environment().site_named(site).name, "night": night}
    return run_id(dag_id, conf, 0), conf


class RunWatch:
    """Looks whether a workflow's run for a night has ended.

    Parameters
    ----------
    dag_id, night : str
        The workflow, and the night as of `night_of_run`.
    """

    def __init__(self, dag_id: str, night: str):
        self._dag_id = dag_id
        self._run_id = _run_of_night(dag_id, night)[0]
        self._looks_in_vain = 0

    def how_it_ended(self) -> str | None:
        """Look once; return the state in which it ended, that Airflow has no such run, or None while it goes on."""
        from nightshift.errors import Retry
        from operators.airflow_api import airflow_api

        try:
            state = airflow_api().run_state(self._dag_id, self._run_id)
        except Retry as error:
            log.warning("%s", error)
            return None
        if state is None:
            self._looks_in_vain += 1
            return f"Airflow has no run {self._run_id}" if self._looks_in_vain >= LOOKS_IN_VAIN else None
        self._looks_in_vain = 0
        return state if state in ("success", "failed") else None


def account_for_night(night: str) -> str:
    """Count the night's three identities."""
    from nightshift.night_end.accounts import account

    with open_night(night) as (context, day):
        books = account(context, day)
    return "; ".join(books.imbalances) or "it closes to zero"


def map_coverage(night: str) -> str:
    """Make the maps of what was observed; what goes wrong with them is an event, and the night goes on."""
    from nightshift.coverage.after_night import make_after_night
    from nightshift.health import wait_for_storage

    with open_night(night) as (context, day):
        wait_for_storage(context)
        return str(make_after_night(context, day))


def archive_night(night: str) -> str:
    """Copy the night into the archive."""
    from nightshift.archive.night_archive import archive
    from nightshift.health import wait_for_storage

    with open_night(night) as (context, day):
        wait_for_storage(context)
        return str(archive(context, day))


def verify_archive(night: str) -> str:
    """Read the archive back."""
    from nightshift.archive.night_archive import verify
    from nightshift.health import wait_for_storage

    with open_night(night) as (context, day):
        wait_for_storage(context)
        return str(verify(context, day, unread_only=True))


def copy_night(night: str) -> str:
    """Make the second copies of a night; what waits for its place or for time follows by the workflow copy_files."""
    from nightshift.archive.copying import copy_night as copy
    from nightshift.context import open_context
    from nightshift.health import wait_for_storage

    site, day = _site_and_night(night)
    with open_context() as opened:  # the settings that hold now: a night of long ago goes where all go
        context = opened.of_site(site)
        wait_for_storage(context)
        return str(copy(context, date.fromisoformat(day)) or "the settings name no place of second copies")


def copy_files() -> str:
    """Make the second copies that wait, of each site."""
    from nightshift.archive.copying import copy_what_is_due
    from nightshift.context import open_context

    with open_context() as context:
        done = {site.site.name: copy_what_is_due(site, at_most_s=COPY_AT_MOST_S) for site in context.sites()}
    return "; ".join(f"{name}: {said or 'no second copies'}" for name, said in done.items())


def verify_old_nights() -> str:
    """Read again, of each site, what was read longest ago, and mend what is damaged."""
    from nightshift.archive.rota import verify_old_nights as verify_old
    from nightshift.context import open_context
    from nightshift.health import wait_for_storage

    with open_context() as context:
        wait_for_storage(context)
        return "; ".join(f"{site.site.name}: {verify_old(site)}" for site in context.sites())


def mail_report(night: str) -> str:
    """Write and send the morning's mail."""
    from nightshift.health import wait_for_storage
    from nightshift.night_end.report import send_report

    with open_night(night) as (context, day):
        wait_for_storage(context)
        return str(send_report(context, day))


def close_night(night: str) -> str:
    """Close the night, or say that it does not balance."""
    from nightshift.night_end.close import close

    with open_night(night) as (context, day):
        return str(close(context, day))


# --- the afternoon ------------------------------------------------------------------------------------------


def preflight(run: Any) -> str:
    """Check whether a site's night can begin, and return in a line what was found.

    Parameters
    ----------
    run : DagRun
        Asked for with a site and a night, or made by the timetable before the night.
    """
    from nightshift.context import deployment_from_environment
    from nightshift.preflight.afternoon_run import counted
    from nightshift.preflight.afternoon_run import preflight as check_night
    from nightshift.preflight.open_site import site_opener
    from operators.timetables import night_begun_at

    conf, deployment = run.conf or {}, deployment_from_environment()
    if "night" in conf:
        site, night = deployment.site_named(conf.get("site")).name, _date_of(conf["night"])
    else:
        sites = (deployment.site_named(conf["site"]),) if "site" in conf else deployment.sites
        site, night = night_begun_at(sites, run.data_interval_end or datetime.now(UTC))
    opener = site_opener(site, night)
    with opener() as context:
        done = check_night(context, night, opener)
    found = counted([(result.finding.state, result.check.name) for result in done.results])
    log.info("the page: %s", done.page)
    return f"{site}/{night.isoformat()}: {found}"


def request_backup(night: str) -> str:
    """Ask for a backup of the ledger, in which the night is closed; a replayed night is not disturbed by it."""
    from nightshift.clock import SystemClock
    from nightshift.ledger.queries import backup as backup_queries
    from operators.airflow_api import airflow_api

    with open_night(night) as (context, day):
        if not isinstance(context.clock, SystemClock):
            return "the night is a replay: no backup"
        closed = backup_queries.night_closed_at(context.ledger, site=context.site.name, night=day)
    if closed is None:
        return "the night was opened again: its next end asks for a backup"
    run_id = f"after_night__{night.replace('/', '_')}__{closed:%Y%m%dT%H%M%S}"
    airflow_api().create_run("back_up_ledger", run_id, {"night": night})
    return f"asked for {run_id}"


# --- housekeeping -------------------------------------------------------------------------------------------


def prune_airflow() -> str:
    """Remove runs of long ago from Airflow's own metadata, and their log files."""
    from nightshift.context import open_context
    from nightshift.stack.airflow_logs import logs_folder, prune_logs
    from nightshift.stack.airflow_metadata import metadata_address, prune_metadata

    with open_context() as context:
        days = context.storage_policy.keep_airflow_days
    folder = logs_folder()
    logs = f"; {prune_logs(folder, older_than_days=days)}" if folder is not None else ""
    return f"removed {prune_metadata(metadata_address(), older_than_days=days)}{logs}"


def clean_up() -> str:
    """Delete in the depot what may leave it, site after site."""
    from nightshift.context import open_context
    from nightshift.housekeeping.clean_up import clean_up as clean_up_site
    from nightshift.process_owner import process_owner

    said = []
    with open_context() as context:
        for site in context.sites():
            done = clean_up_site(site, operator="nightshift", account=process_owner())
            free = f"{done.freed_bytes / 1e6:.1f} MB are free again"
            said.append(f"{site.site.name}: {done.files} files left, {free}; {done.why_not.total()} stay")
    return "; ".join(said)


def keep_tables() -> str:
    """Make the ledger's next month, and vacuum what grew."""
    from nightshift.context import open_context
    from nightshift.housekeeping.table_upkeep import keep_tables as keep

    with open_context() as context:
        done = keep(context.of_site(context.deployment.sites[0].name))
    return f"vacuumed: {', '.join(done.vacuumed) or 'nothing'}"


def watch_disks() -> str:
    """Sample the disks, and say which fill up."""
    from nightshift.context import open_context
    from nightshift.housekeeping.disk_watch import watch_disks as watch

    with open_context() as context:
        return "; ".join(map(str, watch(context)))


def back_up_ledger(run: Any) -> str:
    """Back the ledger up; where the clock asks for it, only if no backup was taken lately.

    Parameters
    ----------
    run : DagRun
        Asked for with a night, or made by the timetable.
    """
    from nightshift.backup.backup_state import backup_state
    from nightshift.backup.dumping import backup_policy, take_backup
    from nightshift.context import open_context
    from nightshift.errors import NeedsOperator
    from nightshift.vocabulary import Reason
    from operators.outcomes import no_retry_where_a_human_must_act

    with open_context() as context, no_retry_where_a_human_must_act():
        state = backup_state(context)
        if backup_policy(context).by != "dump":
            if state.troubles:
                raise NeedsOperator(Reason.INTERNAL_ERROR, " ".join(state.troubles))
            return str(state)
        if "night" not in (run.conf or {}) and state.newest_age_h is not None and state.newest_age_h < FRESH_BACKUP_H:
            return f"there is a fresh one: {state}"
        return str(take_backup(context))


def rehearse_restore() -> str:
    """Restore the newest backup elsewhere and compare it with what was dumped."""
    from nightshift.backup.dumping import backup_policy
    from nightshift.backup.restore_rehearsal import rehearse
    from nightshift.context import open_context
    from nightshift.ledger.queries import backup as backup_queries
    from operators.outcomes import no_retry_where_a_human_must_act

    with open_context() as context, no_retry_where_a_human_must_act():
        if (by := backup_policy(context).by) != "dump":
            return f"{by} takes the backups, and the site rehearses their restore: docs/backup.md"
        if backup_queries.last_good_step(context.ledger, step="backup") is None:  # a new survey
            return "no backup was taken yet: there is nothing to rehearse"
        return str(rehearse(context))
