"""## The watch over the inbox

Runs for ever, one run after the other. A run waits, without a worker, until a complete file lies in the inbox or the
ledger says that something is due (a sequence has ended, a deadline has passed); then it takes in what came, asks for
the runs that are due, sweeps up stragglers and posts what is still queued.
"""

from airflow.sdk import DAG, task

from operators import steps
from operators.array_wait import WaitForInbox
from operators.defaults import BEFORE_ANY_NIGHT, task_defaults
from operators.timetables import AlwaysAgain

with DAG(
    "watch_inbox",
    schedule=AlwaysAgain(),
    start_date=BEFORE_ANY_NIGHT,
    catchup=False,
    max_active_runs=1,
    default_args={**task_defaults(), "priority_weight": 100},
    tags=["night"],
    doc_md=__doc__,
):
    ingest_and_request = task(steps.ingest_and_request)

    WaitForInbox(task_id="wait_for_files") >> ingest_and_request()
