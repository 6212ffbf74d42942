"""A share of few is shown with what so few leave open."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightshift.completeness import Recovered, recovered_by_signal
from reduction.difference.injection import BINS


@given(st.integers(1, 3000), st.data())
def test_an_interval_holds_its_share_and_stays_within_nothing_and_all(injected, data):
    recovered = data.draw(st.integers(0, injected))
    row = Recovered("snr5_6", "5 to 6", injected, recovered)
    low, high = row.interval
    assert 0 <= low <= row.share <= high <= 1
    assert low < high


def test_three_of_three_are_not_certainty_and_more_of_the_same_are_surer():
    few, many = Recovered("", "", 3, 3).interval, Recovered("", "", 300, 300).interval
    assert few[0] < 0.5 < 0.98 < many[0]
    assert Recovered("", "", 20, 10).interval == pytest.approx((0.2993, 0.7007), abs=1e-4)


def test_a_range_without_sources_has_no_share():
    row = Recovered("", "", 0, 0)
    assert row.share is None and row.interval is None


def test_the_ranges_are_those_that_are_put_in():
    counts = {f"{what}_{name}": 1 for name in BINS for what in ("injected", "recovered")}
    assert [row.name for row in recovered_by_signal(counts)] == list(BINS)
