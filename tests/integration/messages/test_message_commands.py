"""The command `nightshift messages`, as a person uses it in the night."""

import pytest
from running import SETTINGS, configured

from nightshift.command_line import main
from nightshift.errors import Retry
from nightshift.vocabulary import Reason

pytestmark = pytest.mark.integration


@pytest.fixture(autouse=True)
def around(monkeypatch, ledger_url, tmp_path, webhook):
    for name, value in {
        "SURVEY": "demo", "LEDGER": ledger_url, "CONFIG": str(configured(tmp_path / "config", SETTINGS)),
    }.items():  # fmt: skip
        monkeypatch.setenv(f"NIGHTSHIFT_{name}", value)
    monkeypatch.setenv("CHAT_URL", webhook.url)


def test_a_message_is_listed_shown_and_acknowledged(world, capsys):
    world.broken["mail_to"] = Retry(Reason.INTERNAL_ERROR, "the relay is away")
    world.page()
    world.go(120)
    assert main(["messages", "list"]) == 0
    listed = capsys.readouterr().out
    key = listed.split()[0]
    for part in ("NOT TOLD YET", "waits for somebody: storage_unavailable depot", "mail_to has failed since"):
        assert part in listed
    world.broken.clear()
    world.go(300)
    assert main(["messages", "acknowledge", key, "--operator", "mira"]) == 0
    assert main(["messages", "show", key]) == 0
    shown = capsys.readouterr().out
    for part in ("1 acknowledged", "To do: Mount it", "mail_to: told at", "mira looks after it"):
        assert part in shown
    assert main(["messages", "list"]) == 0
    assert "told, acknowledged" in capsys.readouterr().out
    assert main(["messages", "show", "20990101-1"]) == 2
    assert "`nightshift messages list` shows them" in capsys.readouterr().err


def test_a_channel_is_tried_and_a_dry_run_sends_nothing(world, capsys, webhook, monkeypatch):
    assert main(["messages", "test", "chat", "--dry-run"]) == 0
    assert "would be sent by webhook to the URL in CHAT_URL" in capsys.readouterr().out and webhook.posts == []
    assert main(["messages", "test", "chat"]) == 0
    assert webhook.posts[0]["title"] == "Nightshift: a test"
    webhook.answers = lambda: 500
    assert main(["messages", "test", "chat"]) == 1
    assert "not sent by webhook to the URL in CHAT_URL: the webhook answered 500" in capsys.readouterr().out
    assert main(["messages", "test", "phone"]) == 2
    assert "there are chat, mail" in capsys.readouterr().err


def test_who_would_hear_what_now_is_printed(world, capsys):
    assert main(["messages", "rules"]) == 0
    printed = capsys.readouterr().out
    for part in ("no night is open", "on call: mira", "page: mira at once", "channel chat: webhook"):
        assert part in printed
    assert "127.0.0.1" not in printed, "the URL is a secret"


@pytest.mark.parametrize(
    "arguments", [["--listen", "8099"], ["--within", "-1"], ["--listen", "127.0.0.1:80x"]], ids=" ".join
)
def test_the_receiver_says_what_is_wrong_with_how_it_was_called(arguments, tmp_path, capsys):
    assert main(["heartbeat-receiver", "--folder", str(tmp_path / "r"), *arguments]) == 2
    assert arguments[0] in capsys.readouterr().err
