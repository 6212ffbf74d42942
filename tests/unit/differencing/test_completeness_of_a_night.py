"""What the ledger says of the sources that were put into a night's frames."""

from datetime import date

import pytest

from nightshift.ledger.queries.injection import completeness_of_night

pytestmark = pytest.mark.integration


def test_a_night_without_sampled_quadrants_has_a_completeness_of_nothing(context):
    site = context.survey.site.name
    (counts,) = completeness_of_night(context.ledger, site=site, night=date(2026, 1, 15), campaign="live")
    assert counts.quadrants == 0
    assert counts.injected_snr8_up == counts.recovered_snr8_up == 0
