"""A clock that is set back while somebody waits for Kafka holds up neither the poster nor the consumer."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nightshift.alerts.release import release
from nightshift.ledger.queries import alerts as alert_queries

pytestmark = pytest.mark.integration
SOURCE = Path(__file__).with_name("clock_set_back.c")


@pytest.fixture
def environment(ledger_url, context, embedded, tmp_path):
    """Of a process whose waits meet a clock that is set back."""
    compiler = shutil.which("cc")
    if compiler is None:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(
            "no C compiler is installed: no clock was set back under librdkafka"
        )
    library = tmp_path / "clock_set_back.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, SOURCE], check=True)
    return {
        **os.environ, "LD_PRELOAD": str(library), "NIGHTSHIFT_SURVEY": "demo", "NIGHTSHIFT_LEDGER": ledger_url,
        "NIGHTSHIFT_DEPOT": str(context.depot.root), "NIGHTSHIFT_INBOX": str(context.inbox),
    }  # fmt: skip


def test_alerts_are_posted_and_taken_while_the_clock_is_set_back(small_night, context, environment, tmp_path):
    release(context, [small_night.search(1, [(0.01 * place, -1.5) for place in range(1, 4)])])
    python = [sys.executable, "-m"]
    posted = subprocess.run([*python, "nightshift.command_line", "alerts", "post"], env=environment, timeout=120)
    assert posted.returncode == 0
    assert alert_queries.queue_length(context.ledger) == 0
    lines = tmp_path / "received" / "alerts.jsonl"
    consumer = subprocess.Popen(
        [*python, "rehearsal.stand_ins.alert_consumer", "--folder", str(lines.parent)], env=environment
    )
    try:
        deadline = time.monotonic() + 60
        while not (lines.exists() and lines.read_bytes().count(b"\n") == 3) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert lines.read_bytes().count(b"\n") == 3
    finally:
        consumer.send_signal(signal.SIGKILL)
        consumer.wait(20)
