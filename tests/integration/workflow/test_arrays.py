"""An array is submitted once and its results are believed once, whatever breaks in between."""

import errno
import json
import threading
from pathlib import Path

import pytest

from nightshift.code_version import code_version
from nightshift.context import Context
from nightshift.errors import NeedsOperator, Retry
from nightshift.jobs.contract import UnitResult, write_result
from nightshift.kinds import kind_named
from nightshift.ledger import open_ledger
from nightshift.runners.base import TaskReport
from nightshift.settings.stages import hash_of_kind
from nightshift.vocabulary import AttemptState, JobState, Reason
from nightshift.workflow.arrays import give_up, sweep
from nightshift.workflow.persistence import FREE_TRIES

pytestmark = pytest.mark.integration


@pytest.fixture
def exposure(night):
    """The request of a science exposure whose masters are built."""
    night.calibrate()
    night.bring(0)
    return night.due()[0]


def attempts(night):
    return [row for row in night.rows("attempts", "unit_key, attempt") if row["job_key"].startswith("science/")]


def test_a_task_takes_a_detectors_file_and_its_quadrants(night, exposure):
    job = night.runner.job(night.start(exposure))
    assert job.tasks == ((0, 1), (2, 3))
    assert [unit.unit_key.split("/")[2] for unit in job.units] == ["d01", "d01", "d02", "d02"]
    assert job.settings["name"] == "demo"


def test_the_jobs_of_a_night_have_the_settings_that_it_was_opened_with(night, exposure):
    survey = night.context.survey
    alerts = survey.alerts.model_copy(update={"at_most_per_unit": 7})
    night.context = night.context.with_survey(survey.model_copy(update={"alerts": alerts}))
    job = night.runner.job(night.start(exposure))
    assert job.settings["alerts"]["at_most_per_unit"] == survey.alerts.at_most_per_unit
    assert job.settings_hash == hash_of_kind(survey, kind_named("science"))
    assert job.code_version == code_version()


def test_a_node_of_other_code_is_said_once_and_its_products_record_it(night, exposure):
    name = night.start(exposure)
    night.runner.finish(name)
    for unit in night.runner.units(name):
        path = Path(unit.folder) / "result.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), "code_version": "f" * 40}))
    night.collect(exposure)
    (event,) = [row for row in night.rows("events", "event_id") if row["kind"] == "node_code_differs"]
    assert code_version() in event["message"] and "f" * 40 in event["message"]
    made = [row for row in night.rows("products", "product_key") if row["job_key"].startswith("science/")]
    assert made and {row["code_version"] for row in made} == {"f" * 40}


def test_submitting_twice_adopts_the_array(night, exposure):
    name = night.start(exposure)
    assert night.submit(exposure, airflow_try=2) == name
    assert night.runner.submitted.count(name) == 1
    assert len(attempts(night)) == 4


def test_two_submits_beside_each_other_make_one_array(night, exposure, ledger_url):
    place, names = night.context, []

    def go():
        from nightshift.workflow.arrays import submit

        with open_ledger(ledger_url) as ledger:
            own = Context(place.deployment, ledger, place.depot, place.inbox, place.clock)
            names.append(
                submit(own, night.runner, "science", exposure.conf, airflow_run=exposure.run_id, airflow_try=1)
            )

    threads = [threading.Thread(target=go) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(names)) == 1
    assert len(attempts(night)) == 4


def test_an_unanswered_submit_leaves_its_intent_and_is_made_again_under_the_same_name(night, exposure):
    night.runner.silent = Retry(Reason.INTERNAL_ERROR, "no answer")
    with pytest.raises(Retry):
        night.start(exposure)
    assert {row["state"] for row in attempts(night)} == {"intended"}
    night.runner.silent = None
    name = night.submit(exposure, airflow_try=2)
    assert set(night.runner.submitted) >= {name}
    assert {row["state"] for row in attempts(night)} == {"submitted"}
    assert len(attempts(night)) == 4


def test_a_refused_array_pages_somebody(night, exposure):
    night.runner.silent = NeedsOperator(Reason.INTERNAL_ERROR, "no such partition")
    with pytest.raises(NeedsOperator):
        night.start(exposure)
    assert [row["level"] for row in night.rows("events") if row["kind"] == "array_refused"] == ["page"]


