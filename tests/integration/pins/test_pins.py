"""What a night was opened with holds for it, whatever becomes of the files meanwhile."""

import json
import os
import shutil
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pytest

from nightshift.clock import ReplayClock
from nightshift.code_version import code_version
from nightshift.command_line import main
from nightshift.context import Context, deployment_from_environment, open_context
from nightshift.errors import BadInput, NeedsOperator
from nightshift.ingest.ingest import ingest_all
from nightshift.night_end.facts import collect_facts
from nightshift.pins import pin_night
from nightshift.pins.changes import adopt, changes_since_opening, notice_changes
from nightshift.settings import SettingsError, load_survey, loader
from nightshift.settings.stages import hashes_by_stage

pytestmark = pytest.mark.integration

NIGHT = date(2026, 1, 15)
NEXT = date(2026, 1, 16)
SUBJECT = "demo/20260115"


@pytest.fixture
def files(context: Context, ledger_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The survey's folder of settings, which a test may change, and an environment that names it and the ledger."""
    root = tmp_path / "config"
    shutil.copytree(loader._CONFIG / "demo", root / "demo")
    for key, value in {
        "CONFIG": root, "SURVEY": "demo", "LEDGER": ledger_url, "DEPOT": context.depot.root, "INBOX": context.inbox,
    }.items():  # fmt: skip
        monkeypatch.setenv(f"NIGHTSHIFT_{key}", str(value))
    return root / "demo"


@pytest.fixture
def at(context: Context, monkeypatch: pytest.MonkeyPatch) -> Callable[[timedelta], None]:
    """Sets the night's clock so long after local midnight."""

    def set_clock(after: timedelta = timedelta()) -> None:
        moment = context.clock.moment + after
        monkeypatch.setenv("NIGHTSHIFT_CLOCK", ReplayClock(moment, moment, 1e-9).to_text())

    monkeypatch.setattr("nightshift.clock.ReplayClock.now", lambda self: self.night)
    set_clock()
    return set_clock


@pytest.fixture
def opened(files: Path, at: object, frames: Callable[..., Path]) -> Path:
    """The files of a night that a first frame has opened."""
    with open_context() as context:
        ingest_all(context, [frames(0)])
    return files


def change(file: Path, before: str, after: str) -> None:
    text = file.read_text()
    assert before in text
    file.write_text(text.replace(before, after))
    stamp = file.stat().st_mtime + 10
    os.utime(file, (stamp, stamp))


def change_radius(files: Path, arcsec: float = 2.5) -> None:
    change(
        files / "policy.toml", "signal_to_noise = 5.0\n", f"signal_to_noise = 5.0\nmatch_radius_arcsec = {arcsec}\n"
    )


def radius() -> float:
    with open_context() as context:
        return context.survey.alerts.match_radius_arcsec


def night_row(context: Context, night: date = NIGHT) -> dict:
    row = context.ledger.row("nights", "pin", site="demo", night=night)
    assert row is not None
    return row


def events(context: Context, kind: str) -> list[dict]:
    rows = context.ledger.rows("ledger", "events_since", event_id=0, most=1000)
    return [row for row in rows if row["kind"] == kind]


def set_state(context: Context, state: str) -> None:
    context.ledger.run("night_end", "set_closed", site="demo", night=NIGHT, state=state)


def audit(context: Context) -> list[dict]:
    with context.ledger.connection.cursor() as cursor:
        cursor.execute("select operator, subject, detail from audit where action = 'adopt_settings'")
        return list(cursor.fetchall())


def spoil_pin(context: Context) -> None:
    """Leave settings in the night's row as code with another key had them."""
    with context.ledger.connection.cursor() as cursor:
        cursor.execute(
            "update nights set settings = jsonb_set(settings, '{instruments,democam,alerts,old_key}', '1')"
        )


# --- a change in the middle of a night -----------------------------------------------------------------------


def test_a_night_records_code_and_settings_of_its_opening(context, opened):
    row = night_row(context)
    assert row["code_version"] == code_version()
    assert row["settings"] == {
        "survey": "demo", "instruments": {"democam": json.loads(load_survey("demo").model_dump_json())},
    }  # fmt: skip
    (under_way,) = context.ledger.rows("nights", "last_pins", survey="demo", now=context.clock.now())
    assert under_way["settings_hashes"] == {"democam": hashes_by_stage(load_survey("demo"))}


def test_a_change_in_the_middle_of_a_night_takes_effect_with_the_next(context, opened, at, frames):
    change_radius(opened)
    assert load_survey("demo").alerts.match_radius_arcsec == 2.5
    assert radius() == 1.5
    with open_context() as own:
        ingest_all(own, [frames(1)])
    assert night_row(context)["settings"]["instruments"]["democam"]["alerts"]["match_radius_arcsec"] == 1.5
    at(timedelta(days=1))
    assert radius() == 2.5
    with open_context(NIGHT) as own:
        assert own.survey.alerts.match_radius_arcsec == 1.5
    with open_context() as own:
        pin_night(own.ledger, own.survey, NEXT)
    assert night_row(context, NEXT)["settings"]["instruments"]["democam"]["alerts"]["match_radius_arcsec"] == 2.5


def test_a_change_is_said_once_and_stands_in_the_mail(context, opened):
    now = context.clock.now()
    notice_changes(context.ledger, "demo", now)
    assert events(context, "settings_changed") == []
    change_radius(opened)
    for _ in range(2):
        notice_changes(context.ledger, "demo", now)
    (event,) = events(context, "settings_changed")
    assert event["subject"] == SUBJECT and "alerts.match_radius_arcsec" in event["message"]
    assert "the night 2026-01-16 on" in event["message"]
    assert "nightshift settings adopt --site demo --night 2026-01-15 --reason" in event["message"]
    change(opened / "policy.toml", "match_radius_arcsec = 2.5", "match_radius_arcsec = 3.5")
    notice_changes(context.ledger, "demo", now)
    assert len(events(context, "settings_changed")) == 2  # another change
    told = [event.message for event in collect_facts(context, NIGHT).events]
    assert event["message"] in told


def test_other_code_than_the_nights_is_said_once(context, opened, monkeypatch):
    monkeypatch.setattr("nightshift.pins.changes.code_version", lambda: "f" * 40)
    for _ in range(2):
        notice_changes(context.ledger, "demo", context.clock.now())
    (event,) = events(context, "code_changed")
    assert code_version() in event["message"] and "f" * 40 in event["message"]


def test_settings_that_do_not_load_any_more_do_not_stop_the_night(context, opened, at, frames):
    change(opened / "policy.toml", "signal_to_noise = 5.0", "signal_to_noise = ")
    with pytest.raises(SettingsError):
        load_survey("demo")
    assert radius() == 1.5
    assert deployment_from_environment().site.name == "demo"  # as a workflow's file asks while it is read
    with open_context() as own:
        assert len(ingest_all(own, [frames(1)])) == 1
    for _ in range(2):
        notice_changes(context.ledger, "demo", context.clock.now())
    (event,) = events(context, "settings_changed")
    assert "does not load any more" in event["message"] and "policy.toml" in event["message"]
    at(timedelta(days=1))
    assert radius() == 1.5  # the night before is not closed yet
    set_state(context, "closed")
    with pytest.raises(SettingsError):
        radius()


def test_a_night_from_before_settings_were_recorded_gets_them_while_it_is_open(context):
    with context.ledger.connection.cursor() as cursor:
        cursor.execute(
            "insert into nights (site, night, begins, ends, state) values "
            "('demo', '2026-01-15', '2026-01-15 20:00Z', '2026-01-16 20:00Z', 'open'),"
            "('demo', '2026-01-14', '2026-01-14 20:00Z', '2026-01-15 20:00Z', 'closed')"
        )
    for night in (NIGHT, date(2026, 1, 14)):
        assert context.of_night(night).survey is context.survey
        pin_night(context.ledger, context.survey, night)
    assert night_row(context)["settings"] is not None
    assert night_row(context, date(2026, 1, 14))["settings"] is None


# --- made to hold now ----------------------------------------------------------------------------------------


def test_an_operator_makes_a_change_hold_now_with_a_reason(context, opened, capsys):
    change_radius(opened)
    words = ["settings", "adopt", "--night", "2026-01-15", "--reason", "objects were split"]
    assert main([*words, "--operator", "mira"]) == 0
    assert "alerts.match_radius_arcsec" in capsys.readouterr().out
    assert radius() == 2.5 and changes_since_opening(context.ledger, "demo", context.clock.now()) == []
    (row,) = audit(context)
    assert (row["operator"], row["subject"], row["detail"]["reason"]) == ("mira", SUBJECT, "objects were split")
    assert row["detail"]["changed"] == {"alerts.match_radius_arcsec": [1.5, 2.5]}
    assert len(events(context, "settings_adopted")) == 1
    assert main(words) == 0 and "nothing was changed" in capsys.readouterr().out
    assert len(audit(context)) == 1


def test_adopting_without_a_reason_is_refused(context, opened):
    change_radius(opened)
    with pytest.raises(BadInput, match="--reason"):
        adopt(context.ledger, [load_survey("demo")], NIGHT, operator="mira", reason=" ", now=context.clock.now())
    assert radius() == 1.5 and audit(context) == []


@pytest.mark.parametrize(("night", "told"), [(NIGHT, "is closed"), (date(2025, 1, 1), "no night")])
def test_adopting_for_a_night_that_is_not_open_is_refused(night, told, context, opened):
    change_radius(opened)
    set_state(context, "closed")
    with pytest.raises(BadInput, match=told):
        adopt(context.ledger, [load_survey("demo")], night, operator="m", reason="r", now=context.clock.now())
    assert (
        night_row(context)["settings"]["instruments"]["democam"]["alerts"]["match_radius_arcsec"] == 1.5
        and audit(context) == []
    )


def test_settings_that_this_code_does_not_read_are_refused_with_what_to_do(context, opened):
    spoil_pin(context)
    with pytest.raises(
        NeedsOperator, match=r"alerts\.old_key.*go back to the former code.*settings adopt --site demo --night"
    ):
        radius()
    adopt(context.ledger, [load_survey("demo")], NIGHT, operator="m", reason="upgraded", now=context.clock.now())
    assert radius() == 1.5


def test_a_closed_night_can_still_be_looked_at_by_code_that_does_not_read_its_settings(context, opened):
    spoil_pin(context)
    set_state(context, "closed")
    assert context.of_night(NIGHT).survey is context.survey
