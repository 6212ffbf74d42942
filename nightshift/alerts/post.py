"""Send what the outbox holds, and believe only what the broker acknowledged.

A message is sent at least once: where a broker's answer was lost it is sent again, with the same bytes and the
same key, and consumers drop repeats by ``candid``.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from nightshift.alerts.address import broker_life, brokers_from_environment
from nightshift.alerts.back_pressure import BackPressure, stop_waiting
from nightshift.alerts.steady_waits import wait_for_delivery
from nightshift.alerts.tars import Member, read_member
from nightshift.context import Context
from nightshift.errors import NeedsOperator, Retry
from nightshift.ledger.advisory_lock import Busy, LockedWork, advisory_lock
from nightshift.vocabulary import EventLevel

__all__ = ["PostSummary", "post"]

Row = dict[str, Any]
BATCH = 500
BETWEEN_BATCHES_S = 0.5  # longer than others wait between two tries for the lock
CONNECT_S = 0.1
BEGINNING = {"after_time": datetime(1970, 1, 1, tzinfo=UTC), "after_candid": -1, "after_topic": ""}


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
        Of the next messages, those that stay queued until the night's own consumer has taken what is before them.
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

    delivered: list[tuple[Row, int, int]] = field(default_factory=list)  # with partition and offset
    refused: list[tuple[Row, str]] = field(default_factory=list)  # by the broker, or not answered
    unread: list[tuple[Row, str]] = field(default_factory=list)  # the packet could not be read now
    damaged: list[tuple[Row, NeedsOperator]] = field(default_factory=list)


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
    producer, pressure, life, after = None, None, None, BEGINNING
    while True:
        with advisory_lock(context.ledger, LockedWork.POST, wait_s=lock_wait_s):
            if producer is None and brokers is None:
                life = _queue_what_was_forgotten(context)
            rows = context.ledger.rows("alerts", "queued", **after, most=BATCH)
            if not rows:
                stop_waiting(context.ledger)
                return
            try:
                producer = producer or _producer(brokers or brokers_from_environment(), delivery_s)
            except (KafkaException, Retry) as error:
                _record(context, _Batch(refused=[(row, str(error)) for row in rows]), summary, life)
                return
            pressure = pressure or (BackPressure(context, life) if life else None)
            fitting = pressure.fitting(rows) if pressure else rows
            batch = _send(context, producer, fitting, delivery_s)
            _record(context, batch, summary, life)
        if fitting:
            if len(fitting) == len(rows) < BATCH or (batch.refused and not batch.delivered):
                return
            last = fitting[-1]  # one that failed is not met again in this call
            after = {"after_time": last["queued_at"], "after_candid": last["candid"], "after_topic": last["topic"]}
        elif pressure and not pressure.worth_asking():
            summary.waiting = len(rows)
            return
        time.sleep(BETWEEN_BATCHES_S)


def _queue_what_was_forgotten(context: Context) -> str | None:
    """Queue again what an earlier life of the embedded broker took with it, and return its present life.

    A real broker keeps what it acknowledged, and has no lives.
    """
    try:
        life = broker_life()
    except Retry:
        return None  # it is away: what is queued finds that out
    if life is None:
        return None
    forgotten = context.ledger.run("alerts", "queue_again", life=life)
    if forgotten:
        context.ledger.event(
            EventLevel.WARNING, "alerts_sent_again",
            f"The embedded broker was started anew and has forgotten {forgotten} alerts; they are sent again.",
            night_time=context.clock.now(), alerts=forgotten,
        )  # fmt: skip
    return life


def _producer(brokers: str, delivery_s: float) -> Producer:
    producer = Producer(
        {
            "bootstrap.servers": brokers,
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


def _send(context: Context, producer: Producer, rows: Sequence[Row], delivery_s: float) -> _Batch:
    """Hand a batch to the broker and wait until each message is acknowledged or given up."""
    batch = _Batch()
    for row in rows:
        place = Member(row["packet_offset"], row["packet_bytes"], row["packet_sha256"])
        try:
            packet = read_member(context.depot.absolute(row["packet_path"]), place)
            producer.produce(
                row["topic"], value=packet, key=f"{row['object_id']}/{row['candid']}",
                on_delivery=_reporter(batch, row),
            )  # fmt: skip
        except NeedsOperator as error:
            batch.damaged.append((row, error))
        except OSError as error:
            batch.unread.append((row, str(error)))
        except (BufferError, KafkaException) as error:
            batch.refused.append((row, str(error)))
        producer.poll(0)
    if not wait_for_delivery(producer, delivery_s + 5):
        producer.purge()
        wait_for_delivery(producer, 5)
    return batch


def _reporter(batch: _Batch, row: Row) -> Callable[[KafkaError | None, Message], None]:
    """Return the function that takes in the broker's word on one message."""

    def report(error: KafkaError | None, message: Message) -> None:
        partition, offset = message.partition(), message.offset()
        if error is not None or partition is None or offset is None or offset < 0:
            batch.refused.append((row, str(error or "acknowledged without an offset")))
        else:
            batch.delivered.append((row, partition, offset))

    return report


def _record(context: Context, batch: _Batch, summary: PostSummary, life: str | None) -> None:
    """Write into the ledger what became of a batch."""
    ledger, failed = context.ledger, batch.refused + batch.unread
    if not (batch.delivered or failed or batch.damaged):
        return
    with ledger.transaction():
        ledger.run(
            "alerts", "acknowledge",
            candids=[row["candid"] for row, _, _ in batch.delivered],
            times=[row["shutter_open"] for row, _, _ in batch.delivered],
            topics=[row["topic"] for row, _, _ in batch.delivered],
            partitions=[partition for _, partition, _ in batch.delivered],
            offsets=[offset for _, _, offset in batch.delivered], life=life,
        )  # fmt: skip
        ledger.run(
            "alerts", "note_failures",
            candids=[row["candid"] for row, _ in failed],
            times=[row["shutter_open"] for row, _ in failed],
            topics=[row["topic"] for row, _ in failed],
            errors=[error for _, error in failed],
        )  # fmt: skip
        for row, error in batch.damaged:
            ledger.run(
                "alerts", "withhold_damaged",
                candid=row["candid"], shutter_open=row["shutter_open"], reason=error.reason, error=str(error),
            )  # fmt: skip
            ledger.event(EventLevel.PAGE, "packet_damaged", f"alert {row['candid']} was not sent: {error}",
                         subject=row["candid"], night_time=context.clock.now())  # fmt: skip
        if failed:
            ledger.event(
                EventLevel.WARNING, "alerts_not_sent",
                f"{len(failed)} alerts stay queued: {failed[-1][1]}",
                night_time=context.clock.now(), alerts=len(failed),
            )  # fmt: skip
    summary.acknowledged += len(batch.delivered)
    summary.failed += len(failed)
    summary.damaged += len(batch.damaged)
    problems = [error for _, error in failed] + [str(error) for _, error in batch.damaged]
    summary.error = problems[-1] if problems else summary.error
