"""## Airflow's own metadata is pruned

Once a day, at noon of the site, runs that ended longer ago than the survey's `storage.keep_airflow_days` leave
Airflow's metadata, with their tasks, and log files as old as that leave the disk. An open run keeps everything that
is as old as it. The ledger keeps its own record of every run; `nightshift airflow prune --dry-run` counts what would
leave.
"""

from airflow.sdk import DAG, task

from operators import steps
from operators.defaults import BEFORE_ANY_NIGHT, task_defaults
from operators.timetables import at_noon_of_live_days

with DAG(
    "prune_airflow",
    schedule=at_noon_of_live_days(),
    start_date=BEFORE_ANY_NIGHT,
    catchup=False,
    max_active_runs=1,
    default_args={**task_defaults(), "priority_weight": 1},
    tags=["housekeeping"],
    doc_md=__doc__,
):
    task(steps.prune_airflow)()
