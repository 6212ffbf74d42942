"""Every command that takes a night asks for its site where the survey has several, and lists them."""

import pytest

from nightshift.command_line import main

NIGHT = "2025-11-20"


@pytest.fixture(autouse=True)
def network(ledger_url, tmp_path, monkeypatch):
    for name in ("depot", "inbox"):
        (tmp_path / name).mkdir()
        monkeypatch.setenv(f"NIGHTSHIFT_{name.upper()}", str(tmp_path / name))
    monkeypatch.setenv("NIGHTSHIFT_LEDGER", ledger_url)
    monkeypatch.setenv("NIGHTSHIFT_SURVEY", "network")


@pytest.mark.parametrize(
    "command",
    [
        ["inject", "--night", NIGHT],
        ["coverage", "--night", NIGHT],
        ["settings", "adopt", "--night", NIGHT, "--reason", "a test"],
        *([name, NIGHT] for name in ("account", "verify", "report", "mail", "close", "night")),
        *(["archive", name, NIGHT] for name in ("night", "copies", "verify", "mend")),
    ],
    ids=lambda command: " ".join(command[:2]),
)
def test_a_command_that_takes_a_night_asks_for_the_site(command, capsys):
    assert main(command) == 2
    assert "has the sites north, south: say which one is meant (--site)" in capsys.readouterr().err


def test_a_site_that_is_named_is_taken(capsys):
    assert main(["inject", "--night", NIGHT, "--site", "south"]) == 1
    assert "was sampled" in capsys.readouterr().out
