"""What was reduced without a master because the machine was slow is reduced again with it before the night closes."""

from datetime import date

import pytest

from nightshift.alerts.release_order import release_all_in_order
from nightshift.kinds.science import record as science_record
from nightshift.ledger.queries import stack as stack_queries
from nightshift.night_end.accounts import account
from nightshift.night_end.close import begin_closing, fail_stragglers, may_close
from nightshift.vocabulary import JobState, Reason
from nightshift.workflow.overrides import dispose, read_disposal

pytestmark = pytest.mark.integration

NIGHT = date(2026, 1, 15)


@pytest.fixture
def hurried(night):
    """A night whose first exposure was reduced before anything of its calibrations was seen."""
    night.bring(0)
    night.later(seconds=night.context.survey.calibration.wait_s)
    night.run_due("exposure")
    assert flags(night) == {(Reason.CALIBRATION_MISSING,)}
    return night


def flags(night):
    return {tuple(row["flags"]) for row in night.rows("units")}


def roles(night):
    """Return of the masters that each calibrated image was made with."""
    return {
        tuple(sorted(i["role"] for i in night.rows("product_inputs") if i["product_key"] == row["product_key"]
                     and i["role"] in ("bias", "dark", "flat")))
        for row in night.rows("products") if row["kind"] == "calibrated"
    }  # fmt: skip


def test_it_is_due_once_all_masters_serve_as_a_new_attempt_of_the_same_unit(hurried):
    before = {row["product_key"]: row["path"] for row in hurried.rows("products")}
    hurried.bring_calibrations()
    assert hurried.due("exposure") == []  # not before they serve
    hurried.run_due("calibrations")
    (again,) = hurried.due("exposure")
    begin_closing(hurried.context, NIGHT)
    assert not may_close(hurried.context, NIGHT)[0]
    hurried.run(again)
    assert flags(hurried) == {()}
    assert roles(hurried) == {("bias", "dark", "flat")}
    attempts = [row for row in hurried.rows("attempts") if row["job_key"].startswith("science/")]
    assert sorted(row["attempt"] for row in attempts) == [1, 1, 1, 1, 2, 2, 2, 2]
    made = {
        row["product_key"]: row["path"]
        for row in hurried.rows("products")
        if row["kind"] in ("calibrated", "sources")
    }
    assert made == before
    assert {row["attempt"] for row in hurried.rows("products") if row["product_key"] in before} == {2}
    assert hurried.rows("reduced_without_master") == []
    assert hurried.due() == []
    assert account(hurried.context, NIGHT).units.closes


def test_it_is_not_reduced_again_for_a_master_that_it_had_or_a_second_version(hurried):
    hurried.calibrate()
    hurried.run_due("exposure")
    hurried.bring(-10, kind="bias")
    hurried.later(seconds=20)
    assert hurried.run_due("calibrations") == ["calibrations__democam__20260115__bias__v2"]
    assert hurried.due("exposure") == []


def test_one_that_lacks_a_kind_for_good_is_reduced_again_for_each_that_comes_and_no_more(hurried):
    for index in range(2):
        hurried.bring(-60 + index, kind="bias", SEQNAME="bias", SEQINDEX=index + 1, SEQLEN=2)
    hurried.run_due("calibrations")
    hurried.later(seconds=hurried.context.survey.calibration.wait_s)
    assert len(hurried.run_due("exposure")) == 1
    assert (roles(hurried), flags(hurried)) == ({("bias",)}, {(Reason.CALIBRATION_MISSING,)})
    assert hurried.due() == []
    assert {row["kind"] for row in hurried.rows("reduced_without_master")} == {"dark", "flat"}


def test_a_rejected_one_without_products_is_reduced_again_and_no_more_than_that(night):
    night.bring(0)
    night.later(seconds=night.context.survey.calibration.wait_s)
    night.run_due("exposure", rejects=Reason.TOO_FEW_STARS)
    night.calibrate()
    assert len(night.run_due("exposure", rejects=Reason.TOO_FEW_STARS)) == 1
    assert set(night.unit_states().values()) == {"rejected"}
    assert night.due() == []


