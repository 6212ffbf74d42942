"""A night's archive is a bag that other tools read, sealed when the night is closed and never changed after that."""

import errno
import os
import subprocess
import threading

import bagit
import pytest
from night_rows import ARRIVED, NIGHT, digest

from nightshift.archive import placing
from nightshift.archive.night_archive import add_to_archive, archive, not_archived, verify
from nightshift.archive.night_folder import NightFolder
from nightshift.errors import NeedsOperator, Retry
from nightshift.files import write_whole
from nightshift.ledger import Ledger
from nightshift.ledger.advisory_lock import LockedWork, advisory_lock
from nightshift.night_end.close import close
from nightshift.settings.archive import ArchivePolicy

pytestmark = pytest.mark.integration


@pytest.fixture
def filled(night):
    night.science(1)
    night.alerts(1, [(150.1, 22.2), (150.2, 22.1)], night.reference())
    night.manifest()
    return night


@pytest.fixture
def no_links(monkeypatch):
    """An archive on another file system."""

    def refuse(*_, **__):
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(placing.os, "link", refuse)


def closed(context):
    """Archive, verify and close the night, and return the folder of its last bag."""
    archive(context, NIGHT)
    assert verify(context, NIGHT).good
    assert close(context, NIGHT) == "closed"
    folder = NightFolder(context, NIGHT)
    return folder.path / folder.bags()[-1].name


def reopened(filled):
    filled.query("update nights set state = 'closing', closed_at = null")


def check_by_other_tools(bag):
    bagit.Bag(str(bag)).validate()
    for manifest in ("manifest-sha256.txt", "tagmanifest-sha256.txt"):
        done = subprocess.run(["sha256sum", "--check", "--strict", "--quiet", manifest], cwd=bag, capture_output=True)
        assert done.returncode == 0, done.stderr


def snapshot(folder):
    """Everything of a folder that a change would show in."""
    return {
        path.relative_to(folder): (path.lstat().st_ino, path.lstat().st_mtime_ns, path.is_dir() or path.read_bytes())
        for path in folder.rglob("*")
    }


def states(filled):
    rows = filled.query(
        "select version, complete, sealed_at is not null as sealed from archive_bags order by version"
    )
    return [tuple(row.values()) for row in rows]


def test_a_closed_night_is_a_sealed_bag_that_bagit_and_sha256sum_find_valid(context, filled):
    archive(context, NIGHT)
    assert states(filled) == [(1, True, False)]
    bag = closed(context)
    assert states(filled) == [(1, True, True)]
    assert bag.name == "demo_20260115_v1"
    check_by_other_tools(bag)
    info = bagit.Bag(str(bag)).info
    assert info["Night"] == "2026-01-15" and info["Site"] == context.site.name and info["Survey"] == "demo"
    assert info["Bag-Version"] == "1" and info["Settings-Hash"].startswith("democam ")
    assert "raw 2" in info["Files"] and "alerts 1" in info["Files"]
    payload = [path for path in (bag / "data").rglob("*") if path.is_file()]
    assert info["Payload-Oxum"] == f"{sum(path.stat().st_size for path in payload)}.{len(payload)}"


def test_a_night_that_is_closed_again_with_something_new_is_a_new_version_and_the_sealed_one_stays(context, filled):
    replaced = filled.product("democam/x", "calibrated", b"as it was")
    filled.query("update products set path = 'processed/x.bin' where product_key = %s", replaced)
    write_whole(context.depot.root / "processed/x.bin", b"as it was")
    first = closed(context)
    before = snapshot(first)
    reopened(filled)
    filled.science(2)
    filled.manifest()
    write_whole(context.depot.root / "processed/x.bin", b"made again")
    filled.query(
        "update products set sha256 = %s, bytes = 10 where product_key = %s", digest(b"made again"), replaced
    )
    second = closed(context)
    assert states(filled) == [(1, True, True), (2, True, True)]
    assert snapshot(first) == before
    for bag in (first, second):
        check_by_other_tools(bag)
    changes = (second / "changes.txt").read_text().splitlines()
    assert "replaced data/processed/x.bin" in changes
    assert sum(line.startswith("added data/raw/") for line in changes) == 2
    assert len([line for line in changes if line.startswith("replaced")]) == 1
    info = bagit.Bag(str(second)).info
    assert info["Previous-Version"] == first.name and info["Changes"].startswith(
        f"{len(changes) - 1} added, 1 replaced"
    )
    unchanged = next((first / "data" / "raw").rglob("*_d01.fits")).relative_to(first)
    assert (first / unchanged).samefile(second / unchanged)
    rows = filled.query("select path from archive_files where kind = 'raw' order by path")
    assert [row["path"].split("/")[2] for row in rows] == [first.name] * 2 + [second.name] * 2


def test_a_night_that_is_closed_again_with_nothing_new_keeps_its_bag(context, filled):
    bag = closed(context)
    before = snapshot(bag.parent / bag.name)
    reopened(filled)
    assert closed(context) == bag and states(filled) == [(1, True, True)] and snapshot(bag) == before


