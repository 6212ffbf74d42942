"""What the scheduler loads once, so that no task has to.

The local executor forks its workers from the scheduler, and they fork a process for every task: what the scheduler
has imported is there at once, and in memory only once. Without it each task would import for longer than it works.
"""

import logging
from importlib import import_module

__all__ = ["preload"]

log = logging.getLogger(__name__)

MODULES = (
    "operators.airflow_api",
    "operators.forms",
    "operators.job_array",
    "operators.steps",
    "operators.timetables",
    "operators.waiting",
    "nightshift.alerts.post",
    "nightshift.ingest.inbox",
    "nightshift.ingest.ingest",
    "nightshift.runners.local",
    "nightshift.workflow.arrays",
    "nightshift.workflow.due",
    "nightshift.workflow.regenerate",
    "nightshift.workplace",
    "airflow.providers.standard.decorators.python",
)


def preload(arguments: list[str]) -> None:
    """Load what tasks need, if this process is a scheduler.

    Parameters
    ----------
    arguments : list of str
        The process's command line.
    """
    if "scheduler" not in arguments[1:2]:
        return
    for module in MODULES:
        try:
            import_module(module)
        except ImportError:
            log.exception("%s is not loaded beforehand: every task that needs it will load it", module)
