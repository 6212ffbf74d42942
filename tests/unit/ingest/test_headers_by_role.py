"""Header roles: many spellings in, one meaning out, and nothing that cannot be true."""

import math
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from nightshift.errors import BadInput
from nightshift.ingest.header import merged, read_header
from nightshift.settings.models import HeaderKeys
from nightshift.vocabulary import ImageType, Reason

KEYS = HeaderKeys(date=("OBSMJD", "DATE-OBS"), time=("UTCSTART",), ra=("RA", "TELRA"), sequence_index=("SEQ",))
GOOD = {"EXPTIME": 30.0, "DATE-OBS": "2019-03-26T02:27:31.13", "RA": 124.6, "DEC": 25.3, "AIRMASS": 1.1}
MOMENT = datetime(2019, 3, 26, 2, 27, 31, 130000, UTC)


def read(image_type=ImageType.SCIENCE, **changes):
    header = {key: value for key, value in {**GOOD, **changes}.items() if value is not None}
    return read_header(header, KEYS, image_type)


def refusal(image_type=ImageType.SCIENCE, **changes):
    with pytest.raises(BadInput) as caught:
        read(image_type, **changes)
    return caught.value.reason, str(caught.value)


@pytest.mark.parametrize(
    ("ra", "dec", "degrees"),
    [
        ("08:18:29.9", "+25:19:59", (124.624583, 25.333056)),
        ("08 18 29.9", "-00 30 00", (124.624583, -0.5)),
        ("124.6185920672", "25.3", (124.6185920672, 25.3)),
        (" 359.9 ", -90, (359.9, -90.0)),
        (360.0, 0, (0.0, 0.0)),
        ("1.2D2", 0, (120.0, 0.0)),
        ("8h18m29.9s", "-00d30m00s", (124.624583, -0.5)),
    ],
)
def test_positions_are_read_in_every_spelling(ra, dec, degrees):
    header = read(RA=ra, DEC=dec)
    assert (header.ra_deg, header.dec_deg) == pytest.approx(degrees, abs=1e-6)


@pytest.mark.parametrize(
    "changes",
    [
        {"DATE-OBS": "2019-03-26", "UTCSTART": "02:27:31.13"},
        {"DATE-OBS": "2019-03-26 02:27:31.13"},
        {"DATE-OBS": "2019-03-26T02:27:31.13Z"},
        {"DATE-OBS": "2019-03-25T19:27:31.13-07:00"},
        {"DATE-OBS": None, "OBSMJD": 58568.10244363426},
        {"DATE-OBS": None, "OBSMJD": "58568.10244363426"},
        {"DATE-OBS": None, "OBSMJD": 2458568.60244363426},
    ],
)
def test_times_are_read_in_every_spelling(changes):
    assert abs(read(**changes).shutter_open - MOMENT) < timedelta(milliseconds=30)


def test_an_old_date_is_of_its_century_and_a_leap_second_is_a_time():
    assert read(**{"DATE-OBS": "31/12/98", "UTCSTART": "23:59:60.5"}).shutter_open == datetime(
        1999, 1, 1, 0, 0, 0, 500000, UTC
    )


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("EXPTIME", -1), ("EXPTIME", "soon"), ("EXPTIME", True), ("EXPTIME", 1e9), ("EXPTIME", "inf"), ("RA", 400),
        ("RA", "25:00:00"), ("RA", "12:60:00"), ("DEC", "-91:00:00"), ("DEC", 90.1), ("AIRMASS", 0.2),
        ("AIRMASS", "nan"), ("DATE-OBS", "2019-02-30T00:00:00"), ("DATE-OBS", "2019-03-26T25:00:00"),
        ("DATE-OBS", "1066-10-14T09:00:00"), ("DATE-OBS", "yesterday"), ("OBSMJD", -5), ("OBSMJD", "9e99"),
    ],
)  # fmt: skip
def test_what_cannot_be_true_is_refused_with_keyword_and_value(keyword, value):
    reason, message = refusal(**{keyword: value})
    assert reason is Reason.HEADER_IMPOSSIBLE
    assert message.startswith(f"{keyword} = {value!r}")


