"""Send what the outbox holds, and believe only what the broker acknowledged.

A message is sent at least once: where a broker's answer was lost it is sent again, with the same bytes and the
same key, and consumers drop repeats by ``candid``.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from nightshift.alerts.address import Broker, broker_from_environment
from nightshift.alerts.sending_limits import Delivered, NoLimits, SendingLimits, sending_limits, stop_waiting
from nightshift.alerts.signature import key_from_environment, signed_headers
from nightshift.alerts.steady_waits import wait_for_delivery
from nightshift.alerts.tars import Member, read_member
from nightshift.context import Context
from nightshift.errors import NeedsOperator, Retry
from nightshift.housekeeping.deleted_files import file_at_hand
from nightshift.ledger.advisory_lock import Busy, LockedWork, advisory_lock
from nightshift.ledger.queries import alerts as alert_queries
from nightshift.ledger.queries.alerts import QueuedMessage
from nightshift.vocabulary import EventLevel, Reason

__all__ = ["PostSummary", "post"]

BATCH = 500
BETWEEN_BATCHES_S = 0.5  # longer than others wait between two tries for the lock
CONNECT_S = 0.1
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC), -1, ""  # before the first message in the order of the queue


@dataclass
class PostSummary:
    """What one call of `post` did.

    Parameters
    ----------
    acknowledged : int
        Messages that the broker said it has.
    failed : int
        Messages that stay queued: the broker did not take them, or the packet could not be read now.
    damaged : int
        Messages withheld because the packet's bytes are not those that were released.
    waiting : int
        Of the next messages, those that stay queued until the broker may be sent more.
    busy : bool
        Another poster held the lock for as long as this call was ready to wait: what is queued is left to it.
    error : str
        The last thing that went wrong.
    """

    acknowledged: int = 0
    failed: int = 0
    damaged: int = 0
    waiting: int = 0
    busy: bool = False
    error: str = ""


@dataclass
class _Batch:
    """What became of the messages of one batch."""

    delivered: list[Delivered] = field(default_factory=list)
    refused: list[tuple[QueuedMessage, str]] = field(default_factory=list)  # by the broker, or not answered
    unread: list[tuple[QueuedMessage, str]] = field(default_factory=list)  # the packet could not be read now
    damaged: list[tuple[QueuedMessage, NeedsOperator]] = field(default_factory=list)


@dataclass(frozen=True)
class _Route:
    """The way to the broker, as one call of `post` found it; without an address, what is in the way."""

    servers: str
    limits: SendingLimits
    problem: str = ""


def post(
    context: Context, *, brokers: str | None = None, lock_wait_s: float = 60.0, delivery_s: float = 20.0
) -> PostSummary:
    """Send every queued message, and mark those that the broker acknowledged.

    Stops at the first batch of which the broker takes nothing; what is left stays queued for the next call.

    Parameters
    ----------
    context : Context
    brokers : str, optional
        Kafka's ``host:port,...``; by default what the environment names.
    lock_wait_s : float
        How long to wait for another poster to finish, in real seconds.
    delivery_s : float
        How long a message may take, in real seconds.
    """
    summary = PostSummary()
    try:
        _post_all(context, summary, brokers, lock_wait_s, delivery_s)
    except Busy:
        summary.busy = True
    return summary


def _post_all(
    context: Context, summary: PostSummary, brokers: str | None, lock_wait_s: float, delivery_s: float
) -> None:
    """Send batch after batch. Between two the lock is free: who rejects a frame need not wait for the whole queue."""
    route, producer, after = None, None, BEGINNING
    while True:
        with advisory_lock(context.ledger, LockedWork.POST, wait_s=lock_wait_s):
            route = route or _find_route(context, brokers)
            messages = _queued_after(context, *after)
            if not messages:
                stop_waiting(context.ledger)
                return
            try:
                producer = producer or _producer(route, delivery_s)
            except (KafkaException, Retry) as error:
                refused = _Batch(refused=[(message, str(error)) for message in messages])
                _record(context, refused, summary, route.limits)
                return
            fitting = route.limits.fitting(messages)
            batch = _send(context, producer, fitting, delivery_s)
            _record(context, batch, summary, route.limits)
        if fitting:
            if len(fitting) == len(messages) < BATCH or (batch.refused and not batch.delivered):
                return
            last = fitting[-1]  # one that failed is not met again in this call
            after = last.queued_at, last.candid, last.topic
        elif not route.limits.worth_asking():
            summary.waiting = len(messages)
            return
        time.sleep(BETWEEN_BATCHES_S)


def _queued_after(context: Context, moment: datetime, candid: int, topic: str) -> list[QueuedMessage]:
    return alert_queries.queued(context.ledger, after_time=moment, after_candid=candid, after_topic=topic, most=BATCH)


def _find_route(context: Context, brokers: str | None) -> _Route:
    """Return the way to the broker, and have queued again what it took and has lost."""
    try:
        broker = Broker(brokers) if brokers else broker_from_environment()
    except Retry as error:
        return _Route("", NoLimits(), str(error))  # it is away: what is queued finds that out
    limits = sending_limits(context, broker)
    limits.queue_lost()
    return _Route(broker.servers, limits)


def _producer(route: _Route, delivery_s: float) -> Producer:
    if route.problem:
        raise Retry(Reason.INTERNAL_ERROR, route.problem)
    producer = Producer(
        {
            "bootstrap.servers": route.servers,
            "client.id": "nightshift-post",
            "enable.idempotence": True,
            "acks": "all",
            "linger.ms": 5,
            "message.timeout.ms": int(delivery_s * 1000),
            "topic.metadata.refresh.interval.ms": 10_000,
            "log_level": 2,  # what went wrong is in the ledger, a message each
        }
    )
    # An idempotent producer asks for its id on a timer of 500 ms, or when it is connected before it has work.
    time.sleep(CONNECT_S)
    return producer


def _send(context: Context, producer: Producer, messages: Sequence[QueuedMessage], delivery_s: float) -> _Batch:
    """Hand a batch to the broker and wait until each message is acknowledged or given up."""
    batch, key = _Batch(), key_from_environment()
    for message in messages:
        place = Member(message.packet_offset, message.packet_bytes, message.packet_sha256)
        try:
            packet = read_member(file_at_hand(context, message.packet_path), place)
            producer.produce(
                message.topic, value=packet, key=f"{message.object_id}/{message.candid}",
                headers=signed_headers(key, packet), on_delivery=_reporter(batch, message),
            )  # fmt: skip
        except NeedsOperator as error:
            batch.damaged.append((message, error))
        except OSError as error:
            batch.unread.append((message, str(error)))
        except (BufferError, KafkaException) as error:
            batch.refused.append((message, str(error)))
        producer.poll(0)
    if not wait_for_delivery(producer, delivery_s + 5):
        producer.purge()
        wait_for_delivery(producer, 5)
    return batch


def _reporter(batch: _Batch, message: QueuedMessage) -> Callable[[KafkaError | None, Message], None]:
    """Return the function that takes in the broker's word on one message."""

    def report(error: KafkaError | None, answer: Message) -> None:
        partition, offset = answer.partition(), answer.offset()
        if error is not None or partition is None or offset is None or offset < 0:
            batch.refused.append((message, str(error or "acknowledged without an offset")))
        else:
            batch.delivered.append(Delivered(message, partition, offset))

    return report


