"""## The difference of an exposure that was taken before its reference

Asked for once the field's reference serves; the run's id names the exposure and the reference's version.
"""

from airflow.sdk import DAG, task

from operators import steps
from operators.defaults import BEFORE_ANY_NIGHT, most_runs, task_defaults
from operators.job_array import JobArray

with DAG(
    "difference",
    schedule=None,
    start_date=BEFORE_ANY_NIGHT,
    max_active_runs=most_runs(4),
    default_args={**task_defaults(), "weight_rule": "upstream", "priority_weight": 1},
    tags=["night"],
    doc_md=__doc__,
):
    post_alerts = task(steps.post_alerts)

    JobArray("difference") >> post_alerts()
