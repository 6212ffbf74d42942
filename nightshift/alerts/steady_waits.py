"""Waiting for Kafka by the steady clock.

librdkafka waits until a moment of the machine's clock. Where that is set back during such a wait and nothing comes to
end it, the wait is longer by as much. So nothing here waits inside of it for what may not come.
"""

import time

from confluent_kafka import Consumer, Message, Producer

__all__ = ["wait_for_delivery", "wait_for_messages"]

REPORTS_EVERY_S = 0.005
MESSAGES_EVERY_S = 0.05  # the whole night long


def wait_for_delivery(producer: Producer, seconds: float) -> bool:
    """Serve a producer's reports until each message has one, and return whether that was in time."""
    deadline = time.monotonic() + seconds
    while len(producer) and time.monotonic() < deadline:
        producer.poll(0)
        time.sleep(REPORTS_EVERY_S)
    return not len(producer)


def wait_for_messages(consumer: Consumer, most: int, seconds: float) -> list[Message]:
    """Return the messages that are there, or that come first within the time."""
    deadline = time.monotonic() + seconds
    while not (messages := consumer.consume(num_messages=most, timeout=0)) and time.monotonic() < deadline:
        time.sleep(MESSAGES_EVERY_S)
    return messages
