"""Typed Python functions for the named queries, written from the SQL itself and the ledger's schema.

``make queries`` has the database describe each query and writes ``nightshift/ledger/queries/<topic>.py`` (of a kind
of work: ``nightshift/kinds/<kind>/queries.py``): a frozen dataclass for each row and a function for each query, with
the types of parameters and columns. A test holds the files to the SQL.

In the SQL files the end of the name says what a query returns: all rows where there is no mark, ``^`` its first row
or None, ``$`` one value, ``!`` the number of rows that it changed. Comments add what the database cannot know:

``-- row: Name``
    The name of the row's class; without it, it is made of the query's name. Queries with the same columns may name
    the same class.
``-- nullable: a, b``
    Columns and parameters that may be null although the database does not tell: of an outer join, or computed. A
    column of a table is nullable where the table says so, and so is every parameter of a statement that writes.
``-- not null: a, b``
    Columns that their table lets be null and this query does not, by a condition of its own; and those of a view, of
    which the database knows nothing. Such a line may be repeated where one would be too long.

It needs the packages of the extra ``test``.
"""

import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiosql

from nightshift import vocabulary
from nightshift.errors import NeedsOperator
from nightshift.kinds import kinds
from nightshift.ledger.database import SQL
from nightshift.vocabulary import Reason

__all__ = ["Topic", "source_of", "topics"]

QUERIES = Path(__file__).parent / "queries"
# Not typed: Airflow's own database, and the fingerprint, which counts whatever rows a table has.
UNTYPED = ("airflow", "fingerprint")
WIDTH = 118
PYTHON = {
    "bool": "bool", "bytea": "bytes", "date": "date", "float4": "float", "float8": "float", "int2": "int",
    "int4": "int", "int8": "int", "interval": "timedelta", "jsonb": "dict[str, Any]", "numeric": "Decimal",
    "text": "str", "timestamptz": "datetime", "varchar": "str", "void": "None",
}  # fmt: skip
IMPORTS = {
    "date": "datetime", "datetime": "datetime", "timedelta": "datetime", "Decimal": "decimal", "Any": "typing",
    "Sequence": "collections.abc",
}  # fmt: skip
TOLD = ("row", "nullable", "not null")
PARAMETER = re.compile(r"%\((\w+)\)s")


@dataclass(frozen=True)
class Topic:
    """A file of named queries and the module that is made of it."""

    name: str
    sql: Path
    module: Path


@dataclass(frozen=True)
class Column:
    """A parameter or a column of a query, with its Python type."""

    name: str
    type: str
    nullable: bool = False

    @property
    def annotation(self) -> str:
        """Its type, with None where it may be null."""
        return f"{self.type} | None" if self.nullable and self.type not in ("None", "Any") else self.type


@dataclass(frozen=True)
class Query:
    """A named query as the database describes it."""

    name: str
    operation: str
    says: str
    row: str
    parameters: tuple[Column, ...]
    columns: tuple[Column, ...]


def topics() -> list[Topic]:
    """Return the topics that are typed: of each file in ``sql/queries`` and of each kind of work."""
    files = sorted((SQL / "queries").glob("*.sql"))
    shared = [Topic(file.stem, file, QUERIES / f"{file.stem}.py") for file in files if file.stem not in UNTYPED]
    own = [
        Topic(kind.name, kind.queries, kind.queries.with_suffix(".py")) for kind in kinds() if kind.queries.exists()
    ]
    return [*shared, *own]


def source_of(topic: Topic, url: str) -> str:
    """Return the text of a topic's module."""
    import psycopg  # of the extra `test`

    with psycopg.connect(url, autocommit=True) as connection:
        describer = _Describer(connection)
        found = [describer.describe(name, raw) for name, raw in _raw_queries(topic.sql)]
    return _formatted(_module(topic, found))


# --- what the database says of a query ----------------------------------------------------------------------


@dataclass(frozen=True)
class RawQuery:
    """A query as its file has it."""

    sql: str
    operation: str
    says: str
    row: str | None
    nullable: frozenset[str]
    not_null: frozenset[str]


