"""## The reaper of job arrays

Compares what lives on the cluster with the ledger and with Airflow's runs, every two minutes, and puts right what
differs: arrays that nobody wants any more are cancelled, what was lost is made again or failed with its reason. It is
for what happened while others were away: every action is an event of the night, and usually there is none. It also
calls somebody where files lie in the inbox and nothing has been taken in for ten minutes.
"""

from datetime import timedelta

from airflow.sdk import DAG, task

from operators import array_steps
from operators.defaults import BEFORE_ANY_NIGHT, task_defaults

with DAG(
    "reap_arrays",
    schedule=timedelta(minutes=2),
    start_date=BEFORE_ANY_NIGHT,
    catchup=False,
    max_active_runs=1,
    default_args={**task_defaults(), "priority_weight": 50},
    tags=["night"],
    doc_md=__doc__,
):
    task(array_steps.reap_arrays)()
