"""What a person did to a run's tasks in Airflow's page, and what becomes of its array."""

from contextlib import contextmanager

import pytest
from airflow.sdk.exceptions import AirflowFailException

from nightshift.errors import NeedsOperator, Retry
from nightshift.vocabulary import EventLevel, JobState, Reason
from nightshift.workflow import cancelling, reaper
from nightshift.workflow.reaper import RunStanding, reap
from operators import array_steps
from operators.airflow_api import TaskState
from operators.outcomes import no_retry_where_a_human_must_act

pytestmark = pytest.mark.integration

SUBMIT, WAIT = "science.submit", "science.wait"
SUCCESS = TaskState("success", 1, 3)


class Airflow:
    """Says how tasks stand; may be silent for some questions, and may have lost a run."""

    def __init__(self):
        self.tasks = {SUBMIT: SUCCESS}
        self.silent_for = 0

    def tasks_of_runs(self, run_ids):
        if self.silent_for:
            self.silent_for -= 1
            raise Retry(Reason.INTERNAL_ERROR, "away")
        return {run_id: self.tasks for run_id in run_ids if self.tasks}


@pytest.fixture
def airflow(night, monkeypatch):
    made = Airflow()

    @contextmanager
    def place():
        yield night.context

    monkeypatch.setattr("operators.airflow_api.airflow_api", lambda: made)
    monkeypatch.setattr("nightshift.runners.runner_from_environment", lambda: night.runner)
    monkeypatch.setattr("nightshift.context.open_context", place)
    monkeypatch.setattr(cancelling, "LOOK_EVERY_S", 0.01)
    monkeypatch.setattr("operators.array_steps.time.sleep", lambda s: None)
    return made


@pytest.fixture
def exposure(night):
    night.calibrate()
    night.bring(0)
    return night.due()[0]


def end_wait(exposure, array):
    return array_steps.end_wait(run_id=exposure.run_id, task_id=WAIT, try_number=1, array=array)


def test_marked_failed_the_jobs_go_and_the_units_say_why(night, exposure, airflow):
    array = night.start(exposure)
    airflow.tasks[WAIT] = TaskState("failed", 1, 3)
    airflow.silent_for = 2
    assert "stopped" in end_wait(exposure, array)
    assert night.runner.cancelled == [array]
    assert {row["reason"] for row in night.rows("units")} == {"cancelled"}


def test_marked_a_success_the_jobs_go_on(night, exposure, airflow):
    array = night.start(exposure)
    airflow.tasks[WAIT] = TaskState("success", 1, 3)
    assert "goes on" in end_wait(exposure, array)
    assert night.runner.cancelled == []


def test_a_wait_that_only_moved_to_another_triggerer_takes_nothing_along(night, exposure, airflow):
    array = night.start(exposure)
    airflow.tasks[WAIT] = TaskState("deferred", 1, 3)
    assert "goes on" in end_wait(exposure, array)
    assert night.runner.cancelled == []


def test_cleared_with_its_submit_the_new_try_hands_in_the_new_array(night, exposure, airflow):
    array = night.start(exposure)
    airflow.tasks |= {SUBMIT: TaskState("queued", 1, 4), WAIT: TaskState(None, 1, 4)}
    end_wait(exposure, array)
    assert night.runner.cancelled == [array]
    assert len(night.runner.requests) == 1 + len([n for n in night.runner.requests if n.startswith("master")])
    new = night.submit(exposure, airflow_try=2, cleared_after=1)
    night.runner.finish(new)
    assert night.collect(exposure).succeeded == 4


def test_a_late_kill_leaves_the_array_of_the_new_try_alone(night, exposure, airflow):
    array = night.start(exposure)
    new = night.submit(exposure, airflow_try=2, cleared_after=1)
    airflow.tasks |= {SUBMIT: TaskState("success", 2, 4), WAIT: TaskState("deferred", 2, 4)}
    end_wait(exposure, array)
    assert new not in night.runner.cancelled
    night.runner.finish(new)
    assert night.collect(exposure).succeeded == 4