def test_a_master_that_comes_while_it_is_being_reduced_is_not_missed(night):
    night.bring(0)
    night.later(seconds=night.context.survey.calibration.wait_s)
    (request,) = night.due("exposure")
    name = night.start(request)
    night.calibrate()
    night.runner.finish(name)
    night.runner.says(name, JobState.DONE)
    night.collect(request)
    night.context.ledger.connection.cursor().execute("update runs set ended_at = now() where ended_at is null")
    assert len(night.run_due("exposure")) == 1
    assert roles(night) == {("bias", "dark", "flat")}


@pytest.mark.parametrize("how", ["it fails", "the night ends"])
def test_one_that_cannot_be_reduced_again_stands_as_it_was(hurried, how):
    hurried.calibrate()
    (again,) = hurried.due("exposure")
    if how == "it fails":
        hurried.run(again, fails=Reason.INTERNAL_ERROR)
    else:
        hurried.start(again)
        begin_closing(hurried.context, NIGHT)
        assert fail_stragglers(hurried.context, NIGHT) == 0
    assert set(hurried.unit_states().values()) == {"processed"}
    assert flags(hurried) == {(Reason.CALIBRATION_MISSING,)}
    assert roles(hurried) == {()}
    assert account(hurried.context, NIGHT).units.closes


def test_the_night_that_is_played_waits_for_no_reference_of_frames_that_lack_a_master(hurried):
    """It played no more files, so that the master never came."""
    of_night = {"instrument": "democam", "site": "demo", "night": NIGHT, "at_least": 1}
    assert not stack_queries.reference_awaited(hurried.context.ledger, **of_night)
    hurried.calibrate()
    hurried.run_due("exposure")
    assert stack_queries.reference_awaited(hurried.context.ledger, **of_night)


def test_a_person_who_rejected_it_is_heard(hurried):
    (unit, *others) = sorted(hurried.unit_states())
    asked = read_disposal({"frame": unit, "verdict": "reject", "explanation": "a plane"})
    dispose(hurried.context, asked, operator="mira")
    hurried.calibrate()
    hurried.run_due("exposure")
    assert hurried.unit_states()[unit] == "rejected"
    assert {tuple(r["flags"]) for r in hurried.rows("units") if r["unit_key"] in others} == {()}


def test_a_closed_night_keeps_nothing_that_waits(hurried):
    assert len(hurried.rows("reduced_without_master")) == 12
    with hurried.context.ledger.connection.cursor() as cursor:
        cursor.execute("update nights set state = 'closing', closing_since = now()")
        cursor.execute("update nights set state = 'closed', closed_at = now()")
    assert hurried.rows("reduced_without_master") == []


def differenced_without_masters(night, candidates):
    """Let a field be reduced, get its reference and be differenced before anything of the calibrations was seen."""
    at_least = night.context.survey.reference.at_least_frames
    night.bring(*range(at_least))
    night.later(seconds=night.context.survey.calibration.wait_s)
    night.run_due("exposure")
    begin_closing(night.context, NIGHT)
    night.run_due("references")
    night.run_due("difference", candidates=candidates)
    release_all_in_order(night.context, at_once=True)
    return at_least * 4


PUBLISHED = ("candid", "object_id", "unit_key", "state", "packet_path", "packet_offset", "packet_sha256")


def published(night):
    return sorted(tuple(row[name] for name in PUBLISHED) for row in night.rows("alerts"))


def test_what_was_published_stays_and_nothing_is_sent_twice(night):
    units = differenced_without_masters(night, candidates=1)
    before, candidates, messages = published(night), night.rows("candidates"), night.rows("outbox")
    assert len(before) == units
    with night.context.ledger.connection.cursor() as cursor:
        cursor.execute("update alerts set state = 'sent'")
        cursor.execute(
            "update outbox set state = 'acknowledged', acknowledged_at = now(), "
            "broker_partition = 0, broker_offset = 1"
        )
    sent, messages = published(night), night.rows("outbox")
    differences = {row["product_key"]: row["sha256"] for row in night.rows("products") if row["kind"] == "difference"}
    night.calibrate()
    night.run_due("exposure", candidates=3)
    assert flags(night) == {()}
    assert night.run_due("difference", candidates=3) == []
    release_all_in_order(night.context, at_once=True)
    assert (published(night), night.rows("candidates"), night.rows("outbox")) == (sent, candidates, messages)
    assert {r["product_key"]: r["sha256"] for r in night.rows("products") if r["kind"] == "difference"} == differences
    books = account(night.context, NIGHT)
    assert books.units.closes and books.arrivals.closes


