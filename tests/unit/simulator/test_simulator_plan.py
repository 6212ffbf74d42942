"""The night is planned by the Sun and the fields."""

from datetime import date
from itertools import pairwise

import numpy as np
import pytest

from nightshift.nights import night_of
from nightshift.settings import SettingsError, load_survey
from nightshift.sun import sun_altitude_deg
from nightshift.vocabulary import ImageType
from rehearsal.simulator.ephemeris import airmass, altitude_deg, julian_date
from rehearsal.simulator.night_plan import DEFAULT_NIGHT, plan_night
from rehearsal.simulator.scale import NightScale


@pytest.fixture(scope="module")
def plan():
    return plan_night(load_survey("demo"), NightScale(), seed=1, night=DEFAULT_NIGHT)


def test_the_demonstration_night_is_whole(plan):
    count = {kind: sum(e.image_type == kind for e in plan) for kind in ImageType}
    assert count == {"bias": 8, "dark": 6, "flat": 12, "science": 40, "engineering": 0}
    visits = {(e.field, e.filter): 0 for e in plan if e.field}
    for e in plan:
        if e.field:
            visits[e.field, e.filter] += 1
            assert e.visit == visits[e.field, e.filter]
    assert visits == {(f, b): 10 for f in (101, 102) for b in "gr"}


def test_exposures_do_not_overlap_and_belong_to_the_night(plan):
    site = load_survey("demo").site
    for before, after in pairwise(plan):
        assert (after.shutter_open - before.shutter_open).total_seconds() > before.exposure_s
    assert {night_of(site, e.shutter_open) for e in plan} == {DEFAULT_NIGHT}


def test_each_kind_is_taken_at_its_time_of_the_night(plan):
    survey = load_survey("demo")
    for e in plan:
        sun = sun_altitude_deg(survey.site, e.shutter_open)
        if e.image_type in (ImageType.BIAS, ImageType.DARK):
            assert sun > 0
        elif e.image_type == ImageType.FLAT:
            assert -8 < sun < -2
        else:
            assert sun < -14.5
            field = survey.field(e.field)
            height = altitude_deg(survey.site, julian_date(e.shutter_open), field.ra_deg, field.dec_deg)
            assert airmass(height) < 2.1
            assert e.airmass == pytest.approx(float(airmass(height)), abs=0.01)


def test_fields_that_are_up_together_are_interleaved():
    survey = load_survey("demo")
    near = survey.sky.fields[0].model_copy(update={"id": 103, "ra_deg": 30.0})
    sky = survey.sky.model_copy(update={"fields": (near, survey.sky.fields[1])})
    plan = plan_night(survey.model_copy(update={"sky": sky}), NightScale(visits=4), seed=1, night=DEFAULT_NIGHT)
    fields = [e.field for e in plan if e.field]
    assert sum(a != b for a, b in pairwise(fields)) > 3


def test_a_field_that_is_not_up_is_said_so():
    with pytest.raises(SettingsError, match=r"field 102 .* does not rise .* 2025-03-01"):
        plan_night(load_survey("demo"), NightScale(), seed=1, night=date(2025, 3, 1))


def test_seeing_varies_but_stays_that_of_a_survey(plan):
    seeing = np.array([e.seeing_arcsec for e in plan if e.field])
    assert 1.8 < seeing.min() < seeing.max() < 3.2
    assert seeing.max() - seeing.min() > 0.2