def _record(context: Context, batch: _Batch, summary: PostSummary, limits: SendingLimits) -> None:
    """Write into the ledger what became of a batch."""
    failed = batch.refused + batch.unread
    if not (batch.delivered or failed or batch.damaged):
        return
    with context.ledger.transaction():
        _acknowledge(context, batch.delivered)
        limits.note_delivered(batch.delivered)
        _note_failures(context, failed)
        for message, error in batch.damaged:
            _withhold_damaged(context, message, error)
    summary.acknowledged += len(batch.delivered)
    summary.failed += len(failed)
    summary.damaged += len(batch.damaged)
    problems = [error for _, error in failed] + [str(error) for _, error in batch.damaged]
    summary.error = problems[-1] if problems else summary.error


def _acknowledge(context: Context, delivered: Sequence[Delivered]) -> None:
    alert_queries.acknowledge(
        context.ledger,
        candids=[each.message.candid for each in delivered],
        times=[each.message.shutter_open for each in delivered],
        topics=[each.message.topic for each in delivered],
        partitions=[each.partition for each in delivered],
        offsets=[each.offset for each in delivered],
    )


def _note_failures(context: Context, failed: Sequence[tuple[QueuedMessage, str]]) -> None:
    if not failed:
        return
    alert_queries.note_failures(
        context.ledger,
        candids=[message.candid for message, _ in failed],
        times=[message.shutter_open for message, _ in failed],
        topics=[message.topic for message, _ in failed],
        errors=[error for _, error in failed],
    )
    context.ledger.event(
        EventLevel.WARNING, "alerts_not_sent", f"{len(failed)} alerts stay queued: {failed[-1][1]}",
        night_time=context.clock.now(), alerts=len(failed),
    )  # fmt: skip


def _withhold_damaged(context: Context, message: QueuedMessage, error: NeedsOperator) -> None:
    alert_queries.withhold_damaged(
        context.ledger,
        candid=message.candid, shutter_open=message.shutter_open, reason=error.reason, error=str(error),
    )  # fmt: skip
    context.ledger.event(
        EventLevel.PAGE, "packet_damaged", f"alert {message.candid} was not sent: {error}", subject=message.candid,
        night_time=context.clock.now(),
    )  # fmt: skip
