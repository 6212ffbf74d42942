"""What is due, by the ledger alone.

Events only wake the one who asks here. Asking twice gives the same run ids, so a request that was lost or made
twice is one run.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from nightshift.context import Context
from nightshift.kinds import kind_of_workflow, kinds
from nightshift.kinds.poll import Poll
from nightshift.ledger.queries import nights as nights_queries
from nightshift.ledger.queries import runs as run_queries
from nightshift.vocabulary import EventLevel
from nightshift.workflow.subjects import NIGHT_DAG, run_id, subject_of_run

__all__ = ["RunRequest", "due_runs", "mark_requested", "stale_after_s"]


@dataclass(frozen=True)
class RunRequest:
    """One workflow run to ask for.

    Parameters
    ----------
    dag_id : str
    run_id : str
        Deterministic; that it is already there counts as asked.
    conf : dict of str to str
        Natural keys.
    """

    dag_id: str
    run_id: str
    conf: dict[str, str]


def due_runs(context: Context) -> list[RunRequest]:
    """Return the runs to ask for now, most urgent first: each kind of work by its urgency, then nights to close.

    Nothing is written: a run that was not asked for after all is due again.
    """
    polls = [(own, Poll(own)) for own in context.instruments()]
    wanted = [
        *((kind.workflow, conf) for kind in kinds() for own, poll in polls for conf in kind.due(own, poll)),
        *((NIGHT_DAG, conf) for site in context.sites() for conf in _due_nights(site)),
    ]
    return _not_under_way(context, wanted)


def stale_after_s(context: Context) -> float:
    """Return after how many seconds a run that was asked for and has not ended does not count as under way."""
    policies = [survey.exposure for survey in context.deployment.surveys]
    return 2 * max(policy.soft_deadline_s + policy.hard_deadline_s for policy in policies)


def mark_requested(context: Context, request: RunRequest) -> None:
    """Record that Airflow took a run (or already had it). May run again, and after the run has ended."""
    ledger, conf = context.ledger, request.conf
    with ledger.transaction():
        run_queries.put_run(
            ledger, run_id=request.run_id, dag_id=request.dag_id, subject=subject_of_run(request.dag_id, conf),
            conf=dict(conf),
        )  # fmt: skip
        if request.dag_id == NIGHT_DAG:
            _mark_closing(context, conf)
        else:
            kind_of_workflow(request.dag_id).requested(context.of_work(conf), conf, request.run_id)


def _mark_closing(context: Context, conf: Mapping[str, str]) -> None:
    begun = nights_queries.mark_night_closing(
        context.ledger, site=conf["site"], night=date.fromisoformat(conf["night"]), signal=conf.get("signal")
    )
    if begun:
        context.ledger.event(
            EventLevel.INFO, "night_closing", f"The night {conf['night']} closes, by the {conf.get('signal')}.",
            subject=f"{conf['site']}/{conf['night'].replace('-', '')}", night_time=context.clock.now(),
        )  # fmt: skip


def _not_under_way(context: Context, wanted: list[tuple[str, dict[str, str]]]) -> list[RunRequest]:
    """Number the runs of each subject, and leave out those of which one is under way."""
    subjects = [subject_of_run(dag_id, conf) for dag_id, conf in wanted]
    stale_s = stale_after_s(context)
    rows = run_queries.runs_of(context.ledger, subjects=subjects, stale_s=stale_s) if subjects else []
    asked = {row.subject: row for row in rows}
    requests = []
    for subject, (dag_id, conf) in zip(subjects, wanted, strict=True):
        known = asked.get(subject)
        if known is None or not known.under_way:
            requests.append(RunRequest(dag_id, run_id(dag_id, conf, known.times if known else 0), conf))
    return requests


def _due_nights(context: Context) -> Iterable[dict[str, str]]:
    nights = nights_queries.nights_to_close(
        context.ledger, site=context.site.name, now=context.clock.now(), quiet_s=context.night_policy.grace_s
    )
    for row in nights:
        yield {"site": row.site, "night": row.night.isoformat(), "signal": row.signal}
