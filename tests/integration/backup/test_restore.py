"""The ledger restored: what is checked first, what is refused, and that a kill leaves it as it was."""

import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import date
from pathlib import Path

import psycopg2
import pytest

from nightshift.backup.airflow_lost import ask_again
from nightshift.backup.backup_files import Backup
from nightshift.backup.dumping import take_backup
from nightshift.backup.ledger_contents import contents_of
from nightshift.backup.ledger_restore import plan_restore, restore
from nightshift.backup.reconciling import reconcile
from nightshift.clock import SystemClock
from nightshift.errors import BadInput, NeedsOperator, Retry
from nightshift.ingest.ingest import ingest_all
from nightshift.ledger import open_ledger
from nightshift.ledger.embedded import EmbeddedPostgres
from nightshift.ledger.queries import backup as backup_queries
from nightshift.vocabulary import Disposition
from nightshift.workflow.due_runs import due_runs, mark_requested
from nightshift.workflow.subjects import NIGHT_DAG

pytestmark = pytest.mark.integration

RESTORE = """
import sys
from pathlib import Path
from nightshift.backup.backup_files import backup_at
from nightshift.backup.ledger_restore import restore
from nightshift.settings import Deployment, load_survey
restore(sys.argv[1], backup_at(Path(sys.argv[2])), Deployment.of(load_survey("demo")), force=True)
"""


@pytest.fixture
def backup(context, frames) -> Backup:
    """A backup of a ledger with two frames; a third came since, and the ledger is closed."""
    ingest_all(context, [frames(0), frames(1)])
    taken = take_backup(context)
    ingest_all(context, [frames(2)])
    context.ledger.close()
    return taken.backup


@pytest.fixture
def empty_ledger(postgres_server: EmbeddedPostgres) -> Iterator[str]:
    """The address of a database in which nothing is, as the role that owns it and may do nothing else."""
    name = f"empty_{secrets.token_hex(6)}"
    postgres_server.create_database(name)
    yield postgres_server.owner_url(name)
    postgres_server.drop_database(name)


def rows_of(url: str, table: str) -> int:
    with open_ledger(url) as ledger:
        return contents_of(ledger).rows[table]


def schemas_aside(url: str) -> list[str]:
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        cursor.execute("select nspname from pg_namespace where nspname like 'replaced%'")
        return [name for (name,) in cursor.fetchall()]


def test_a_backup_is_restored_into_an_empty_database_by_its_owner(backup, context, empty_ledger):
    restore(empty_ledger, backup, context.deployment)
    assert rows_of(empty_ledger, "raw_frames") == 2
    assert schemas_aside(empty_ledger) == []
    with open_ledger(empty_ledger) as ledger:
        assert backup_queries.last_good_step(ledger, step="restore").backup == backup.name


def test_a_dry_run_says_what_would_be_replaced_and_lost_and_changes_nothing(backup, context, ledger_url):
    told = "\n".join(plan_restore(ledger_url, backup, context.deployment).lines())
    assert "Its newest night: demo/2026-01-15 open." in told
    assert "Replaced would be a ledger whose newest night is demo/2026-01-15 open." in told
    assert "1 raw frames came" in told
    assert rows_of(ledger_url, "raw_frames") == 3


def test_a_ledger_with_nights_is_replaced_only_by_force_and_what_it_held_stays_aside(backup, context, ledger_url):
    with pytest.raises(NeedsOperator, match="holds nights, which a restore replaces"):
        restore(ledger_url, backup, context.deployment)
    restore(ledger_url, backup, context.deployment, force=True)
    assert rows_of(ledger_url, "raw_frames") == 2
    (aside,) = schemas_aside(ledger_url)
    with closing(psycopg2.connect(ledger_url)) as connection, connection.cursor() as cursor:
        cursor.execute(f"select count(*) from {aside}.raw_frames")
        assert cursor.fetchone() == (3,)


