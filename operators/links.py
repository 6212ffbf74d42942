"""Links on a task's page."""

from typing import Any
from urllib.parse import quote

from airflow.sdk import BaseOperatorLink

__all__ = ["JobLogLink"]


class JobLogLink(BaseOperatorLink):
    """From a task of a job array to the page where the jobs' own logs are: the log of its `collect`."""

    name = "Logs of the jobs"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """Return the path within Airflow's page."""
        group = operator.task_id.rpartition(".")[0]
        collect = f"{group}.collect" if group else "collect"
        return f"/dags/{quote(ti_key.dag_id)}/runs/{quote(ti_key.run_id, safe='')}/tasks/{quote(collect)}"
