"""Every file of a night has a second copy that was read back, or the ledger does not say so."""

import hashlib
import json
from pathlib import Path

import pytest
from copy_places import Truncating, with_copies
from night_rows import NIGHT

from nightshift.archive import copying, place_in_use
from nightshift.archive.copy_place import copy_key
from nightshift.archive.copying import copies_stand, copy_night, copy_what_is_due
from nightshift.archive.night_archive import archive, verify
from nightshift.archive.purge_list import purge_list, purge_list_file
from nightshift.ledger import open_ledger
from nightshift.ledger.advisory_lock import LockedWork, advisory_lock
from nightshift.ledger.queries import copies as copy_queries

pytestmark = pytest.mark.integration


@pytest.fixture
def filled(night):
    night.science(1)
    night.product(f"democam/{1:014d}/d01/q1/processed/live", "calibrated", b"pixels")
    night.manifest()
    return night


@pytest.fixture
def archived(context, filled):
    """A night whose archive was read back, and the context with a folder of copies beside the depot."""
    archive(context, NIGHT)
    assert verify(context, NIGHT).good
    return with_copies(context)


def folder(context) -> Path:
    return context.depot.root.parent / "copies"


def events(night, kind):
    return [
        row["message"] for row in night.query("select message from events where kind = %s order by event_id", kind)
    ]


def in_two_places(night):
    return {row["source"] for row in night.query("select source from files_in_two_places")}


def sources(night):
    return {row["source"] for row in night.query("select source from archive_files")}


def test_a_raw_frame_is_copied_while_the_night_is_open_and_read_back(context, filled):
    context = with_copies(context)
    done = copy_what_is_due(context, at_most_s=60)
    frames = filled.query("select path, sha256 from raw_frames")
    assert (done.files, done.waiting, done.trouble) == (len(frames), 0, "")
    for frame in frames:
        copy = folder(context) / copy_key(NIGHT, frame["sha256"])
        assert copy.read_bytes() == (context.depot.root / frame["path"]).read_bytes()
        assert copy.stat().st_ino != (context.depot.root / frame["path"]).stat().st_ino
    assert in_two_places(filled) == set()  # it is not archived yet


def test_the_archive_is_copied_at_closing_and_raw_frames_are_not_sent_again(archived, filled, monkeypatch):
    copy_what_is_due(archived, at_most_s=60)
    raw = {row["sha256"] for row in filled.query("select sha256 from raw_frames")}
    sent = []
    write = place_in_use.FolderPlace.write
    monkeypatch.setattr(
        place_in_use.FolderPlace, "write", lambda self, key, *rest: (sent.append(key), write(self, key, *rest))[1]
    )
    done = copy_night(archived, NIGHT)
    assert done.trouble == "" and done.waiting == 0
    assert not raw & {Path(key).name for key in sent}
    assert in_two_places(filled) == sources(filled)
    frame = filled.query("select path, sha256 from raw_frames limit 1")[0]
    assert copy_queries.in_two_places(archived.ledger, source=frame["path"], sha256=frame["sha256"])
    assert not copy_queries.in_two_places(archived.ledger, source=frame["path"], sha256="0" * 64)


def test_copying_again_writes_nothing(archived, filled):
    copy_night(archived, NIGHT)
    before = {path: path.stat().st_mtime_ns for path in folder(archived).rglob("*") if path.is_file()}
    rows = filled.query("select * from copies order by sha256")
    again = copy_night(archived, NIGHT)
    assert again.files == 0 and filled.query("select * from copies order by sha256") == rows
    after = {path: path.stat().st_mtime_ns for path in folder(archived).rglob("*") if path.is_file()}
    assert {path: at for path, at in after.items() if "index" not in path.name} == {
        path: at for path, at in before.items() if "index" not in path.name
    }


def test_a_folder_on_the_depots_disk_is_refused_until_somebody_says_that_he_means_it(archived, filled):
    careless = with_copies(archived, same_device=False)
    done = copy_night(careless, NIGHT)
    assert "lies on the disk of the depot" in done.trouble and done.files == 0
    assert not folder(archived).exists() and in_two_places(filled) == set()
    assert copy_night(archived, NIGHT).trouble == ""


def test_a_folder_in_the_depot_is_refused_whatever_anybody_says(archived):
    assert "name another folder" in copy_night(with_copies(archived, to="depot/copies"), NIGHT).trouble


def test_a_copy_that_the_store_truncates_is_noticed_and_made_again(archived, filled, monkeypatch):
    place = Truncating(folder(archived), times=1)
    monkeypatch.setattr(place_in_use, "open_place", lambda *_: place)
    done = copy_night(archived, NIGHT)
    assert "does not read back as it was sent" in done.trouble and done.waiting == 1
    assert len(in_two_places(filled)) < len(sources(filled))
    assert "does not read back" in copies_stand(archived).failing[0]
    assert len(events(filled, "copies_wait")) == 1
    filled.query("update copies set next_try_at = now()")
    done = copy_what_is_due(archived, at_most_s=60, at_once=True)
    assert (done.files, done.waiting, done.trouble) == (1, 0, "")
    assert in_two_places(filled) == sources(filled)
    assert len(events(filled, "copies_go_on")) == 1