def _raw_queries(path: Path) -> Iterator[tuple[str, RawQuery]]:
    """Yield the queries of a file in its order, with what their comments say."""
    loaded = aiosql.from_path(path, "psycopg2", mandatory_parameters=False)
    for part in re.split(r"(?m)^-- name: ", path.read_text())[1:]:
        title, _, body = part.partition("\n")
        name = title.strip().rstrip("!^$*#")
        comments = re.match(r"(?:--.*\n)*", body)
        lines = [line[2:].strip() for line in (comments[0] if comments else "").splitlines()]
        told: dict[str, str] = {}
        for key, _, text in (line.partition(":") for line in lines):
            if key in TOLD:
                told[key] = f"{told[key]}, {text.strip()}" if key in told else text.strip()
        prose = " ".join(line for line in lines if line.partition(":")[0] not in TOLD)
        query = getattr(loaded, name)
        nullable, not_null = _words(told.get("nullable", "")), _words(told.get("not null", ""))
        yield name, RawQuery(query.sql, query.operation.name, prose, told.get("row"), nullable, not_null)


def _words(text: str) -> frozenset[str]:
    return frozenset(word.strip() for word in text.split(",") if word.strip())


class _Describer:
    """Has the database describe queries.

    Parameters
    ----------
    connection : psycopg.Connection
    """

    def __init__(self, connection: Any):
        self._connection = connection
        self._types: dict[int, tuple[str, str, int]] = {
            oid: (name, kind, element)
            for oid, name, kind, element in connection.execute(
                "select oid, typname, typtype::text, typelem from pg_type"
            )
        }
        self._required: set[tuple[int, int]] = set(
            connection.execute("select attrelid, attnum from pg_attribute where attnotnull and attnum > 0")
        )

    def describe(self, name: str, raw: RawQuery) -> Query:
        """Return a query with the types of its parameters and columns."""
        names = list(dict.fromkeys(PARAMETER.findall(raw.sql)))
        numbered = PARAMETER.sub(lambda match: f"${names.index(match[1]) + 1}", raw.sql).replace("%%", "%")
        low_level = self._connection.pgconn
        result = low_level.prepare(b"", numbered.encode())
        if result.error_message:
            raise NeedsOperator(Reason.INTERNAL_ERROR, f"query {name}: {result.error_message.decode()}")
        said = low_level.describe_prepared(b"")
        writes = raw.operation == "INSERT_UPDATE_DELETE"
        parameters = tuple(
            Column(word, self._parameter_type(said.param_type(i)), writes or word in raw.nullable)
            for i, word in enumerate(names)
        )
        columns = tuple(self._column(said, i, raw) for i in range(said.nfields))
        if unknown := (raw.nullable | raw.not_null) - {column.name for column in (*parameters, *columns)}:
            text = f"query {name}: its comments speak of {', '.join(sorted(unknown))}, which it does not have"
            raise NeedsOperator(Reason.INTERNAL_ERROR, text)
        row = raw.row or "".join(word.capitalize() for word in name.split("_"))
        return Query(name, raw.operation, raw.says, row, parameters, columns)

    def _column(self, said: Any, number: int, raw: RawQuery) -> Column:
        """Return a column. One of a table may be null where the table lets it; of a computed one nothing is known."""
        name, place = said.fname(number).decode(), (said.ftable(number), said.ftablecol(number))
        may_be_null = name in raw.nullable or (place[0] != 0 and place not in self._required)
        return Column(name, self._python_type(said.ftype(number)), may_be_null and name not in raw.not_null)

    def _python_type(self, oid: int) -> str:
        name, kind, element = self._types[oid]
        if name.startswith("_") and element:
            return f"list[{self._python_type(element)}]"
        return _enum_of(name) if kind == "e" else PYTHON[name]

    def _parameter_type(self, oid: int) -> str:
        name, kind, element = self._types[oid]
        if name.startswith("_") and element:
            return f"Sequence[{self._parameter_type(element)}]"
        return "str" if kind == "e" else PYTHON[name]


def _enum_of(name: str) -> str:
    """Return the enum of the vocabulary that a type of the database repeats."""
    enum = "".join(word.capitalize() for word in name.split("_"))
    getattr(vocabulary, enum)  # there is one, or the schema and the vocabulary have parted
    return enum


# --- what is written ----------------------------------------------------------------------------------------


