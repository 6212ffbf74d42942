"""What arrives is registered exactly once, or set aside with its reason, and nothing stops ingest."""

import gzip
import hashlib
import importlib
import json
import os
import string
import threading

import pytest
from astropy.io import fits
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nightshift.context import Context
from nightshift.errors import Retry
from nightshift.ingest.inbox import complete_files
from nightshift.ingest.ingest import ingest_all
from nightshift.ledger import open_ledger
from nightshift.vocabulary import CalibrationKind, Disposition, Reason
from nightshift.workflow.overrides import dispose, read_disposal

pytestmark = pytest.mark.integration

COUNTS = "select count(*) as n from {}"


def count(context, table):
    with context.ledger.connection.cursor() as cursor:
        cursor.execute(COUNTS.format(table))
        return cursor.fetchone()["n"]


def table(context, name, order):
    with context.ledger.connection.cursor() as cursor:
        cursor.execute(f"select * from {name} order by {order}")
        return [dict(row) for row in cursor.fetchall()]


def only(arrivals):
    assert len(arrivals) == 1
    return arrivals[0]


def manifest(context, sent, *, name="manifest_20260115.json", **more):
    entries = [{"name": n, "bytes": len(b), "sha256": hashlib.sha256(b).hexdigest()} for n, b in sent.items()]
    content = {"schema": "nightshift.manifest/1", "site": "demo", "night": "2026-01-15", "files": entries, **more}
    path = context.inbox / name
    path.write_text(json.dumps(content))
    return path


# --- the good ones ------------------------------------------------------------------------------------------


def test_a_frame_is_registered_with_its_units_and_leaves_the_inbox(context, frames):
    path = frames(0)
    content = path.read_bytes()
    arrival = only(ingest_all(context, [path]))
    assert arrival.disposition is Disposition.REGISTERED
    assert not path.exists()
    frame = only(table(context, "raw_frames", "detector"))
    assert context.depot.absolute(frame["path"]).read_bytes() == content
    assert frame["sha256"] == hashlib.sha256(content).hexdigest()
    exposure = only(table(context, "exposures", "exposure_id"))
    assert (exposure["field"], exposure["filter"], exposure["image_type"]) == (101, "g", "science")
    assert (str(exposure["night"]), str(exposure["ut_day"])) == ("2026-01-15", "2026-01-16")
    assert exposure["detectors_expected"] == [1, 2]
    units = [unit["unit_key"] for unit in table(context, "units", "unit_key")]
    assert units == [f"democam/{frames.exposure_id(0)}/d01/q{q}/processed/live" for q in (1, 2)]


def test_the_same_file_twice_is_a_duplicate_and_changes_nothing(context, frames):
    first = frames(0)
    content = first.read_bytes()
    ingest_all(context, [first])
    before = {name: table(context, name, "1") for name in ("raw_frames", "exposures", "units")}
    first.write_bytes(content)
    assert only(ingest_all(context, [first])).disposition is Disposition.DUPLICATE
    assert {name: table(context, name, "1") for name in before} == before
    assert not first.exists()


