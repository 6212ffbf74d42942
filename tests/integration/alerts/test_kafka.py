"""Apache Kafka as the broker of one machine: what it acknowledged it keeps, however it ended."""

import importlib
import os
import signal
import threading
import time

import pytest
from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

from nightshift.alerts.post import post
from nightshift.alerts.release import release
from rehearsal.stand_ins.single_node_kafka import main, missing

pytestmark = pytest.mark.integration
posting = importlib.import_module("nightshift.alerts.post")


def released(small_night, context, alerts, number):
    release(
        context,
        [small_night.search(number, [(0.001 * i, -1.5 + 0.01 * number) for i in range(1, alerts + 1)])],
    )


def acknowledged(context):
    """Every acknowledged alert, by topic, partition and offset."""
    with context.ledger.connection.cursor() as cursor:
        cursor.execute(
            "select topic, broker_partition, broker_offset, candid from outbox where state = 'acknowledged'"
        )
        return {(row["topic"], row["broker_partition"], row["broker_offset"]): row["candid"] for row in cursor}


def kept(node, places):
    """Alert of each message that the node has, by topic, partition and offset; others of its topics are left out."""
    consumer = Consumer({"bootstrap.servers": node.address, "group.id": "test", "enable.auto.commit": False})
    consumer.assign([TopicPartition(*place, OFFSET_BEGINNING) for place in {(t, p) for t, p, _ in places}])
    found, deadline = {}, time.monotonic() + 30
    while set(found) < set(places) and time.monotonic() < deadline:
        message = consumer.poll(0.5)
        if message is not None and message.error() is None:
            place = (message.topic(), message.partition(), message.offset())
            if place in places:
                found[place] = message.key().decode().partition("/")[2]
    consumer.close()
    return found


def test_what_it_acknowledged_is_there_after_a_kill_in_the_middle_and_the_rest_goes_once_it_is_back(
    small_night, context, kafka, monkeypatch
):
    kafka.forget_topics()
    for number in range(1, 6):
        released(small_night, context, 40, number)
    killed = threading.Thread(target=kafka.end, args=[signal.SIGKILL])
    record = posting._record

    def record_and_kill(*arguments):
        record(*arguments)
        if killed.ident is None:
            killed.start()

    monkeypatch.setattr(posting, "BATCH", 50)
    monkeypatch.setattr(posting, "BETWEEN_BATCHES_S", 0.0)
    monkeypatch.setattr(posting, "_record", record_and_kill)
    interrupted = post(context, brokers=kafka.address, delivery_s=3.0)
    killed.join()
    assert 50 <= interrupted.acknowledged < 200
    address = kafka.address
    kafka.start()
    assert kafka.address == address  # subscribers find it where it was
    before = acknowledged(context)
    assert set(kept(kafka, before)) == set(before)
    assert post(context, brokers=kafka.address).acknowledged == 200 - len(before)
    after = acknowledged(context)
    assert before.items() <= after.items()
    assert len(set(after.values())) == 200
    assert kept(kafka, after) == {place: str(candid) for place, candid in after.items()}


def test_its_store_is_in_its_folder_whatever_that_is_called(kafka):
    assert not kafka.folder.name.isascii()
    assert (kafka.folder / "node" / "data" / "meta.properties").exists()


@pytest.mark.parametrize(
    ("version", "advice"),
    [("1.8.0_292", "apt install openjdk"), ("11.0.2", "apt install openjdk"), ("21", "make kafka")],
)
def test_what_is_missing_is_said_before_anything_is_made(tmp_path, monkeypatch, capsys, version, advice):
    java = tmp_path / "java"
    java.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\" 2021-01-19' >&2\n")
    java.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setenv("NIGHTSHIFT_KAFKA_JARS", str(tmp_path))
    assert main(["--folder", str(tmp_path / "node"), "--address-file", str(tmp_path / "address")]) == 1
    assert advice in capsys.readouterr().err
    assert not (tmp_path / "node").exists()


def test_without_java_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "apt install openjdk" in missing()
