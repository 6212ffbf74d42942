"""Where an alert lost its time: the steps sum to the whole, and none is negative."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightshift.ledger.queries.night_report import SlowAlert, WayOfUnit
from nightshift.night_end.report_parts.latency_part import steps_of_way

CLOSED = datetime(2026, 1, 16, 4, 0, 30, tzinfo=UTC)
UNIT = "democam/1/d01/q1/processed/live"


def after(seconds):
    return None if seconds is None else CLOSED + timedelta(seconds=seconds)


def alert(arrived=10, ended=60, built=None, searched=90, released=95, acknowledged=100):
    return SlowAlert(
        1, "NS26a", UNIT, "democam", "1", CLOSED, after(arrived), after(ended), after(built), after(searched),
        after(released), after(acknowledged),
    )  # fmt: skip


def way(kind, requested, created, ended, seconds):
    return WayOfUnit(UNIT, kind, after(requested), after(created), after(ended), seconds)


def test_the_way_of_an_alert_is_taken_apart_into_what_took_the_time():
    ways = [way("science", 20, 22, 60, 8.0), way("difference", None, 70, 90, 5.0)]
    steps = {step.name: step.seconds for step in steps_of_way(alert(built=65), ways, True)}
    assert steps == {
        "arrival": 10, "wait for a master or its turn": 10, "start of the workflow": 2, "queue": 30,
        "reduction": 8, "wait for its reference": 5, "start of the difference": 5, "queue of the difference": 15,
        "difference": 5, "release": 5, "posting": 5,
    }  # fmt: skip


def test_a_night_that_is_replayed_is_counted_from_the_last_file():
    steps = list(steps_of_way(alert(), [], False))
    assert "arrival" not in {step.name for step in steps}
    assert sum(step.seconds for step in steps) == 90


moments = st.one_of(st.none(), st.integers(-50, 200))


@given(st.integers(-50, 200), st.integers(-50, 200), moments, st.integers(-50, 200), moments, st.booleans())
def test_no_step_is_negative_and_they_sum_to_the_whole_whatever_the_order(
    arrived, ended, built, searched, released, live
):
    one = alert(arrived, ended, built, searched, released, 200)
    ways = [way("science", built, searched, ended, 8.0), way("difference", None, arrived, searched, None)]
    steps = list(steps_of_way(one, ways, live))
    begin = CLOSED if live else one.last_arrival_at
    assert all(step.seconds >= 0 for step in steps)
    assert sum(step.seconds for step in steps) == pytest.approx((one.acknowledged_at - begin).total_seconds())
