"""A migration happens whole or not at all, and code and ledger that do not fit refuse each other."""

import importlib
import secrets
import shutil
from collections.abc import Callable
from pathlib import Path

import psycopg2
import pytest
import sqlalchemy.exc

from nightshift.context import open_context
from nightshift.errors import NeedsOperator
from nightshift.ledger import migrate, open_ledger
from nightshift.ledger.database import SQL
from nightshift.ledger.revision import check_revision, known_revisions

pytestmark = pytest.mark.integration

LATER = "9999"
GOOD, BAD, CUT_OFF = "create table two (a int);", "select nonsense;", "select pg_terminate_backend(pg_backend_pid());"


@pytest.fixture
def later_migration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Writes one more migration, of two statements, the second of which a test gives."""
    shutil.copytree(SQL / "migrations", tmp_path / "migrations")
    module = importlib.import_module("nightshift.ledger.migrate")  # the package has a function of that name
    monkeypatch.setattr(module, "SQL", tmp_path)
    monkeypatch.setattr("nightshift.ledger.revision.known_revisions", lambda: (*known_revisions(), LATER))

    def write(second: str) -> None:
        (tmp_path / "migrations" / "versions" / f"v{LATER}_later.py").write_text(
            f'from alembic import op\nrevision, down_revision = "{LATER}", "{known_revisions()[-1]}"\n'
            f'def upgrade():\n    op.execute("create table one (a int)")\n    op.execute("{second}")\n'
        )

    return write


def tables(url: str) -> set[str]:
    with psycopg2.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute("select table_name from information_schema.tables where table_name in ('one', 'two')")
        return {row[0] for row in cursor.fetchall()}


def set_revision(url: str, revision: str) -> None:
    with psycopg2.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute("update alembic_version set version_num = %s", (revision,))


@pytest.mark.parametrize("second", [BAD, CUT_OFF], ids=["a statement fails", "the connection is cut"])
def test_a_migration_cut_off_half_way_leaves_nothing_and_may_begin_again(second, later_migration, ledger_url):
    later_migration(second)
    with pytest.raises(sqlalchemy.exc.DBAPIError):
        migrate(ledger_url)
    assert tables(ledger_url) == set()
    with open_ledger(ledger_url) as ledger:
        assert ledger.value("ledger", "revision") == known_revisions()[-1]
    later_migration(GOOD)
    migrate(ledger_url)
    assert tables(ledger_url) == {"one", "two"}
    with open_ledger(ledger_url) as ledger:
        assert ledger.value("ledger", "revision") == LATER


def test_all_migrations_in_a_row_are_kept_up_to_the_one_that_fails(later_migration, postgres_server):
    name = f"empty_{secrets.token_hex(4)}"
    postgres_server.create_database(name)
    url = postgres_server.url(name)
    later_migration(BAD)
    with pytest.raises(sqlalchemy.exc.DBAPIError):
        migrate(url)
    with open_ledger(url) as ledger:
        assert ledger.value("ledger", "revision") == known_revisions()[-1]


def test_a_ledger_newer_than_the_code_is_refused_and_left_as_it_is(ledger_url, monkeypatch):
    set_revision(ledger_url, LATER)
    monkeypatch.setenv("NIGHTSHIFT_LEDGER", ledger_url)
    monkeypatch.setenv("NIGHTSHIFT_SURVEY", "demo")
    told = rf"schema {LATER}, which is newer than this code.*up to {known_revisions()[-1]}.*Run the code that"
    with pytest.raises(NeedsOperator, match=told):
        migrate()
    with pytest.raises(NeedsOperator, match=told), open_context():
        pass
    with open_ledger(ledger_url) as ledger:
        assert ledger.value("ledger", "revision") == LATER


def test_a_ledger_older_than_the_code_is_refused_with_the_command_that_mends_it(ledger_url):
    set_revision(ledger_url, "0007")
    with open_ledger(ledger_url) as ledger, pytest.raises(NeedsOperator, match=r"schema 0007.*`nightshift migrate`"):
        check_revision(ledger)


def test_a_database_without_a_ledger_is_refused_with_the_command_that_makes_one(postgres_server):
    name = f"empty_{secrets.token_hex(4)}"
    postgres_server.create_database(name)
    with open_ledger(postgres_server.url(name)) as ledger, pytest.raises(NeedsOperator, match="nothing yet"):
        check_revision(ledger)


def test_a_ledger_from_before_the_pins_migrates_and_its_nights_read_the_same(postgres_server, ledger_url):
    """The nights' rows of before keep what they had, without settings."""
    with psycopg2.connect(ledger_url) as connection, connection.cursor() as cursor:
        for column in ("code_version", "settings", "settings_hashes"):
            cursor.execute(f"alter table nights drop column {column}")
        cursor.execute(
            "insert into nights (site, night, begins, ends, state) values "
            "('demo', '2026-01-15', '2026-01-15 20:00Z', '2026-01-16 20:00Z', 'closed') returning to_jsonb(nights)"
        )
        before = cursor.fetchone()[0]
        cursor.execute((SQL / "migrations" / "0011_pinned_settings.sql").read_text())
        cursor.execute("select to_jsonb(nights) - '{code_version,settings,settings_hashes}'::text[] from nights")
        assert cursor.fetchone()[0] == before
