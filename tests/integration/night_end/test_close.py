"""Closing: what is waited for, when the wait ends, and who is called when nobody closes."""

import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from night_rows import NIGHT

from nightshift.archive.night_archive import archive, verify
from nightshift.clock import ReplayClock
from nightshift.night_end.accounts import account
from nightshift.night_end.close import (
    awaited,
    begin_closing,
    close,
    fail_stragglers,
    in_flight,
    may_close,
    overdue,
)
from nightshift.stack.stand_ins import command_of
from nightshift.vocabulary import NightState

pytestmark = pytest.mark.integration


def state(night):
    return night.query("select state, signal, closed_at from nights")[0]


def test_a_complete_night_closes_and_closing_again_changes_nothing(context, night):
    night.science(1)
    night.manifest()
    assert begin_closing(context, NIGHT, signal="manifest") is NightState.OPEN
    assert may_close(context, NIGHT) == (True, "nothing is under way")
    account(context, NIGHT), archive(context, NIGHT), verify(context, NIGHT)
    assert close(context, NIGHT) is NightState.CLOSED
    before = state(night), night.query("select * from events")
    assert close(context, NIGHT) is NightState.CLOSED
    assert (state(night), night.query("select * from events")) == before
    assert state(night)["signal"] == "manifest"


def test_a_night_that_was_not_archived_does_not_close(context, night):
    night.science(1)
    night.manifest()
    assert close(context, NIGHT) is NightState.UNBALANCED
    (event,) = night.query("select level, message from events")
    assert event["level"] == "page" and "files are not in it" in event["message"]


def test_a_closed_night_opens_its_books_again_for_late_data(context, night):
    night.science(1)
    night.manifest()
    begin_closing(context, NIGHT, signal="manifest")
    archive(context, NIGHT), verify(context, NIGHT), close(context, NIGHT)
    night.frame(2, 1)
    assert begin_closing(context, NIGHT) is NightState.CLOSED
    assert state(night) == {"state": "closing", "signal": "manifest", "closed_at": None}
    assert close(context, NIGHT) is NightState.UNBALANCED


def test_whatever_is_under_way_is_waited_for_until_the_hard_deadline(context, night):
    night.frame(1, 1)
    night.unit(1, 1, 1, state="running"), night.unit(1, 1, 2, state="pending")
    night.query("update exposures set state = 'running'")
    night.manifest()
    begin_closing(context, NIGHT)
    assert [str(thing).split(" is ")[1] for thing in in_flight(context, NIGHT)] == ["running", "running", "pending"]
    assert not may_close(context, NIGHT)[0]
    night.query("update nights set closing_since = now() - interval '1 day'")
    assert may_close(context, NIGHT)[0]
    assert fail_stragglers(context, NIGHT) == 2
    assert account(context, NIGHT).units.reasons("failed") == {"night_ended": 2}
    assert fail_stragglers(context, NIGHT) == 0
    assert night.query("select state, ended_at is null as unended from exposures") == [
        {"state": "ended", "unended": False}
    ]


def test_files_on_the_manifest_are_waited_for_during_the_grace_and_no_longer(context, night):
    night.science(1)
    night.list("demo_00000000000002_d01.fits", b"late")
    night.manifest()
    begin_closing(context, NIGHT)
    assert awaited(context, NIGHT) == ["demo_00000000000002_d01.fits"]
    assert not may_close(context, NIGHT)[0]
    night.query("update nights set closing_since = now() - interval '1 minute'")
    assert may_close(context, NIGHT)[0]


def test_alerts_that_wait_for_the_broker_are_under_way(context, night):
    night.science(1)
    night.alerts(1, [(150.1, 22.2)], night.reference(), state="released")
    assert [(t.kind, t.state) for t in in_flight(context, NIGHT)] == [("alert", "queued")]


def test_a_night_that_nobody_closes_calls_a_human_once(context, night):
    night.science(1)
    night.query("update arrivals set arrived_at = now() - interval '1 day'")
    noon = datetime(2026, 1, 16, 20, 0, tzinfo=UTC)
    early = replace(context, clock=ReplayClock(datetime.now(UTC), noon - timedelta(hours=1)))
    late = replace(context, clock=ReplayClock(datetime.now(UTC), noon + timedelta(minutes=1)))
    assert overdue(early) == []
    assert overdue(late) == overdue(late) == [NIGHT]
    assert [e["kind"] for e in night.query("select kind from events")] == ["night_overdue"]
    close(late, NIGHT)
    assert overdue(late) == []


def test_the_sink_says_plainly_that_its_port_is_taken(sink, tmp_path):
    server, _ = sink
    done = subprocess.run(
        [*command_of("mail", "--port", str(server.port), "--folder", str(tmp_path))],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 1
    assert f"cannot listen on 127.0.0.1:{server.port}" in done.stderr


def test_differences_whose_alerts_await_their_turn_are_under_way(context, night):
    night.science(1)
    night.alerts(1, [(150.1, 22.2)], night.reference(), state="released")
    with context.ledger.connection.cursor() as cursor:
        cursor.execute("update differences set released_at = null")
    assert [t.kind for t in in_flight(context, NIGHT)] == ["difference", "alert"]
