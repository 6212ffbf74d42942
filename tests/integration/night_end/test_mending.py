"""Old nights are read again, and what is damaged in one place is mended from the other."""

import hashlib
import json
import os

import pytest
from copy_places import with_copies
from night_rows import NIGHT

from nightshift.archive import rota
from nightshift.archive.copy_place import copy_key
from nightshift.archive.copying import copy_night, copy_what_is_due
from nightshift.archive.folder_place import FolderPlace
from nightshift.archive.mending import Mended
from nightshift.archive.night_archive import add_to_archive, archive, night_folder, verify
from nightshift.archive.purge_list import purge_list_file
from nightshift.archive.restoring import restore
from nightshift.archive.rota import mend_now, verify_night_again, verify_old_nights
from nightshift.errors import BadInput, NeedsOperator, Retry

pytestmark = pytest.mark.integration


@pytest.fixture
def copied(context, night):
    """A closed night, archived and copied."""
    night.science(1)
    night.product(f"democam/{1:014d}/d01/q1/processed/live", "calibrated", b"pixels")
    night.manifest()
    archive(context, NIGHT)
    verify(context, NIGHT)
    context = with_copies(context)
    assert copy_night(context, NIGHT).trouble == ""
    night.query("update nights set state = 'closed'")
    return context


def events(night, kind):
    return [
        row["message"] for row in night.query("select message from events where kind = %s order by event_id", kind)
    ]


def one(night, kind="raw"):
    return night.query("select * from archive_files where kind = %s order by path limit 1", kind)[0]


def place_of(context):
    return FolderPlace(context.depot.root.parent / "copies")


def paths_of(context, row):
    """Return where a file lies in the archive, and its copy."""
    return context.depot.root / "archive" / row["path"], place_of(context).root / copy_key(NIGHT, row["sha256"])


