"""The events by which an engineer finds why a file was set aside, or stays in the inbox."""

from nightshift.context import Context
from nightshift.ingest.naming import shown
from nightshift.ingest.unexpected import UnexpectedError, trace_of
from nightshift.ledger.queries import ledger as ledger_queries
from nightshift.vocabulary import EventLevel

__all__ = ["say_stuck", "say_unexpected"]


def say_unexpected(context: Context, name: str, error: UnexpectedError) -> None:
    """Write the event by which an engineer finds out why a file was set aside."""
    context.ledger.event(
        EventLevel.ERROR, "file_not_understood",
        f"An error that nobody foresaw set {name} aside; the event holds the traceback: {shown(str(error))}"[:1000],
        subject=name, night_time=context.clock.now(), reason=error.reason, traceback=error.trace,
    )  # fmt: skip


def say_stuck(context: Context, name: str, error: Exception) -> None:
    """Say once that a file stays in the inbox, for a cause of its own."""
    subject = shown(name)
    if not ledger_queries.event_said(context.ledger, kind="file_stuck", subject=subject):
        context.ledger.event(
            EventLevel.ERROR, "file_stuck", f"It cannot be taken out of the inbox: {shown(str(error))}"[:1000],
            subject=subject, night_time=context.clock.now(), traceback=trace_of(error),
        )  # fmt: skip
