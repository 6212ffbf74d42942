"""A broker for one machine without Java: librdkafka's mock cluster in a process of its own.

It speaks Kafka's protocol and keeps nothing: its messages are in memory, 5 MiB a partition, and are gone with the
process. It serves the one-machine night and the tests. The depot holds every packet; nothing is sent that would push
out what the night's own consumer has not taken; each start of the broker has a name, and what an earlier one
acknowledged within a day is sent again (`mock_broker_limits`).
"""

import argparse
import logging
import secrets
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from confluent_kafka import Producer

from nightshift.alerts.address import Broker
from nightshift.context import Context
from nightshift.files import write_whole
from rehearsal.stand_ins.mock_broker_limits import MockBrokerLimits

__all__ = ["main", "mock_cluster", "sending_limits"]

START_S = 10.0
NAME = "broker"  # among the stand-ins
log = logging.getLogger(__name__)


@contextmanager
def mock_cluster(*, nodes: int = 1) -> Iterator[str]:
    """Run a mock cluster inside this process, and yield its bootstrap servers. Topics appear by being used."""
    owner = Producer({"bootstrap.servers": "mock", "test.mock.num.brokers": nodes, "log_level": 2})
    brokers = owner.list_topics(timeout=START_S).brokers.values()
    yield ",".join(sorted(f"{node.host}:{node.port}" for node in brokers))
    owner.flush(0)


def sending_limits(context: Context, broker: Broker) -> MockBrokerLimits:
    """Return what the mock broker asks of whoever sends to it."""
    return MockBrokerLimits(context, broker.start)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the embedded broker until it is asked to end (SIGTERM or SIGINT)."""
    parser = argparse.ArgumentParser(prog="python -m rehearsal.stand_ins.mock_broker", description=__doc__)
    parser.add_argument(
        "--address-file",
        type=Path,
        required=True,
        help="where its address and the names of the stand-in and of this start of it are written",
    )
    parser.add_argument("--nodes", type=int, default=1, help="brokers of the cluster")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    with mock_cluster(nodes=options.nodes) as brokers:
        write_whole(options.address_file, f"{brokers}\n{NAME} {secrets.token_hex(8)}\n".encode())
        log.info("embedded broker at %s", brokers)
        log.warning("it keeps nothing: messages are in memory, 5 MiB a partition, and end with this process")
        try:
            ended.wait()
        finally:
            options.address_file.unlink(missing_ok=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
