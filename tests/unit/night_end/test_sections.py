"""How the report writes its numbers."""

import pytest

from nightshift.night_end.sections import percent


@pytest.mark.parametrize(
    ("fraction", "text"),
    [(None, "—"), (0.0, "0 %"), (4e-6, "< 0.01 %"), (1e-4, "0.01 %"), (0.0021, "0.21 %"), (1.0, "100 %")],
)
def test_shares_of_pixels_are_short_and_never_a_row_of_noughts(fraction, text):
    assert percent(fraction) == text
