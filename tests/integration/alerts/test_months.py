"""An old month leaves the ledger as files and comes back as it was."""

import json
from datetime import UTC, date, datetime

import pytest

from nightshift.alerts.release import release
from nightshift.errors import BadInput, NeedsOperator
from nightshift.files import sha256_of
from nightshift.ledger.months import attach, check_is_here, detach
from nightshift.ledger.queries import months as month_queries

pytestmark = pytest.mark.integration

MONTH = "2025-03"
NOW = datetime(2026, 1, 16, tzinfo=UTC)
ROWS = {  # of the month
    "attempts": 1, "products": 1, "product_inputs": 1, "units": 1, "image_measurements": 1, "differences": 1,
    "candidates": 2, "alerts": 2, "outbox": 2, "archive_files": 1, "events": 1, "copies": 1,
}  # fmt: skip
ROWS |= {"deletions": 1}
STAY = {"products": 1, "product_inputs": 1}  # of a master
ROWS_BESIDE = """
insert into submissions (job_key, submission, night, name, runner, job_file, tasks)
select job_key, 1, night, 'a', 'local', 'a.json', 1 from jobs;
insert into attempts (job_key, unit_key, attempt, submission, night, task_index, token, folder, state)
select s.job_key, u.unit_key, 1, 1, s.night, 0, 't', 'f', 'succeeded' from submissions s cross join units u;
insert into product_inputs (product_key, leaves_with, role, input_key, sha256)
select product_key, leaves_with, 'bias', 'bias/x/bias', sha256 from products;
insert into archive_files (site, night, path, kind, source, sha256, bytes)
select site, night, path, kind, path, sha256, bytes from products;
insert into copies (site, night, sha256, place, bytes, source)
select site, night, sha256, '/second', bytes, path from products;
insert into events (at, level, kind, message) values ('2025-03-11 05:00Z', 'info', 'said', 'then');
insert into products (product_key, leaves_with, kind, unit_key, site, night, path, sha256, bytes, code_version,
    settings_hash, job_key, attempt)
select 'bias/x/bias', 'infinity', 'bias', 'bias/x', site, night, 'bias.fits', sha256, bytes, '', '', job_key, 1
from products;
insert into product_inputs (product_key, leaves_with, role, input_key, sha256)
select product_key, leaves_with, 'raw', 'democam/x/d01', sha256 from products where leaves_with = 'infinity';
update outbox set state = 'acknowledged', acknowledged_at = now(), broker_offset = 1;
update alerts set state = 'sent';
update exposures set state = 'ended', ended_at = now();
update nights set state = 'closed', changed = false;
insert into clean_ups (site, operator, newest_night, rules) select site, 'mira', night, '{}' from products limit 1;
insert into deletions (site, night, path, kind, bytes, rule, clean_up)
select p.site, p.night, p.path, 'product/' || p.kind, p.bytes, 'retention', c.clean_up
from products p cross join clean_ups c where p.leaves_with <> 'infinity';
"""


@pytest.fixture
def old_month(small_night):
    """A ledger whose night of March 2025 is closed and whose alerts were sent; with what its tables hold."""
    context = small_night.context
    unit = small_night.search(1, [(10.0, 5.0), (10.1, 5.1)])
    release(context, [unit])
    with context.ledger.connection.cursor() as cursor:
        cursor.execute(ROWS_BESIDE)
    return context


def rows(context, table):
    with context.ledger.connection.cursor() as cursor:
        cursor.execute(f"select t::text as row from {table} t order by 1")
        return [row["row"] for row in cursor.fetchall()]


def leave(context, folder, **changes):
    asked = {"now": NOW, "history_days": 30, "operator": "jo", "dry_run": False}
    return detach(context.ledger, MONTH, folder, **{**asked, **changes})


def test_a_month_leaves_and_comes_back_as_it_was(old_month, tmp_path):
    before = {table: rows(old_month, table) for table in ROWS}
    files = leave(old_month, tmp_path)
    assert {file.table: file.rows for file in files} == ROWS
    after = {table: len(rows(old_month, table)) for table in ROWS}
    assert after == {table: len(before[table]) - count for table, count in ROWS.items()}
    assert {table: after[table] for table in STAY} == STAY
    attach(old_month.ledger, "2025-03-10", tmp_path, operator="jo", dry_run=False)
    assert {table: rows(old_month, table) for table in ROWS} == before
    with pytest.raises(BadInput, match="holds the month 202503 already"):
        attach(old_month.ledger, MONTH, tmp_path, operator="jo", dry_run=False)
    assert leave(old_month, tmp_path) == files  # and once more


def test_what_awaits_its_release_awaits_it_when_its_month_is_back(old_month, tmp_path):
    with old_month.ledger.connection.cursor() as cursor:
        cursor.execute("update differences set released_at = null")
    before = rows(old_month, "unreleased")
    assert len(before) == 1
    leave(old_month, tmp_path)
    assert rows(old_month, "unreleased") == []
    attach(old_month.ledger, MONTH, tmp_path, operator="jo", dry_run=False)
    assert rows(old_month, "unreleased") == before