def test_what_housekeeping_removed_from_the_depot_is_in_the_next_version_too(context, filled):
    key = filled.product("democam/x", "calibrated", b"pixels")
    bag = closed(context)
    (row,) = filled.query("update products set deleted_at = now() where product_key = %s returning path", key)
    context.depot.absolute(row["path"]).unlink()
    reopened(filled)
    filled.science(2)
    filled.manifest()
    second = closed(context)
    check_by_other_tools(second)
    assert second != bag and (second / "data" / row["path"]).read_bytes() == b"pixels"


def test_a_file_that_changed_and_changed_back_is_what_it_is_now(context, filled):
    key = filled.product("democam/x", "calibrated", b"one")
    (row,) = filled.query("select path from products where product_key = %s", key)
    for content in (b"two", b"one"):
        closed(context)
        reopened(filled)
        write_whole(context.depot.absolute(row["path"]), content)
        filled.query("update products set sha256 = %s, bytes = 3 where product_key = %s", digest(content), key)
        assert [fault.path for fault in not_archived(context, NIGHT)] == [row["path"]]
    assert (closed(context) / "data" / row["path"]).read_bytes() == b"one"


def test_where_no_links_are_a_new_version_holds_copies_that_are_read_back_and_mended(context, filled, no_links):
    first = closed(context)
    reopened(filled)
    filled.science(2)
    filled.manifest()
    archive(context, NIGHT)
    second = first.with_name("demo_20260115_v2")
    copy = next((second / "data" / "raw").rglob("demo_00000000000001_d01.fits"))
    assert copy.stat().st_nlink == 1
    copy.write_bytes(b"R" + copy.read_bytes()[1:])
    found = verify(context, NIGHT, unread_only=True)
    assert [fault.text for fault in found.faults] == [
        "its content differs from its checksum", "the bag is not finished; archive the night again"
    ]  # fmt: skip
    assert closed(context) == second
    check_by_other_tools(second)


def test_only_the_kinds_that_the_settings_keep_are_archived_and_waited_for(context, filled):
    policy = ArchivePolicy(keep=("raw", "product/cutouts"), threads=2)
    context = context.with_survey(context.survey.model_copy(update={"archive": policy}))
    check_by_other_tools(closed(context))
    kinds = {row["kind"] for row in filled.query("select kind from archive_files")}
    assert kinds == {"raw", "product/cutouts", "bag"}


def test_a_night_that_was_archived_before_there_were_bags_is_verified_and_can_be_bagged(context, night):
    night.frame(1, listed=False)
    (raw,) = night.query("select path, sha256, bytes from raw_frames")
    folder = NightFolder(context, NIGHT)
    place = folder.path / raw["path"]
    place.parent.mkdir(parents=True)
    place.hardlink_to(context.depot.absolute(raw["path"]))
    night.insert(
        "archive_files", site=night.site, night=NIGHT, path=f"2026/0115/{raw['path']}", kind="raw",
        source=raw["path"], sha256=raw["sha256"], bytes=raw["bytes"], verified_at=ARRIVED,
    )  # fmt: skip
    before = night.query("select * from archive_files where kind = 'raw'")
    assert verify(context, NIGHT, unread_only=True).good and states(night) == []
    night.query("update nights set state = 'closed'")
    archive(context, NIGHT)
    assert night.query("select * from archive_files where kind = 'raw'") == before
    assert verify(context, NIGHT).good
    assert states(night) == [(1, True, True)]
    check_by_other_tools(folder.path / "demo_20260115_v1")


def test_a_name_with_a_line_end_is_in_the_bag_by_its_number(context, filled):
    path = context.depot.root / "processed" / "a\nname.bin"
    write_whole(path, b"odd")
    key = filled.product("democam/x", "calibrated", b"odd")
    filled.query("update products set path = %s where product_key = %s", "processed/a\nname.bin", key)
    bag = closed(context)
    bagit.Bag(str(bag)).validate()
    assert "  data/processed/a%0Aname.bin\n" in (bag / "manifest-sha256.txt").read_text()
    done = subprocess.run(["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"], cwd=bag.parent)
    assert done.returncode == 0


def test_the_tar_of_alerts_is_written_again_only_where_there_are_other_alerts(context, filled):
    archive(context, NIGHT)
    tar = NightFolder(context, NIGHT).path / "demo_20260115_v1" / "data" / "demo_20260115_alerts.tar"
    before = tar.stat().st_ino
    archive(context, NIGHT)
    assert tar.stat().st_ino == before
    filled.science(2)
    filled.alerts(2, [(150.3, 22.2)], "reference/000101/democam/d01/q1/g/v1/live")
    archive(context, NIGHT)
    assert tar.stat().st_ino != before and verify(context, NIGHT).good


