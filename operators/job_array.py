"""An array of jobs as three tasks: submit, wait, collect."""

from typing import Any

from airflow.sdk import BaseOperator, TaskGroup

from operators.array_wait import WaitForArray
from operators.links import JobLogLink

__all__ = ["CollectArray", "JobArray", "SubmitArray"]


class SubmitArray(BaseOperator):
    """Plans the units that the run's `conf` names and hands them to the runner. Again: adopts what is there.

    Parameters
    ----------
    kind : str
        The kind of job.

    Returns the array's name, or nothing where there was nothing to do.
    """

    ui_color = "#d7ecd9"
    operator_extra_links = (JobLogLink(),)

    def __init__(self, *, kind: str, **kwargs: Any):
        super().__init__(**kwargs)
        self.kind = kind

    def execute(self, context: Any) -> str | None:
        """Submit."""
        from operators.airflow_api import asked_by_person
        from operators.array_steps import submit_array
        from operators.outcomes import no_retry_where_a_human_must_act

        run, instance = context["dag_run"], context["ti"]
        with no_retry_where_a_human_must_act():
            return submit_array(
                self.kind, run.conf or {}, run_id=run.run_id, try_number=instance.try_number,
                cleared_after=max(0, instance.max_tries - self.retries), by_person=asked_by_person(run),
            )  # fmt: skip


class CollectArray(BaseOperator):
    """Reads the result files and writes the ledger; prints the logs of what did not end well.

    Parameters
    ----------
    kind : str
        The kind of job.
    """

    ui_color = "#d7ecd9"
    operator_extra_links = (JobLogLink(),)

    def __init__(self, *, kind: str, **kwargs: Any):
        super().__init__(**kwargs)
        self.kind = kind

    def execute(self, context: Any) -> str:
        """Collect."""
        from operators.array_steps import collect_array
        from operators.outcomes import no_retry_where_a_human_must_act

        with no_retry_where_a_human_must_act():
            return collect_array(self.kind, context["dag_run"].conf or {})


class JobArray(TaskGroup):
    """A group of three tasks that runs one kind of job for what the run's `conf` names.

    Parameters
    ----------
    kind : str
        The kind of job; also the group's name.
    """

    def __init__(self, kind: str):
        super().__init__(group_id=kind)
        with self:
            (
                SubmitArray(task_id="submit", kind=kind)
                >> WaitForArray(task_id="wait", kind=kind)
                >> CollectArray(task_id="collect", kind=kind)
            )
