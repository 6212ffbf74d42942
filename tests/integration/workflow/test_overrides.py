"""A person accepts or rejects a frame, and everything that comes after asks for it."""

import getpass
import json
import socket
from functools import partial

import pytest

from nightshift.command_line import main
from nightshift.errors import BadInput, Retry
from nightshift.ingest.ingest import ingest_all
from nightshift.ledger import open_ledger
from nightshift.ledger.advisory_lock import LockedWork, advisory_lock
from nightshift.vocabulary import Disposition, Reason
from nightshift.workflow import overrides
from nightshift.workflow.explain import explain
from nightshift.workflow.overrides import ACCEPTABLE, dispose, read_disposal

pytestmark = pytest.mark.integration


def say(night, verdict, thing, **more):
    request = read_disposal({"frame": thing, "verdict": verdict, "explanation": "I looked at it"})
    return dispose(night.context, request, operator="mira", **more)


def frame(night, number, detector=1):
    return f"democam/{night.frames.exposure_id(number)}/d{detector:02d}"


def unit(night, number, detector=1, quadrant=1):
    return f"{frame(night, number, detector)}/q{quadrant}/processed/live"


def state(night, key):
    (row,) = [row for row in night.rows("units") if row["unit_key"] == key]
    return row["state"], row["reason"]


def test_a_rejected_frame_is_in_no_master_to_come(night):
    night.bring(-60, -59, -58, kind="bias", SEQNAME="bias", SEQLEN=3)
    say(night, "reject", f"demo_{night.frames.exposure_id(-59)}_d01.fits")
    night.later(hours=1)
    night.run_due("calibrations")
    used = {(row["exposure_id"], row["detector"]) for row in night.rows("calibration_frames")}
    assert (night.frames.exposure_id(-59), 1) not in used
    assert (night.frames.exposure_id(-59), 2) in used


def test_a_rejected_frame_ends_rejected_whether_it_was_reduced_or_not(night):
    night.calibrate()
    night.bring(0, 1)
    say(night, "reject", frame(night, 0))
    night.run_due("exposure")
    say(night, "reject", frame(night, 1, 2))
    for key in (unit(night, 0), unit(night, 0, 1, 2), unit(night, 1, 2), unit(night, 1, 2, 2)):
        assert state(night, key) == ("rejected", "operator_rejected")
    assert state(night, unit(night, 0, 2)) == state(night, unit(night, 1)) == ("processed", None)
    assert {row["state"] for row in night.rows("exposures") if row["image_type"] == "science"} == {"ended"}


def test_a_frame_is_found_by_its_key_whatever_the_number_of_its_detector(night):
    night.bring(0)
    ledger = night.context.ledger
    with ledger.connection.cursor() as cursor:
        cursor.execute("update raw_frames set detector = 112 where detector = 1")
    assert ledger.row("overrides", "frame_called", thing=frame(night, 0, 112), night=None)["detector"] == 112
    assert ledger.row("overrides", "frame_called", thing=frame(night, 0, 2), night=None)["detector"] == 2
    assert ledger.row("overrides", "frame_called", thing=frame(night, 0, 11), night=None) is None


def test_a_rejected_unit_is_in_no_reference_to_come(night):
    night.calibrate()
    night.bring(*range(1, 8))
    night.run_due("exposure")
    say(night, "reject", unit(night, 2))
    night.run_due("references")
    members = {row["unit_key"] for row in night.rows("reference_members")}
    assert unit(night, 2) not in members and unit(night, 2, 1, 2) in members


def test_what_was_not_sent_of_a_rejected_unit_is_withheld(night):
    night.calibrate()
    night.bring(*range(1, 7))
    night.run_due("exposure")
    night.run_due("references")
    night.run_due("difference")  # alerts of a field are released in the sky's order
    night.bring(9)
    night.run_due("exposure", candidates=2)
    with night.context.ledger.connection.cursor() as cursor:  # as if their packets were ready
        cursor.execute("update alerts set state = 'released', reason = null, packet_path = 'packets.tar'")
        cursor.execute("update outbox set state = 'queued'")
    say(night, "reject", frame(night, 9))
    alerts = {row["candid"]: row for row in night.rows("alerts")}
    mine = {candid for candid, row in alerts.items() if row["unit_key"].startswith(frame(night, 9))}
    assert len(mine) == 4 and len(alerts) == 8
    assert all((row["state"] == "withheld") == (candid in mine) for candid, row in alerts.items())
    assert all((row["state"] == "withheld") == (row["candid"] in mine) for row in night.rows("outbox"))
    assert "4 messages that were withheld are sent after all" in say(night, "accept", frame(night, 9))
    assert {(row["state"], row["reason"]) for row in night.rows("alerts")} == {("released", None)}
    assert {row["state"] for row in night.rows("outbox")} == {"queued"}


