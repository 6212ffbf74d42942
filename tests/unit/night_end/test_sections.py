"""How the report writes its numbers."""

from datetime import UTC, datetime, timedelta

import pytest

from nightshift.night_end.report_sections import _gaps
from nightshift.night_end.report_text import percent, wrapped


@pytest.mark.parametrize(
    ("fraction", "text"),
    [(None, "—"), (0.0, "0 %"), (4e-6, "< 0.01 %"), (1e-4, "0.01 %"), (0.0021, "0.21 %"), (1.0, "100 %")],
)
def test_shares_of_pixels_are_short_and_never_a_row_of_noughts(fraction, text):
    assert percent(fraction) == text


def gap(hour: int, minutes: int):
    begin = datetime(2026, 1, 16, hour, tzinfo=UTC)
    return begin, begin + timedelta(minutes=minutes)


def test_few_gaps_are_listed_and_of_many_the_longest_in_order():
    assert _gaps(()) == "no gap"
    assert _gaps((gap(3, 20), gap(5, 30))) == "gaps: 03:00–03:20, 05:00–05:30"
    many = tuple(gap(hour, 10 + hour) for hour in range(8))
    assert _gaps(many) == (
        "8 gaps, 108.0 min together, the longest 03:00–03:13, 04:00–04:14, 05:00–05:15, 06:00–06:16, 07:00–07:17"
    )


def test_long_sentences_are_broken_between_words():
    lines = wrapped("a few words more " * 20).splitlines()
    assert len(lines) > 2
    assert all(line.startswith("  ") and len(line) <= 110 for line in lines)