def test_a_place_that_is_away_for_hours_is_said_once_and_caught_up(archived, filled):
    copy_what_is_due(archived, at_most_s=60)
    gone = folder(archived).with_name("unplugged")
    folder(archived).rename(gone)
    for _ in range(3):
        done = copy_night(archived, NIGHT)
        assert "not mounted" in done.trouble and done.waiting > 0
    assert copy_what_is_due(archived, at_most_s=60).trouble  # its pause is not over: it is not even looked at
    assert len(events(filled, "copies_wait")) == 1
    folder(archived).mkdir()  # the empty mount point
    assert "not mounted" in copy_night(archived, NIGHT).trouble and not list(folder(archived).iterdir())
    folder(archived).rmdir()
    gone.rename(folder(archived))
    assert copy_what_is_due(archived, at_most_s=60, at_once=True).waiting == 0
    assert in_two_places(filled) == sources(filled)
    assert (len(events(filled, "copies_wait")), len(events(filled, "copies_go_on"))) == (1, 1)


def test_a_folder_that_cannot_be_written_or_is_full_keeps_the_copies_waiting(archived, filled, monkeypatch):
    copy_what_is_due(archived, at_most_s=60)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("nightshift.files.os.fsync", full)
    done = copy_night(archived, NIGHT)
    assert "No space left on device" in done.trouble and "free space" in done.trouble
    monkeypatch.undo()
    assert copy_night(archived, NIGHT).trouble == ""
    assert in_two_places(filled) == sources(filled)


def test_what_was_written_below_a_mount_point_is_not_believed(archived, filled, monkeypatch):
    copy_what_is_due(archived, at_most_s=60)
    make = copying.make_copy

    def unplugged_meanwhile(place, *rest):
        (place.root / place_in_use.MARKER).unlink(missing_ok=True)
        return make(place, *rest)

    monkeypatch.setattr(copying, "make_copy", unplugged_meanwhile)
    marker = (folder(archived) / place_in_use.MARKER).read_bytes()
    before = filled.query("select count(*) as n from copies where verified_at is not null")
    assert "not mounted" in copy_night(archived, NIGHT).trouble
    assert filled.query("select count(*) as n from copies where verified_at is not null") == before
    (folder(archived) / place_in_use.MARKER).write_bytes(marker)


def test_a_file_that_is_not_what_the_ledger_knows_is_never_sent_on(archived, filled):
    row = filled.query("select path, sha256 from archive_files where kind = 'manifest'")[0]
    path = archived.depot.root / "archive" / row["path"]
    path.unlink()
    path.write_bytes(b"something else")
    done = copy_night(archived, NIGHT)
    assert "not the file that the ledger knows" in done.trouble and done.waiting == 1
    assert not (folder(archived) / copy_key(NIGHT, row["sha256"])).exists()


def test_two_copiers_do_not_work_at_once_and_the_second_says_so(archived, ledger_url):
    with open_ledger(ledger_url) as other, advisory_lock(other, LockedWork.COPIES, str(folder(archived))):
        done = copy_night(archived, NIGHT)
        assert done.files == 0 and "another process" in done.trouble
    assert copy_night(archived, NIGHT).trouble == ""


def test_another_place_is_filled_anew_and_only_it_counts(archived, filled):
    copy_night(archived, NIGHT)
    moved = with_copies(archived, to="elsewhere")
    filled.query("update nights set state = 'closed'")
    assert copy_what_is_due(moved, at_most_s=60).trouble == ""
    assert in_two_places(filled) == sources(filled)
    assert {row["copy_place"] for row in filled.query("select copy_place from files_in_two_places")} == {
        str(folder(archived).with_name("elsewhere"))
    }


def test_without_a_place_nothing_is_copied_and_nothing_has_two(context, filled):
    without = with_copies(context, to="")
    archive(context, NIGHT)
    assert copy_night(without, NIGHT) is None and copy_what_is_due(without, at_most_s=60) is None
    assert in_two_places(filled) == set() and copies_stand(without) is None


# --- the mountain's list -----------------------------------------------------------------------------------


def read_list(context):
    path = purge_list_file(context, NIGHT)
    for line in path.with_suffix(".sha256").read_text().splitlines():
        digest, name = line.split("  ")
        assert hashlib.sha256((path.parent / name).read_bytes()).hexdigest() == digest
    said = json.loads(path.read_text())
    assert path.with_suffix(".txt").read_text().splitlines() == [file["name"] for file in said["may_purge"]]
    return {file["name"] for file in said["may_purge"]}, {file["name"]: file["why"] for file in said["keep"]}


def test_the_mountain_may_purge_what_is_intact_archived_and_copied_and_is_told_why_not_the_rest(context, night):
    night.science(1)
    night.frame(2)
    night.frame(3, sent=b"the mountain says otherwise")
    night.arrival(night.name(2), b"other content", "conflicting", reason="name_conflict")
    night.arrival("odd\nname.fits", b"?", "quarantined", reason="name_not_recognised")
    night.list(night.name(9), b"never came")
    night.manifest()
    archive(context, NIGHT)
    verify(context, NIGHT)
    context = with_copies(context)
    assert not purge_list(context, NIGHT).may_purge
    copy_night(context, NIGHT)
    may, keep = read_list(context)
    assert may == {night.name(1), night.name(1, 2)}
    assert keep[night.name(9)] == "it never came"
    assert "manifest" in keep[night.name(3)]
    assert "conflicting: name_conflict" in keep[night.name(2)]
    assert "quarantined" in keep["odd\nname.fits"]


def test_no_list_is_written_before_all_of_the_night_is_copied(archived, filled, monkeypatch):
    monkeypatch.setattr(place_in_use, "open_place", lambda *_: Truncating(folder(archived), times=1))
    copy_night(archived, NIGHT)
    assert not purge_list_file(archived, NIGHT).exists()


def test_a_night_that_is_opened_again_gets_a_new_list(archived, filled):
    copy_night(archived, NIGHT)
    filled.frame(5)
    archive(archived, NIGHT)
    verify(archived, NIGHT)
    copy_night(archived, NIGHT)
    assert filled.name(5) in read_list(archived)[0]
