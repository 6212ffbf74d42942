"""What Airflow planned for a moment that the clock, set back since, has yet to reach.

Airflow looks at no run before its ``run_after``, and a run that is asked for gets the time of asking. After the
machine's clock was set back by an hour, or set right after it had been an hour ahead, every run under way would stand
still for an hour. So a thread of the scheduler moves to now what was asked for at once, by a clock that was ahead.
What a person or a timetable planned for later stays as it is.
"""

import logging
import sys
import threading
import time
from datetime import timedelta
from typing import Any

from airflow.listeners import hookimpl
from sqlalchemy import Interval, func, literal, or_, select, text, update
from sqlalchemy.exc import OperationalError

__all__ = ["on_starting", "set_right"]

log = logging.getLogger(__name__)

EVERY_S = 5.0
AHEAD = timedelta(seconds=30)  # by which the clocks of Airflow and of its database may differ
AT_ONCE = timedelta(seconds=5)  # between the asking for a run and its `run_after`


def set_right(session: Any) -> int:
    """Move to now what stands still because the clock was set back, and return how many rows that were.

    Every kind of row is a transaction of its own, which waits for no other's lock for long.

    Parameters
    ----------
    session : sqlalchemy.orm.Session
        Of Airflow's own database, whose clock counts.
    """
    moved = 0
    for statement in _statements():
        session.execute(text("set local lock_timeout = '2s'"))
        moved += session.execute(statement, execution_options={"synchronize_session": False}).rowcount
        session.commit()
    return moved


def _statements() -> tuple[Any, ...]:
    from airflow.models.dag import DagModel
    from airflow.models.dagrun import DagRun
    from airflow.models.taskinstance import TaskInstance

    now = func.clock_timestamp()
    ahead = now + literal(AHEAD, Interval)
    under_way = DagRun.state.in_(("queued", "running"))
    # The watch over the inbox, which follows itself without a pause and is never planned for later.
    continuous = select(DagModel.dag_id).where(DagModel.timetable_summary == "@continuous")
    return (
        update(DagRun)
        .where(
            under_way, DagRun.run_after > ahead, DagRun.run_after <= DagRun.created_at + literal(AT_ONCE, Interval)
        )
        .where(or_(DagRun.run_type == "manual", DagRun.dag_id.in_(continuous)))
        .values(run_after=now),
        # Nor does Airflow look at a run of a date that is still to come.
        update(DagRun)
        .where(under_way, DagRun.logical_date > ahead, DagRun.dag_id.in_(continuous))
        .values(logical_date=None),
        # A run that was looked at in the future would be looked at after all others.
        update(DagRun)
        .where(DagRun.state == "running", DagRun.last_scheduling_decision > ahead)
        .values(last_scheduling_decision=None),
        update(DagModel)
        .where(DagModel.dag_id.in_(continuous), DagModel.next_dagrun_data_interval_end > ahead)
        .values(
            next_dagrun=now,
            next_dagrun_data_interval_start=now,
            next_dagrun_data_interval_end=now,
            next_dagrun_create_after=now,
        ),
        # A retry counts from the end of the try before it.
        update(TaskInstance)
        .where(TaskInstance.state == "up_for_retry", TaskInstance.end_date > ahead)
        .values(end_date=now),
    )


def _look_after_the_clock() -> None:
    from airflow.utils.session import create_session

    while True:
        time.sleep(EVERY_S)
        try:
            with create_session() as session:
                if moved := set_right(session):
                    log.warning("the clock was set back: %s rows of Airflow's that lay ahead are moved to now", moved)
        except OperationalError as error:
            # The database is away, or another holds a row: the next look comes soon.
            log.debug("the clock could not be looked after: %s", error)
        except Exception:
            log.exception("the clock could not be looked after")


@hookimpl
def on_starting(component: Any) -> None:
    """Begin to look after the clock, in the scheduler's own process alone and not in the tasks that it forks."""
    from airflow.jobs.job import Job

    if isinstance(component, Job) and sys.argv[1:2] == ["scheduler"]:
        threading.Thread(target=_look_after_the_clock, name="clock-set-back", daemon=True).start()
