"""A night's folder is cleared only where Nightshift made it for a replay."""

import os
import stat
from pathlib import Path

import pytest

from nightshift.settings import SettingsError
from nightshift.stack.home import Home, Kind


@pytest.fixture
def home(tmp_path):
    return Home(tmp_path / "var" / "demo")


def test_a_folder_that_nightshift_did_not_make_is_never_cleared(home):
    home.root.mkdir(parents=True)
    precious = home.root / "thesis.txt"
    precious.write_text("years of work")
    with pytest.raises(SettingsError, match="was not made by Nightshift"):
        home.clear(live_too=True)
    assert precious.read_text() == "years of work"


def test_a_replay_is_cleared_for_the_next(home):
    home.make(Kind.REPLAY)
    (home.depot / "old").write_text("x")
    home.clear()
    assert not home.root.exists()
    assert list(home.root.parent.iterdir()) == []


def test_a_live_home_is_cleared_only_when_asked_for(home):
    home.make(Kind.LIVE)
    with pytest.raises(SettingsError, match="live"):
        home.clear()
    assert home.depot.is_dir()
    home.clear(live_too=True)
    assert not home.root.exists()


def test_a_link_to_a_home_is_not_followed_by_clearing(home, tmp_path):
    home.make(Kind.REPLAY)
    link = Home(tmp_path / "link")
    link.root.symlink_to(home.root)
    with pytest.raises(SettingsError):
        link.clear()
    assert home.depot.is_dir()


def test_a_replay_that_is_brought_up_again_stays_a_replay(home):
    home.make(Kind.REPLAY)
    home.make(Kind.LIVE)
    assert home.kind is Kind.REPLAY


def test_a_damaged_marker_protects_the_folder(home):
    home.make(Kind.REPLAY)
    (home.root / ".nightshift-home").write_text("{")
    with pytest.raises(SettingsError):
        home.clear()


def test_a_secret_is_made_once_and_is_readable_by_its_owner_alone(home):
    home.make(Kind.LIVE)
    first = home.secret("admin")
    assert len(first) >= 20
    assert home.secret("admin") == first
    assert stat.S_IMODE((home.run / "admin.secret").stat().st_mode) == 0o600
    assert stat.S_IMODE(home.run.stat().st_mode) == 0o700


def test_two_homes_do_not_share_a_secret(tmp_path):
    homes = [Home(tmp_path / name) for name in "ab"]
    for home in homes:
        home.make(Kind.LIVE)
    assert homes[0].secret("admin") != homes[1].secret("admin")


def test_the_socket_of_a_deep_folder_is_short_enough_for_the_kernel(tmp_path):
    deep = Home(tmp_path / ("long" * 30) / "demo")
    assert len(str(deep.run / "supervisor.sock")) > 107
    assert len(str(deep.supervisor_socket)) <= 100
    deep.make(Kind.REPLAY)
    assert stat.S_IMODE(deep.supervisor_socket.parent.stat().st_mode) == 0o700
    deep.supervisor_socket.parent.rmdir()


def test_the_socket_of_a_usual_folder_lies_in_it():
    home = Home(Path("/srv/demo"))
    assert home.supervisor_socket == home.run / "supervisor.sock"


def test_what_is_remembered_is_recalled_and_added_to(home):
    home.make(Kind.LIVE)
    assert home.recall() == {}
    home.remember(supervisor_pid=1)
    home.remember(ports={"airflow": 2})
    assert home.recall() == {"supervisor_pid": 1, "ports": {"airflow": 2}}


def test_what_a_night_keeps_is_open_to_nobody_else(home):
    before = os.umask(0o022)
    try:
        home.make(Kind.LIVE)
    finally:
        os.umask(before)
    for folder in (home.depot, home.mail, home.logs, home.spool, home.received, home.run, home.inbox):
        assert folder.stat().st_mode & 0o077 == 0, folder


def test_a_folder_that_a_site_opened_stays_open(home):
    home.make(Kind.LIVE)
    home.depot.chmod(0o750)
    home.make(Kind.LIVE)
    assert home.depot.stat().st_mode & 0o777 == 0o750


def test_a_spool_into_which_others_can_put_jobs_is_refused(home):
    home.make(Kind.LIVE)
    home.spool.chmod(0o777)
    with pytest.raises(SettingsError, match="chmod go-w"):
        home.make(Kind.LIVE)
