"""## The brightest pixel of each raw file of an exposure"""

from airflow.sdk import DAG

from operators.defaults import BEFORE_ANY_NIGHT, most_runs, task_defaults
from operators.job_array import JobArray

with DAG(
    "toy",
    schedule=None,
    start_date=BEFORE_ANY_NIGHT,
    max_active_runs=most_runs(2),
    default_args=task_defaults(),
    tags=["night"],
    doc_md=__doc__,
):
    JobArray("toy")
