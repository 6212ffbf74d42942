"""What the ledger says of a unit is found for its page."""

import pytest

from nightshift.errors import BadInput
from nightshift.inspect.gather import from_ledger


def test_a_unit_that_the_ledger_does_not_know_is_said_by_name(workplace):
    with pytest.raises(BadInput, match="knows no unit 'democam/x'"):
        from_ledger(workplace, "democam/x")


def test_the_queries_of_the_page_run(workplace):
    for name in ("unit", "products", "quality", "difference", "reference", "candidates"):
        assert workplace.ledger.rows("inspect", name, unit_key="none") == []