# --- what goes wrong ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EIO, errno.EDQUOT])
def test_an_archive_that_takes_no_more_is_said_and_gone_on_from(context, filled, monkeypatch, code):
    link, calls = os.link, []

    def fill_up(source, target, **options):
        calls.append(target)
        if len(calls) > 3:
            raise OSError(code, os.strerror(code))
        link(source, target, **options)

    monkeypatch.setattr(placing, "BATCH_FILES", 2)
    monkeypatch.setattr(placing.os, "link", fill_up)
    monkeypatch.setattr(placing, "appearing", _raising(code))
    with pytest.raises(Retry, match=r"does not take what belongs there.*archiving the night again goes on"):
        archive(context, NIGHT)
    assert len(filled.query("select * from archive_files")) == 2  # a batch
    assert not verify(context, NIGHT).good
    monkeypatch.undo()
    check_by_other_tools(closed(context))
    assert not (NightFolder(context, NIGHT).path / ".unfinished").exists()


def _raising(code):
    def appearing(*_):
        raise OSError(code, os.strerror(code))

    return appearing


def test_a_copy_of_a_source_that_is_not_what_it_was_is_not_entered(context, filled, no_links):
    raw = next((context.depot.root / "raw").rglob("*_d02.fits"))
    raw.write_bytes(b"R" + raw.read_bytes()[1:])
    archive(context, NIGHT)
    source = context.depot.relative(raw)
    assert [fault.path for fault in verify(context, NIGHT).faults] == [source]
    messages = [row["message"] for row in filled.query("select message from events where kind = 'archive_fault'")]
    assert any(f"{raw}: its content differs from its checksum" in message for message in messages)


@pytest.mark.parametrize("spoil", ["grown", "a link to another file", "gone"])
def test_a_source_that_is_no_longer_what_was_hashed_is_not_linked(context, filled, spoil):
    raw = next((context.depot.root / "raw").rglob("*_d02.fits"))
    source, content = context.depot.relative(raw), raw.read_bytes()
    raw.unlink()
    if spoil == "grown":
        raw.write_bytes(content + b"more")
    elif spoil != "gone":
        raw.symlink_to("/etc/passwd")
    archive(context, NIGHT)
    assert [fault.path for fault in not_archived(context, NIGHT)] == [source]
    raw.unlink(missing_ok=True)
    raw.write_bytes(content)
    check_by_other_tools(closed(context))


def test_a_depot_that_lost_many_files_calls_a_human_once(context, filled):
    for number in range(2, 9):
        filled.science(number)
    for raw in (context.depot.root / "raw").rglob("*.fits"):
        raw.unlink()
    archive(context, NIGHT)
    (told,) = filled.query("select message from events where kind = 'archive_fault'")
    assert told["message"].startswith("16 files of the night: ")


def test_who_was_called_hears_once_that_the_archive_is_good_again(context, filled):
    raw = next((context.depot.root / "raw").rglob("*_d02.fits"))
    content = raw.read_bytes()
    raw.unlink()
    archive(context, NIGHT)
    assert not verify(context, NIGHT).good
    raw.write_bytes(content)
    archive(context, NIGHT)
    for _ in range(2):
        assert verify(context, NIGHT).good
    assert len(filled.query("select * from events where kind = 'archive_good'")) == 1


def test_what_a_killed_process_placed_and_nobody_wants_leaves_the_bag(context, filled):
    archive(context, NIGHT)
    data = NightFolder(context, NIGHT).path / "demo_20260115_v1" / "data"
    linked, alone = data / "raw" / "stray.fits", data / "alone.fits"
    os.link(next((context.depot.root / "raw").rglob("*.fits")), linked)
    alone.write_bytes(b"the last of its kind")
    filled.science(2)
    filled.manifest()
    check_by_other_tools(closed(context))
    assert not linked.exists() and not alone.exists()
    aside = data.parents[1] / "set_aside" / "demo_20260115_v1" / "alone.fits"
    assert aside.read_bytes() == b"the last of its kind"
    (told,) = filled.query("select message from events where kind = 'archive_set_aside'")
    assert "alone.fits" in told["message"]


def test_two_archivings_at_once_wait_for_each_other(context, filled, ledger_url, monkeypatch):
    busy, errors = threading.Event(), []

    def second():
        with Ledger(ledger_url) as ledger:
            busy.set()
            try:
                archive(type(context)(context.deployment, ledger, *_rest(context)), NIGHT)
            except NeedsOperator as error:
                errors.append(error)

    other = threading.Thread(target=second)
    with advisory_lock(context.ledger, LockedWork.ARCHIVE, NightFolder(context, NIGHT).of_lock):
        other.start()
        busy.wait(20)
        other.join(0.5)
        assert other.is_alive() and filled.query("select * from archive_files") == []
    other.join(60)
    assert not errors and archive(context, NIGHT).added == 0 and verify(context, NIGHT).good


def _rest(context):
    return context.depot, context.inbox, context.clock


def test_late_events_do_not_change_a_sealed_bag(context, filled):
    bag = closed(context)
    before = snapshot(bag)
    write_whole(bag.parent / "events_1_2.jsonl", b"{}\n")
    add_to_archive(context, NIGHT, "events_1_2.jsonl", kind="events", sha256=digest(b"{}\n"), size=3)
    assert snapshot(bag) == before and archive(context, NIGHT).added == 0 and states(filled) == [(1, True, True)]
    assert verify(context, NIGHT).good
