"""How old a camera's masters are: by kind and filter, of the oldest quadrant."""

from datetime import timedelta

import pytest
from night_rows import NIGHT

from nightshift.keys import LIVE
from nightshift.ledger.queries import night_end as night_end_queries
from nightshift.masters_ages import MasterFreshness, freshness, masters_ages
from nightshift.settings.report_policy import ReportPolicy
from nightshift.vocabulary import CalibrationKind

pytestmark = pytest.mark.integration

BIAS, DARK, FLAT = CalibrationKind.BIAS, CalibrationKind.DARK, CalibrationKind.FLAT
PLACES = [(1, 1), (1, 2), (2, 1), (2, 2)]


def masters(night, kind, filter="", places=PLACES, **row):
    for detector, quadrant in places:
        night.master(kind, [1], detector=detector, quadrant=quadrant, filter=filter, **row)


@pytest.fixture
def frames(night):
    for detector in (1, 2):
        night.frame(1, detector, image_type="bias")
    return night


def test_each_kind_and_filter_is_there_also_without_a_master(context, frames):
    masters(frames, "bias")
    masters(frames, "flat", "g")
    ages = masters_ages(context, NIGHT, ["g", "r"])
    assert [(age.kind, age.filter) for age in ages] == [(BIAS, ""), (DARK, ""), (FLAT, "g"), (FLAT, "r")]
    assert [age.freshness for age in ages] == [
        MasterFreshness.FRESH, MasterFreshness.MISSING, MasterFreshness.FRESH, MasterFreshness.MISSING,
    ]  # fmt: skip
    assert ages[0].age_days == 0 and ages[0].with_master == ages[0].quadrants == 4


def test_the_age_is_of_the_quadrant_whose_master_is_the_oldest(context, frames):
    masters(frames, "bias")
    (bias, *_) = masters_ages(context, NIGHT + timedelta(days=9))
    assert (bias.age_days, bias.freshness, bias.newest, bias.oldest) == (9, MasterFreshness.AGING, NIGHT, NIGHT)
    frames.query(
        "update calibrations set night = night - 3 where detector = 2 and quadrant = 1 and kind = 'bias' returning 1"
    )
    (bias, *_) = masters_ages(context, NIGHT + timedelta(days=9))
    assert (bias.age_days, bias.newest, bias.oldest) == (12, NIGHT, NIGHT - timedelta(days=3))


def test_one_quadrant_without_a_master_makes_the_kind_red(context, frames):
    masters(frames, "bias", places=PLACES[:3])
    masters(frames, "bias", places=PLACES[3:], state="rejected", reason="too_few_frames")
    (bias, *_) = masters_ages(context, NIGHT)
    assert (bias.freshness, bias.with_master, bias.quadrants) == (MasterFreshness.MISSING, 3, 4)


def test_a_master_that_is_too_old_to_serve_is_named_and_does_not_count(context, frames):
    masters(frames, "bias")
    survey = context.survey
    short = survey.calibration.model_copy(update={"substitute_days": 5})
    strict = context.with_survey(survey.model_copy(update={"calibration": short}))
    (bias, *_) = masters_ages(strict, NIGHT + timedelta(days=9))
    assert (bias.freshness, bias.with_master, bias.oldest) == (MasterFreshness.MISSING, 0, NIGHT)


def test_masters_of_an_earlier_epoch_are_of_no_use(context, frames):
    masters(frames, "bias")
    survey, later = context.survey, NIGHT + timedelta(days=2)
    changed = survey.calibration.model_copy(update={"epochs": (later,)})
    renewed = context.with_survey(survey.model_copy(update={"calibration": changed}))
    (bias, *_) = masters_ages(renewed, later)
    assert (bias.freshness, bias.oldest) == (MasterFreshness.MISSING, None)


def test_green_is_under_a_week_and_red_is_over_two():
    policy = ReportPolicy()
    assert [freshness(policy, days) for days in (0, 6, 7, 14, 15)] == [
        MasterFreshness.FRESH, MasterFreshness.FRESH, MasterFreshness.AGING, MasterFreshness.AGING,
        MasterFreshness.OLD,
    ]  # fmt: skip


def test_a_version_that_another_took_the_place_of_needs_nobody(night):
    """The first was refused for want of frames; more came, and the second serves."""
    night.frame(1, image_type="flat")
    night.master("flat", [1], filter="g", state="rejected", reason="too_few_frames")
    night.master("flat", [1], filter="g", version=2)
    (row,) = night_end_queries.masters(night.context.ledger, instrument="democam", night=NIGHT, campaign=LIVE)
    assert (row.masters, row.in_service, row.reasons, row.first_not_in_service) == (1, 1, [], None)
