"""A reference that is due can be planned, whatever the frames of its field went through."""

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nightshift.keys import serving
from nightshift.kinds.poll import Poll
from nightshift.kinds.reference import queries
from nightshift.kinds.reference.due import due
from nightshift.kinds.reference.plan import plan
from nightshift.vocabulary import Tier
from nightshift.workflow.subjects import subject_of

pytestmark = pytest.mark.integration

ROWS = (Path(__file__).parent / "reference_rows.sql").read_text().split(";\n")
FRAME = st.fixed_dictionaries(
    {
        "night": st.sampled_from(["2026-01-14", "2026-01-15"]),
        "minute": st.integers(0, 5),  # some open at the same moment
        "exposure": st.sampled_from(["ended", "ended", "ended", "running"]),
        "unit": st.sampled_from(["processed", "processed", "processed", "processed", "rejected", "pending"]),
        "good": st.sampled_from([True, True, True, False]),
        "kept": st.sampled_from([True, True, True, False]),
    }
)


def put(context, frames, night_state, rejected):
    values = {
        "frames": json.dumps([{**frame, "id": f"{number:014d}"} for number, frame in enumerate(frames)]),
        "night_state": night_state,
        "rejected": rejected,
    }
    with context.ledger.connection.cursor() as cursor:
        for statement in ROWS:
            cursor.execute(statement, values)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    frames=st.lists(FRAME, min_size=5, max_size=14),
    night_state=st.sampled_from(["open", "closing"]),
    rejected=st.booleans(),
)
def test_a_reference_that_is_due_has_a_plan(context, frames, night_state, rejected):
    put(context, frames, night_state, rejected)
    for conf in due(context, Poll(context)):
        units = plan(context, subject_of("reference", conf)).units
        at_least = context.survey.reference.at_least_frames
        assert units and all(len(unit.parameters["members"]) >= at_least for unit in units)


def test_six_good_frames_make_it_due_and_one_of_the_same_moment_that_has_not_ended_does_not_stop_it(context):
    good = {"night": "2026-01-15", "exposure": "ended", "unit": "processed", "good": True, "kept": True}
    frames = [{**good, "minute": number} for number in range(6)]
    late = {**good, "minute": 5, "exposure": "running", "unit": "pending"}
    put(context, [*frames, late], "open", False)
    (conf,) = due(context, Poll(context))
    assert [unit.task for unit in plan(context, subject_of("reference", conf)).units] == [0, 1]
    put(context, [*frames[:5], late, frames[5]], "open", False)
    assert list(due(context, Poll(context))) == []


def test_where_a_live_reference_serves_a_campaign_needs_none_of_its_own(context):
    good = {"night": "2026-01-15", "exposure": "ended", "unit": "processed", "good": True, "kept": True}
    put(context, [{**good, "minute": number} for number in range(6)], "open", True)  # the first quadrant has one
    with context.ledger.connection.cursor() as cursor:
        cursor.execute("insert into campaigns (campaign, number, purpose) values ('again', 1, 'a test')")
        cursor.execute("update units set campaign = 'again'; update undifferenced set campaign = 'again'")

    def quadrants(campaigns):
        (found,) = queries.references_due(
            context.ledger, instrument="democam", campaign="again", campaigns=campaigns, tier=Tier.PROCESSED,
            at_least=6, at_closing=False,
        )  # fmt: skip
        return found.quadrants

    assert quadrants(serving("again")) == 1
    assert quadrants(["again"]) == 2


def test_frames_whose_products_are_gone_make_nothing_due(context):
    gone = {"night": "2026-01-15", "minute": 1, "exposure": "ended", "unit": "processed", "good": True, "kept": False}
    put(context, [gone] * 9, "open", False)
    assert list(due(context, Poll(context))) == []
