"""How much the embedded broker may be sent before what the night's own consumer has not read is pushed out of it.

It keeps 5 MiB a partition and drops the oldest for the newest, read or not. The consumer says what it has on disk,
the ledger knows what was acknowledged, and what lies between is held below half of what is kept. So a burst of alerts
goes out at the consumer's pace, and a consumer that takes nothing for `PATIENCE_S` is not waited for any more.

A broker that keeps what it acknowledged takes everything: nothing here is asked of it.
"""

import time
from collections.abc import Sequence
from typing import Any

from nightshift.alerts.address import taken
from nightshift.context import Context
from nightshift.ledger import Ledger
from nightshift.ledger.queries import watch
from nightshift.vocabulary import EventLevel

__all__ = ["BackPressure", "stop_waiting"]

Row = dict[str, Any]
# In the fullest partition, as if the next messages all went to it. The other half of the 5 MiB (`max_size` of a
# partition of librdkafka's mock cluster) is for what a poster had sent when it was killed, and nobody wrote down.
UNREAD_BYTES = 2_500_000
ASK_S = 5.0  # so long one call of `post` asks again and again, then the next one does
PATIENCE_S = 300.0
WAIT = "consumer"  # its name among what the night waits for


class BackPressure:
    """What the present life of the embedded broker can take.

    Parameters
    ----------
    context : Context
    life : str
        The name of its present life.
    """

    def __init__(self, context: Context, life: str):
        self._context, self._ledger, self._life = context, context.ledger, life
        self._ask_until: float | None = None

    def fitting(self, rows: Sequence[Row]) -> Sequence[Row]:
        """Return as many of the first messages as fit; all, if waiting for the consumer was in vain."""
        unread = self._unread()
        fit = _first(rows, max((part["bytes"] for part in unread), default=0))
        if not fit:
            return rows if self._in_vain(unread) else ()
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
            f"{self._ledger.value('alerts', 'queue_length')} alerts are not sent, because the embedded broker would "
            "drop for them what the night's own consumer has not taken yet; a consumer that takes nothing is waited "
            f"for {PATIENCE_S:.0f} s"
        )
        if watch.put_wait(self._ledger, folder=WAIT, why=why):
            self._say(EventLevel.INFO, "consumer_behind", f"The night waits: {why}.")
        return False

    def _unread(self) -> list[Row]:
        """Return, of each partition that the consumer has not read to its end, what it has not taken."""
        offsets = taken(self._life)
        return self._ledger.rows(
            "alerts", "unread_partitions", life=self._life,
            topics=[topic for topic, _ in offsets], partitions=[partition for _, partition in offsets],
            offsets=list(offsets.values()),
        )  # fmt: skip

    def _in_vain(self, unread: Sequence[Row]) -> bool:
        """Whether it was waited for long enough: now, or earlier, for some of what it has still not taken."""
        given_up = self._ledger.value("alerts", "sent_unread", life=self._life) or {}
        if any(part["first_offset"] <= given_up.get(_place(part), -1) for part in unread):
            return True
        if (_waited_s(self._ledger) or 0.0) < PATIENCE_S:
            return False
        stop_waiting(self._ledger)
        self._say(
            EventLevel.ERROR, "alerts_sent_unread",
            f"The night's own consumer has taken nothing for {PATIENCE_S:.0f} s and alerts are sent all the same: "
            "what it misses lies in the depot. See its log; if it hangs, kill it, and the supervisor starts another.",
            unread_to={_place(part): part["last_offset"] for part in unread},
        )  # fmt: skip
        return True

    def _say(self, level: EventLevel, kind: str, message: str, **detail: Any) -> None:
        now = self._context.clock.now()
        self._ledger.event(level, kind, message, subject=self._life, night_time=now, **detail)


def stop_waiting(ledger: Ledger) -> bool:
    """Take the consumer off what the night waits for, and return whether it was among it."""
    return watch.delete_wait(ledger, folder=WAIT) > 0


def _waited_s(ledger: Ledger) -> float | None:
    return next((wait.waited_s for wait in watch.waits(ledger) if wait.name == WAIT), None)


def _place(part: Row) -> str:
    return f"{part['topic']}/{part['broker_partition']}"


def _first(rows: Sequence[Row], unread: int) -> Sequence[Row]:
    """Return the first messages that fit beside what is unread; a larger one than ever fits goes alone."""
    total = unread
    for place, row in enumerate(rows):
        total += row["packet_bytes"]
        if total > UNREAD_BYTES and (unread or place):
            return rows[:place]
    return rows
