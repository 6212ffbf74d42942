"""## A restore of the ledger is rehearsed

Once a week, at noon of the site: the newest backup is restored into a server of its own, with its own folder and
port, and must be what it was when it was taken, row by row. The server is ended and removed afterwards. A failure
calls a human; the age of the last good rehearsal is shown by `nightshift backup list`.
"""

from airflow.sdk import DAG, task

from operators import steps
from operators.defaults import BEFORE_ANY_NIGHT, task_defaults
from operators.timetables import at_noon_once_a_week

with DAG(
    "rehearse_restore",
    schedule=at_noon_once_a_week(),
    start_date=BEFORE_ANY_NIGHT,
    catchup=False,
    max_active_runs=1,
    default_args={**task_defaults(), "priority_weight": 1},
    tags=["housekeeping"],
    doc_md=__doc__,
):
    task(steps.rehearse_restore)()
