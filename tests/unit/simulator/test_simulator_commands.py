"""The commands of the simulator."""

import argparse
import json

import pytest

from rehearsal.simulator import commands, scale


@pytest.fixture
def run():
    parser = argparse.ArgumentParser()
    commands.register(parser.add_subparsers())

    def call(*words):
        arguments = parser.parse_args([str(w) for w in words])
        return arguments.run(arguments)

    return call


def test_simulate_writes_a_night_and_play_brings_it_to_the_inbox(run, tiny, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(scale, "SMALL", tiny.scale)
    night, inbox = tmp_path / "night", tmp_path / "inbox"
    assert run("simulate", "--survey", "demo", "--seed", tiny.seed, "--output", night, "--small") == 0
    assert str(tiny.made.night) in capsys.readouterr().out
    assert run("play", night, "--survey", "demo", "--inbox", inbox, "--interval", 0, "--pause", 0) == 0
    assert {p.name for p in inbox.iterdir()} == {p.name for p in tiny.made.files} | {tiny.made.manifest.name}


def test_score_fails_when_too_little_was_found(run, tiny, tmp_path, capsys):
    alerts = tmp_path / "alerts.json"
    alerts.write_text("[]")
    assert run("score", "--truth", tiny.made.truth, "--alerts", alerts) == 1
    assert json.loads(capsys.readouterr().out)["completeness"] == 0.0
