"""Measurements are kept by position: old rows move, a new one needs no migration, queries keep their index."""

import re
from contextlib import closing

import psycopg2
import psycopg2.extras
import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

from nightshift.ledger import migrate, open_ledger
from nightshift.ledger.database import SQL, named_queries
from nightshift.vocabulary import all_measurements

pytestmark = pytest.mark.integration

OLD_ROWS = """
insert into nights (site, night, begins, ends)
values ('demo', '2026-01-15', '2026-01-15 19:00Z', '2026-01-16 19:00Z');
insert into exposures (instrument, exposure_id, site, night, ut_day, image_type, exposure_s, shutter_open,
    detectors_expected)
values ('democam', '1', 'demo', '2026-01-15', '2026-01-16', 'science', 30, '2026-01-16 04:00Z', '{1}');
insert into units (instrument, exposure_id, detector, quadrant, unit_key, state, ended_at)
values ('democam', '1', 1, 1, 'democam/1/d01/q1/processed/live', 'processed', now());
insert into image_quality (unit_key, instrument, exposure_id, detector, quadrant, fwhm_px, background, stars_matched,
    cosmic_ray_pixels, good, warnings, corners_deg, zero_point_zenith, colour_term)
values ('democam/1/d01/q1/processed/live', 'democam', '1', 1, 1, 2.4196, 1e-17, 77, 123456, true, '{a,b}',
    '{1,2,3,4,5,6,7,8}', 23.2100000001, -0.041);
"""


@pytest.fixture
def old_ledger(postgres_server):
    """The address of a ledger as it was before measurements were rows, with one measured quadrant."""
    postgres_server.create_database("before_measurements")
    url = postgres_server.url("before_measurements")
    config = Config()
    config.set_main_option("script_location", str(SQL / "migrations"))
    config.attributes["url"] = url.replace("postgresql://", "postgresql+psycopg2://", 1)
    command.upgrade(config, ScriptDirectory.from_config(config).get_revision("0010").down_revision)
    with closing(psycopg2.connect(url)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(OLD_ROWS)
    yield url
    with closing(psycopg2.connect(postgres_server.url("postgres"))) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("drop database before_measurements with (force)")


def columns_of(ledger, view):
    with ledger.connection.cursor() as cursor:
        cursor.execute(f"select * from {view} limit 0")
        return [column.name for column in cursor.description]


def test_rows_of_an_old_ledger_are_moved_and_their_fingerprint_stays(old_ledger):
    with open_ledger(old_ledger) as ledger:
        before = ledger.rows("fingerprint", "image_quality")
    assert before[0]["content"]["stars_matched"] == 77
    migrate(old_ledger)
    with open_ledger(old_ledger) as ledger:
        after = ledger.rows("fingerprint", "image_quality")
        assert after == before
        assert [str(row["content"]) for row in after] == [str(row["content"]) for row in before]
        searches = columns_of(ledger, "searches('2026-01-15', '2026-01-15')")
        assert {"zero_point", "zero_point_rms", "stars_matched", "corners_deg", "release_order_at"} <= set(searches)


def test_the_ledger_knows_every_measurement_by_a_position_without_a_gap(context):
    rows = context.ledger.rows("ledger", "measurements")
    assert [row["position"] for row in rows] == list(range(1, len(rows) + 1))
    assert {row["name"] for row in rows} == {measurement.name for measurement in all_measurements()}
    assert columns_of(context.ledger, "image_quality")[-len(rows) :] == [row["name"] for row in rows]


def test_a_new_measurement_is_the_last_column_and_one_that_is_no_longer_made_keeps_its_own(
    ledger_url, monkeypatch, toy_measurement
):
    migrate(ledger_url)
    with open_ledger(ledger_url) as ledger:
        before = columns_of(ledger, "image_quality")
    assert before[-1] == "toy"
    monkeypatch.setattr("nightshift.vocabulary.measurements.MEASUREMENTS", all_measurements()[1:])
    migrate(ledger_url)
    with open_ledger(ledger_url) as ledger:
        assert columns_of(ledger, "image_quality") == before


A_FIELD_THAT_AWAITS_ITS_REFERENCE = """
insert into nights (site, night, begins, ends)
values ('demo', '2026-01-15', '2026-01-15 19:00Z', '2026-01-16 19:00Z');
insert into exposures (instrument, exposure_id, site, night, ut_day, image_type, field, filter, exposure_s,
    shutter_open, detectors_expected)
values ('democam', '1', 'demo', '2026-01-15', '2026-01-16', 'science', 101, 'g', 30, '2026-01-16 04:00Z', '{1}');
insert into units (instrument, exposure_id, detector, quadrant, night, unit_key, state, ended_at)
values ('democam', '1', 1, 1, '2026-01-15', 'democam/1/d01/q1/processed/live', 'processed', now());
"""
SCOPE = {"instrument": "democam", "campaign": "live", "campaigns": ["live"], "tier": "processed"}


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("references_due", {"at_least": 5, "at_closing": False, **SCOPE}),
        ("good_units", {"field": 101, "filter": "g", "version": 1, **SCOPE}),
    ],
)
def test_a_query_that_reads_the_view_finds_a_unit_by_its_key(context, name, parameters):
    with context.ledger.connection.cursor() as cursor:
        for setting in ("enable_hashjoin", "enable_mergejoin", "enable_seqscan", "enable_bitmapscan"):
            cursor.execute(f"set {setting} = off")  # as if the table were large
        cursor.execute(A_FIELD_THAT_AWAITS_ITS_REFERENCE)
        cursor.execute("explain " + getattr(named_queries("reference"), name).sql, parameters)
        plan = "\n".join(row["QUERY PLAN"] for row in cursor.fetchall())
    condition = r"\(unit_key = \w+\.unit_key\) AND \(night = \w+\.night\) AND \(night >= '2026-01-15'::date\)"
    assert re.search(rf"image_measurements_202601_pkey.*\n *Index Cond: \({condition}\)", plan)
