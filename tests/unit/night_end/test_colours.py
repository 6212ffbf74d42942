"""Whoever reads the report by day, in the dark or with weak eyes can read its words: contrasts are computed."""

import pytest

from nightshift.night_end.report import BANDS
from nightshift.night_end.report_colours import DARK, FILTER_COLOURS, LIGHT, PICTURE, SPARE_COLOURS

WORDS = ("ink", "faint", "good", "warn", "bad", "link")
FOR_WORDS, FOR_MARKS = 4.5, 3.0  # WCAG 2.2, AA: contrast of text, and of graphics


def luminance(colour: str) -> float:
    """Return the relative luminance of ``#rrggbb``."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    bright, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("palette", [LIGHT, DARK, PICTURE], ids=["light", "dark", "picture"])
@pytest.mark.parametrize("word", WORDS)
def test_words_stand_out_on_their_ground(palette, word):
    assert contrast(getattr(palette, word), palette.ground) >= FOR_WORDS


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
def test_a_command_stands_out_on_its_own_ground(palette):
    assert contrast(palette.ink, palette.code) >= FOR_WORDS


@pytest.mark.parametrize("band", BANDS)
def test_white_words_stand_out_on_the_band_of_the_verdict(band):
    assert contrast("#ffffff", band) >= FOR_WORDS


@pytest.mark.parametrize("colour", [*FILTER_COLOURS.values(), *SPARE_COLOURS])
def test_marks_stand_out_in_pictures(colour):
    assert contrast(colour, PICTURE.ground) >= FOR_MARKS


def test_a_contrast_that_is_too_weak_would_be_found():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#999999", "#ffffff") < FOR_MARKS
