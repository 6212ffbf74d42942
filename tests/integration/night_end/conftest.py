"""A night that grows by calls, and a real mail sink."""

import os
import socket
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest
from night_rows import Night

from nightshift.night_end.mail import MailServer


@pytest.fixture
def night(context):
    return Night(context)


@contextmanager
def running_sink(folder, *options):
    """Run a real sink in a process of its own, and yield its port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "rehearsal.stand_ins.mail_sink", "--port", str(port), "--folder", str(folder)]
    process = subprocess.Popen(
        [*command, *options],
        env={**os.environ, "PYTHONUNBUFFERED": "1"}, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    deadline = time.monotonic() + 30
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
        assert process.poll() is None and time.monotonic() < deadline, "the mail sink did not start"
        time.sleep(0.05)
    yield port
    process.terminate()
    assert process.wait(20) == 0


@pytest.fixture
def sink(tmp_path):
    """A sink that takes mails from everybody; gives its server and the folder of its mails."""
    folder = tmp_path / "mail"
    with running_sink(folder) as port:
        yield MailServer("127.0.0.1", port), folder


@pytest.fixture
def guarded_sink(tmp_path):
    """A sink that wants a password; gives its server, with the password, and the folder of its mails."""
    folder, password = tmp_path / "guarded", tmp_path / "password"
    password.write_text("open sesame\n")
    with running_sink(folder, "--password-file", str(password)) as port:
        yield MailServer("127.0.0.1", port, "nightshift", "open sesame"), folder
