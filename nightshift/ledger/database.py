"""One connection to the ledger, with its named queries."""

import dataclasses
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, get_args, get_type_hints

import aiosql
import psycopg2
import psycopg2.errors
import psycopg2.extras

from nightshift.errors import NeedsOperator, Retry
from nightshift.kinds import kind_named
from nightshift.vocabulary import EventLevel, Reason

__all__ = ["SQL", "Ledger", "ledger_url", "open_ledger"]

SQL = Path(__file__).resolve().parents[2] / "sql"
VARIABLE = "NIGHTSHIFT_LEDGER"

Row = TypeVar("Row")


def ledger_url() -> str:
    """Return the address of the ledger's database (environment variable ``NIGHTSHIFT_LEDGER``)."""
    url = os.environ.get(VARIABLE)
    if not url:
        raise Retry(
            Reason.INTERNAL_ERROR,
            f"{VARIABLE} is not set, so the ledger cannot be found. Of a stack on this machine "
            'eval "$(nightshift environment --survey <name>)" sets it; otherwise give the address, such as '
            "postgresql://user@host:5432/nightshift",
        )
    return url


@cache
def named_queries(topic: str | Path) -> Any:
    """Return the queries of ``sql/queries/<topic>.sql``, of the kind of work of that name, or of a file."""
    path = SQL / "queries" / f"{topic}.sql" if isinstance(topic, str) else topic
    return aiosql.from_path(
        path if path.exists() else kind_named(str(topic)).queries, "psycopg2", mandatory_parameters=False
    )


class Ledger:
    """A connection that speaks in named queries.

    Call a query by its typed function: `nightshift.ledger.queries.ingest.arrival` runs the query ``arrival`` of
    ``sql/queries/ingest.sql`` and returns a row of known type. Those functions are made of what is here. SQL is never
    built from strings. A package that remembers something beside the ledger's tables gives the path of its own file
    of queries instead of a topic.

    A connection that is lost raises `Retry`: whether the last statement took effect is unknown. The next call opens
    another, without the advisory locks of the lost one.

    Parameters
    ----------
    url : str
        A libpq address.
    """

    def __init__(self, url: str):
        self._url = url
        self._depth = 0
        self._once_committed: list[Callable[[], None]] = []
        self.connection = self._connect()

    @property
    def url(self) -> str:
        """The address that it was opened with, for programs of PostgreSQL's own."""
        return self._url

    def _connect(self) -> psycopg2.extensions.connection:
        try:
            with _answering():
                connection = psycopg2.connect(
                    self._url,
                    connect_timeout=5,
                    application_name="nightshift",
                    options="-c timezone=UTC",
                    cursor_factory=psycopg2.extras.RealDictCursor,
                )
                connection.autocommit = True
        except psycopg2.ProgrammingError:  # its words repeat the address, with a password in it
            raise NeedsOperator(
                Reason.INTERNAL_ERROR,
                f"{VARIABLE} is no address of a database: write postgresql://user@host:5432/name",
            ) from None
        return connection

    def _cursor(self, factory: Any = None) -> Any:
        """Return a cursor, of a new connection where the last one was lost."""
        if self.connection.closed and not self._depth:
            self.connection = self._connect()
        return self.connection.cursor(cursor_factory=factory)

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()

    def __enter__(self) -> "Ledger":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def transaction(self) -> Iterator["Ledger"]:
        """Make everything inside the block happen together or not at all. A block inside joins the outer one."""
        if self._depth:
            yield self
            return
        with _answering():
            self._cursor().close()
            self.connection.autocommit = False
        self._depth, self._once_committed = 1, []
        try:
            with _answering(), self.connection:
                yield self
        finally:
            self._depth = 0
            if not self.connection.closed:
                self.connection.autocommit = True
        for act in self._once_committed:
            act()

    def once_committed(self, act: Callable[[], None]) -> None:
        """Do something outside the ledger when the transaction is committed, and never where it is undone."""
        assert self._depth, "there is no transaction"
        self._once_committed.append(act)

    @contextmanager
    def savepoint(self) -> Iterator["Ledger"]:
        """Undo what the block did in the ledger, and nothing before it, where it raises. Use it in a transaction."""
        with _answering(), self._cursor() as cursor:
            cursor.execute("savepoint block")
        try:
            yield self
        except BaseException:
            if not self.connection.closed:
                with _answering(), self._cursor() as cursor:
                    cursor.execute("rollback to savepoint block")
            raise
        with _answering(), self._cursor() as cursor:
            cursor.execute("release savepoint block")

    def rows(self, topic: str | Path, name: str, **parameters: Any) -> list[dict[str, Any]]:
        """Run a named query and return its rows as dictionaries.

        For topics without typed functions: Airflow's own database, and the fingerprint, which reads whatever columns
        a table has.
        """
        query = getattr(named_queries(topic), name).sql
        with _answering(), self._cursor() as cursor:
            cursor.execute(query, _adapt(parameters))
            return [dict(row) for row in cursor.fetchall()] if cursor.description else []

    def select(self, topic: str | Path, name: str, row: type[Row], **parameters: Any) -> list[Row]:
        """Run a named query and return its rows as objects of a class: one field a column, in the query's order."""
        query = getattr(named_queries(topic), name).sql
        with _answering(), self._cursor(psycopg2.extensions.cursor) as cursor:
            cursor.execute(query, _adapt(parameters))
            return [row(*_converted(row, values)) for values in cursor]

    def first(self, topic: str | Path, name: str, row: type[Row], **parameters: Any) -> Row | None:
        """Run a named query and return its first row as an object of a class, or None."""
        found = self.select(topic, name, row, **parameters)
        return found[0] if found else None

    def row(self, topic: str | Path, name: str, **parameters: Any) -> dict[str, Any] | None:
        """Run a named query and return its first row as a dictionary, or None; for such topics as of `rows`."""
        found = self.rows(topic, name, **parameters)
        return found[0] if found else None

    def value(self, topic: str | Path, name: str, **parameters: Any) -> Any:
        """Run a named query and return the first column of its first row, or None."""
        found = self.row(topic, name, **parameters)
        return next(iter(found.values())) if found else None

    def run(self, topic: str | Path, name: str, **parameters: Any) -> int:
        """Run a named statement and return how many rows it touched."""
        query = getattr(named_queries(topic), name).sql
        with _answering(), self._cursor() as cursor:
            cursor.execute(query, _adapt(parameters))
            touched: int = cursor.rowcount
            return touched

    def event(
        self,
        level: EventLevel,
        kind: str,
        message: str,
        *,
        subject: object = "",
        night_time: datetime | None = None,
        **detail: Any,
    ) -> None:
        """Add a line to the story of the night."""
        self.run(
            "ledger", "add_event",
            level=level, kind=kind, message=message, subject=str(subject), night_time=night_time, detail=detail,
        )  # fmt: skip


