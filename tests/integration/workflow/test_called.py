"""A thing is called the same everywhere: by `explain`, `reject`, `accept`, `inspect` and the mail."""

import pytest

from nightshift.alerts.release_order import release_all_in_order
from nightshift.called import Called, Thing, called
from nightshift.errors import BadInput
from nightshift.ingest.ingest import ingest_all
from nightshift.inspect.products_at_hand import from_ledger
from nightshift.vocabulary import Reason
from nightshift.workflow.explain import explain
from nightshift.workflow.overrides import dispose, read_disposal

pytestmark = pytest.mark.integration


@pytest.fixture
def made(night):
    """A night with masters, a reference, and an alert of each quadrant that is not sent yet."""
    night.calibrate()
    night.bring(*range(night.context.survey.reference.at_least_frames))
    night.run_due("exposure")
    night.run_due("references")
    night.run_due("difference", candidates=1)
    release_all_in_order(night.context, at_once=True)
    return night


def say(night, verdict, thing, explanation="seen by eye", operator="mira"):
    asked = read_disposal({"frame": thing, "verdict": verdict, "explanation": explanation})
    return dispose(night.context, asked, operator=operator)


def first(night, table, **where):
    return next(row for row in night.rows(table) if all(row[name] == value for name, value in where.items()))


def texts_of(night):
    """Return what things are called, each with all the ways in which it is written."""
    exposure_id = night.frames.exposure_id(0)
    unit = f"democam/{exposure_id}/d01/q2/processed/live"
    short = unit.removesuffix("/processed/live")
    another = f"democam/{night.frames.exposure_id(1)}/d01/q2/processed/live"
    alert = first(night, "alerts", unit_key=another)["candid"]
    return {
        Called(Thing.EXPOSURE, f"democam/{exposure_id}"): [exposure_id, f"democam/{exposure_id}"],
        Called(Thing.FRAME, f"democam/{exposure_id}/d01"): [f"democam/{exposure_id}/d01", f"{exposure_id}/d01"],
        Called(Thing.UNIT, unit): [unit, short, short.removeprefix("democam/"), f" {unit}\n"],
        Called(Thing.MASTER, "bias/democam/d01/q2/-/20260115/e1/v1/live"): [
            "bias/democam/d01/q2/-/20260115/e1/v1/live", "bias/democam/d01/q2/-/20260115/e1/v1",
        ],
        Called(Thing.REFERENCE, "reference/000101/democam/d01/q2/g/v1/live"): [
            "reference/000101/democam/d01/q2/g/v1/live", "reference/000101/democam/d01/q2/g/v1",
        ],
        Called(Thing.ALERT, str(alert)): [str(alert)],
    }  # fmt: skip


def test_every_way_to_write_a_key_means_the_same_to_all_who_read_it(made):
    for thing, texts in texts_of(made).items():
        for text in texts:
            assert called(made.context.ledger, text) == thing
        stories = {tuple(explain(made.context, text)) for text in texts}
        assert len(stories) == 1 and all(stories), thing
        if thing.thing in (Thing.UNIT, Thing.MASTER, Thing.REFERENCE, Thing.ALERT):
            shown = {from_ledger(made.context, text).key for text in texts}
            assert len(shown) == 1, thing
        for text in texts:
            say(made, "reject", text)
    subjects = [row["subject"] for row in made.rows("overrides")]
    frames = [f"democam/{made.frames.exposure_id(0)}/d0{detector}" for detector in (1, 2)]
    rest = [thing.key for thing in texts_of(made) if thing.thing not in (Thing.EXPOSURE, Thing.FRAME)]
    assert sorted(subjects) == sorted([*frames, *rest])  # each once, however often and however it was said


def test_what_is_no_key_is_nothing(made):
    for text in ("nothing", "a/b/c", "bias/democam", "democam/elsewhere/d01", "9" * 40, "12", "", "\u0663", "d01/q1",
                 "reference/x", "arrival/", "\udcff.fits", "a\0b"):  # fmt: skip
        assert called(made.context.ledger, text) is None