def test_a_ledger_that_somebody_has_open_is_never_replaced(backup, context, ledger_url):
    with open_ledger(ledger_url), pytest.raises(Retry, match="in use by nightshift"):
        restore(ledger_url, backup, context.deployment, force=True)


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("survey", "ztf", "is of the survey ztf, not of demo"),
        ("revision", "9999", "has the schema 9999, and this code knows those up to"),
        ("server_version", 990001, "its programs here are|is of PostgreSQL 99"),
    ],
)
def test_a_backup_that_does_not_fit_is_refused(backup, context, ledger_url, key, value, says):
    table = json.loads(backup.manifest_path.read_text()) | {key: value}
    backup.manifest_path.write_text(json.dumps(table))
    with pytest.raises((BadInput, NeedsOperator), match=says):
        restore(ledger_url, Backup(backup.folder, backup.name), context.deployment, force=True)
    assert rows_of(ledger_url, "raw_frames") == 3


def test_a_dump_that_breaks_off_leaves_the_ledger_as_it_was(backup, context, ledger_url):
    """Its manifest fits it, so that only pg_restore notices."""
    content = backup.dump.read_bytes()[: backup.manifest.bytes * 2 // 3]
    backup.dump.write_bytes(content)
    import hashlib

    table = json.loads(backup.manifest_path.read_text())
    table |= {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    backup.manifest_path.write_text(json.dumps(table))
    with pytest.raises(NeedsOperator, match="ended with code"):
        restore(ledger_url, Backup(backup.folder, backup.name), context.deployment, force=True)
    assert rows_of(ledger_url, "raw_frames") == 3
    assert schemas_aside(ledger_url) == []


def test_a_restored_ledger_that_is_not_what_was_dumped_is_taken_back(backup, context, ledger_url):
    table = json.loads(backup.manifest_path.read_text())
    table["rows"]["raw_frames"] = 4
    backup.manifest_path.write_text(json.dumps(table))
    with pytest.raises(NeedsOperator, match="raw_frames has 2 rows and had 4 rows"):
        restore(ledger_url, Backup(backup.folder, backup.name), context.deployment, force=True)
    assert rows_of(ledger_url, "raw_frames") == 3
    assert schemas_aside(ledger_url) == []


def test_frames_of_after_the_backup_are_taken_in_again_under_the_same_keys(backup, context, ledger_url):
    restore(ledger_url, backup, context.deployment, force=True)
    with open_ledger(ledger_url) as ledger:
        own = type(context)(context.deployment, ledger, context.depot, context.inbox, context.clock)
        assert reconcile(own, dry_run=True).frames == 1
        assert rows_of(ledger_url, "raw_frames") == 2
        done = reconcile(own)
        assert (done.frames, done.left) == (1, [])
        assert list(own.inbox.iterdir()) == []
        again = reconcile(own, since=date(2026, 1, 1))
        assert (again.frames, again.set_aside) == (0, 0)
    assert rows_of(ledger_url, "raw_frames") == 3


def test_what_was_set_aside_after_the_backup_is_entered_as_it_was(context, frames, ledger_url):
    first = frames(0)
    content = first.read_bytes()
    ingest_all(context, [first])
    taken = take_backup(context)
    (context.inbox / first.name).write_bytes(content)
    junk = context.inbox / "junk.fits"
    junk.write_bytes(b"no frame")
    duplicate, quarantined = ingest_all(context, [context.inbox / first.name, junk])
    assert (duplicate.disposition, quarantined.disposition) == (Disposition.DUPLICATE, Disposition.QUARANTINED)
    before = contents_of(context.ledger)
    context.ledger.close()
    restore(ledger_url, taken.backup, context.deployment, force=True)
    with open_ledger(ledger_url) as ledger:
        own = type(context)(context.deployment, ledger, context.depot, context.inbox, context.clock)
        done = reconcile(own)
        assert (done.set_aside, done.left) == (2, [])
        found = contents_of(ledger)
    assert found.rows["arrivals"] == before.rows["arrivals"] == 3
    assert found.rows["quarantine"] == before.rows["quarantine"] == 1


def test_a_quarantined_file_without_a_note_is_named(backup, context, ledger_url):
    lost = context.depot.quarantine(date(2026, 1, 15), "0" * 40)
    lost.parent.mkdir(parents=True)
    lost.write_bytes(b"x")
    restore(ledger_url, backup, context.deployment, force=True)
    with open_ledger(ledger_url) as ledger:
        own = type(context)(context.deployment, ledger, context.depot, context.inbox, context.clock)
        assert [text for text in reconcile(own).left if "has no note of what it was" in text]


@pytest.mark.faults
@pytest.mark.parametrize("after_s", [0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0])
def test_a_restore_that_is_killed_at_any_moment_is_done_again(backup, context, ledger_url, after_s):
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    command = [sys.executable, "-c", RESTORE, ledger_url, str(backup.dump)]
    process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    time.sleep(after_s)
    process.send_signal(signal.SIGKILL)
    process.wait()
    _wait_alone(ledger_url)
    assert rows_of(ledger_url, "raw_frames") in (2, 3)  # restored, or as it was
    restore(ledger_url, backup, context.deployment, force=True)
    assert rows_of(ledger_url, "raw_frames") == 2


@pytest.mark.faults
@pytest.mark.parametrize("after_s", [0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0])
def test_a_backup_that_is_killed_at_any_moment_leaves_no_half_of_one(context, frames, ledger_url, after_s):
    ingest_all(context, [frames(0)])
    script = (
        "import sys\nfrom pathlib import Path\nfrom nightshift.backup.dumping import take_backup\n"
        "from nightshift.clock import SystemClock\nfrom nightshift.context import Context\n"
        "from nightshift.depot import Depot\nfrom nightshift.ledger import open_ledger\n"
        "from nightshift.settings import Deployment, load_survey\n"
        "take_backup(Context(Deployment.of(load_survey('demo')), open_ledger(sys.argv[1]), Depot(Path(sys.argv[2])),"
        " Path(sys.argv[2]), SystemClock()))\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    command = [sys.executable, "-c", script, ledger_url, str(context.depot.root)]
    process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    time.sleep(after_s)
    process.send_signal(signal.SIGKILL)
    process.wait()
    folder = context.depot.root / "backups"
    for manifest in folder.glob("*.json"):
        assert Backup(folder, manifest.stem).fault() == ""
    time.sleep(1.1)  # names of backups are a second apart
    taken = take_backup(context)
    assert taken.backup.fault() == ""
    assert not [path for path in folder.iterdir() if path.suffix == ".tmp"]


def _wait_alone(url: str) -> None:
    """Wait until the server has noticed that whoever was killed is gone."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with open_ledger(url) as ledger:
            if not backup_queries.other_sessions(ledger):
                return
        time.sleep(0.2)
    raise AssertionError("somebody still has the ledger open")


def test_runs_that_airflow_has_lost_are_asked_for_again(context, frames):
    """A night that was closing when Airflow's database went is due again, under another name."""
    ingest_all(context, [frames(0)])
    with context.ledger.connection.cursor() as cursor:
        cursor.execute("update nights set ends = now() - interval '1 day', begins = ends - interval '2 days'")
    own = type(context)(context.deployment, context.ledger, context.depot, context.inbox, SystemClock())
    own = own.with_survey(
        own.survey.model_copy(update={"night": own.survey.night.model_copy(update={"grace_s": 1e-6})})
    )
    (first,) = [run for run in due_runs(own) if run.dag_id == NIGHT_DAG]
    mark_requested(own, first)
    assert not [run for run in due_runs(own) if run.dag_id == NIGHT_DAG]
    assert ask_again(own.ledger) == 1
    (second,) = [run for run in due_runs(own) if run.dag_id == NIGHT_DAG]
    assert second.run_id != first.run_id and second.conf["night"] == first.conf["night"]
    assert ask_again(own.ledger) == 0
