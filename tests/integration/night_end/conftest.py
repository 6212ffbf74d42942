"""A night that grows by calls, and a real mail sink."""

import os
import socket
import subprocess
import sys
import time

import pytest
from night_rows import Night

from nightshift.night_end.mail import MailServer


@pytest.fixture
def night(context):
    return Night(context)


@pytest.fixture
def sink(tmp_path):
    """A real sink in a process of its own; gives its server and the folder of its mails."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folder = tmp_path / "mail"
    process = subprocess.Popen(
        [sys.executable, "-m", "rehearsal.stand_ins.mail_sink", "--port", str(port), "--folder", str(folder)],
        env={**os.environ, "PYTHONUNBUFFERED": "1"}, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    deadline = time.monotonic() + 30
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
        assert process.poll() is None and time.monotonic() < deadline, "the mail sink did not start"
        time.sleep(0.05)
    yield MailServer("127.0.0.1", port), folder
    process.terminate()
    assert process.wait(20) == 0
