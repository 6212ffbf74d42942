"""A night's maps are made from its images, and those of all nights are the sum, whatever is mapped again and when."""

import math
from datetime import date

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sky_nights import SkyNights, square_deg

import nightshift.coverage.after_night as after_night_module
from nightshift.archive.night_archive import archive, not_archived, verify
from nightshift.coverage.after_night import make_after_night
from nightshift.coverage.coverage_report import TITLES, coverage_of_report
from nightshift.coverage.depth_map import DepthMap
from nightshift.coverage.make_maps import map_night
from nightshift.coverage.map_files import map_of_fits
from nightshift.coverage.map_keys import MapKey
from nightshift.coverage.stored_maps import read_map, stored_maps
from nightshift.errors import NeedsOperator
from nightshift.files import sha256_of

pytestmark = pytest.mark.integration


@pytest.fixture
def sky(context):
    return SkyNights(context)


def maps_of(context) -> dict[MapKey, DepthMap]:
    return {key: read_map(context, row) for key, row in stored_maps(context).items()}


def the_map(context, night: date | None, *, filter: str = "g", relative: bool = False) -> DepthMap:
    found = [
        each for key, each in maps_of(context).items()
        if (key.night, key.filter, key.relative) == (night, filter, relative)
    ]  # fmt: skip
    (only,) = found
    return only


def test_a_place_seen_twice_is_counted_twice_and_as_deep_as_both_together(context, sky):
    night = sky.night(0)
    sky.image(night, square_deg(10, 5), 20.0)
    sky.image(night, square_deg(10.25, 5), 20.5)
    mapped = map_night(context, night)
    assert mapped.images == 2
    seen = the_map(context, night)
    twice = seen.exposures == 2
    assert seen.area_deg2 == pytest.approx(0.75 * 0.5, rel=0.02)
    assert np.count_nonzero(twice) == pytest.approx(len(seen.pixels) / 3, rel=0.05)
    assert seen.depth[twice] == pytest.approx(1.25 * math.log10(10**16 + 10**16.4), abs=1e-5)
    assert the_map(context, None).same_as(seen)


def test_filters_and_frames_without_a_catalogue_have_maps_of_their_own(context, sky):
    night = sky.night(0)
    for filter, flags in (("g", ()), ("r", ()), ("g", ("own_catalogue",))):
        sky.image(night, square_deg(10, 5), 20.0, filter=filter, flags=flags)
    map_night(context, night)
    assert {(k.filter, k.relative, k.night) for k in maps_of(context)} == {
        (filter, relative, when)
        for filter, relative in (("g", False), ("r", False), ("g", True))
        for when in (night, None)
    }
    assert set(the_map(context, night).exposures) == {1}


def test_what_was_not_processed_or_lies_nowhere_known_is_not_counted(context, sky):
    night = sky.night(0)
    sky.image(night, square_deg(10, 5), 20.0)
    sky.image(night, square_deg(10, 5), 20.0, state="rejected")
    sky.image(night, None, 20.0)
    sky.image(night, square_deg(10, 5), None)
    map_night(context, night)
    seen = the_map(context, night)
    assert set(seen.exposures) == {2} and seen.depth == pytest.approx(20.0, abs=1e-5)  # one without a depth


def test_quadrants_of_one_exposure_are_one_exposure(context, sky):
    night = sky.night(0)
    for detector in (1, 2):
        sky.image(night, square_deg(10 + 0.1 * detector, 5), 20.0, exposure="one", detector=detector)
    map_night(context, night)
    assert set(the_map(context, night).exposures) == {1}


def test_coverage_grows_over_three_nights(context, sky):
    areas = []
    for day in range(3):
        night = sky.night(day)
        sky.image(night, square_deg(10 + 0.3 * day, 5), 20.0)
        map_night(context, night)
        areas.append(the_map(context, None).area_deg2)
    assert areas == pytest.approx([0.25, 0.4, 0.55], rel=0.03)
    assert the_map(context, None).exposures.max() == 2


