"""What Airflow must know of Nightshift before it reads a DAG."""

import sys

from airflow.plugins_manager import AirflowPlugin

from operators.links import JobLogLink
from operators.preload import preload
from operators.timetables import NightTimetable


class NightshiftPlugin(AirflowPlugin):
    """Registers the nights' timetable and the links of job arrays."""

    name = "nightshift"
    timetables = (NightTimetable,)
    operator_extra_links = (JobLogLink(),)


preload(sys.argv)
