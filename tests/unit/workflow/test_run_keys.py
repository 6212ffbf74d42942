"""Runs and jobs are named by their natural keys, the same each time."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightshift.errors import BadInput
from nightshift.kinds import kinds
from nightshift.workflow.subjects import Subject, run_id, subject_of, subject_of_run

CONFS = {
    "exposure": {"instrument": "democam", "exposure_id": "20260116080000"},
    "calibrations": {"instrument": "democam", "night": "2026-01-15", "kind": "flat", "filter": "g", "version": "1"},
    "references": {"instrument": "democam", "field": "101", "filter": "g", "version": "2"},
    "difference": {"instrument": "democam", "exposure_id": "20260116080000", "version": "1"},
    "ingest": {"instrument": "democam", "exposure_id": "20260116080000", "oldest": "20260116073000"},
    "end_of_night": {"site": "demo", "night": "2026-01-15"},
    "moving_objects": {"site": "demo", "night": "2026-01-15"},
}
IDS = {
    "exposure": "exposure__democam__20260116080000",
    "calibrations": "calibrations__democam__20260115__flat__g__v1",
    "references": "references__democam__101__g__v2",
    "difference": "difference__democam__20260116080000__v1",
    "ingest": "ingest__democam__20260116080000__20260116073000",
    "end_of_night": "end_of_night__demo__20260115",
    "moving_objects": "moving_objects__demo__20260115",
}


@pytest.mark.parametrize("dag_id", sorted(CONFS))
def test_run_ids_follow_their_keys_and_count_repetitions(dag_id):
    assert run_id(dag_id, CONFS[dag_id], 0) == IDS[dag_id]
    assert run_id(dag_id, CONFS[dag_id], 2) == f"{IDS[dag_id]}__a3"
    assert subject_of_run(dag_id, CONFS[dag_id])


@given(st.text(min_size=1, max_size=20), st.text(max_size=10))
def test_a_run_id_holds_only_what_airflow_takes(exposure_id, filter_name):
    conf = {"instrument": "democam", "exposure_id": exposure_id, "filter": filter_name}
    assert re.fullmatch(r"[A-Za-z0-9_.-]+", run_id("exposure", conf, 0))


@pytest.mark.parametrize("kind", [kind.name for kind in kinds()])
def test_a_subject_is_read_back_from_its_job(kind):
    conf = {key: value for part in CONFS.values() for key, value in part.items()}
    for filter_name in ("g", ""):
        subject = subject_of(kind, {**conf, "filter": filter_name, "campaign": "again"})
        assert Subject.parse(kind, subject.text, "again") == subject
        assert subject.job_key.startswith(f"{kind}/")


def test_a_job_written_before_its_kind_had_a_further_key_reads_as_one_with_the_default():
    alone = subject_of("ingest", {"instrument": "democam", "exposure_id": "20260116080000"})
    assert Subject.parse("ingest", "democam/20260116080000", "live") == alone
    assert Subject.parse("ingest", alone.text, "live") == alone


@given(st.text(max_size=20))
def test_a_subject_never_leaves_its_folder(text):
    try:
        subject = subject_of("science", {"instrument": "democam", "exposure_id": text})
    except BadInput:
        return
    assert subject.job_key == f"science/democam/{text}/live"
    assert not {"", ".", ".."} & set(subject.job_key.split("/"))
