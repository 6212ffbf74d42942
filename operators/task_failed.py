"""Airflow's notifier of a task that failed for good: an event of the ledger, which is told like every other."""

import logging
from typing import Any

from airflow.sdk import BaseNotifier

from nightshift.vocabulary import EventLevel

__all__ = ["TaskFailed"]

log = logging.getLogger(__name__)


class TaskFailed(BaseNotifier):
    """Writes an event when the last try of a task has failed, as ``on_failure_callback`` of every task.

    It tells nobody: who hears of it, and that a hundred such tasks are one message, is decided by
    `nightshift.messages`. It never fails itself: where the ledger does not answer, that is told anyway.

    Parameters
    ----------
    level : EventLevel
        PAGE where the night does not end without the task.
    """

    def __init__(self, level: EventLevel = EventLevel.ERROR):
        super().__init__()
        self.level = level

    def notify(self, context: Any) -> None:
        """Write the event of a task instance."""
        from nightshift.clock import clock_from_environment
        from nightshift.errors import NightshiftError
        from nightshift.ledger import open_ledger

        task, now = context["task_instance"], clock_from_environment().now()
        error = context.get("exception")
        why = f"{type(error).__name__}: {error}" if error else "it left no error: it was killed, or marked as failed"
        try:
            with open_ledger() as ledger:
                ledger.event(
                    self.level, "task_failed",
                    f"The task {task.task_id} of {task.dag_id} failed in its last try. {why}"[:1000],
                    subject=f"{task.dag_id}/{task.run_id}/{task.task_id}", night_time=now,
                )  # fmt: skip
        except NightshiftError as failure:
            log.warning("the failed task is not written down: %s", failure)