def test_a_difference_of_which_nothing_was_published_is_made_again_and_its_alerts_are_the_first(night):
    units = differenced_without_masters(night, candidates=0)
    assert len(night.rows("differences")) == units
    night.calibrate()
    assert night.rows("differences") == []
    night.run_due("exposure", candidates=2)
    release_all_in_order(night.context, at_once=True)
    assert len(night.rows("differences")) == units
    assert len(night.rows("alerts")) == len(night.rows("candidates")) == 2 * units
    assert account(night.context, NIGHT).units.closes


def test_alerts_that_a_flood_withheld_are_replaced_by_those_of_the_flattened_frame(night):
    most = night.context.survey.alerts.at_most_per_unit
    units = differenced_without_masters(night, candidates=most + 1)
    assert {row["state"] for row in night.rows("alerts")} == {"withheld"}
    night.calibrate()
    night.run_due("exposure", candidates=1)
    release_all_in_order(night.context, at_once=True)
    assert [row["state"] for row in night.rows("alerts")] == ["released"] * units
    assert [row["state"] for row in night.rows("outbox")] == ["queued"] * units


def test_one_that_fails_again_after_its_difference_was_taken_back_is_differenced_as_it_was(night):
    units = differenced_without_masters(night, candidates=0)
    night.calibrate()
    night.run_due("exposure", fails=Reason.INTERNAL_ERROR)
    assert night.rows("differences") == []
    night.run_due("difference", candidates=1)
    release_all_in_order(night.context, at_once=True)
    assert len(night.rows("alerts")) == units


def begun_difference(night):
    """Let a field be reduced without masters and get its reference; return the array that differences one frame."""
    at_least = night.context.survey.reference.at_least_frames
    night.bring(*range(at_least))
    night.later(seconds=night.context.survey.calibration.wait_s)
    night.run_due("exposure")
    begin_closing(night.context, NIGHT)
    night.run_due("references")
    (request, *_) = night.due("difference")
    return request, night.start(request)


def ends(night, request, name, **answer):
    night.runner.finish(name, **answer)
    night.runner.says(name, JobState.DONE)
    night.collect(request)


@pytest.mark.parametrize("late", ["before it is reduced again", "after"])
def test_a_difference_of_the_former_image_that_ends_late_is_not_believed(night, late):
    request, name = begun_difference(night)
    night.calibrate()
    if late == "after":
        night.run_due("exposure", candidates=2)
    before = {row["product_key"]: row["attempt"] for row in night.rows("products")}
    ends(night, request, name, candidates=5)
    assert {row["product_key"]: row["attempt"] for row in night.rows("products")} == before
    night.run_due("exposure", candidates=2)
    night.run_due("difference", candidates=5)
    assert {row["candidates"] for row in night.rows("differences")} == {2}
    assert {row["job_key"].split("/")[0] for row in night.rows("products") if row["kind"] == "difference"} == {
        "science"
    }
    assert {row["state"] for row in night.rows("attempts") if row["job_key"] == name_of_job(night, name)} == {
        "superseded"
    }


def name_of_job(night, name):
    return night.runner.job(name).job_key


def test_a_result_that_comes_when_its_unit_is_settled_places_nothing(night):
    night.calibrate()
    night.bring(0)
    (request,) = night.due("exposure")
    name = night.start(request)
    unit = sorted(night.unit_states())[0]
    say(night, "reject", unit)
    ends(night, request, name)
    assert night.unit_states()[unit] == "rejected"
    assert {row["unit_key"] for row in night.rows("products")} & set(night.unit_states()) == set(
        night.unit_states()
    ) - {unit}
    say(night, "accept", unit)
    assert night.unit_states()[unit] == "pending"  # for nothing of it was kept


