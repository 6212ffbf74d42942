"""## The second copies

Every five minutes, where the survey's `copies.to` names a place: raw frames that came are copied there and read back,
and what could not be copied before, as while the place was away, is tried again. Once all of a night is copied, the
list of what the mountain may purge of it is written. By hand: `nightshift archive copies`.
"""

from airflow.sdk import DAG, task

from operators import steps
from operators.defaults import BEFORE_ANY_NIGHT, task_defaults
from operators.timetables import while_copies_are_made

with DAG(
    "copy_files",
    schedule=while_copies_are_made(),
    start_date=BEFORE_ANY_NIGHT,
    catchup=False,
    max_active_runs=1,
    default_args={**task_defaults(), "priority_weight": 5},
    tags=["night"],
    doc_md=__doc__,
):
    task(steps.copy_files)()
