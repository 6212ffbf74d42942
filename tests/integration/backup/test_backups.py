"""Backups of a real ledger: taken, verified, rehearsed, copied, and what goes wrong with them."""

import errno
import json

import pytest

from nightshift.backup import backup_state
from nightshift.backup.backup_files import Backup, backups_in
from nightshift.backup.dumping import backup_folder, take_backup
from nightshift.backup.ledger_contents import contents_of
from nightshift.backup.restore_rehearsal import rehearse
from nightshift.errors import NeedsOperator, NightshiftError, Retry
from nightshift.ingest.ingest import ingest_all
from nightshift.ledger import open_ledger
from nightshift.ledger.advisory_lock import Busy, LockedWork, advisory_lock
from nightshift.ledger.queries import backup as backup_queries
from nightshift.settings.backup import BackupPolicy

pytestmark = pytest.mark.integration


@pytest.fixture
def filled(context, frames):
    """A ledger with some frames of a night."""
    ingest_all(context, [frames(number, detector) for number in range(3) for detector in (1, 2)])
    return context


def with_policy(context, **keys):
    return context.with_survey(context.survey.model_copy(update={"backup": BackupPolicy(**keys)}))


def events(context, kind: str) -> list[str]:
    with context.ledger.connection.cursor() as cursor:
        cursor.execute("select level::text as level from events where kind = %s order by event_id", (kind,))
        return [row["level"] for row in cursor.fetchall()]


def test_a_backup_is_read_back_and_its_manifest_says_what_is_in_it(filled):
    before = contents_of(filled.ledger)
    taken = take_backup(filled)
    told = json.loads(taken.backup.manifest_path.read_text())
    assert told["rows"] == before.rows and told["checksums"] == before.checksums
    assert told["rows"]["raw_frames"] == 6
    assert told["survey"] == "demo"
    assert told["newest_night"] == "demo/2026-01-15 open"
    assert taken.backup.fault() == ""
    assert [b.name for b in backups_in(backup_folder(filled), "demo")] == [taken.backup.name]
    assert backup_state(filled).newest == taken.backup.name


def test_a_backup_is_of_one_moment_while_the_night_goes_on(filled, frames, ledger_url, monkeypatch):
    """A frame that comes between the snapshot and the dump is in neither."""
    from nightshift.backup import dumping

    write = dumping._write_dump

    def write_later(*arguments):
        with open_ledger(ledger_url) as other:
            ingest_all(type(filled)(filled.deployment, other, filled.depot, filled.inbox, filled.clock), [frames(9)])
        return write(*arguments)

    monkeypatch.setattr(dumping, "_write_dump", write_later)
    taken = take_backup(filled)
    assert taken.manifest.rows["raw_frames"] == 6
    assert contents_of(filled.ledger).rows["raw_frames"] == 7
    assert "as they were" in str(rehearse(filled))


def test_a_rehearsed_restore_finds_every_row_as_it_was_and_leaves_nothing_behind(filled, tmp_path):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    for folder in (scratch, *list(scratch.parents)[:-2]):
        folder.chmod(0o755)  # as root the server runs as nobody
    own = with_policy(filled, scratch=str(scratch))
    taken = take_backup(own)
    assert rehearse(own).backup == taken.backup
    step = backup_queries.last_step(own.ledger, step="rehearsal")
    assert step.good and step.backup == taken.backup.name
    assert list(scratch.iterdir()) == []
    assert backup_state(own).troubles == ()


def test_a_backup_of_which_a_row_differs_fails_its_rehearsal_and_calls_a_human_once(filled):
    taken = take_backup(filled)
    table = json.loads(taken.backup.manifest_path.read_text())
    table["checksums"]["raw_frames"] = "1"
    taken.backup.manifest_path.write_text(json.dumps(table))
    for _ in range(2):
        with pytest.raises(NeedsOperator, match="raw_frames has as many rows as before, and not the same content"):
            rehearse(filled)
    assert events(filled, "rehearsal_failed") == ["page"]
    assert any("raw_frames" in trouble for trouble in backup_state(filled).troubles)
    take_backup(filled)
    rehearse(filled)
    assert events(filled, "rehearsal_works_again") == ["info"]


