"""The observing night: every moment belongs to exactly one."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightshift.nights import night_bounds, night_of
from nightshift.settings import load_survey

SITES = [load_survey(name).site for name in ("demo", "lowell42", "ztf")]


@pytest.mark.parametrize("site", SITES, ids=lambda site: site.name)
@given(moment=st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC)))
def test_every_moment_lies_in_its_night_and_nights_meet(site, moment):
    night = night_of(site, moment)
    begins, ends = night_bounds(site, night)
    assert begins <= moment < ends
    assert ends == night_bounds(site, night + timedelta(days=1))[0]


def test_the_hours_after_midnight_belong_to_the_evening_before():
    site = SITES[1]
    assert night_of(site, datetime(2019, 3, 26, 1, 4, tzinfo=UTC)) == date(2019, 3, 25)
    assert night_of(site, datetime(2019, 3, 26, 8, 7, tzinfo=UTC)) == date(2019, 3, 25)
    assert night_of(site, datetime(2019, 3, 26, 19, 0, tzinfo=UTC)) == date(2019, 3, 26)