def test_a_night_that_is_mapped_again_takes_the_place_of_what_it_gave_before(context, sky):
    first, second = sky.night(0), sky.night(1)
    sky.image(first, square_deg(10, 5), 20.0)
    bad = sky.image(first, square_deg(20, 5), 20.0)
    sky.image(second, square_deg(10, 5), 20.0)
    for night in (first, second):
        map_night(context, night)
    sky.reject(bad)
    map_night(context, first)
    total = the_map(context, None)
    assert total.area_deg2 == pytest.approx(0.25, rel=0.03) and set(total.exposures) == {2}


def test_a_night_that_lost_all_its_images_has_an_empty_map(context, sky):
    night = sky.night(0)
    only = sky.image(night, square_deg(10, 5), 20.0)
    map_night(context, night)
    sky.reject(only)
    map_night(context, night)
    assert not len(the_map(context, night).pixels) and not len(the_map(context, None).pixels)


def test_mapping_again_writes_nothing_and_changes_no_byte(context, sky):
    night = sky.night(0)
    sky.image(night, square_deg(0, 5), 20.0)
    map_night(context, night)
    rows = sky.query("select * from products order by product_key")
    files = {path: path.stat().st_mtime_ns for path in context.depot.root.rglob("coverage*")}
    assert map_night(context, night).changed == 0
    assert sky.query("select * from products order by product_key") == rows
    assert {path: path.stat().st_mtime_ns for path in context.depot.root.rglob("coverage*")} == files


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4)), min_size=2, max_size=10))
def test_the_map_of_all_nights_is_the_sum_whatever_is_reopened_and_in_whatever_order(context, steps):
    """Each step brings an image to a night (four of them are rejected again) and maps the night."""
    sky = SkyNights(context)
    sky._number = int(sky.query("select count(*) as n from exposures")[0]["n"])
    for day, place in steps:
        night = sky.night(day)
        key = sky.image(night, square_deg(359.5 + 0.2 * place, 5, side=0.3), 19.0 + place / 3)
        map_night(context, night)
        if place == 4:
            sky.reject(key)
    for day in {day for day, _ in steps}:
        map_night(context, sky.night(day))
    stored = maps_of(context)
    total = next(each for key, each in stored.items() if key.night is None)
    nights = [each for key, each in stored.items() if key.night]
    assert total.same_as(DepthMap.empty(total.order).plus(*nights))
    assert total.exposures.sum() == sum(each.exposures.sum() for each in nights) > 0


def test_the_sum_made_anew_has_the_same_bytes_as_the_one_that_grew(context, sky):
    nights = [sky.night(day) for day in range(3)]
    for night in nights:
        sky.image(night, square_deg(10 + 0.01 * night.day, 5), 20.0 + night.day / 30)
        map_night(context, night)
    row = next(row for key, row in stored_maps(context).items() if key.night is None)
    path = context.depot.absolute(row.path)
    grown = path.read_bytes()
    path.write_bytes(b"spoiled")
    with context.ledger.connection.cursor() as cursor:
        cursor.execute("delete from product_inputs where product_key = %s", (f"{row.unit_key}/coverage_map",))
        cursor.execute("delete from products where product_key = %s", (f"{row.unit_key}/coverage_map",))
    map_night(context, nights[0])
    assert path.read_bytes() == grown
    assert sorted(map_of_fits(grown)[1]) == nights


def test_a_night_mapped_while_an_earlier_mapping_was_cut_short_is_right_all_the_same(context, sky, monkeypatch):
    first, second = sky.night(0), sky.night(1)
    for night in (first, second):
        sky.image(night, square_deg(10, 5), 20.0)
    map_night(context, first)
    map_night(context, second)
    sky.image(first, square_deg(30, 5), 20.0)
    with monkeypatch.context() as patch:
        patch.setattr("nightshift.coverage.make_maps._sum_up", lambda *_: 1 / 0)  # killed between the two
        with pytest.raises(ZeroDivisionError):
            map_night(context, first)
    sky.image(second, square_deg(40, 5), 20.0)
    map_night(context, second)
    assert the_map(context, None).area_deg2 == pytest.approx(0.75, rel=0.03)


