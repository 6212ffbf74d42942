"""The archive holds every byte of the night and notices when one changes."""

import subprocess
import tarfile

import pytest
from night_rows import NIGHT

import nightshift.archive.placing as module
from nightshift.archive.night_archive import archive, verify

pytestmark = pytest.mark.integration


@pytest.fixture
def filled(night):
    night.science(1)
    night.product(f"democam/{1:014d}/d01/q1/processed/live", "calibrated", b"pixels")
    night.alerts(1, [(150.1, 22.2), (150.2, 22.1)], night.reference())
    night.manifest()
    return night


def test_every_file_of_the_night_is_archived_with_a_checksum_that_sha256sum_accepts(context, filled):
    done = archive(context, NIGHT)
    kinds = {r["kind"] for r in filled.query("select kind from archive_files")}
    assert kinds == {
        "raw", "manifest", "packets", "alerts", "product/calibrated", "product/reference", "product/cutouts", "bag",
    }  # fmt: skip
    checked = subprocess.run(
        ["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=done.folder, capture_output=True, text=True
    )
    assert checked.returncode == 0, checked.stderr
    assert checked.stdout.count(": OK\n") == done.files == 8 + 4
    found = verify(context, NIGHT)
    assert found.good and found.files == 8 + 4
    assert filled.query("select count(*) as n from archive_files where verified_at is null")[0]["n"] == 0


def test_what_lies_in_quarantine_is_archived_too_and_what_a_person_took_out_is_not(context, filled):
    for name in ("bad.fits", "other.fits", "good after all.fits"):
        key = filled.arrival(name, name.encode(), "quarantined", reason="truncated_file")
    filled.query(
        "update quarantine set disposed_at = now(), disposed_by = 'mira', disposed_as = 'accepted' "
        f"where arrival_key = '{key}'"
    )
    done = archive(context, NIGHT)
    assert verify(context, NIGHT).good
    kept = [r["path"] for r in filled.query("select path from archive_files where kind = 'quarantine'")]
    contents = {(done.folder.parents[1] / path).read_bytes() for path in kept}
    assert contents == {b"bad.fits", b"other.fits"}


def test_the_nightly_tar_holds_each_alert_once_in_the_order_of_its_number(context, filled):
    done = archive(context, NIGHT)
    with tarfile.open(done.folder / "demo_20260115_v1/data/demo_20260115_alerts.tar") as tar:
        assert tar.getnames() == ["1001.avro", "1002.avro"]
        assert tar.extractfile("1002.avro").read() == b"packet 1002" * 20


def test_archiving_again_changes_no_row_and_no_file(context, filled):
    archive(context, NIGHT)
    verify(context, NIGHT)
    rows = filled.query("select * from archive_files order by path")
    again = archive(context, NIGHT)
    assert again.added == 0
    assert filled.query("select * from archive_files order by path") == rows
    assert not [p for p in again.folder.rglob("*") if p.name.endswith(".tmp")]


def test_an_archive_on_another_file_system_holds_copies(context, filled, monkeypatch):
    def refuse(*_, **__):
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(module.os, "link", refuse)
    done = archive(context, NIGHT)
    assert verify(context, NIGHT).good
    raw = next(done.folder.rglob("demo_*_d01.fits"))
    assert raw.stat().st_nlink == 1


def test_a_corrupted_file_is_found_and_a_human_is_called_once(context, filled):
    done = archive(context, NIGHT)
    assert verify(context, NIGHT).good
    broken = next(done.folder.rglob("demo_*_d01.fits"))
    content = broken.read_bytes()
    broken.unlink()  # the depot's own file is another name of it
    broken.write_bytes(content[:-1] + b"!")
    for _ in range(2):
        found = verify(context, NIGHT)
        assert [(f.path, f.text) for f in found.faults] == [
            (broken.relative_to(context.depot.root / "archive").as_posix(), "its content differs from its checksum")
        ]
    assert filled.query("select count(*) as n from archive_files where verified_at is null")[0]["n"] == 1
    assert filled.query("select count(*) as n from events where level = 'page'")[0]["n"] == 1


def test_a_file_that_is_lost_from_the_depot_does_not_stop_the_others(context, filled):
    lost = next((context.depot.root / "raw").rglob("demo_*_d02.fits"))
    lost.unlink()
    done = archive(context, NIGHT)
    assert done.files == 7 + 4
    found = verify(context, NIGHT)
    assert [f.path for f in found.faults] == [context.depot.relative(lost)]
    assert "it is not there" in filled.query("select message from events where level = 'page'")[0]["message"]


def test_a_packet_that_is_not_what_was_sent_is_not_published_again(context, filled):
    tar = next((context.depot.root / "alerts").rglob("*.tar"))
    tar.write_bytes(tar.read_bytes().replace(b"packet 1001", b"packet 6666"))
    done = archive(context, NIGHT)
    assert not list(done.folder.rglob("demo_20260115_alerts.tar"))
    assert not verify(context, NIGHT).good


def test_what_comes_after_the_archive_was_made_is_found_missing_and_then_added(context, filled):
    archive(context, NIGHT)
    filled.frame(2, 1)
    assert len(verify(context, NIGHT).faults) == 1
    assert archive(context, NIGHT).added == 1
    assert verify(context, NIGHT).good
