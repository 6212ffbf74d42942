"""When a disk will be full."""

from datetime import UTC, datetime, timedelta

import pytest

from nightshift.housekeeping.disk_forecast import forecast
from nightshift.housekeeping.disk_watch import DiskState
from nightshift.settings.retention import DiskPolicy
from nightshift.vocabulary import EventLevel

TOTAL = 10**12
FIRST = datetime(2026, 1, 1, tzinfo=UTC)


def days(*free_gb):
    return [(FIRST + timedelta(days=n), int(free * 1e9)) for n, free in enumerate(free_gb)]


def test_a_disk_that_fills_evenly_is_full_when_the_last_free_byte_is_written():
    found = forecast(days(*range(500, 380, -10)), total_bytes=TOTAL)
    assert found.days == pytest.approx(39) and found.bytes_a_day == pytest.approx(10e9)
    assert str(found) == "full in 39 days (39 to 39)"


def test_one_night_that_was_cleared_up_does_not_decide():
    falling = [500, 490, 480, 470, 460, 700, 690, 680, 670, 660]  # 250 GB were deleted in the middle
    found = forecast(days(*falling), total_bytes=TOTAL)
    assert found.bytes_a_day is not None and found.latest is None  # it is not sure that it fills at all
    nights = [500, 490, 480, 300, 290, 280, 270, 260]  # one night of many exposures
    found = forecast(days(*nights), total_bytes=TOTAL)
    assert found.days == pytest.approx(26, rel=0.8) and found.earliest < found.days


def test_unequal_nights_say_how_sure_it_is():
    found = forecast(days(500, 495, 470, 468, 440, 436, 410, 405, 380), total_bytes=TOTAL)
    assert found.earliest < found.days < found.latest


def test_a_disk_that_stays_as_it_is_does_not_fill():
    assert str(forecast(days(*[500] * 8), total_bytes=TOTAL)) == "does not fill"
    assert forecast(days(*range(400, 500, 10)), total_bytes=TOTAL).days is None


@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_few_days_say_nothing(count):
    found = forecast(days(*range(500, 500 - count, -1)), total_bytes=TOTAL)
    assert found.days is None and str(found) == f"known after 4 days; {count} are"


@pytest.mark.parametrize(
    ("free_gb", "a_day_gb", "level"),
    [
        (900, 1, None),
        (900, 100, EventLevel.WARNING),  # nine days
        (900, 450, EventLevel.PAGE),  # two days
        (90, 0, EventLevel.WARNING),
        (20, 0, EventLevel.PAGE),
    ],
)
def test_it_is_said_by_what_is_free_and_by_when_it_is_full(free_gb, a_day_gb, level):
    samples = days(*(free_gb + a_day_gb * n for n in range(8, -1, -1)))
    state = DiskState("depot", "/d", TOTAL, int(free_gb * 1e9), forecast(samples, total_bytes=TOTAL))
    assert state.level(DiskPolicy()) is level