def test_cleared_alone_the_wait_hands_the_new_array_in_itself(night, exposure, airflow):
    array = night.start(exposure)
    airflow.tasks[WAIT] = TaskState("deferred", 2, 4)
    end_wait(exposure, array)
    assert night.runner.cancelled == [array]
    new = array_steps.array_of("science", exposure.conf, run_id=exposure.run_id, try_number=2)
    assert new not in (None, array)
    assert array_steps.array_of("science", exposure.conf, run_id=exposure.run_id, try_number=3) == new
    night.runner.finish(new)
    assert night.collect(exposure).succeeded == 4


def test_a_run_that_was_deleted_takes_its_jobs_along_and_its_work_is_due_again(night, exposure, airflow):
    array = night.start(exposure)
    airflow.tasks = {}
    end_wait(exposure, array)
    assert night.runner.cancelled == [array]
    assert [request.conf for request in night.due()] == [exposure.conf]


def test_the_jobs_of_a_run_that_another_has_adopted_are_left_alone(night, exposure, airflow):
    array = night.start(exposure)
    array_steps.submit_array("science", exposure.conf, run_id="by_hand", try_number=1, cleared_after=0)
    airflow.tasks[WAIT] = TaskState("failed", 1, 3)
    assert "another run" in end_wait(exposure, array)
    assert night.runner.cancelled == []


# --- errors on the task -------------------------------------------------------------------------------------


def test_what_only_a_human_can_mend_fails_the_task_at_once_with_its_text(night, exposure, airflow):
    night.runner.silent = NeedsOperator(Reason.INTERNAL_ERROR, "invalid partition 'nite': the partitions are night")
    with pytest.raises(AirflowFailException, match="the partitions are night"), no_retry_where_a_human_must_act():
        array_steps.submit_array("science", exposure.conf, run_id=exposure.run_id, try_number=1, cleared_after=0)


def test_what_may_pass_is_left_to_airflows_retries(night, exposure, airflow):
    night.runner.silent = Retry(Reason.INTERNAL_ERROR, "no answer")
    with pytest.raises(Retry), no_retry_where_a_human_must_act():
        array_steps.submit_array("science", exposure.conf, run_id=exposure.run_id, try_number=1, cleared_after=0)


def test_a_run_of_which_nothing_succeeds_is_red_once_its_tries_are_used_up(night, exposure, airflow, caplog):
    for _ in range(night.context.survey.exposure.attempts - 1):
        (due,) = night.due()
        name = night.start(due)
        night.runner.says(name, JobState.FAILED)
        assert array_steps.collect_array("science", due.conf) == "4 retried"
    (due,) = night.due()
    name = night.start(due)
    night.runner.says(name, JobState.FAILED)
    with pytest.raises(AirflowFailException, match=r"all 4 units failed.*no /.*result\.json.*log"):
        array_steps.collect_array("science", due.conf)
    assert "the last words of the job" in caplog.text


def test_frames_that_are_no_good_make_no_run_red_and_the_job_has_its_say(night, exposure, airflow, caplog):
    name = night.start(exposure)
    night.runner.finish(name, fails=Reason.UNREADABLE_FILE)
    assert array_steps.collect_array("science", exposure.conf) == "4 failed"
    assert "the last words of the job" in caplog.text


# --- the reaper ---------------------------------------------------------------------------------------------


def kinds(night):
    return [row["kind"] for row in night.rows("events", "event_id") if row["level"] != EventLevel.INFO]


def settled(night):
    night.later(seconds=reaper.SETTLED_AFTER_S + 1)
    with night.context.ledger.connection.cursor() as cursor:
        cursor.execute("update submissions set ended_at = ended_at - interval '1 minute'")


def standing(how):
    return lambda run_ids: dict.fromkeys(run_ids, how)


