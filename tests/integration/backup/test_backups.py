"""Backups of a real ledger: taken, verified, rehearsed."""

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from nightshift.backup.backup_files import Backup, backups_in
from nightshift.backup.contents import contents_of
from nightshift.backup.dumping import backup_folder, take_backup
from nightshift.backup.restore_rehearsal import rehearse
from nightshift.ingest.ingest import ingest_all
from nightshift.ledger.queries import backup as backup_queries

pytestmark = pytest.mark.integration


@pytest.fixture
def filled(context, frames):
    """A ledger with some frames of a night."""
    ingest_all(context, [frames(number, detector) for number in range(3) for detector in (1, 2)])
    return context


def test_a_backup_is_read_back_and_its_manifest_says_what_is_in_it(filled):
    before = contents_of(filled.ledger)
    taken = take_backup(filled)
    told = json.loads(taken.backup.manifest_path.read_text())
    assert told["rows"] == before.rows and told["checksums"] == before.checksums
    assert told["rows"]["raw_frames"] == 6
    assert (told["survey"], told["revision"]) == ("demo", "0025")
    assert told["newest_night"] == "demo/2026-01-15 open"
    assert taken.backup.fault() == ""
    assert [b.name for b in backups_in(backup_folder(filled), "demo")] == [taken.backup.name]


def test_a_rehearsed_restore_finds_every_row_as_it_was(filled):
    taken = take_backup(filled)
    rehearsal = rehearse(filled)
    assert rehearsal.backup == taken.backup
    step = backup_queries.last_step(filled.ledger, step="rehearsal")
    assert step.good and step.backup == taken.backup.name
