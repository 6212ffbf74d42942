"""What a trial says of times, numbers of frames and fields, before a pixel is read."""

from datetime import UTC, datetime, timedelta

import pytest

from nightshift.trial_reduction.frame_counts import check_frame_counts
from nightshift.trial_reduction.remarks import Severity
from nightshift.trial_reduction.sky import check_sky
from nightshift.trial_reduction.times import check_times

MIDNIGHT = datetime(2026, 1, 16, 8, tzinfo=UTC)  # of the demo's site, when the frames begin


def with_site(survey, **changes):
    return survey.model_copy(update={"site": survey.site.model_copy(update=changes)})


def with_policy(survey, **changes):
    return survey.model_copy(update={"calibration": survey.calibration.model_copy(update=changes)})


def said(remarks, severity):
    return [str(remark) for remark in remarks if remark.severity is severity]


def test_times_of_a_night_in_the_dark_are_good(survey, frames):
    assert said(check_times(survey, frames("science", 3)), Severity.ERROR) == []


def test_a_western_longitude_written_as_an_eastern_one_is_an_error(survey, frames):
    turned = with_site(survey, longitude_deg=-survey.site.longitude_deg)
    errors = said(check_times(turned, frames("science", 3)), Severity.ERROR)
    assert any("hours apart" in text and "site.longitude_deg" in text for text in errors)


@pytest.mark.parametrize("zone", ["Asia/Tokyo", "Europe/Berlin"])
def test_a_time_zone_far_from_the_longitude_is_an_error(survey, frames, zone):
    errors = said(check_times(with_site(survey, time_zone=zone), frames("flat", 1)), Severity.ERROR)
    assert len(errors) == 1
    assert zone in errors[0]
    assert "site.toml" in errors[0]


def test_local_times_taken_for_universal_ones_are_an_error(survey, frames):
    errors = said(check_times(survey, frames("science", 4, opened=MIDNIGHT - timedelta(hours=8))), Severity.ERROR)
    assert len(errors) == 1
    assert "4 of 4 science frames were taken with the Sun above" in errors[0]
    assert "camera.header.date" in errors[0]


def test_one_frame_in_twilight_is_a_warning(survey, frames):
    taken = frames("science", 5) + frames("science", 1, opened=MIDNIGHT - timedelta(hours=8))
    assert said(check_times(survey, taken), Severity.ERROR) == []
    assert len(said(check_times(survey, taken), Severity.WARNING)) == 1


def test_too_few_frames_of_a_master_are_named_with_number_and_key(survey, frames):
    least = survey.calibration.at_least_frames
    night = frames("bias", least - 1) + frames("dark", least) + frames("flat", least) + frames("science", 9)
    errors = said(check_frame_counts(survey, night), Severity.ERROR)
    assert len(errors) == 1
    assert f"{least - 1} bias frames in a night, where a master needs {least} (too_few_frames)" in errors[0]
    assert f"calibration.at_least_frames = {least}" in errors[0]


def test_frames_of_two_nights_do_not_add_up_to_a_master(survey, frames):
    least = survey.calibration.at_least_frames
    night = frames("bias", least - 1) + frames("bias", least - 1, opened=MIDNIGHT + timedelta(days=1))
    assert f"{least - 1} bias frames in a night" in said(check_frame_counts(survey, night), Severity.ERROR)[0]


def test_a_filter_without_flats_is_an_error_and_flats_of_an_unused_filter_a_warning(survey, frames):
    least = survey.calibration.at_least_frames
    night = frames("bias", least) + frames("dark", least) + frames("science", 9, filter="r")
    night += frames("flat", least - 1, filter="g")
    remarks = list(check_frame_counts(survey, night))
    assert any("no flat frames in r" in text for text in said(remarks, Severity.ERROR))
    assert any(f"{least - 1} flat frames in g" in text for text in said(remarks, Severity.WARNING))


def test_darks_of_which_no_master_is_made_are_a_warning(survey, frames):
    without = with_policy(survey, kinds=("bias", "flat"))
    warnings = said(check_frame_counts(without, frames("dark", 5)), Severity.WARNING)
    assert any("5 dark frames are there and no master is made of them" in text for text in warnings)


def test_too_few_visits_for_a_reference_are_a_warning(survey, frames):
    least = survey.reference.at_least_frames
    warnings = said(check_frame_counts(survey, frames("science", least - 1)), Severity.WARNING)
    assert any(f"{least - 1} frames of field 101 in g: a reference needs {least}" in text for text in warnings)


def test_frames_of_no_field_are_an_error_where_all_are_and_a_warning_otherwise(survey, frames):
    homeless = frames("science", 2, field=None)
    assert "2 of 2 science frames lie in no field" in said(check_sky(survey, homeless), Severity.ERROR)[0]
    assert "150.1000 +22.2000 deg" in said(check_sky(survey, homeless), Severity.ERROR)[0]
    some = homeless + frames("science", 1, field=102)
    assert any("2 of 3 science frames" in text for text in said(check_sky(survey, some), Severity.WARNING))


def test_a_catalogue_that_is_not_there_is_an_error_with_the_command_that_makes_it(survey, frames):
    fields = tuple(
        f.model_copy(update={"catalogue": "nowhere.parquet"}) if f.id == 101 else f for f in survey.sky.fields
    )
    lost = survey.model_copy(update={"sky": survey.sky.model_copy(update={"fields": fields})})
    errors = said(check_sky(lost, frames("science", 1)), Severity.ERROR)
    assert len(errors) == 1
    assert "catalogue prepare" in errors[0]
