"""The sensor of the inbox: it hears of what is due at once, and misses nothing where it hears nothing."""

import asyncio
import time
from contextlib import aclosing

import psycopg2
import pytest
from airflow.sdk import BaseSensorOperator

from nightshift.ingest.ingest import ingest_all
from nightshift.ledger.notices import DueNotices
from operators import steps, triggers
from operators.array_wait import WaitForInbox
from operators.triggers import InboxTrigger, ledger_notices


@pytest.fixture(autouse=True)
def environment(context, ledger_url, monkeypatch):
    settings = {
        "SURVEY": "demo",
        "LEDGER": ledger_url,
        "DEPOT": str(context.depot.root),
        "INBOX": str(context.inbox),
        "RUNNER": "local",
    }
    for name, value in settings.items():
        monkeypatch.setenv(f"NIGHTSHIFT_{name}", value)
    monkeypatch.delenv("NIGHTSHIFT_CLOCK", raising=False)


def bring_a_sequence(context, frames):
    """Let a whole sequence of biases come in, past the inbox: the masters are due then."""
    paths = [
        frames(-60 + index, detector, kind="bias", SEQNAME="bias", SEQINDEX=index + 1, SEQLEN=2)
        for index in range(2)
        for detector in (1, 2)
    ]
    ingest_all(context, paths)


async def woken(after_1_s) -> tuple[str, float]:
    """Return why a trigger ended, and how long after something had happened."""

    async def happen() -> float:
        await asyncio.sleep(1.0)
        await asyncio.to_thread(after_1_s)
        return time.monotonic()

    happening = asyncio.create_task(happen())
    async with aclosing(InboxTrigger(60.0).run()) as events:
        event = await anext(events)
    return str(event.xcoms["return_value"]), time.monotonic() - await happening


def test_a_change_in_the_ledger_wakes_the_watch_although_it_asks_but_once_a_minute(
    context, frames_in, tmp_path, monkeypatch
):
    monkeypatch.setattr(steps, "LEDGER_EVERY_S", 60.0)
    frames = frames_in(tmp_path)
    why, waited_s = asyncio.run(woken(lambda: bring_a_sequence(context, frames)))
    assert "calibrations__democam__20260115__bias" in why
    assert waited_s < 20


def test_where_nothing_is_heard_the_watch_asks_all_the_same(context, frames_in, tmp_path, monkeypatch):
    monkeypatch.setattr(steps, "LEDGER_EVERY_S", 0.5)
    monkeypatch.setattr(DueNotices, "listen", lambda _: None)
    frames = frames_in(tmp_path)
    why, _ = asyncio.run(woken(lambda: bring_a_sequence(context, frames)))
    assert "calibrations__democam__20260115__bias" in why


async def heard_within(notices, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    async for heard in notices:
        if heard or time.monotonic() > deadline:
            return heard
    raise AssertionError("it goes on for ever")


def test_a_lost_connection_is_made_again_and_heard(ledger_url, monkeypatch):
    monkeypatch.setattr(triggers, "CONNECT_AGAIN_S", 0.1)

    def say(statement: str) -> None:
        connection = psycopg2.connect(ledger_url)
        connection.autocommit = True
        connection.cursor().execute(statement)
        connection.close()

    async def listen() -> tuple[bool, bool, bool]:
        async with aclosing(ledger_notices(0.1)) as notices:
            nothing = await heard_within(notices, 1.0)
            say("notify nightshift_due")
            first = await heard_within(notices, 10.0)
            say(
                "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'nightshift notices'"
            )
            await heard_within(notices, 1.0)
            say("notify nightshift_due")
            return nothing, first, await heard_within(notices, 10.0)

    assert asyncio.run(listen()) == (False, True, True)


def test_without_a_ledger_it_hears_nothing_and_raises_nothing(monkeypatch):
    monkeypatch.setenv("NIGHTSHIFT_LEDGER", "postgresql://nobody@127.0.0.1:1/none")

    async def listen() -> bool:
        async with aclosing(ledger_notices(0.05)) as notices:
            return await heard_within(notices, 0.5)

    assert not asyncio.run(listen())


def test_the_watch_is_a_sensor_that_waits_without_a_worker_or_by_wish_on_one(frames, monkeypatch):
    sensor = WaitForInbox(task_id="wait")
    assert isinstance(sensor, BaseSensorOperator)
    assert sensor.start_from_trigger
    on_worker = WaitForInbox(task_id="wait_here", deferrable=False)
    assert not on_worker.start_from_trigger
    assert not on_worker.poke({}).is_done
    frames(0, 1)
    assert not on_worker.poke({}).is_done  # it must hold still first
    time.sleep(0.6)
    found = on_worker.poke({})
    assert (found.is_done, found.xcom_value) == (True, "1 files")
