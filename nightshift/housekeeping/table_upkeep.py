"""The ledger's own upkeep: months made before they are needed, months that may leave, tables that grew."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from psycopg2 import sql

from nightshift.context import Context
from nightshift.ledger.queries import housekeeping as housekeeping_queries
from nightshift.ledger.queries import ledger as ledger_queries
from nightshift.ledger.queries import months as month_queries
from nightshift.vocabulary import EventLevel

__all__ = ["Upkeep", "keep_tables"]

AHEAD_DAYS = 35  # the month after this one is there before its first night
MOST_TABLES = 50  # in one go


@dataclass(frozen=True)
class Upkeep:
    """What was done.

    Parameters
    ----------
    vacuumed : tuple of str
        Tables of which many rows had changed.
    may_leave : str
        The oldest month, as ``YYYY-MM``, where the settings have it leave; empty where they do not.
    """

    vacuumed: tuple[str, ...]
    may_leave: str


def keep_tables(context: Context) -> Upkeep:
    """Make the next month's partitions, vacuum and analyse tables that grew, and name a month that may leave.

    No month is taken out here: ``nightshift ledger detach`` does, with a folder that a person chooses.
    """
    now = context.clock.now()
    for moment in (now, now + timedelta(days=AHEAD_DAYS)):
        housekeeping_queries.make_month_of(context.ledger, moment=moment)
    grown = housekeeping_queries.grown_tables(context.ledger, most=MOST_TABLES)
    for table in grown:
        _vacuum(context, table.table_name)
    return Upkeep(tuple(table.table_name for table in grown), _month_that_may_leave(context, now))


def _vacuum(context: Context, table: str) -> None:
    with context.ledger.connection.cursor() as cursor:
        cursor.execute(sql.SQL("vacuum (analyze, skip_locked) {}").format(sql.Identifier(table)))


def _month_that_may_leave(context: Context, now: datetime) -> str:
    """Return the oldest month where it is older than the settings have it stay, and say so once."""
    after, oldest = context.retention_policy.detach_months_after, month_queries.oldest_month_here(context.ledger)
    if after is None or oldest is None or _months_between(oldest, now) <= after:
        return ""
    month = f"{oldest[:4]}-{oldest[4:]}"
    if not ledger_queries.event_said(context.ledger, kind="month_may_leave", subject=month):
        context.ledger.event(
            EventLevel.WARNING, "month_may_leave",
            f"The month {month} is older than {after} months (retention.detach_months_after): `nightshift ledger "
            f"detach {month} --folder <folder> --dry-run` says what would leave.",
            subject=month, night_time=now,
        )  # fmt: skip
    return month


def _months_between(month: str, now: datetime) -> int:
    today = now.astimezone(UTC)
    return (today.year - int(month[:4])) * 12 + today.month - int(month[4:])
