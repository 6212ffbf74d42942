"""Of a replay's home only what was played is cleared unasked, wherever a file lies by now."""

from pathlib import Path

import pytest

from nightshift.settings import Deployment, load_survey
from nightshift.stack.foreign_files import sent_files
from nightshift.stack.home import Home, Kind

SURVEY = load_survey("demo")


@pytest.fixture
def home(tmp_path) -> Home:
    home = Home(tmp_path / "demo")
    home.make(Kind.REPLAY)
    return home


@pytest.fixture
def played(tmp_path) -> list[Path]:
    """A frame, a damaged one, the damaged one's name again with other bytes, a link, and the manifest."""
    for name, content in (("0.fits", "sound"), ("1.fits", "damaged"), ("again/1.fits", "spoilt"), ("m.json", "{}")):
        path = tmp_path / "night" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    (tmp_path / "night/link.fits").symlink_to("/etc/passwd")
    return [tmp_path / "night" / name for name in ("0.fits", "1.fits", "again/1.fits", "link.fits", "m.json")]


def quarantined(home: Home, key: str, content: str) -> Path:
    path = home.depot / "quarantine/2026/0115" / key
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


def test_what_was_played_is_known_in_the_inbox_and_in_quarantine(home, played):
    for name in ("0.fits", ".1.fits.0123456789ab.tmp", "m.json"):
        (home.inbox / name).touch()
    for key, content in enumerate(("damaged", "spoilt", "a link to /etc/passwd\n", "{}")):
        quarantined(home, f"{key:040x}", content)
    assert sent_files(home, Deployment.of(SURVEY), played) == []


def test_a_file_that_waits_in_the_inbox_was_sent(home, played):
    (home.inbox / "0.fits").touch()
    waiting = home.inbox / "folder" / "of_the_mountain.fits"
    waiting.parent.mkdir()
    waiting.touch()
    half = home.inbox / ".of_the_mountain.fits.Xq1z"  # as rsync names what has not come whole
    half.touch()
    gone = home.inbox / "link"
    gone.symlink_to("/nowhere")
    assert sent_files(home, Deployment.of(SURVEY), played) == [half, waiting, gone]


def test_a_manifest_that_waits_in_the_inbox_is_no_loss(home, played):
    (home.inbox / "manifest_20260115.json").write_text("{}")
    assert sent_files(home, Deployment.of(SURVEY), played) == []


def test_a_file_in_quarantine_was_sent_unless_it_has_the_bytes_of_one_that_was_played(home, played):
    quarantined(home, "0" * 40, "damaged")
    other = quarantined(home, "1" * 40, "other's")
    assert sent_files(home, Deployment.of(SURVEY), played) == [other]


def test_what_nobody_has_any_more_is_not_taken_for_played(home, played):
    kept = quarantined(home, "0" * 40, "damaged")
    played[1].unlink()
    assert sent_files(home, Deployment.of(SURVEY), played) == [kept]


def test_in_a_home_of_which_no_record_tells_everything_was_sent(home):
    waiting = home.inbox / "0.fits"
    waiting.touch()
    kept = quarantined(home, "0" * 40, "damaged")
    assert sent_files(home, Deployment.of(SURVEY), ()) == [waiting, kept]
