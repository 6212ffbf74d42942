"""Channels that refuse, fail, hang or answer late, each by a real server on loopback."""

import asyncio
import os
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from aiosmtpd.smtp import SMTP

from nightshift.errors import NeedsOperator, Retry
from nightshift.loopback import free_ports
from nightshift.messages.channels import Carrier, Letter, Outcome, send
from nightshift.settings.messages import Channel

LETTER = Letter("20260116-1", "A title", "A text.\n")
MAIL = Channel(name="mail", kind="mail", to=("mira@example.org", "left@example.org"))
CHAT = Channel(name="chat", kind="webhook", variable="CHAT_URL")
PHONE = Channel(name="phone", kind="apprise", variable="PHONE_URL")
SECRET = "T0K3N"


class Relay:
    """A mail relay that refuses some, and takes its time."""

    def __init__(self, refused=(), wait_s=0.0):
        self.refused, self.wait_s, self.mails = refused, wait_s, []
        self.port = free_ports(1)[0]
        ready = threading.Event()
        threading.Thread(target=asyncio.run, args=(self._serve(ready),), daemon=True).start()
        assert ready.wait(20)

    async def _serve(self, ready):
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: SMTP(self, hostname="localhost"), "127.0.0.1", self.port)
        ready.set()
        async with server:
            await server.serve_forever()

    async def handle_RCPT(self, server, session, envelope, address, options):  # noqa: N802
        if address in self.refused:
            return "550 nobody of that name"
        envelope.rcpt_tos.append(address)
        return "250 ok"

    async def handle_DATA(self, server, session, envelope):  # noqa: N802
        await asyncio.sleep(self.wait_s)
        self.mails.append(envelope)
        return "250 taken"


@pytest.fixture
def relay(monkeypatch):
    def start(**options):
        made = Relay(**options)
        monkeypatch.setenv("NIGHTSHIFT_SMTP", f"127.0.0.1:{made.port}")
        return made

    return start


@pytest.fixture
def hook(monkeypatch):
    """A service that answers as a test wants; what it was sent."""
    said, posts = {"code": 200}, []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            posts.append((self.path, self.rfile.read(int(self.headers["Content-Length"])).decode()))
            self.send_response(said["code"])
            self.end_headers()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("CHAT_URL", f"http://127.0.0.1:{server.server_port}/{SECRET}")
    monkeypatch.setenv("PHONE_URL", f"json://127.0.0.1:{server.server_port}/{SECRET}")
    yield said, posts
    server.shutdown()


def test_a_refused_recipient_keeps_nobody_else_from_the_mail_and_is_named(relay):
    taken = relay(refused=("left@example.org",))
    assert send(MAIL, LETTER) == "the mail server refused left@example.org"
    assert [mail.rcpt_tos for mail in taken.mails] == [["mira@example.org"]]


def test_a_relay_that_refuses_everybody_or_is_away_may_work_later(relay, monkeypatch):
    relay(refused=MAIL.to)
    with pytest.raises(Retry, match="550"):
        send(MAIL, LETTER)
    monkeypatch.setenv("NIGHTSHIFT_SMTP", f"127.0.0.1:{free_ports(1)[0]}")
    with pytest.raises(Retry, match="did not take the mail"):
        send(MAIL, LETTER)
    monkeypatch.delenv("NIGHTSHIFT_SMTP")
    with pytest.raises(NeedsOperator, match="NIGHTSHIFT_SMTP is not set"):
        send(MAIL, LETTER)


def test_a_slow_relay_is_not_given_the_same_mail_again(relay):
    taken = relay(wait_s=1.5)
    carrier = Carrier(0.5)
    outcomes = [carrier.carry({"mail": (MAIL, LETTER)})["mail"] for _ in range(4)]
    assert outcomes[0] == Outcome(False, "no answer within 0.5 s")
    assert next(outcome for outcome in outcomes if outcome.told)
    assert len(taken.mails) == 1


@pytest.mark.parametrize("channel", [CHAT, PHONE], ids=["webhook", "apprise"])
def test_a_service_is_sent_title_and_text(hook, channel):
    _, posts = hook
    assert send(channel, LETTER) == ""
    ((path, body),) = posts
    assert path == f"/{SECRET}" and "A title" in body and "A text." in body


@pytest.mark.parametrize(
    ("channel", "code", "error"),
    [
        (CHAT, 500, Retry),
        (CHAT, 429, Retry),
        (CHAT, 404, NeedsOperator),
        (CHAT, 302, NeedsOperator),
        (PHONE, 500, Retry),
    ],
)
def test_what_a_service_answers_says_whether_it_may_work_later_and_no_secret(hook, channel, code, error):
    hook[0]["code"] = code
    with pytest.raises(error) as failure:
        send(channel, LETTER)
    assert SECRET not in str(failure.value)


@pytest.mark.parametrize("text", ["", f"no url {SECRET}", f"htp://{SECRET}", f"http://{SECRET}:70000/"])
@pytest.mark.parametrize("channel", [CHAT, PHONE], ids=["webhook", "apprise"])
def test_an_address_that_cannot_work_is_said_without_the_secret(monkeypatch, channel, text):
    monkeypatch.setenv(channel.variable, text)
    outcome = Carrier(5.0).carry({channel.name: (channel, LETTER)})[channel.name]
    assert not outcome.told and SECRET not in outcome.text


def test_an_address_may_be_kept_as_the_password_of_a_connection_of_airflows(hook, monkeypatch):
    url = os.environ["CHAT_URL"]
    monkeypatch.setenv("AIRFLOW_CONN_CHAT", f'{{"conn_type": "http", "password": "{url}"}}')
    send(Channel(name="chat", kind="webhook", variable="AIRFLOW_CONN_CHAT"), LETTER)
    assert len(hook[1]) == 1


def test_a_channel_that_hangs_keeps_no_other_from_telling():
    ever = threading.Event()

    def some(channel, letter):
        return ever.wait(30) or "" if channel is CHAT else ""

    carrier = Carrier(0.3, some)
    began = time.monotonic()
    for _ in range(3):
        outcomes = carrier.carry({"chat": (CHAT, LETTER), "mail": (MAIL, LETTER)})
        assert not outcomes["chat"].told and outcomes["mail"].told
    assert time.monotonic() - began < 10 and threading.active_count() < 20
    ever.set()


def test_a_defect_of_a_services_library_is_a_failure_like_any_other():
    def broken(channel, letter):
        raise ZeroDivisionError

    assert Carrier(5.0, broken).carry({"chat": (CHAT, LETTER)})["chat"] == Outcome(
        False, "a defect: ZeroDivisionError"
    )
