"""The ledger decides what is due."""

import json
from datetime import timedelta

import pytest

from nightshift.ingest.ingest import ingest_all
from nightshift.vocabulary import Reason
from nightshift.workflow import collecting
from nightshift.workflow.arrays import sweep
from nightshift.workflow.due_runs import mark_requested

pytestmark = pytest.mark.integration


def with_policy(context, table, **changes):
    policy = getattr(context.survey, table).model_copy(update=changes)
    survey = context.survey.model_copy(update={table: policy})
    return context.with_survey(survey)


def ids(requests):
    return [request.run_id for request in requests]


# --- calibrations -------------------------------------------------------------------------------------------


def test_a_set_is_due_as_soon_as_its_sequence_is_complete(night):
    for index in range(4):
        night.bring(index, kind="bias", SEQNAME="b", SEQINDEX=index + 1, SEQLEN=5)
    assert night.due() == []
    night.bring(4, detectors=(1,), kind="bias", SEQNAME="b", SEQINDEX=5, SEQLEN=5)
    assert night.due() == []
    night.bring(4, detectors=(2,), kind="bias", SEQNAME="b", SEQINDEX=5, SEQLEN=5)
    assert ids(night.due()) == ["calibrations__democam__20260115__bias__v1"]


def test_a_set_of_unknown_length_is_due_when_it_has_been_quiet(night):
    night.bring(0, 1, 2, kind="bias")
    assert night.due() == []
    night.later(seconds=night.context.survey.calibration.quiet_s)
    assert ids(night.due()) == ["calibrations__democam__20260115__bias__v1"]


def test_darks_wait_for_biases_and_flats_for_both(night):
    night.bring_calibrations()
    assert night.run_due("calibrations") == [
        "calibrations__democam__20260115__bias__v1",
        "calibrations__democam__20260115__dark__v1",
        "calibrations__democam__20260115__flat__g__v1",
    ]
    assert {row["state"] for row in night.rows("exposures")} == {"ended"}
    assert {row["state"] for row in night.rows("calibrations")} == {"in_service"}
    flat = night.runner.units(night.runner.called("master__democam__2026-01-15__flat__g__1__live__s1t1"))[0]
    assert [(i.role, i.key.split("/")[0]) for i in flat.inputs if i.role != "raw"] == [
        ("bias", "bias"),
        ("dark", "dark"),
    ]
    assert night.due() == []


def test_flats_are_sets_by_filter_and_a_single_one_ends_with_its_reason(night):
    night.calibrate()
    night.bring(-30, kind="flat", FILTER="r")
    night.later(seconds=20)
    assert night.run_due("calibrations") == ["calibrations__democam__20260115__flat__r__v1"]
    red = [row for row in night.rows("calibrations") if row["filter"] == "r"]
    assert {(row["state"], row["reason"]) for row in red} == {("rejected", "too_few_frames")}
    lost = [row for row in night.rows("calibration_frames") if row["exposure_id"] == night.frames.exposure_id(-30)]
    assert {row["reason"] for row in lost} == {"too_few_frames"}
    assert night.due() == []


def test_a_frame_that_comes_after_its_master_makes_a_second_version_of_all(night):
    night.calibrate()
    night.bring(-10, kind="bias")
    night.later(seconds=20)
    assert night.run_due("calibrations") == ["calibrations__democam__20260115__bias__v2"]
    second = [row for row in night.rows("calibrations") if row["version"] == 2]
    assert {row["frames"] for row in second} == {3}
    assert night.due() == []


# --- master fallback ---------------------------------------------------------------------------------------------


def test_a_set_that_is_judged_and_not_yet_ended_gets_no_second_masters(night, monkeypatch):
    night.bring(-60, -59, -58, kind="bias", SEQNAME="bias", SEQLEN=3)
    night.later(seconds=20)
    (request,) = night.due("calibrations")
    with monkeypatch.context() as moment:  # between the last quadrant's record and the end of its exposures
        moment.setattr(collecting, "settle", lambda *_: None)
        night.run(request)
    assert {row["state"] for row in night.rows("exposures")} == {"running"}
    assert night.due("calibrations") == []
    sweep(night.context, night.runner)
    assert {row["state"] for row in night.rows("exposures")} == {"ended"}
    assert {row["version"] for row in night.rows("calibrations")} == {1}


def test_a_science_frame_waits_for_its_own_nights_masters_and_no_longer_than_it_must(night):
    night.bring_calibrations()
    night.bring(0)
    assert night.due("exposure") == []
    night.run_due("calibrations")
    assert ids(night.due()) == [f"exposure__democam__{night.frames.exposure_id(0)}"]
    request = night.due()[0]
    unit = night.runner.units(night.start(request))[0]
    assert [i.role for i in unit.inputs] == ["raw", "bias", "dark", "flat", "catalogue"]
    assert unit.parameters["flags"] == []


