"""## Taking in the files of one exposure

Asked for where jobs take files in (`ingest.by`): one array, a task a file, which reads, checks and copies it.
`collect` registers what is sound and sets aside what is not, and only then do the files leave the inbox.
"""

from airflow.sdk import DAG

from operators.defaults import BEFORE_ANY_NIGHT, most_runs, task_defaults
from operators.job_array import JobArray

with DAG(
    "ingest",
    schedule=None,
    start_date=BEFORE_ANY_NIGHT,
    max_active_runs=most_runs(16),
    default_args={**task_defaults(), "weight_rule": "upstream", "priority_weight": 45},
    tags=["night"],
    doc_md=__doc__,
):
    JobArray("ingest")
