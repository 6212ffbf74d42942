"""People, channels and a clock that a test sets; a webhook on loopback that answers as a test wants."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from json import loads
from typing import Any

import pytest

from nightshift.ledger import Ledger
from nightshift.messages.channels import Carrier, Letter, send
from nightshift.messages.listeners import Listeners
from nightshift.messages.telling import tell
from nightshift.settings import Deployment
from nightshift.settings.messages import MessageSettings
from nightshift.vocabulary import EventLevel


@dataclass
class Webhook:
    """What a webhook on loopback was sent, and how it answers."""

    url: str = ""
    answers: Callable[[], int] = lambda: 200  # may take its time
    posts: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    """A webhook that takes everything until a test says otherwise."""
    hook = Webhook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            said = loads(self.rfile.read(int(self.headers["Content-Length"])))
            hook.posts.append(said)
            hook.keys.append(self.headers.get("Idempotency-Key", ""))
            code = hook.answers()
            self.send_response(code)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    hook.url = f"http://127.0.0.1:{server.server_port}/hook"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield hook
    server.shutdown()


@dataclass
class World:
    """A survey's people, the ledger and the time."""

    ledger: Ledger
    deployment: Deployment
    settings: MessageSettings
    now: datetime
    sent: list[tuple[str, Letter]] = field(default_factory=list)
    broken: dict[str, Exception] = field(default_factory=dict)  # channels that raise
    open_sites: tuple[str, ...] = ()
    real: bool = False  # send by the real channels

    def __post_init__(self) -> None:
        self.carrier = Carrier(self.settings.answer_within_s, self._send)

    @property
    def listeners(self) -> Listeners:
        surveys = [s.model_copy(update={"messages": self.settings}) for s in self.deployment.surveys]
        return Listeners.of(self.deployment.with_surveys(surveys))

    def _send(self, channel: Any, letter: Letter) -> str:
        if self.real:
            return send(channel, letter)
        if channel.name in self.broken:
            raise self.broken[channel.name]
        self.sent.append((channel.name, letter))
        return ""

    def event(self, level: EventLevel, kind: str, text: str = "Something.", subject: str = "") -> None:
        self.ledger.event(level, kind, text, subject=subject)

    def page(
        self, kind: str = "storage_unavailable", text: str = "The depot is full.", subject: str = "depot"
    ) -> None:
        self.event(EventLevel.PAGE, kind, text, subject)

    def go(self, seconds: float = 60.0, step_s: float = 30.0) -> list[tuple[str, Letter]]:
        """Let time pass with a round every few seconds, and return what was sent meanwhile."""
        before = len(self.sent)
        until = self.now + timedelta(seconds=seconds)
        while self.now < until:
            self.now = min(until, self.now + timedelta(seconds=step_s))
            self.round()
        return self.sent[before:]

    def round(self) -> None:
        while tell(
            self.ledger, self.listeners, self.carrier, survey="Test survey", open_sites=self.open_sites, now=self.now
        ):
            pass

    def query(self, sql: str) -> list[dict[str, Any]]:
        with self.ledger.connection.cursor() as cursor:
            cursor.execute(sql)
            return [dict(row) for row in cursor.fetchall()]


@pytest.fixture
def world(context) -> World:
    """The demo survey without settings of messages."""
    return World(context.ledger, context.deployment, MessageSettings(), datetime.now(UTC))


@pytest.fixture
def on_call(world) -> World:
    """Two people on call, the first with two channels, and a chat room that hears of errors."""
    world.settings = MessageSettings.model_validate(
        {
            "channels": [
                {"name": "phone", "kind": "apprise", "variable": "PHONE_URL"},
                {"name": "mail", "kind": "mail", "to": ["mira@example.org"]},
                {"name": "jons", "kind": "mail", "to": ["jon@example.org"]},
                {"name": "chat", "kind": "webhook", "variable": "CHAT_URL"},
            ],
            "people": [
                {"name": "mira", "channels": ["phone", "mail"]},
                {"name": "jon", "channels": ["jons"]},
                {"name": "room", "channels": ["chat"]},
            ],
            "on_call": {"weekly": ["mira", "jon"], "since": str((world.now - timedelta(days=3)).date())},
            "rules": [{"levels": ["page"]}, {"levels": ["error"], "to": ["room"]}],
        }
    )
    return world
