"""The month of a night has left the ledger: who needs it is told how to get it back."""

import json
from datetime import UTC, date, datetime

import pytest

from nightshift.errors import BadInput
from nightshift.ingest.ingest import ingest_all
from nightshift.kinds.science.catalogues import own_catalogues
from nightshift.ledger.months import attach, detach
from nightshift.ledger.queries import nights as night_queries
from nightshift.night_end.accounts import account
from nightshift.night_end.facts import collect_facts
from nightshift.vocabulary import Disposition, Reason
from nightshift.workflow.explain import explain
from nightshift.workflow.overrides import dispose, read_disposal

pytestmark = pytest.mark.integration

NIGHT = date(2026, 1, 15)
A_YEAR_LATER = datetime(2027, 1, 16, tzinfo=UTC)
OWN_CATALOGUE = """
update units set state = 'processed', ended_at = now();
insert into image_measurements (unit_key, night, instrument, exposure_id, detector, quadrant, good, values)
select unit_key, night, instrument, exposure_id, detector, quadrant, quadrant = 1, '{2.0}' from units;
insert into jobs (job_key, kind, subject, site, night) values ('job', 'science', '', 'demo', '2026-01-15');
insert into products (product_key, leaves_with, kind, unit_key, site, night, path, sha256, bytes, code_version,
    settings_hash, job_key, attempt)
select unit_key || '/sources', night, 'sources', unit_key, 'demo', night, unit_key || '/sources', repeat('a', 64), 1,
    '', '', 'job', 1
from units;
"""


@pytest.fixture
def detached(context, frames, tmp_path):
    """A ledger with one exposure whose month is away, in the folder ``away``."""
    ingest_all(context, [frames(1, 1, checksum=False)])  # a checksum holds the second in which it was made
    with context.ledger.connection.cursor() as cursor:
        cursor.execute(OWN_CATALOGUE)
        cursor.execute("update exposures set state = 'ended', ended_at = now()")
        cursor.execute("update nights set state = 'closed', changed = false")
        cursor.execute("select field, filter from exposures")
        place = cursor.fetchone()
    groups = [(place["field"], place["filter"])]
    before = own_catalogues(context, groups, "live")
    assert len(before) == 1  # of the two quadrants the good one
    detach(
        context.ledger, f"{NIGHT}", tmp_path / "away", now=A_YEAR_LATER, history_days=30, operator="jo", dry_run=False
    )
    assert own_catalogues(context, groups, "live") == before  # it serves as it did
    return context


def test_a_file_that_comes_late_waits_in_quarantine_until_its_month_is_back(detached, frames, tmp_path):
    (arrival,) = ingest_all(detached, [frames(1, 2)])
    assert (arrival.disposition, arrival.reason) == (Disposition.QUARANTINED, Reason.MONTH_DETACHED)
    assert f"`nightshift ledger attach 2026-01 --folder {tmp_path / 'away'}" in arrival.detail
    said = read_disposal({"frame": arrival.name, "verdict": "accept", "explanation": "attached"})
    with pytest.raises(BadInput, match="brings it back"):
        dispose(detached, said, operator="mira")
    attach(detached.ledger, "2026-01", tmp_path / "away", operator="jo", dry_run=False)
    assert "It is registered as democam/" in dispose(detached, said, operator="mira")


def test_a_file_that_comes_again_lets_its_night_close_only_when_its_month_is_back(detached, frames, tmp_path):
    (arrival,) = ingest_all(detached, [frames(1, 1, checksum=False)])
    assert arrival.disposition is Disposition.DUPLICATE
    assert rows(detached, "select changed from nights") == [{"changed": True}]
    asked = {"site": "demo", "now": A_YEAR_LATER, "quiet_s": 0.0}
    assert night_queries.nights_to_close(detached.ledger, **asked) == []
    attach(detached.ledger, "2026-01", tmp_path / "away", operator="jo", dry_run=False)
    assert [row.night for row in night_queries.nights_to_close(detached.ledger, **asked)] == [NIGHT]


def test_a_manifest_that_comes_late_waits_as_its_files_do(detached):
    path = detached.inbox / "manifest_20260120.json"  # of a night of which nothing else ever came
    content = {"schema": "nightshift.manifest/1", "site": "demo", "night": "2026-01-20", "files": []}
    path.write_text(json.dumps(content))
    (arrival,) = ingest_all(detached, [path])
    assert (arrival.disposition, arrival.reason) == (Disposition.QUARANTINED, Reason.MONTH_DETACHED)


def test_its_story_says_what_is_away_and_its_report_is_refused(detached, tmp_path):
    (name,) = {row["inbox_name"] for row in rows(detached, "select inbox_name from raw_frames")}
    assert any("the month of this night has left the ledger" in line for line in explain(detached, name))
    for ask in (account, collect_facts):
        with pytest.raises(BadInput, match="has left the ledger: `nightshift ledger attach 2026-01") as caught:
            ask(detached, NIGHT)
        assert caught.value.reason is Reason.MONTH_DETACHED
    attach(detached.ledger, "2026-01", tmp_path / "away", operator="jo", dry_run=False)
    assert account(detached, NIGHT).frames.total == 1
    assert not any("has left the ledger" in line for line in explain(detached, name))


def test_no_new_job_of_it_begins_the_month_anew(detached):
    with pytest.raises(Exception, match="the month 202601 has left the ledger"):
        rows(detached, "insert into jobs (job_key, kind, subject, site, night) values ('x', 'science', '', 'demo',"
             " '2026-01-20') returning 1")  # fmt: skip


def test_what_was_said_before_the_first_night_of_a_month_goes_to_its_month_when_that_is_made(context):
    rows(
        context,
        "insert into events (at, level, kind, message) values ('2027-03-01 01:00Z', 'info', 'a', 'b') returning 1",
    )
    said = "select tableoid::regclass::text as place, kind, message from events where kind = 'a'"
    assert rows(context, said) == [{"place": "events_default", "kind": "a", "message": "b"}]
    rows(context, "select make_month('2027-03-10')")
    assert rows(context, said) == [{"place": "events_202703", "kind": "a", "message": "b"}]
    with pytest.raises(Exception, match="append-only"):
        rows(context, "delete from events where kind = 'a' returning 1")


def rows(context, text):
    with context.ledger.connection.cursor() as cursor:
        cursor.execute(text)
        return [dict(row) for row in cursor.fetchall()]
