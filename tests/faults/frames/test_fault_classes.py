"""One fault of each class in a small night, in every `make test`; the whole matrix is in `test_fault_matrix`.

The tests follow one another: the last ones dispose of what the night left.
"""

import pytest
from fault_night import line_of, played_night

from nightshift.vocabulary import NightState, Reason
from nightshift.workflow.explain import explain
from nightshift.workflow.overrides import dispose, read_disposal
from rehearsal.simulator import NightScale
from rehearsal.simulator.fault_table import IN_MAKE_TEST
from rehearsal.simulator.faults import FAULTS, Ends

pytestmark = pytest.mark.integration

SCALE = NightScale(fields=1, filters=1, visits=8, biases=5, darks=7, flats=5, shape=(256, 272))


@pytest.fixture(scope="module")
def night(module_ledger, tmp_path_factory):
    with played_night(module_ledger, tmp_path_factory.mktemp("night"), SCALE, *IN_MAKE_TEST, seed=2) as night:
        yield night


def test_every_place_where_faults_end_has_a_case_here():
    not_here = {Ends.USED, Ends.CONFLICTING}  # a late file has none of its own, a conflict is a quarantined file
    assert {FAULTS[name].ends for name in IN_MAKE_TEST} == set(Ends) - not_here


@pytest.mark.parametrize("name", IN_MAKE_TEST)
def test_a_fault_leads_to_its_one_reason_and_to_a_line_in_the_mail(night, name):
    for outcome in night.outcomes()[name]:
        assert outcome.good, outcome
        assert line_of(night, outcome), night.report.text


def test_the_night_closes_before_and_after_the_late_file(night):
    assert night.states == [NightState.CLOSED, NightState.CLOSED]


def test_nothing_is_left_in_the_inbox_and_nothing_was_written_outside(night):
    assert [path.name for path in night.context.inbox.iterdir()] == []
    assert not list(night.context.inbox.parent.rglob("pwned"))


def say(night, verdict, thing):
    request = read_disposal({"frame": thing, "verdict": verdict, "explanation": "looked at by eye"})
    return dispose(night.context, request, operator="mira")


def units_of(night, name):
    return night.context.ledger.rows("stack", "units_of_file", file_name=name, campaign="live")


def test_a_file_that_an_operator_takes_out_of_quarantine_is_reduced_and_the_night_closes_once_more(night):
    (name,) = night.outcomes()["flipped_bit"][0].files
    assert units_of(night, name) == []
    say(night, "accept", name)
    night.work()
    units = units_of(night, name)
    assert {unit["state"] for unit in units} == {"processed"}
    assert all(Reason.OPERATOR_ACCEPTED in unit["flags"] for unit in units)
    night.begin()
    assert night.end() is NightState.CLOSED
    story = "\n".join(explain(night.context, name))
    assert "accepted by mira" in story and "looked at by eye" in story and "attempt 1 of science/" in story


def test_a_frame_that_an_operator_rejects_is_rejected_in_the_mail_and_the_night_closes_once_more(night):
    (name,) = night.outcomes()["unlisted"][0].files
    say(night, "reject", name)
    assert {(unit["state"], unit["reason"]) for unit in units_of(night, name)} == {("rejected", "operator_rejected")}
    night.begin()
    assert night.end() is NightState.CLOSED
    assert "An operator rejected it." in night.report.text
