"""The named queries of ``sql/queries/runs.sql``, typed.

Written by ``make queries``: change the SQL and run it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from nightshift.ledger.database import Ledger

__all__ = [
    "AskedConf",
    "RunUnderWay",
    "RunsOfSubject",
    "conf_of_subject",
    "end_runs",
    "lock_subject",
    "put_run",
    "resume_run",
    "runs_of",
    "runs_under_way",
]

TOPIC = "runs"


@dataclass(frozen=True, slots=True)
class RunsOfSubject:
    """A row of `runs_of`."""

    subject: str
    times: int
    under_way: bool


@dataclass(frozen=True, slots=True)
class AskedConf:
    """A row of `conf_of_subject`."""

    conf: dict[str, Any]


@dataclass(frozen=True, slots=True)
class RunUnderWay:
    """A row of `runs_under_way`."""

    subject: str
    conf: dict[str, Any]


def lock_subject(ledger: Ledger, *, subject: str) -> None:
    """One at a time for one subject; released with the transaction."""
    ledger.run(TOPIC, "lock_subject", subject=subject)


def runs_of(ledger: Ledger, *, stale_s: float, subjects: Sequence[str]) -> list[RunsOfSubject]:
    """How often each subject was asked for, and whether a run of it is still under way."""
    return ledger.select(TOPIC, "runs_of", RunsOfSubject, stale_s=stale_s, subjects=subjects)


def put_run(
    ledger: Ledger, *, run_id: str | None, dag_id: str | None, subject: str | None, conf: dict[str, Any] | None
) -> int:
    """Run `put_run`."""
    return ledger.run(TOPIC, "put_run", run_id=run_id, dag_id=dag_id, subject=subject, conf=conf)


def end_runs(ledger: Ledger, *, subject: str | None) -> int:
    """Run `end_runs`."""
    return ledger.run(TOPIC, "end_runs", subject=subject)


def conf_of_subject(ledger: Ledger, *, subject: str) -> AskedConf | None:
    """What the newest run of a subject was asked with."""
    return ledger.first(TOPIC, "conf_of_subject", AskedConf, subject=subject)


def resume_run(ledger: Ledger, *, run_id: str | None) -> int:
    """Run `resume_run`."""
    return ledger.run(TOPIC, "resume_run", run_id=run_id)


def runs_under_way(ledger: Ledger, *, dag_id: str, instrument: str, stale_s: float) -> list[RunUnderWay]:
    """The runs of a workflow for an instrument that were asked for and have not ended."""
    return ledger.select(TOPIC, "runs_under_way", RunUnderWay, dag_id=dag_id, instrument=instrument, stale_s=stale_s)
