"""The named queries of ``sql/queries/messages.sql``, typed.

Written by ``make queries``: change the SQL and run it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from nightshift.ledger.database import Ledger
from nightshift.vocabulary import EventLevel, NightState

__all__ = [
    "Delivery",
    "EndedTrouble",
    "FailedChannel",
    "Message",
    "MessageAtAGlance",
    "NightUnderWay",
    "QueuedDelivery",
    "SaidLately",
    "ToBeSaid",
    "Trouble",
    "Unanswered",
    "UnheardEvent",
    "acknowledge",
    "begin_try",
    "channel_failed",
    "channel_said",
    "channel_works",
    "count_again",
    "deliveries_of",
    "end_troubles",
    "failing_channels",
    "forget_old_messages",
    "forget_old_troubles",
    "forget_unheard",
    "last_said",
    "latest_messages",
    "looked_s",
    "mark_said",
    "message",
    "next_number",
    "nights_under_way",
    "not_told",
    "open_trouble",
    "put_ends",
    "put_hearing",
    "put_message",
    "put_trouble",
    "queue_delivery",
    "queued",
    "said_lately",
    "to_be_said",
    "told",
    "troubles_of",
    "unanswered",
    "unheard",
    "waiting_troubles",
]

TOPIC = "messages"


@dataclass(frozen=True, slots=True)
class UnheardEvent:
    """A row of `unheard`."""

    event_id: int
    at: datetime
    level: EventLevel
    kind: str
    subject: str
    message: str


@dataclass(frozen=True, slots=True)
class Trouble:
    """A row of `open_trouble` or `waiting_troubles` or `troubles_of` or `acknowledge`."""

    trouble_id: int
    kind: str
    subject: str
    site: str
    level: EventLevel
    message: str
    times: int
    began_at: datetime
    last_at: datetime
    ended_at: datetime | None
    end_message: str | None
    acknowledged_at: datetime | None
    acknowledged_by: str | None


@dataclass(frozen=True, slots=True)
class EndedTrouble:
    """A row of `end_troubles`."""

    trouble_id: int


@dataclass(frozen=True, slots=True)
class ToBeSaid:
    """A row of `to_be_said`."""

    trouble_id: int
    person: str
    channel: str
    what: str
    since: datetime
    urgent: bool
    quiet_from: str | None
    quiet_until: str | None
    kind: str
    subject: str
    site: str
    level: EventLevel
    message: str
    times: int
    began_at: datetime
    ended_at: datetime | None
    end_message: str | None


@dataclass(frozen=True, slots=True)
class SaidLately:
    """A row of `said_lately`."""

    message_key: str
    person: str
    channel: str
    made_at: datetime
    kind: str
    what: str


@dataclass(frozen=True, slots=True)
class Unanswered:
    """A row of `unanswered`."""

    trouble_id: int
    kind: str
    subject: str
    site: str
    level: EventLevel
    told_at: datetime
    people: list[str]


@dataclass(frozen=True, slots=True)
class Message:
    """A row of `message`."""

    message_key: str
    person: str
    channel: str
    title: str
    body: str
    made_at: datetime


@dataclass(frozen=True, slots=True)
class MessageAtAGlance:
    """A row of `latest_messages`."""

    message_key: str
    person: str
    title: str
    made_at: datetime
    told: bool
    acknowledged: bool


@dataclass(frozen=True, slots=True)
class QueuedDelivery:
    """A row of `queued`."""

    message_key: str
    channel: str
    tries: int
    tried_at: datetime | None
    person: str
    first_channel: str
    title: str
    body: str
    made_at: datetime


@dataclass(frozen=True, slots=True)
class Delivery:
    """A row of `deliveries_of`."""

    channel: str
    state: str
    tries: int
    tried_at: datetime | None
    told_at: datetime | None
    error: str | None


@dataclass(frozen=True, slots=True)
class FailedChannel:
    """A row of `channel_works` or `failing_channels`."""

    channel: str
    since: datetime
    failures: int
    error: str
    said: bool


@dataclass(frozen=True, slots=True)
class NightUnderWay:
    """A row of `nights_under_way`."""

    site: str
    night: date
    ends: datetime
    state: NightState


def unheard(ledger: Ledger, *, most: int) -> list[UnheardEvent]:
    """In the order in which they were written. One whose month has left the ledger is gone with it."""
    return ledger.select(TOPIC, "unheard", UnheardEvent, most=most)


def forget_unheard(ledger: Ledger, *, last: int | None, event_ids: Sequence[int] | None) -> int:
    """Those that were read, and those of months that have left."""
    return ledger.run(TOPIC, "forget_unheard", last=last, event_ids=event_ids)


def open_trouble(ledger: Ledger, *, kind: str, subject: str, at: datetime, same_for_s: float) -> Trouble | None:
    """The trouble that an event belongs to: of its kind and subject, not over, and not too long ago: an end may
    never have been said.
    """
    return ledger.first(TOPIC, "open_trouble", Trouble, kind=kind, subject=subject, at=at, same_for_s=same_for_s)


def put_trouble(ledger: Ledger, *, kind: str, subject: str, site: str, level: str, message: str, at: datetime) -> int:
    """Run `put_trouble`."""
    found: int = ledger.value(
        TOPIC, "put_trouble", kind=kind, subject=subject, site=site, level=level, message=message, at=at
    )
    return found


def count_again(
    ledger: Ledger, *, at: datetime | None, level: str | None, message: str | None, trouble_id: int | None
) -> int:
    """Run `count_again`."""
    return ledger.run(TOPIC, "count_again", at=at, level=level, message=message, trouble_id=trouble_id)


def end_troubles(
    ledger: Ledger, *, at: datetime, message: str, kinds: Sequence[str], subject: str
) -> list[EndedTrouble]:
    """Run `end_troubles`."""
    return ledger.select(TOPIC, "end_troubles", EndedTrouble, at=at, message=message, kinds=kinds, subject=subject)


def waiting_troubles(ledger: Ledger, *, same_for_s: float, most: int) -> list[Trouble]:
    """What nobody has acknowledged and is not over, the newest first."""
    return ledger.select(TOPIC, "waiting_troubles", Trouble, same_for_s=same_for_s, most=most)


def troubles_of(ledger: Ledger, *, message_key: str) -> list[Trouble]:
    """What a message told of."""
    return ledger.select(TOPIC, "troubles_of", Trouble, message_key=message_key)


def acknowledge(ledger: Ledger, *, operator: str, message_key: str) -> list[Trouble]:
    """The troubles of a message that nobody has acknowledged."""
    return ledger.select(TOPIC, "acknowledge", Trouble, operator=operator, message_key=message_key)


def put_hearing(
    ledger: Ledger,
    *,
    trouble_id: int | None,
    person: str | None,
    channel: str | None,
    what: str | None,
    since: datetime | None,
    urgent: bool | None,
    quiet_from: str | None,
    quiet_until: str | None,
) -> int:
    """Run `put_hearing`."""
    return ledger.run(
        TOPIC,
        "put_hearing",
        trouble_id=trouble_id,
        person=person,
        channel=channel,
        what=what,
        since=since,
        urgent=urgent,
        quiet_from=quiet_from,
        quiet_until=quiet_until,
    )


def put_ends(ledger: Ledger, *, since: datetime | None, trouble_id: int | None) -> int:
    """Whoever heard, or is to hear, that a trouble began hears that it is over."""
    return ledger.run(TOPIC, "put_ends", since=since, trouble_id=trouble_id)


def to_be_said(ledger: Ledger) -> list[ToBeSaid]:
    """What people are to hear and was in no message yet."""
    return ledger.select(TOPIC, "to_be_said", ToBeSaid)


def said_lately(ledger: Ledger, *, lately_s: float) -> list[SaidLately]:
    """Each message of late, with what it told of which kinds."""
    return ledger.select(TOPIC, "said_lately", SaidLately, lately_s=lately_s)


def unanswered(ledger: Ledger, *, same_for_s: float) -> list[Unanswered]:
    """What somebody was called for and nobody has acknowledged, with whom it was told, and when last."""
    return ledger.select(TOPIC, "unanswered", Unanswered, same_for_s=same_for_s)


def next_number(ledger: Ledger, *, day: str) -> int:
    """Run `next_number`."""
    found: int = ledger.value(TOPIC, "next_number", day=day)
    return found


def put_message(
    ledger: Ledger,
    *,
    message_key: str | None,
    person: str | None,
    channel: str | None,
    title: str | None,
    body: str | None,
    made_at: datetime | None,
) -> int:
    """Run `put_message`."""
    return ledger.run(
        TOPIC,
        "put_message",
        message_key=message_key,
        person=person,
        channel=channel,
        title=title,
        body=body,
        made_at=made_at,
    )


def mark_said(
    ledger: Ledger,
    *,
    message_key: str | None,
    trouble_id: int | None,
    person: str | None,
    channel: str | None,
    what: str | None,
) -> int:
    """Run `mark_said`."""
    return ledger.run(
        TOPIC, "mark_said", message_key=message_key, trouble_id=trouble_id, person=person, channel=channel, what=what
    )


def message(ledger: Ledger, *, message_key: str) -> Message | None:
    """Run `message`."""
    return ledger.first(TOPIC, "message", Message, message_key=message_key)


def latest_messages(ledger: Ledger, *, most: int) -> list[MessageAtAGlance]:
    """Run `latest_messages`."""
    return ledger.select(TOPIC, "latest_messages", MessageAtAGlance, most=most)


def forget_old_troubles(ledger: Ledger, *, older_than_days: int | None) -> int:
    """Run `forget_old_troubles`."""
    return ledger.run(TOPIC, "forget_old_troubles", older_than_days=older_than_days)


def forget_old_messages(ledger: Ledger, *, older_than_days: int | None) -> int:
    """Run `forget_old_messages`."""
    return ledger.run(TOPIC, "forget_old_messages", older_than_days=older_than_days)


def queue_delivery(ledger: Ledger, *, message_key: str | None, channel: str | None) -> int:
    """Also one that was passed on, when its turn comes again."""
    return ledger.run(TOPIC, "queue_delivery", message_key=message_key, channel=channel)


def queued(ledger: Ledger) -> list[QueuedDelivery]:
    """Oldest first, what calls somebody before the rest."""
    return ledger.select(TOPIC, "queued", QueuedDelivery)


def begin_try(ledger: Ledger, *, now: datetime | None, message_key: str | None, channel: str | None) -> int:
    """Run `begin_try`."""
    return ledger.run(TOPIC, "begin_try", now=now, message_key=message_key, channel=channel)


def told(
    ledger: Ledger, *, now: datetime | None, error: str | None, message_key: str | None, channel: str | None
) -> int:
    """Run `told`."""
    return ledger.run(TOPIC, "told", now=now, error=error, message_key=message_key, channel=channel)


def not_told(
    ledger: Ledger, *, error: str | None, pass_on: bool | None, message_key: str | None, channel: str | None
) -> int:
    """Run `not_told`."""
    return ledger.run(TOPIC, "not_told", error=error, pass_on=pass_on, message_key=message_key, channel=channel)


def deliveries_of(ledger: Ledger, *, message_key: str) -> list[Delivery]:
    """Run `deliveries_of`."""
    return ledger.select(TOPIC, "deliveries_of", Delivery, message_key=message_key)


def channel_failed(ledger: Ledger, *, channel: str, error: str) -> int:
    """How often in a row, this time included."""
    found: int = ledger.value(TOPIC, "channel_failed", channel=channel, error=error)
    return found


def channel_said(ledger: Ledger, *, channel: str | None) -> int:
    """Run `channel_said`."""
    return ledger.run(TOPIC, "channel_said", channel=channel)


def channel_works(ledger: Ledger, *, channel: str) -> list[FailedChannel]:
    """Run `channel_works`."""
    return ledger.select(TOPIC, "channel_works", FailedChannel, channel=channel)


def failing_channels(ledger: Ledger) -> list[FailedChannel]:
    """Run `failing_channels`."""
    return ledger.select(TOPIC, "failing_channels", FailedChannel)


def nights_under_way(ledger: Ledger, *, now: datetime) -> list[NightUnderWay]:
    """Of each site the nights that have begun and are not closed."""
    return ledger.select(TOPIC, "nights_under_way", NightUnderWay, now=now)


def looked_s(ledger: Ledger) -> float | None:
    """For how many seconds the inbox was not looked at."""
    found: float | None = ledger.value(TOPIC, "looked_s")
    return found


def last_said(ledger: Ledger, *, subject: str, kinds: Sequence[str]) -> str | None:
    """Which of two kinds was said last of a subject."""
    found: str | None = ledger.value(TOPIC, "last_said", subject=subject, kinds=kinds)
    return found
