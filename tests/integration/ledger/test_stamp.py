"""Whose ledger it is: the program that opens it first says so, and every other survey is refused."""

import psycopg2
import pytest

from nightshift.context import open_context
from nightshift.errors import NeedsOperator
from nightshift.ledger import migrate, open_ledger
from nightshift.ledger.revision import known_revisions


@pytest.fixture
def opened(ledger_url, tmp_path, monkeypatch):
    """Opens the context of a survey on this test's ledger."""
    monkeypatch.setenv("NIGHTSHIFT_LEDGER", ledger_url)
    for name in ("depot", "inbox"):
        (tmp_path / name).mkdir()
        monkeypatch.setenv(f"NIGHTSHIFT_{name.upper()}", str(tmp_path / name))

    def open_as(survey: str) -> str:
        monkeypatch.setenv("NIGHTSHIFT_SURVEY", survey)
        with open_context() as context:
            stamp: str = context.ledger.value("ledger", "survey_stamp")
            return stamp

    return open_as


def execute(url: str, statement: str) -> None:
    connection = psycopg2.connect(url)
    with connection, connection.cursor() as cursor:
        cursor.execute(statement)
    connection.close()


def test_a_surveys_ledger_given_to_another_survey_is_refused(opened, ledger_url):
    assert opened("demo") == "demo"
    with pytest.raises(NeedsOperator, match=r"it is the ledger of demo, not of lowell42\. Set NIGHTSHIFT_LEDGER"):
        opened("lowell42")
    with pytest.raises(NeedsOperator, match="ledger of demo"):
        migrate(ledger_url, survey="lowell42", sites=("lowell",))
    assert opened("demo") == "demo"


def test_all_instruments_of_a_survey_share_its_ledger(opened):
    assert opened("network") == "network"
    assert opened("network/south_wide") == "network"


def test_a_ledger_from_before_stamps_is_known_by_the_sites_of_its_nights(opened, ledger_url):
    execute(ledger_url, "insert into nights (site, night, begins, ends) values "
                        "('demo', '2026-01-15', '2026-01-15 20:00Z', '2026-01-16 20:00Z')")  # fmt: skip
    with pytest.raises(NeedsOperator, match="it holds nights of demo, and lowell42 has the sites"):
        opened("lowell42")
    assert opened("demo") == "demo"


def test_the_stamp_cannot_be_changed(opened, ledger_url):
    opened("demo")
    with pytest.raises(psycopg2.Error, match="append-only"):
        execute(ledger_url, "update survey_stamp set survey = 'lowell42'")


def test_a_ledger_that_is_newer_than_the_code_is_refused(opened, ledger_url):
    execute(ledger_url, "update alembic_version set version_num = '9999'")
    for refused in (lambda: opened("demo"), lambda: migrate(ledger_url)):
        with pytest.raises(
            NeedsOperator, match=f"schema 9999, which is newer than this code.*up to {known_revisions()[-1]}"
        ):
            refused()
    with open_ledger(ledger_url) as ledger:
        assert ledger.value("ledger", "survey_stamp") is None  # nothing was written


def test_a_ledger_that_is_older_than_the_code_says_how_to_migrate_it(opened, ledger_url):
    execute(ledger_url, f"update alembic_version set version_num = '{known_revisions()[-2]}'")
    with pytest.raises(NeedsOperator, match="`nightshift migrate` brings it there"):
        opened("demo")
