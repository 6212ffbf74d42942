"""The workflow of the benchmark: submit, wait and collect as they are, of arrays whose tasks need no frames."""

import os

from airflow.sdk import DAG

import nightshift.kinds.master.plan
import nightshift.kinds.master.record
from nightshift.kinds.plans import Plan, PlannedUnit
from operators.defaults import BEFORE_ANY_NIGHT, task_defaults
from operators.job_array import JobArray

TASKS = int(os.environ["BENCH_TASKS"])
UNIT = {"detector": 1, "quadrant": 1}  # of no consequence: there are no products


def plan(context, subject):
    """Return one unit a task, without inputs."""
    units = (PlannedUnit(f"bench/{subject['version']}/{task:02d}", task, (), UNIT) for task in range(TASKS))
    return Plan(context.survey.site.name, subject.night, tuple(units))


nightshift.kinds.master.plan.plan = plan
nightshift.kinds.master.record.record = lambda context, ending: None

with DAG(
    "calibrations",
    schedule=None,
    start_date=BEFORE_ANY_NIGHT,
    max_active_runs=16,
    default_args=task_defaults(),
):
    JobArray("master")
