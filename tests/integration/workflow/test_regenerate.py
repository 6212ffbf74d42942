"""A person asks for a new version of a field's reference."""

from datetime import timedelta

import pytest

from nightshift.errors import BadInput
from nightshift.kinds.reference.regenerate import read_regeneration, regenerate
from nightshift.nights import night_bounds, night_of
from nightshift.settings import load_survey
from nightshift.workflow.due_runs import mark_requested

FORM = {
    "field": "101",
    "filter": "g",
    "quadrants": [],
    "explanation": "a trail in it",
    "serves": "now",
    "dry_run": False,
}


@pytest.fixture
def night_with_reference(night):
    """A night whose field 101 has a reference in g."""
    night.calibrate()
    night.bring(*range(1, 7))
    night.run_due("exposure")
    assert night.run_due("references") == ["references__democam__101__g__v1"]
    return night


def ask(night, request_id="asked-1", **changes):
    request = read_regeneration(night.context.survey, {**FORM, **changes})
    return regenerate(night.context, request, operator="mira", request_id=request_id)


def audit(night):
    return night.rows("audit")


def versions(night):
    return night.rows("reference_images", "version, detector, quadrant")


def test_a_dry_run_says_what_would_be_made_and_changes_nothing(night_with_reference):
    text, run = ask(night_with_reference, dry_run=True)
    assert run is None
    assert "version 2 of field 101" in text and "6 frames" in text
    assert audit(night_with_reference) == []


def test_the_new_version_knows_who_asked_and_why_and_is_in_the_audit(night_with_reference):
    night = night_with_reference
    _, run = ask(night)
    assert run.run_id == "references__democam__101__g__v2"
    (entry,) = audit(night)
    assert (entry["operator"], entry["action"], entry["subject"]) == ("mira", "regenerate_reference", "000101/g")
    mark_requested(night.context, run)
    night.run(run)
    new = [row for row in versions(night) if row["version"] == 2]
    assert {(row["requested_by"], row["request_reason"], row["state"]) for row in new} == {
        ("mira", "a trail in it", "in_service")
    }
    assert all(row["valid_from"] is not None for row in new)


def test_asking_again_with_the_same_request_is_one_version_and_another_request_is_the_next(night_with_reference):
    night = night_with_reference
    assert [ask(night)[1].run_id, ask(night)[1].run_id] == ["references__democam__101__g__v2"] * 2
    assert ask(night, request_id="asked-2")[1].run_id == "references__democam__101__g__v3"
    assert len(audit(night)) == 2


def test_only_the_quadrants_that_were_named_are_made_and_they_serve_from_the_next_night(night_with_reference):
    night = night_with_reference
    _, run = ask(night, quadrants=["d02/q1"], serves="next_night")
    mark_requested(night.context, run)
    night.run(run)
    (new,) = [row for row in versions(night) if row["version"] == 2]
    assert (new["detector"], new["quadrant"]) == (2, 1)
    site = night.context.survey.site
    assert new["valid_from"] == night_bounds(site, night_of(site, night.clock.now()))[1]
    assert new["valid_from"] - night.clock.now() < timedelta(days=1)


def test_where_there_are_too_few_good_frames_nothing_is_asked_for(night):
    text, run = ask(night)
    assert run is None and "nothing is to be done" in text
    assert audit(night) == []


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"fieldd": "101"}, "fieldd"),
        ({"field": "7"}, "101, 102"),
        ({"filter": "z"}, "g, r"),
        ({"quadrants": ["d09/q1"]}, "d01/q1"),
        ({"quadrants": "d01/q1"}, "list"),
        ({"explanation": "  "}, "explanation"),
        ({"serves": "yesterday"}, "next_night"),
        ({"dry_run": "no"}, "dry_run"),
    ],
)
def test_what_the_form_does_not_have_is_refused_with_what_is_allowed(change, named):
    with pytest.raises(BadInput, match=named):
        read_regeneration(load_survey("demo"), {**FORM, **change})
