"""The night's own consumer: takes every alert as a subscriber would, and notes what arrived and when.

It reads each partition of the survey's topics from its beginning and drops what it has by ``candid``, so it may
be stopped and started at any time. It keeps no place in a consumer group: a topic of the night is short, and the
lines that it wrote are its memory. Of the embedded broker it writes down how far it is, because whoever posts there
must not push out what it has not taken (`mock_broker_limits`).
"""

import argparse
import json
import logging
import os
import re
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, Message, TopicPartition

from nightshift.alerts.address import address_file, broker_from_environment, brokers_from_environment
from nightshift.alerts.packets import decode
from nightshift.alerts.signature import is_genuine, key_from_environment
from nightshift.alerts.steady_waits import wait_for_messages
from nightshift.context import deployment_from_environment
from nightshift.errors import Retry
from nightshift.files import write_json
from nightshift.settings import Survey
from rehearsal.stand_ins.consumer_offsets import put_taken
from rehearsal.stand_ins.not_packets import NotPackets
from rehearsal.stand_ins.whole_lines import whole_lines

__all__ = ["AlertLog", "consume", "essentials", "main", "topic_pattern"]

LINES, SUMMARY = "alerts.jsonl", "summary.json"
LOOK_FOR_TOPICS_S = 1.0
SUMMARY_S = 1.0
log = logging.getLogger(__name__)


def topic_pattern(*surveys: Survey) -> re.Pattern[str]:
    """Return what the names of some instruments' topics match, by their settings."""
    return re.compile("|".join(dict.fromkeys(map(_topic_pattern, surveys))))


def _topic_pattern(survey: Survey) -> str:
    escaped = re.escape(survey.alerts.topic).replace(r"\{", "{").replace(r"\}", "}")
    parts = {"survey": re.escape(survey.name), "night": r"\d{8}", "ut_day": r"\d{8}", "program_id": r"\d+"}
    return f"(?:{escaped.format(**parts)})"


NUMBERS = ("ra", "dec", "jd", "fid", "magpsf", "scorr")
TEXTS = ("isdiffpos", "rbversion")


def essentials(packet: dict[str, Any], received_at: datetime) -> dict[str, Any]:
    """Return what the live view and the scoring need of a packet, as JSON values.

    Raises
    ------
    ValueError
        If one of them is not there or is of another type: then it is no packet of ours.
    """
    record = packet.get("candidate")
    if not isinstance(record, dict):
        raise ValueError("it has no candidate")
    said = {name: packet.get(name) for name in ("candid", "objectId")}
    said |= {name: record.get(name) for name in (*NUMBERS, *TEXTS)}
    types = {"candid": int, "objectId": str} | dict.fromkeys(NUMBERS, (int, float)) | dict.fromkeys(TEXTS, str)
    for name, allowed in types.items():
        if not isinstance(said[name], allowed) and (said[name] is not None or name == "candid"):
            raise ValueError(f"{name} is {said[name]!r:.100}")
    return {**said, "received_at": received_at.isoformat()}


class AlertLog:
    """What arrived, in a folder: a line an alert, and counts.

    ``alerts.jsonl`` is appended to and made durable batch by batch; ``summary.json`` appears whole. A line that a
    crash left unfinished is cut off at the next start. Messages that are no packets are set aside (`NotPackets`).

    Parameters
    ----------
    folder : Path
        Made where it is missing.
    """

    def __init__(self, folder: Path):
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._not_packets = NotPackets(folder)
        self.counts: Counter[str] = Counter({"alerts": 0, "repeats": 0, "unreadable": self._not_packets.count})
        self.by_topic: Counter[str] = Counter()
        self.last_received_at: str | None = None
        self._seen = self._recall()
        self.counts["alerts"] = len(self._seen)
        self._stream = (folder / LINES).open("ab")

    def _recall(self) -> set[int]:
        """Read the lines of an earlier run."""
        lines = [json.loads(line) for line in whole_lines(self.folder / LINES)]
        self.last_received_at = lines[-1]["received_at"] if lines else None
        self.by_topic.update(line["topic"] for line in lines)
        return {line["candid"] for line in lines}

    def take(self, messages: Iterable[tuple[str, bytes]], received_at: datetime) -> int:
        """Write down a batch of messages, and return how many alerts of it were new.

        Parameters
        ----------
        messages : iterable of (topic, content)
        received_at : datetime
            The machine's time.
        """
        new = 0
        for topic, content in messages:
            try:
                line = essentials(decode(content), received_at)
            except ValueError as error:
                self.set_aside(topic, content, str(error), received_at)
                continue
            if line["candid"] in self._seen:
                self.counts["repeats"] += 1
                continue
            self._seen.add(line["candid"])
            self.by_topic[topic] += 1
            self._stream.write(json.dumps({**line, "topic": topic}).encode() + b"\n")
            new += 1
        if new:
            self._stream.flush()
            os.fsync(self._stream.fileno())
            self.counts["alerts"] += new
            self.last_received_at = received_at.isoformat()
        return new

    def set_aside(self, topic: str, content: bytes, why: str, received_at: datetime) -> None:
        """Keep a message that is no alert of the night, and count it."""
        self._not_packets.take(topic, content, why, received_at)
        self.counts["unreadable"] = self._not_packets.count

    def summarise(self) -> None:
        """Write the counts."""
        counts = {**self.counts, "topics": dict(sorted(self.by_topic.items()))}
        write_json(self.folder / SUMMARY, {**counts, "last_received_at": self.last_received_at})

    def close(self) -> None:
        """Write the counts and close the lines."""
        self.summarise()
        self._stream.close()