def test_results_become_states_products_and_measurements(night, exposure):
    summary = night.run(exposure)
    assert (summary.succeeded, summary.running, summary.ended) == (4, 0, True)
    assert set(night.unit_states().values()) == {"processed"}
    assert {row["state"] for row in night.rows("exposures")} == {"ended"}
    products = [row for row in night.rows("products", "product_key") if row["kind"] in ("calibrated", "sources")]
    assert len(products) == 8
    for row in products:
        path = night.context.depot.absolute(row["path"])
        assert path.read_bytes() == f"{row['kind']} {row['unit_key']}".encode()
        assert path.is_relative_to(night.context.depot.root / "processed")
    used = {row["role"] for row in night.rows("product_inputs") if row["product_key"] == products[0]["product_key"]}
    assert used == {"raw", "bias", "dark", "flat", "catalogue"}
    quality = night.rows("image_quality")[0]
    assert (quality["fwhm_px"], quality["good"]) == (2.4, True)
    assert (quality["pattern_noise"], quality["trails"], quality["colour_term"]) == (0.02, 1, None)


def test_collecting_twice_changes_nothing(night, exposure):
    night.run(exposure)
    tables = ("units", "attempts", "products", "image_quality", "submissions", "exposures", "events")
    before = {name: night.rows(name) for name in tables}
    assert night.collect(exposure).succeeded == 0
    assert {name: night.rows(name) for name in tables} == before


def test_a_crash_after_the_products_moved_is_mended_by_collecting_again(night, exposure, monkeypatch):
    name = night.start(exposure)
    night.runner.finish(name)

    def break_off(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("nightshift.workflow.persistence._end_attempt", break_off)
        with pytest.raises(KeyboardInterrupt):
            night.collect(exposure)
    assert [row for row in night.rows("products") if row["kind"] == "calibrated"] == []
    assert night.collect(exposure).succeeded == 4


def test_a_rejected_frame_keeps_reason_measurements_and_products(night, exposure):
    assert night.run(exposure, rejects=Reason.SEEING_TOO_POOR).rejected == 4
    assert {(row["state"], row["reason"]) for row in night.rows("units")} == {("rejected", "seeing_too_poor")}
    assert {row["good"] for row in night.rows("image_quality")} == {False}
    assert len([row for row in night.rows("products") if row["kind"] == "calibrated"]) == 4


def test_what_may_work_later_is_tried_again_and_only_that(night, exposure):
    name = night.start(exposure)
    units = [unit.unit_key for unit in night.runner.units(name)]
    reasons = {units[0]: Reason.NO_RESULT, units[1]: Reason.UNREADABLE_FILE, units[2]: Reason.INTERNAL_ERROR}
    night.runner.finish(name, fails=reasons)
    summary = night.collect(exposure)
    assert (summary.succeeded, summary.retried, summary.failed) == (1, 1, 2)
    assert [night.unit_states()[key] for key in units] == ["pending", "failed", "failed", "processed"]
    (again,) = night.due()
    assert again.run_id == f"{exposure.run_id}__a2"
    name = night.start(again)
    assert [(unit.unit_key, unit.attempt) for unit in night.runner.units(name)] == [(units[0], 2)]
    night.runner.finish(name)
    assert night.collect(again).succeeded == 1
    assert night.due() == []


def test_tries_are_bounded(night, exposure):
    bound = night.context.survey.exposure.attempts
    asked = night.run_due("exposure", fails=Reason.NO_RESULT)
    assert len(asked) == bound
    assert {(row["state"], row["reason"]) for row in night.rows("units")} == {("failed", "no_result")}
    assert {row["state"] for row in night.rows("exposures")} == {"ended"}
    assert night.due() == []


def test_a_task_that_could_not_write_costs_no_try(night, exposure):
    bound = night.context.survey.exposure.attempts
    request = exposure
    for _ in range(bound + 1):
        name = night.start(request)
        night.runner.says(name, JobState.FAILED, reason=Reason.STORAGE_UNAVAILABLE)
        assert night.collect(request).retried == 4
        (request,) = night.due()
    assert {row["reason"] for row in attempts(night)} == {"storage_unavailable"}
    asked = night.run_due("exposure", fails=Reason.NO_RESULT)
    assert len(asked) == bound
    assert {(row["state"], row["reason"]) for row in night.rows("units")} == {("failed", "no_result")}


def test_what_can_never_write_ends(night, exposure):
    asked = night.run_due("exposure", fails=Reason.STORAGE_UNAVAILABLE)
    assert len(asked) == FREE_TRIES + night.context.survey.exposure.attempts
    assert {(row["state"], row["reason"]) for row in night.rows("units")} == {("failed", "storage_unavailable")}
    assert night.due() == []


def test_out_of_memory_gets_more_memory_and_timeout_more_time(night, exposure):
    name = night.start(exposure)
    first = night.runner.requests[name]
    night.runner.says(name, JobState.OUT_OF_MEMORY, task=0)
    night.runner.says(name, JobState.TIMEOUT, task=1)
    assert night.collect(exposure).retried == 4
    (again,) = night.due()
    second = night.runner.requests[night.start(again)]
    assert second.memory_mb > first.memory_mb
    assert second.time_s > first.time_s


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (JobState.DONE, Reason.NO_RESULT),
        (JobState.FAILED, Reason.NO_RESULT),
        (JobState.NODE_FAILED, Reason.WORKER_LOST),
        (JobState.LOST, Reason.WORKER_LOST),
        (JobState.TIMEOUT, Reason.TIMEOUT),
        (JobState.CANCELLED, Reason.CANCELLED),
    ],
)
def test_a_task_that_ended_without_a_result_is_never_a_success(night, exposure, state, reason):
    name = night.start(exposure)
    night.runner.says(name, state)
    summary = night.collect(exposure)
    assert (summary.succeeded, summary.running) == (0, 0)
    assert {row["reason"] for row in attempts(night)} == {reason}


