"""What every DAG has in common."""

import os
from datetime import UTC, datetime, timedelta
from typing import Any

from nightshift.vocabulary import EventLevel
from operators.task_failed import TaskFailed

__all__ = ["BEFORE_ANY_NIGHT", "RUNS_OF_PEOPLE", "most_runs", "task_defaults"]

BEFORE_ANY_NIGHT = datetime(2019, 1, 1, tzinfo=UTC)
RUNS_OF_PEOPLE = 16  # at once of one form: who asks waits for no other person's request


def task_defaults(*, when_failed: EventLevel = EventLevel.ERROR) -> dict[str, Any]:
    """Return the arguments of every task.

    Airflow's components may be away for a minute and come back: a task is tried four times, with half a minute
    before the second (``NIGHTSHIFT_RETRY_DELAY_S``) and more before the others.

    Parameters
    ----------
    when_failed : EventLevel
        Of the event that is written when the last try has failed.
    """
    delay = timedelta(seconds=float(os.environ.get("NIGHTSHIFT_RETRY_DELAY_S", "30")))
    return {
        "owner": "nightshift",
        "retries": 3,
        "retry_delay": delay,
        "retry_exponential_backoff": 2.0,
        "max_retry_delay": timedelta(minutes=5),
        "on_failure_callback": TaskFailed(when_failed),
    }


def most_runs(usual: int) -> int:
    """Return how many runs of a DAG may be under way at once.

    Every run that is under way is looked at by the scheduler in each of its rounds, also while it only waits, so
    more runs than can be worked on cost processor time and win none. ``NIGHTSHIFT_RUNS_AT_ONCE`` scales it: 1 for
    two cores.
    """
    return max(1, round(usual * float(os.environ.get("NIGHTSHIFT_RUNS_AT_ONCE", "1"))))
