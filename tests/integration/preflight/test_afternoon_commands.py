"""The commands and the task of the afternoon, as people and Airflow run them."""

import json
from datetime import UTC, date, datetime
from types import SimpleNamespace

import pytest

from nightshift.command_line import main
from nightshift.ledger.queries import preflight as preflight_queries
from nightshift.night_plan.night_sky import dark_time
from operators import steps

pytestmark = pytest.mark.integration

NIGHT = date(2026, 1, 15)


@pytest.fixture(autouse=True)
def environment(context, ledger_url, tmp_path, monkeypatch):
    """The context of the test is the one that the environment names; nothing else of a stack is there."""
    monkeypatch.setenv("NIGHTSHIFT_SURVEY", "demo")
    monkeypatch.setenv("NIGHTSHIFT_LEDGER", ledger_url)
    monkeypatch.setenv("NIGHTSHIFT_DEPOT", str(context.depot.root))
    monkeypatch.setenv("NIGHTSHIFT_INBOX", str(context.inbox))
    monkeypatch.setenv("NIGHTSHIFT_SPOOL", str(tmp_path / "spool"))
    monkeypatch.setenv("NIGHTSHIFT_CLOCK", "2026-01-01T00:00:00+00:00=2026-01-15T22:00:00+00:00*1e-9")
    for name in ("BROKERS", "SMTP", "SMTP_USER"):
        monkeypatch.delenv(f"NIGHTSHIFT_{name}", raising=False)


def kept(context):
    rows = preflight_queries.checks_of_night(context.ledger, site="demo", night=NIGHT)
    return {row.check_name: row.state.value for row in rows}


def test_the_calendar_by_command(capsys):
    words = ("calendar", "add", "out_of_service", "--detector", "2", "--operator", "mira", "--reason")
    assert main([*words, "cold finger", "--ends", "2026-01-20T12:00"]) == 0
    assert main(["calendar", "list"]) == 0
    shown = capsys.readouterr().out
    assert (
        "democam, detector 2: out of service from 2026-01-15 22:00 UTC until 2026-01-20 20:00 UTC (cold finger)"
        in shown
    )
    assert main(["calendar", "end", "1", "--reason", "mended", "--operator", "jun"]) == 0
    assert main([*words, "again", "--ends", "2025-01-01T12:00"]) == 2
    assert main([*words, "again", "--begins", "2026-03-08T02:30"]) == 2
    assert "does not exist in America/Los_Angeles" in capsys.readouterr().err
    assert main(["calendar", "list"]) == 0
    assert "everything is in service" in capsys.readouterr().out


def test_the_plan_by_command(tmp_path, capsys, context):
    picture = tmp_path / "plan.png"
    assert main(["plan", "--night", "2026-01-15", "--json", "--picture", str(picture)]) == 0
    plain = json.loads(capsys.readouterr().out)
    dark = dark_time(context.site, NIGHT, -12.0)
    assert datetime.fromisoformat(plain["dark"][0]) == dark.begins
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert main(["plan", "--night", "2026-01-15", "--schedule", str(tmp_path / "none.csv")]) == 2
    assert "none.csv does not read" in capsys.readouterr().err


def test_the_checks_by_command_keep_what_they_find_and_a_dry_run_nothing(context, capsys):
    assert main(["preflight", "--dry-run"]) == 1
    assert kept(context) == {}
    assert not context.depot.report(NIGHT, "preflight.html").exists()
    assert main(["preflight"]) == 1
    states = kept(context)
    assert (states["broker"], states["runner"], states["mail"]) == ("red", "red", "yellow")
    assert (states["database"], states["settings"], states["calendar"]) == ("green", "green", "green")
    page = context.depot.report(NIGHT, "preflight.html")
    assert page.exists()
    assert str(page) in capsys.readouterr().out.replace("\n", "")


def test_the_task_checks_the_night_of_its_timetable_or_the_one_that_was_asked_for(context):
    by_sun = SimpleNamespace(conf={}, data_interval_end=datetime(2026, 1, 16, 1, 5, tzinfo=UTC))
    assert steps.preflight(by_sun).startswith("demo/2026-01-15: ")
    assert "broker" in kept(context)
    asked = SimpleNamespace(conf={"site": "demo", "night": "2026-01-17"}, data_interval_end=None)
    assert steps.preflight(asked).startswith("demo/2026-01-17: ")