@pytest.mark.parametrize("state", [JobState.PENDING, JobState.RUNNING, JobState.UNKNOWN])
def test_what_still_runs_or_is_unknown_is_left_alone_until_the_hard_deadline(night, exposure, state):
    name = night.start(exposure)
    night.runner.says(name, state)
    assert night.collect(exposure).running == 4
    assert set(night.unit_states().values()) == {"running"}
    assert night.collect(exposure, final=True).retried == 4
    assert {(row["state"], row["reason"]) for row in attempts(night)} == {("lost", "worker_lost")}
    assert set(night.runner.cancelled) == {name}


def test_a_runner_that_does_not_answer_loses_nothing(night, exposure):
    night.start(exposure)
    night.runner.silent = Retry(Reason.INTERNAL_ERROR, "no answer")
    assert night.collect(exposure).running == 4


def test_a_late_orphan_of_an_earlier_attempt_is_not_believed(night, exposure):
    name = night.start(exposure)
    old = night.runner.units(name)[0]
    night.collect(exposure, final=True)
    (again,) = night.due()
    second = night.start(again)
    night.runner.finish(name)  # the orphans wake up and write, each into its own folder
    assert night.collect(again).succeeded == 0
    new = next(unit for unit in night.runner.units(second) if unit.unit_key == old.unit_key)
    foreign = UnitResult(old.unit_key, old.token, AttemptState.SUCCEEDED)
    write_result(Path(new.folder), foreign)  # and one even into the new one's
    assert night.collect(again).succeeded == 0
    assert [row["kind"] for row in night.rows("events") if row["kind"] == "result_not_believed"]
    night.runner.finish(second)
    assert night.collect(again).succeeded == 4
    tokens = {row["token"] for row in attempts(night) if row["state"] == "succeeded"}
    assert tokens == {unit.token for unit in night.runner.units(second)}


@pytest.mark.parametrize("damaged", ["calibrated.fits", "sources.fits"])
def test_a_result_of_which_a_product_is_not_what_it_says_is_made_again_whole(night, exposure, damaged):
    name = night.start(exposure)
    night.runner.finish(name)
    unit = night.runner.units(name)[0]
    (Path(unit.folder) / damaged).write_bytes(b"something else")
    summary = night.collect(exposure)
    assert (summary.succeeded, summary.retried) == (3, 1)
    failed = next(row for row in attempts(night) if row["state"] == "failed")
    assert (failed["unit_key"], failed["reason"]) == (unit.unit_key, "result_invalid")
    assert unit.unit_key not in {row["unit_key"] for row in night.rows("products")}


def test_the_sweeper_takes_in_stragglers_after_their_run_has_ended(night, exposure):
    name = night.start(exposure)
    slow = night.runner.units(name)[3].unit_key
    night.runner.finish(name, only={unit.unit_key for unit in night.runner.units(name)} - {slow})
    assert sweep(night.context, night.runner) == []  # its run still watches
    assert night.collect(exposure).running == 1
    assert [row["state"] for row in night.rows("exposures") if row["image_type"] == "science"] == ["running"]
    assert [summary.running for summary in sweep(night.context, night.runner)] == [1]
    night.runner.finish(name, only={slow})
    assert [summary.succeeded for summary in sweep(night.context, night.runner)] == [1]
    assert set(night.unit_states().values()) == {"processed"}
    assert {row["state"] for row in night.rows("exposures")} == {"ended"}
    assert sweep(night.context, night.runner) == []


