"""What was published before the ledger was restored stays as it was."""

import pytest

from nightshift.alerts.release import release
from nightshift.alerts.tars import Member, read_member, write_tar
from nightshift.backup.reconciling import reconcile
from nightshift.ledger.queries import alerts as alert_queries

pytestmark = pytest.mark.integration

BEFORE = b"the packet that the broker has"


def query(context, text, *values):
    with context.ledger.connection.cursor() as cursor:
        cursor.execute(text, values)
        return [dict(row) for row in cursor.fetchall()]


def test_an_alert_that_is_made_again_has_the_bytes_that_were_published_and_others_are_new(small_night, context):
    unit = small_night.search(1, [(0.02, -1.5), (0.03, -1.5)])
    candids = [row["candid"] for row in query(context, "select candid from candidates order by candid")]
    (night,) = [row["night"] for row in query(context, "select distinct night from nights")]
    tar = context.depot.packets(night, "x", "y", "live_lost")
    write_tar(tar, [(f"{candids[0]}.avro", BEFORE)])
    assert reconcile(context, since=night).packets == 1
    assert release(context, [unit]).released == 2
    found = {}
    for candid in candids:
        row = alert_queries.packet_place(context.ledger, candid=candid)
        place = Member(row.packet_offset, row.packet_bytes, row.packet_sha256)
        found[candid] = read_member(context.depot.absolute(row.packet_path), place)
    assert found[candids[0]] == BEFORE
    assert found[candids[1]] != BEFORE and found[candids[1]].startswith(b"Obj\x01")
    events = query(context, "select message from events where kind = 'published_before_restore'")
    assert len(events) == 1 and str(candids[0]) in events[0]["message"]
    assert reconcile(context, since=night).packets == 1  # it is noted once
    assert query(context, "select count(*) as n from published_packets") == [{"n": 1}]


def test_a_torn_tar_is_passed_over(small_night, context):
    small_night.search(1, [(0.02, -1.5)])
    (night,) = [row["night"] for row in query(context, "select distinct night from nights")]
    tar = context.depot.packets(night, "x", "y", "live_torn")
    tar.parent.mkdir(parents=True)
    tar.write_bytes(b"torn")
    assert reconcile(context, since=night).packets == 0
