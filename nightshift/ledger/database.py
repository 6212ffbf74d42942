"""One connection to the ledger, with its named queries."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import aiosql
import psycopg2
import psycopg2.extras

from nightshift.errors import Retry
from nightshift.vocabulary import EventLevel, Reason

__all__ = ["SQL", "Ledger", "ledger_url", "open_ledger"]

SQL = Path(__file__).resolve().parents[2] / "sql"
VARIABLE = "NIGHTSHIFT_LEDGER"


def ledger_url() -> str:
    """Return the address of the ledger's database (environment variable ``NIGHTSHIFT_LEDGER``)."""
    url = os.environ.get(VARIABLE)
    if not url:
        raise Retry(
            Reason.INTERNAL_ERROR,
            f"{VARIABLE} is not set: give the ledger's address, such as postgresql://user@host:5432/nightshift",
        )
    return url


@cache
def named_queries(topic: str) -> Any:
    """Return the queries of ``sql/queries/<topic>.sql``, one attribute a name."""
    return aiosql.from_path(SQL / "queries" / f"{topic}.sql", "psycopg2", mandatory_parameters=False)


class Ledger:
    """A connection that speaks in named queries.

    ``ledger.rows("ingest", "due_exposures", night=...)`` runs the query of that name from
    ``sql/queries/ingest.sql`` and returns its rows as dictionaries. SQL is never built from strings.

    Parameters
    ----------
    url : str
        A libpq address.
    """

    def __init__(self, url: str):
        try:
            self.connection = psycopg2.connect(
                url,
                connect_timeout=5,
                application_name="nightshift",
                options="-c timezone=UTC",
                cursor_factory=psycopg2.extras.RealDictCursor,
            )
        except psycopg2.OperationalError as error:
            raise Retry(Reason.INTERNAL_ERROR, f"the ledger does not answer: {error}") from error
        self.connection.autocommit = True
        self._depth = 0

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
        self._depth = 1
        self.connection.autocommit = False
        try:
            with self.connection:
                yield self
        finally:
            self._depth = 0
            if not self.connection.closed:
                self.connection.autocommit = True

    def rows(self, topic: str, name: str, **parameters: Any) -> list[dict[str, Any]]:
        """Run a named query and return its rows as dictionaries."""
        query = getattr(named_queries(topic), name).sql
        with self.connection.cursor() as cursor:
            cursor.execute(query, _adapt(parameters))
            return [dict(row) for row in cursor.fetchall()] if cursor.description else []

    def row(self, topic: str, name: str, **parameters: Any) -> dict[str, Any] | None:
        """Run a named query and return its first row, or None."""
        found = self.rows(topic, name, **parameters)
        return found[0] if found else None

    def value(self, topic: str, name: str, **parameters: Any) -> Any:
        """Run a named query and return the first column of its first row, or None."""
        found = self.row(topic, name, **parameters)
        return next(iter(found.values())) if found else None

    def run(self, topic: str, name: str, **parameters: Any) -> int:
        """Run a named statement and return how many rows it touched."""
        query = getattr(named_queries(topic), name).sql
        with self.connection.cursor() as cursor:
            cursor.execute(query, _adapt(parameters))
            return cursor.rowcount

    def event(
        self, level: EventLevel, kind: str, message: str, *, subject: object = "", night_time=None, **detail: Any
    ) -> None:
        """Add a line to the story of the night."""
        self.run(
            "ledger", "add_event",
            level=level, kind=kind, message=message, subject=str(subject), night_time=night_time, detail=detail,
        )  # fmt: skip


def _adapt(parameters: dict[str, Any]) -> dict[str, Any]:
    """Let dictionaries go in as JSON; everything else psycopg2 knows."""
    return {
        key: psycopg2.extras.Json(value) if isinstance(value, dict) else value for key, value in parameters.items()
    }


def open_ledger(url: str | None = None) -> Ledger:
    """Open the ledger at ``url``, or at the address that the environment names."""
    return Ledger(url or ledger_url())
