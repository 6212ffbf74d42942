"""Events of long ago move into the archive and only then leave the ledger; the audit stays."""

import hashlib
import json
import subprocess
import threading
import time

import psycopg2
import pytest
from night_rows import NIGHT

import nightshift.archive.night_archive as archiving
from nightshift.archive.night_archive import archive, verify
from nightshift.command_line import main
from nightshift.health import storage_trouble
from nightshift.health.storage import MARKER
from nightshift.night_end import old_events

pytestmark = pytest.mark.integration


@pytest.fixture
def story(night):
    """A closed night, and events of it and of long ago."""
    night.science(1)
    night.query("update nights set state = 'closed'")
    said = ((800, "a"), (790, "night_closed"), (500, "b"), (10, "recent"), (450, "c"), (399, "d"), (0, "e"))
    for days, kind in said:
        night.query(
            "insert into events (at, level, kind, message, detail)"
            " values (now() - make_interval(days => %s), 'info', %s, 'what was said', '{\"n\": 1}')",
            days, kind,
        )  # fmt: skip
    night.query("insert into audit (at, operator, action, subject) values ('2001-01-01', 'mira', 'a', 'b')")
    return night


@pytest.fixture
def prune(context, ledger_url, monkeypatch):
    """Type the command."""
    monkeypatch.setenv("NIGHTSHIFT_SURVEY", "demo")
    monkeypatch.setenv("NIGHTSHIFT_LEDGER", ledger_url)
    monkeypatch.setenv("NIGHTSHIFT_DEPOT", str(context.depot.root))
    monkeypatch.setenv("NIGHTSHIFT_INBOX", str(context.inbox))
    return lambda *words: main(["ledger", "prune-events", *words])


def kinds(story):
    return [row["kind"] for row in story.query("select kind from events order by event_id")]


def test_a_dry_run_says_what_is_old_and_changes_nothing(story, prune, context, capsys):
    assert prune("--dry-run") == 0
    assert "3 events older than 400 days would be moved" in capsys.readouterr().out
    assert len(kinds(story)) == 7 and not (context.depot.root / "archive").exists()


def test_old_events_are_in_the_archive_before_they_leave_and_the_audit_stays(story, prune, context, monkeypatch):
    monkeypatch.setattr(old_events, "AT_ONCE", 2)
    done = archive(context, NIGHT)
    assert prune("--operator", "mira") == 0
    assert kinds(story) == ["night_closed", "recent", "d", "e"]
    files = sorted(done.folder.glob("events_*.jsonl"))
    told = [json.loads(line) for path in files for line in path.read_text().splitlines()]
    assert len(files) == 2 and [row["kind"] for row in told] == ["a", "b", "c"]
    assert told[0]["message"] == "what was said" and told[0]["detail"] == {"n": 1}
    assert subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=done.folder).returncode == 0
    assert archive(context, NIGHT).added == 0 and verify(context, NIGHT).good
    old, *ours = story.query("select operator, action, detail from audit order by audit_id")
    assert (
        old["action"] == "a" and [(row["operator"], row["action"]) for row in ours] == [("mira", "prune_events")] * 2
    )
    assert [row["detail"]["events"] for row in ours] == [2, 1] and ours[0]["detail"]["account"]
    assert prune("--operator", "mira") == 0 and kinds(story) == ["night_closed", "recent", "d", "e"]


def test_what_does_not_read_back_stays_in_the_ledger(story, prune, monkeypatch, capsys):
    write = old_events.write_whole

    def a_disk_that_turns_a_bit(path, content):
        write(path, bytes([content[0] ^ 1]) + content[1:])
        return hashlib.sha256(content).hexdigest()

    monkeypatch.setattr(old_events, "write_whole", a_disk_that_turns_a_bit)
    assert prune("--operator", "mira") == 2
    assert "does not keep what it gets" in capsys.readouterr().err and len(kinds(story)) == 7


def test_events_that_come_while_the_night_is_archived_are_on_its_list(story, prune, context, monkeypatch):
    pruning = threading.Thread(target=prune, args=("--operator", "mira"))
    lines = archiving._lines

    def meanwhile(rows, below):
        """Let the events be entered after the rows were read and before the list is written."""
        if pruning.ident is None:
            pruning.start()
            while pruning.is_alive() and not story.query("select path from archive_files where kind = 'events'"):
                time.sleep(0.02)
            pruning.join(1.0)  # it has written its list by now, or waits
        return lines(rows, below)

    monkeypatch.setattr(archiving, "_lines", meanwhile)
    folder = archive(context, NIGHT).folder
    pruning.join(60)
    [events] = folder.glob("events_*")
    assert events.name in (folder / "SHA256SUMS").read_text() and verify(context, NIGHT).good


def test_an_archive_that_is_not_the_one_that_the_ledger_knows_takes_no_events(story, prune, context, capsys):
    folder = archive(context, NIGHT).folder
    assert storage_trouble(context) == []  # both are marked now
    (context.depot.root / "archive" / MARKER).write_text("another disk\n")
    assert prune("--operator", "mira") == 2
    assert "mount the right one" in capsys.readouterr().err
    assert {"a", "b", "c"} <= set(kinds(story)) and not list(folder.glob("events_*"))


def test_the_ledger_itself_gives_up_no_event_that_is_in_no_verified_file(story, prune):
    with pytest.raises(psycopg2.Error, match="append-only"):
        story.query("delete from events where kind = 'a'")
    assert prune("--operator", "mira") == 0
    for kind in ("night_closed", "recent", "d"):  # the first two have numbers between those of the file
        with pytest.raises(psycopg2.Error, match="append-only"):
            story.query("delete from events where kind = %s", kind)
    with pytest.raises(psycopg2.Error, match="append-only"):
        story.query("update events set message = ''")
    with pytest.raises(psycopg2.Error, match="append-only"):
        story.query("delete from audit")


@pytest.mark.parametrize(("words", "said"), [
    ([], "say who you are"),
    (["--operator", " "], "say who you are"),
    (["--dry-run", "--older-than", "29"], "at least 30 days"),
    (["--operator", "mira", "--older-than", "1"], "at least 30 days"),
])  # fmt: skip
def test_what_cannot_be_is_said(story, prune, capsys, words, said):
    assert prune(*words) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("state", ["open", "closing", "unbalanced"])
def test_what_was_said_since_a_night_began_that_is_not_closed_stays_and_the_night_is_named(
    story, prune, state, capsys
):
    story.query(
        "insert into nights (site, night, begins, ends, state) select site, night - 300, now() - interval '460 days',"
        " now() - interval '459 days', %s::night_state from nights", state,
    )  # fmt: skip
    assert prune("--operator", "mira") == 0
    assert kinds(story) == ["night_closed", "recent", "c", "d", "e"]
    (named,) = story.query("select night from nights order by begins limit 1")
    assert f"kept besides: 1, until the night of {named['night']} is closed; it is {state}" in capsys.readouterr().out


def test_without_a_closed_night_there_is_no_archive_to_put_them_into(story, prune, capsys):
    story.query("update nights set state = 'open'")
    assert prune("--operator", "mira") == 2
    assert "no night was closed yet" in capsys.readouterr().err and len(kinds(story)) == 7
