"""## The disks are watched

Four times an hour the free space of inbox, depot, archive, second copy and the ledger's disk is written down; the
nodes say theirs with each job. A disk that fills up within days, or is nearly full, is said once, and once that it
has room again. `nightshift disks` shows them all.
"""

from airflow.sdk import DAG, task

from operators import steps
from operators.defaults import BEFORE_ANY_NIGHT, task_defaults
from operators.timetables import every_quarter_of_live_hours

with DAG(
    "watch_disks",
    schedule=every_quarter_of_live_hours(),
    start_date=BEFORE_ANY_NIGHT,
    catchup=False,
    max_active_runs=1,
    default_args={**task_defaults(), "priority_weight": 1},
    tags=["housekeeping"],
    doc_md=__doc__,
):
    task(steps.watch_disks)()
