"""Old runs leave Airflow's own metadata, and what is open stays. On a real metadata database of Airflow's."""

import os
import secrets
import subprocess
import sys

import psycopg2
import pytest

from nightshift.command_line import main
from nightshift.errors import NeedsOperator
from nightshift.settings import SettingsError
from nightshift.stack.airflow_metadata import VARIABLE, metadata_address, prune_metadata

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def metadata(postgres_server, tmp_path_factory):
    """The address of Airflow's migrated, empty database."""
    name = f"airflow_{secrets.token_hex(4)}"
    postgres_server.create_database(name)
    address = postgres_server.url(name)
    patch = pytest.MonkeyPatch()
    patch.setenv("AIRFLOW_HOME", str(tmp_path_factory.mktemp("airflow")))
    patch.setenv("AIRFLOW__CORE__LOAD_EXAMPLES", "False")
    driver = address.replace("postgresql://", "postgresql+psycopg2://", 1)
    settings = {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": driver, "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC": ""}
    done = subprocess.run(
        [sys.executable, "-m", "airflow", "db", "migrate"],
        env={**os.environ, **settings}, check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    yield address
    patch.undo()


@pytest.fixture
def runs(metadata):
    """Puts a run of so many days ago into the metadata, and returns the ids of those that are there."""
    with psycopg2.connect(metadata) as connection, connection.cursor() as cursor:
        cursor.execute("delete from dag_run")
        cursor.execute("insert into log (event, dttm, dag_id) values ('old', now() - interval '90 days', 'x')")

    def put(run_id, days, state="success"):
        with psycopg2.connect(metadata) as connection, connection.cursor() as cursor:
            cursor.execute(
                "insert into dag_run (dag_id, run_id, run_type, state, conf, clear_number, queued_at, start_date,"
                " run_after, created_at, updated_at, log_template_id)"
                " select 'exposure', %(run_id)s, 'manual', %(state)s, '{}', 0, at, at, at, at, at, null"
                " from (select now() - %(days)s * interval '1 day' as at) x",
                {"run_id": run_id, "state": state, "days": days},
            )

    def there():
        with psycopg2.connect(metadata) as connection, connection.cursor() as cursor:
            cursor.execute("select run_id from dag_run")
            return {row[0] for row in cursor.fetchall()}

    return put, there


def events_of_the_log(address):
    with psycopg2.connect(address) as connection, connection.cursor() as cursor:
        cursor.execute("select count(*) from log where event = 'old'")
        return cursor.fetchone()[0]


def test_what_is_old_and_over_leaves_and_asking_again_changes_nothing(metadata, runs):
    put, there = runs
    put("old", 60), put("failed", 45, "failed"), put("new", 5)
    assert prune_metadata(metadata, older_than_days=30).runs == 2
    assert there() == {"new"} and events_of_the_log(metadata) == 0
    assert prune_metadata(metadata, older_than_days=30).runs == 0
    assert there() == {"new"}


@pytest.mark.parametrize("state", ["running", "queued"])
def test_an_open_run_stays_with_all_that_is_as_old_as_it(state, metadata, runs):
    put, there = runs
    put("older", 60), put("open", 50, state), put("younger", 40)
    pruned = prune_metadata(metadata, older_than_days=30)
    assert there() == {"open", "younger"}
    assert pruned.runs == 1 and "open is open" in str(pruned)


def test_a_dry_run_counts_and_changes_nothing(metadata, runs, monkeypatch, capsys):
    put, there = runs
    put("old", 60)
    monkeypatch.setenv(VARIABLE, metadata)
    monkeypatch.setenv("NIGHTSHIFT_SURVEY", "demo")
    assert main(["airflow", "prune", "--dry-run"]) == 0
    assert "would remove 1 runs" in capsys.readouterr().out
    assert there() == {"old"}
    assert main(["airflow", "prune", "--older-than", "70"]) == 0
    assert there() == {"old"}


def test_a_failure_of_airflows_command_is_said_with_its_words(metadata, runs, monkeypatch):
    put, there = runs
    put("old", 60)
    monkeypatch.setattr("nightshift.stack.airflow_metadata.TABLES", ("no_such_table",))
    with pytest.raises(NeedsOperator, match="`airflow db clean` failed"):
        prune_metadata(metadata, older_than_days=30)
    assert there() == {"old"}


def test_without_the_address_it_is_refused_with_how_to_have_it(monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    with pytest.raises(SettingsError, match="nightshift environment"):
        metadata_address()