class _Subscription:
    """A consumer of every partition of the topics that match, however late a topic appears.

    Parameters
    ----------
    brokers : str
    start : str
        The name of the embedded broker's present start; empty of a broker that keeps what it took.
    pattern : re.Pattern
        Of the names of topics.
    """

    def __init__(self, brokers: str, start: str, pattern: re.Pattern[str]):
        self.source, self._start, self._pattern = (brokers, start), start, pattern
        self._partitions: set[tuple[str, int]] = set()
        self._consumer = Consumer(
            {
                "bootstrap.servers": brokers,
                "client.id": "nightshift-consumer",
                "group.id": "nightshift-consumer",  # the client asks for a name; no offset is ever committed
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "log_level": 2,
            }
        )

    def look_for_topics(self) -> None:
        """Take on the partitions that are new, from their beginning."""
        topics = self._consumer.list_topics(timeout=5).topics.values()
        found = {(t.topic, p) for t in topics if self._pattern.fullmatch(t.topic) for p in t.partitions}
        new = sorted(found - self._partitions)
        if new:
            self._consumer.incremental_assign([TopicPartition(t, p, OFFSET_BEGINNING) for t, p in new])
            self._partitions.update(new)
            log.info("reading %s", ", ".join(f"{topic}[{partition}]" for topic, partition in new))

    def messages(self, timeout_s: float) -> list[Message]:
        """Return the messages that came."""
        if not self._partitions:
            time.sleep(timeout_s)
            return []
        return [m for m in wait_for_messages(self._consumer, 500, timeout_s) if m.error() is None]

    def say_taken(self) -> None:
        """Write down what came so far, where whoever posts asks for it."""
        if self._start:
            places = self._consumer.position([TopicPartition(*key) for key in self._partitions])
            put_taken(self._start, {(p.topic, p.partition): p.offset for p in places if p.offset >= 0})

    def close(self) -> None:
        """Leave."""
        self._consumer.close()


def consume(
    surveys: Survey | Iterable[Survey],
    folder: Path,
    *,
    brokers: Callable[[], str] = brokers_from_environment,
    ended: Callable[[], bool] = lambda: False,
    poll_s: float = 0.2,
) -> AlertLog:
    """Take in alerts until told to end, and return what arrived.

    Parameters
    ----------
    surveys : Survey or iterable of Survey
        Whose topics to read.
    folder : Path
        Where `AlertLog` writes.
    brokers : callable
        Asked again and again: a broker that comes back elsewhere is followed.
    ended : callable
        Asked between batches.
    poll_s : float
        How long to wait for a message, in real seconds.
    """
    alerts = AlertLog(folder)
    topics = topic_pattern(*([surveys] if isinstance(surveys, Survey) else surveys))
    subscription: _Subscription | None = None
    next_look = next_summary = 0.0
    try:
        while not ended():
            if time.monotonic() >= next_look:
                subscription = _follow(subscription, brokers, topics)
                next_look = time.monotonic() + LOOK_FOR_TOPICS_S
            if subscription is None:
                time.sleep(poll_s)
                continue
            messages = subscription.messages(poll_s)
            alerts.take(_genuine(messages, alerts), datetime.now(UTC))
            if messages:
                subscription.say_taken()
            if time.monotonic() >= next_summary:
                alerts.summarise()
                next_summary = time.monotonic() + SUMMARY_S
    finally:
        alerts.close()
        if subscription is not None:
            subscription.close()
    return alerts


def _genuine(messages: Iterable[Message], alerts: AlertLog) -> list[tuple[str, bytes]]:
    """Return topic and content of the messages that the night's poster sent, and set the others aside."""
    key, genuine = key_from_environment(), []
    for message in messages:
        topic, content = message.topic() or "", message.value() or b""
        if is_genuine(key, content, message.headers()):
            genuine.append((topic, content))
        else:
            alerts.set_aside(topic, content, "it is not signed by the night's poster", datetime.now(UTC))
    return genuine


def _follow(
    subscription: _Subscription | None, brokers: Callable[[], str], pattern: re.Pattern[str]
) -> _Subscription | None:
    """Return a subscription at the broker's present address; what cannot be reached now is tried again."""
    try:
        source = brokers(), _start()
        if subscription is not None and subscription.source != source:
            subscription.close()
            subscription = None
        if subscription is None:
            subscription = _Subscription(*source, pattern)
        subscription.look_for_topics()
    except (KafkaException, Retry) as error:
        log.warning("the broker does not answer: %s", error)
    return subscription


def _start() -> str:
    """Return the name of the present start of the broker that the environment names, where it has one."""
    return broker_from_environment().start if address_file() is not None else ""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the night's consumer until it is asked to end (SIGTERM or SIGINT)."""
    parser = argparse.ArgumentParser(prog="python -m rehearsal.stand_ins.alert_consumer", description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="where alerts.jsonl and summary.json are written")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    consume(deployment_from_environment().surveys, options.folder, ended=ended.is_set)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
