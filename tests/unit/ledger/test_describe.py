"""The page of the ledger's tables says what the migrations say."""

from pathlib import Path

from nightshift.ledger.describe import page, read_tables

ROOT = Path(__file__).resolve().parents[3]


def test_the_page_is_that_of_the_migrations():
    shown = (ROOT / "docs" / "ledger.md").read_text()
    assert shown == page(), "run: python -m nightshift.ledger.describe > docs/ledger.md"


def test_every_column_of_the_real_ledger_is_described(context):
    with context.ledger.connection.cursor() as cursor:
        cursor.execute(
            "select table_name, column_name from information_schema.columns join information_schema.tables "
            "using (table_schema, table_name) where table_schema = 'public' and table_type = 'BASE TABLE' "
            "and table_name <> 'alembic_version' "
            "and not (select relispartition from pg_class where oid = table_name::regclass)"
        )
        real = {(row["table_name"], row["column_name"]) for row in cursor.fetchall()}
    sql = "\n".join(path.read_text() for path in sorted((ROOT / "sql" / "migrations").glob("*.sql")))
    described = {(table.name, column.name) for table in read_tables(sql) for column in table.columns}
    assert described == real
