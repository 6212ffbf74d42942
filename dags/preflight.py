"""## Whether the night can begin

Some hours before sunset at each site (`preflight.hours_before_sunset`) while the survey is live, or when somebody
asks with `{"site": ..., "night": ...}`. Disks, ledger, broker, cluster or pool, mail relay, clock, catalogues,
masters, references, secrets, workflows, backup and settings are looked at; what is red calls somebody, once. The page
with the plan of the night lies among the depot's reports. `nightshift preflight` does the same by hand.
"""

from airflow.sdk import DAG, task

from operators import steps
from operators.defaults import BEFORE_ANY_NIGHT, task_defaults
from operators.timetables import before_live_nights

with DAG(
    "preflight",
    schedule=before_live_nights(),
    start_date=BEFORE_ANY_NIGHT,
    catchup=False,
    max_active_runs=2,
    default_args={**task_defaults(), "priority_weight": 50},
    tags=["night"],
    doc_md=__doc__,
):

    @task
    def check_night(dag_run=None):
        """Check, write down, say what is red, and write the page."""
        return steps.preflight(dag_run)

    check_night()
