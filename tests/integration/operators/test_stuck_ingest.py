"""Where files lie in the inbox and nothing is taken in, somebody is called: ingest cannot say it itself."""

from types import SimpleNamespace

import pytest

from nightshift.health import say_whether_ingest_is_stuck
from nightshift.ingest.ingest import ingest_all
from nightshift.ledger.queries import watch
from nightshift.night_end.facts import collect_facts
from nightshift.stack import service

pytestmark = pytest.mark.integration


def sql(context, statement):
    with context.ledger.connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall() if cursor.description else []


@pytest.fixture
def old(monkeypatch):
    """Let what lies in the inbox have lain there for an hour: no program can set the time of a change."""
    monkeypatch.setattr("nightshift.health.stuck_inbox.changed_at_s", lambda status: status.st_ctime - 3600)


@pytest.mark.usefixtures("old")
def test_ingest_that_takes_nothing_in_calls_somebody_once_until_it_goes_on(context, frames):
    good, stuck = frames(0), frames(1)
    ingest_all(context, [good])
    assert say_whether_ingest_is_stuck(context) is None  # something was taken in just now
    sql(context, "update arrivals set arrived_at = now() - interval '1 hour'")
    for _ in range(2):
        assert stuck.name in say_whether_ingest_is_stuck(context)
    assert [wait.name for wait in watch.waits(context.ledger)] == ["ingest"]
    assert [row["level"] for row in sql(context, "select level from events where kind = 'ingest_stuck'")] == ["page"]
    needs = collect_facts(context, sql(context, "select night from nights")[0]["night"]).needs
    (need,) = [need for need in needs if need.sentence.startswith("Ingest is stuck: 1 file waits")]
    assert need.command == "nightshift status" and "watch_inbox" in need.step
    ingest_all(context, [stuck])
    assert say_whether_ingest_is_stuck(context) is None
    assert watch.waits(context.ledger) == []


@pytest.mark.usefixtures("old")
def test_time_that_nobody_watched_is_no_reason_to_call_somebody(context, frames):
    frames(0)
    sql(context, "insert into pauses (kind, until_at, after_at, seconds) values ('unwatched', "
        "now() - interval '3500 s', now(), 3500)")  # fmt: skip
    assert say_whether_ingest_is_stuck(context) is None


def test_what_has_just_come_and_what_is_not_finished_is_not_stuck(context, frames):
    frames(0)
    frames(1).rename(context.inbox / "half.fits.part")
    assert say_whether_ingest_is_stuck(context) is None


@pytest.mark.usefixtures("old")
def test_status_says_that_ingest_is_stuck_and_fails(context, frames, ledger_url, monkeypatch, capsys):
    machine = SimpleNamespace(
        supervisor=SimpleNamespace(states=dict), parts=list, ledger_url=ledger_url, deployment=context.deployment,
        home=SimpleNamespace(inbox=context.inbox), clock="system", address="http://127.0.0.1",
    )  # fmt: skip
    monkeypatch.setattr(service, "remembered_machine", lambda _: machine)
    assert service.status("demo") == 0
    stuck = frames(0)
    assert service.status("demo") == 1
    said = " ".join(capsys.readouterr().out.split())
    assert "the night waits: 1 file waits in the inbox, and nothing was taken in for 60 minutes" in said
    assert stuck.name in said
