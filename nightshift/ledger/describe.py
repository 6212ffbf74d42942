"""The ledger's tables as a page of Markdown, from the comments of the migrations themselves.

``python -m nightshift.ledger.describe > docs/ledger.md`` writes the page; a test holds it to the migrations.
"""

import re
import sys
from dataclasses import dataclass, field, replace

from nightshift.ledger.database import SQL

__all__ = ["Column", "Table", "page", "read_tables"]

SECTION = re.compile(r"^-- (.+?) -{10,}$")
TABLE = re.compile(r"^create table (\w+) \((.*)$")
ADDED = re.compile(r"^alter table (\w+) add column (\w+) (.+?);(?: -- (.*))?$")
RENAMED = re.compile(r"^alter table (\w+) rename column (\w+) to (\w+);(?: -- (.*))?$")
REMOVED = re.compile(r"^alter table (\w+) drop column (\w+);$")
DROPPED = re.compile(r"^drop table (\w+);$")
COLUMN = re.compile(r"^    (\w+) (.+?),?(?: -- (.*))?$")
NOT_COLUMNS = ("primary", "unique", "foreign", "check", "constraint", "exclude")
INTRODUCTION = """\
# The ledger's tables

The ledger is a PostgreSQL database, and it is the truth of the night: what arrived, what is due, what was made from
what, what was sent. Everything else (Airflow's runs, files, messages) can be lost and asked for again; what the
ledger says decides. Programs read and write it through the named queries of `sql/queries/`; people may read it with
any PostgreSQL client (`nightshift environment` prints its address):

    select state, count(*) from units group by state;
    select input_key from product_inputs where product_key = '...';  -- what was it made from?
    select product_key from product_inputs where input_key = '...';  -- what used this?

Times are in UTC. Keys are the natural ones: an exposure is its instrument and the camera's own id; a unit of
reduction is a quadrant of an exposure in a tier and a campaign. The enumerated types (`unit_state` and the like) are
explained in `nightshift/vocabulary/states.py`, every reason code in the table `reasons`.

This page is made from the comments of `sql/migrations/` by `python -m nightshift.ledger.describe > docs/ledger.md`.
"""


@dataclass(frozen=True)
class Column:
    """One column: its name, its type with what constrains it, and what is said of it."""

    name: str
    type: str
    says: str


@dataclass
class Table:
    """One table with its section and what is said of it."""

    name: str
    section: str
    says: str
    columns: list[Column] = field(default_factory=list)


def read_tables(sql: str) -> list[Table]:
    """Return the tables that the migrations create and keep, in their order, with their columns as they are now."""
    tables: list[Table] = []
    comment: list[str] = []
    section, inside, current = "Basics", False, Table("", "", "")
    for line in sql.splitlines():
        if match := SECTION.match(line):
            section, comment = match[1], []
        elif match := TABLE.match(line):
            said = match[2].partition("--")[2].strip()
            current = _made(tables, Table(match[1], section, _sentence([*comment, said] if said else comment)))
            comment, inside = [], True
        elif match := ADDED.match(line):
            _named(tables, match[1]).columns.append(Column(match[2], match[3], match[4] or ""))
        elif match := RENAMED.match(line):
            table = _named(tables, match[1])
            table.columns = [
                Column(match[3], c.type, match[4] or c.says) if c.name == match[2] else c for c in table.columns
            ]
        elif match := REMOVED.match(line):
            table = _named(tables, match[1])
            table.columns = [column for column in table.columns if column.name != match[2]]
        elif match := DROPPED.match(line):
            tables = [table for table in tables if table.name != match[1]]
        elif inside and line.startswith(")"):
            inside = False
        elif inside:
            _add_column(current, line)
        elif line.startswith("-- "):
            comment.append(line[3:])
        else:
            comment = []
    return tables


def _made(tables: list[Table], table: Table) -> Table:
    """Add a table; one that a later migration makes anew takes the place of the old one."""
    for place, old in enumerate(tables):
        if old.name == table.name:
            tables[place] = replace(table, section=old.section, says=table.says or old.says)
            return tables[place]
    tables.append(table)
    return table


def _named(tables: list[Table], name: str) -> Table:
    return next(table for table in tables if table.name == name)


def _add_column(table: Table, line: str) -> None:
    match = COLUMN.match(line)
    if match and match[1] not in NOT_COLUMNS and not line.startswith("     "):
        table.columns.append(Column(match[1], match[2].rstrip(", "), match[3] or ""))


def _sentence(lines: list[str]) -> str:
    text = " ".join(lines).strip()
    return text[:1].upper() + text[1:] + ("" if not text or text.endswith(".") else ".")


def page() -> str:
    """Return the whole page."""
    sql = "\n".join(path.read_text() for path in sorted((SQL / "migrations").glob("*.sql")))
    parts, section = [INTRODUCTION], ""
    for table in read_tables(sql):
        if table.section != section:
            section = table.section
            parts.append(f"## {section}\n")
        parts.append(_table(table))
    return "\n".join(parts)


def _table(table: Table) -> str:
    rows = "\n".join(f"| `{c.name}` | {_cell(c.type)} | {_cell(c.says)} |" for c in table.columns)
    says = f"{table.says}\n\n" if table.says else ""
    return f"### {table.name}\n\n{says}| column | type | |\n|---|---|---|\n{rows}\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    sys.stdout.write(page())
