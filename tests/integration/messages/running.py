"""The process that tells people, and what stands in for the rest of a machine around it."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

CONFIG = Path(__file__).parents[3] / "config"
SETTINGS = """
[messages]
gather_s = 0
tries_per_channel = 2
answer_within_s = 3.0
ledger_silent_s = 3.0

[messages.heartbeat]
every_s = 1.0
dead_after_s = 2.0

[[messages.channels]]
name = "chat"
kind = "webhook"
variable = "CHAT_URL"

[[messages.channels]]
name = "mail"
kind = "mail"
to = ["mira@example.org", "left@example.org"]

[[messages.people]]
name = "mira"
channels = ["chat", "mail"]
"""


def configured(folder: Path, settings: str = SETTINGS) -> Path:
    """Return a folder of surveys with the demo survey and settings of messages."""
    shutil.copytree(CONFIG / "demo", folder / "demo")
    policy = folder / "demo" / "policy.toml"
    policy.write_text(policy.read_text() + settings)
    return folder


def command(*arguments: str, **environment: str) -> subprocess.Popen[str]:
    """Start a command of ours."""
    return subprocess.Popen(
        [sys.executable, "-m", "nightshift.command_line", *arguments],
        env={**os.environ, "PYTHONUNBUFFERED": "1", **environment},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


@contextmanager
def ended(process: subprocess.Popen[str]) -> Iterator[subprocess.Popen[str]]:
    """Yield a process, and end it and no other afterwards."""
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
        process.wait(20)
        print(process.stdout.read()[-4000:])  # pytest shows it where the test fails


def until(true: Callable[[], object], within_s: float = 40.0) -> float:
    """Wait until something is true, and return how long that took."""
    began = time.monotonic()
    while not true():
        assert time.monotonic() - began < within_s, "it never became true"
        time.sleep(0.05)
    return time.monotonic() - began


class Between:
    """A way to the ledger that can be made to hang: connections stay open, and nothing comes through."""

    def __init__(self, url: str):
        place = urlsplit(url)
        self._server = socket.create_server(("127.0.0.1", 0))
        self._target = (place.hostname, place.port)
        self._open = threading.Event()
        self._open.set()
        self.url = url.replace(f":{place.port}/", f":{self._server.getsockname()[1]}/")
        threading.Thread(target=self._accept, daemon=True).start()

    def hang(self) -> None:
        """Let nothing through."""
        self._open.clear()

    def go_on(self) -> None:
        """Let everything through again."""
        self._open.set()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            server = socket.create_connection(self._target)
            for one, other in ((client, server), (server, client)):
                threading.Thread(target=self._carry, args=(one, other), daemon=True).start()

    def _carry(self, one: socket.socket, other: socket.socket) -> None:
        try:
            while content := one.recv(65536):
                self._open.wait()
                other.sendall(content)
        except OSError:
            pass
        other.close()
