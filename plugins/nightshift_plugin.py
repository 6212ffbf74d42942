"""What Airflow must know of Nightshift before it reads a DAG."""

import sys

from airflow.plugins_manager import AirflowPlugin

from operators import clock_set_back
from operators.forked_preload import preload
from operators.links import JOB_LOGS, JobLogLink
from operators.timetables import AfternoonTimetable, AlwaysAgain, NightTimetable


def pages() -> list[dict]:
    """Return the pages that Airflow's own server takes in; no other process needs what they import."""
    if sys.argv[1:2] != ["api-server"]:
        return []
    from operators.job_logs import app

    return [{"app": app, "url_prefix": JOB_LOGS, "name": "Logs of jobs"}]


class NightshiftPlugin(AirflowPlugin):
    """Registers timetables, the links of job arrays with the pages they lead to, and who looks after the clock."""

    name = "nightshift"
    fastapi_apps = pages()
    timetables = (NightTimetable, AfternoonTimetable, AlwaysAgain)
    listeners = (clock_set_back,)
    operator_extra_links = (JobLogLink(),)


preload(sys.argv)
