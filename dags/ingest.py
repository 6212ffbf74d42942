"""## Taking in the files of one exposure, or of several of a backlog

Asked for where jobs take files in (`ingest.by`): one array, which reads, checks and copies the files of the exposure
`exposure_id`, and of those behind it in the inbox down to `oldest`, where that is given. `collect` registers what is
sound, the newest first, and sets aside what is not, and only then do the files leave the inbox.
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
