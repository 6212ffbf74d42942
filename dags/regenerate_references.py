"""## A new version of a field's reference images

Asked for by a person, through the form. By default a dry run: the note of the run says which frames the new version
would be made of. Who asked, and why, is kept with the version and in the audit. A request that is refused fails at
once, and the note says why.
"""

from airflow.sdk import DAG, task

from operators import steps
from operators.defaults import BEFORE_ANY_NIGHT, RUNS_OF_PEOPLE, task_defaults
from operators.forms import regeneration_form

with DAG(
    "regenerate_references",
    schedule=None,
    start_date=BEFORE_ANY_NIGHT,
    max_active_runs=RUNS_OF_PEOPLE,
    params=regeneration_form(),
    default_args={**task_defaults(), "priority_weight": 50},
    tags=["people"],
    doc_md=__doc__,
):

    @task
    def check_and_request(params=None, dag_run=None):
        """Check the request, say what it means, and ask for the run that builds it."""
        return steps.regenerate_references(params, dag_run)

    check_and_request()
