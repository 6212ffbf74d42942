"""A night's candidates as Parquet: all of them, with all that was measured, along the sky, the same bytes again."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest
from night_rows import NIGHT

import nightshift.coverage.candidate_history as module
from nightshift.archive.night_archive import archive, verify
from nightshift.coverage.candidate_history import history_files, put_candidates
from nightshift.coverage.candidate_table import HEALPIX

pytestmark = pytest.mark.integration
PLACES = [(359.999, 22.0), (0.001, 22.0), (150.1, -89.9), (150.2, 22.1), (150.2, 22.1001)]


@pytest.fixture
def found(night):
    night.science(1)
    night.alerts(1, PLACES, night.reference(), state="withheld")
    record = json.dumps({"rb": 0.75, "nbad": 3, "rbversion": "m1", "name": "n2", "x": 4.5, "missing": None})
    night.query(
        "with p as (select * from pack_record(%s, '{rb}', '{rbversion}')) update candidates set layout = p.layout, "
        "numbers = p.numbers, singles = p.singles, texts = p.texts from p where number = 4",
        record,
    )
    return night


def test_every_candidate_is_there_with_its_columns_and_its_record(context, found):
    assert put_candidates(context, NIGHT) == len(PLACES)
    (path,) = history_files(context, NIGHT)
    rows = {row["number"]: row for row in pq.read_table(path).to_pylist()}
    assert {(row["ra_deg"], row["dec_deg"]) for row in rows.values()} == set(PLACES)
    one = rows[4]
    assert (one["rb"], one["nbad"], one["rbversion_text"], one["name_text"]) == (0.75, 3, "m1", "n2")
    assert (one["record_x"], one["x"]) == (4.5, 1.0)
    assert one["missing"] is None and rows[1]["rb"] is None
    assert (one["instrument"], one["filter"], one["magnitude"]) == ("democam", "g", pytest.approx(18 + 4 / 3))
    assert one["release_order_at"] == one["shutter_open"]


def test_rows_lie_along_the_sky_and_each_group_says_what_it_holds(context, found, monkeypatch):
    monkeypatch.setattr(module, "ROWS_AT_ONCE", 2)
    put_candidates(context, NIGHT)
    file = pq.ParquetFile(history_files(context, NIGHT)[0])
    healpix = np.array(file.read([HEALPIX])[HEALPIX])
    assert file.num_row_groups == 3 and (np.diff(healpix) >= 0).all()
    bounds = [file.metadata.row_group(k).column(0).statistics for k in range(3)]
    assert [(b.min, b.max) for b in bounds] == [(healpix[k], healpix[min(k + 1, 4)]) for k in (0, 2, 4)]


def test_the_same_candidates_give_the_same_bytes_and_the_night_is_archived_with_them(context, found):
    put_candidates(context, NIGHT)
    rows = found.query("select * from products where kind = 'candidate_history'")
    (path,) = history_files(context, NIGHT)
    before = path.read_bytes()
    put_candidates(context, NIGHT)
    assert path.read_bytes() == before
    assert found.query("select * from products where kind = 'candidate_history'") == rows
    assert rows[0]["leaves_with"] == NIGHT  # with its month
    archive(context, NIGHT)
    assert verify(context, NIGHT).good
    assert found.query("select path from archive_files where kind = 'product/candidate_history'")


def test_a_night_without_candidates_has_no_file_and_one_that_lost_them_an_empty_one(context, night):
    assert put_candidates(context, NIGHT) == 0
    assert history_files(context, NIGHT) == []
    night.science(1)
    night.alerts(1, PLACES, night.reference(), state="withheld")
    put_candidates(context, NIGHT)
    night.query("delete from alerts")
    night.query("delete from candidates")
    assert put_candidates(context, NIGHT) == 0
    assert pq.read_table(history_files(context, NIGHT)[0]).num_rows == 0
