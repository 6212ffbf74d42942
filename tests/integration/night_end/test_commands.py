"""The commands of the end of a night, as an operator types them."""

import pytest
from night_rows import NIGHT

from nightshift.command_line import main

pytestmark = pytest.mark.integration


@pytest.fixture
def typed(context, ledger_url, sink, monkeypatch):
    """Run a command in the environment of the test's context."""
    server, _ = sink
    monkeypatch.setenv("NIGHTSHIFT_SURVEY", "demo")
    monkeypatch.setenv("NIGHTSHIFT_LEDGER", ledger_url)
    monkeypatch.setenv("NIGHTSHIFT_DEPOT", str(context.depot.root))
    monkeypatch.setenv("NIGHTSHIFT_INBOX", str(context.inbox))
    monkeypatch.setenv("NIGHTSHIFT_SMTP", f"{server.host}:{server.port}")
    return lambda *words: main([*words, f"{NIGHT:%Y%m%d}"])


def test_a_night_is_closed_by_hand_step_by_step(typed, night, capsys):
    night.science(1)
    night.manifest()
    assert typed("night") == 1  # not archived yet
    for command in ("account", "archive night", "verify", "report", "mail", "close", "night"):
        assert typed(*command.split()) == 0, capsys.readouterr().out
    shown = capsys.readouterr().out
    assert "The night of 2026-01-15 is closed." in shown
    assert "files sent 2 = received intact 2 + corrupt 0 + missing 0" in shown
    assert "Sent at" in shown


def test_a_night_that_never_was_is_named_and_not_made(typed, context, capsys):
    for command in ("account", "report", "close", "night"):
        assert typed(command) == 2
    assert "has no night of 2026-01-15" in capsys.readouterr().err
    assert context.ledger.rows("night_end", "night", site="demo", night=NIGHT) == []


def test_a_night_that_does_not_balance_is_an_exit_code(typed, night, capsys):
    night.frame(1, 1)
    night.manifest()
    assert typed("account") == 1
    assert "2 never planned" in capsys.readouterr().out
    assert typed("close") == 1
