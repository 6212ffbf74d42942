"""What is announced changes what is expected and what is reduced, and each change is somebody's."""

import hashlib
import json
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nightshift.errors import BadInput
from nightshift.ingest.ingest import ingest_all
from nightshift.keys import LIVE
from nightshift.kinds.science import queries as science_queries
from nightshift.ledger.queries import calendar as calendar_queries
from nightshift.night_end.accounts import account
from nightshift.observing_calendar import (
    add_entry,
    end_entry,
    entries_of_night,
    fill_from_settings,
    fill_where_it_reads,
    in_force,
)
from nightshift.observing_calendar.entries import NewEntry
from nightshift.vocabulary import CalendarKind
from nightshift.workflow.overrides import dispose, read_disposal

pytestmark = pytest.mark.integration

MIDNIGHT = datetime(2026, 1, 16, 8, tzinfo=UTC)  # local midnight at the demo site
NIGHT = date(2026, 1, 15)
OUT, ENGINEERING, DOWNTIME = CalendarKind.OUT_OF_SERVICE, CalendarKind.ENGINEERING, CalendarKind.DOWNTIME


def announce(context, kind, *, begins=MIDNIGHT - timedelta(hours=1), ends=None, **more):
    new = NewEntry(kind, begins, ends, "cold finger", instrument=more.pop("instrument", None), **more)
    return add_entry(context, new, operator="mira")


def rows(context, what):
    with context.ledger.connection.cursor() as cursor:
        cursor.execute(what)
        return [dict(row) for row in cursor.fetchall()]


def waiting(context):
    return science_queries.waiting_exposures(context.ledger, instrument="democam", campaign=LIVE)


def test_an_exposure_waits_for_the_detectors_that_are_in_service_only(context, frames):
    announce(context, OUT, detector=2)
    ingest_all(context, [frames(0, 1)])
    (exposure,) = waiting(context)
    assert exposure.awaited == 0
    assert rows(context, "select detectors_expected from exposures") == [{"detectors_expected": [1]}]


def test_a_file_of_a_detector_out_of_service_does_not_stand_for_the_one_that_is_awaited(context, frames):
    announce(context, OUT, detector=2)
    ingest_all(context, [frames(0, 2)])
    assert waiting(context) == []
    ingest_all(context, [frames(0, 1)])
    assert [row.awaited for row in waiting(context)] == [0]


def test_a_file_of_a_detector_out_of_service_is_kept_and_said_once_and_not_reduced(context, frames):
    entry = announce(context, OUT, detector=2)
    ingest_all(context, [frames(0, 2), frames(1, 2)])
    found = rows(context, "select invalid_reason, path from raw_frames order by path")
    assert [row["invalid_reason"] for row in found] == ["out_of_service"] * 2
    assert all(context.depot.absolute(row["path"]).exists() for row in found)
    assert {
        (u["state"], u["reason"], u["detail"]) for u in rows(context, "select state, reason, detail from units")
    } == {("rejected", "out_of_service", "cold finger")}
    said = rows(context, "select message from events where kind = 'frames_despite_calendar'")
    assert len(said) == 1
    assert f"nightshift calendar end {entry}" in said[0]["message"]


def test_frames_of_engineering_time_are_kept_and_never_due(context, frames):
    announce(context, ENGINEERING)
    ingest_all(context, [frames(0, 1), frames(0, 2), frames(1, 1, kind="bias")])
    assert waiting(context) == []
    assert {row["state"] for row in rows(context, "select state from exposures")} == {"ended"}
    assert {row["state"] for row in rows(context, "select state from units")} == {"rejected"}


def test_frames_that_come_in_downtime_are_reduced_as_always(context, frames):
    announce(context, DOWNTIME)
    ingest_all(context, [frames(0, 1), frames(0, 2)])
    assert [row.awaited for row in waiting(context)] == [0]
    assert len(rows(context, "select 1 from events where kind = 'frames_despite_calendar'")) == 1


def test_a_person_may_have_a_frame_of_engineering_time_reduced(context, frames):
    announce(context, ENGINEERING)
    path = frames(0, 1)
    ingest_all(context, [path])
    dispose(context, read_disposal({"frame": path.name, "verdict": "accept", "explanation": "fine"}), operator="mira")
    (exposure,) = waiting(context)
    assert exposure.exposure_id == frames.exposure_id(0)


@pytest.mark.parametrize("listed", [True, False])
@pytest.mark.parametrize("comes", [True, False])
def test_the_night_closes_with_a_detector_out_of_service(context, frames, listed, comes):
    announce(context, OUT, detector=2)
    good, other = frames(0, 1), frames(0, 2)
    sent = {path.name: path.read_bytes() for path in ((good, other) if listed else (good,))}
    entries = [{"name": n, "bytes": len(b), "sha256": hashlib.sha256(b).hexdigest()} for n, b in sent.items()]
    (context.inbox / "manifest_20260115.json").write_text(
        json.dumps({"schema": "nightshift.manifest/1", "site": "demo", "night": "2026-01-15", "files": entries})
    )
    ingest_all(context, [good, *([other] if comes else []), context.inbox / "manifest_20260115.json"])
    with context.ledger.connection.cursor() as cursor:
        cursor.execute("update units set state = 'processed', ended_at = now() where detector = 1")
    books = account(context, NIGHT)
    assert books.units.closes and books.frames.closes and books.sent.closes, books.imbalances
    counts = {name: len(members) for name, members in books.units.parts.items()}
    assert counts["processed"] == 2
    assert counts["rejected"] == (2 if listed or comes else 0)
    assert counts["missing"] == counts["failed"] == 0
    if comes:
        assert [m.reason for m in books.frames.parts["archived only"]] == ["out_of_service"]


