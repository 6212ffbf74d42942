"""Queries of a topic may return the same row."""

import pytest

from nightshift.errors import NeedsOperator
from nightshift.ledger.typed_queries import Topic, source_of

pytestmark = pytest.mark.integration

NEWEST = "-- name: newest\n-- row: Frame\nselect instrument, exposure_id from exposures where site = :site;\n"
OLDEST = "-- name: oldest^\n-- row: Frame\nselect instrument, exposure_id from exposures where night = :night;\n"
WITH_FIELD = "-- name: pointed\n-- row: Frame\nselect instrument, exposure_id, field from exposures;\n"


def module_of(sql, folder, ledger_url):
    (folder / "frames.sql").write_text(sql)
    return source_of(Topic("frames", folder / "frames.sql", folder / "frames.py"), ledger_url)


def test_two_queries_with_the_same_columns_share_a_class(tmp_path, ledger_url):
    source = module_of(NEWEST + OLDEST, tmp_path, ledger_url)
    assert source.count("class Frame:") == 1
    assert '"""A row of `newest` or `oldest`."""' in source
    assert "def newest(ledger: Ledger, *, site: str) -> list[Frame]:" in source
    assert "def oldest(ledger: Ledger, *, night: date) -> Frame | None:" in source


def test_a_class_with_other_columns_is_refused(tmp_path, ledger_url):
    with pytest.raises(NeedsOperator, match="newest and pointed name the row Frame and have different columns"):
        module_of(NEWEST + WITH_FIELD, tmp_path, ledger_url)


def test_what_is_never_null_may_be_said_in_several_lines(tmp_path, ledger_url):
    sql = (
        "-- name: all_of_it\n-- not null: filter\n-- not null: field\nselect filter, field, airmass from exposures;\n"
    )
    source = module_of(sql, tmp_path, ledger_url)
    assert "    filter: str\n    field: int\n    airmass: float | None\n" in source
