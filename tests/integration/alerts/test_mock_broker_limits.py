"""The embedded broker keeps little: nobody is sent past what the night's own consumer has not taken."""

import importlib
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from datetime import date

import pytest
from confluent_kafka import Consumer, TopicPartition

from nightshift.alerts.post import post
from nightshift.alerts.release import release
from nightshift.health.storage import storage_trouble
from nightshift.ledger.queries import alerts as alert_queries
from nightshift.ledger.queries import watch
from rehearsal.stand_ins import consumer_offsets, mock_broker_limits

pytestmark = pytest.mark.integration

ALERTS = 90  # of 280 kB each: 25 MB, where the broker keeps at most 5 MiB in each of 4 partitions
MORE_THAN_ROOM = 45
PARTITIONS = 4
NIGHT = date(2025, 3, 10)


@pytest.fixture
def burst(small_night, context):
    return released(small_night, context, number=1, alerts=ALERTS)


def released(small_night, context, *, number, alerts):
    places = [(0.0001 * place, -1.5 + 0.01 * number) for place in range(1, alerts + 1)]
    small_night.noise_pixels = 160
    return release(context, [small_night.search(number, places)]).released


@contextmanager
def night_consumer(folder):
    """Run the night's consumer in a process of its own, and yield that once it is there."""
    process = subprocess.Popen(
        [sys.executable, "-m", "rehearsal.stand_ins.alert_consumer", "--folder", str(folder)],
        env={**os.environ, "NIGHTSHIFT_SURVEY": "demo"},
    )
    try:
        until(lambda: (folder / "summary.json").exists())
        yield process
    finally:
        process.send_signal(signal.SIGCONT)
        process.send_signal(signal.SIGTERM)
        process.wait(20)


def until(true, seconds=60.0):
    deadline = time.monotonic() + seconds
    while not (found := true()) and time.monotonic() < deadline:
        time.sleep(0.1)
    return found


def taken(folder):
    return json.loads((folder / "summary.json").read_text())["alerts"]


def has_read_to_the_end(brokers):
    asked = Consumer({"bootstrap.servers": brokers, "group.id": "test"})
    offsets = consumer_offsets.taken("one-start")
    return len(offsets) == PARTITIONS and all(
        asked.get_watermark_offsets(TopicPartition(*place), timeout=10)[1] == offset
        for place, offset in offsets.items()
    )


def post_all(context):
    """Post as the sweep does, again and again, and return each summary."""
    summaries = [post(context)]
    while summaries[-1].waiting:
        summaries.append(post(context))
    return summaries


def queued(context):
    return alert_queries.queue_length(context.ledger)


def waits(context):
    return [wait.name for wait in watch.waits(context.ledger)]


def said(context):
    return [row["kind"] for row in context.ledger.rows("ledger", "events_since", event_id=0, most=1000)
            if row["kind"].startswith(("consumer_", "alerts_sent"))]  # fmt: skip


def test_a_consumer_that_stood_still_while_a_burst_was_posted_misses_nothing(
    embedded, burst, context, tmp_path, monkeypatch
):
    monkeypatch.setattr(mock_broker_limits, "ASK_S", 1.0)
    with night_consumer(tmp_path / "received") as consumer:
        consumer.send_signal(signal.SIGSTOP)
        first = post(context)
        assert 0 < first.acknowledged < ALERTS and first.waiting
        assert waits(context) == ["alerts"] and said(context) == ["consumer_behind"]
        consumer.send_signal(signal.SIGCONT)
        rest = post_all(context)
        assert first.acknowledged + sum(summary.acknowledged for summary in rest) == burst == ALERTS
        assert until(lambda: taken(tmp_path / "received") == ALERTS, 20)
    assert waits(context) == [] and said(context) == ["consumer_behind", "consumer_took"]
    (topic,) = context.ledger.rows("night_end", "outbox_by_topic", site="demo", night=NIGHT)
    assert (topic["acknowledged"], topic["most_tries"]) == (ALERTS, 1)


def test_a_consumer_that_does_not_come_is_given_up_once_and_waited_for_again_when_it_came(
    embedded, burst, small_night, context, tmp_path, monkeypatch
):
    monkeypatch.setattr(mock_broker_limits, "ASK_S", 0.0)
    for _ in range(3):
        assert post(context).waiting
    assert waits(context) == ["alerts"] and said(context) == ["consumer_behind"]
    with monkeypatch.context() as impatient:
        impatient.setattr(mock_broker_limits, "PATIENCE_S", 0.0)
        assert not post(context).waiting
    assert queued(context) == 0 and waits(context) == []
    released(small_night, context, number=2, alerts=3)
    assert post(context).acknowledged == 3
    assert said(context) == ["consumer_behind", "alerts_sent_unread"]
    with night_consumer(tmp_path / "received") as consumer:
        assert until(lambda: has_read_to_the_end(embedded), 20)
        assert 0 < taken(tmp_path / "received") < ALERTS  # the others were pushed out
        consumer.send_signal(signal.SIGSTOP)
        released(small_night, context, number=3, alerts=MORE_THAN_ROOM)
        assert post(context).waiting
    assert said(context) == ["consumer_behind", "alerts_sent_unread", "consumer_behind"]


def test_a_consumer_is_given_up_for_all_that_it_has_not_taken_also_where_the_clock_was_set_back(
    embedded, burst, context, monkeypatch
):
    monkeypatch.setattr(mock_broker_limits, "ASK_S", 0.0)
    monkeypatch.setattr(importlib.import_module("nightshift.alerts.post"), "BATCH", 20)
    assert post(context).waiting
    context.ledger.connection.cursor().execute(
        "update outbox set acknowledged_at = acknowledged_at + interval '1 hour' where state = 'acknowledged'"
    )
    monkeypatch.setattr(mock_broker_limits, "PATIENCE_S", 0.0)
    assert post(context).acknowledged > 40  # three batches and more
    assert queued(context) == 0 and said(context) == ["consumer_behind", "alerts_sent_unread"]


def test_meanwhile_the_disks_are_in_order_and_the_wait_ends_with_what_waited(
    embedded, small_night, context, monkeypatch
):
    monkeypatch.setattr(mock_broker_limits, "ASK_S", 0.0)
    released(small_night, context, number=1, alerts=MORE_THAN_ROOM)
    assert post(context).waiting
    assert storage_trouble(context) == [] and waits(context) == ["alerts"]
    context.ledger.connection.cursor().execute("update outbox set state = 'withheld' where state = 'queued'")
    post(context)
    assert waits(context) == []


def test_who_waits_for_room_writes_down_nothing_where_nothing_was_sent(embedded, small_night, context, monkeypatch):
    monkeypatch.setattr(mock_broker_limits, "ASK_S", 1.0)
    released(small_night, context, number=1, alerts=MORE_THAN_ROOM)
    batches, run = [], context.ledger.run

    def remembered(topic, name, **parameters):
        if name == "acknowledge":
            batches.append(len(parameters["candids"]))
        return run(topic, name, **parameters)

    monkeypatch.setattr(context.ledger, "run", remembered)
    summary = post(context)  # it asks again and again, for a second
    assert summary.waiting and sum(batches) == summary.acknowledged
    assert all(batches)


def test_a_broker_that_keeps_its_messages_waits_for_nobody(brokers, burst, context, monkeypatch):
    monkeypatch.setenv("NIGHTSHIFT_BROKERS", brokers)
    assert post(context).acknowledged == ALERTS and waits(context) == said(context) == []
