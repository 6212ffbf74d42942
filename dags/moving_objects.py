"""## The moving objects of one night

Links the night's detections by straight motion into tracklets. Asked for by `end_of_night`.
"""

from airflow.sdk import DAG

from operators.defaults import BEFORE_ANY_NIGHT, most_runs, task_defaults
from operators.job_array import JobArray

with DAG(
    "moving_objects",
    schedule=None,
    start_date=BEFORE_ANY_NIGHT,
    max_active_runs=most_runs(2),
    default_args={**task_defaults(), "weight_rule": "upstream", "priority_weight": 20},
    tags=["night"],
    doc_md=__doc__,
):
    JobArray("moving_objects")
