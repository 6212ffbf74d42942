"""When the end of a live night is due."""

from datetime import UTC, date, datetime, timedelta

import pendulum
import pytest
from airflow.timetables.base import DataInterval, TimeRestriction
from hypothesis import given
from hypothesis import strategies as st

from nightshift.nights import night_of
from nightshift.settings import SettingsError, load_deployment, load_survey
from operators import timetables
from operators.steps import night_of_run
from operators.timetables import (
    AfternoonTimetable,
    AlwaysAgain,
    NightTimetable,
    at_the_end_of_live_nights,
    before_live_nights,
    night_begun_at,
    night_ended_at,
    night_times,
)

SITE = load_survey("ztf").site
ANY_TIME = TimeRestriction(earliest=None, latest=None, catchup=False)
MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC))


@pytest.fixture
def timetable():
    return NightTimetable([SITE], delay_s=3600)


def set_now(monkeypatch, moment):
    class Fixed(datetime):
        @classmethod
        def now(cls, tz=None):
            return moment

    monkeypatch.setattr(timetables, "datetime", Fixed)


def test_it_comes_back_from_its_own_text(timetable):
    again = NightTimetable.deserialize(timetable.serialize())
    assert again.serialize() == timetable.serialize()
    assert "ztf" in again.summary or SITE.name in again.summary


def test_every_night_has_one_run_an_hour_after_its_sunrise(monkeypatch, timetable):
    set_now(monkeypatch, datetime(2026, 3, 1, tzinfo=UTC))
    last, nights = None, []
    for _ in range(20):
        info = timetable.next_dagrun_info(last_automated_data_interval=last, restriction=ANY_TIME)
        assert info.run_after == info.data_interval.end + timedelta(hours=1)
        last = info.data_interval
        nights.append(night_of(SITE, last.end))
    assert nights == [nights[0] + timedelta(days=i) for i in range(20)]


def test_a_run_that_is_some_hours_late_still_happens_and_one_of_yesterday_does_not(monkeypatch, timetable):
    _, ends = night_times(SITE, datetime(2026, 3, 1).date())
    due = ends + timedelta(hours=1)
    for late, kept in ((timedelta(seconds=1), True), (timedelta(hours=5), True), (timedelta(hours=7), False)):
        set_now(monkeypatch, due + late)
        info = timetable.next_dagrun_info(last_automated_data_interval=None, restriction=ANY_TIME)
        assert (info.run_after == due) is kept


@given(moment=MOMENTS)
def test_a_run_by_hand_gets_the_night_that_ended_last(moment):
    timetable = NightTimetable([SITE])
    interval = timetable.infer_manual_data_interval(run_after=moment)
    assert interval.end <= moment < interval.end + timedelta(hours=36)
    assert interval.start < interval.end


@given(moment=MOMENTS)
def test_the_night_of_a_run_is_read_from_the_end_of_its_interval(moment):
    night = night_of(SITE, moment)
    begins, ends = night_times(SITE, night)
    assert night_of(SITE, ends) == night_of(SITE, begins) == night
    assert isinstance(DataInterval(begins, ends), DataInterval)


def test_only_a_live_survey_ends_its_nights_by_the_clock(monkeypatch):
    monkeypatch.setenv("NIGHTSHIFT_SURVEY", "demo")
    monkeypatch.delenv("NIGHTSHIFT_CLOCK", raising=False)
    assert at_the_end_of_live_nights() is not None
    monkeypatch.setenv("NIGHTSHIFT_CLOCK", "2026-01-01T00:00:00+00:00=2019-03-26T20:00:00+00:00*10.0")
    assert at_the_end_of_live_nights() is None


def test_the_watch_follows_itself_without_a_gap():
    last = DataInterval(pendulum.now(UTC).subtract(minutes=5), pendulum.now(UTC).subtract(minutes=1))
    info = AlwaysAgain().next_dagrun_info(last_automated_data_interval=last, restriction=ANY_TIME)
    assert info.data_interval.start == last.end
    assert info.run_after <= pendulum.now(UTC)


def test_the_watch_comes_again_as_often_as_need_be_after_the_clock_was_set_back():
    started = TimeRestriction(earliest=pendulum.datetime(2019, 1, 1), latest=None, catchup=False)
    last = DataInterval(pendulum.now(UTC).add(minutes=50), pendulum.now(UTC).add(minutes=60))
    moments = set()
    for _ in range(3):
        info = AlwaysAgain().next_dagrun_info(last_automated_data_interval=last, restriction=started)
        assert info.run_after <= pendulum.now(UTC)
        moments.add(info.logical_date)
    assert len(moments) == 3  # no two runs have the same


