"""Files that left on purpose: what is said of them, and how they come back."""

from datetime import date

import pytest

from nightshift.errors import BadInput
from nightshift.fingerprint import compare, take_fingerprint
from nightshift.housekeeping.clean_up import clean_up
from nightshift.housekeeping.clean_up_summary import clean_up_summary
from nightshift.housekeeping.deleted_files import file_at_hand, restore, said_of_deleted
from nightshift.inspect.products_at_hand import from_ledger
from nightshift.vocabulary import Reason
from nightshift.workflow.explain import explain

NIGHT = date(2026, 1, 1)
UNIT = "democam/20260101080000/d01/q1/processed/live"
RAW = "raw/2026/0101/democam/20260101080000/demo_20260101080000_d01.fits"


@pytest.fixture
def cleaned(context, nights):
    nights(0, 5)
    clean_up(context, operator="mira")
    return nights


def test_people_are_told_when_why_and_how_it_comes_back(context, cleaned):
    (context.depot.root / "processed" / "2026" / "0101" / UNIT / "difference.fits").unlink()
    with pytest.raises(BadInput) as error:
        from_ledger(context, UNIT)
    assert error.value.reason is Reason.LEFT_BY_RETENTION
    assert "retention.calibrated_nights = 3" in str(error.value)
    assert "restore-files 2026-01-01 --kind product/calibrated" in str(error.value)
    story = "\n".join(explain(context, "democam/20260101080000"))
    assert "1 file of kind raw left the depot by retention (retention.raw_nights = 5)" in story
    assert "restore-files 2026-01-01" in story


def test_a_job_that_lacks_such_a_file_is_told_so(context, cleaned, tmp_path):
    assert "retention.raw_nights = 5" in said_of_deleted(context, [context.depot.root / RAW])
    assert said_of_deleted(context, [context.depot.root / "raw" / "another.fits", tmp_path / "x"]) == ""


def test_who_reads_a_file_finds_it_in_the_archive(context, cleaned):
    assert file_at_hand(context, RAW) == context.depot.root / "archive" / "2026" / "0101" / RAW
    here = RAW.replace("0101", "0105")
    assert file_at_hand(context, here) == context.depot.root / here


def test_files_come_back_and_stay_for_as_long_again(context, cleaned, clock):
    told = restore(context, NIGHT, kind="raw", operator="mira", dry_run=True)
    assert dict(told.files) == {"raw": 1} and not (context.depot.root / RAW).exists()
    done = restore(context, NIGHT, kind="raw", operator="mira", dry_run=False)
    assert dict(done.files) == {"raw": 1} and (context.depot.root / RAW).exists()
    assert cleaned.sql("select 1 from raw_frames where deleted_at is not null") == []
    again = clean_up(context, operator="mira")
    assert (context.depot.root / RAW).exists() and "it was brought back on 2026-01-06" in again.why_not
    cleaned(6, 9)
    clean_up(context, operator="mira")
    assert (context.depot.root / RAW).exists()
    cleaned(10, 10)
    clean_up(context, operator="mira")
    assert not (context.depot.root / RAW).exists()
    (row,) = cleaned.sql("select * from deletions where path = %s", RAW)
    assert row["deleted_at"] is not None and row["restored_on"] is None


def test_a_damaged_archive_gives_nothing_back(context, cleaned):
    place = context.depot.root / "archive" / "2026" / "0101" / RAW
    place.write_bytes(b"rotten")
    done = restore(context, NIGHT, kind="raw", operator="mira", dry_run=False)
    assert done.not_there == [f"2026/0101/{RAW}"] and not (context.depot.root / RAW).exists()
    assert len(cleaned.sql("select 1 from raw_frames where deleted_at is not null")) == 1


def test_what_never_left_does_not_come_back(context, cleaned):
    with pytest.raises(BadInput, match="no file of kind raw of the night 2026-01-05"):
        restore(context, date(2026, 1, 5), kind="raw", operator="mira", dry_run=False)


def test_a_night_has_the_same_fingerprint_before_and_after(context, nights):
    nights(0, 5)
    before = take_fingerprint(context.ledger, context.depot.root)
    assert clean_up(context, operator="mira").files > 0
    after = take_fingerprint(context.ledger, context.depot.root)
    after.classes.pop("table image_quality"), before.classes.pop("table image_quality")
    assert list(compare(before, after)) == []


def test_the_mail_is_told_what_left_and_why_the_rest_stays(context, cleaned):
    told = clean_up_summary(context, date(2026, 1, 6))
    assert {row.kind for row in told.rows} == {"raw", "product/calibrated"}
    assert sum(row.files for row in told.rows) == 4 and told.ended and told.second_copy
    assert told.sentence.startswith("4 files left the depot")
    assert clean_up_summary(context, date(2026, 1, 2)).began_at is None  # it was not there yet
    cleaned.sql("update copy_places set retired_at = now()")
    assert "no second copy" in clean_up_summary(context, date(2026, 1, 6)).sentence
