"""The process itself, with real channels that fail: killed, answered late or never, and with a ledger that hangs."""

import asyncio
import email.policy
import json
import os
import signal
import threading
import time
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest
from running import Between, command, configured, ended, until

from nightshift.loopback import free_ports
from nightshift.nights import night_of
from nightshift.vocabulary import EventLevel
from rehearsal.stand_ins import mail_sink

pytestmark = pytest.mark.integration


@pytest.fixture
def start(tmp_path, ledger_url, webhook, context):
    """Starts the process, by default with the ledger of the test and a webhook that takes everything."""
    config = configured(tmp_path / "config")

    def run(**environment: str):
        around = {
            "NIGHTSHIFT_CONFIG": str(config), "NIGHTSHIFT_SURVEY": "demo", "NIGHTSHIFT_LEDGER": ledger_url,
            "NIGHTSHIFT_DEPOT": str(context.depot.root), "NIGHTSHIFT_INBOX": str(context.inbox),
            "CHAT_URL": webhook.url,
        }  # fmt: skip
        return ended(command("messages", "run", "--folder", str(tmp_path / "own"), **{**around, **environment}))

    return run


def page(context, text="The depot is full.", subject="depot"):
    context.ledger.event(EventLevel.PAGE, "storage_unavailable", text, subject=subject)


def told(context) -> bool:
    return bool(context.ledger.rows("messages", "latest_messages", most=1)) and all(
        row["told"] for row in context.ledger.rows("messages", "latest_messages", most=9)
    )


def test_killed_between_sending_and_writing_it_down_it_tells_once_more_with_the_same_key(context, webhook, start):
    """It errs to telling twice: a person who hears nothing loses the night, one who hears twice a minute."""
    page(context)
    with start() as process:
        webhook.answers = lambda: os.kill(process.pid, signal.SIGKILL) or 200
        until(lambda: process.poll() is not None)
    webhook.answers = lambda: 200
    assert len(webhook.posts) == 1 and not told(context)
    with start():
        until(lambda: told(context))
        time.sleep(2)
    assert len(webhook.posts) == 2 and len(set(webhook.keys)) == 1
    assert "The depot is full" in webhook.posts[0]["text"]


def test_a_webhook_that_answers_500_or_never_passes_the_message_on_to_the_mail(context, webhook, start, tmp_path):
    port, folder = free_ports(1)[0], tmp_path / "mail"
    threading.Thread(target=lambda: asyncio.run(mail_sink.serve(folder, port)), daemon=True).start()
    never = threading.Event()
    answers = iter([500])
    webhook.answers = lambda: next(answers, None) or (never.wait(60) and 200) or 200
    page(context)
    with start(NIGHTSHIFT_SMTP=f"127.0.0.1:{port}"):
        until(lambda: told(context), within_s=60)
        (mail,) = folder.glob("*.eml")
    sent = email.message_from_bytes(mail.read_bytes(), policy=email.policy.default)
    assert "somebody must act: The depot is full." in sent["Subject"]
    assert sent["Message-ID"] == f"<nightshift.{webhook.keys[0]}.mail@localhost>"
    deliveries = context.ledger.rows("messages", "deliveries_of", message_key=webhook.keys[0])
    assert [(row["channel"], row["state"], row["tries"]) for row in deliveries] == [
        ("chat", "passed_on", 2), ("mail", "told", 1),
    ]  # fmt: skip
    never.set()


@pytest.mark.faults
def test_a_ledger_that_hangs_is_told_without_it_once_and_its_end_too(context, webhook, start, ledger_url):
    way = Between(ledger_url)
    with start(NIGHTSHIFT_LEDGER=way.url) as process:
        page(context)
        until(lambda: told(context))
        way.hang()
        until(lambda: len(webhook.posts) == 2)
        assert "the ledger does not answer" in webhook.posts[1]["title"]
        process.send_signal(signal.SIGKILL)
        process.wait(20)
    with start(NIGHTSHIFT_LEDGER=way.url):
        time.sleep(6)
        assert len(webhook.posts) == 2, "a restart remembers what it told"
        way.go_on()
        until(lambda: len(webhook.posts) == 3)
        assert "the ledger answers again" in webhook.posts[2]["text"].lower()
        until(lambda: context.ledger.value("ledger", "event_said", kind="ledger_silent", subject=""))


@pytest.fixture
def airflow():
    """Airflow's page, which says how its parts are; a test sets which is not healthy."""
    sick: set[str] = set()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            parts = ("metadatabase", "scheduler", "triggerer", "dag_processor")
            said = json.dumps({part: {"status": "unhealthy" if part in sick else "healthy"} for part in parts})
            self.send_response(200)
            self.end_headers()
            self.wfile.write(said.encode())

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", sick
    server.shutdown()