def test_a_damaged_newest_backup_fails_the_rehearsal_by_its_name(filled):
    taken = take_backup(filled)
    content = bytearray(taken.backup.dump.read_bytes())
    content[len(content) // 2] ^= 1
    taken.backup.dump.write_bytes(content)
    with pytest.raises(NeedsOperator, match=f"{taken.backup.name}.dump has another sha256"):
        rehearse(filled)


def test_a_full_disk_leaves_the_earlier_backup_and_is_said_once(filled, monkeypatch):
    from nightshift.backup import dumping

    first = take_backup(filled)

    class Full:
        def __enter__(self):
            return self

        def __exit__(self, *_):
            return None

        def write(self, _):
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(dumping, "new_file", lambda path: Full())
    for _ in range(2):
        with pytest.raises(NeedsOperator, match="No space left on device"):
            take_backup(filled)
    assert events(filled, "backup_failed") == ["error"]
    assert [b.name for b in backups_in(backup_folder(filled), "demo")] == [first.backup.name]
    monkeypatch.undo()
    take_backup(filled)
    assert events(filled, "backup_works_again") == ["info"]


def test_no_backup_is_begun_where_there_is_no_room_for_it(filled, monkeypatch):
    from nightshift.backup import dumping

    monkeypatch.setattr(dumping, "SHARE", 1e9)
    with pytest.raises(Retry, match="MB left, and a backup of the ledger needs"):
        take_backup(filled)
    assert backups_in(backup_folder(filled), "demo") == []


def test_two_backups_at_once_are_one(filled, ledger_url):
    with open_ledger(ledger_url) as other, advisory_lock(other, LockedWork.BACKUP), pytest.raises(Busy):
        take_backup(filled)
    assert backup_queries.last_step(filled.ledger, step="backup") is None  # it is no failure


def test_a_backup_is_copied_to_another_disk_and_read_back_there(filled, tmp_path):
    own = with_policy(filled, copy_to=str(tmp_path / "other"))
    with pytest.raises(NeedsOperator, match="is good and was not copied"):
        take_backup(own)
    assert any("is on one disk alone" in trouble for trouble in backup_state(own).troubles)
    (tmp_path / "other").mkdir()
    taken = take_backup(own)
    twin = Backup(tmp_path / "other", taken.backup.name)
    assert twin.fault() == "" and twin.manifest == taken.manifest
    assert backup_state(own).troubles == ()


def test_what_a_killed_backup_left_is_removed_by_the_next(filled):
    folder = backup_folder(filled)
    folder.mkdir()
    (folder / ".ledger_demo_20260101T000000Z.dump.abc.tmp").write_bytes(b"x")
    (folder / "ledger_demo_20260101T000000Z.dump").write_bytes(b"x")
    taken = take_backup(filled)
    assert sorted(folder.iterdir()) == [taken.backup.dump, taken.backup.manifest_path]


def test_the_rota_removes_old_ones_and_never_the_newest(filled):
    own = with_policy(filled, daily=1, weekly=0, monthly=0)
    first = take_backup(own)
    old = Backup(first.backup.folder, "ledger_demo_20250101T000000Z")
    first.backup.dump.rename(old.dump)
    first.backup.manifest_path.rename(old.manifest_path)
    second = take_backup(own)
    assert second.removed == (old.name,)
    assert [b.name for b in backups_in(backup_folder(own), "demo")] == [second.backup.name]


def test_a_ledger_without_a_backup_is_a_trouble(context):
    state = backup_state(context)
    assert state.newest_age_h is None
    assert state.troubles == ("The ledger has no backup: `nightshift backup now` takes one.",)


def test_the_password_is_on_no_command_line(filled, monkeypatch):
    """Every user of the machine can read what commands were called with."""
    import subprocess

    called = []
    start = subprocess.Popen.__init__

    def noted(self, arguments, *rest, **named):
        called.append(" ".join(map(str, arguments)))
        start(self, arguments, *rest, **named)

    monkeypatch.setattr(subprocess.Popen, "__init__", noted)
    take_backup(filled)
    from psycopg2.extensions import parse_dsn

    password = parse_dsn(filled.ledger.url)["password"]
    assert any("pg_dump" in line for line in called)
    assert not any(password in line for line in called)


def test_a_server_that_no_program_here_fits_is_said_with_what_to_do(filled):
    own = with_policy(filled, programs="/nowhere")
    with pytest.raises(NightshiftError, match="its programs here are none"):
        take_backup(own)
