"""## The depot is cleaned up

Once a day, at noon of the site, files that are older than the survey's `[retention]` leave the depot: only what the
archive and the second copy both hold, read back and found equal. Folders of jobs of closed nights leave too. Then the
ledger's next month is made, and tables that grew are vacuumed. `nightshift clean-up --dry-run` says what would leave
and why the rest stays.
"""

from airflow.sdk import DAG, task

from operators import steps
from operators.defaults import BEFORE_ANY_NIGHT, task_defaults
from operators.timetables import at_noon_of_live_days

with DAG(
    "clean_up",
    schedule=at_noon_of_live_days(),
    start_date=BEFORE_ANY_NIGHT,
    catchup=False,
    max_active_runs=1,
    default_args={**task_defaults(), "priority_weight": 1},
    tags=["housekeeping"],
    doc_md=__doc__,
):
    task(steps.clean_up)() >> task(steps.keep_tables)()