def test_a_detector_that_goes_out_of_service_now_is_not_waited_for_any_more(context, frames, clock):
    ingest_all(context, [frames(5, 1)])
    assert [row.awaited for row in waiting(context)] == [1]
    clock.moment = MIDNIGHT
    entry = announce(context, OUT, detector=2, begins=clock.now())
    assert [row.awaited for row in waiting(context)] == [0]
    end_entry(context, entry, clock.now(), operator="mira", reason="it was the cable")
    assert [row.awaited for row in waiting(context)] == [1]


def test_each_change_has_its_audit_row_with_who_and_why(context, clock):
    entry = announce(context, OUT, detector=2)
    end_entry(context, entry, clock.now(), operator="jun", reason="mended")
    kept = rows(context, "select operator, action, detail ->> 'reason' as why from audit order by audit_id")
    assert kept == [
        {"operator": "mira", "action": "calendar_add", "why": "cold finger"},
        {"operator": "jun", "action": "calendar_end", "why": "mended"},
    ]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"detector": 7}, "no detector 7"),
        ({"instrument": "other"}, "no instrument 'other'"),
        ({"ends": MIDNIGHT - timedelta(hours=1)}, "not after its beginning"),
        ({"ends": MIDNIGHT - timedelta(hours=2)}, "not after its beginning"),
    ],
)
def test_what_cannot_be_meant_is_refused_and_nothing_is_entered(context, changes, told):
    with pytest.raises(BadInput, match=told):
        announce(context, OUT, **changes)
    assert rows(context, "select 1 from calendar union all select 1 from audit") == []


def test_ending_twice_and_ending_what_is_not_there_are_refused(context, clock):
    entry = announce(context, ENGINEERING)
    end_entry(context, entry, clock.now(), operator="mira", reason="done")
    with pytest.raises(BadInput, match="it ended at 2026-01-16 08:00 UTC"):
        end_entry(context, entry, clock.now(), operator="mira", reason="done")
    with pytest.raises(BadInput, match="demo has no such entry"):
        end_entry(context, 99, clock.now(), operator="mira", reason="done")


def test_the_file_fills_the_ledger_and_a_persons_end_outlives_the_next_filling(context, clock, tmp_path, monkeypatch):
    file = tmp_path / "config" / "demo" / "calendar.toml"
    file.parent.mkdir(parents=True)
    head = '[[calendar]]\nkind = "out_of_service"\nreason = "dead"\ndetector = 2\nbegins = 2026-01-10T12:00:00\n'
    file.write_text(head)
    monkeypatch.setenv("NIGHTSHIFT_CONFIG", str(tmp_path / "config"))

    def fill():
        return fill_from_settings(context.ledger, context.deployment, clock.now())

    assert (fill(), fill()) == (1, 0)
    (entry,) = entries_of_night(context.ledger, context, NIGHT)
    end_entry(context, entry.entry_id, clock.now(), operator="mira", reason="mended")
    assert fill() == 0
    assert in_force(context.ledger, context.survey, clock.now()).detectors == [1, 2]
    file.write_text(head.replace("01-10", "01-12"))
    assert fill() == 1  # another one begins; the one that has ended stays as it was
    assert len(calendar_queries.entries(context.ledger, site="demo", first=None, last=None)) == 2
    file.unlink()
    assert fill() == 1  # it had no end: it is withdrawn
    assert in_force(context.ledger, context.survey, clock.now()).detectors == [1, 2]


def test_a_file_that_does_not_read_leaves_what_it_held(context, clock, tmp_path, monkeypatch):
    file = tmp_path / "config" / "demo" / "calendar.toml"
    file.parent.mkdir(parents=True)
    file.write_text('[[calendar]]\nkind = "downtime"\nreason = "mirror"\nbegins = 2026-01-10T12:00:00\n')
    monkeypatch.setenv("NIGHTSHIFT_CONFIG", str(tmp_path / "config"))
    assert fill_where_it_reads(context.ledger, context.deployment, clock.now()) == ""
    file.write_text("kind =")
    assert "does not read as TOML" in fill_where_it_reads(context.ledger, context.deployment, clock.now())
    assert in_force(context.ledger, context.survey, clock.now()).is_downtime


SPANS = st.lists(
    st.tuples(st.integers(0, 20), st.integers(1, 20) | st.none(), st.sampled_from([1, 2, None])), max_size=6
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(spans=SPANS, asked=st.lists(st.integers(0, 45), min_size=1, max_size=5))
def test_however_entries_overlap_a_detector_is_out_exactly_while_one_of_them_holds(context, spans, asked):
    def at(hour: int) -> datetime:
        return MIDNIGHT + timedelta(hours=hour)

    with context.ledger.connection.cursor() as cursor:
        cursor.execute("delete from calendar")
    for begins, hours, detector in spans:
        ends = None if hours is None else at(begins + hours)
        announce(context, OUT, begins=at(begins), ends=ends, detector=detector)
    for hour in asked:
        out = {
            each for each in (1, 2) for begins, hours, detector in spans
            if detector in (each, None) and begins <= hour and (hours is None or hour < begins + hours)
        }  # fmt: skip
        calendar = in_force(context.ledger, context.survey, at(hour))
        assert calendar.detectors == [each for each in (1, 2) if each not in out]
        assert {each for each in (1, 2) if calendar.set_aside(each)} == out
