"""A backup in its folder: what makes it one, and what is wrong with it."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from nightshift.backup.backup_files import Backup, Manifest, backup_at, backups_in, name_of, newest_good, unfinished
from nightshift.errors import BadInput
from nightshift.files import write_whole

TAKEN = datetime(2026, 1, 16, 19, 0, 5, tzinfo=UTC)


def written(folder: Path, *, at: datetime = TAKEN, content: bytes = b"PGDMP rows", survey: str = "demo") -> Backup:
    backup = Backup(folder, name_of(survey, at))
    sha256 = write_whole(backup.dump, content)
    backup.write_manifest(
        Manifest(
            survey=survey,
            revision="0025",
            code_version="c",
            taken_at=at,
            server_version=160014,
            lsn="0/1",
            newest_night="demo/2026-01-15 closed",
            rows={"nights": 1},
            checksums={"nights": "5"},
            fingerprint="f",
            bytes=len(content),
            database_bytes=1000,
            sha256=sha256,
        )
    )
    return Backup(folder, backup.name)


def test_a_manifest_is_read_as_it_was_written(tmp_path):
    backup = written(tmp_path)
    assert backup.name == "ledger_demo_20260116T190005Z"
    assert backup.manifest.taken_at == backup.taken_at == TAKEN
    assert backup.manifest.rows == {"nights": 1}
    assert backup.fault() == ""


@pytest.mark.parametrize(
    ("harm", "says"),
    [
        (lambda b: b.dump.write_bytes(b.dump.read_bytes()[:-1]), "has 9 bytes, and its manifest says 10"),
        (lambda b: b.dump.write_bytes(b"PGDMQ rows"), "has another sha256"),
        (lambda b: b.dump.unlink(), "No such file"),
        (lambda b: b.manifest_path.write_text("{"), "Expecting property name"),
        (lambda b: b.manifest_path.write_text('{"format": "other"}'), "its format is not"),
        (lambda b: b.manifest_path.write_text('{"format": "nightshift.ledger-backup/1"}'), "its keys are not those"),
    ],
)
def test_what_is_wrong_with_a_backup_is_said_with_the_files_name(tmp_path, harm, says):
    backup = written(tmp_path)
    harm(backup)
    fault = Backup(tmp_path, backup.name).fault()
    assert says in fault and backup.name in fault


def test_the_newest_whole_backup_is_found_past_a_damaged_one(tmp_path):
    old, new = written(tmp_path), written(tmp_path, at=TAKEN.replace(day=17))
    new.dump.write_bytes(b"x")
    assert [b.name for b in backups_in(tmp_path, "demo")] == [new.name, old.name]
    found, faults = newest_good(tmp_path, "demo")
    assert found == old and len(faults) == 1 and new.name in faults[0]


def test_a_dump_without_a_manifest_is_no_backup_and_another_surveys_is_left_alone(tmp_path):
    other = written(tmp_path, survey="ztf")
    half = tmp_path / f"{name_of('demo', TAKEN)}.dump"
    half.write_bytes(b"PGD")
    draft = tmp_path / f".{name_of('demo', TAKEN)}.dump.abc.tmp"
    draft.write_bytes(b"PG")
    (tmp_path / "notes.txt").write_text("mine")
    assert backups_in(tmp_path, "demo") == []
    assert sorted(unfinished(tmp_path, "demo")) == sorted([half, draft])
    assert backups_in(tmp_path, "ztf") == [other]


@pytest.mark.parametrize("name", ["notes.txt", "ledger_demo_2026.dump", "../ledger_demo_20260116T190005Z.tar"])
def test_a_file_that_is_no_backup_is_refused_by_its_name(tmp_path, name):
    with pytest.raises(BadInput, match="is no backup"):
        backup_at(tmp_path / name)


def test_a_manifest_with_a_key_too_many_is_refused(tmp_path):
    table = written(tmp_path).manifest.as_json() | {"extra": 1}
    with pytest.raises(ValueError, match="extra"):
        Manifest.of_json(table)
