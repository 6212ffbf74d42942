"""## The masters of one set of calibration frames

Asked for when a sequence of biases, darks or flats is complete, or has been quiet for long enough. One unit a
quadrant; a master that fails its checks does not enter service, and says why.
"""

from airflow.sdk import DAG

from operators.defaults import BEFORE_ANY_NIGHT, most_runs, task_defaults
from operators.job_array import JobArray

with DAG(
    "calibrations",
    schedule=None,
    start_date=BEFORE_ANY_NIGHT,
    max_active_runs=most_runs(4),
    default_args={**task_defaults(), "weight_rule": "upstream", "priority_weight": 40},
    tags=["night"],
    doc_md=__doc__,
):
    JobArray("master")