def test_an_id_that_two_instruments_have_is_asked_back(made):
    with made.context.ledger.connection.cursor() as cursor:
        cursor.execute(
            "insert into exposures (instrument, exposure_id, site, night, ut_day, image_type, filter, exposure_s, "
            "shutter_open, program_id, detectors_expected) select 'other', exposure_id, site, night, ut_day, "
            "image_type, filter, exposure_s, shutter_open, program_id, detectors_expected from exposures "
            "where exposure_id = %s",
            (made.frames.exposure_id(0),),
        )
    with pytest.raises(BadInput, match=r"say democam/\d+ or other/\d+"):
        called(made.context.ledger, f"{made.frames.exposure_id(0)}/d01/q1")


def test_the_same_rejection_twice_is_one_row_and_another_persons_is_another(made):
    unit = next(iter(made.unit_states()))
    for operator in ("mira", "mira", "otto"):
        say(made, "reject", unit, operator=operator)
    assert [row["operator"] for row in made.rows("overrides")] == ["mira", "otto"]
    assert len([row for row in made.rows("audit") if row["action"] == "reject_frame"]) == 2
    say(made, "accept", unit)
    say(made, "reject", unit)
    assert len(made.rows("overrides")) == 4


def test_a_file_of_which_somebody_disposed_is_said_to_be(made):
    (made.context.inbox / "holiday.jpg").write_bytes(b"no")
    ingest_all(made.context, [made.context.inbox / "holiday.jpg"])
    say(made, "reject", "holiday.jpg")
    with pytest.raises(BadInput, match=r"holiday\.jpg was rejected by mira at .* already"):
        say(made, "reject", "holiday.jpg")
    assert len(made.rows("overrides")) == 1


def test_the_story_of_a_master_names_its_frames_what_it_made_and_who_spoke_of_it(made):
    key = "flat/democam/d01/q2/g/20260115/e1/v1/live"
    said = say(made, "reject", key, "a ghost")
    assert "Made with it before, and staying:" in said
    story = "\n".join(explain(made.context, key))
    assert f"master {key}: withdrawn (operator_rejected, a ghost), of 2 frames" in story
    assert f"frame democam/{made.frames.exposure_id(-40)}/d01: accepted" in story
    assert "attempt 1 of master/" in story
    assert "made with it: 6 calibrated" in story
    assert "mira said reject" in story
    made.bring(20)
    unit = made.runner.units(made.start(made.due("exposure")[0]))[1]
    assert (unit.unit_key.endswith("d01/q2/processed/live"), unit.input("flat")) == (True, None)
    assert say(made, "accept", key) == "It serves again."
    assert first(made, "calibrations", calibration_key=key)["state"] == "in_service"


def test_the_story_of_a_reference_names_its_members_and_a_rejected_one_serves_no_more(made):
    key = "reference/000101/democam/d01/q2/g/v1/live"
    say(made, "reject", key)
    story = "\n".join(explain(made.context, key))
    assert f"{key}: unset (operator_rejected" in story
    assert f"made of democam/{made.frames.exposure_id(0)}/d01/q2/processed/live" in story
    assert "made with it: 6 difference" in story
    with pytest.raises(BadInput, match="not in service"):
        say(made, "reject", key, operator="otto")
    assert say(made, "accept", key) == "It serves again."
    with pytest.raises(BadInput, match="nobody rejected"):
        say(made, "accept", key, operator="otto")


def test_an_alert_is_kept_back_while_it_was_not_sent_and_then_no_more(made):
    one, other = (row["candid"] for row in made.rows("alerts")[:2])
    assert say(made, "reject", str(one)) == "messages withheld that were not sent yet: 1."
    assert first(made, "alerts", candid=one)["reason"] == Reason.OPERATOR_REJECTED
    assert say(made, "accept", str(one)) == "messages that were withheld are sent after all: 1."
    with made.context.ledger.connection.cursor() as cursor:
        cursor.execute("update alerts set state = 'sent' where candid = %s", (other,))
    with pytest.raises(BadInput, match="was sent and stays as it is"):
        say(made, "reject", str(other))
    story = "\n".join(explain(made.context, str(other)))
    assert f"candidate {other} of democam/" in story
    assert "sent" in story and "unit democam/" in story