@pytest.fixture
def receiver(tmp_path, webhook):
    """Starts the receiver on another machine, so to speak, with a short patience; gives its address and its start."""

    def run(port: int = 0, within: float = 4.0):
        return ended(
            command(
                "heartbeat-receiver", "--listen", f"127.0.0.1:{port}", "--folder", str(tmp_path / "receiver"),
                "--within", str(within),
                NIGHTSHIFT_HEARTBEAT_SECRET="between us", NIGHTSHIFT_HEARTBEAT_TELL="webhook:CHAT_URL",
                CHAT_URL=webhook.url,
            )
        )  # fmt: skip

    return run


def open_night(context, ends_in_s: float = 6 * 3600):
    now = datetime.now(UTC)
    with context.ledger.connection.cursor() as cursor:
        cursor.execute(
            "insert into nights (site, night, begins, ends) values (%s, %s, %s, %s)",
            (context.site.name, night_of(context.site, now), now - timedelta(hours=9), now + timedelta(0, ends_in_s)),
        )  # fmt: skip


def port_of(process) -> int:
    return int(process.stdout.readline().split(",")[0].rpartition(":")[2])


def test_the_whole_machine_killed_the_receiver_has_told_a_person_within_its_time(
    context, webhook, start, airflow, receiver
):
    open_night(context)
    with receiver() as watching:
        port = port_of(watching)
        around = {
            "AIRFLOW_CONN_NIGHTSHIFT_API": airflow[0], "NIGHTSHIFT_HEARTBEAT_SECRET": "between us",
            "NIGHTSHIFT_HEARTBEAT_URL": f"http://127.0.0.1:{port}/{{site}}",
        }  # fmt: skip
        with start(**around) as machine:
            until(lambda: something_was_heard(port))
            time.sleep(5)
            assert webhook.posts == [], "it beats: nobody is called"
            machine.send_signal(signal.SIGKILL)
        took_s = until(lambda: webhook.posts)
        assert took_s < 8, "the patience of 4 s and a little"
        assert "no heartbeat that all is well" in webhook.posts[0]["title"]
        assert "the machine, or the way to it, is down" in webhook.posts[0]["text"]
        with start(**around):
            until(lambda: len(webhook.posts) == 2)
            assert "the heartbeat is back" in webhook.posts[1]["title"]


def something_was_heard(port: int) -> bool:
    try:
        return bool(httpx.get(f"http://127.0.0.1:{port}/", timeout=5).json())
    except httpx.HTTPError:
        return False


@pytest.mark.faults
def test_a_dead_scheduler_is_told_by_the_machine_and_by_the_receiver(context, webhook, start, airflow, receiver):
    open_night(context)
    with receiver() as watching:
        port = port_of(watching)
        with start(
            AIRFLOW_CONN_NIGHTSHIFT_API=airflow[0], NIGHTSHIFT_HEARTBEAT_SECRET="between us",
            NIGHTSHIFT_HEARTBEAT_URL=f"http://127.0.0.1:{port}",
        ):  # fmt: skip
            until(lambda: something_was_heard(port))
            airflow[1].add("scheduler")
            until(lambda: len(webhook.posts) >= 2)
            titles = " ".join(post["title"] for post in webhook.posts)
            assert "Airflow's scheduler is dead" in titles and "no heartbeat that all is well" in titles
            assert any("Airflow's scheduler: it is unhealthy" in post["text"] for post in webhook.posts)
            airflow[1].clear()
            until(lambda: any("the heartbeat is back" in post["title"] for post in webhook.posts))
            until(
                lambda: context.ledger.value("ledger", "event_said", kind="part_back", subject="Airflow's scheduler")
            )


@pytest.mark.faults
def test_a_night_that_is_not_closed_by_its_deadline_reaches_a_person_and_its_closing_too(
    context, webhook, start, airflow, receiver
):
    open_night(context, ends_in_s=15)
    with receiver(within=60) as watching:
        port = port_of(watching)
        with start(
            AIRFLOW_CONN_NIGHTSHIFT_API=airflow[0], NIGHTSHIFT_HEARTBEAT_SECRET="between us",
            NIGHTSHIFT_HEARTBEAT_URL=f"http://127.0.0.1:{port}",
        ):  # fmt: skip
            until(lambda: any("is not closed" in post["title"] for post in webhook.posts))
            until(lambda: any("should have closed" in post["text"] for post in webhook.posts), within_s=90)
            with context.ledger.connection.cursor() as cursor:
                cursor.execute("update nights set state = 'closed', closed_at = now()")
            until(lambda: any("is closed" in post["title"] for post in webhook.posts))
            until(lambda: not beats_are_waited_for(port))


def beats_are_waited_for(port: int) -> bool:
    return any(each["state"] == "open" for each in httpx.get(f"http://127.0.0.1:{port}/", timeout=5).json())
