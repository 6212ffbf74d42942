"""Files are played no faster than they are worked on, and never half an exposure."""

from pathlib import Path

from nightshift.settings import load_survey
from rehearsal.play.night_player import begin_exposures


def test_a_file_is_held_back_only_where_it_begins_an_exposure():
    names = (
        "demo_20251121015542_d01.fits",
        "demo_20251121015542_d02.fits",
        "notes.txt",
        "demo_20251121015642_d01.fits",
        "demo_20251121015642_d02.fits",
    )
    assert begin_exposures(tuple(map(Path, names)), load_survey("demo").camera) == {0, 2, 3}
