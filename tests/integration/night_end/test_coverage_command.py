"""The command ``nightshift coverage``, as an operator types it."""

import pytest
from sky_nights import SkyNights, square_deg

from nightshift.command_line import main
from nightshift.coverage.make_maps import map_night

pytestmark = pytest.mark.integration


@pytest.fixture
def typed(context, ledger_url, monkeypatch):
    """Run the command in the environment of the test's context."""
    monkeypatch.setenv("NIGHTSHIFT_SURVEY", "demo")
    monkeypatch.setenv("NIGHTSHIFT_LEDGER", ledger_url)
    monkeypatch.setenv("NIGHTSHIFT_DEPOT", str(context.depot.root))
    monkeypatch.setenv("NIGHTSHIFT_INBOX", str(context.inbox))
    return lambda *words: main(["coverage", *words])


@pytest.fixture
def two_nights(context):
    sky = SkyNights(context)
    for day in range(2):
        night = sky.night(day)
        for filter in ("g", "r"):
            sky.image(night, square_deg(150 + 0.2 * day, 5), 20.0, filter=filter)
        map_night(context, night)
    return sky


def test_maps_are_listed_with_their_figures_and_drawn(typed, two_nights, tmp_path, capsys):
    assert typed("--png", str(tmp_path / "all.png")) == 0
    told = capsys.readouterr().out
    assert "all nights, democam, g: 0.354 deg², exposures (median / most) 1 / 2, depth in mag" in told
    assert "coverage_cumulative_democam_r_order" in told
    assert (tmp_path / "all.png").read_bytes().startswith(b"\x89PNG")
    assert (
        typed("--night", "20260115", "--filter", "g", "--show", "exposures", "--png", str(tmp_path / "one.png")) == 0
    )
    told = capsys.readouterr().out
    assert "2026-01-15, democam, g: 0.25" in told and "democam, r" not in told
    assert (tmp_path / "one.png").is_file()


def test_the_same_maps_give_the_same_picture(typed, two_nights, tmp_path):
    for name in ("one.png", "other.png"):
        typed("--png", str(tmp_path / name))
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "other.png").read_bytes()


def test_a_night_is_mapped_again(typed, two_nights, capsys):
    two_nights.image(two_nights.night(0), square_deg(160, 5), 21.0)
    assert typed("--night", "2026-01-15", "--again", "--filter", "g") == 0
    assert "3 images in 2 maps; 6 files changed" in capsys.readouterr().out.splitlines()[0]
    assert typed("--night", "2026-01-15", "--again") == 0
    assert "0 files changed" in capsys.readouterr().out


def test_what_is_not_there_or_does_not_make_sense_is_said(typed, two_nights, capsys):
    assert typed("--night", "20260120") == 1
    assert "There is no such map of the night 2026-01-20" in capsys.readouterr().out
    assert typed("--again") == 2
    assert "--again needs the night" in capsys.readouterr().err
    assert typed("--again", "--night", "20260120") == 2
    assert "has no night of 2026-01-20" in capsys.readouterr().err
