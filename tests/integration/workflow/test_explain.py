"""One command tells why a frame ended as it did."""

import pytest

from nightshift.ingest.ingest import ingest_all
from nightshift.vocabulary import Reason
from nightshift.workflow.explain import explain

pytestmark = pytest.mark.integration


def test_the_story_of_a_unit_names_its_file_attempts_masters_and_reason(night):
    night.calibrate()
    night.bring(0)
    night.run_due("exposure", rejects=Reason.SEEING_TOO_POOR)
    exposure_id = night.frames.exposure_id(0)
    unit = f"democam/{exposure_id}/d01/q2/processed/live"
    for thing in (unit, f"demo_{exposure_id}_d01.fits", exposure_id):
        story = "\n".join(explain(night.context, thing))
        assert f"demo_{exposure_id}_d01.fits arrived" in story
        assert f"unit {unit}: rejected (seeing_too_poor)" in story
        assert "attempt 1 of science/" in story
        assert "from bias bias/democam/d01/q2/-/20260115/e1/v1/live/bias" in story
    assert "d02/q1" not in "\n".join(explain(night.context, unit))


def test_the_story_of_a_file_that_was_never_registered_says_why(night):
    path = night.context.inbox / "holiday.jpg"
    path.write_bytes(b"no")
    ingest_all(night.context, [path])
    assert "quarantined: name_not_recognised" in explain(night.context, "holiday.jpg")[0]


def test_of_an_unknown_thing_there_is_no_story(night):
    assert explain(night.context, "nothing") == []


def test_a_product_whose_inputs_are_not_known_is_told_without_them(night):
    night.calibrate()
    night.bring(0)
    night.run_due("exposure")
    with night.context.ledger.connection.cursor() as cursor:
        cursor.execute("delete from product_inputs")
    story = explain(night.context, f"democam/{night.frames.exposure_id(0)}/d01/q2/processed/live")
    assert any(" calibrated: " in line for line in story)
    assert not any("from " in line for line in story)
