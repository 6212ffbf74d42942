"""A campaign is asked for by name: no query takes the live one for granted, and no row leaves it to a default."""

import re
from pathlib import Path

import pytest

from nightshift.kinds import kinds

ROOT = Path(__file__).resolve().parents[3]
FILES = sorted({*(ROOT / "sql" / "queries").glob("*.sql"), *(k.queries for k in kinds() if k.queries.is_file())})
WITH_CAMPAIGN = (
    "alerts", "calibrations", "candidates", "differences", "jobs", "products", "reference_images", "tracklets",
    "units",
)  # fmt: skip


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_no_query_names_the_live_campaign(path):
    assert "'live'" not in path.read_text()


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_what_is_written_names_its_campaign(path):
    written = re.findall(rf"insert into ({'|'.join(WITH_CAMPAIGN)}) \(([^)]*)\)", path.read_text())
    assert [table for table, columns in written if "campaign" not in re.findall(r"\w+", columns)] == []


def test_every_kind_of_work_was_looked_at():
    assert len(FILES) > 20 and any("insert into units" in path.read_text() for path in FILES)
