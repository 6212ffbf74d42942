"""What the ledger says of a unit is found for its page."""

import pytest

from nightshift.errors import BadInput
from nightshift.ingest.ingest import ingest_all
from nightshift.inspect.products_at_hand import from_ledger


def test_a_unit_that_the_ledger_does_not_know_is_said_by_name(context):
    with pytest.raises(BadInput, match="knows no unit, master or reference 'democam/x'"):
        from_ledger(context, "democam/x")


def test_a_unit_may_be_named_without_its_tier_and_an_exposure_names_its_units(context, frames):
    ingest_all(context, [frames(0, 1)])
    exposure = frames.exposure_id(0)
    for text in (f"democam/{exposure}/d01/q2", f"{exposure}/d01/q2", f"democam/{exposure}/d01/q2/processed/live"):
        with pytest.raises(BadInput, match=f"democam/{exposure}/d01/q2/processed/live has no image on disk"):
            from_ledger(context, text)
    with pytest.raises(BadInput, match=f"any of 2 units: democam/{exposure}/d01/q1/processed/live, "):
        from_ledger(context, exposure)


def test_the_queries_of_the_page_run(context):
    for name in ("unit", "products", "quality", "measurements", "difference", "reference", "candidates"):
        assert context.ledger.rows("inspect", name, unit_key="none", campaign="live") == []
    for name in ("calibration", "reference_image"):
        assert context.ledger.rows("inspect", name, key="none") == []
