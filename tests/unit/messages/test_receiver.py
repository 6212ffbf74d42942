"""The receiver tells people once when the beats stop, takes only those that are signed and new, and remembers."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from nightshift.errors import BadInput
from nightshift.messages.channels import Carrier
from nightshift.messages.heartbeat import signature
from nightshift.messages.receiver import Receiver
from nightshift.messages.receiver_server import channels_from_environment, receiver_from
from nightshift.settings import SettingsError
from nightshift.settings.messages import Channel

NIGHT = "2026-01-15"


class Machine:
    """A receiver with a clock that a test sets, and a sender of beats."""

    def __init__(self, folder):
        self.folder, self.told, self.number = folder, [], 0
        self.steady, self.clock = 1000.0, datetime(2026, 1, 16, 2, tzinfo=UTC)
        self.channels = {"chat": Channel(name="chat", kind="webhook", variable="CHAT_URL")}
        self.fails = False
        self.restart()

    def restart(self) -> None:
        self.receiver = Receiver(
            self.folder, secret="between us", within_s=300.0, channels=self.channels,
            carrier=Carrier(5.0, self._send), clock=lambda: self.clock, steady=lambda: self.steady,
        )  # fmt: skip

    def _send(self, channel, letter) -> str:
        if self.fails:
            raise OSError("away")
        self.told.append(letter.title)
        return ""

    def beat(self, state="open", left_s=30000.0, dead=None, night=NIGHT, **other) -> None:
        self.number += 1
        said = {"survey": "demo", "site": "demo", "night": night, "state": state, "deadline_in_s": left_s,
                "number": self.number, "dead": dead or {}, **other}  # fmt: skip
        body = json.dumps(said).encode()
        self.receiver.take(body, signature("between us", body))

    def go(self, seconds: float, *, beats: bool = False, **beat) -> list[str]:
        """Let time pass, with or without beats, and return what was told."""
        before = len(self.told)
        for step in range(int(seconds // 10)):
            self.steady += 10
            self.clock += timedelta(seconds=10)
            if beats and step % 6 == 0:
                self.beat(**beat)
            self.receiver.look()
        return self.told[before:]


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path)


def test_beats_that_stop_while_a_night_is_open_are_told_within_15_minutes_and_once(machine):
    assert machine.go(3600, beats=True) == []
    assert machine.go(900) == ["demo/demo: no heartbeat that all is well"]
    assert machine.go(6 * 3600) == []
    assert machine.go(60, beats=True) == ["demo/demo: the heartbeat is back, after 6 h 16 min"]


def test_a_night_that_was_closed_is_waited_for_no_more(machine):
    machine.go(600, beats=True)
    machine.beat(state="closed", left_s=None)
    assert machine.go(12 * 3600) == []


def test_a_night_not_closed_by_its_deadline_is_told_though_every_beat_says_that_all_is_well(machine):
    left = iter(range(600, -99999, -60))
    told = []
    for _ in range(20):
        told += machine.go(60, beats=True, left_s=next(left))
    assert told == ["demo/demo: the night of 2026-01-15 is not closed, and its deadline has passed"]
    machine.beat(state="closed", left_s=None)
    assert machine.go(10) == ["demo/demo: the night of 2026-01-15 is closed"]


def test_the_deadline_is_told_by_a_receiver_that_hears_nothing_any_more(machine):
    machine.go(120, beats=True, left_s=3600)
    assert machine.go(4000) == [
        "demo/demo: no heartbeat that all is well",
        "demo/demo: the night of 2026-01-15 is not closed, and its deadline has passed",
    ]


def test_beats_that_say_what_is_dead_are_told_with_it_and_so_is_their_end(machine):
    machine.go(600, beats=True)
    assert machine.go(600, beats=True, dead={"Airflow's scheduler": "it is unhealthy"}) == [
        "demo/demo: no heartbeat that all is well"
    ]
    assert "Airflow's scheduler: it is unhealthy" in (machine.folder / "letters.json").read_text()
    assert machine.go(60, beats=True)[0].startswith("demo/demo: the heartbeat is back")


def test_a_restart_remembers_what_it_told_and_counts_the_silence_from_then_on(machine):
    machine.go(60, beats=True)
    machine.restart()
    assert machine.go(280) == []
    assert machine.go(60) == ["demo/demo: no heartbeat that all is well"]
    machine.restart()
    assert machine.go(3600) == []
    assert len(machine.go(60, beats=True)) == 1


def test_a_channel_that_is_away_is_tried_until_it_takes_the_message(machine):
    machine.go(60, beats=True)
    machine.fails = True
    assert machine.go(1200) == []
    machine.restart()
    machine.fails = False
    assert machine.go(400) == ["demo/demo: no heartbeat that all is well"]


@pytest.mark.parametrize("step_h", [-30, 30])
def test_a_step_of_its_clock_calls_nobody(machine, step_h):
    machine.go(120, beats=True)
    machine.clock += timedelta(hours=step_h)
    assert machine.go(3600, beats=True) == []


def test_an_unsigned_beat_one_signed_otherwise_and_one_that_was_changed_are_refused(machine):
    machine.beat()
    body = b'{"survey": "demo"}'
    for signed in ("", "sha256=00", signature("another", body), signature("between us", body + b" ")):
        with pytest.raises(BadInput, match="not signed"):
            machine.receiver.take(body, signed)


def test_a_beat_that_was_recorded_and_is_sent_again_is_refused_after_a_restart_too(machine):
    machine.number = 41
    machine.beat()
    for _ in range(2):
        machine.number = 41
        with pytest.raises(BadInput, match="came before"):
            machine.beat()
        machine.restart()


@pytest.mark.parametrize("other", [{"number": "one"}, {"dead": [1]}, {"deadline_in_s": "soon"}, {"number": None}])
def test_a_beat_that_does_not_read_is_refused(machine, other):
    with pytest.raises(BadInput, match="does not read"):
        machine.beat(**other)


@pytest.mark.parametrize("content", ["", "[", '[{"site": 1}]', "{}"])
def test_files_that_do_not_read_are_begun_anew(machine, content):
    (machine.folder / "watched.json").write_text(content)
    (machine.folder / "letters.json").write_text(content)
    machine.restart()
    machine.beat()
    assert machine.go(600) == ["demo/demo: no heartbeat that all is well"]


@pytest.mark.parametrize("tell", ["", "phone:12", "webhook:NOT_SET", "mira"])
def test_whom_to_tell_must_be_said_so_that_it_can_work(monkeypatch, tell):
    monkeypatch.setenv("NIGHTSHIFT_HEARTBEAT_TELL", tell)
    with pytest.raises(SettingsError, match="NIGHTSHIFT_HEARTBEAT_TELL"):
        channels_from_environment()


def test_without_a_secret_it_does_not_start_unless_that_is_allowed(monkeypatch, tmp_path):
    monkeypatch.delenv("NIGHTSHIFT_HEARTBEAT_SECRET", raising=False)
    monkeypatch.setenv("NIGHTSHIFT_HEARTBEAT_TELL", "mira@example.org apprise:PHONE_URL")
    monkeypatch.setenv("PHONE_URL", "json://localhost")
    with pytest.raises(SettingsError, match="--unsigned"):
        receiver_from(tmp_path, 300.0, "a@b", unsigned=False)
    assert receiver_from(tmp_path, 300.0, "a@b", unsigned=True).status() == []
