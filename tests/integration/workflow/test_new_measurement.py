"""A measurement is one entry of the registry: the ledger, the report and the page of a quadrant then have it."""

import numpy as np
import pytest

from nightshift.inspect.page import page_of
from nightshift.inspect.products_at_hand import from_ledger
from nightshift.ledger import migrate
from nightshift.night_end.report import write_report
from reduction.image.frame import Frame, write_frame

pytestmark = pytest.mark.integration


def write_image(path):
    """Put an image that reads in place of the words that the fake runner left."""
    pixels = np.random.default_rng(1).normal(1.0, 0.01, (40, 50)).astype(np.float32)
    frame = Frame(pixels, np.zeros(pixels.shape, np.uint16), np.full(pixels.shape, 1e-4, np.float32), header={})
    with path.open("w+b") as stream:
        write_frame(stream, frame)


def test_a_new_measurement_is_in_the_ledger_the_report_and_on_the_page(night, ledger_url, toy_measurement):
    migrate(ledger_url)
    night.calibrate()
    night.bring(0)
    (exposure,) = night.due()
    night.run(exposure, more={"toy": 3.25})
    assert {row["toy"] for row in night.rows("image_quality")} == {3.25}
    day = night.rows("exposures")[0]["night"]
    report = write_report(night.context, day)
    (row,) = [line for line in report.text.split("STARS AND DETECTORS")[1].splitlines() if "toy (mag)" in line]
    assert row.split()[:4] == ["toy", "(mag)", "g", "3.25"]
    timeline = report.pictures[0].description
    assert "zero point, sky and toy of 1 exposures" in timeline
    (exposure,) = report.facts.exposures
    assert exposure.measured["toy"] == 3.25
    unit = night.rows("units", "unit_key")[0]["unit_key"]
    for row in night.rows("products"):
        if row["unit_key"] == unit and row["kind"] == "calibrated":
            write_image(night.context.depot.absolute(row["path"]))
        elif row["unit_key"] == unit:
            night.context.depot.absolute(row["path"]).unlink()
    page = page_of(from_ledger(night.context, unit))
    assert "toy (mag)" in page and "3.250" in page
