"""The disks' samples, and what is said of them; the upkeep of tables."""

from datetime import UTC, datetime, timedelta

import pytest

from nightshift.housekeeping import disk_watch as disks
from nightshift.housekeeping.disk_watch import disk_states, note_scratch, sample_disks, watch_disks
from nightshift.housekeeping.table_upkeep import keep_tables

TOTAL = 10**12


@pytest.fixture
def full(monkeypatch):
    """Lets every disk of this machine have so many GB left."""
    left = {"free": 900}
    monkeypatch.setattr(disks, "here", lambda folder: (TOTAL, int(left["free"] * 1e9)))
    return left


def said(nights):
    return [
        (row["level"], row["kind"])
        for row in nights.sql("select level, kind from events where subject = 'depot' order by event_id")
    ]


def test_disks_are_sampled_and_a_missing_one_is_left_out(context, nights):
    assert sample_disks(context) > 0
    names = {row["name"] for row in nights.sql("select name from disk_samples")}
    assert {"inbox", "depot"} <= names and "archive" not in names  # there is none before the first night
    assert sample_disks(context) == 0  # not again within minutes


def test_a_node_says_how_full_its_scratch_is_with_its_jobs(context, nights):
    note_scratch(context, "n1", {"folder": "/tmp", "total_bytes": TOTAL, "free_bytes": TOTAL // 2})
    note_scratch(context, "n1", {"folder": "/tmp", "total_bytes": TOTAL, "free_bytes": TOTAL // 3})
    note_scratch(context, "n2", {})  # could not say
    (row,) = nights.sql("select * from disk_samples")
    assert (row["name"], row["free_bytes"]) == ("scratch/n1", TOTAL // 2)


def test_a_disk_that_fills_up_is_said_once_and_its_end_once(context, nights, clock, full):
    for _ in range(6):
        watch_disks(context)
        full["free"] -= 5
        clock.moment += timedelta(days=1)
    assert said(nights) == []  # full in half a year
    full["free"] = 90
    for _ in range(3):
        watch_disks(context)
        clock.moment += timedelta(hours=1)
    assert said(nights) == [("warning", "disk_fills")]
    full["free"] = 20
    for _ in range(3):
        watch_disks(context)
        clock.moment += timedelta(hours=1)
    assert said(nights)[1:] == [("page", "disk_fills")]
    full["free"] = 105  # hardly better: it would be said again tomorrow
    watch_disks(context)
    assert len(said(nights)) == 2
    full["free"] = 800
    for _ in range(15):
        clock.moment += timedelta(days=1)
        watch_disks(context)
    assert said(nights)[2:] == [("info", "disk_has_room")]


def test_a_disk_that_fills_within_days_is_said_before_it_is_full(context, nights, clock, full):
    for _ in range(8):
        watch_disks(context)
        full["free"] -= 60
        clock.moment += timedelta(days=1)
    assert ("warning", "disk_fills") in said(nights)
    (state,) = [state for state in disk_states(context) if state.name == "depot"]
    assert state.forecast.days == pytest.approx(480 / 60, abs=0.1) and "full in 8 days" in str(state)


def test_samples_do_not_grow_without_end(context, nights, clock, full):
    for _ in range(40):
        for _ in range(4):
            clock.moment += timedelta(hours=6)
            sample_disks(context)
    (row,) = nights.sql("select count(*) as n from disk_samples where name = 'depot'")
    assert row["n"] <= 40 + 2 * 4


def test_a_clock_that_was_set_back_hides_no_disk(context, nights, clock, full):
    sample_disks(context)
    clock.moment -= timedelta(days=300)
    assert sample_disks(context) > 0
    assert [state.name for state in disk_states(context)] != []


def test_the_next_month_is_made_before_its_first_night(context, nights, clock):
    clock.moment = datetime(2026, 1, 30, tzinfo=UTC)
    keep_tables(context)
    assert nights.sql("select to_regclass('products_202603') as t")[0]["t"] is not None
    assert nights.sql("select to_regclass('deletions_202603') as t")[0]["t"] is not None


def test_a_month_that_may_leave_is_named_once_and_stays(context, nights, clock):
    nights(0, 1)
    old = context.survey.retention.model_copy(update={"detach_months_after": 2})
    context = context.with_survey(context.survey.model_copy(update={"retention": old}))
    clock.moment = datetime(2026, 3, 20, tzinfo=UTC)
    assert keep_tables(context).may_leave == ""
    clock.moment = datetime(2026, 5, 20, tzinfo=UTC)
    assert keep_tables(context).may_leave == "2025-12" or keep_tables(context).may_leave == "2026-01"
    keep_tables(context)
    assert len(nights.sql("select 1 from events where kind = 'month_may_leave'")) == 1


def test_a_table_that_grew_is_vacuumed(context, nights):
    nights.sql(
        "insert into disk_samples select 'x', now() - n * interval '1 s', '/', 1, 1 from generate_series(1, 5000) n"
    )
    nights.sql("select pg_stat_force_next_flush()")
    assert "disk_samples" in keep_tables(context).vacuumed
    assert keep_tables(context).vacuumed == ()
