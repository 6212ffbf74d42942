"""## One exposure, from its raw files to its alerts

Asked for by `watch_inbox` as soon as all detectors' files are here (or waited for long enough) and the masters of
the night serve. One array, a task a detector; a dead detector holds up the others no longer than the soft deadline.
"""

from airflow.sdk import DAG, task

from operators import steps
from operators.defaults import BEFORE_ANY_NIGHT, most_runs, task_defaults
from operators.job_array import JobArray

with DAG(
    "exposure",
    schedule=None,
    start_date=BEFORE_ANY_NIGHT,
    max_active_runs=most_runs(8),
    default_args={**task_defaults(), "weight_rule": "upstream", "priority_weight": 10},
    tags=["night"],
    doc_md=__doc__,
):
    post_alerts = task(steps.post_alerts)

    JobArray("science") >> post_alerts()
