"""The pages with the logs of a run's jobs, behind Airflow's login.

``/nightshift/jobs/<dag>/<run>`` lists the arrays of a run with their tasks; each task's whole log is a link further.
Who may read a DAG's task logs in Airflow may read these. A request names a run, an array and a number; what is read
is what the ledger knows under those names, and never a path from the request.
"""

from html import escape
from urllib.parse import quote

from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.core_api.security import get_user, requires_access_dag
from fastapi import Depends, FastAPI, HTTPException
from fastapi.responses import HTMLResponse, PlainTextResponse

from nightshift.context import open_context
from nightshift.errors import NeedsOperator, Retry
from nightshift.ledger.queries import jobs as job_queries
from nightshift.ledger.queries.jobs import ArrayOfRun
from nightshift.runners import Runner, runner_from_environment
from nightshift.runners.base import TaskReport
from operators.links import JOB_LOGS

__all__ = ["app"]

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
STYLE = "body{font:14px sans-serif;margin:2em}td,th{padding:.2em 1em .2em 0;text-align:left}"

app = FastAPI(title="Logs of jobs", dependencies=[Depends(get_user)], docs_url=None, redoc_url=None, openapi_url=None)
may_read_logs = Depends(requires_access_dag(method="GET", access_entity=DagAccessEntity.TASK_LOGS))


@app.get("/{dag_id}/{run_id}", dependencies=[may_read_logs], response_class=HTMLResponse)
def arrays_of_run(dag_id: str, run_id: str) -> HTMLResponse:
    """List the arrays of a run and their tasks."""
    with open_context() as context:
        arrays = job_queries.arrays_of_run(context.ledger, dag_id=dag_id, run_id=run_id)
    if not arrays:
        raise HTTPException(404, "the ledger has no array of that run")
    reports = _reports(runner_from_environment(), frozenset(array.name for array in arrays))
    parts = [_array(dag_id, array, None if reports is None else reports.get(array.name, {})) for array in arrays]
    title = f"Jobs of {escape(run_id)}"
    page = f"<!doctype html><title>{title}</title><style>{STYLE}</style><h1>{title}</h1>{''.join(parts)}"
    return HTMLResponse(page, headers=HEADERS)


@app.get("/{dag_id}/{array}/{index}", dependencies=[may_read_logs], response_class=PlainTextResponse)
def log_of_task(dag_id: str, array: str, index: int) -> PlainTextResponse:
    """Show what a task of an array printed."""
    with open_context() as context:
        found = job_queries.array_of_dag(context.ledger, dag_id=dag_id, array_name=array)
    if found is None or not 0 <= index < found.tasks:
        raise HTTPException(404, "the ledger has no such task")
    text = runner_from_environment().log(found.name, index)
    return PlainTextResponse(text or "(nothing was printed, or the log is no longer kept)\n", headers=HEADERS)


def _reports(runner: Runner, names: frozenset[str]) -> dict[str, dict[int, TaskReport]] | None:
    """Return how the tasks stand, by array and index, or None where the runner does not answer."""
    try:
        return {name: {r.index: r for r in reports} for name, reports in runner.states(names).items()}
    except (Retry, NeedsOperator):
        return None


def _array(dag_id: str, array: ArrayOfRun, reports: dict[int, TaskReport] | None) -> str:
    if reports is None:
        silence = "the runner does not answer"
    elif reports:
        silence = "the runner does not say"
    else:
        silence = "not known any more"
    lines = []
    for index in range(array.tasks):
        report = (reports or {}).get(index)
        place = f"{JOB_LOGS}/{quote(dag_id, safe='')}/{quote(array.name, safe='')}/{index}"
        cells = (str(report.state), report.host, report.detail) if report else (silence, "", "")
        lines.append(
            f'<tr><td><a href="{escape(place)}">task {index}</a></td>'
            + "".join(f"<td>{escape(cell)}</td>" for cell in cells)
            + "</tr>"
        )
    handed_in = f"handed in {array.intended_at:%Y-%m-%d %H:%M:%S} UTC, try {array.airflow_try}"
    return f"<h2>{escape(array.name)}</h2><p>{escape(handed_in)}</p><table>{''.join(lines)}</table>"
