"""Who may cancel an array, and what becomes of its work."""

import pytest

from nightshift.errors import Retry
from nightshift.vocabulary import JobState, Reason
from nightshift.workflow import cancelling
from nightshift.workflow.arrays import array_to_wait_for, sweep
from nightshift.workflow.cancelling import stop, supersede

pytestmark = pytest.mark.integration


@pytest.fixture
def exposure(night):
    """The request of a science exposure whose masters are built."""
    night.calibrate()
    night.bring(0)
    return night.due()[0]


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(cancelling, "LOOK_EVERY_S", 0.01)


def attempts(night):
    return [row for row in night.rows("attempts", "unit_key, attempt") if row["job_key"].startswith("science/")]


def test_a_try_after_a_crash_adopts_the_array(night, exposure):
    name = night.start(exposure)
    assert night.submit(exposure, airflow_try=2) == name
    assert night.runner.cancelled == []


def test_a_try_after_a_clear_supersedes_the_array_and_its_own_is_left_alone(night, exposure):
    old = night.start(exposure)
    new = night.submit(exposure, airflow_try=2, cleared_after=1)
    assert new != old
    assert night.runner.cancelled == [old]
    assert supersede(night.context, night.runner, old, "the trigger comes late")
    assert night.submit(exposure, airflow_try=3, cleared_after=1) == new  # and a crash after the clear adopts
    assert set(night.runner.cancelled) == {old}
    night.runner.finish(new)
    assert night.collect(exposure).succeeded == 4
    assert [row["state"] for row in attempts(night)] == ["superseded", "succeeded"] * 4


def test_what_had_ended_before_a_clear_is_kept_and_not_made_again(night, exposure):
    old = night.start(exposure)
    done = night.runner.units(old)[0].unit_key
    night.runner.finish(old, only={done})
    new = night.submit(exposure, airflow_try=2, cleared_after=1)
    assert done not in {unit.unit_key for unit in night.runner.units(new)}
    assert night.unit_states()[done] == "processed"


def test_late_results_of_a_superseded_array_are_not_believed(night, exposure):
    old = night.start(exposure)
    new = night.submit(exposure, airflow_try=2, cleared_after=1)
    night.runner.finish(old)
    assert night.collect(exposure).succeeded == 0
    night.runner.finish(new)
    assert night.collect(exposure).succeeded == 4


def test_clearing_again_and_again_uses_up_no_tries(night, exposure):
    bound = night.context.survey.exposure.attempts
    night.start(exposure)
    for airflow_try in range(2, bound + 4):
        night.submit(exposure, airflow_try=airflow_try, cleared_after=airflow_try - 1)
    name = night.submit(exposure, airflow_try=bound + 4, cleared_after=bound + 3)
    night.runner.finish(name, fails=Reason.NO_RESULT)
    assert night.collect(exposure).retried == 4


def test_a_stopped_array_fails_its_units_for_that_reason_and_nothing_starts_it_again(night, exposure):
    name = night.start(exposure)
    assert stop(night.context, night.runner, name, "somebody marked the wait as failed")
    assert night.runner.cancelled == [name]
    assert {(row["state"], row["reason"]) for row in night.rows("units")} == {("failed", "cancelled")}
    assert night.due() == []
    assert sweep(night.context, night.runner) == []


@pytest.mark.parametrize(
    "dag_id",
    [
        "calibrations", "exposure",
        pytest.param("references", marks=pytest.mark.faults), pytest.param("difference", marks=pytest.mark.faults),
    ],
)  # fmt: skip
def test_what_was_stopped_is_made_once_a_person_clears(night, dag_id):
    if dag_id == "calibrations":
        night.bring_calibrations()
    else:
        night.calibrate()
        night.bring(*range(1 if dag_id == "exposure" else 6))
        for earlier in {"exposure": (), "references": ("exposure",)}.get(dag_id, ("exposure", "references")):
            night.run_due(earlier)
    request = night.due(dag_id)[0]
    name = night.start(request)
    units = {unit.unit_key for unit in night.runner.units(name)}
    stop(night.context, night.runner, name, "the run was marked as failed")
    assert [due for due in night.due(dag_id) if due.conf == request.conf] == []
    assert night.submit(request, airflow_try=1) is None  # nobody has cleared it
    again = night.submit(request, airflow_try=2, cleared_after=1)
    assert {unit.unit_key for unit in night.runner.units(again)} == units
    night.runner.finish(again)
    summary = night.collect(request)
    assert (summary.succeeded, summary.failed, summary.running) == (len(units), 0, 0)


def test_a_wait_that_is_cleared_by_itself_has_the_stopped_work_handed_in_anew(night, exposure):
    stop(night.context, night.runner, night.start(exposure), "marked as failed")

    def array(wait_try):
        return array_to_wait_for(
            night.context, night.runner, "science", exposure.conf, airflow_run=exposure.run_id,
            wait_try=wait_try,
        )  # fmt: skip

    assert array(1) is None
    name = array(2)
    night.runner.finish(name)
    assert night.collect(exposure).succeeded == 4


def test_a_run_that_adopts_an_array_owns_it_from_then_on(night, exposure):
    name = night.start(exposure)
    kind, place = "science", night.context
    from nightshift.workflow.arrays import submit

    assert submit(place, night.runner, kind, exposure.conf, airflow_run="by_hand", airflow_try=1) == name
    assert night.submit(exposure, airflow_try=2, cleared_after=1) == name  # the first run's clear takes nothing away
    assert night.runner.cancelled == []


def test_a_cancel_is_repeated_until_the_runner_says_that_nothing_lives(night, exposure):
    name = night.start(exposure)
    night.runner.deaf = True
    assert not cancelling.cancel_and_verify(night.context, night.runner, name, within_s=0.2)
    assert len(night.runner.cancelled) > 1
    assert [row["kind"] for row in night.rows("events") if row["kind"] == "array_not_gone"]
    night.runner.deaf = False
    assert cancelling.cancel_and_verify(night.context, night.runner, name)


def test_an_array_of_which_the_runner_says_nothing_is_cancelled_all_the_same(night, exposure):
    name = night.start(exposure)
    night.runner.forgotten.add(name)
    assert cancelling.cancel_and_verify(night.context, night.runner, name)
    assert night.runner.cancelled == [name]


def test_a_runner_that_does_not_answer_is_not_believed_to_have_cancelled(night, exposure):
    name = night.start(exposure)
    night.runner.silent = Retry(Reason.INTERNAL_ERROR, "no answer")
    assert not cancelling.cancel_and_verify(night.context, night.runner, name, within_s=0.1)


def test_jobs_that_somebody_cancelled_on_the_cluster_wait_for_a_person(night, exposure):
    night.runner.says(night.start(exposure), JobState.CANCELLED)
    assert night.collect(exposure).failed == 4
    assert night.due() == []
    name = night.submit(exposure, airflow_try=2, cleared_after=1)
    night.runner.finish(name)
    assert night.collect(exposure).succeeded == 4