def test_what_comes_before_the_lock_keeps_the_month(old_month, tmp_path, monkeypatch):
    lock = month_queries.lock_month

    def lock_late(ledger, *, month):
        with ledger.connection.cursor() as cursor:
            cursor.execute("update nights set changed = true")
        lock(ledger, month=month)

    monkeypatch.setattr(month_queries, "lock_month", lock_late)
    with pytest.raises(BadInput, match="has something new since it was closed"):
        leave(old_month, tmp_path)
    assert len(rows(old_month, "candidates")) == 2


def test_a_night_that_ends_in_a_month_that_is_away_is_told_which(old_month):
    with old_month.ledger.connection.cursor() as cursor:
        cursor.execute("insert into detached_months (month, folder, operator) values ('202502', '/away', 'jo')")
    for night in (date(2025, 1, 31), date(2025, 2, 28)):
        with pytest.raises(BadInput, match=f"the night {night} .* attach 2025-02 --folder /away"):
            check_is_here(old_month.ledger, old_month.site, night)
    for night in (date(2025, 1, 30), date(2025, 3, 1)):
        check_is_here(old_month.ledger, old_month.site, night)


def test_a_month_that_left_when_messages_had_a_column_more_comes_back_without_it(old_month, tmp_path):
    before = rows(old_month, "outbox")
    leave(old_month, tmp_path)
    as_it_was_written_before(old_month, tmp_path)
    attach(old_month.ledger, MONTH, tmp_path, operator="jo", dry_run=False)
    assert rows(old_month, "outbox") == before


def as_it_was_written_before(context, folder):
    """Make of the files what the ledger wrote before: messages with who acknowledged them, no numbers of one size."""
    described = json.loads((folder / "month_202503.json").read_text())
    described["schema"] = "nightshift.ledger_month/1"
    for table in described["tables"]:
        del table["columns_gone"], table["columns"]
    written = {table["table"]: table for table in described["tables"]}
    rewrite(
        context, folder, written["outbox"], lambda line: f"{line}\tone-start",
        "create temporary table before as select *, ''::text as acknowledged_by from outbox limit 0",
    )  # fmt: skip
    rewrite(
        context, folder, written["candidates"], lambda line: line.rpartition("\t")[0],
        "create temporary table before (like candidates including generated); alter table before drop column singles",
    )  # fmt: skip
    (folder / "month_202503.json").write_text(json.dumps(described))


def rewrite(context, folder, table, change, made):
    """Change each line of a table's file, and what is said of the file; `made` makes a table that it fits."""
    path = folder / table["file"]
    path.write_text("".join(f"{change(line)}\n" for line in path.read_text().splitlines()))
    with context.ledger.connection.cursor() as cursor, path.open() as stream:
        cursor.execute(made)
        cursor.copy_expert("copy before from stdin", stream)
        cursor.execute("select content from content_of('before')")
        content = cursor.fetchone()["content"]
        cursor.execute("drop table before")
    table |= {"content": content, "sha256": sha256_of(path), "bytes": path.stat().st_size}


def test_a_dry_run_changes_nothing(old_month, tmp_path):
    assert {file.table: file.rows for file in leave(old_month, tmp_path / "new", dry_run=True)} == ROWS
    assert not (tmp_path / "new").exists() and len(rows(old_month, "alerts")) == 2
    leave(old_month, tmp_path)
    attach(old_month.ledger, MONTH, tmp_path, operator="jo", dry_run=True)
    assert rows(old_month, "alerts") == []


@pytest.mark.parametrize(
    ("statement", "changes", "match"),
    [
        ("update nights set state = 'open'", {}, "until its nights are closed: demo 2025-03-10 is open"),
        ("update nights set changed = true", {}, "demo 2025-03-10 has something new since it was closed"),
        ("update exposures set state = 'running'", {}, "1 of its exposures have not ended, the first: democam/"),
        ("select make_month('2025-02-10')", {}, "months leave oldest first, and 202502 is still here"),
        ("update outbox set state = 'queued'", {}, "2 of its alerts are not sent yet"),
        ("select 1", {"now": datetime(2025, 4, 20, tzinfo=UTC)}, "the histories of alerts reach back"),
    ],
)
def test_a_month_that_is_not_done_stays(old_month, tmp_path, statement, changes, match):
    with old_month.ledger.connection.cursor() as cursor:
        cursor.execute(statement)
    with pytest.raises(BadInput, match=match):
        leave(old_month, tmp_path, **changes)
    assert len(rows(old_month, "candidates")) == 2


def test_a_damaged_file_is_refused_and_a_month_that_never_was_too(old_month, tmp_path):
    leave(old_month, tmp_path)
    path = tmp_path / "candidates_202503.copy"
    path.write_bytes(path.read_bytes().replace(b"live", b"dead"))
    with pytest.raises(NeedsOperator, match="is not the file that was written"):
        attach(old_month.ledger, MONTH, tmp_path, operator="jo", dry_run=False)
    assert rows(old_month, "candidates") == []
    with pytest.raises(BadInput, match="holds no month 202503"):
        leave(old_month, tmp_path)
    with pytest.raises(BadInput, match="is no month"):
        attach(old_month.ledger, "March", tmp_path, operator="jo", dry_run=False)
