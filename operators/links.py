"""Links on a task's page."""

from typing import Any
from urllib.parse import quote

from airflow.sdk import BaseOperatorLink

__all__ = ["JOB_LOGS", "JobLogLink"]

JOB_LOGS = "/nightshift/jobs"  # below Airflow's own address; served by `operators.job_logs`


class JobLogLink(BaseOperatorLink):
    """From a task of a job array to the page with the logs of the run's jobs."""

    name = "Logs of the jobs"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """Return the path below Airflow's own address."""
        return f"{JOB_LOGS}/{quote(ti_key.dag_id, safe='')}/{quote(ti_key.run_id, safe='')}"
