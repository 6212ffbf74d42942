"""The live view of a night, on a terminal and elsewhere."""

import io
from datetime import UTC, date, datetime

from rich.console import Console

from nightshift.pins import pin_night
from nightshift.vocabulary import EventLevel
from rehearsal.play.live_view import Glance, NightView, take_glance

COUNTS = {
    "night_state": "open", "arrived": 12, "registered": 10, "quarantined": 2, "repeated": 0, "masters": 8,
    "reference_images": 4, "differences": 3, "released": 7, "acknowledged": 6, "tracklets": 1, "mail_sent_at": None,
}  # fmt: skip
EVENT = {"event_id": 3, "at": datetime(2026, 1, 1, 3, 4, 5, tzinfo=UTC), "night_time": None, "level": "warning",
         "kind": "quarantined", "subject": "x", "message": "a [file] was quarantined"}  # fmt: skip


def view_of(terminal, glance):
    output = io.StringIO()
    view = NightView(Console(file=output, force_terminal=terminal, width=140, height=40), "Demo survey")
    view.files, view.played, view.consumed = 20, 12, 5
    view.update(glance)
    return view, output


def full_glance():
    return Glance(COUNTS, {"processed": 9, "failed": 1}, {("science", "ended"): 3}, [EVENT])


def test_without_a_terminal_the_night_is_a_line():
    _, output = view_of(False, full_glance())
    warning, line = output.getvalue().splitlines()
    assert warning.endswith("warning: a [file] was quarantined")
    for words in (
        "12/20",
        "10 registered",
        "2 quarantined",
        "processed 9",
        "released 7",
        "acknowledged 6",
        "consumed 5",
    ):
        assert words in line


def test_without_a_terminal_lines_come_now_and_then_and_each_warning_once():
    view, output = view_of(False, full_glance())
    view.update(full_glance())
    assert len(output.getvalue().splitlines()) == 2
    calm = {**EVENT, "event_id": 4, "level": EventLevel.INFO}
    page = {**EVENT, "event_id": 5, "level": EventLevel.PAGE, "message": "the night waits"}
    view.update(Glance(COUNTS, {}, {}, [page, calm, EVENT]))
    (new,) = output.getvalue().splitlines()[2:]
    assert "page: the night waits" in new


def test_the_panel_shows_frames_units_exposures_alerts_and_events():
    view, _ = view_of(True, full_glance())
    output = io.StringIO()
    Console(file=output, width=140).print(view)
    shown = output.getvalue()
    for words in ("12/20", "quarantined", "processed", "science ended", "acknowledged", "a [file] was quarantined"):
        assert words in shown


def test_the_panel_shows_progress_before_the_night_has_a_row():
    view, _ = view_of(True, Glance())
    view.note("postgres is up")
    output = io.StringIO()
    Console(file=output, width=100).print(view)
    assert "postgres is up" in output.getvalue()


def test_nothing_happened_between_equal_glances():
    assert full_glance().progress == full_glance().progress
    assert full_glance().progress != Glance({**COUNTS, "acknowledged": 7}, {}, {}, [EVENT]).progress


def test_a_night_that_nobody_has_seen_is_an_empty_glance(context):
    assert take_glance(context.ledger, "demo", date(2026, 1, 15)).counts == {}


def test_the_glance_counts_what_the_ledger_has(context):
    context.ledger.event(EventLevel.INFO, "test", "something happened")
    pin_night(context.ledger, context.survey, date(2026, 1, 15))
    glance = take_glance(context.ledger, "demo", date(2026, 1, 15))
    assert glance.counts["night_state"] == "open"
    assert glance.counts["arrived"] == 0
    assert glance.events[0]["message"] == "something happened"
