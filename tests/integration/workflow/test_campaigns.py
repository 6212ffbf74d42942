"""A campaign's masters, references and units stand beside the live ones, and neither is taken for the other."""

from datetime import date

import pytest

from nightshift.kinds.master.fallback import read_masters
from nightshift.vocabulary import CalibrationKind

pytestmark = pytest.mark.integration

NIGHT = date(2026, 1, 15)


@pytest.fixture
def again(night):
    """A reprocessing campaign."""
    change(night, "insert into campaigns (campaign, number, purpose) values ('again', 1, 'a test')")
    return "again"


def change(night, text):
    with night.context.ledger.connection.cursor() as cursor:
        cursor.execute(text)


def bias_of(night, campaign):
    masters = read_masters(night.context, "democam", NIGHT, "g", campaign)
    chosen = masters.choose([CalibrationKind.BIAS], 1, 1)
    return chosen.inputs[0].key if chosen.inputs else None


def test_live_masters_serve_a_campaign_that_has_none_of_its_own(night, again):
    night.calibrate()
    assert bias_of(night, again) == bias_of(night, "live") == "bias/democam/d01/q1/-/20260115/e1/v1/live/bias"


def test_a_campaigns_master_never_serves_the_live_night(night, again):
    night.calibrate()
    change(night, "update calibrations set campaign = 'again'")
    assert bias_of(night, again) is not None
    assert bias_of(night, "live") is None


def test_units_of_a_campaign_make_no_exposure_due_in_the_live_night(night, again):
    night.calibrate()
    night.bring(0)
    assert len(night.due("exposure")) == 1
    change(night, "update units set campaign = 'again'")
    assert night.due("exposure") == []