def test_an_accepted_unit_is_reduced_again_with_the_checks_overruled(night):
    night.calibrate()
    night.bring(0)
    night.run_due("exposure", rejects=Reason.SEEING_TOO_POOR)
    say(night, "accept", unit(night, 0))
    (request,) = night.due("exposure")
    name = night.start(request)
    (work,) = night.runner.units(name)
    assert (work.unit_key, work.attempt, work.parameters["overruled"]) == (unit(night, 0), 2, True)
    night.runner.finish(name)
    night.collect(request)
    assert state(night, unit(night, 0)) == ("processed", None)
    assert state(night, unit(night, 0, 1, 2)) == ("rejected", "seeing_too_poor")
    assert night.due("exposure") == []


def test_a_unit_that_is_accepted_after_it_was_rejected_by_hand_stands_as_it_was(night):
    night.calibrate()
    night.bring(0)
    night.run_due("exposure")
    say(night, "reject", frame(night, 0))
    assert "stand again" in say(night, "accept", frame(night, 0))
    assert state(night, unit(night, 0)) == ("processed", None)
    assert night.due("exposure") == []


def test_an_accepted_file_leaves_quarantine_and_is_reduced(night):
    night.calibrate()
    path = night.frames(0, INSTRUME="OTHERCAM")
    (arrival,) = ingest_all(night.context, [path])
    assert (arrival.disposition, arrival.reason) == (Disposition.QUARANTINED, Reason.WRONG_CAMERA)
    say(night, "accept", path.name)
    (row,) = [row for row in night.rows("arrivals") if row["inbox_name"] == path.name]
    assert (row["disposition"], row["reason"]) == ("registered", None)
    (kept,) = night.rows("quarantine")
    assert (kept["disposed_as"], kept["disposed_by"]) == ("accepted", "mira")
    night.later(hours=1)
    night.run_due("exposure")
    assert state(night, unit(night, 0)) == ("processed", None)


@pytest.mark.parametrize("damage", ["truncated_file", "empty_file", "unreadable_file"])
def test_what_is_not_whole_cannot_be_accepted(night, damage):
    path = night.frames(0)
    content = {"truncated_file": path.read_bytes()[:9000], "empty_file": b"", "unreadable_file": b"no"}[damage]
    path.write_bytes(content)
    ingest_all(night.context, [path])
    with pytest.raises(BadInput, match="Ask the mountain") as caught:
        say(night, "accept", path.name)
    assert caught.value.reason == damage and Reason(damage) not in ACCEPTABLE
    assert night.rows("overrides") == night.rows("audit") == []


def test_what_nobody_knows_cannot_be_disposed_of(night):
    with pytest.raises(BadInput, match="knows no frame"):
        say(night, "reject", "nothing.fits")


def test_an_override_has_a_name_and_an_audit_row_and_the_same_request_is_one(night):
    night.calibrate()
    night.bring(0)
    for _ in range(2):
        say(night, "reject", frame(night, 0), request_id="asked-1")
    (override,), (audit,) = night.rows("overrides"), night.rows("audit")
    assert (override["subject"], override["verdict"], override["operator"]) == (frame(night, 0), "reject", "mira")
    assert (audit["action"], audit["operator"]) == ("reject_frame", "mira")
    assert json.dumps(audit["detail"]).count("I looked at it") == 1
    story = "\n".join(explain(night.context, f"demo_{night.frames.exposure_id(0)}_d01.fits"))
    assert f"mira said reject of {frame(night, 0)}: I looked at it" in story


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"frame": " "}, "frame is empty"),
        ({"verdict": "perhaps"}, "accept, reject"),
        ({"explanation": ""}, "say why"),
        ({"sql": "drop table"}, "'sql' is not a key"),
    ],
)
def test_what_the_form_does_not_have_is_refused(change, named):
    asked = {"frame": "a.fits", "verdict": "accept", "explanation": "it is good", **change}
    with pytest.raises(BadInput, match=named):
        read_disposal(asked)


def test_a_frame_is_not_rejected_while_its_alerts_are_being_sent(night, ledger_url, monkeypatch):
    night.bring(0)
    monkeypatch.setattr(overrides, "advisory_lock", partial(advisory_lock, wait_s=0.0))
    with open_ledger(ledger_url) as poster, advisory_lock(poster, LockedWork.POST):
        with pytest.raises(Retry, match="nothing was changed yet: ask again"):
            say(night, "reject", frame(night, 0))
        assert not night.rows("overrides") and not night.rows("audit")
        say(night, "accept", frame(night, 0))  # holds nothing back, and waits for nobody
    say(night, "reject", frame(night, 0))
    assert [row["verdict"] for row in night.rows("overrides", "override_id")] == ["accept", "reject"]


def test_a_command_keeps_the_account_beside_the_name_that_was_said(night, ledger_url, monkeypatch):
    night.bring(0)
    monkeypatch.setenv("NIGHTSHIFT_LEDGER", ledger_url)
    monkeypatch.setenv("NIGHTSHIFT_DEPOT", str(night.context.depot.root))
    monkeypatch.setenv("NIGHTSHIFT_INBOX", str(night.context.inbox))
    monkeypatch.setenv("NIGHTSHIFT_SURVEY", night.context.survey.name)
    assert main(["reject", frame(night, 0), "--operator", "mira", "--reason", "I looked at it"]) == 0
    (row,) = night.rows("audit")
    assert (row["operator"], row["detail"]["account"]) == ("mira", f"{getpass.getuser()}@{socket.gethostname()}")
