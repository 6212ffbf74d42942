"""The keys of masters and references say their campaign; the live ones keep their folders."""

from datetime import date
from pathlib import Path

from nightshift.depot import Depot
from nightshift.keys import CalibrationKey, ReferenceKey, serving
from nightshift.vocabulary import CalibrationKind

MASTER = (CalibrationKind.FLAT, "democam", 1, 2, "g", date(2026, 1, 15), 1, 3)
REFERENCE = (101, "democam", 1, 2, "g", 3)


def test_the_text_of_a_key_ends_with_the_campaign():
    assert str(CalibrationKey(*MASTER)) == "flat/democam/d01/q2/g/20260115/e1/v3/live"
    assert str(CalibrationKey(*MASTER, "again")) == "flat/democam/d01/q2/g/20260115/e1/v3/again"
    assert str(ReferenceKey(*REFERENCE, "again")) == "reference/000101/democam/d01/q2/g/v3/again"


def test_the_text_of_a_references_key_parses_back_to_it():
    for key in (ReferenceKey(*REFERENCE), ReferenceKey(*REFERENCE, "again")):
        assert ReferenceKey.parse(str(key)) == key


def test_a_campaigns_files_stand_beside_the_live_ones_which_stay_where_they_were():
    depot = Depot(Path("/depot"))
    for make, arguments, place in (
        (depot.calibration, MASTER, "calibrations/2026/0115/flat/democam/d01/q2/g/20260115/e1/v3"),
        (depot.reference, REFERENCE, "references/000101/democam/d01/q2/g/v3"),
    ):
        key = CalibrationKey if make == depot.calibration else ReferenceKey
        assert make(key(*arguments)) == Path("/depot") / place
        assert make(key(*arguments, "again")) == Path("/depot") / place / "again"


def test_a_campaigns_own_masters_serve_it_before_the_live_ones():
    assert serving("again") == ["again", "live"]
    assert serving("live") == ["live"]