@pytest.mark.parametrize("lacking", ["EXPTIME", "DATE-OBS"])
def test_what_is_missing_is_named(lacking):
    reason, message = refusal(**{lacking: None})
    assert reason is Reason.HEADER_INCOMPLETE
    assert lacking in message


def test_a_date_without_a_time_is_incomplete():
    reason, message = refusal(**{"DATE-OBS": "2019-03-26"})
    assert reason is Reason.HEADER_INCOMPLETE
    assert "UTCSTART" in message


def test_what_a_flat_is_not_reduced_by_is_dropped_where_it_cannot_be_true():
    header = read(ImageType.FLAT, RA=400, AIRMASS="?", SEQ=-3)
    assert (header.ra_deg, header.dec_deg, header.airmass, header.sequence_index) == (None, None, None, None)


def test_the_first_spelling_that_is_there_counts_and_an_empty_one_is_not_there():
    assert read(RA="  ", TELRA=10.0).ra_deg == 10.0
    assert read(RA=20.0, TELRA=10.0).ra_deg == 20.0


def test_headers_merge_with_the_primary_first_and_without_structure():
    whole = merged(
        ({"NAXIS": 0, "OBJECT": "a", "T": math.inf, "U": None}, {"OBJECT": "b", "FILTER": "g", "ZNAXIS1": 5})
    )
    assert whole == {"OBJECT": "a", "T": "inf", "FILTER": "g"}


VALUES = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=30))


@given(
    st.dictionaries(st.sampled_from(["EXPTIME", "DATE-OBS", "OBSMJD", "UTCSTART", "RA", "DEC", "AIRMASS"]), VALUES)
)
def test_any_header_is_read_within_bounds_or_refused(changes):
    try:
        header = read(**changes)
    except BadInput:
        return
    assert 0 <= header.exposure_s <= 86400
    assert header.shutter_open.tzinfo is not None
    assert header.ra_deg is None or 0 <= header.ra_deg < 360
    assert header.dec_deg is None or -90 <= header.dec_deg <= 90
    assert header.airmass is None or header.airmass >= 1


@given(st.integers(0, 23), st.integers(0, 59), st.integers(0, 59), st.sampled_from([":", " "]))
def test_a_sexagesimal_right_ascension_is_fifteen_times_its_hours(hours, minutes, seconds, mark):
    text = mark.join((f"{hours:02d}", f"{minutes:02d}", f"{seconds:02d}"))
    assert read(RA=text).ra_deg == pytest.approx(15 * (hours + minutes / 60 + seconds / 3600), abs=1e-9)


@given(st.datetimes(datetime(1980, 1, 2), datetime(2100, 1, 1)))
def test_a_moment_written_in_iso_is_read_back(moment):
    assume(moment.year < 2100)
    assert read(**{"DATE-OBS": moment.isoformat(timespec="microseconds")}).shutter_open == moment.replace(tzinfo=UTC)


@given(st.floats(-14, 14), st.booleans())
def test_dates_by_a_local_clock_become_utc(offset_h, apart):
    clock = timedelta(hours=offset_h)
    local = MOMENT.replace(tzinfo=None) + clock
    keys = KEYS.model_copy(update={"utc_offset_h": offset_h})
    day, time = f"{local:%Y-%m-%d}", f"{local:%H:%M:%S.%f}"
    header = {**GOOD, "DATE-OBS": day, "UTCSTART": time} if apart else {**GOOD, "DATE-OBS": f"{day}T{time}"}
    read_as = read_header(header, keys, ImageType.SCIENCE).shutter_open
    assert abs(read_as - MOMENT) < timedelta(milliseconds=1)


@pytest.mark.parametrize("value", ["2019-03-26T02:27:31.13Z", "2019-03-25T23:27:31.13-03:00", 58568.10244363426])
def test_a_date_that_says_its_own_zone_and_a_julian_date_know_no_local_clock(value):
    keys = HeaderKeys(date=("DATE-OBS",), utc_offset_h=-3.0)
    shutter_open = read_header({**GOOD, "DATE-OBS": value}, keys, ImageType.SCIENCE).shutter_open
    assert abs(shutter_open - MOMENT) < timedelta(milliseconds=1)
