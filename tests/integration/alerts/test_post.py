"""From the outbox over a real Kafka protocol to the night's own consumer."""

import importlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from types import SimpleNamespace

import pytest
from confluent_kafka import Producer

from nightshift.alerts.post import post
from nightshift.alerts.release import release
from nightshift.alerts.signature import HEADER, signed_headers
from nightshift.context import Context
from nightshift.ledger import open_ledger
from nightshift.ledger.advisory_lock import LockedWork, advisory_lock
from rehearsal.stand_ins.alert_consumer import consume
from rehearsal.stand_ins.mock_broker import mock_cluster

pytestmark = pytest.mark.integration
posting = importlib.import_module("nightshift.alerts.post")


def released(small_night, context, alerts=3, number=1):
    unit = small_night.search(number, [(0.01 * i, -1.5 + 0.01 * number) for i in range(1, alerts + 1)])
    release(context, [unit])
    return unit


def states(context):
    with context.ledger.connection.cursor() as cursor:
        cursor.execute(
            "select o.state, a.state as alert, count(*) as n from outbox o join alerts a using (candid) "
            "group by 1, 2 order by 1, 2"
        )
        return {(row["state"], row["alert"]): row["n"] for row in cursor.fetchall()}


def candids(context):
    with context.ledger.connection.cursor() as cursor:
        cursor.execute("select candid from alerts order by candid")
        return [row["candid"] for row in cursor.fetchall()]


def received(context, folder, brokers, *, at_least, more_s=0.5, seconds=30.0):
    """Run the consumer until so many alerts came and a moment longer; return its lines and counts."""
    deadline = time.monotonic() + seconds
    enough = []

    def ended():
        try:
            counts = json.loads((folder / "summary.json").read_text())
        except FileNotFoundError:
            return False
        if counts["alerts"] + counts["repeats"] >= at_least:
            enough.append(time.monotonic())
        return (bool(enough) and time.monotonic() > enough[0] + more_s) or time.monotonic() > deadline

    consume(context.survey, folder, brokers=lambda: brokers, ended=ended, poll_s=0.05)
    lines = [json.loads(line) for line in (folder / "alerts.jsonl").read_text().splitlines()]
    return lines, json.loads((folder / "summary.json").read_text())


def closed_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_posting_twice_the_consumer_sees_each_alert_once(small_night, context, brokers, tmp_path):
    released(small_night, context)
    first, second = post(context, brokers=brokers), post(context, brokers=brokers)
    assert (first.acknowledged, first.failed, second.acknowledged) == (3, 0, 0)
    assert states(context) == {("acknowledged", "sent"): 3}
    lines, counts = received(context, tmp_path / "consumer", brokers, at_least=3)
    assert sorted(line["candid"] for line in lines) == candids(context)
    assert counts["alerts"] == 3 and counts["repeats"] == 0
    assert counts["topics"] == {"demo_20250310_programid1": 3}
    assert {"objectId", "ra", "dec", "jd", "fid", "magpsf", "isdiffpos", "scorr", "received_at"} <= set(lines[0])


def test_a_message_that_comes_again_is_dropped_by_its_candid(small_night, context, brokers, tmp_path):
    released(small_night, context)
    post(context, brokers=brokers)
    with context.ledger.connection.cursor() as cursor:  # as if the acknowledgement had been lost
        cursor.execute("update outbox set state = 'queued'")
    assert post(context, brokers=brokers).acknowledged == 3
    lines, counts = received(context, tmp_path / "consumer", brokers, at_least=6)
    assert len(lines) == 3 and counts["repeats"] == 3


def test_a_consumer_that_starts_again_forgets_nothing_and_repeats_nothing(small_night, context, brokers, tmp_path):
    released(small_night, context)
    post(context, brokers=brokers)
    received(context, tmp_path / "consumer", brokers, at_least=3)
    with (tmp_path / "consumer" / "alerts.jsonl").open("ab") as stream:
        stream.write(b'{"candid": 12')  # a line that a crash left unfinished
    released(small_night, context, number=2)
    post(context, brokers=brokers)
    lines, counts = received(context, tmp_path / "consumer", brokers, at_least=9)
    assert sorted(line["candid"] for line in lines) == candids(context)
    assert counts["alerts"] == 6 and counts["topics"] == {"demo_20250310_programid1": 6}


def test_with_the_broker_away_alerts_stay_queued_and_go_later(small_night, context, brokers):
    released(small_night, context)
    away = post(context, brokers=f"127.0.0.1:{closed_port()}", delivery_s=1.0)
    assert (away.acknowledged, away.failed) == (0, 3) and away.error
    assert states(context) == {("queued", "released"): 3}
    back = post(context, brokers=brokers)
    assert (back.acknowledged, back.failed) == (3, 0)
    assert states(context) == {("acknowledged", "sent"): 3}


