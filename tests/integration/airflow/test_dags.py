"""The workflows as Airflow stores them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
ARRAYS = {
    "ingest": "ingest",
    "calibrations": "master",
    "exposure": "science",
    "references": "reference",
    "difference": "difference",
    "moving_objects": "moving_objects",
}
HEAVY = {"numpy", "scipy", "astropy", "matplotlib", "confluent_kafka", "numba", "sep", "photutils"}


def read(folder: Path, **settings: str) -> dict:
    """Read the DAGs in a process of their own."""
    environment = {
        **os.environ,
        "AIRFLOW_HOME": str(folder),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
        "NIGHTSHIFT_SURVEY": "demo",
        "PYTHONPATH": str(ROOT),
        **settings,
    }
    done = subprocess.run(
        [sys.executable, str(HERE / "read_dags.py")], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def live(tmp_path_factory) -> dict:
    """What Airflow makes of the DAGs of a live survey."""
    return read(tmp_path_factory.mktemp("airflow"), NIGHTSHIFT_CLOCK="system")


@pytest.fixture(scope="module")
def dags(live) -> dict:
    return live["dags"]


def test_every_workflow_is_read_without_an_error_and_survives_being_stored(live):
    assert live["errors"] == {}
    people = {"regenerate_references", "dispose_frame"}
    timed = {
        "back_up_ledger", "clean_up", "copy_files", "end_of_night", "preflight", "prune_airflow", "reap_arrays",
        "rehearse_restore", "verify_archive", "watch_disks", "watch_inbox",
    }  # fmt: skip
    assert set(live["dags"]) == {*ARRAYS, *people, *timed}
    assert all(dag["doc"] for dag in live["dags"].values())


@pytest.mark.parametrize(("dag", "kind"), ARRAYS.items())
def test_work_on_nodes_is_submitted_waited_for_without_a_worker_and_collected(dags, dag, kind):
    tasks = dags[dag]["tasks"]
    assert tasks[f"{kind}.submit"]["downstream"] == [f"{kind}.wait"]
    assert tasks[f"{kind}.wait"]["downstream"] == [f"{kind}.collect"]
    assert tasks[f"{kind}.wait"]["from_trigger"]
    assert tasks[f"{kind}.wait"]["trigger"] == "operators.triggers.ArrayTrigger"


@pytest.mark.parametrize("dag", ["exposure", "difference"])
def test_an_exposure_is_at_most_eight_task_instances_and_ends_with_its_alerts(dags, dag):
    assert len(dags[dag]["tasks"]) <= 8
    ends = [name for name, task in dags[dag]["tasks"].items() if not task["downstream"]]
    assert ends == ["post_alerts"]


def test_the_end_of_a_night_keeps_its_order(dags):
    order, task = [], "begin"
    tasks = dags["end_of_night"]["tasks"]
    while task:
        order.append(task)
        (task,) = tasks[task]["downstream"] or [None]
    assert order == [
        "begin", "wait_for_late_data", "settle_night", "request_moving_objects", "wait_for_moving_objects",
        "account_for_night", "map_coverage", "archive_night", "verify_archive", "copy_night", "mail_report",
        "close_night", "request_backup",
    ]  # fmt: skip


def test_the_end_of_a_night_goes_on_after_a_failure_and_waits_for_nothing_that_did_not_begin(dags):
    rules = {name: task["trigger_rule"] for name, task in dags["end_of_night"]["tasks"].items()}
    waits = {"wait_for_late_data", "wait_for_moving_objects"}
    assert {name for name, rule in rules.items() if rule == "all_success"} == waits
    assert {rule for name, rule in rules.items() if name not in waits} == {"none_skipped"}


def test_the_inbox_is_watched_for_ever_by_one_run_at_a_time(dags):
    watch = dags["watch_inbox"]
    assert watch["timetable"] == "AlwaysAgain"
    assert watch["max_active_runs"] == 1
    assert watch["tasks"]["wait_for_files"]["from_trigger"]


def test_the_nights_of_a_live_survey_end_by_the_night_timetable(dags):
    assert dags["end_of_night"]["timetable"] == "NightTimetable"
    assert not dags["end_of_night"]["catchup"]


def test_a_live_survey_is_checked_before_each_night(dags):
    assert dags["preflight"]["timetable"] == "AfternoonTimetable"
    assert not dags["preflight"]["catchup"]


def test_a_task_outlives_a_minute_without_airflow(dags):
    for dag in dags.values():
        for name, task in dag["tasks"].items():
            assert task["retries"] >= 3 and task["retry_delay_s"] >= 30, name


def test_a_task_process_loads_nothing_heavy_to_read_its_dag(live):
    assert {module.split(".")[0] for module in live["loaded"]} & HEAVY == set()


def test_the_form_of_a_new_reference_offers_what_the_survey_has_and_is_a_dry_run_at_first(dags):
    form = dags["regenerate_references"]["params"]
    assert form["field"]["enum"] == ["101", "102"]
    assert form["filter"]["enum"] == ["g", "r"]
    assert form["quadrants"]["examples"] == ["d01/q1", "d01/q2", "d02/q1", "d02/q2"]
    assert form["quadrants"]["items"]["enum"] == form["quadrants"]["examples"]


@pytest.mark.parametrize(
    ("dag", "wrong"),
    [
        ("regenerate_references", {"explanation": "   "}),
        ("regenerate_references", {"explanation": "x" * 501}),
        ("regenerate_references", {"field": "999"}),
        ("regenerate_references", {"quadrants": ["d09/q9"]}),
        ("regenerate_references", {"serves": "yesterday"}),
        ("dispose_frame", {"explanation": " \n\t"}),
        ("dispose_frame", {"frame": "  "}),
        ("dispose_frame", {"verdict": "perhaps"}),
    ],
)
def test_a_form_refuses_what_can_be_seen_to_be_wrong(dags, dag, wrong):
    sound = {
        "field": "101", "filter": "g", "quadrants": ["d01/q1"], "serves": "now", "dry_run": True,
        "frame": "x.fits", "verdict": "reject", "explanation": "a plane",
    }  # fmt: skip
    form = dags[dag]["params"]
    for name, schema in form.items():
        jsonschema.validate(sound[name], schema)
    ((name, value),) = wrong.items()
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(value, form[name])


def test_nobody_who_asks_waits_for_another_persons_request(dags):
    assert all(dags[name]["max_active_runs"] >= 8 for name in ("regenerate_references", "dispose_frame"))


def test_a_replayed_night_ends_by_its_manifest_alone_and_tests_shorten_the_delays(tmp_path):
    replay = read(
        tmp_path,
        NIGHTSHIFT_CLOCK="2026-01-01T00:00:00+00:00=2019-03-26T20:00:00+00:00*10.0",
        NIGHTSHIFT_RETRY_DELAY_S="1.5",
    )["dags"]
    assert replay["end_of_night"]["timetable"] == "NullTimetable"
    assert replay["preflight"]["timetable"] == "NullTimetable"
    assert replay["exposure"]["tasks"]["science.submit"]["retry_delay_s"] == 1.5