def _module(topic: Topic, found: Sequence[Query]) -> str:
    rows = _queries_by_row(found)
    body = "\n\n".join([*map(_row_class, rows.values()), *(_function(query) for query in found)])
    exported = sorted([*(query.name for query in found), *rows])
    ours = topic.sql.is_relative_to(SQL.parent)  # the kind of a site lies elsewhere
    place = topic.sql.relative_to(SQL.parent) if ours else topic.sql.name
    return (
        f'"""The named queries of ``{place}``, typed.\n\n'
        "Written by ``make queries``: change the SQL and run it.\n"
        f'"""\n\n{_imports(body)}\n__all__ = {exported!r}\n\nTOPIC = {topic.name!r}\n\n{body}\n'
    )


def _queries_by_row(found: Sequence[Query]) -> dict[str, list[Query]]:
    """Return the queries that return rows, by the class of the row, which has the columns of each of them."""
    rows: dict[str, list[Query]] = {}
    for query in filter(_has_row, found):
        same = rows.setdefault(query.row, [])
        if same and same[0].columns != query.columns:
            said = f"queries {same[0].name} and {query.name} name the row {query.row} and have different columns"
            raise NeedsOperator(Reason.INTERNAL_ERROR, said)
        same.append(query)
    return rows


def _has_row(query: Query) -> bool:
    return query.operation in ("SELECT", "SELECT_ONE") and any(column.type != "None" for column in query.columns)


def _imports(body: str) -> str:
    words = set(re.findall(r"\b[A-Za-z]+\b", body))
    lines = ["from dataclasses import dataclass"] if "@dataclass" in body else []
    for module in sorted(set(IMPORTS.values())):
        if used := sorted(name for name, place in IMPORTS.items() if place == module and name in words):
            lines.append(f"from {module} import {', '.join(used)}")
    lines += ["", "from nightshift.ledger.database import Ledger"]
    if enums := sorted(name for name in vocabulary.__all__ if name in words and name[0].isupper()):
        lines.append(f"from nightshift.vocabulary import {', '.join(enums)}")
    return "\n".join(lines) + "\n"


def _row_class(queries: Sequence[Query]) -> str:
    fields = "\n".join(f"    {column.name}: {column.annotation}" for column in queries[0].columns)
    names = " or ".join(f"`{query.name}`" for query in queries)
    says = _docstring(f"A row of {names}.")
    return f"@dataclass(frozen=True, slots=True)\nclass {queries[0].row}:\n{says}\n\n{fields}\n"


def _function(query: Query) -> str:
    told = "".join(f", {column.name}: {column.annotation}" for column in query.parameters)
    passed = "".join(f", {column.name}={column.name}" for column in query.parameters)
    returns, call = _call(query, passed)
    star = ", *" if told else ""
    says = _docstring(query.says or f"Run `{query.name}`.")
    return f"def {query.name}(ledger: Ledger{star}{told}) -> {returns}:\n{says}\n    {call}\n"


def _docstring(says: str) -> str:
    says = says if says.endswith(".") else f"{says}."
    if len(says) <= WIDTH - 10:
        return f'    """{says}"""'
    return textwrap.fill(f'"""{says}', WIDTH - 3, initial_indent="    ", subsequent_indent="    ") + '\n    """'


def _call(query: Query, passed: str) -> tuple[str, str]:
    """Return what a function returns, and the statement that does it."""
    place = f"TOPIC, {query.name!r}"
    if query.operation == "INSERT_UPDATE_DELETE":
        return "int", f"return ledger.run({place}{passed})"
    if query.operation == "SELECT_VALUE":
        value = query.columns[0].annotation
        return value, f"found: {value} = ledger.value({place}{passed})\n    return found"
    if not _has_row(query):
        return "None", f"ledger.run({place}{passed})"
    if query.operation == "SELECT_ONE":
        return f"{query.row} | None", f"return ledger.first({place}, {query.row}{passed})"
    return f"list[{query.row}]", f"return ledger.select({place}, {query.row}{passed})"


def _formatted(text: str) -> str:
    """Return a module as the project formats its code."""
    for options in (["check", "--fix", "--quiet", "--select", "I,RUF022"], ["format", "--quiet"]):
        command = [sys.executable, "-m", "ruff", *options, "--stdin-filename", "queries.py", "-"]
        text = subprocess.run(command, input=text, text=True, capture_output=True, check=True, cwd=SQL.parent).stdout
    return text
