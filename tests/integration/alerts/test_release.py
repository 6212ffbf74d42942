"""From candidates in a real ledger to packets in the depot and rows in the outbox."""

import dataclasses
import importlib
import threading
import time

import psycopg2
import pytest

from nightshift.alerts.packets import decode
from nightshift.alerts.release import ReleaseSummary, release
from nightshift.alerts.release_order import release_in_order
from nightshift.alerts.tars import Member, read_member
from nightshift.files import sha256_of
from nightshift.ledger import open_ledger
from nightshift.workflow.overrides import dispose, read_disposal

pytestmark = pytest.mark.integration
PLACE = (0.02, -1.5)


def query(context, text, *values):
    with context.ledger.connection.cursor() as cursor:
        cursor.execute(text, values)
        return [dict(row) for row in cursor.fetchall()]


def alerts(context):
    return query(context, "select * from alerts order by candid")


def packets(context):
    rows = [row for row in alerts(context) if row["packet_path"]]
    return [
        decode(
            read_member(
                context.depot.absolute(row["packet_path"]),
                Member(row["packet_offset"], row["packet_bytes"], row["packet_sha256"]),
            )
        )
        for row in rows
    ]


def test_a_candidate_becomes_a_packet_with_its_numbers_and_stamps(small_night, context):
    unit = small_night.search(1, [PLACE])
    summary = release(context, [unit])
    assert (summary.released, summary.withheld, summary.unchanged) == (1, 0, 0)
    (packet,) = packets(context)
    record = packet["candidate"]
    assert packet["schemavsn"] == "4.02" and packet["objectId"].startswith("NS25")
    assert (record["ra"], record["dec"]) == PLACE
    assert record["magpsf"] == pytest.approx(18.75) and record["scorr"] == pytest.approx(12.5)
    assert record["fid"] == 1 and record["field"] == 102 and record["rcid"] == 0 and record["isdiffpos"] == "t"
    assert record["jd"] == pytest.approx(2460745.6673611, abs=1e-7)
    assert (record["ndethist"], record["ncovhist"]) == (1, 1)
    assert record["ssdistnr"] == -999.0 and record["ssnamenr"] == "null" and record["rb"] is None
    assert record["magzpsci"] == pytest.approx(26.25) and record["nmatches"] == 77
    assert packet["cutoutTemplate"]["fileName"] == f"candid{packet['candid']}_ref.fits.gz"
    assert {packet[f"cutout{name}"]["stampData"][:2] for name in ("Science", "Template", "Difference")} == {
        b"\x1f\x8b"
    }


def test_releasing_twice_leaves_the_same_rows_and_bytes(small_night, context):
    units = [small_night.search(1, [PLACE, (0.03, -1.5)]), small_night.search(1, [(0.04, -1.4)], detector=2)]
    release(context, units)
    first = alerts(context)
    digest = sha256_of(context.depot.absolute(first[0]["packet_path"]))
    outbox = query(context, "select * from outbox order by candid")
    summary = release(context, units)
    assert (summary.released, summary.unchanged) == (0, 3)
    assert alerts(context) == first
    assert query(context, "select * from outbox order by candid") == outbox
    assert sha256_of(context.depot.absolute(first[0]["packet_path"])) == digest
    assert query(context, "select sum(detections) as n from objects")[0]["n"] == 3


