"""The ledger's notices that something may be due, or was said: whoever waits for it hears of it at once.

A notice says no more than that it is worth asking. One that is lost costs a delay, for who listens asks now and then
all the same.
"""

from contextlib import suppress

import psycopg2
from psycopg2 import sql

from nightshift.ledger.database import ledger_url

__all__ = ["DueNotices"]


class DueNotices:
    """A connection that listens. It never raises: without a ledger it hears nothing until it is opened again.

    Parameters
    ----------
    of : str
        ``nightshift_due``: something may be due. ``nightshift_events``: an event was written.
    """

    def __init__(self, of: str = "nightshift_due") -> None:
        self._of = of
        self._connection: psycopg2.extensions.connection | None = None

    @property
    def open(self) -> bool:
        """Whether it listens."""
        return self._connection is not None

    def listen(self) -> None:
        """Connect and listen, where it does not yet. It may take seconds where the ledger does not answer."""
        if self._connection is not None:
            return
        with suppress(psycopg2.Error):
            connection = psycopg2.connect(ledger_url(), connect_timeout=5, application_name="nightshift notices")
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(sql.SQL("listen {}").format(sql.Identifier(self._of)))
            self._connection = connection

    def fileno(self) -> int:
        """Return the descriptor that can be read when notices have come. Call it while it is open."""
        assert self._connection is not None
        return int(self._connection.fileno())

    def take(self) -> bool:
        """Return whether notices have come since the last call; where the connection was lost it is closed."""
        if self._connection is None:
            return False
        try:
            self._connection.poll()
        except psycopg2.Error:
            self.close()
            return False
        came = bool(self._connection.notifies)
        self._connection.notifies.clear()
        return came

    def close(self) -> None:
        """Listen no more."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(psycopg2.Error):
                connection.close()
