"""Whatever the names, the pattern that is found fits all of them, and the id keeps exposures apart."""

import re
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightshift.new_camera.guesses import Certainty
from nightshift.new_camera.name_patterns import NamedFile, find_name_pattern
from nightshift.settings.exposure_ids import check_template

WORDS = st.text("abcXYZ019", min_size=1, max_size=6)
STEMS = st.lists(WORDS, min_size=1, max_size=5).flatmap(
    lambda words: st.lists(st.sampled_from("._-+"), min_size=len(words), max_size=len(words)).map(
        lambda marks: "".join(w + m for w, m in zip(words, marks, strict=True)).rstrip("._-+")
    )
)
ENDS = st.sampled_from([".fits", ".fit", ".fits.fz", ".fts", ".FITS"])
FIRST = datetime(2026, 1, 16, 3, tzinfo=UTC)


def named(name: str, minute: int = 0, night: date = date(2026, 1, 15)) -> NamedFile:
    return NamedFile(name, FIRST + timedelta(days=(night - date(2026, 1, 15)).days, minutes=minute), night)


@given(st.lists(st.tuples(STEMS, ENDS), min_size=1, max_size=8))
def test_the_pattern_fits_every_name_and_makes_an_id(stems):
    files = [named(stem + end, k) for k, (stem, end) in enumerate(stems)]
    found = find_name_pattern(files)
    check_template(found.exposure_id.value, found.pattern.value)
    for file in files:
        assert re.fullmatch(found.pattern.value, file.name), found.pattern.value


@given(st.lists(st.integers(0, 9999), min_size=2, max_size=20, unique=True), st.integers(0, 9999))
def test_the_pattern_fits_the_numbers_to_come(numbers, later):
    found = find_name_pattern([named(f"img_{n:04}.fits", k) for k, n in enumerate(numbers)])
    assert re.fullmatch(found.pattern.value, f"img_{later:04}.fits")
    assert re.fullmatch(found.pattern.value, f"img_{later:04}.fits.fz")
    assert not re.fullmatch(found.pattern.value, f"img_{later:04}.txt")


@given(st.lists(st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1)), min_size=1, max_size=10, unique=True))
def test_a_name_of_date_and_time_needs_no_night(moments):
    files = [NamedFile(f"M31_g_{m:%Y%m%d_%H%M%S}.fits", m.replace(tzinfo=UTC), m.date()) for m in moments]
    found = find_name_pattern(files)
    assert (found.exposure_id.value, found.exposure_id.certainty) == ("{exposure}", Certainty.SURE)
    assert re.fullmatch(found.pattern.value, "NGC-4565_r_20310101_000000.fits")


def test_a_number_without_a_date_takes_the_night():
    found = find_name_pattern([named("a_0001.fits"), named("a_0002.fits", 1)])
    assert (found.exposure_id.value, found.exposure_id.certainty) == ("{night}_{exposure}", Certainty.LIKELY)


def test_a_number_that_comes_again_takes_the_night_for_sure():
    found = find_name_pattern([named("a_0001.fits"), named("a_0001.fits", night=date(2026, 1, 16))])
    assert (found.exposure_id.value, found.exposure_id.certainty) == ("{night}_{exposure}", Certainty.SURE)


@pytest.mark.parametrize("form", ["img_{0:04}_c{1}.fits", "img_{0:04}_ccd{1:02}_raw.fits"])
def test_detectors_of_one_opening_are_told_apart(form):
    files = [named(form.format(number, detector), number) for number in range(3) for detector in (1, 2)]
    found = find_name_pattern(files)
    assert found.detectors == (1, 2)
    match = re.fullmatch(found.pattern.value, form.format(7, 2))
    assert match is not None and int(match["detector"]) == 2
    ids = {
        found.exposure_id.value.format(night="n", **re.fullmatch(found.pattern.value, f.name).groupdict())
        for f in files
    }
    assert len(ids) == 3


def test_a_channel_that_never_changes_stays_a_part_of_the_name():
    found = find_name_pattern(
        [named(f"2026011603{k:02}_C1_{what}.fits", k) for k, what in enumerate(["FLAT", "ZERO"])]
    )
    assert found.detectors == ()
    assert re.fullmatch(found.pattern.value, "202601160900_C1.fits")
    assert not re.fullmatch(found.pattern.value, "202601160900_C2.fits")
