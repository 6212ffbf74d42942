"""The live view of a night, on a terminal and elsewhere."""

import io
from dataclasses import replace
from datetime import UTC, date, datetime

from rich.console import Console

from nightshift.ledger.queries.stack import LatestEvent, NightCounts
from nightshift.pins import pin_night
from nightshift.vocabulary import EventLevel, ExposureState, ImageType, NightState, UnitState
from rehearsal.play.live_view import Glance, NightView, take_glance, together

COUNTS = NightCounts(
    night_state=NightState.OPEN, arrived=12, registered=10, quarantined=2, repeated=0, masters=8, reference_images=4,
    differences=3, candidates=9, released=7, acknowledged=6, tracklets=1, mail_sent_at=None,
)  # fmt: skip
EVENT = LatestEvent(
    event_id=3, at=datetime(2026, 1, 1, 3, 4, 5, tzinfo=UTC), night_time=None, level=EventLevel.WARNING,
    kind="quarantined", subject="x", message="a [file] was quarantined",
)  # fmt: skip


def view_of(terminal, glance):
    output = io.StringIO()
    view = NightView(Console(file=output, force_terminal=terminal, width=140, height=40), "Demo survey")
    view.files, view.played, view.consumed = 20, 12, 5
    view.update(glance)
    return view, output


def full_glance():
    return Glance(
        COUNTS, {UnitState.PROCESSED: 9, UnitState.FAILED: 1}, {(ImageType.SCIENCE, ExposureState.ENDED): 3}, [EVENT]
    )


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
    calm = replace(EVENT, event_id=4, level=EventLevel.INFO)
    page = replace(EVENT, event_id=5, level=EventLevel.PAGE, message="the night waits")
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
    full = full_glance()
    assert full.progress == full_glance().progress
    assert full.progress != Glance(replace(COUNTS, acknowledged=7), full.units, full.exposures, full.events).progress


def test_a_night_that_nobody_has_seen_is_an_empty_glance(context):
    glance = take_glance(context.ledger, "demo", date(2026, 1, 15))
    assert (glance.counts, glance.state, glance.numbers.arrived) == (None, "", 0)


def test_the_glance_counts_what_the_ledger_has(context):
    context.ledger.event(EventLevel.INFO, "test", "something happened")
    pin_night(context.ledger, context.survey, date(2026, 1, 15))
    glance = take_glance(context.ledger, "demo", date(2026, 1, 15))
    assert glance.counts is not None
    assert (glance.state, glance.counts.arrived) == (NightState.OPEN, 0)
    assert glance.events[0].message == "something happened"


def test_a_night_of_two_sites_is_the_sum_and_stands_where_the_site_farthest_from_its_end_does():
    sent = datetime(2026, 1, 16, 18, tzinfo=UTC)
    closed = replace(full_glance(), counts=replace(COUNTS, night_state=NightState.CLOSED, mail_sent_at=sent))
    both = together([closed, closed])
    assert (both.state, both.numbers.mail_sent_at, both.numbers.arrived) == (NightState.CLOSED, sent, 24)
    assert both.units == {UnitState.PROCESSED: 18, UnitState.FAILED: 2}
    unseen = together([closed, Glance()])
    assert (unseen.state, unseen.numbers.mail_sent_at, unseen.numbers.arrived) == (NightState.OPEN, None, 12)