def test_without_a_broker_address_alerts_stay_queued(small_night, context, tmp_path, monkeypatch):
    released(small_night, context)
    monkeypatch.setenv("NIGHTSHIFT_BROKERS", f"file:{tmp_path / 'nobody-wrote-this'}")
    assert post(context).failed == 3
    assert states(context) == {("queued", "released"): 3}


def test_the_consumer_follows_a_broker_that_comes_back_elsewhere(small_night, context, tmp_path):
    folder = tmp_path / "consumer"
    with mock_cluster() as first, mock_cluster() as second:
        address = [first]
        released(small_night, context, alerts=2)
        post(context, brokers=first)

        def ended():
            lines = folder / "alerts.jsonl"
            count = lines.read_bytes().count(b"\n") if lines.exists() else 0
            if count == 2 and address[0] == first:
                address[0] = second
                released(small_night, context, alerts=3, number=2)
                post(context, brokers=second)
            return count >= 5 or time.monotonic() > deadline

        deadline = time.monotonic() + 30
        log = consume(context.survey, folder, brokers=lambda: address[0], ended=ended, poll_s=0.05)
    assert log.counts["alerts"] == 5


def test_a_missing_packet_file_stays_queued_and_holds_up_nobody(small_night, context, brokers):
    released(small_night, context, alerts=1)
    tar = next(context.depot.root.glob("alerts/**/*.tar"))
    tar.rename(tar.with_suffix(".away"))
    released(small_night, context, alerts=2, number=2)
    summary = post(context, brokers=brokers)
    assert (summary.acknowledged, summary.failed) == (2, 1)
    tar.with_suffix(".away").rename(tar)
    assert post(context, brokers=brokers).acknowledged == 1


def test_a_packet_that_changed_on_disk_is_never_sent(small_night, context, brokers):
    released(small_night, context, alerts=2)
    tar = next(context.depot.root.glob("alerts/**/*.tar"))
    content = bytearray(tar.read_bytes())
    content[2000] ^= 1  # in the first packet
    tar.write_bytes(content)
    summary = post(context, brokers=brokers)
    assert (summary.acknowledged, summary.damaged) == (1, 1)
    assert states(context) == {("acknowledged", "sent"): 1, ("withheld", "withheld"): 1}


def test_only_what_was_acknowledged_is_marked(small_night, context, brokers, monkeypatch):
    released(small_night, context, alerts=4)
    refused = candids(context)[:2]
    real = posting._reporter

    def reporter(batch, queued):
        report = real(batch, queued)
        return lambda error, message: report("refused" if queued.candid in refused else error, message)

    monkeypatch.setattr(posting, "_reporter", reporter)
    summary = post(context, brokers=brokers)
    assert (summary.acknowledged, summary.failed) == (2, 2)
    assert states(context) == {("acknowledged", "sent"): 2, ("queued", "released"): 2}