@cache
def _enums_of(row: type) -> tuple[tuple[int, type[StrEnum]], ...]:
    """Return the fields of a row's class that are enums of the vocabulary, by place."""
    types = get_type_hints(row)
    found = ((place, _enum_in(types[item.name])) for place, item in enumerate(dataclasses.fields(row)))
    return tuple((place, enum) for place, enum in found if enum is not None)


def _enum_in(annotation: Any) -> type[StrEnum] | None:
    members = get_args(annotation) or (annotation,)
    return next((m for m in members if isinstance(m, type) and issubclass(m, StrEnum)), None)


def _converted(row: type, values: tuple[Any, ...]) -> Iterable[Any]:
    """Return a row's values with the texts of the vocabulary as its enums."""
    enums = _enums_of(row)
    if not enums:
        return values
    changed = list(values)
    for place, enum in enums:
        changed[place] = None if values[place] is None else enum(values[place])
    return changed


@contextmanager
def _answering() -> Iterator[None]:
    """Turn what the server or the way to it did into `Retry`; a value that it can never hold is no such thing."""
    try:
        yield
    except psycopg2.errors.ProgramLimitExceeded:
        raise
    except (psycopg2.OperationalError, psycopg2.InterfaceError) as error:
        said = " ".join(str(error).split())
        raise Retry(Reason.INTERNAL_ERROR, f"the ledger does not answer: {said}") from error


def _adapt(parameters: dict[str, Any]) -> dict[str, Any]:
    """Let dictionaries go in as JSON; everything else psycopg2 knows."""
    return {
        key: psycopg2.extras.Json(value) if isinstance(value, dict) else value for key, value in parameters.items()
    }


def open_ledger(url: str | None = None) -> Ledger:
    """Open the ledger at ``url``, or at the address that the environment names."""
    return Ledger(url or ledger_url())