@pytest.mark.parametrize("state", [JobState.PENDING, JobState.RUNNING, JobState.UNKNOWN])
def test_the_sweeper_never_gives_up_what_waits_runs_or_cannot_be_asked_about(night, exposure, state):
    night.runner.says(night.start(exposure), state)
    night.collect(exposure)
    night.later(seconds=night.context.survey.exposure.hard_deadline_s + 1)
    assert [summary.running for summary in sweep(night.context, night.runner)] == [4]
    night.runner.silent = Retry(Reason.INTERNAL_ERROR, "no answer")
    assert [summary.running for summary in sweep(night.context, night.runner)] == [4]


def test_an_array_that_its_runner_does_not_know_any_more_is_made_again_within_a_minute(night, exposure):
    name = night.start(exposure)
    night.runner.forgotten.add(name)
    assert night.collect(exposure).running == 4  # it may not have shown up yet
    night.later(seconds=60)
    (summary,) = sweep(night.context, night.runner)
    assert (summary.running, summary.retried) == (0, 4)
    (again,) = night.due()
    assert night.start(again) != name


def test_of_an_array_that_its_runner_cannot_tell_of_no_task_is_lost(night, exposure, monkeypatch):
    name = night.start(exposure)
    note, reason = f"/spool/{name}/array.json is damaged", Reason.STORAGE_UNAVAILABLE
    unknown = {name: [TaskReport(name, 0, JobState.UNKNOWN, detail=note, reason=reason)]}  # of how many tasks?
    monkeypatch.setattr(night.runner, "states", lambda names=None: unknown)
    night.later(hours=1)
    assert night.collect(exposure).running == 4
    night.later(seconds=night.context.survey.exposure.hard_deadline_s)
    assert [summary.running for summary in sweep(night.context, night.runner)] == [4]
    [call] = [row for row in night.rows("events") if row["kind"] == "array_unknown"]
    assert (call["level"], call["subject"]) == ("page", name) and note in call["message"]


def test_a_job_that_cannot_be_collected_is_said_once_and_holds_up_no_other(night, exposure):
    name = night.start(exposure)
    night.collect(exposure)
    night.runner.finish(name)
    night.runner.requests[name].job_file.unlink()
    assert sweep(night.context, night.runner) == sweep(night.context, night.runner) == []
    (event,) = [row for row in night.rows("events") if row["kind"] == "job_not_collected"]
    assert str(night.runner.requests[name].job_file) in event["message"]


@pytest.mark.parametrize("content", ["", '{"schema": "nightshift.resu', "not JSON", "[1, 2]", "{}"])
def test_a_result_that_is_no_result_is_an_error_that_names_the_file_and_never_a_wait(night, exposure, content):
    name = night.start(exposure)
    unit = night.runner.units(name)[0]
    night.runner.finish(name)
    (Path(unit.folder) / "result.json").write_text(content)
    night.runner.says(name, JobState.DONE)
    summary = night.collect(exposure)
    assert (summary.succeeded, summary.retried, summary.running) == (3, 1, 0)
    (problem,) = summary.problems
    assert problem.reason is Reason.RESULT_INVALID
    assert f"{unit.folder}/result.json" in problem.detail


def test_a_disk_that_does_not_give_a_result_says_nothing_of_it(night, exposure):
    name = night.start(exposure)
    path = Path(night.runner.units(name)[0].folder) / "result.json"
    night.runner.finish(name)
    night.runner.says(name, JobState.DONE)
    kept = path.rename(path.with_name("kept.json"))
    path.symlink_to(path)  # a read of it fails as one from a disk that is away
    summary = night.collect(exposure)
    assert (summary.succeeded, summary.running, summary.problems) == (3, 1, ())
    path.unlink()
    kept.rename(path)
    assert night.collect(exposure).succeeded == 1


def test_a_disk_that_takes_no_product_says_nothing_of_the_attempt(night, exposure, monkeypatch, caplog):
    name = night.start(exposure)
    night.runner.finish(name)

    def full(source, target):
        raise OSError(errno.ENOSPC, "No space left on device", str(target))

    with monkeypatch.context() as disk:
        disk.setattr(Path, "replace", full)
        assert night.collect(exposure).running == 4
        assert "No space left" in caplog.text
    assert {row["state"] for row in attempts(night)} == {"submitted"}
    assert night.collect(exposure).succeeded == 4


