"""## Accept or reject a frame by hand

Asked for by a person, through the form. A rejected frame is in no master, reference or alert to come; an accepted one
is reduced again, and what the checks say of it becomes a flag. What is not whole (truncated, empty, unreadable)
cannot be accepted. Who said so, and why, is kept for good. The answer is the note of the run; a request that is
refused fails at once, and the note says why.
"""

from airflow.sdk import DAG, task

from operators import steps
from operators.defaults import BEFORE_ANY_NIGHT, RUNS_OF_PEOPLE, task_defaults
from operators.forms import disposal_form

with DAG(
    "dispose_frame",
    schedule=None,
    start_date=BEFORE_ANY_NIGHT,
    max_active_runs=RUNS_OF_PEOPLE,
    params=disposal_form(),
    default_args={**task_defaults(), "priority_weight": 50},
    tags=["people"],
    doc_md=__doc__,
):

    @task
    def check_and_dispose(params=None, dag_run=None):
        """Check the request and put it on record."""
        return steps.dispose_frame(params, dag_run)

    check_and_dispose()