def test_the_reaper_leaves_alone_what_is_wanted(night, exposure):
    night.start(exposure)
    settled(night)
    assert reap(night.context, night.runner, standing(RunStanding.WANTED)) == []
    assert night.runner.cancelled == []


def test_the_reaper_cancels_an_array_that_lives_although_it_was_given_up(night, exposure):
    array = night.start(exposure)
    night.runner.deaf = True
    night.collect(exposure, final=True)
    night.runner.deaf = False
    night.runner.cancelled.clear()
    assert reap(night.context, night.runner, standing(RunStanding.WANTED)) == []  # its cancel may be on its way
    settled(night)
    assert len(reap(night.context, night.runner, standing(RunStanding.WANTED))) == 1
    assert night.runner.cancelled == [array]
    assert "orphan_cancelled" in kinds(night)


def test_the_reaper_stops_what_a_person_stopped_while_nobody_heard_it(night, exposure, airflow):
    array = night.start(exposure)
    settled(night)
    airflow.tasks[WAIT] = TaskState("failed", 1, 3)
    reap(night.context, night.runner, array_steps.how_runs_stand)
    assert night.runner.cancelled == [array]
    assert "stopped_run_reaped" in kinds(night)
    assert night.due() == []


@pytest.mark.parametrize(("error", "reaped"), [(Retry, True), (NeedsOperator, False)])
def test_an_array_that_was_never_taken_is_stopped_by_a_person_but_not_by_the_clusters_refusal(
    night, exposure, airflow, error, reaped
):
    night.runner.silent = error(Reason.INTERNAL_ERROR, "as the test says")
    with pytest.raises(error):
        night.start(exposure)
    night.runner.silent = None
    settled(night)
    airflow.tasks = {SUBMIT: TaskState("failed", 1, 3)}
    reap(night.context, night.runner, array_steps.how_runs_stand)
    assert ("stopped_run_reaped" in kinds(night)) is reaped


def test_the_reaper_leaves_the_jobs_of_a_run_that_airflow_itself_failed(night, exposure, airflow):
    night.start(exposure)
    settled(night)
    airflow.tasks[WAIT] = TaskState("failed", 4, 3)
    assert reap(night.context, night.runner, array_steps.how_runs_stand) == []
    assert night.runner.cancelled == []


def test_the_reaper_has_the_work_of_a_lost_run_made_again(night, exposure, airflow):
    array = night.start(exposure)
    settled(night)
    airflow.tasks = {}
    reap(night.context, night.runner, array_steps.how_runs_stand)
    assert night.runner.cancelled == [array]
    (again,) = night.due()
    night.runner.finish(night.start(again))
    assert night.collect(again).succeeded == 4


def test_the_reaper_makes_again_what_the_cluster_has_lost(night, exposure):
    night.runner.forgotten.add(night.start(exposure))
    night.collect(exposure)
    night.later(seconds=60)
    actions = reap(night.context, night.runner, standing(RunStanding.WANTED))
    assert len(actions) == 4 and all("worker_lost" in action for action in actions)
    assert [request.conf for request in night.due()] == [exposure.conf]


def test_the_reaper_tells_once_of_an_array_that_it_does_not_know_and_leaves_it_alone(night, exposure):
    array = night.start(exposure)
    night.runner.requests["somebody_elses"] = night.runner.requests[array]
    for _ in range(2):
        reap(night.context, night.runner, standing(RunStanding.WANTED))
    assert kinds(night).count("array_unknown") == 1
    assert night.runner.cancelled == []


@pytest.mark.parametrize("who", ["runner", "airflow"])
def test_the_reaper_does_nothing_where_it_gets_no_answer(night, exposure, airflow, who):
    night.start(exposure)
    settled(night)
    airflow.tasks[WAIT] = TaskState("failed", 1, 3)
    if who == "runner":
        night.runner.silent = Retry(Reason.INTERNAL_ERROR, "away")
    else:
        airflow.silent_for = 1
    assert reap(night.context, night.runner, array_steps.how_runs_stand) == []
    assert night.runner.cancelled == []