def test_half_a_result_of_a_task_that_still_runs_is_left_to_it(night, exposure):
    name = night.start(exposure)
    unit = night.runner.units(name)[0]
    night.runner.finish(name)
    path = Path(unit.folder) / "result.json"
    whole = path.read_text()
    path.write_text(whole[:50])
    assert night.collect(exposure).running == 1
    path.write_text(whole)
    assert night.collect(exposure).succeeded == 1


def test_a_job_without_a_result_says_where_it_was_looked_for_and_what_to_do(night, exposure):
    name = night.start(exposure)
    night.runner.says(name, JobState.FAILED)
    problems = night.collect(exposure).problems
    assert {problem.reason for problem in problems} == {Reason.NO_RESULT}
    for problem, unit in zip(problems, night.runner.units(name), strict=True):
        assert f"no {unit.folder}/result.json" in problem.detail
        assert "log" in problem.detail


def test_a_refused_array_is_said_once_however_often_it_is_handed_in_again(night, exposure):
    night.runner.silent = NeedsOperator(Reason.INTERNAL_ERROR, "no such partition")
    for airflow_try in (1, 2, 3):
        with pytest.raises(NeedsOperator):
            night.submit(exposure, airflow_try=airflow_try)
    assert len([row for row in night.rows("events") if row["kind"] == "array_refused"]) == 1


def test_at_the_nights_hard_deadline_everything_open_is_given_up(night, exposure):
    night.start(exposure)
    night_date = night.rows("nights")[0]["night"]
    (summary,) = give_up(night.context, night.runner, "demo", night_date)
    assert summary.running == 0
    assert {row["state"] for row in attempts(night)} == {AttemptState.LOST}


def test_a_result_after_the_night_was_closed_over_it_changes_the_unit_no_more(night, exposure):
    name = night.start(exposure)
    with night.context.ledger.connection.cursor() as cursor:
        cursor.execute("update units set state = 'failed', reason = 'night_ended', ended_at = now()")
    night.runner.finish(name)
    night.collect(exposure)
    assert {(row["state"], row["reason"]) for row in night.rows("units")} == {("failed", "night_ended")}
    assert night.rows("image_quality") == []
    assert {row["state"] for row in attempts(night)} == {AttemptState.SUCCEEDED}


def test_a_master_whose_tries_ran_out_ends_its_frames_with_the_reason(night):
    night.bring_calibrations()
    while requests := [r for r in night.due("calibrations") if r.conf["kind"] == "bias"]:
        night.run(requests[0], fails=Reason.NO_RESULT)
    biases = [row for row in night.rows("calibrations") if row["kind"] == "bias"]
    assert {(row["state"], row["reason"]) for row in biases} == {("rejected", "no_result")}
    assert {row["reason"] for row in night.rows("calibration_frames")} == {"no_result"}
    assert {row["state"] for row in night.rows("exposures") if row["image_type"] == "bias"} == {"ended"}


def test_candidates_are_numbered_and_named_by_the_surveys_rule(night):
    night.calibrate()
    night.bring(*range(6))
    night.run_due("exposure")
    night.run_due("references")
    night.run_due("difference")
    night.bring(6)
    night.run_due("exposure", candidates=2)
    rows = night.rows("candidates", "candid")
    assert [row["number"] for row in rows] == [1, 2] * 4
    assert {str(row["candid"])[:-6] for row in rows} == {str(row["processing_id"]) for row in rows}
    assert [str(row["processing_id"])[-4:-2] for row in rows[::2]] == ["00", "01", "02", "03"]
    assert all(str(row["candid"])[-6:-3] == "015" for row in rows)
    assert night.rows("candidates_default") == []
    assert len(night.rows("alerts")) == 8


def test_moving_objects_are_linked_from_the_nights_detections(night):
    from nightshift.workflow.due_runs import RunRequest

    night.calibrate()
    night.bring(*range(6))
    night.run_due("exposure")
    night.run_due("references")
    request = RunRequest("moving_objects", "moving_objects__demo__20260115", {"site": "demo", "night": "2026-01-15"})
    assert night.start(request) is None
    night.run_due("difference", candidates=1)
    night.run(request)
    (tracklet,) = night.rows("tracklets")
    assert tracklet["detections"] == 24
    assert night.start(request) is None
