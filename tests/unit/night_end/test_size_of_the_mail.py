"""A mail stays within its size: the largest pictures are left to the page, those that lead last."""

import pytest

from nightshift.night_end.report import fitting
from nightshift.night_end.report_elements import Picture


def picture(name, kilobytes, leads=False):
    return Picture(name, name, name, b"x" * (kilobytes * 1000), 640, leads)


PICTURES = [picture("timeline", 300, leads=True), picture("sky", 200), picture("stamps", 400), picture("growth", 50)]


@pytest.mark.parametrize(
    ("at_most_mb", "kept"),
    [
        (2.0, ["timeline", "sky", "stamps", "growth"]),
        (1.0, ["timeline", "sky", "growth"]),
        (0.6, ["timeline", "growth"]),
        (0.45, ["timeline"]),
        (0.1, []),
    ],
)
def test_what_does_not_fit_is_left_out_largest_first(at_most_mb, kept):
    assert [held.name for held in fitting(PICTURES, 1000, at_most_mb)] == kept


def test_the_words_take_their_room_first():
    assert fitting(PICTURES, 300_000, 2.0) == []