def test_two_posters_at_once_do_not_interleave(small_night, context, ledger_url, brokers, tmp_path):
    for number in range(1, 5):
        released(small_night, context, alerts=20, number=number)
    summaries = []

    def one_poster():
        with open_ledger(ledger_url) as ledger:
            mine = Context(context.deployment, ledger, context.depot, context.inbox, context.clock)
            summaries.append(post(mine, brokers=brokers))

    threads = [threading.Thread(target=one_poster) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(summary.acknowledged for summary in summaries) == [0, 0, 80]
    _, counts = received(context, tmp_path / "consumer", brokers, at_least=80)
    assert counts["alerts"] == 80 and counts["repeats"] == 0


def test_a_poster_that_does_not_get_the_lock_says_so_and_sends_nothing(small_night, context, ledger_url, brokers):
    released(small_night, context)
    with open_ledger(ledger_url) as other:
        with advisory_lock(other, LockedWork.POST):
            assert post(context, brokers=brokers, lock_wait_s=0.0).busy
        assert states(context) == {("queued", "released"): 3}
    assert post(context, brokers=brokers).acknowledged == 3


def test_between_two_batches_what_is_queued_can_be_held_back(small_night, context, ledger_url, brokers, monkeypatch):
    released(small_night, context)

    def hold_back(seconds):
        if seconds != posting.BETWEEN_BATCHES_S:
            return
        with open_ledger(ledger_url) as other, advisory_lock(other, LockedWork.POST, wait_s=0.0):
            other.connection.cursor().execute("update outbox set state = 'withheld' where state = 'queued'")

    monkeypatch.setattr(posting, "BATCH", 1)
    monkeypatch.setattr(posting, "time", SimpleNamespace(sleep=hold_back))
    assert post(context, brokers=brokers).acknowledged == 1
    assert states(context) == {("acknowledged", "sent"): 1, ("withheld", "released"): 2}


def test_broker_and_consumer_run_as_processes_and_end_when_asked(small_night, context, tmp_path, monkeypatch):
    address, folder = tmp_path / "broker", tmp_path / "consumer"
    environment = {**os.environ, "NIGHTSHIFT_BROKERS": f"file:{address}", "NIGHTSHIFT_SURVEY": "demo"}
    monkeypatch.setenv("NIGHTSHIFT_BROKERS", f"file:{address}")
    run = [sys.executable, "-m"]
    processes = [
        subprocess.Popen([*run, "rehearsal.stand_ins.alert_consumer", "--folder", str(folder)], env=environment),
        subprocess.Popen(
            [*run, "rehearsal.stand_ins.mock_broker", "--address-file", str(address)],
            env=environment,
            stderr=subprocess.PIPE,
        ),
    ]
    try:
        released(small_night, context)
        deadline = time.monotonic() + 60
        while not address.exists() and time.monotonic() < deadline:
            time.sleep(0.1)
        assert post(context).acknowledged == 3
        lines = folder / "alerts.jsonl"
        while not (lines.exists() and lines.read_bytes().count(b"\n") == 3) and time.monotonic() < deadline:
            time.sleep(0.1)
    finally:
        for process in processes:
            process.send_signal(signal.SIGTERM)
        codes = [process.wait(20) for process in processes]
    assert codes == [0, 0]
    assert not address.exists()
    assert b"keeps nothing" in processes[1].stderr.read()
    assert json.loads((folder / "summary.json").read_text())["alerts"] == 3


def test_show_prints_the_packet_and_draws_the_stamps(small_night, context, ledger_url, tmp_path, monkeypatch, capsys):
    from nightshift.command_line import main

    released(small_night, context, alerts=1)
    for name, value in {
        "SURVEY": "demo", "LEDGER": ledger_url, "DEPOT": str(context.depot.root), "INBOX": str(tmp_path / "inbox"),
    }.items():  # fmt: skip
        monkeypatch.setenv(f"NIGHTSHIFT_{name}", value)
    candid = candids(context)[0]
    assert main(["alerts", "show", str(candid), "--png", str(tmp_path / "stamps.png")]) == 0
    assert f'"candid": {candid}' in capsys.readouterr().out
    assert (tmp_path / "stamps.png").read_bytes().startswith(b"\x89PNG")
    assert main(["alerts", "show", "1"]) == 1


def test_what_an_earlier_start_of_the_embedded_broker_took_is_sent_again(
    small_night, context, brokers, tmp_path, monkeypatch
):
    released(small_night, context)
    address = tmp_path / "broker"
    monkeypatch.setenv("NIGHTSHIFT_BROKERS", f"file:{address}")
    told = []
    for start in ("one", "one", "two", "two"):
        address.write_text(f"{brokers}\nbroker {start}\n")
        told.append(post(context).acknowledged)
    assert told == [3, 0, 3, 0]
    assert states(context) == {("acknowledged", "sent"): 3}
    lines, counts = received(context, tmp_path / "received", brokers, at_least=6)
    assert sorted(line["candid"] for line in lines) == candids(context)
    assert (counts["alerts"], counts["repeats"]) == (3, 3)


def test_a_broker_that_keeps_its_messages_is_never_sent_one_again(small_night, context, brokers, monkeypatch):
    released(small_night, context)
    monkeypatch.setenv("NIGHTSHIFT_BROKERS", brokers)
    assert [post(context).acknowledged for _ in range(2)] == [3, 0]
    with context.ledger.connection.cursor() as cursor:
        cursor.execute("select to_regclass('rehearsal.mock_broker_deliveries') as remembered")
        assert cursor.fetchone()["remembered"] is None


def test_a_message_of_somebody_else_on_the_machine_is_set_aside(small_night, context, brokers, tmp_path, monkeypatch):
    monkeypatch.setenv("NIGHTSHIFT_ALERT_KEY", "of this night")
    released(small_night, context)
    assert post(context, brokers=brokers).acknowledged == 3
    lines, _ = received(context, tmp_path / "first", brokers, at_least=3)
    topic = lines[0]["topic"]
    other = Producer({"bootstrap.servers": brokers, "log_level": 2})
    for headers in (None, [(HEADER, b"guessed")], signed_headers(b"another key", b"forged")):
        other.produce(topic, value=b"forged", headers=headers)
    assert other.flush(10) == 0
    _, counts = received(context, tmp_path / "second", brokers, at_least=3, more_s=2.0)
    assert (counts["alerts"], counts["unreadable"]) == (3, 1)  # three times the same content
    assert "not signed" in (tmp_path / "second" / "not_packets.jsonl").read_text()
