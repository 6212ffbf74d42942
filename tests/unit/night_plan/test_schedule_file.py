"""A schedule's file is read as it is meant, or refused with its line."""

from datetime import UTC, date, datetime

import pytest
from astropy.table import Table

from nightshift.errors import BadInput
from nightshift.night_plan.schedule import read_schedule
from nightshift.settings import load_survey

NIGHT = date(2026, 1, 15)
DEMO = load_survey("demo")
HEAD = "time,field,filter,exposure_time\n"


@pytest.fixture
def schedule(tmp_path):
    def write(text, name="tonight.csv"):
        path = tmp_path / name
        path.write_text(text)
        return read_schedule(path, DEMO, NIGHT)

    return write


def test_lines_of_the_night_are_taken_in_order_of_time_and_times_are_utc(schedule):
    first, second = schedule(
        HEAD + "2026-01-16T09:00:00,102,demo-r,60\n2026-01-15T23:00:00-08:00,101,g,30\n2026-01-20T09:00:00,101,g,30\n"
    )
    assert (first.opens, first.field, first.filter, first.exposure_s) == (
        datetime(2026, 1, 16, 7, tzinfo=UTC), 101, "g", 30.0,
    )  # fmt: skip
    assert (second.opens, second.filter, second.instrument) == (datetime(2026, 1, 16, 9, tzinfo=UTC), "r", "democam")


def test_a_table_that_astropy_wrote_is_read_and_other_cameras_are_left_out(tmp_path):
    path = tmp_path / "tonight.ecsv"
    Table(
        {
            "time": ["2026-01-16T09:00:00", "2026-01-16T09:01:00"], "field": [101, 102], "filter": ["g", "g"],
            "exposure_time": [30.0, 30.0], "instrument": ["democam", "another"],
        }
    ).write(path, format="ascii.ecsv")  # fmt: skip
    assert [exposure.field for exposure in read_schedule(path, DEMO, NIGHT)] == [101]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("soon,101,g,30", "line 2: Invalid isoformat"),
        ("2026-01-16T09:00:00,999,g,30", "line 2: demo has no field 999"),
        ("2026-01-16T09:00:00,101,u,30", "line 2: 'u' is no filter of demo; there are g, r"),
        ("2026-01-16T09:00:00,101,g,0", "line 2: the exposure time is 0 s"),
        ("2026-01-16T09:00:00,101,g", "line 2: it has no exposure_time"),
        ("2026-01-16T09:00:00,leo,g,30", "line 2: invalid literal"),
    ],
)
def test_a_line_that_cannot_be_meant_is_refused_with_its_number(schedule, line, told):
    with pytest.raises(BadInput, match=told):
        schedule(f"{HEAD}{line}\n")


def test_a_file_that_is_not_there_or_empty_is_refused(schedule, tmp_path):
    with pytest.raises(BadInput, match="has no lines"):
        schedule("# nothing\n")
    with pytest.raises(BadInput, match="does not read"):
        read_schedule(tmp_path / "missing.csv", DEMO, NIGHT)