def test_without_any_master_it_waits_and_then_goes_on_with_a_flag(night):
    night.bring(0)
    assert night.due() == []
    night.later(seconds=night.context.survey.calibration.wait_s)
    night.run_due("exposure")
    assert {tuple(row["flags"]) for row in night.rows("units")} == {(Reason.CALIBRATION_MISSING,)}
    assert set(night.unit_states().values()) == {"processed"}


def test_a_set_that_ended_without_a_master_is_not_waited_for(night):
    night.calibrate()
    night.bring(-30, kind="flat", FILTER="r")
    night.later(seconds=20)
    night.run_due("calibrations")
    night.bring(0, FILTER="r")
    assert len(night.run_due("exposure")) == 1
    assert {tuple(row["flags"]) for row in night.rows("units")} == {(Reason.CALIBRATION_MISSING,)}


def test_last_nights_master_serves_with_a_flag_where_tonight_has_none(night):
    night.calibrate()
    night.bring(24 * 60)
    assert len(night.run_due("exposure")) == 1
    assert {tuple(row["flags"]) for row in night.rows("units")} == {(Reason.CALIBRATION_SUBSTITUTED,)}


def test_a_master_of_before_a_change_of_hardware_does_not_serve_and_is_compared_with_no_new_one(night):
    night.calibrate()
    day = night.rows("calibrations")[0]["night"] + timedelta(days=1)
    night.context = with_policy(night.context, "calibration", epochs=(day,))
    night.bring(24 * 60)
    night.later(seconds=night.context.survey.calibration.wait_s)
    night.run_due("exposure")
    assert {tuple(row["flags"]) for row in night.rows("units")} == {(Reason.CALIBRATION_MISSING,)}
    for index in range(5):
        night.bring(24 * 60 - 60 + index, kind="bias", SEQNAME="bias", SEQINDEX=index + 1, SEQLEN=5)
    night.run_due("calibrations")
    new = [row for row in night.rows("calibrations") if row["night"] == day]
    assert {(row["kind"], row["epoch"], row["state"]) for row in new} == {("bias", 2, "in_service")}
    assert all("/e2/" in row["product_key"] for row in new)
    roles = {item.role for name in night.runner.requests for unit in night.runner.units(name) for item in unit.inputs}
    assert "last_master" not in roles


def test_a_master_that_is_too_old_does_not_serve(night):
    night.calibrate()
    days = night.context.survey.calibration.substitute_days + 1
    night.bring(days * 24 * 60)
    assert night.due("exposure") == []
    night.later(seconds=night.context.survey.calibration.wait_s)
    night.run_due("exposure")
    assert {tuple(row["flags"]) for row in night.rows("units")} == {(Reason.CALIBRATION_MISSING,)}


def test_where_policy_says_hold_a_unit_is_held_and_released_when_the_master_comes(night):
    night.context = with_policy(night.context, "calibration", without_master="hold")
    night.bring(0)
    night.later(seconds=night.context.survey.calibration.wait_s)
    assert len(night.run_due("exposure")) == 1
    assert set(night.unit_states().values()) == {"held"}
    assert [row["state"] for row in night.rows("exposures")] == ["ended"]
    night.calibrate()
    assert ids(night.due()) == [f"exposure__democam__{night.frames.exposure_id(0)}__a2"]
    night.run_due("exposure")
    assert set(night.unit_states().values()) == {"processed"}


# --- exposures ----------------------------------------------------------------------------------------------


def test_an_exposure_waits_for_its_detectors_and_goes_on_without_a_dead_one(night):
    night.calibrate()
    night.bring(0, detectors=(2,))
    assert night.due() == []
    night.later(seconds=night.context.survey.exposure.detectors_wait_s)
    assert len(night.run_due("exposure")) == 1
    assert len(night.unit_states()) == 2
    night.bring(0, detectors=(1,))
    assert ids(night.due()) == [f"exposure__democam__{night.frames.exposure_id(0)}__a2"]
    night.run_due("exposure")
    assert set(night.unit_states().values()) == {"processed"}
    assert len(night.unit_states()) == 4


def test_asking_again_and_marking_again_is_one_run(night):
    night.calibrate()
    night.bring(0)
    request = night.due()[0]
    assert night.due() == [request]
    night.run(request)
    mark_requested(night.context, request)
    assert night.due() == []
    assert {row["state"] for row in night.rows("exposures")} == {"ended"}