def test_a_registered_file_that_a_crash_left_in_the_inbox_is_no_second_arrival(context, frames, monkeypatch):
    path = frames(0)
    with monkeypatch.context() as patch:
        patch.setattr("nightshift.ingest.ingest.leave_inbox", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            ingest_all(context, [path])
    assert path.exists()
    assert only(ingest_all(context, [path])).disposition is Disposition.REGISTERED
    assert not path.exists()
    assert (count(context, "arrivals"), count(context, "raw_frames")) == (1, 1)


def test_a_quarantined_file_that_a_crash_left_in_the_inbox_is_no_second_arrival(context, monkeypatch):
    path = context.inbox / "holiday.jpg"
    path.write_bytes(b"no")
    with monkeypatch.context() as patch:
        patch.setattr("nightshift.ingest.ingest.leave_inbox", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            ingest_all(context, [path])
    arrival = only(ingest_all(context, [path]))
    assert (arrival.disposition, arrival.reason) == (Disposition.QUARANTINED, Reason.NAME_NOT_RECOGNISED)
    assert not path.exists()
    assert count(context, "arrivals") == 1
    assert context.depot.absolute(only(table(context, "quarantine", "1"))["path"]).read_bytes() == b"no"


def test_two_ingests_beside_each_other_register_each_file_once(context, frames, ledger_url):
    paths = [frames(number, detector) for number in range(4) for detector in (1, 2)]

    def ingest():
        with open_ledger(ledger_url) as ledger:
            ingest_all(Context(context.deployment, ledger, context.depot, context.inbox, context.clock), paths)

    threads = [threading.Thread(target=ingest) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (count(context, "arrivals"), count(context, "raw_frames"), count(context, "units")) == (8, 8, 16)


def test_a_detector_that_comes_late_opens_its_exposure_again(context, frames):
    ingest_all(context, [frames(0, 1)])
    with context.ledger.connection.cursor() as cursor:
        cursor.execute("update exposures set state = 'ended', ended_at = now()")
    ingest_all(context, [frames(0, 2)])
    exposure = only(table(context, "exposures", "1"))
    assert (exposure["state"], exposure["ended_at"]) == ("arriving", None)


def test_frames_that_are_not_reduced_have_ended_when_they_are_registered(context, frames):
    survey = context.survey
    calibration = survey.calibration.model_copy(update={"kinds": (CalibrationKind.BIAS, CalibrationKind.FLAT)})
    other = context.with_survey(survey.model_copy(update={"calibration": calibration}))
    ingest_all(other, [frames(0, kind="dark"), frames(1, kind="bias")])
    assert [row["state"] for row in table(context, "exposures", "shutter_open")] == ["ended", "arriving"]


# --- the bad ones -------------------------------------------------------------------------------------------


def bad(kind, path):
    content = path.read_bytes()
    if kind == "empty":
        path.write_bytes(b"")
    elif kind == "truncated in the data":
        path.write_bytes(content[: len(content) * 2 // 3])
    elif kind == "truncated in a header":
        path.write_bytes(content[:1000])
    elif kind == "a letter":
        path.write_text("dear observatory")
    elif kind == "one bit":
        path.write_bytes(content[:-40000] + bytes([content[-40000] ^ 1]) + content[-39999:])
    elif kind == "sidecar":
        path.with_name(path.name + ".sha256").write_text("0" * 64 + "  " + path.name)
    elif kind == "gzip of zeros":
        path.write_bytes(gzip.compress(b"SIMPLE  =" + bytes(30_000_000)))
    elif kind == "half a gzip":
        path.write_bytes(gzip.compress(os.urandom(9000))[:5000])
    elif kind == "one extension":
        with fits.open(path) as units:
            fits.HDUList([units[0].copy(), units[1].copy()]).writeto(path, overwrite=True)
    elif kind == "a bomb":
        card = "{:<8}= {:>20}".format
        cards = [card("SIMPLE", "T"), card("BITPIX", 16), card("NAXIS", 0), "END"]
        table = [
            "XTENSION= 'BINTABLE'", card("BITPIX", 8), card("NAXIS", 2), card("NAXIS1", 8), card("NAXIS2", 1),
            card("PCOUNT", 0), card("GCOUNT", 1), card("TFIELDS", 1), card("ZIMAGE", "T"), card("ZBITPIX", 16),
            card("ZNAXIS", 2), card("ZNAXIS1", 160_000), card("ZNAXIS2", 160_000), "END",
        ]  # fmt: skip
        blocks = ["".join(f"{c:<80}" for c in part).ljust(2880) for part in (cards, table)]
        path.write_bytes("".join(blocks).encode() + bytes(2880))


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("empty", Reason.EMPTY_FILE),
        ("truncated in the data", Reason.TRUNCATED_FILE),
        ("truncated in a header", Reason.TRUNCATED_FILE),
        ("a letter", Reason.UNREADABLE_FILE),
        ("one bit", Reason.CHECKSUM_MISMATCH),
        ("sidecar", Reason.CHECKSUM_MISMATCH),
        ("gzip of zeros", Reason.TOO_LARGE),
        ("half a gzip", Reason.TRUNCATED_FILE),
        ("one extension", Reason.WRONG_SHAPE),
        ("a bomb", Reason.TOO_LARGE),
    ],
)
def test_a_file_that_is_not_whole_goes_to_quarantine_with_its_reason(context, frames, kind, reason):
    path, good = frames(0), frames(1)
    bad(kind, path)
    content = path.read_bytes()
    first, second = ingest_all(context, [path, good])
    assert (first.disposition, first.reason) == (Disposition.QUARANTINED, reason)
    assert second.disposition is Disposition.REGISTERED
    assert list(context.inbox.iterdir()) == []
    kept = only(table(context, "quarantine", "1"))
    assert context.depot.absolute(kept["path"]).read_bytes() == content
    assert first.detail


@pytest.mark.parametrize(
    ("header", "reason", "said"),
    [
        ({"RA": 400.0}, Reason.HEADER_IMPOSSIBLE, "RA = 400.0"),
        ({"EXPTIME": -1.0}, Reason.HEADER_IMPOSSIBLE, "EXPTIME = -1.0"),
        ({"EXPTIME": "NaN"}, Reason.HEADER_IMPOSSIBLE, "EXPTIME = 'NaN'"),
        ({"EXPTIME": "long"}, Reason.HEADER_IMPOSSIBLE, "EXPTIME = 'long'"),
        ({"EXPTIME": None}, Reason.HEADER_INCOMPLETE, "EXPTIME"),
        ({"DATE-OBS": "2026-13-40T00:00:00"}, Reason.HEADER_IMPOSSIBLE, "DATE-OBS"),
        ({"DATE-OBS": None}, Reason.HEADER_INCOMPLETE, "DATE-OBS"),
        ({"FILTER": "ultraviolet"}, Reason.HEADER_IMPOSSIBLE, "ultraviolet"),
        ({"INSTRUME": "OTHERCAM"}, Reason.WRONG_CAMERA, "OTHERCAM"),
        ({"DETECTOR": 2}, Reason.HEADER_IMPOSSIBLE, "detector"),
        ({"kind": "lunch"}, Reason.IMAGE_TYPE_NOT_RECOGNISED, "lunch"),
    ],
)
def test_a_header_that_cannot_be_true_is_refused_by_keyword_and_value(context, frames, header, reason, said):
    arrival = only(ingest_all(context, [frames(0, **header)]))
    assert (arrival.disposition, arrival.reason) == (Disposition.QUARANTINED, reason)
    assert said in arrival.detail


def test_a_bias_with_an_impossible_pointing_is_still_a_bias(context, frames):
    arrival = only(ingest_all(context, [frames(0, kind="bias", RA=400.0, FILTER="open", AIRMASS=-3.0)]))
    assert arrival.disposition is Disposition.REGISTERED
    exposure = only(table(context, "exposures", "1"))
    assert (exposure["ra_deg"], exposure["airmass"], exposure["filter"]) == (None, None, "")


def test_the_same_name_with_other_content_is_a_conflict_and_both_are_kept(context, frames):
    first = frames(0, level=1000)
    original = first.read_bytes()
    ingest_all(context, [first])
    other = frames(0, level=2000)
    content = other.read_bytes()
    arrival = only(ingest_all(context, [other]))
    assert (arrival.disposition, arrival.reason) == (Disposition.CONFLICTING, Reason.NAME_CONFLICT)
    frame = only(table(context, "raw_frames", "1"))
    assert context.depot.absolute(frame["path"]).read_bytes() == original
    kept = only(table(context, "quarantine", "1"))
    assert context.depot.absolute(kept["path"]).read_bytes() == content


def test_the_same_frame_under_another_name_is_told_from_other_content(context, frames):
    first = frames(0)
    content = first.read_bytes()
    ingest_all(context, [first])
    packed = first.with_name(first.name + ".fz")
    packed.write_bytes(content)
    assert only(ingest_all(context, [packed])).disposition is Disposition.DUPLICATE
    packed.write_bytes(frames(0, level=7).read_bytes())
    assert only(ingest_all(context, [packed])).disposition is Disposition.CONFLICTING


def test_links_pipes_and_folders_are_set_aside_and_never_followed(context, tmp_path, frames):
    secret = tmp_path / "secret"
    secret.write_text("not yours")
    link = context.inbox / f"demo_{frames.exposure_id(0)}_d01.fits"
    link.symlink_to(secret)
    pipe = context.inbox / f"demo_{frames.exposure_id(1)}_d01.fits"
    os.mkfifo(pipe)
    folder = context.inbox / "folder"
    (folder / "inside").mkdir(parents=True)
    arrivals = ingest_all(context, [link, pipe, folder])
    assert [a.reason for a in arrivals] == [Reason.NOT_A_REGULAR_FILE] * 3
    assert secret.read_text() == "not yours"
    assert list(context.inbox.iterdir()) == []
    kept = [context.depot.absolute(row["path"]) for row in table(context, "quarantine", "detail")]
    assert all("not yours" not in path.read_text() for path in kept if path.is_file())
    assert sum(path.is_dir() for path in kept) == 1


@pytest.mark.parametrize(
    "name", ["..", "a b.fits", "$(reboot).fits", "-rf", "a;b|c&.fits", "n" * 250, "\udcff.fits", "ü"]
)
def test_an_unsafe_name_is_quarantined_under_a_name_of_our_own(context, name):
    path = context.inbox / name if name != ".." else context.inbox / "a..b"
    path.write_bytes(b"content")
    arrival = only(ingest_all(context, [path]))
    assert (arrival.disposition, arrival.reason) == (Disposition.QUARANTINED, Reason.NAME_UNSAFE)
    kept = context.depot.absolute(only(table(context, "quarantine", "1"))["path"])
    assert kept.read_bytes() == b"content"
    assert set(kept.name) <= set(string.hexdigits)


def test_a_name_that_no_file_system_takes_stops_nothing(context, frames):
    good = frames(0)
    arrivals = ingest_all(context, [context.inbox / ("n" * 300), context.inbox / "gone.fits", good])
    assert [arrival.name for arrival in arrivals] == [good.name]


def test_a_manifest_of_a_night_that_no_calendar_ends_stops_nothing_that_sorts_after_it(context, frames):
    listed = manifest(context, {}, name="manifest_99991231.json", night="9999-12-31")
    first, second = ingest_all(context, [listed, frames(0)])
    assert (first.disposition, first.reason) == (Disposition.QUARANTINED, Reason.MANIFEST_INVALID)
    assert "1980 to 2100" in first.detail
    assert second.disposition is Disposition.REGISTERED


@pytest.mark.parametrize(
    ("stumbles", "what"),
    [
        ("nightshift.ingest.manifests.read_manifest", "manifest"),
        ("nightshift.ingest.manifests._say_mismatch", "manifest"),
        ("nightshift.ingest.ingest.context_of_manifest", "manifest"),
        ("nightshift.ingest.ingest.context_of_frame", "frame"),
        ("nightshift.ingest.register._units", "frame"),
        ("nightshift.ingest.register.pin_night", "frame"),
    ],
)
def test_an_error_that_nobody_foresaw_sets_its_file_aside_and_nothing_else(
    context, frames, monkeypatch, stumbles, what
):
    good = frames(1)
    ingest_all(context, [good])
    other = frames(2)
    bad = manifest(context, {good.name: b"another"}) if what == "manifest" else frames(0)
    with monkeypatch.context() as patch:
        patch.setattr(stumbles, fails_once(stumbles))
        first, second = ingest_all(context, [bad, other])
    assert (first.disposition, first.reason) == (Disposition.QUARANTINED, Reason.INTERNAL_ERROR)
    assert "ZeroDivisionError" in first.detail
    assert second.disposition is Disposition.REGISTERED
    assert (count(context, "raw_frames"), count(context, "manifests")) == (2, 0)
    event = only([row for row in table(context, "events", "event_id") if row["kind"] == "file_not_understood"])
    assert event["subject"] == bad.name
    assert "in stumble" in event["detail"]["traceback"]
    assert list(context.inbox.iterdir()) == []


def fails_once(place):
    """Return the function of that place, which raises the first time that it is called."""
    module, _, name = place.rpartition(".")
    real, calls = getattr(importlib.import_module(module), name), []

    def stumble(*given, **named):
        calls.append(given)
        return 1 // 0 if len(calls) == 1 else real(*given, **named)

    return stumble


def test_a_file_of_which_the_ledger_takes_no_row_is_set_aside(context, frames, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("nightshift.ingest.register.is_reduced", lambda *_: "neither")
        first = only(ingest_all(context, [frames(0)]))
    assert (first.disposition, first.reason) == (Disposition.QUARANTINED, Reason.INTERNAL_ERROR)
    assert "InvalidTextRepresentation" in first.detail
    dispose(
        context, read_disposal({"frame": first.name, "verdict": "accept", "explanation": "mended"}), operator="me"
    )
    assert count(context, "raw_frames") == 1  # as soon as the code is mended


def test_a_file_that_cannot_even_be_set_aside_stays_and_holds_up_no_other(context, frames, monkeypatch):
    bad, good = frames(0), frames(1)
    with monkeypatch.context() as patch:
        patch.setattr("nightshift.ingest.leave.night_of", lambda *_: 1 // 0)
        patch.setattr(
            "nightshift.ingest.ingest.examine_safely", fails_once("nightshift.ingest.ingest.examine_safely")
        )
        assert [arrival.name for arrival in ingest_all(context, [bad, good])] == [good.name]
    stuck = only([row for row in table(context, "events", "event_id") if row["kind"] == "file_stuck"])
    assert (stuck["subject"], stuck["level"]) == (bad.name, "error")
    assert "ZeroDivisionError" in stuck["detail"]["traceback"]
    assert only(ingest_all(context, [bad])).disposition is Disposition.REGISTERED


def test_a_ledger_that_is_away_sets_nothing_aside(context, frames, monkeypatch):
    path = frames(0)
    with monkeypatch.context() as patch:
        patch.setattr("nightshift.ingest.register._put_frame", away)
        with pytest.raises(Retry):
            ingest_all(context, [path])
    assert (path.exists(), count(context, "arrivals")) == (True, 0)
    assert only(ingest_all(context, [path])).disposition is Disposition.REGISTERED


def away(*_):
    raise Retry(Reason.INTERNAL_ERROR, "the ledger does not answer")


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.text(st.characters(exclude_characters="/\0"), min_size=1, max_size=60).filter(
        lambda n: n not in (".", "..") and len(os.fsencode(n.encode("utf-8", "replace").decode())) < 250
    ),
    content=st.binary(max_size=6000),
)
def test_no_name_and_no_content_stops_ingest_or_leaves_the_folder(context, tmp_path, name, content):
    name = name.encode("utf-8", "replace").decode()
    outside = sorted(p.name for p in tmp_path.iterdir())
    path = context.inbox / name
    path.write_bytes(content)
    for arrival in ingest_all(context, [path]):
        assert arrival.disposition is not Disposition.REGISTERED
    assert sorted(p.name for p in tmp_path.iterdir()) == outside
    assert not any((context.depot.root / "raw").rglob("*"))


CARD = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=60)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    values=st.dictionaries(
        st.sampled_from(["EXPTIME", "DATE-OBS", "RA", "DEC", "FILTER", "AIRMASS", "SEQLEN", "SEQINDEX", "PROGRAM"]),
        st.one_of(CARD, st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.booleans()),
        min_size=1,
    ),
    number=st.integers(0, 10**6),
)
def test_no_header_stops_ingest(context, frames, values, number):
    path = frames(0, name=f"demo_{number:014d}_d01.fits", **{"DATE-OBS": "2026-01-16T08:00:00"})
    content = bytearray(path.read_bytes())
    for key, value in values.items():
        place = content.find(f"{key:<8}=".encode())
        text = f"'{value}'" if isinstance(value, str) else {True: "T", False: "F"}.get(value, repr(value))
        if place >= 0:
            content[place : place + 80] = f"{key:<8}= {text}"[:80].ljust(80).encode("ascii", "replace")
    path.write_bytes(content)
    assert len(ingest_all(context, [path])) == 1
    assert not path.exists()


# --- sidecars and manifests ---------------------------------------------------------------------------------


def test_a_good_sidecar_goes_with_its_file(context, frames):
    path = frames(0)
    sidecar = path.with_name(path.name + ".sha256")
    sidecar.write_text(f"{hashlib.sha256(path.read_bytes()).hexdigest().upper()}  {path.name}\n")
    assert only(ingest_all(context, [path])).disposition is Disposition.REGISTERED
    assert list(context.inbox.iterdir()) == []


def test_a_sidecar_that_comes_after_its_file_can_still_show_it_to_be_bad(context, frames):
    path = frames(0)
    ingest_all(context, [path])
    sidecar = path.with_name(path.name + ".sha256")
    sidecar.write_text("0" * 64)
    assert ingest_all(context, [sidecar]) == []
    assert only(table(context, "raw_frames", "1"))["invalid_reason"] == "checksum_mismatch"
    sidecar.write_text("0" * 64)
    other = sidecar.with_name("demo_00000000000000_d01.fits.sha256")
    sidecar.rename(other)
    assert only(ingest_all(context, [other])).reason is Reason.NAME_NOT_RECOGNISED


def test_a_manifest_is_registered_with_its_entries_and_twice_is_once(context):
    path = manifest(context, {"a.fits": b"a", "b.fits": b"b"})
    content = path.read_bytes()
    assert only(ingest_all(context, [path])).disposition is Disposition.REGISTERED
    assert [row["file_name"] for row in table(context, "manifest_entries", "file_name")] == ["a.fits", "b.fits"]
    path.write_bytes(content)
    assert only(ingest_all(context, [path])).disposition is Disposition.DUPLICATE
    assert count(context, "manifests") == 1


def test_a_name_that_does_not_print_is_the_same_on_the_manifest_and_at_its_arrival(context):
    name = "a\u202eb.fits"
    ingest_all(context, [manifest(context, {name: b"no"})])
    (context.inbox / name).write_bytes(b"no")
    ingest_all(context, [context.inbox / name])
    (entry,), (_, arrival) = table(context, "manifest_entries", "1"), table(context, "arrivals", "arrived_at")
    assert entry["file_name"] == arrival["inbox_name"] == "a\\u202eb.fits"


def test_a_correction_replaces_what_its_part_said(context):
    ingest_all(context, [manifest(context, {"a.fits": b"a", "b.fits": b"b"})])
    ingest_all(context, [manifest(context, {"a.fits": b"other"})])
    entry = only(table(context, "manifest_entries", "file_name"))
    assert (entry["file_name"], entry["bytes"]) == ("a.fits", 5)
    assert count(context, "manifests") == 1


def test_a_frame_that_is_not_what_the_manifest_says_is_marked_whichever_came_first(context, frames):
    early, late = frames(0), frames(1)
    ingest_all(context, [early])
    path = manifest(context, {early.name: b"something else", late.name: b"something else"})
    ingest_all(context, [path])
    assert only(table(context, "raw_frames", "1"))["invalid_reason"] == "manifest_mismatch"
    assert only(ingest_all(context, [late])).reason is Reason.MANIFEST_MISMATCH


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"schema": "nightshift.manifest/9"}, "schema"),
        ({"site": "elsewhere"}, "site"),
        ({"night": "2026-02-31"}, "night"),
        ({"night": "2026-01-16"}, "night"),
        ({"part": 3, "parts": 2}, "part"),
        ({"files": [{"name": "../x", "bytes": 1, "sha256": "0" * 64}]}, "files/0/name"),
        ({"files": [{"name": "x", "bytes": -1, "sha256": "0" * 64}]}, "files/0/bytes"),
        ({"files": [{"name": "x", "bytes": 1, "sha256": "0" * 64}] * 2}, "twice"),
        ({"files": "\ud800\0"}, "files"),
        ({"more": 1}, "more"),
    ],
)
def test_a_manifest_that_does_not_read_as_one_is_quarantined_with_the_place(context, change, said):
    arrival = only(ingest_all(context, [manifest(context, {}, **change)]))
    assert (arrival.disposition, arrival.reason) == (Disposition.QUARANTINED, Reason.MANIFEST_INVALID)
    assert said in arrival.detail


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    content=st.one_of(
        st.binary(max_size=300),
        st.recursive(
            st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text()),
            lambda inner: st.one_of(
                st.lists(inner, max_size=3),
                st.dictionaries(st.sampled_from(["schema", "site", "night", "files", "part", "name"]), inner),
            ),
        ),
    )
)
def test_no_manifest_stops_ingest(context, content):
    path = context.inbox / "manifest_20260115.json"
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    assert only(ingest_all(context, [path])).reason in (Reason.MANIFEST_INVALID, Reason.EMPTY_FILE)


