"""The calendar's file says which detector, which time and when, or is refused with what is wrong."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightshift.settings import SettingsError, load_deployment
from nightshift.settings.calendar_table import check_span, load_calendar, moment_at_site
from nightshift.vocabulary import CalendarKind

LOS_ANGELES, SANTIAGO = ZoneInfo("America/Los_Angeles"), ZoneInfo("America/Santiago")
HEAD = '[[calendar]]\nkind = "out_of_service"\nreason = "cold finger"\n'
MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1))


@pytest.fixture
def calendar_of(tmp_path, monkeypatch):
    """Reads a calendar of the demo survey, or of another one, from text."""

    def read(text, survey="demo"):
        monkeypatch.delenv("NIGHTSHIFT_CONFIG", raising=False)
        deployment = load_deployment(survey)
        (tmp_path / survey).mkdir(exist_ok=True)
        (tmp_path / survey / "calendar.toml").write_text(text)
        monkeypatch.setenv("NIGHTSHIFT_CONFIG", str(tmp_path))
        return load_calendar(deployment)

    return read


def test_a_survey_without_the_file_has_no_entries():
    assert load_calendar(load_deployment("demo")) == ()


def test_a_time_without_offset_is_the_sites_and_the_only_camera_needs_no_name(calendar_of):
    (entry,) = calendar_of(f"{HEAD}detector = 2\nbegins = 2026-01-10T12:00:00\nends = 2026-07-01T19:00:00Z\n")
    assert (entry.kind, entry.site, entry.instrument, entry.detector) == (
        CalendarKind.OUT_OF_SERVICE, "demo", "democam", 2,
    )  # fmt: skip
    assert entry.begins == datetime(2026, 1, 10, 20, tzinfo=UTC)
    assert entry.ends == datetime(2026, 7, 1, 19, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("detector = 3\nbegins = 2026-01-10T12:00:00\n", "democam has no detector 3; there are 1, 2"),
        ("begins = 2026-01-10T12:00:00\nends = 2026-01-10T12:00:00\n", "not after its beginning"),
        ("begins = 2026-01-10T12:00:00\nends = 2026-01-09T12:00:00\n", "not after its beginning"),
        ("begins = 2026-03-08T02:30:00\n", "does not exist in America/Los_Angeles"),
        ("begins = 2026-11-01T01:30:00\n", "comes twice in America/Los_Angeles"),
        ('begins = 2026-01-10T12:00:00\ninstrument = "other"\n', "no instrument 'other'"),
        ('begins = 2026-01-10T12:00:00\nsite = "other"\n', "democam stands at demo, not at other"),
        ("begins = 2026-01-10T12:00:00\ndetektor = 1\n", "calendar.0.detektor: Extra inputs"),
        ("begins = soon\n", "does not read as TOML"),
        (f"begins = 2026-01-10T12:00:00\n{HEAD}begins = 2026-01-10T20:00:00Z\n", "leave one of the two out"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_file(calendar_of, text, told):
    with pytest.raises(SettingsError, match=told) as caught:
        calendar_of(HEAD + text)
    assert "calendar.toml" in str(caught.value)


def test_engineering_time_is_not_of_one_detector(calendar_of):
    with pytest.raises(SettingsError, match="detector is for kind"):
        calendar_of('[[calendar]]\nkind = "engineering"\nreason = "x"\ndetector = 1\nbegins = 2026-01-10T12:00:00\n')


def test_of_several_sites_and_cameras_one_must_be_named(calendar_of):
    downtime = '[[calendar]]\nkind = "downtime"\nreason = "mirror"\nbegins = 2026-01-10T12:00:00\n'
    with pytest.raises(SettingsError, match="north, south: say which one is meant"):
        calendar_of(downtime, "network")
    (entry,) = calendar_of(f'{downtime}site = "south"\n', "network")
    assert (entry.site, entry.instrument) == ("south", None)
    with pytest.raises(SettingsError, match="say which one is meant"):
        calendar_of(f"{HEAD}begins = 2026-01-10T12:00:00\n", "network")


@given(MOMENTS, st.sampled_from([LOS_ANGELES, SANTIAGO, ZoneInfo("America/Phoenix"), ZoneInfo("Asia/Tokyo")]))
def test_a_sites_time_is_one_moment_or_refused(moment, zone):
    shown = [
        at for at in (moment.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
        if at.astimezone(zone).replace(tzinfo=None) == moment
    ]  # fmt: skip
    if len(set(shown)) == 1:
        assert moment_at_site(moment, zone) == shown[0]
    else:
        with pytest.raises(ValueError, match="does not exist" if not shown else "comes twice"):
            moment_at_site(moment, zone)


@given(st.integers(-90, 90), st.sampled_from([datetime(2026, 3, 8), datetime(2026, 11, 1)]))
def test_about_a_change_of_the_clocks_every_minute_is_one_moment_or_refused(minutes, day):
    moment = day + timedelta(hours=2, minutes=minutes)
    try:
        found = moment_at_site(moment, LOS_ANGELES)
    except ValueError:
        assert day + timedelta(hours=1) <= moment < day + timedelta(hours=3)
    else:
        assert found.astimezone(LOS_ANGELES).replace(tzinfo=None) == moment


@given(MOMENTS, MOMENTS)
def test_a_span_ends_after_it_begins_or_is_refused(begins, ends):
    begins, ends = begins.replace(tzinfo=UTC), ends.replace(tzinfo=UTC)
    if begins < ends:
        check_span(begins, ends)
    else:
        with pytest.raises(ValueError, match="not after its beginning"):
            check_span(begins, ends)
