"""What a broker asks of whoever sends to it.

A site's broker keeps what it acknowledged and takes what it is sent: `NoLimits`. A stand-in for it may keep less, or
nothing beyond its own end; it brings limits of its own (`nightshift.stack.stand_ins`), with all that they remember.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from nightshift.alerts.address import Broker
from nightshift.context import Context
from nightshift.ledger import Ledger
from nightshift.ledger.queries import watch
from nightshift.ledger.queries.alerts import QueuedMessage
from nightshift.stack.stand_ins import module_of

__all__ = ["WAIT", "Delivered", "NoLimits", "SendingLimits", "sending_limits", "stop_waiting"]

WAIT = "alerts"  # the name of queued alerts among what the night waits for


@dataclass(frozen=True)
class Delivered:
    """A message that the broker acknowledged, and where the broker has it."""

    message: QueuedMessage
    partition: int
    offset: int


class SendingLimits(Protocol):
    """What the poster asks before, while and after it sends. All calls are made under the poster's lock."""

    def queue_lost(self) -> None:
        """Queue again what the broker acknowledged and has no more."""

    def fitting(self, messages: Sequence[QueuedMessage]) -> Sequence[QueuedMessage]:
        """Return as many of the first messages as the broker may be sent now."""

    def worth_asking(self) -> bool:
        """Whether the same call should ask again soon, where nothing fits; otherwise the next call asks."""

    def note_delivered(self, delivered: Sequence[Delivered]) -> None:
        """Remember what the broker acknowledged, in the transaction that marks it in the outbox."""


class NoLimits:
    """Of a broker that keeps what it acknowledged."""

    def queue_lost(self) -> None:
        """Nothing is lost."""

    def fitting(self, messages: Sequence[QueuedMessage]) -> Sequence[QueuedMessage]:
        """Return all."""
        return messages

    def worth_asking(self) -> bool:
        """Return that nothing changes by asking."""
        return False

    def note_delivered(self, delivered: Sequence[Delivered]) -> None:
        """Nothing is remembered."""


def sending_limits(context: Context, broker: Broker) -> SendingLimits:
    """Return the limits of a broker: a stand-in's own, and none of any other."""
    if not broker.stand_in:
        return NoLimits()
    limits: SendingLimits = module_of(broker.stand_in).sending_limits(context, broker)
    return limits


def stop_waiting(ledger: Ledger) -> bool:
    """Take queued alerts off what the night waits for, and return whether they were among it."""
    return watch.delete_wait(ledger, folder=WAIT) > 0