# --- the inbox ----------------------------------------------------------------------------------------------


def test_a_file_is_complete_when_it_holds_still(context, frames, monkeypatch):
    now = [100.0]
    monkeypatch.setattr("nightshift.ingest.inbox.time.monotonic", lambda: now[0])
    path, memory = frames(0), {}
    assert complete_files(context.inbox, memory, context.survey) == []
    now[0] += context.survey.exposure.stillness_s
    assert complete_files(context.inbox, memory, context.survey) == [path]
    with path.open("ab") as stream:
        stream.write(b"more")
    assert complete_files(context.inbox, memory, context.survey) == []
    path.unlink()
    complete_files(context.inbox, memory, context.survey)
    assert memory == {}


def test_what_somebody_still_writes_is_left_alone_and_oddities_are_not(context, tmp_path, monkeypatch):
    now = [100.0]
    monkeypatch.setattr("nightshift.ingest.inbox.time.monotonic", lambda: now[0])
    for name in (".demo.fits.Xy12", "demo.fits.part", "demo.fits.tmp", "orphan.fits.sha256"):
        (context.inbox / name).write_text("")
    link = context.inbox / "link"
    link.symlink_to(tmp_path)
    memory = {}
    complete_files(context.inbox, memory, context.survey)
    now[0] += context.survey.exposure.stillness_s
    assert complete_files(context.inbox, memory, context.survey) == [link]
    now[0] += context.survey.exposure.detectors_wait_s
    assert complete_files(context.inbox, memory, context.survey) == [link, context.inbox / "orphan.fits.sha256"]