def test_a_run_that_vanished_before_it_began_is_asked_for_again_under_another_id(night):
    night.calibrate()
    night.bring(0)
    request = night.due()[0]
    mark_requested(night.context, request)
    assert night.due() == []
    policy = night.context.survey.exposure
    night.later(seconds=2 * (policy.soft_deadline_s + policy.hard_deadline_s))
    assert ids(night.due()) == [f"{request.run_id}__a2"]


def test_a_run_whose_array_is_under_way_is_never_asked_for_twice(night):
    night.calibrate()
    night.bring(0)
    request = night.due()[0]
    night.start(request)
    night.later(days=1)
    assert night.due() == []  # what its array leaves is the sweeper's business


def test_without_a_catalogue_the_first_good_frame_in_shutter_order_goes_first(night):
    night.context.depot.catalogue("field000101.fits").unlink()
    night.calibrate()
    night.bring(3, 1, 2)
    first, second, third = (night.frames.exposure_id(n) for n in (1, 2, 3))
    (request,) = night.due()
    assert request.conf["exposure_id"] == first
    night.run(request, rejects=Reason.TOO_FEW_STARS)
    (request,) = night.due()
    assert request.conf["exposure_id"] == second
    name = night.start(request)
    assert all(unit.parameters["own_catalogue"] and not unit.input("catalogue") for unit in night.runner.units(name))
    assert night.due() == []
    night.runner.finish(name)
    night.collect(request)
    (request,) = night.due()
    assert request.conf["exposure_id"] == third
    unit = night.runner.units(night.start(request))[0]
    assert unit.input("catalogue").key == f"democam/{second}/d01/q1/processed/live/sources"


# --- references and differences -----------------------------------------------------------------------------


def test_a_reference_is_of_the_first_good_frames_and_waits_for_those_before(night):
    night.calibrate()
    night.bring(*range(9))
    requests = night.due("exposure")
    late = requests.pop(2)
    bad = requests.pop(3)
    night.run(bad, rejects=Reason.SEEING_TOO_POOR)
    for request in requests:
        night.run(request)
    assert night.due("references") == []
    night.run(late)
    (request,) = night.due("references")
    assert request.run_id == "references__democam__101__g__v1"
    unit = night.runner.units(night.start(request))[0]
    expected = [night.frames.exposure_id(n) for n in (0, 1, 2, 3, 5, 6)]
    assert [member["unit_key"].split("/")[1] for member in unit.parameters["members"]] == expected


def test_frames_from_before_the_reference_are_differenced_after_it_and_later_ones_at_once(night):
    night.calibrate()
    night.bring(*range(6))
    night.run_due("exposure")
    assert night.run_due("references") == ["references__democam__101__g__v1"]
    assert {(row["state"], row["frames"]) for row in night.rows("reference_images")} == {("in_service", 6)}
    assert [row["position"] for row in night.rows("reference_members", "1, 3")] == [1, 2, 3, 4, 5, 6] * 4
    night.bring(6)
    night.run_due("exposure", candidates=2)
    due = night.due("difference")
    assert ids(due) == [f"difference__democam__{night.frames.exposure_id(n)}__v1" for n in range(6)]
    unit = night.runner.units(night.start(due[0]))[0]
    assert [i.role for i in unit.inputs] == ["calibrated", "sources", "reference", "reference_sources"]
    night.runner.finish(
        night.runner.called(f"difference__democam__{night.frames.exposure_id(0)}__1__live__s1t1"), candidates=1
    )
    night.collect(due[0])
    night.run_due("difference", candidates=1)
    assert {row["state"] for row in night.rows("differences")} == {"processed"}
    assert len(night.rows("differences")) == 28
    assert len(night.rows("candidates")) == 4 * 2 + 24
    assert night.due() == []


# --- nights -------------------------------------------------------------------------------------------------


def test_the_night_ends_with_the_last_part_of_its_manifest(night):
    def part(number):
        path = night.context.inbox / f"manifest_20260115_{number}.json"
        table = {"schema": "nightshift.manifest/1", "site": "demo", "night": "2026-01-15", "part": number, "parts": 2}
        path.write_text(json.dumps({**table, "files": []}))
        ingest_all(night.context, [path])

    part(2)
    assert night.due() == []
    part(1)
    (request,) = night.due()
    assert (request.run_id, request.conf["signal"]) == ("end_of_night__demo__20260115", "manifest")
    mark_requested(night.context, request)
    assert [(row["state"], row["signal"]) for row in night.rows("nights")] == [("closing", "manifest")]
    assert night.due() == []


def test_without_a_manifest_the_night_ends_by_the_clock_once_nothing_comes_any_more(night):
    night.bring(0, kind="bias")
    night.clock.moment = night.rows("nights")[0]["ends"]
    assert night.due() == []
    night.later(seconds=night.context.survey.night.grace_s)
    assert [request.conf["signal"] for request in night.due("end_of_night")] == ["clock"]
