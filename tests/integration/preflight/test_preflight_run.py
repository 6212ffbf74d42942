"""What the afternoon finds is kept, a red check is told once and its end once, and the page shows it."""

from contextlib import contextmanager
from datetime import date

import pytest

from nightshift.night_end.report_pictures import Picture
from nightshift.preflight.afternoon_run import preflight, summary_line
from nightshift.preflight.check import Check, green, red, unknown, yellow
from nightshift.preflight.checks import ledger_server, machine_clock, settings_files
from nightshift.vocabulary import CheckState

pytestmark = pytest.mark.integration

NIGHT = date(2026, 1, 15)


@pytest.fixture(autouse=True)
def picture_drawn_elsewhere(monkeypatch):
    """A picture takes a second: `test_make_plan.py` looks at one."""
    picture = Picture("plan", "The plan", "drawn elsewhere", b"", 680)
    monkeypatch.setattr("nightshift.preflight.afternoon_run.draw_plan", lambda *_: picture)


@pytest.fixture
def afternoon(context):
    """Runs checks that find what is given by their names."""

    @contextmanager
    def opened():
        yield context

    def run(**findings):
        these = [Check(name, name.title(), lambda _, found=found: found) for name, found in findings.items()]
        return preflight(context, NIGHT, opened, these=these)

    return run


def rows(context, what):
    with context.ledger.connection.cursor() as cursor:
        cursor.execute(what)
        return [dict(row) for row in cursor.fetchall()]


def told(context):
    return [
        (row["kind"], row["level"], row["subject"])
        for row in rows(context, "select * from events where kind like 'preflight%' order by event_id")
    ]


def test_a_red_check_is_told_once_and_its_end_once(context, afternoon):
    for _ in range(3):
        done = afternoon(disks=red("full", "free some"), mail=green("well"))
        assert not done.is_ready
    assert told(context) == [("preflight_red", "page", "demo/preflight/disks")]
    afternoon(disks=unknown("hangs", ""), mail=green("well"))  # nothing is known: it may still be red
    assert len(told(context)) == 1
    done = afternoon(disks=yellow("nearly full", "free some"), mail=green("well"))
    assert done.is_ready
    afternoon(disks=green("well"), mail=green("well"))
    assert told(context)[1:] == [("preflight_clear", "info", "demo/preflight/disks")]
    afternoon(disks=red("full", "free some"), mail=green("well"))
    assert [kind for kind, *_ in told(context)] == ["preflight_red", "preflight_clear", "preflight_red"]


def test_what_was_found_is_kept_once_a_check_and_night(context, afternoon):
    afternoon(disks=red("full", "free some", number=0.2, unit="GB free"), gone=green("well"))
    afternoon(disks=green("room", number=9.0, unit="GB free"), mail=unknown("hangs", "look"))
    kept = rows(context, "select check_name, state, number, unit from preflight_checks order by check_name")
    assert kept == [
        {"check_name": "disks", "state": "green", "number": 9.0, "unit": "GB free"},
        {"check_name": "mail", "state": "unknown", "number": None, "unit": ""},
    ]
    assert summary_line(context, NIGHT) == "1 unknown (mail); 1 green"
    assert summary_line(context, date(2026, 1, 1)) == ""


def test_unknown_is_not_ready(afternoon):
    assert not afternoon(mail=unknown("hangs", "look")).is_ready
    assert afternoon(mail=yellow("slow", "look")).is_ready


def test_the_page_shows_the_checks_and_the_plan_and_escapes_what_comes_from_outside(afternoon):
    done = afternoon(disks=red("<script>alert(1)</script>", "free some"), mail=green("well"))
    text = done.page.read_text()
    assert "1 thing keeps the night from beginning" in text
    assert "<script>" not in text
    assert (done.page.parent / "plan.png").exists()
    assert "What runs and when (UTC)" in text


def test_a_plan_that_cannot_be_made_leaves_the_checks(context, afternoon, tmp_path, monkeypatch):
    survey = context.survey
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "tonight.csv").write_text("time,field,filter,exposure_time\nsoon,1,g,30\n")
    monkeypatch.setenv("NIGHTSHIFT_CONFIG", str(tmp_path))
    broken = survey.model_copy(update={"plan": survey.plan.model_copy(update={"schedule": "tonight.csv"})})

    @contextmanager
    def opened():
        yield context

    done = preflight(
        context.with_survey(broken), NIGHT, opened, these=[Check("mail", "Mail", lambda _: green("well"))]
    )
    assert (done.plan, done.results[0].finding.state) == (None, CheckState.GREEN)
    assert "The plan could not be made" in done.page.read_text()


@pytest.mark.parametrize(
    "check", [ledger_server.check_ledger, machine_clock.check_clock, settings_files.check_settings]
)
def test_on_a_real_ledger_they_are_green(context, afternoon, check, monkeypatch):
    monkeypatch.setattr(machine_clock, "_printed", lambda *command: None)

    @contextmanager
    def opened():
        yield context

    done = preflight(context, NIGHT, opened, these=[Check("it", "It", check)])
    assert done.results[0].finding.state is CheckState.GREEN, done.results[0].finding