def test_a_crash_between_packets_and_rows_is_made_good_with_the_same_bytes(small_night, context, monkeypatch):
    unit = small_night.search(1, [PLACE, (0.03, -1.5)])
    with monkeypatch.context() as broken:
        broken.setattr(importlib.import_module("nightshift.alerts.release"), "_queue", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            release(context, [unit])
    (tar,) = context.depot.root.glob("alerts/**/*.tar")
    digest = sha256_of(tar)
    assert alerts(context) == []
    release(context, [unit])
    assert sha256_of(tar) == digest and len(alerts(context)) == 2
    assert [row["detections"] for row in query(context, "select detections from objects")] == [1, 1]


def test_stragglers_get_a_tar_of_their_own_and_the_first_stays(small_night, context):
    early = small_night.search(1, [PLACE])
    release(context, [early])
    (before,) = alerts(context)
    late = small_night.search(1, [(0.05, -1.45)], detector=2)
    release(context, [early, late])
    rows = alerts(context)
    assert before in rows
    assert len({row["packet_path"] for row in rows}) == 2
    assert {p["candid"] for p in packets(context)} == {row["candid"] for row in rows}


def test_a_flooded_quadrant_is_kept_back_and_somebody_is_called_while_the_others_go(small_night, context):
    most = context.survey.alerts.at_most_per_unit
    flood = small_night.search(1, [(0.01 + 0.0005 * i, -1.5) for i in range(most + 1)])
    calm = small_night.search(1, [(0.01, -1.4)], detector=2)
    summary = release(context, [flood, calm])
    assert (summary.released, summary.withheld) == (1, most + 1)
    states = query(context, "select unit_key, state, reason, count(*) as n from alerts group by 1, 2, 3 order by 1")
    assert [(row["unit_key"], row["state"], row["reason"], row["n"]) for row in states] == [
        (flood, "withheld", "flood", most + 1),
        (calm, "released", None, 1),
    ]
    kept_back = "select distinct o.state from outbox o join alerts a using (candid) where a.unit_key = %s"
    assert query(context, kept_back, flood) == [{"state": "withheld"}]
    assert [e["subject"] for e in query(context, "select subject from events where level = 'page'")] == [flood]
    again = release(context, [flood, calm])
    assert (again.released, again.withheld) == (0, 0)
    assert len(query(context, "select 1 from events where level = 'page'")) == 1


def test_candidates_that_miss_a_cut_get_no_alert(small_night, context):
    unit = small_night.search(
        1,
        [
            {"ra_deg": 0.01, "dec_deg": -1.5, "signal_to_noise": 4.9},
            {"ra_deg": 0.02, "dec_deg": -1.5, "record": {"elong": 1.7}},
            {"ra_deg": 0.03, "dec_deg": -1.5, "record": {"nbad": 5}},
            {"ra_deg": 0.04, "dec_deg": -1.5},
        ],
    )
    summary = release(context, [unit])
    assert summary.released == 1 and summary.missed == {"signal_to_noise": 1, "elong": 1, "nbad": 1}
    assert [p["candidate"]["ra"] for p in packets(context)] == [0.04]


def test_stamps_that_changed_on_disk_keep_their_unit_back_only(small_night, context):
    bad = small_night.search(1, [PLACE])
    good = small_night.search(1, [(0.03, -1.4)], detector=2)
    tar = next(context.depot.root.glob("processed/**/d01/**/cutouts.tar"))
    tar.write_bytes(b"x" + tar.read_bytes()[1:])
    summary = release(context, [bad, good])
    assert (summary.released, summary.withheld) == (1, 1)
    assert {row["unit_key"]: row["reason"] for row in alerts(context)} == {bad: "input_lost", good: None}


def test_a_difference_that_was_rejected_sends_nothing(small_night, context):
    unit = small_night.search(1, [PLACE], state="rejected")
    assert release(context, [unit]).released == 0


def test_detections_across_right_ascension_zero_are_one_object(small_night, context):
    west, east = (359.9999, -1.5), (0.0001, -1.5)  # 0.72 arcseconds apart
    release(context, [small_night.search(1, [west])])
    release(context, [small_night.search(2, [east])])
    first, second = packets(context)
    assert first["objectId"] == second["objectId"]
    assert [h["candid"] for h in second["prv_candidates"]] == [first["candid"]]
    assert second["candidate"]["ndethist"] == 2


def test_history_holds_detections_and_upper_limits_of_thirty_days_in_order(small_night, context):
    old = small_night.search(1, [PLACE], days=-31)
    empty_g = small_night.search(2, [], days=-3)
    seen = small_night.search(3, [PLACE], days=-2, filter="r")
    elsewhere = small_night.search(4, [(0.1, -1.4)], days=-1)
    now = small_night.search(5, [PLACE])
    later = small_night.search(6, [PLACE], days=1)
    release(context, [old, empty_g, seen, elsewhere, later])
    release(context, [now])
    packet = next(p for p in packets(context) if p["candidate"]["jd"] == pytest.approx(2460745.670139, abs=1e-5))
    history = packet["prv_candidates"]
    assert [(h["candid"] is None, h["fid"]) for h in history] == [(True, 1), (False, 2), (True, 1)]
    assert [h["diffmaglim"] for h in history if h["candid"] is None] == [pytest.approx(20.5)] * 2
    assert [h["jd"] for h in history] == sorted(h["jd"] for h in history)
    assert packet["candidate"]["ndethist"] == 3  # the old one counts, the later one does not
    assert packet["candidate"]["ncovhist"] == 5


def test_the_topic_follows_the_settings(small_night, context):
    release(context, [small_night.search(1, [PLACE])])
    assert query(context, "select topic, state from outbox") == [
        {"topic": "demo_20250310_programid1", "state": "queued"}
    ]


def test_two_objects_whose_names_collide_both_get_one(small_night, context, monkeypatch):
    module = importlib.import_module("nightshift.alerts.associate")
    real = module.object_names

    def colliding(prefix, candid, seen):
        yield f"{prefix}25aaaaaaa"
        yield from real(prefix, candid, seen)

    monkeypatch.setattr(module, "object_names", colliding)
    release(context, [small_night.search(1, [PLACE, (0.04, -1.5)])])
    names = [row["object_id"] for row in query(context, "select object_id from objects order by first_candid")]
    assert len(set(names)) == 2 and names[0] == "NS25aaaaaaa"


def reject(context, ledger_url, unit):
    """Reject a unit as somebody in another process does."""
    asked = read_disposal({"frame": unit, "verdict": "reject", "explanation": "a plane"})
    with open_ledger(ledger_url) as ledger:
        dispose(dataclasses.replace(context, ledger=ledger), asked, operator="mira")


def releasing(monkeypatch, step, meanwhile):
    """Let something happen before a step of the release."""
    module = importlib.import_module("nightshift.alerts.release")
    real = getattr(module, step)

    def then(*arguments):
        meanwhile()
        return real(*arguments)

    monkeypatch.setattr(module, step, then)


def test_what_is_rejected_while_its_packets_are_made_is_not_released(small_night, context, ledger_url, monkeypatch):
    doubted = small_night.search(1, [PLACE, (0.03, -1.5)])
    other = small_night.search(1, [(0.04, -1.4)], detector=2)
    with monkeypatch.context() as meanwhile:
        releasing(meanwhile, "_write_packets", lambda: reject(context, ledger_url, doubted))
        assert release(context, [doubted, other]).released == 1
    assert {row["unit_key"]: row["state"] for row in alerts(context)} == {other: "released"}
    assert len(query(context, "select * from outbox")) == 1
    query(context, "update units set state = 'processed', reason = null returning 1")  # it is accepted after all
    assert release_in_order(context, "democam", 102, "live") == 1
    assert len(alerts(context)) == len(query(context, "select * from outbox where state = 'queued'")) == 3


def test_who_rejects_what_is_being_released_withholds_it(small_night, context, ledger_url, monkeypatch):
    units = [small_night.search(1, [PLACE]), small_night.search(1, [(0.04, -1.4)], detector=2)]
    rejecting = threading.Thread(target=reject, args=(context, ledger_url, units[0]))
    waited: list[bool] = []

    def begin_and_let_it_wait():
        rejecting.start()
        deadline = time.monotonic() + 20
        waits = "select 1 from pg_locks where not granted"  # pg_stat_activity stands still within a transaction
        while rejecting.is_alive() and not query(context, waits) and time.monotonic() < deadline:
            time.sleep(0.05)
        waited.append(bool(query(context, waits)))

    releasing(monkeypatch, "_queue", begin_and_let_it_wait)
    assert release(context, units).released == 2
    rejecting.join(30)
    assert waited == [True] and not rejecting.is_alive()
    assert {row["unit_key"]: row["state"] for row in alerts(context)} == {
        units[0]: "withheld", units[1]: "released",
    }  # fmt: skip
    assert {row["state"] for row in query(context, "select state from outbox")} == {"withheld", "queued"}


def test_what_cannot_be_decided_is_left_for_the_next_look(small_night, context, monkeypatch):
    small_night.search(1, [PLACE])
    ordering = importlib.import_module("nightshift.alerts.release_order")
    asked = []

    def decides_nothing(context, units):
        asked.append(units)
        assert len(asked) < 5, "it is asked again and again"
        return ReleaseSummary()

    monkeypatch.setattr(ordering, "release", decides_nothing)
    assert release_in_order(context, "democam", 102, "live") == 0
    assert len(asked) == 1
    monkeypatch.undo()
    assert release_in_order(context, "democam", 102, "live") == 1


def test_what_was_sent_never_changes(small_night, context):
    release(context, [small_night.search(1, [PLACE])])
    run = context.ledger.connection.cursor().execute
    run("update alerts set state = 'sent'")
    for change in (
        "update alerts set packet_sha256 = repeat('0', 64)",
        "update alerts set state = 'released'",
        "update alerts set object_id = null",
        "delete from alerts",
        "update candidates set magnitude = 1",
    ):
        with pytest.raises(psycopg2.Error, match="sent"):
            run(change)
    run("update alerts set state = 'retracted'")
