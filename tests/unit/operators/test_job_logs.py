"""The page that lists the jobs of a run."""

from datetime import UTC, datetime

import pytest

from nightshift.ledger.queries.jobs import ArrayOfRun
from nightshift.runners.base import TaskReport
from nightshift.vocabulary import JobState
from operators.job_logs import _array


@pytest.mark.parametrize(("reports", "said"), [
    (None, "the runner does not answer"),
    ({}, "not known any more"),
    ({0: TaskReport("a", 0, JobState.UNKNOWN, detail="its note is damaged")}, "the runner does not say"),
])  # fmt: skip
def test_a_task_of_which_nothing_is_said_is_called_by_why(reports, said):
    array = ArrayOfRun("a", tasks=2, airflow_try=1, intended_at=datetime(2026, 1, 15, tzinfo=UTC))
    last = _array("exposure", array, reports).rpartition("task 1")[2]
    assert f"<td>{said}</td>" in last
