"""When the shutter opened is found by any clock."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from astropy.time import Time
from hypothesis import given
from hypothesis import strategies as st

from nightshift.new_camera.guesses import Certainty
from nightshift.new_camera.raw_files import RawFile
from nightshift.new_camera.shutter_times import find_shutter_times

MOMENTS = st.lists(st.datetimes(datetime(1985, 1, 1), datetime(2090, 1, 1)), min_size=2, max_size=6, unique=True)


def files(*headers: dict) -> list[RawFile]:
    return [RawFile(Path(f"{k}.fits"), {"EXPTIME": 20.0, **header}, ()) for k, header in enumerate(headers)]


def julian(moment: datetime) -> float:
    return float(Time(moment).jd)


@given(MOMENTS, st.sampled_from([-10.0, -3.0, 0.0, 5.5, 8.0, 13.0]), st.sampled_from([0.0, 0.5, 1.0]))
def test_the_clock_is_found_by_a_julian_date_of_start_middle_or_end(moments, offset_h, share):
    frames = files(
        *(
            {
                "DATE": f"{moment + timedelta(hours=offset_h):%Y-%m-%dT%H:%M:%S.%f}",
                "JD": julian(moment + timedelta(seconds=20 * share)),
            }
            for moment in moments
        )
    )
    found = find_shutter_times(frames)
    assert found.keys.utc_offset_h == offset_h
    for k, moment in enumerate(moments):
        assert abs(found.moments[k] - moment.replace(tzinfo=UTC)) < timedelta(seconds=0.1)


@given(MOMENTS)
def test_a_date_and_a_time_apart_are_put_together(moments):
    found = find_shutter_times(files(*({"DATE-OBS": f"{m:%Y-%m-%d}", "UT": f"{m:%H:%M:%S}"} for m in moments)))
    assert (found.keys.date, found.keys.time) == (("DATE-OBS",), ("UT",))
    assert [found.moments[k].replace(tzinfo=None) for k in range(len(moments))] == [
        m.replace(microsecond=0) for m in moments
    ]


def test_a_julian_date_alone_will_do():
    found = find_shutter_times(files({"JD": 2459686.5, "MJD": 0.0}, {"JD": 2459686.6, "MJD": 0.0}))
    assert found.keys.date == ("JD",)
    assert found.moments[0] == datetime(2022, 4, 17, tzinfo=UTC)


def test_two_dates_that_do_not_agree_are_said():
    moment = datetime(2026, 1, 16, 3)
    found = find_shutter_times(
        files(*({"DATE-OBS": f"{moment:%Y-%m-%dT%H:%M:%S}", "JD": julian(moment) + 0.004},) * 2)
    )
    date = next(guess for guess in found.guesses if guess.key == "date")
    assert date.certainty is Certainty.UNSURE and "differ by 346 s" in date.says


@pytest.mark.parametrize("value", ["1970-01-01T00:00:00", "30/05/25", "yesterday", "2026-02-31T00:00:00"])
def test_what_cannot_be_the_time_is_asked(value):
    found = find_shutter_times(files({"DATE-OBS": value}, {"DATE-OBS": value}))
    date = next(guess for guess in found.guesses if guess.key == "date")
    assert date.certainty is Certainty.ASKED and value in date.says
