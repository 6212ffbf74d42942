"""## The ledger is backed up

After each night has closed, and at noon of the site where no backup was made in the hours before: one snapshot of the
ledger is dumped while everything goes on, read back, copied to another disk where the survey has one
(`backup.copy_to`), and old backups leave by the rota. Where barman or pgBackRest do it (`backup.by`) they are asked
whether all is well. A failure is in the mail of the morning; `nightshift backup list` tells how backups stand.
"""

from airflow.sdk import DAG, task

from operators import steps
from operators.defaults import BEFORE_ANY_NIGHT, task_defaults
from operators.timetables import at_noon_of_live_days

with DAG(
    "back_up_ledger",
    schedule=at_noon_of_live_days(),
    start_date=BEFORE_ANY_NIGHT,
    catchup=False,
    max_active_runs=1,
    default_args={**task_defaults(), "priority_weight": 1},
    tags=["housekeeping"],
    doc_md=__doc__,
):

    @task
    def back_up(dag_run=None):
        """Take a backup; by the clock only where there is no fresh one."""
        return steps.back_up_ledger(dag_run)

    back_up()
