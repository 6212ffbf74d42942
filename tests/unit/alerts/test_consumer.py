"""What the night's own consumer keeps."""

import io
import json
from datetime import UTC, datetime

import fastavro
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

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


def test_a_message_that_is_no_packet_is_set_aside_once_and_still_counted_after_a_restart(tmp_path):
    other = fastavro_container({"type": "record", "name": "x", "fields": [{"name": "candid", "type": "string"}]})
    messages = [("t", b"rubbish"), ("t", b""), ("t", other), ("t", content(1)[:-40]), ("t", content(1))]
    for _ in range(2):
        log = AlertLog(tmp_path)
        log.take(messages, NOW)
        log.close()
        with (tmp_path / "not_packets.jsonl").open("a") as stream:
            stream.write('{"half a li')  # a crash
    assert (log.counts["alerts"], log.counts["unreadable"]) == (1, 4)
    lines = [json.loads(line) for line in (tmp_path / "not_packets.jsonl").read_text().splitlines()[:4]]
    assert [line["bytes"] for line in lines] == [len(message) for _, message in messages[:4]]
    assert all(line["why"] and line["topic"] == "t" for line in lines)
    kept = {path.name: path.read_bytes() for path in (tmp_path / "not_packets").iterdir()}
    assert [kept[line["sha256"]] for line in lines] == [message for _, message in messages[:4]]


def fastavro_container(schema):
    stream = io.BytesIO()
    fastavro.writer(stream, schema, [{"candid": "1"}])
    return stream.getvalue()


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    flips=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 7)), max_size=4),
    end=st.one_of(st.none(), st.integers(0, 10**6)),
)
def test_no_flipped_bit_and_no_cut_stops_the_consumer(tmp_path, flips, end):
    message = bytearray(content(1))
    for place, bit in flips:
        message[place % len(message)] ^= 1 << bit
    log = AlertLog(tmp_path)
    log.take([("t", bytes(message[: None if end is None else end % len(message)]))], NOW)
    assert log.take([("t", content(2))], NOW) in (0, 1)
    log.close()
    assert 2 in AlertLog(tmp_path)._seen


def test_a_log_that_opens_again_remembers(tmp_path):
    first = AlertLog(tmp_path)
    first.take([("t", content(1))], NOW)
    first.close()
    second = AlertLog(tmp_path)
    assert second.take([("t", content(1)), ("t", content(2))], NOW) == 1
    second.close()
    assert second.counts["alerts"] == 2