def test_what_was_planned_with_the_former_image_is_planned_anew(night):
    request, name = begun_reference(night)
    night.calibrate()
    night.run_due("exposure", content=" with its masters")
    ends(night, request, name, fails=Reason.INPUT_LOST)
    assert night.rows("reference_images") == []
    assert {row["error_class"] for row in night.rows("attempts") if row["reason"] == "input_lost"} == {"retry"}
    night.run_due("references")
    assert {row["state"] for row in night.rows("reference_images")} == {"in_service"}


def test_an_input_that_is_lost_and_was_not_made_anew_is_a_persons_business(night):
    request, name = begun_reference(night)
    ends(night, request, name, fails=Reason.INPUT_LOST)
    assert {row["state"] for row in night.rows("reference_images")} == {"rejected"}


def begun_reference(night):
    night.bring(*range(night.context.survey.reference.at_least_frames))
    night.later(seconds=night.context.survey.calibration.wait_s)
    night.run_due("exposure")
    begin_closing(night.context, NIGHT)
    (request,) = night.due("references")
    return request, night.start(request)


def test_failures_from_before_the_master_came_are_no_tries_of_the_new_reduction(night):
    tries = night.context.survey.exposure.attempts
    night.bring(0)
    night.later(seconds=night.context.survey.calibration.wait_s)
    for _ in range(tries - 1):
        (request,) = night.due("exposure")
        night.run(request, fails=Reason.TIMEOUT)
    night.run_due("exposure")
    night.calibrate()
    (request,) = night.due("exposure")
    night.run(request, fails=Reason.TIMEOUT)
    assert set(night.unit_states().values()) == {"pending"}  # it is tried again
    night.run_due("exposure")
    assert flags(night) == {()}


def test_no_reference_is_made_of_what_is_to_be_reduced_again_until_the_night_closes(night):
    night.bring(*range(night.context.survey.reference.at_least_frames))
    night.later(seconds=night.context.survey.calibration.wait_s)
    night.run_due("exposure")
    assert night.due("references") == []
    begin_closing(night.context, NIGHT)
    assert len(night.due("references")) == 1


def test_the_objects_that_only_the_former_candidates_had_go_with_them(night):
    differenced_without_masters(night, candidates=1)
    with (
        night.context.ledger.connection.cursor() as cursor
    ):  # the release stopped between the objects and the packets
        cursor.execute("delete from outbox; delete from alerts; update differences set released_at = null")
    assert night.rows("objects") != []
    night.calibrate()
    assert (night.rows("candidates"), night.rows("objects")) == ([], [])


def test_a_master_that_a_person_puts_back_makes_due_what_went_without_it(night):
    night.calibrate()
    key = "flat/democam/d01/q1/g/20260115/e1/v1/live"
    say(night, "reject", key)
    night.bring(0)
    night.later(seconds=night.context.survey.calibration.wait_s)
    night.run_due("exposure")
    assert (Reason.CALIBRATION_MISSING,) in flags(night)
    say(night, "accept", key)
    night.run_due("exposure")
    assert flags(night) == {()}


def say(night, verdict, thing):
    asked = read_disposal({"frame": thing, "verdict": verdict, "explanation": "a ghost"})
    return dispose(night.context, asked, operator="mira")


def test_files_that_are_replaced_stay_where_the_record_of_it_fails(hurried, monkeypatch):
    hurried.calibrate()
    (again,) = hurried.due("exposure")
    files = [hurried.context.depot.absolute(row["path"]) for row in hurried.rows("products") if unit_of(row)]

    def breaks(*_):
        raise OSError("the machine stops")

    monkeypatch.setattr(science_record, "note_lacking_masters", breaks)
    with pytest.raises(OSError, match="stops"):
        hurried.run(again, rejects=Reason.TOO_FEW_STARS, keeps=())
    assert all(path.exists() for path in files)
    monkeypatch.undo()
    hurried.collect(again)
    assert not any(path.exists() for path in files)


def unit_of(row):
    return row["unit_key"].startswith("democam/")
