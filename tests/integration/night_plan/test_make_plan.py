"""The plan of a night: measured where there were nights before, a guess that says so where there were none."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from nightshift.ingest.ingest import ingest_all
from nightshift.night_plan.make_plan import make_plan
from nightshift.night_plan.plan_picture import draw_plan
from nightshift.night_plan.plan_tables import plan_sections
from nightshift.observing_calendar import add_entry
from nightshift.observing_calendar.entries import NewEntry
from nightshift.settings import load_deployment
from nightshift.vocabulary import CalendarKind

pytestmark = pytest.mark.integration

NIGHT = date(2026, 1, 15)
NEXT = date(2026, 1, 16)


@pytest.fixture
def a_night_before(context, frames):
    """Four biases and six exposures a minute apart at local midnight, both detectors."""
    paths = [frames(n, detector, kind="bias") for n in range(4) for detector in (1, 2)]
    paths += [frames(n, detector) for n in range(10, 16) for detector in (1, 2)]
    ingest_all(context, paths)
    return sum(path.stat().st_size for path in paths if path.exists())


def words(plan):
    return " ".join(
        " ".join((section.title, section.note, *(cell for row in section.rows for cell in row)))
        for section in plan_sections(plan)
    )


def test_the_first_night_is_a_guess_and_says_from_what(context):
    plan = make_plan(context, NIGHT)
    (camera,) = plan.cameras
    assert camera.planned.is_guess and plan.room.is_guess and all(cost.is_guess for cost in plan.costs)
    assert 500 < len(camera.planned.exposures) < 900  # one a minute while it is dark
    assert "plan.first_cadence_s" in words(plan) and "a guess: at most profiles.science.time_s" in words(plan)
    assert camera.units == 4 * len(camera.planned.exposures)


def test_the_second_night_goes_by_the_cadence_fields_and_bytes_of_the_first(context, a_night_before):
    plan = make_plan(context, NEXT)
    (camera,) = plan.cameras
    assert not camera.planned.is_guess
    assert {(exposure.field, exposure.filter) for exposure in camera.planned.exposures} == {(101, "g")}
    gaps = {(b.opens - a.opens) for a, b in zip(camera.planned.exposures, camera.planned.exposures[1:], strict=False)}
    assert gaps == {timedelta(minutes=1)}
    assert all(plan.dark[0] <= exposure.opens < plan.dark[1] for exposure in camera.planned.exposures)
    bias = next(step for step in plan.steps if step.what == "bias frames of democam")
    assert bias.begins == datetime(2026, 1, 17, 8, tzinfo=UTC)
    assert bias.note.startswith("about 4")


def test_the_same_plan_has_a_picture_tables_and_json(context, a_night_before):
    plan = make_plan(context, NEXT)
    picture = draw_plan(context, plan)
    assert picture.png == draw_plan(context, plan).png
    assert json.loads(json.dumps(plan.to_json(), default=str))["cameras"][0]["instrument"] == "democam"
    assert "lack a reference" in words(plan)


def test_a_schedule_is_followed(context, tmp_path):
    file = tmp_path / "tonight.csv"
    file.write_text(
        "time,field,filter,exposure_time\n" + "".join(f"2026-01-16T0{hour}:00:00,101,r,30\n" for hour in range(3, 10))
    )
    plan = make_plan(context, NIGHT, file)
    (camera,) = plan.cameras
    assert [exposure.opens.hour for exposure in camera.planned.exposures] == list(range(3, 10))
    assert camera.planned.told_by == "the schedule tonight.csv"
    (reference,) = camera.references
    assert reference.what == "made after 08:00 UTC, the frames before are differenced then"  # the sixth of them
    assert "none tonight" not in words(plan)


def test_downtime_leaves_exposures_out_and_engineering_time_and_dead_detectors_units(context, tmp_path):
    file = tmp_path / "tonight.csv"
    file.write_text(
        "time,field,filter,exposure_time\n" + "".join(f"2026-01-16T0{hour}:00:00,101,r,30\n" for hour in range(3, 10))
    )
    at = {hour: datetime(2026, 1, 16, hour, tzinfo=UTC) for hour in range(10)}
    for kind, begins, ends, detector in (
        (CalendarKind.DOWNTIME, at[3], at[5], None),
        (CalendarKind.ENGINEERING, at[5], at[6], None),
        (CalendarKind.OUT_OF_SERVICE, at[8], None, 2),
    ):
        add_entry(context, NewEntry(kind, begins, ends, "a test", detector=detector), operator="mira")
    (camera,) = make_plan(context, NIGHT, file).cameras
    assert [exposure.opens.hour for exposure in camera.planned.exposures] == [5, 6, 7, 8, 9]
    assert camera.engineering == 1
    assert camera.units == 2 * 4 + 2 * 2  # two exposures of both detectors, two of one
    assert camera.detectors == (1,)  # at the middle of the night, 08:00 UTC
    assert {age.quadrants for age in camera.masters} == {2}  # and no master is missed of the other one
    plan = make_plan(context, NIGHT, file)
    assert "engineering time" in words(plan) and "downtime" in words(plan)
    assert draw_plan(context, plan).png


def test_where_it_never_gets_dark_nothing_is_planned(context):
    survey = context.survey
    north = survey.site.model_copy(update={"latitude_deg": 78.0, "longitude_deg": 15.0, "time_zone": "UTC"})
    there = context.with_survey(survey.model_copy(update={"site": north}))
    plan = make_plan(there, date(2026, 6, 21))
    assert (plan.dark, plan.sunset, plan.exposures) == (None, None, [])
    assert "does not get dark" in draw_plan(there, plan).description


def test_each_site_of_several_has_its_own_plan_by_its_own_sun_and_cameras(context):
    everywhere = replace(context, deployment=load_deployment("network"))
    plans = {own.site.name: make_plan(own, NIGHT) for own in everywhere.sites()}
    assert [camera.instrument for camera in plans["north"].cameras] == ["north_single", "north_wide"]
    assert [camera.instrument for camera in plans["south"].cameras] == ["south_wide"]
    assert plans["north"].sunset < plans["south"].sunset
    assert draw_plan(everywhere.of_site("north"), plans["north"]).png
    assert "north_single" in words(plans["north"])
