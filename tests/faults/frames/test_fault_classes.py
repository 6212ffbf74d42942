"""One fault of each class in a small night, in every `make test`; the whole matrix is in `test_fault_matrix`."""

import pytest
from fault_night import line_of, played_night

from nightshift.simulator import NightScale
from nightshift.simulator.fault_table import IN_MAKE_TEST
from nightshift.simulator.faults import FAULTS, Ends
from nightshift.vocabulary import NightState

pytestmark = pytest.mark.integration

SCALE = NightScale(fields=1, filters=1, visits=8, biases=5, darks=7, flats=5, shape=(256, 272))


@pytest.fixture(scope="module")
def night(module_ledger, tmp_path_factory):
    return played_night(module_ledger, tmp_path_factory.mktemp("night"), SCALE, *IN_MAKE_TEST, seed=2)


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
    assert [path.name for path in night.workplace.inbox.iterdir()] == []
    assert not list(night.workplace.inbox.parent.rglob("pwned"))