def test_every_site_has_its_own_run_an_hour_after_its_own_sunrise(monkeypatch):
    sites = load_deployment("network").sites
    timetable = NightTimetable.deserialize(NightTimetable(sites, delay_s=3600).serialize())
    set_now(monkeypatch, datetime(2025, 11, 20, 22, tzinfo=UTC))
    last, found = None, []
    for _ in range(6):
        info = timetable.next_dagrun_info(last_automated_data_interval=last, restriction=ANY_TIME)
        assert info.run_after == info.data_interval.end + timedelta(hours=1)
        last = info.data_interval
        found.append(night_ended_at(sites, last.end))
    evenings = [date(2025, 11, day) for day in (20, 20, 21, 21, 22, 22)]
    assert found == list(zip(["north", "south"] * 3, evenings, strict=True))


def test_a_run_is_for_the_site_that_it_names_or_whose_night_ended(monkeypatch):
    monkeypatch.setenv("NIGHTSHIFT_SURVEY", "network")
    south = load_deployment("network").sites[-1]
    _, ended = night_times(south, date(2025, 11, 20))
    assert night_of_run("", "", ended.isoformat()) == "south/2025-11-20"
    assert night_of_run("north", "2025-11-20", "") == "north/2025-11-20"
    with pytest.raises(SettingsError, match=r"sites north, south: say which"):
        night_of_run("", "2025-11-20", "")
    monkeypatch.setenv("NIGHTSHIFT_SURVEY", "demo")
    assert night_of_run("", "2025-11-20", "") == "demo/2025-11-20"


# --- the afternoon ------------------------------------------------------------------------------------------


SITES = [survey.site for survey in load_deployment("network").surveys[:3]]


@pytest.fixture
def afternoons():
    return AfternoonTimetable([SITE], hours_before_sunset={SITE.name: 3.0})


def runs_of(timetable, count):
    last, found = None, []
    for _ in range(count):
        info = timetable.next_dagrun_info(last_automated_data_interval=last, restriction=ANY_TIME)
        last = info.data_interval
        found.append(info)
    return found


def test_every_night_is_checked_once_some_hours_before_its_sunset(monkeypatch, afternoons):
    set_now(monkeypatch, datetime(2026, 3, 1, tzinfo=UTC))
    runs = runs_of(afternoons, 20)  # the clocks are set forward among them
    nights = [night_begun_at([SITE], run.data_interval.end)[1] for run in runs]
    assert nights == [nights[0] + timedelta(days=i) for i in range(20)]
    assert all(run.data_interval.end - run.run_after == timedelta(hours=3) for run in runs)


def test_an_afternoon_is_checked_late_until_sunset_and_not_after_it(monkeypatch, afternoons):
    sunset, _ = night_times(SITE, date(2026, 3, 1))
    for before, kept in ((timedelta(hours=2), True), (timedelta(seconds=1), True), (timedelta(seconds=-1), False)):
        set_now(monkeypatch, sunset - before)
        (run,) = runs_of(afternoons, 1)
        assert (run.run_after == sunset - timedelta(hours=3)) is kept


def test_a_check_of_the_afternoon_comes_back_from_its_own_text_and_checks_every_site(monkeypatch):
    hours = {site.name: 2.0 for site in SITES}
    sites = list({site.name: site for site in SITES}.values())
    timetable = AfternoonTimetable.deserialize(AfternoonTimetable(sites, hours_before_sunset=hours).serialize())
    set_now(monkeypatch, datetime(2026, 3, 1, tzinfo=UTC))
    checked = [night_begun_at(sites, run.data_interval.end) for run in runs_of(timetable, 8)]
    assert len(set(checked)) == 8
    assert {name for name, _ in checked} == {site.name for site in sites}


@given(MOMENTS)
def test_the_next_afternoon_is_always_ahead_of_its_sunset(moment):
    timetable = AfternoonTimetable([SITE], hours_before_sunset={SITE.name: 12.0})
    with pytest.MonkeyPatch.context() as patch:
        set_now(patch, moment)
        (run,) = runs_of(timetable, 1)
    assert run.data_interval.end >= moment
    assert run.data_interval.start > moment - timedelta(days=1)
    assert night_of(SITE, run.data_interval.start) == night_of(SITE, run.data_interval.end)


def test_only_a_live_survey_is_checked_by_the_sun(monkeypatch):
    monkeypatch.setenv("NIGHTSHIFT_SURVEY", "network")
    monkeypatch.delenv("NIGHTSHIFT_LEDGER", raising=False)
    monkeypatch.delenv("NIGHTSHIFT_CLOCK", raising=False)
    assert {site.name for site in before_live_nights().sites} == {"north", "south"}
    monkeypatch.setenv("NIGHTSHIFT_CLOCK", "2026-01-01T00:00:00+00:00=2025-11-20T20:00:00+00:00*28.8")
    assert before_live_nights() is None
