"""What the mock broker asks of whoever sends to it, so that nothing is lost in it.

It keeps its messages in memory, so with each start those of the last one are gone: what an earlier start acknowledged
within a day is queued again. And it keeps 5 MiB a partition and drops the oldest for the newest, read or not. The
night's own consumer says what it has on disk, a table says what was acknowledged, and what lies between is held below
half of what is kept. So a burst of alerts goes out at the consumer's pace, and a consumer that takes nothing for
`PATIENCE_S` is not waited for any more.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nightshift.alerts.sending_limits import WAIT, Delivered, stop_waiting
from nightshift.context import Context
from nightshift.ledger import Ledger
from nightshift.ledger.queries import alerts as alert_queries
from nightshift.ledger.queries import watch
from nightshift.ledger.queries.alerts import QueuedMessage
from nightshift.vocabulary import EventLevel
from rehearsal.stand_ins.consumer_offsets import taken

__all__ = ["MockBrokerLimits"]

QUERIES = Path(__file__).with_suffix(".sql")
# In the fullest partition, as if the next messages all went to it. The other half of the 5 MiB (`max_size` of a
# partition of librdkafka's mock cluster) is for what a poster had sent when it was killed, and nobody wrote down.
UNREAD_BYTES = 2_500_000
ASK_S = 5.0  # so long one call of `post` asks again and again, then the next one does
PATIENCE_S = 300.0


@dataclass(frozen=True, slots=True)
class UnreadPartition:
    """A partition that the consumer has not read to its end: what it has not taken."""

    topic: str
    broker_partition: int
    bytes: int
    first_offset: int
    last_offset: int

    @property
    def place(self) -> str:
        """Its name, in the events."""
        return f"{self.topic}/{self.broker_partition}"


class MockBrokerLimits:
    """What the present start of the mock broker can take (`nightshift.alerts.sending_limits.SendingLimits`).

    Parameters
    ----------
    context : Context
    start : str
        The name of its present start.
    """

    def __init__(self, context: Context, start: str):
        self._context, self._ledger, self._start = context, context.ledger, start
        self._ask_until: float | None = None
        self._ledger.run(QUERIES, "make_table")

    def queue_lost(self) -> None:
        """Queue again what an earlier start acknowledged."""
        if lost := self._ledger.run(QUERIES, "queue_lost", start=self._start):
            self._say(
                EventLevel.WARNING, "alerts_sent_again",
                f"The embedded broker was started anew and has forgotten {lost} alerts; they are sent again.",
                alerts=lost,
            )  # fmt: skip

    def fitting(self, messages: Sequence[QueuedMessage]) -> Sequence[QueuedMessage]:
        """Return as many of the first messages as fit; all, if waiting for the consumer was in vain."""
        unread = self._unread()
        fit = _first(messages, max((part.bytes for part in unread), default=0))
        if not fit:
            return messages if self._in_vain(unread) else ()
        self._ask_until = None
        if stop_waiting(self._ledger):
            self._say(EventLevel.INFO, "consumer_took", "The night's own consumer took alerts; the next are sent.")
        return fit

    def worth_asking(self) -> bool:
        """Whether this call should look again whether messages fit; after a while, what waits is written down."""
        now = time.monotonic()
        self._ask_until = self._ask_until or now + ASK_S
        if now < self._ask_until and _waited_s(self._ledger) is None:
            return True
        why = (
            f"{alert_queries.queue_length(self._ledger)} alerts are not sent, because the embedded broker would "
            "drop for them what the night's own consumer has not taken yet; a consumer that takes nothing is waited "
            f"for {PATIENCE_S:.0f} s"
        )
        if watch.put_wait(self._ledger, folder=WAIT, why=why):
            self._say(EventLevel.INFO, "consumer_behind", f"The night waits: {why}.")
        return False

    def note_delivered(self, delivered: Sequence[Delivered]) -> None:
        """Remember what this start acknowledged."""
        messages = [each.message for each in delivered]
        self._ledger.run(
            QUERIES, "put_delivered", start=self._start,
            topics=[message.topic for message in messages],
            partitions=[each.partition for each in delivered],
            offsets=[each.offset for each in delivered],
            candids=[message.candid for message in messages],
            times=[message.shutter_open for message in messages],
            sizes=[message.packet_bytes for message in messages],
        )  # fmt: skip

    def _unread(self) -> list[UnreadPartition]:
        offsets = taken(self._start)
        return self._ledger.select(
            QUERIES, "unread_partitions", UnreadPartition, start=self._start,
            topics=[topic for topic, _ in offsets], partitions=[partition for _, partition in offsets],
            offsets=list(offsets.values()),
        )  # fmt: skip

    def _in_vain(self, unread: Sequence[UnreadPartition]) -> bool:
        """Whether it was waited for long enough: now, or earlier, for some of what it has still not taken."""
        given_up = self._ledger.value(QUERIES, "sent_unread", start=self._start) or {}
        if any(part.first_offset <= given_up.get(part.place, -1) for part in unread):
            return True
        if (_waited_s(self._ledger) or 0.0) < PATIENCE_S:
            return False
        stop_waiting(self._ledger)
        self._say(
            EventLevel.ERROR, "alerts_sent_unread",
            f"The night's own consumer has taken nothing for {PATIENCE_S:.0f} s and alerts are sent all the same: "
            "what it misses lies in the depot. See its log; if it hangs, kill it, and the supervisor starts another.",
            unread_to={part.place: part.last_offset for part in unread},
        )  # fmt: skip
        return True

    def _say(self, level: EventLevel, kind: str, message: str, **detail: Any) -> None:
        now = self._context.clock.now()
        self._ledger.event(level, kind, message, subject=self._start, night_time=now, **detail)


def _waited_s(ledger: Ledger) -> float | None:
    return next((wait.waited_s for wait in watch.waits(ledger) if wait.name == WAIT), None)


def _first(messages: Sequence[QueuedMessage], unread: int) -> Sequence[QueuedMessage]:
    """Return the first messages that fit beside what is unread; a larger one than ever fits goes alone."""
    total = unread
    for place, message in enumerate(messages):
        total += message.packet_bytes
        if total > UNREAD_BYTES and (unread or place):
            return messages[:place]
    return messages
