"""The benchmark of closing a night runs at a small size: the night is archived whole and read back."""

import pytest

from benchmarks import closing
from benchmarks.ledger import EVENING, Scale, load
from nightshift.context import Context
from nightshift.depot import Depot
from nightshift.settings import Deployment, load_survey

pytestmark = pytest.mark.integration


def test_a_night_of_the_benchmark_is_archived_whole_and_read_back(context, tmp_path):
    load(context.ledger, Scale(half=4, detectors=2, quadrants=2, fields=8, new=1, waiting=1), 0, 1)
    of_ztf = Context(
        Deployment.of(load_survey("ztf")), context.ledger, Depot(tmp_path / "ztf"), tmp_path, context.clock
    )
    found = closing.fill_depot(of_ztf)
    assert found["files"] > 100 and found["alerts"] >= 100
    figures = closing.close_night(of_ztf)
    assert figures["closing_wall_s"] > 0
    (bag,) = (tmp_path / "ztf" / "archive").glob("*/*/ztf_*_v1")
    assert f"{EVENING:%Y%m%d}" in bag.name and (bag / "manifest-sha256.txt").read_text().count("\n") > 100
