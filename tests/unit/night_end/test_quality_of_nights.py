"""A night's measurement against those of the nights before: bars, what is usual, and what stands out."""

import pytest

from nightshift.night_end.report_quality import standing
from nightshift.night_end.report_text import sparkline


def test_bars_run_from_the_least_to_the_most_and_a_night_without_a_value_is_a_dot():
    assert sparkline([1.0, None, 2.0, 8.0]) == "▁·▂█"
    assert sparkline([-5.0, -5.0]) == "▄▄"
    assert sparkline([None, None]) == "··"


@pytest.mark.parametrize(
    ("before", "tonight", "usual", "verdict"),
    [
        ([], 2.0, None, ""),
        ([None, None], 2.0, None, ""),
        ([1.0, 2.0, 3.0, 4.0], 9.0, 2.5, ""),  # too few to call anything unusual
        ([1.0, 2.0, 3.0, 4.0, 5.0], 9.0, 3.0, "highest"),
        ([1.0, 2.0, 3.0, 4.0, 5.0], 0.5, 3.0, "lowest"),
        ([1.0, None, 3.0, 4.0, 5.0, 6.0], 5.0, 4.0, ""),
        ([1.0, 2.0, 3.0, 4.0, 5.0], None, 3.0, ""),
    ],
)
def test_tonight_is_set_against_what_is_usual(before, tonight, usual, verdict):
    found = standing(before, tonight)
    assert (found.usual, found.verdict) == (usual, verdict)


def test_tonight_is_the_last_bar():
    assert standing([1.0, 2.0], 3.0).line == "▁▅█"
    assert standing([], 3.0).line == "" == standing([1.0, 2.0], None).line
