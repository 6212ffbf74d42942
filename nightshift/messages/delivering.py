"""A message is delivered until it was taken: each try is written down before it is made, and its outcome after it.

A process that is killed in between leaves a try without an outcome; the message is sent once more then, with the
same key. So a person may hear twice and never not at all. A channel that fails several times in a row passes the
message on to the person's next one.
"""

from collections.abc import Sequence
from datetime import datetime

from nightshift.ledger import Ledger
from nightshift.ledger.queries import ledger as ledger_queries
from nightshift.ledger.queries import messages as message_queries
from nightshift.ledger.queries.messages import QueuedDelivery
from nightshift.messages.channels import Carrier, Letter, Outcome
from nightshift.messages.listeners import Listeners
from nightshift.messages.wording import duration
from nightshift.settings.messages import Channel
from nightshift.vocabulary import EventLevel

__all__ = ["deliver_due", "is_time", "pause_s"]

FIRST_PAUSE_S, LONGEST_PAUSE_S = 5.0, 300.0


def pause_s(tries: int) -> float:
    """Return how long to wait after so many tries, in seconds: twice as long after each, up to five minutes."""
    return 0.0 if tries == 0 else min(FIRST_PAUSE_S * 2.0 ** min(tries - 1, 10), LONGEST_PAUSE_S)


def is_time(tries: int, tried_at: datetime | None, now: datetime) -> bool:
    """Whether a message may be tried again; a try in the future was made before the clock was set back."""
    age = (now - tried_at).total_seconds() if tried_at is not None else 0.0
    return tried_at is None or age < 0 or age >= pause_s(tries)


def deliver_due(ledger: Ledger, listeners: Listeners, carrier: Carrier, now: datetime) -> int:
    """Try the oldest message of each channel that is due, and return how many were told.

    Call it outside of a transaction: each try is committed before it is made.
    """
    chosen: dict[str, QueuedDelivery] = {}
    for row in message_queries.queued(ledger):
        if row.channel not in listeners.channels:
            _pass_on(ledger, listeners, row, "the settings have no such channel any more", final=True)
        elif row.channel not in chosen and is_time(row.tries, row.tried_at, now):
            chosen[row.channel] = row
    for row in chosen.values():
        message_queries.begin_try(ledger, message_key=row.message_key, channel=row.channel, now=now)
    letters = {name: (listeners.channels[name], _letter(listeners, row)) for name, row in chosen.items()}
    outcomes = carrier.carry(letters)
    for name, outcome in outcomes.items():
        _write_down(ledger, listeners, chosen[name], outcome, now)
    return sum(outcome.told for outcome in outcomes.values())


def _letter(listeners: Listeners, row: QueuedDelivery) -> Letter:
    return Letter(row.message_key, row.title, row.body, listeners.mail_from)


def _write_down(ledger: Ledger, listeners: Listeners, row: QueuedDelivery, outcome: Outcome, now: datetime) -> None:
    with ledger.transaction():
        if outcome.told:
            message_queries.told(
                ledger, message_key=row.message_key, channel=row.channel, now=now, error=outcome.text or None
            )
            _say_works(ledger, row.channel, now)
            _say_left_out(ledger, row.channel, outcome.text)
        else:
            tries = row.tries + 1
            enough = outcome.final or tries % listeners.settings.tries_per_channel == 0
            _pass_on(ledger, listeners, row, outcome.text, final=enough)
            _say_failing(ledger, row.channel, outcome, listeners.settings.tries_per_channel)


def _pass_on(ledger: Ledger, listeners: Listeners, row: QueuedDelivery, error: str, *, final: bool) -> None:
    """Keep why a try failed, and where that is enough of them have the person's next channel carry the message."""
    following = _after(row.channel, listeners.channels_for(row.person, row.first_channel)) if final else None
    message_queries.not_told(
        ledger, message_key=row.message_key, channel=row.channel, error=error, pass_on=following is not None
    )
    if following is not None:
        message_queries.queue_delivery(ledger, message_key=row.message_key, channel=following.name)


def _after(name: str, channels: Sequence[Channel]) -> Channel | None:
    """Return the channel after one, from the last on to the first; None where there is no other."""
    names = [channel.name for channel in channels]
    place = names.index(name) + 1 if name in names else 0
    following = channels[place % len(channels)] if channels else None
    return None if following is None or following.name == name else following


def _say_failing(ledger: Ledger, channel: str, outcome: Outcome, after: int) -> None:
    """Say once that a channel takes no messages: in an event, so that the morning's mail and the pages have it."""
    failures = message_queries.channel_failed(ledger, channel=channel, error=outcome.text)
    if (failures >= after or outcome.final) and message_queries.channel_said(ledger, channel=channel):
        ledger.event(
            EventLevel.ERROR, "channel_failing", f"No message reaches anybody by {channel}: {outcome.text}.",
            subject=channel,
        )  # fmt: skip


def _say_works(ledger: Ledger, channel: str, now: datetime) -> None:
    for failed in message_queries.channel_works(ledger, channel=channel):
        if failed.said:
            ledger.event(
                EventLevel.INFO, "channel_works",
                f"The channel {channel} takes messages again, after {duration(now - failed.since)}.", subject=channel,
            )  # fmt: skip


def _say_left_out(ledger: Ledger, channel: str, text: str) -> None:
    if text and not ledger_queries.event_said_so(ledger, kind="message_refused", subject=channel, message=text):
        ledger.event(EventLevel.ERROR, "message_refused", text, subject=channel)
