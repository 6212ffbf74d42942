"""## The reference images of one field and filter

Asked for when a field without a reference has enough good frames, or by `regenerate_references`. One unit a quadrant.
"""

from airflow.sdk import DAG

from operators.defaults import BEFORE_ANY_NIGHT, most_runs, task_defaults
from operators.job_array import JobArray

with DAG(
    "references",
    schedule=None,
    start_date=BEFORE_ANY_NIGHT,
    max_active_runs=most_runs(4),
    default_args={**task_defaults(), "weight_rule": "upstream", "priority_weight": 30},
    tags=["night"],
    doc_md=__doc__,
):
    JobArray("reference")