def flip(path):
    """Change one byte where it lies on the disk: every name of the file sees it."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    with path.open("r+b") as stream:
        stream.write(content)


def two_places(night):
    return {row["archive_path"] for row in night.query("select archive_path from files_in_two_places")}


def all_files(night):
    return {row["path"] for row in night.query("select path from archive_files")}


def test_a_byte_that_flips_in_the_archive_is_found_named_and_mended_also_under_the_depots_name(copied, night):
    row = one(night)
    ours, copy = paths_of(copied, row)
    good = copy.read_bytes()
    assert ours.samefile(copied.depot.root / row["source"])
    flip(ours)
    done = verify_night_again(copied, NIGHT)
    assert done.damaged == done.mended == [row["path"]] and not done.lost
    assert ours.read_bytes() == (copied.depot.root / row["source"]).read_bytes() == good
    assert row["path"] in events(night, "file_damaged")[0] and row["path"] in events(night, "file_mended")[0]
    assert two_places(night) == all_files(night)
    assert not list((copied.depot.root / "archive" / ".mending").iterdir())


@pytest.mark.parametrize("what", ["flipped", "truncated", "gone"])
def test_a_copy_that_is_damaged_is_mended_from_the_archive(copied, night, what):
    row = one(night)
    ours, copy = paths_of(copied, row)
    if what == "flipped":
        flip(copy)
    else:
        copy.write_bytes(b"") if what == "truncated" else copy.unlink()
    done = verify_night_again(copied, NIGHT)
    assert len(done.damaged) == 1 and done.mended == done.damaged
    assert copy.read_bytes() == ours.read_bytes() and two_places(night) == all_files(night)
    assert not [path for path in (place_of(copied).root / "damaged").rglob("*") if path.is_file()]


def test_the_mountains_list_loses_a_damaged_file_at_once_and_has_it_again_once_mended(copied, night, monkeypatch):
    row = one(night)
    name = night.name(1)

    def listed():
        return {file["name"] for file in json.loads(purge_list_file(copied, NIGHT).read_text())["may_purge"]}

    assert name in listed()
    flip(paths_of(copied, row)[1])
    monkeypatch.setattr(rota, "mend", lambda *_: Mended())
    monkeypatch.setattr(rota, "write_lists", lambda *_: [])
    verify_night_again(copied, NIGHT)
    assert name not in listed() and row["path"] not in two_places(night)
    monkeypatch.undo()
    mend_now(copied)
    assert name in listed()


def test_what_is_damaged_in_both_places_calls_a_person_once_and_nothing_is_touched(copied, night):
    row = one(night, "manifest")
    ours, copy = paths_of(copied, row)
    flip(ours)
    copy.write_bytes(b"other")
    before = ours.read_bytes(), copy.read_bytes()
    for _ in range(2):
        done = verify_night_again(copied, NIGHT)
        assert len(done.lost) == 2
    assert (ours.read_bytes(), copy.read_bytes()) == before
    pages = night.query("select * from events where level = 'page' and kind = 'file_lost'")
    assert len(pages) == 2 and row["sha256"] in pages[0]["message"]
    assert row["path"] not in two_places(night)
    flip(ours)  # somebody restores it
    assert not mend_now(copied).lost
    assert two_places(night) == all_files(night)


def test_while_the_copies_are_away_a_damaged_file_waits_and_is_not_called_lost(copied, night):
    row = one(night)
    flip(paths_of(copied, row)[0])
    root = place_of(copied).root
    root.rename(root.with_name("unplugged"))
    done = verify_night_again(copied, NIGHT)
    assert done.damaged == [row["path"]] and not done.lost and "not mounted" in done.trouble
    assert not events(night, "file_lost")
    root.with_name("unplugged").rename(root)
    assert mend_now(copied).mended == [row["path"]]


def test_an_archive_whose_disk_is_away_has_no_damaged_files(copied, night):
    from nightshift.health import storage_trouble

    assert not storage_trouble(copied)
    root = copied.depot.root / "archive"
    root.rename(root.with_name("unplugged"))
    root.mkdir()
    with pytest.raises(Retry, match="not mounted"):
        verify_night_again(copied, NIGHT)
    assert not night.query("select * from damaged_files") and two_places(night) == all_files(night)


def test_what_was_read_longest_ago_comes_first_and_a_day_reads_no_more_than_it_may(copied, night, monkeypatch):
    monkeypatch.setattr(rota, "BATCH", 1)
    assert verify_old_nights(copied).files == 0  # all was read today
    night.query("update archive_files set verified_at = now() - interval '80 days'")
    night.query("update archive_files set verified_at = now() - interval '95 days' where kind = 'raw'")
    bounded = with_copies(copied, verify_gb_a_day=1e-9)
    assert verify_old_nights(bounded).files == 1
    assert len(night.query("select * from archive_files where verified_at > now() - interval '1 day'")) == 1
    assert len(events(night, "archive_not_verified_in_time")) == 1
    verify_old_nights(bounded)
    assert len(events(night, "archive_not_verified_in_time")) <= 1
    assert verify_old_nights(copied).files == len(all_files(night)) - 2
    assert len(events(night, "archive_verified_in_time")) == 1
    assert verify_old_nights(copied).files == 0


def test_a_later_version_that_links_to_a_damaged_file_is_mended_with_it(copied, night):
    row = one(night)
    ours, copy = paths_of(copied, row)
    linked = ours.parents[len(ours.relative_to(copied.depot.root / "archive/2026/0115").parts) - 1] / "v2" / ours.name
    linked.parent.mkdir()
    os.link(ours, linked)
    flip(ours)
    verify_night_again(copied, NIGHT)
    assert linked.read_bytes() == copy.read_bytes() and linked.samefile(ours)


def test_what_comes_into_the_archive_of_a_closed_night_is_copied_too(copied, night):
    content = b"events of long ago"
    (night_folder(copied, NIGHT) / "events.jsonl").write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    add_to_archive(copied, NIGHT, "events.jsonl", kind="events", sha256=digest, size=len(content))
    assert two_places(night) < all_files(night)
    verify_old_nights(copied)
    assert copy_what_is_due(copied, at_most_s=60).files == 1
    assert two_places(night) == all_files(night)


# --- restoring ---------------------------------------------------------------------------------------------


def test_a_night_is_restored_from_its_copies_alone(copied, night, tmp_path):
    place, site = place_of(copied), copied.site.name
    expected = {
        path.relative_to(copied.depot.root / "archive"): path.read_bytes()
        for path in (copied.depot.root / "archive" / "2026" / "0115").rglob("*") if path.is_file()
    }  # fmt: skip
    done = restore(place, site, NIGHT, tmp_path / "back")
    found = {p.relative_to(tmp_path / "back"): p.read_bytes() for p in (tmp_path / "back").rglob("*") if p.is_file()}
    assert found == expected and not done.faults and len(expected) == done.files
    assert any(path.name == "SHA256SUMS" for path in found)
    assert restore(place, site, NIGHT, tmp_path / "back") == done  # once more: nothing to do


def test_a_damaged_copy_is_a_fault_and_appears_under_no_name(copied, night, tmp_path):
    row = one(night)
    flip(paths_of(copied, row)[1])
    done = restore(place_of(copied), copied.site.name, NIGHT, tmp_path / "back")
    assert [fault for fault in done.faults if row["path"] in fault and "damaged" in fault]
    assert not (tmp_path / "back" / row["path"]).exists()


def test_a_file_that_is_there_and_differs_is_not_written_over(copied, night, tmp_path):
    row = one(night)
    other = tmp_path / "back" / row["path"]
    other.parent.mkdir(parents=True)
    other.write_bytes(b"somebody's")
    done = restore(place_of(copied), copied.site.name, NIGHT, tmp_path / "back")
    assert len(done.faults) == 1 and other.read_bytes() == b"somebody's"


def test_an_index_that_is_not_there_or_climbs_out_of_the_folder_is_refused(copied, tmp_path):
    place, site = place_of(copied), copied.site.name
    with pytest.raises(BadInput, match="was not copied there whole"):
        restore(place, "elsewhere", NIGHT, tmp_path / "back")
    index = place.root / "2026" / "0115" / f"index_{site}.json"
    said = json.loads(index.read_text())
    said["files"][0]["path"] = "../../climbs"
    index.write_text(json.dumps(said))
    with pytest.raises(NeedsOperator, match="damaged"):
        restore(place, site, NIGHT, tmp_path / "back")
    assert not (tmp_path / "back").exists()
