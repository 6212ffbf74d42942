"""The books of a night in a real ledger."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from night_rows import NIGHT, Night

from nightshift.night_end.accounts import account, read_accounts
from nightshift.vocabulary import Reason

pytestmark = pytest.mark.integration

FATES = ("intact", "twice", "truncated", "other content", "conflict", "never came", "not listed")
QUADRANTS = 2


def add(night: Night, number: int, fate: str, detector: int = 1) -> None:
    """Let one science file of the mountain have this fate."""
    name = night.name(number, detector)
    if fate == "truncated":
        night.list(name, b"whole")
        night.arrival(name, b"who", "quarantined", reason="truncated_file", detail="3 of 5 bytes")
        return
    if fate == "never came":
        night.list(name, b"whole")
        return
    night.frame(number, detector, listed=fate != "not listed", sent=b"else" if fate == "other content" else None)
    for quadrant in range(1, QUADRANTS + 1):
        night.unit(number, detector, quadrant)
    if fate == "twice":
        night.arrival(name, f"raw frame {name}".encode(), "duplicate")
    if fate == "conflict":
        night.arrival(name, b"another", "conflicting", reason="name_conflict")


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(fates=st.lists(st.sampled_from(FATES), max_size=8))
def test_the_night_closes_for_any_mixture_of_arrivals(context, fates):
    with context.ledger.connection.cursor() as cursor:
        cursor.execute("truncate nights, arrivals, manifests cascade")
    night = Night(context)
    for number, fate in enumerate(fates):
        add(night, number, fate)
    night.manifest()
    books = account(context, NIGHT)
    listed = [f for f in fates if f != "not listed"]
    corrupt = sum(f in ("truncated", "other content") for f in fates)
    assert books.closes, books.imbalances
    assert books.sent.counts() == {
        "received intact": len(listed) - corrupt - fates.count("never came"),
        "corrupt": corrupt,
        "missing": fates.count("never came"),
    }
    registered = len(fates) - fates.count("truncated") - fates.count("never came")
    assert books.arrivals.counts() == {
        "registered": registered + 1,  # the manifest itself
        "duplicate": fates.count("twice"),
        "conflicting": fates.count("conflict"),
        "quarantined": fates.count("truncated"),
    }
    assert books.units.counts() == {
        "processed": QUADRANTS * (registered - fates.count("other content")),
        "rejected": QUADRANTS * fates.count("other content"),
        "failed": QUADRANTS * fates.count("truncated"),
        "missing": QUADRANTS * fates.count("never came"),
        "held": 0,
    }
    assert account(context, NIGHT).to_json() == books.to_json()


def test_a_dead_detector_gives_missing_units_with_their_rows(context, night):
    night.frame(1, 1)
    night.unit(1, 1, 1), night.unit(1, 1, 2)
    night.list(night.name(1, 2), b"never came")
    night.manifest()
    assert account(context, NIGHT).closes
    rows = night.query("select unit_key, reason from units where state = 'missing' order by unit_key")
    assert [(r["unit_key"], r["reason"]) for r in rows] == [
        (f"democam/{1:014d}/d02/q{q}/processed/live", Reason.NEVER_ARRIVED) for q in (1, 2)
    ]


def test_a_file_that_comes_after_it_was_declared_missing_is_due_again(context, night):
    night.frame(1, 1)
    night.unit(1, 1, 1), night.unit(1, 1, 2)
    late = night.name(1, 2)
    night.list(late, f"raw frame {late}".encode())
    night.manifest()
    account(context, NIGHT)
    night.frame(1, 2)
    books = account(context, NIGHT)
    assert books.sent.counts() == {"received intact": 2, "corrupt": 0, "missing": 0}
    assert [u["state"] for u in night.query("select state from units where detector = 2")] == ["pending"] * 2
    assert night.query("select state from exposures")[0]["state"] == "arriving"
    assert books.imbalances == [f"expected units: 2 still pending (first: democam/{1:014d}/d02/q1/processed/live)"]


def test_a_corrected_manifest_restores_what_a_mismatch_had_rejected(context, night):
    name = night.frame(1, 1, sent=b"the mountain says so")
    night.unit(1, 1, 1), night.unit(1, 1, 2)
    night.manifest()
    assert account(context, NIGHT).units.reasons("rejected") == {Reason.MANIFEST_MISMATCH: 2}
    assert night.query("select count(*) as n from events where kind = 'manifest_mismatch'")[0]["n"] == 1
    night.query("update manifest_entries m set sha256 = r.sha256 from raw_frames r where r.inbox_name = %s", name)
    assert account(context, NIGHT).units.counts()["processed"] == 2
    assert night.query("select invalid_reason from raw_frames")[0]["invalid_reason"] is None


def test_calibration_frames_have_an_end_too(context, night):
    for number in range(1, 6):
        night.frame(number, 1, image_type="bias")
    night.frame(6, 1, image_type="flat")
    night.frame(7, 1, image_type="flat")
    night.frame(8, 1, image_type="engineering")
    night.master("bias", range(1, 6))
    night.master("flat", [6], filter="g", refused={7: "saturated"})
    night.manifest()
    books = account(context, NIGHT)
    assert books.closes, books.imbalances
    assert books.frames.counts() == {
        "for reduction": 0, "in a master": 6, "kept out of a master": 1, "archived only": 1, "invalid": 0,
    }  # fmt: skip
    night.frame(9, 1, image_type="dark")
    night.manifest()
    assert account(context, NIGHT).imbalances == [
        f"registered frames: 1 of type dark looked at by no master (first: {night.name(9)})"
    ]


def test_a_registered_frame_without_units_leaves_the_night_open(context, night):
    night.frame(1, 1)
    night.unit(1, 1, 1)
    night.manifest()
    assert account(context, NIGHT).imbalances == [
        f"expected units: 1 never planned (first: democam/{1:014d}/d01/q2/processed/live)"
    ]


def test_a_night_without_its_manifest_does_not_close(context, night):
    night.science(1)
    assert account(context, NIGHT).imbalances == ["no manifest came: what the mountain sent is not known"]


def test_a_part_of_the_manifest_that_never_came_is_named(context, night):
    night.manifest(parts=3)
    assert account(context, NIGHT).imbalances == [
        "part 2 of the manifest never came",
        "part 3 of the manifest never came",
    ]


def test_an_exposure_of_which_nothing_came_is_counted_although_the_ledger_cannot_hold_it(context, night):
    night.list(night.name(5, 1), b"x")
    night.manifest()
    books = account(context, NIGHT)
    assert books.closes and books.units.counts()["missing"] == 2
    assert books.unknown_kind == (night.name(5, 1),)
    assert night.query("select * from units") == []


def test_the_books_are_kept_with_the_night_and_reading_them_changes_nothing(context, night):
    night.science(1)
    night.list(night.name(2, 1), b"x")
    night.manifest()
    books = account(context, NIGHT)
    kept = night.query("select summary, xmin::text as version from nights")[0]
    assert kept["summary"] == books.to_json()
    assert read_accounts(context, NIGHT) == books == account(context, NIGHT)
    assert night.query("select xmin::text as version from nights")[0]["version"] == kept["version"]
