"""What Airflow planned for a moment that the clock, set back since, has yet to reach.

Airflow looks at no run before its ``run_after``, which is the time when it was asked for. After the machine's clock
was set back by an hour, or set right after it had been an hour ahead, every run under way would stand still for an
hour. So a thread of the scheduler moves to now what was both written and planned in what is now the future. Runs that
somebody planned ahead were written in the past, and stay as they are.
"""

import logging
import sys
import threading
import time
from typing import Any

from airflow.listeners import hookimpl

__all__ = ["on_starting", "set_right"]

log = logging.getLogger(__name__)

EVERY_S = 5.0


def set_right(session: Any) -> int:
    """Move to now what stands still because the clock was set back, and return how many rows that were.

    Parameters
    ----------
    session : sqlalchemy.orm.Session
        Of Airflow's own database, whose clock counts.
    """
    from airflow.models.dag import DagModel
    from airflow.models.dagrun import DagRun
    from airflow.models.taskinstance import TaskInstance
    from sqlalchemy import func, update

    now = func.now()
    statements = (
        update(DagRun)
        .where(DagRun.state.in_(("queued", "running")), DagRun.run_after > now, DagRun.created_at > now)
        .values(run_after=now),
        # Nor does it look at a run of a date that is still to come.
        update(DagRun)
        .where(DagRun.state.in_(("queued", "running")), DagRun.logical_date > now, DagRun.created_at > now)
        .values(logical_date=None),
        # A run that was looked at in the future would be looked at after all others.
        update(DagRun)
        .where(DagRun.state == "running", DagRun.last_scheduling_decision > now)
        .values(last_scheduling_decision=None),
        # A watch that never pauses is never planned ahead.
        update(DagModel)
        .where(DagModel.timetable_summary == "@continuous", DagModel.next_dagrun_data_interval_end > now)
        .values(
            next_dagrun=now,
            next_dagrun_data_interval_start=now,
            next_dagrun_data_interval_end=now,
            next_dagrun_create_after=now,
        ),
        # A retry counts from the end of the try before it.
        update(TaskInstance)
        .where(TaskInstance.state == "up_for_retry", TaskInstance.end_date > now)
        .values(end_date=now),
    )
    without_loading = {"synchronize_session": False}
    return sum(session.execute(statement, execution_options=without_loading).rowcount for statement in statements)


def _look_after_the_clock() -> None:
    from airflow.utils.session import create_session

    while True:
        time.sleep(EVERY_S)
        try:
            with create_session() as session:
                if moved := set_right(session):
                    log.warning("the clock was set back: %s rows of Airflow's that lay ahead are moved to now", moved)
        except Exception:
            # The database may be away, and comes back; the scheduler itself says so louder than this could.
            log.debug("the clock could not be looked after", exc_info=True)


@hookimpl
def on_starting(component: Any) -> None:
    """Begin to look after the clock, in the scheduler's own process alone and not in the tasks that it forks."""
    from airflow.jobs.job import Job

    if isinstance(component, Job) and sys.argv[1:2] == ["scheduler"]:
        threading.Thread(target=_look_after_the_clock, name="clock-set-back", daemon=True).start()