def test_a_lost_map_of_an_earlier_night_is_named_and_can_be_made_again(context, sky):
    first, second = sky.night(0), sky.night(1)
    for night in (first, second):
        sky.image(night, square_deg(10, 5), 20.0)
    map_night(context, first)
    stored = stored_maps(context)
    for row in stored.values():
        context.depot.absolute(row.path).unlink()
    with pytest.raises(NeedsOperator, match="nightshift coverage --again --night 20260115"):
        map_night(context, second)
    map_night(context, first)
    map_night(context, second)
    assert set(the_map(context, None).exposures) == {2}


def test_the_night_is_archived_with_its_maps_and_keeps_them_when_later_nights_come(context, sky):
    first, second = sky.night(0), sky.night(1)
    for night in (first, second):
        sky.image(night, square_deg(10, 5), 20.0)
        map_night(context, night)
        archive(context, night)
        assert verify(context, night).good
    kinds = sky.query(
        "select night, count(*) as n from archive_files where kind like 'product/coverage%%' group by night"
    )
    assert {row["night"]: row["n"] for row in kinds} == {first: 6, second: 6}
    assert verify(context, first).good and not not_archived(context, first)


def test_every_map_is_a_product_that_says_from_what_it_was_made(context, sky):
    nights = [sky.night(day) for day in range(2)]
    for night in nights:
        sky.image(night, square_deg(10, 5), 20.0)
        map_night(context, night)
    products = sky.query("select * from products")
    assert {row["kind"] for row in products} == {"coverage_map", "coverage_moc", "coverage_moc_json"}
    for row in products:
        assert sha256_of(context.depot.absolute(row["path"])) == row["sha256"]
        assert row["job_key"] == f"coverage/{context.site.name}/{row['night']:%Y%m%d}/live"
    inputs = sky.query("select role, count(*) as n from product_inputs group by role order by role")
    assert [(row["role"], row["n"]) for row in inputs] == [("coverage", 8), ("measurements", 2)]


def test_a_failure_is_said_once_and_its_end_too_and_the_night_goes_on(context, sky, monkeypatch):
    night = sky.night(0)
    sky.image(night, square_deg(10, 5), 20.0)
    with monkeypatch.context() as patch:
        patch.setattr(after_night_module, "map_night", lambda *_: 1 / 0)
        for _ in range(2):
            assert str(make_after_night(context, night)).startswith("maps not made: ZeroDivisionError")
    make_after_night(context, night)
    make_after_night(context, night)
    said = sky.query("select level, kind, subject from events where kind like 'coverage%%' order by event_id")
    assert [(row["level"], row["kind"]) for row in said] == [("error", "coverage_failed"), ("info", "coverage_made")]


def test_without_maps_the_candidates_are_written_all_the_same(context, sky, monkeypatch):
    night = sky.night(0)
    monkeypatch.setattr(after_night_module, "map_night", lambda *_: 1 / 0)
    assert str(make_after_night(context, night)).endswith("; 0 candidates")


def test_the_report_says_what_the_night_added(context, sky):
    for day, places in enumerate(((10,), (10, 20))):
        night = sky.night(day)
        for place in places:
            sky.image(night, square_deg(place, 5), 20.0)
        map_night(context, night)
    told = coverage_of_report(context, sky.night(1))
    (row,) = told.rows
    assert row[:4] == ("democam", "g", row[2], "1 / 1") and len(row) == len(TITLES)
    tonight, new, of_all = (float(row[k].removesuffix(" deg²")) for k in (2, 5, 6))
    assert (tonight, new, of_all) == pytest.approx((0.5, 0.25, 0.5), rel=0.03)
    assert [picture.name for picture in told.pictures] == ["coverage_night_democam", "coverage_all_democam"]
    assert "all nights, democam, g" in told.pictures[1].description
    assert coverage_of_report(context, sky.night(2)).rows == ()
