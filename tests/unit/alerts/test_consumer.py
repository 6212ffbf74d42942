"""What the night's own consumer keeps."""

import json
from datetime import UTC, datetime

import pytest

from nightshift.alerts.packets import build_packet, candidate_record, encode
from nightshift.settings import load_survey
from rehearsal.stand_ins.alert_consumer import AlertLog, topic_pattern

NOW = datetime(2025, 3, 11, 4, tzinfo=UTC)


def content(candid):
    known = {"candid": candid, "pid": 1, "ra": 1.0, "dec": 2.0, "rb": 0.9, "rbversion": "model-7"}
    record = candidate_record(known, missing="nulls")
    return encode(build_packet(publisher="p", object_id="o", candidate=record, history=(), stamps={}))


@pytest.mark.parametrize(
    ("survey", "topic", "matches"),
    [
        ("demo", "demo_20250310_programid1", True),
        ("demo", "demo_20250310_programid12", True),
        ("demo", "demo_20250310_programid1_retractions", False),
        ("demo", "other_20250310_programid1", False),
        ("ztf", "ztf_20200111_programid2", True),
    ],
)
def test_a_surveys_topics_are_known_by_its_settings(survey, topic, matches):
    assert bool(topic_pattern(load_survey(survey)).fullmatch(topic)) is matches


def test_repeats_and_rubbish_are_counted_and_not_written(tmp_path):
    log = AlertLog(tmp_path)
    assert log.take([("t", content(1)), ("t", b"rubbish"), ("t", content(1)), ("u", content(2))], NOW) == 2
    log.close()
    lines = [json.loads(line) for line in (tmp_path / "alerts.jsonl").read_text().splitlines()]
    assert [(line["candid"], line["rbversion"]) for line in lines] == [(1, "model-7"), (2, "model-7")]
    assert json.loads((tmp_path / "summary.json").read_text()) == {
        "alerts": 2, "repeats": 1, "unreadable": 1, "topics": {"t": 1, "u": 1}, "last_received_at": NOW.isoformat(),
    }  # fmt: skip


def test_a_log_that_opens_again_remembers(tmp_path):
    first = AlertLog(tmp_path)
    first.take([("t", content(1))], NOW)
    first.close()
    second = AlertLog(tmp_path)
    assert second.take([("t", content(1)), ("t", content(2))], NOW) == 1
    second.close()
    assert second.counts["alerts"] == 2
