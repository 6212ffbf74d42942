"""What the scheduler and the DAG processor load once, so that no process which they fork has to.

The local executor forks its workers from the scheduler, and they fork a process for every task; the DAG processor
forks one for every file that it reads. What the parent has imported is there at once and in memory once. Without
it each would import for longer than it works.
"""

import logging
from importlib import import_module

__all__ = ["preload"]

log = logging.getLogger(__name__)

WORKFLOWS = (
    "operators.forms",
    "operators.job_array",
    "operators.array_steps",
    "operators.steps",
    "operators.timetables",
    "operators.array_wait",
    "airflow.providers.standard.decorators.python",
)
TASKS = (
    "operators.airflow_api",
    "operators.outcomes",
    "nightshift.alerts.post",
    "nightshift.ingest.inbox",
    "nightshift.ingest.ingest",
    "nightshift.runners.local",
    "nightshift.workflow.arrays",
    "nightshift.workflow.due_runs",
    "nightshift.workflow.reaper",
    "nightshift.kinds.reference.regenerate",
    "nightshift.context",
)
MODULES = {"scheduler": WORKFLOWS + TASKS, "dag-processor": WORKFLOWS}


def preload(arguments: list[str]) -> None:
    """Load what tasks need if this process is a scheduler, and what workflows import if it parses them.

    Parameters
    ----------
    arguments : list of str
        The process's command line.
    """
    for module in MODULES.get(next(iter(arguments[1:2]), ""), ()):
        try:
            import_module(module)
        except ImportError:
            log.exception("%s is not loaded beforehand: every task that needs it will load it", module)
    if arguments[1:2] == ["scheduler"]:
        _load_kinds()


def _load_kinds() -> None:
    from nightshift.kinds import kinds

    for kind in kinds():
        try:
            kind.load()
        except ImportError:
            log.exception("the kind of work %s is not loaded beforehand: every task of it will load it", kind)
