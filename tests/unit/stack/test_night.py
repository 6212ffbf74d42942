"""How a played night is timed, judged and read."""

import json
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta

import pytest
from astropy.io import fits

from nightshift.errors import BadInput, NeedsOperator
from nightshift.nights import night_bounds
from nightshift.settings import Deployment, SettingsError, load_survey
from nightshift.stack.home import Home, Kind
from nightshift.vocabulary import NightState
from rehearsal.play.night_input import Making
from rehearsal.play.play_night import NightOptions, NightOutcome, replay_clock, run_night

NIGHT = date(2026, 1, 15)


def test_the_replay_stays_within_its_night_until_the_deadline():
    survey = load_survey("demo")
    begins, ends = night_bounds(survey.site, NIGHT)
    clock = replay_clock(Deployment.of(survey), NIGHT, deadline_s=600)
    after = (clock.night - begins).total_seconds() + 600 * clock.rate
    assert clock.night >= begins
    assert begins + timedelta(seconds=after) < ends
    assert abs((clock.now() - clock.night).total_seconds()) < 60 * clock.rate
    assert clock.real.tzinfo is UTC
    assert clock.real <= datetime.now(UTC)


@pytest.mark.parametrize(
    ("state", "mailed", "good"),
    [
        (NightState.CLOSED, True, True),
        (NightState.CLOSED, False, False),
        (NightState.UNBALANCED, True, False),
        (NightState.CLOSING, True, False),
        ("", False, False),
    ],
)
def test_only_a_night_that_closed_and_was_mailed_is_good(state, mailed, good):
    assert NightOutcome(NIGHT, state, mailed, 1.0).good is good


def making(tmp_path, *lines, code=0):
    """A making process that says these lines and ends."""
    script = f"import sys\nfor line in {[json.dumps(line) for line in lines]!r}: print(line)\nsys.exit({code})"
    (tmp_path / "log").write_text("it went wrong here")
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    return Making(process, tmp_path / "log")


def test_the_night_is_known_before_its_files_are_made(tmp_path):
    ready = {"night": "2026-01-15", "files": ["/a", "/b"], "manifest": "/m", "catalogues": None, "truth": "/t"}
    made = making(tmp_path, {"night": "2026-01-15"}, {"made": [1, 2]}, {"ready": ready})
    assert made.night() == NIGHT
    material = made.wait(lambda number, of: None)
    assert [path.name for path in material.files] == ["a", "b"]
    assert material.catalogues is None


def test_what_the_making_process_says_of_its_failure_is_shown(tmp_path):
    with pytest.raises(NeedsOperator, match="no file below"):
        making(tmp_path, {"error": "no file below /x is named as the camera names them"}, code=1).night()


def test_the_end_of_the_log_is_shown_where_making_fails_without_a_word(tmp_path):
    with pytest.raises(NeedsOperator, match="it went wrong here"):
        making(tmp_path, code=1).wait(lambda number, of: None)


def test_faults_that_there_are_not_or_in_real_files_are_refused_before_anything_is_cleared(tmp_path, monkeypatch):
    monkeypatch.setenv("NIGHTSHIFT_VAR", str(tmp_path / "var"))
    with pytest.raises(BadInput, match="there is no fault 'fire'"):
        run_night(NightOptions("demo", faults=("fire",)))
    with pytest.raises(SettingsError, match="either RAW or FAULTS"):
        run_night(NightOptions("demo", raw=tmp_path, faults=("clouds",)))
    assert not (tmp_path / "var").exists()


def test_a_folder_without_the_cameras_files_is_refused_before_anything_is_cleared(tmp_path, monkeypatch):
    monkeypatch.setenv("NIGHTSHIFT_VAR", str(tmp_path / "var"))
    home = Home.of("demo")
    home.make(Kind.REPLAY)
    (home.depot / "kept").touch()
    with pytest.raises(NeedsOperator, match="no file below"):
        run_night(NightOptions("demo", raw=tmp_path / "var"))
    assert (home.depot / "kept").exists()


@pytest.mark.parametrize(
    ("night", "said"), [(None, "choose one with NIGHT="), (date(2026, 1, 17), "no file of the night 2026-01-17")]
)
def test_a_night_that_cannot_be_chosen_is_refused_before_anything_is_cleared(
    night, said, frames_in, tmp_path, monkeypatch
):
    monkeypatch.setenv("NIGHTSHIFT_VAR", str(tmp_path / "var"))
    home = Home.of("demo")
    home.make(Kind.REPLAY)
    (home.depot / "kept").touch()
    (tmp_path / "raw").mkdir()
    frame = frames_in(tmp_path / "raw")(0)
    with fits.open(frame) as units:
        units[0].header["DATE-OBS"] = "2026-01-15T08:00:00"
        units.writeto(tmp_path / "raw" / "demo_20260115080000_d01.fits")
    with pytest.raises(NeedsOperator, match=said):
        run_night(NightOptions("demo", raw=tmp_path / "raw", night=night))
    assert (home.depot / "kept").exists()


@pytest.mark.parametrize("raw", ["var/demo/depot", "var"])
def test_files_in_the_folder_that_would_be_cleared_are_not_played(raw, frames_in, tmp_path, monkeypatch):
    monkeypatch.setenv("NIGHTSHIFT_VAR", str(tmp_path / "var"))
    home = Home.of("demo")
    home.make(Kind.REPLAY)
    frame = frames_in(home.depot)(0)
    with pytest.raises(SettingsError, match="which a night clears"):
        run_night(NightOptions("demo", raw=tmp_path / raw, clear=True))
    assert frame.exists()


def test_a_night_is_chosen_only_of_a_folder_of_files():
    with pytest.raises(SettingsError, match="name that folder too"):
        run_night(NightOptions("demo", night=NIGHT))
