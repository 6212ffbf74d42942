"""Every fault of the simulator in one night, which ends as if each were the only one."""

import pytest
from fault_night import line_of, played_night

from nightshift.vocabulary import NightState
from rehearsal.simulator import NightScale
from rehearsal.simulator.faults import FAULTS

pytestmark = [pytest.mark.integration, pytest.mark.faults]

SCALE = NightScale(fields=1, filters=1, visits=26, biases=5, darks=8, flats=6, shape=(256, 272))


@pytest.fixture(scope="module")
def night(module_ledger, tmp_path_factory):
    with played_night(module_ledger, tmp_path_factory.mktemp("night"), SCALE, "all") as night:
        yield night


@pytest.mark.parametrize("name", FAULTS)
def test_the_fault_leads_to_its_one_reason_and_to_a_line_in_the_mail(night, name):
    for outcome in night.outcomes()[name]:
        assert outcome.good, outcome
        assert line_of(night, outcome), night.report.text


def test_the_night_closes_before_and_after_the_late_file(night):
    assert night.states == [NightState.CLOSED, NightState.CLOSED]
