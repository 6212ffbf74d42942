"""An interrupted night is known as such and goes on; one that ended in order does not."""

import os
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import psutil
import pytest
from rich.console import Console

from nightshift.ledger.queries.stack import ArrivedName
from nightshift.settings import Deployment, SettingsError, load_deployment, load_survey
from nightshift.stack.home import Home, Kind
from nightshift.stack.machine import Machine
from nightshift.stack.ports import Ports
from rehearsal.play.night_input import Material
from rehearsal.play.night_player import _without, clear_half_written, names_that_came
from rehearsal.play.play_night import NightOptions, _begin, replay_clock
from rehearsal.play.resume_state import NightRecord

NIGHT = date(2026, 1, 15)


@pytest.fixture
def home(tmp_path, monkeypatch) -> Home:
    monkeypatch.setenv("NIGHTSHIFT_VAR", str(tmp_path))
    return Home.of("demo")


@pytest.fixture
def machine(home) -> Machine:
    return Machine(load_deployment("demo"), home, Ports(0, 0, 0))


@pytest.fixture
def interrupted(home) -> NightRecord:
    """A small night of seed 1 whose process is gone."""
    home.make(Kind.REPLAY)
    (home.depot / "kept").touch()
    record = NightRecord.begin(NightOptions("demo", small=True).request(home))
    return replace(record, born=record.born - 1000).write(home)


def begin(machine, **options) -> NightRecord:
    return _begin(NightOptions("demo", **options), machine, Console(quiet=True))


def test_an_interrupted_night_that_is_asked_for_again_goes_on(machine, interrupted):
    record = begin(machine, small=True)
    assert (machine.home.depot / "kept").exists()
    assert (record.pid, record.born) == (os.getpid(), psutil.Process().create_time())


def test_a_record_of_before_there_was_something_more_to_ask_for_is_understood(machine, interrupted):
    asked = {key: value for key, value in interrupted.request.items() if key != "night"}
    replace(interrupted, request=asked).write(machine.home)
    begin(machine, small=True)
    assert (machine.home.depot / "kept").exists()


@pytest.mark.parametrize("options", [{"small": True, "fresh": True}, {"small": True, "seed": 2}, {}])
def test_another_night_or_a_fresh_one_begins_anew(machine, interrupted, options):
    begin(machine, **options)
    assert not (machine.home.depot / "kept").exists()


def test_a_night_that_ended_in_order_goes_on_only_where_that_is_asked_for(machine, interrupted):
    NightRecord.mark_ended(machine.home)
    begin(machine, small=True, resume=True)
    assert (machine.home.depot / "kept").exists()
    NightRecord.mark_ended(machine.home)
    begin(machine, small=True)
    assert not (machine.home.depot / "kept").exists()


def sent(home: Home, name: str) -> None:
    folder = home.depot / "raw" / "2026" / "0115"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).touch()


def test_what_a_replay_played_is_cleared_for_the_next(machine, interrupted):
    played = Material(NIGHT, (Path("/night/raw/0.fits"),), Path("/m.json"), None, None, (Path("/night/raw/1.fits"),))
    interrupted.with_material(played).write(machine.home)
    for name in ("0.fits", "1.fits"):
        sent(machine.home, name)
    begin(machine, seed=2)
    assert not (machine.home.depot / "raw").exists()


def test_files_that_were_sent_after_a_replay_was_brought_up_again_are_never_cleared_unasked(machine, interrupted):
    played = Material(NIGHT, (Path("/night/raw/0.fits"),), Path("/m.json"), None, None)
    interrupted.with_material(played).write(machine.home)
    for name in ("0.fits", "of_the_mountain.fits"):
        sent(machine.home, name)
    with pytest.raises(SettingsError, match=r"1 files .* such as depot/raw/2026/0115/of_the_mountain.fits"):
        begin(machine, seed=2)
    assert (machine.home.depot / "raw/2026/0115/of_the_mountain.fits").exists()
    begin(machine, seed=2, clear=True)
    assert not (machine.home.depot / "raw").exists()


@pytest.mark.parametrize("place", ["inbox", "depot/quarantine/2026/0115"])
def test_what_ingest_has_not_taken_or_not_registered_is_kept_too(machine, interrupted, place):
    path = machine.home.root / place / "of_the_mountain"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    with pytest.raises(SettingsError, match=f"1 files .* such as {place}/of_the_mountain"):
        begin(machine, seed=2)
    assert path.exists()


def test_another_night_cannot_be_resumed(machine, interrupted):
    with pytest.raises(SettingsError, match="is another one"):
        begin(machine, small=True, seed=2, resume=True)


def test_a_night_that_is_being_played_is_left_alone(machine, interrupted):
    interrupted.taken_over(machine.home).write(machine.home)
    with pytest.raises(SettingsError, match="runs already"):
        begin(machine, small=True)


def test_a_record_keeps_the_nights_files(home, interrupted):
    files = tuple(Path(f"/night/raw/{n}.fits") for n in range(3))
    material = Material(
        NIGHT, files, Path("/night/manifest.json"), None, Path("/night/truth"), after_manifest=files[:1]
    )
    interrupted.with_material(material).write(home)
    assert Material.from_json(NightRecord.read(home).material) == material


def test_the_nights_clock_goes_on_where_it_was(home, interrupted):
    survey = load_survey("demo")
    clock = replay_clock(Deployment.of(survey), NIGHT, 600)
    record = replace(interrupted, clock=clock.to_text()).write(home)
    played = datetime.now(UTC) + timedelta(seconds=100)
    os.utime(home.root / "night.json", (played.timestamp(), played.timestamp()))
    reached = datetime.fromisoformat(record.taken_over(home).since)
    assert reached - clock.night == pytest.approx(
        timedelta(seconds=100 * clock.rate), abs=timedelta(seconds=clock.rate)
    )
    assert replay_clock(Deployment.of(survey), NIGHT, 600, since=reached).night == reached


def test_what_an_earlier_player_left_half_written_is_cleared_away(tmp_path):
    (tmp_path / "1.fits").touch()
    (tmp_path / ".2.fits.abc.tmp").touch()
    clear_half_written(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["1.fits"]


class Came:
    """A ledger that knows some names."""

    def select(self, *_):
        return [ArrivedName("0.fits")]


def test_only_files_that_never_came_are_played_again(tmp_path):
    (tmp_path / "1.fits").touch()
    (tmp_path / ".2.fits.abc.tmp").touch()  # another instrument's player is at it
    came = names_that_came(Came(), tmp_path)
    assert (tmp_path / ".2.fits.abc.tmp").exists()
    files = tuple(Path(f"/night/{n}.fits") for n in range(4))
    left = _without(Material(NIGHT, files, Path("/m"), None, None, after_closing=files[:1]), came)
    assert [path.name for path in left.files] == ["2.fits", "3.fits"]
    assert left.after_closing == ()
