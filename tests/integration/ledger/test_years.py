"""A ledger grows old: one from before migrates with what it holds, and the benchmark's fills and is measured."""

import json
import secrets

import psycopg2
import pytest

from benchmarks.ledger import Scale, hot_queries, load, measure
from nightshift.ledger import migrate, open_ledger
from nightshift.ledger.database import SQL, named_queries

pytestmark = pytest.mark.integration

RECORD = {"magpsf": 19.25, "nbad": 0, "rb": None, "rbversion": "drb-1", "ranr": 10.0, "chi": 1e-05}
BEFORE = """
set session_replication_role = replica;
insert into nights (site, night, begins, ends)
values ('demo', '2025-03-31', '2025-03-31 19:00', '2025-04-01 19:00');
insert into objects (object_id, site, ra_deg, dec_deg, first_candid, first_seen, last_seen)
values ('o', 'demo', 10, 5, 7, '2025-04-01 04:00', '2025-04-01 04:00');
insert into candidates (candid, shutter_open, unit_key, campaign, reference_key, number, processing_id, site, night,
    filter, ra_deg, dec_deg, x, y, positive, signal_to_noise, record)
values (7, '2025-04-01 04:00', 'u', 'live', 'r', 1, 1, 'demo', '2025-03-31', 'g', 10, 5, 1, 2, true, 9, %s);
insert into alerts (candid, shutter_open, object_id, unit_key, campaign, site, night, state, packet_sha256)
values (7, '2025-04-01 04:00', 'o', 'u', 'live', 'demo', '2025-03-31', 'sent', repeat('a', 64));
insert into outbox (candid, topic, state, acknowledged_at, broker_offset) values (7, 't', 'acknowledged', now(), 3)
"""


@pytest.fixture
def ledger_of_before(postgres_server):
    """The address of a ledger whose schema is that of before the months."""
    from alembic import command
    from alembic.config import Config

    name = f"test_{secrets.token_hex(6)}"
    postgres_server.create_database(name)
    config = Config()
    config.set_main_option("script_location", str(SQL / "migrations"))
    config.attributes["url"] = postgres_server.url(name).replace("postgresql://", "postgresql+psycopg2://", 1)
    command.upgrade(config, "0008")
    return postgres_server.url(name)


def test_a_ledger_from_before_migrates_with_its_candidates_alerts_and_messages(ledger_of_before):
    with psycopg2.connect(ledger_of_before) as connection, connection.cursor() as cursor:
        cursor.execute(BEFORE, (json.dumps(RECORD),))
    connection.close()
    migrate(ledger_of_before)
    with open_ledger(ledger_of_before) as ledger, ledger.connection.cursor() as cursor:
        cursor.execute(
            "select unpack_record(c.layout, c.numbers, c.singles, c.texts) as record, a.state as alert,"
            " o.state as message, c.tableoid::regclass::text as place"
            " from candidates c join alerts a using (candid, shutter_open)"
            " join outbox o using (candid, shutter_open)"
        )
        (row,) = cursor.fetchall()
        assert row["record"] == RECORD
        assert (row["alert"], row["message"], row["place"]) == ("sent", "acknowledged", "candidates_202504")
        with pytest.raises(psycopg2.errors.RaiseException, match="was sent and stays"):
            cursor.execute("update candidates set magnitude = 1")


def test_the_benchmarks_ledger_fills_and_every_query_is_measured(context):
    scale = Scale(half=4, detectors=2, quadrants=2, fields=8, new=1, waiting=2, candidates=3, alerts=2)
    load(context.ledger, scale, 0, 1)
    load(context.ledger, scale, 1, 3)
    with context.ledger.connection.cursor() as cursor:
        cursor.execute("select count(*) as units from units")
        assert cursor.fetchone()["units"] == 3 * 8 * 4
        cursor.execute("select count(*) as alerts from alerts")
        assert cursor.fetchone()["alerts"] > 0
    assert {"due_runs", "reference_references_due", "explain_attempts_of_unit"} <= measure(context).keys()


READ_ALL_MONTHS = {
    ("explain", "events_about"),  # the story of one thing, whenever it was told
    ("explain", "frame_notes"),  # when its night was closed for the first time
    ("alerts", "queue_again"),  # by the life of the broker
    (
        "inspect",
        "units_like",
    ),  # of `inspect`: by what a person typed; each exposure's month is chosen when it was found
}


def asked_for_each_unit(exposure):
    """What is asked and written thousands of times a night, where only keys are known."""
    unit, job = f"ztf/{exposure}/d01/q1/processed/live", f"science/{exposure}"
    yield "exposures", "set_unit_running", {"unit_keys": [unit]}
    yield "exposures", "return_unit", {"unit_key": unit}
    yield "exposures", "end_exposure", {"instrument": "ztf", "exposure_id": exposure}
    for name in ("attempts_of_job", "open_attempts", "end_submissions"):
        yield "jobs", name, {"job_key": job}
    yield "jobs", "lock_attempt", {"job_key": job, "token": "a"}
    yield (
        "products",
        "delete_product_inputs",
        {"product_key": f"{unit}/sources", "job_key": job, "night": "2026-01-15"},
    )
    yield "difference", "units_to_difference", {"instrument": "ztf", "exposure_id": exposure, "campaign": "live"}
    yield "science", "units_to_do", {"instrument": "ztf", "exposure_id": exposure, "campaign": "live"}
    yield "alerts", "searches_of_units", {"unit_keys": [unit]}
    yield "alerts", "lock_units_that_stand", {"unit_keys": [unit]}
    yield "alerts", "set_released", {"unit_keys": [unit], "campaign": "live"}
    yield "alerts", "cutouts_of_units", {"unit_keys": [unit]}


def test_a_poll_and_a_page_read_the_months_of_what_is_pending_and_of_what_is_asked_for(context):
    """Old months are left out before a statement runs, so that their number costs nothing."""
    load(context.ledger, Scale(half=4, detectors=2, quadrants=2, fields=8, new=1, waiting=2), 0, 3)
    with context.ledger.connection.cursor() as cursor:
        cursor.execute("select make_month('2025-05-15')")
        cursor.execute("select exposure_id from exposures where image_type = 'science' and state = 'ended' limit 1")
        exposure = cursor.fetchone()["exposure_id"]
        for topic, name, parameters in (*hot_queries(exposure), *asked_for_each_unit(exposure)):
            query = getattr(named_queries(topic), name).sql
            cursor.execute("explain " + query, parameters)
            plan = "\n".join(row["QUERY PLAN"] for row in cursor.fetchall())
            assert (topic, name) in READ_ALL_MONTHS or "_202505" not in plan, (
                f"{topic}/{name} reads an old month:\n{plan}"
            )
