"""An old month leaves the ledger as files, and comes back from them.

What a month's partitions hold is copied to a file a table, read back into the server and compared with what is there;
only then the partitions go. Arrivals, raw frames, exposures, nights, masters and references stay, and so do the
products of masters and references with what they were made of. While a month is away, alerts of today count no
detection of it (``ndethist``), its nights' reports cannot be made again, its exposures' stories lack their units, and
a file of its nights that comes late goes to quarantine; what was sent stays where it was sent.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, LiteralString

from psycopg2 import sql

from nightshift.errors import BadInput, NeedsOperator
from nightshift.files import new_file, sha256_of, write_json
from nightshift.ledger.database import Ledger
from nightshift.ledger.queries import ledger as ledger_queries
from nightshift.ledger.queries import months as month_queries
from nightshift.ledger.queries.months import OpenNight
from nightshift.nights import night_bounds
from nightshift.settings.models import Site
from nightshift.vocabulary import NightState, Reason

__all__ = ["MonthFile", "attach", "check_is_here", "detach", "month_span"]

SCHEMA = "nightshift.ledger_month/3"
# Columns, the last of their tables, that files of some form hold and the ledger has no more.
COLUMNS_GONE: dict[str, dict[str, tuple[str, ...]]] = {
    SCHEMA: {},
    "nightshift.ledger_month/2": {},
    "nightshift.ledger_month/1": {"outbox": ("acknowledged_by",)},
}
# Columns that have come since files were last written that do not say theirs.
COLUMNS_SINCE = {"candidates": ("singles",)}


@dataclass(frozen=True)
class MonthFile:
    """One table's rows of a month.

    Parameters
    ----------
    table : str
    file : str
        Its name, in PostgreSQL's text format of COPY.
    rows : int
    bytes : int
    sha256 : str
        Of the file; empty before it is written.
    content : str
        A sum over the rows, which the ledger compares.
    columns : tuple of str
        What it holds, in that order; empty in the file of a form of before.
    columns_gone : tuple of str
        Columns that it holds and its table has no more; they are left out where it comes back.
    """

    table: str
    file: str
    rows: int
    bytes: int
    sha256: str
    content: str
    columns: tuple[str, ...] = ()
    columns_gone: tuple[str, ...] = ()


def month_span(month: str) -> tuple[datetime, datetime]:
    """Return when a month (``YYYYMM`` or ``YYYY-MM``; of a night's date, the month that holds it) begins and ends.

    Raises
    ------
    BadInput
        If it is no month.
    """
    text = month.replace("-", "")[:6]
    try:
        begins = datetime.strptime(text, "%Y%m").replace(tzinfo=UTC)
    except ValueError:
        raise BadInput(
            Reason.INTERNAL_ERROR, f"{month!r} is no month: write YYYY-MM, or a night's YYYY-MM-DD"
        ) from None
    return begins, (begins + timedelta(days=32)).replace(day=1)


def detach(
    ledger: Ledger, month: str, folder: Path, *, now: datetime, history_days: float, operator: str, dry_run: bool
) -> tuple[MonthFile, ...]:
    """Write a month to files, read them back, and take it out of the ledger.

    Parameters
    ----------
    ledger : Ledger
    month : str
    folder : Path
        Where its files go; a folder of its own.
    now : datetime
        Aware, by the night's clock.
    history_days : float
        How far back the alerts of today look; such a month stays.
    operator : str
        Who wants it; kept in the audit.
    dry_run : bool
        Whether only to tell what would leave.

    Raises
    ------
    BadInput
        If the month is not here, is too young, an earlier one is here, or some night, exposure or message of it
        is not done.
    NeedsOperator
        If a file does not read back as it was written: nothing was taken out.
    """
    begins, ends = month_span(month)
    name = f"{begins:%Y%m}"
    # the last night's shutters open in the next month too, whose candidates stay
    oldest = now - timedelta(days=history_days + 1)
    _check_may_leave(ledger, name, begins, ends, oldest)
    tables = _tables(ledger)
    if dry_run:
        return tuple(_counted(ledger, table, name) for table in tables)
    folder.mkdir(parents=True, exist_ok=True)
    with ledger.transaction():
        month_queries.lock_month(ledger, month=name)
        _check_may_leave(ledger, name, begins, ends, oldest)  # something may have come before the lock
        files = tuple(_write(ledger, table, name, folder) for table in tables)
        for file in files:
            _read_back(ledger, file, name, folder)
        described = {"schema": SCHEMA, "month": name, "tables": [vars(file) for file in files]}
        write_json(folder / f"month_{name}.json", described)
        month_queries.detach_month(ledger, month=name)
        month_queries.put_detached(ledger, month=name, folder=str(folder), operator=operator)
        detail = {"folder": str(folder), "rows": {file.table: file.rows for file in files}}
        ledger_queries.put_audit(ledger, operator=operator, action="detach_month", subject=name, detail=detail)
    return files


def check_is_here(ledger: Ledger, site: Site, night: date) -> None:
    """Check that no month in which a night has rows has left the ledger: of its date, its begin and its end (UTC).

    Raises
    ------
    BadInput
        If one has: with the command that brings it back.
    """
    begins, ends = night_bounds(site, night)
    if away := month_queries.month_away(ledger, night=night, begins=begins, ends=ends):
        raise BadInput(
            Reason.MONTH_DETACHED,
            f"the month of the night {night} has left the ledger: `nightshift ledger attach "
            f"{month_span(away.month)[0]:%Y-%m} --folder {away.folder} --operator <you>` brings it back",
        )


def _tables(ledger: Ledger) -> tuple[str, ...]:
    return tuple(table.table_name for table in month_queries.tables(ledger))


def _check_may_leave(ledger: Ledger, name: str, begins: datetime, ends: datetime, oldest: datetime) -> None:
    if not month_queries.is_here(ledger, month=name):
        raise BadInput(Reason.INTERNAL_ERROR, f"the ledger holds no month {name}: it was detached, or had no night")
    if ends > oldest:
        raise BadInput(
            Reason.INTERNAL_ERROR, f"{name} stays: the histories of alerts reach back to {oldest:%Y-%m-%d}"
        )
    if (first := month_queries.oldest_month_here(ledger)) and first < name:
        raise BadInput(Reason.INTERNAL_ERROR, f"{name} stays: months leave oldest first, and {first} is still here")
    _check_is_done(ledger, name, begins, ends)


def _check_is_done(ledger: Ledger, name: str, begins: datetime, ends: datetime) -> None:
    if still := month_queries.nights_not_closed(ledger, begins=begins, ends=ends):
        said = ", ".join(f"{night.site} {night.night} {_how_it_stands(night)}" for night in still)
        raise BadInput(Reason.INTERNAL_ERROR, f"{name} stays until its nights are closed: {said}")
    if under_way := month_queries.not_ended(ledger, begins=begins, ends=ends):
        raise BadInput(
            Reason.INTERNAL_ERROR,
            f"{name} stays: {len(under_way)} of its exposures have not ended, the first: {under_way[0].exposure}",
        )
    if unsent := month_queries.unsent(ledger, begins=begins, ends=ends):
        raise BadInput(
            Reason.INTERNAL_ERROR, f"{name} stays: {unsent} of its alerts are not sent yet; post them first"
        )


def _how_it_stands(night: OpenNight) -> str:
    if night.state == NightState.CLOSED:
        return "has something new since it was closed"
    return f"is {night.state}"


def _counted(ledger: Ledger, table: str, name: str) -> MonthFile:
    held = month_queries.content(ledger, table_name=f"{table}_{name}")
    assert held is not None
    return MonthFile(table, f"{table}_{name}.copy", held.held, 0, "", held.content)


def _write(ledger: Ledger, table: str, name: str, folder: Path) -> MonthFile:
    counted = _counted(ledger, table, name)
    path = folder / counted.file
    with new_file(path) as stream, ledger.connection.cursor() as cursor:
        cursor.copy_expert(sql.SQL("copy {} to stdout").format(sql.Identifier(f"{table}_{name}")), stream)
    columns = tuple(month_queries.columns_of(ledger, table_name=table))
    return replace(counted, bytes=path.stat().st_size, sha256=sha256_of(path), columns=columns)


def _read_back(ledger: Ledger, file: MonthFile, name: str, folder: Path) -> None:
    """Let the server read a file into a table of its own, and compare."""
    copy = sql.Identifier("month_read_back")
    with ledger.connection.cursor() as cursor:
        like = sql.Identifier(f"{file.table}_{name}")
        cursor.execute(sql.SQL("create temporary table {} (like {} including generated)").format(copy, like))
        with (folder / file.file).open("rb") as stream:
            cursor.copy_expert(sql.SQL("copy {} from stdin").format(copy), stream)
        _compare(ledger, file, "month_read_back", folder)
        cursor.execute(sql.SQL("drop table {}").format(copy))


def _compare(ledger: Ledger, file: MonthFile, table: str, folder: Path) -> None:
    read = month_queries.content(ledger, table_name=table)
    assert read is not None
    if (read.held, read.content) != (file.rows, file.content):
        raise NeedsOperator(
            Reason.INTERNAL_ERROR,
            f"{folder / file.file} does not read back as it was written ({read.held} rows of {file.rows}): nothing "
            "was changed. Check the disk.",
        )


def attach(ledger: Ledger, month: str, folder: Path, *, operator: str, dry_run: bool) -> tuple[MonthFile, ...]:
    """Bring a month back from its files.

    Parameters
    ----------
    ledger : Ledger
    month : str
    folder : Path
    operator : str
        Who wants it; kept in the audit.
    dry_run : bool
        Whether only to check the files.

    Raises
    ------
    BadInput
        If the month is here, or the folder does not hold its files.
    NeedsOperator
        If a file is not what was written: nothing was changed.
    """
    name = f"{month_span(month)[0]:%Y%m}"
    files = tuple(_described(ledger, folder, name))
    if month_queries.is_here(ledger, month=name):
        raise BadInput(Reason.INTERNAL_ERROR, f"the ledger holds the month {name} already")
    for file in files:
        if sha256_of(folder / file.file) != file.sha256:
            raise NeedsOperator(
                Reason.INTERNAL_ERROR, f"{folder / file.file} is not the file that was written: take another copy"
            )
    if dry_run:
        return files
    with ledger.transaction():
        for file in files:
            _read(ledger, file, name, folder)
        month_queries.make_missing_tables(ledger, month=name)
        month_queries.delete_detached(ledger, month=name)
        detail = {"folder": str(folder)}
        ledger_queries.put_audit(ledger, operator=operator, action="attach_month", subject=name, detail=detail)
    return files


def _read(ledger: Ledger, file: MonthFile, name: str, folder: Path) -> None:
    """Read a file into the partition that it was, and give that back to its table."""
    month_queries.prepare_month(ledger, table_name=file.table, month=name)
    table = f"{file.table}_{name}"
    month_queries.leave_columns(ledger, table_name=table, columns=list(_columns_of_file(ledger, file)))
    _alter(ledger, "alter table {} add column {} text", table, file.columns_gone)
    with (folder / file.file).open("rb") as stream, ledger.connection.cursor() as cursor:
        cursor.copy_expert(sql.SQL("copy {} from stdin").format(sql.Identifier(table)), stream)
    _compare(ledger, file, table, folder)
    _alter(ledger, "alter table {} drop column {}", table, file.columns_gone)
    month_queries.add_columns_of(ledger, table_name=table, other=file.table)
    month_queries.attach_month(ledger, table_name=file.table, month=name)


def _columns_of_file(ledger: Ledger, file: MonthFile) -> tuple[str, ...]:
    """Return the columns of a table of today that a file holds."""
    since = COLUMNS_SINCE.get(file.table, ())
    return file.columns or tuple(
        column for column in month_queries.columns_of(ledger, table_name=file.table) if column not in since
    )


def _alter(ledger: Ledger, statement: LiteralString, table: str, columns: tuple[str, ...]) -> None:
    with ledger.connection.cursor() as cursor:
        for column in columns:
            cursor.execute(sql.SQL(statement).format(sql.Identifier(table), sql.Identifier(column)))


def _described(ledger: Ledger, folder: Path, name: str) -> Iterator[MonthFile]:
    path = folder / f"month_{name}.json"
    try:
        described: dict[str, Any] = json.loads(path.read_text())
        files = [MonthFile(**table) for table in described["tables"]]
    except (FileNotFoundError, ValueError, KeyError, TypeError) as error:
        raise BadInput(
            Reason.INTERNAL_ERROR, f"{path} does not describe a month that was detached: {error}"
        ) from None
    # a month that left before all its tables did has fewer files
    gone = COLUMNS_GONE.get(described.get("schema", ""))
    if gone is None or not files or not {file.table for file in files} <= {*_tables(ledger)}:
        raise BadInput(Reason.INTERNAL_ERROR, f"{path} is not of the form {SCHEMA}")
    yield from (replace(file, columns_gone=gone.get(file.table, ())) for file in files)
