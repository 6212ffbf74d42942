"""The heartbeat's receiver as a process: it takes beats by HTTP."""

import json
import logging
import os
import signal
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from nightshift.errors import BadInput
from nightshift.messages.heartbeat import SIGNATURE
from nightshift.messages.receiver import Receiver
from nightshift.settings import SettingsError
from nightshift.settings.messages import Channel

__all__ = ["SECRET", "TELL", "channels_from_environment", "receiver_from", "run_receiver"]

SECRET, TELL = "NIGHTSHIFT_HEARTBEAT_SECRET", "NIGHTSHIFT_HEARTBEAT_TELL"
LARGEST_BEAT = 20_000  # bytes
WAIT_FOR_SENDER_S = 10.0
LOOK_EVERY_S = 1.0

log = logging.getLogger(__name__)


def channels_from_environment() -> dict[str, Channel]:
    """Return whom the receiver tells: ``NIGHTSHIFT_HEARTBEAT_TELL``, separated by spaces.

    Each is an address of mail, ``webhook:NAME`` or ``apprise:NAME``, where NAME is the environment variable that
    holds the URL.

    Raises
    ------
    SettingsError
        If there is none, or one is none of these.
    """
    found = {}
    for number, text in enumerate(os.environ.get(TELL, "").split(), start=1):
        kind, _, variable = text.partition(":")
        if kind in ("webhook", "apprise") and os.environ.get(variable):
            found[f"{kind}-{number}"] = Channel(name=f"{kind}-{number}", kind=kind, variable=variable)  # type: ignore[arg-type]
        elif "@" in text and ":" not in text:
            found[f"mail-{number}"] = Channel(name=f"mail-{number}", kind="mail", to=(text,))
        else:
            raise SettingsError(
                f"{TELL}: {text!r} is neither an address of mail nor webhook:NAME or apprise:NAME with an "
                "environment variable NAME that holds a URL"
            )
    if not found:
        raise SettingsError(f"{TELL} is not set: say who is told, such as {TELL}='mira@example.org webhook:CHAT_URL'")
    return found


def run_receiver(receiver: Receiver, host: str, port: int) -> None:
    """Take beats and tell people until SIGTERM or SIGINT."""
    stop = threading.Event()
    server = ThreadingHTTPServer((host, port), _handler(receiver))
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(f"heartbeat receiver: {host}:{server.server_port}, process {os.getpid()}", flush=True)
    while not stop.wait(LOOK_EVERY_S):
        receiver.look()
    server.shutdown()


def _handler(receiver: Receiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = WAIT_FOR_SENDER_S

        def do_POST(self) -> None:
            length = self.headers.get("Content-Length", "")
            if not length.isascii() or not length.isdigit() or int(length) > LARGEST_BEAT:
                self._answer(413, {"error": f"a beat has at most {LARGEST_BEAT} bytes"})
                return
            try:
                receiver.take(self.rfile.read(int(length)), self.headers.get(SIGNATURE, ""))
            except BadInput as error:
                log.warning("refused, from %s: %s", self.client_address[0], error)
                self._answer(403, {"error": str(error)})
                return
            self._answer(200, {"taken": True})

        def do_GET(self) -> None:
            self._answer(200, receiver.status())

        def _answer(self, code: int, said: Any) -> None:
            body = json.dumps(said).encode()
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Say nothing of each beat."""

    return Handler


def receiver_from(folder: Path, within_s: float, sender: str, *, unsigned: bool) -> Receiver:
    """Return a receiver by the environment.

    Raises
    ------
    SettingsError
        If there is no secret and unsigned beats were not allowed, or nobody is told.
    """
    secret = os.environ.get(SECRET, "")
    if not secret and not unsigned:
        raise SettingsError(
            f"{SECRET} is not set: anybody could send beats. Set it here and where the beats are sent, or allow that "
            "(--unsigned)"
        )
    channels = channels_from_environment()
    return Receiver(folder, secret=secret, within_s=within_s, channels=channels, sender=sender)
