"""`alerts show` reads packets from files, folders and standard input, also those of other surveys."""

import copy
import gzip
import io
import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import fastavro
import numpy as np
import pytest
from astropy.io import fits
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nightshift.alerts.packet_sources import packets_at, without_pictures
from nightshift.alerts.packets import build_packet, candidate_record, decode, encode
from nightshift.alerts.schema import alert_schema
from nightshift.command_line import main
from rehearsal.stand_ins.alert_consumer import AlertLog

DATA = Path(os.environ.get("NIGHTSHIFT_DATA", Path(__file__).parents[4] / "shared" / "data"))
REAL = DATA / "ztf" / "packets"


def stamp(*, packed=True) -> bytes:
    stream = io.BytesIO()
    fits.PrimaryHDU(np.arange(16, dtype=np.float32).reshape(4, 4)).writeto(stream)
    return gzip.compress(stream.getvalue()) if packed else stream.getvalue()


def ours(candid: int = 7, **stamps: bytes) -> bytes:
    known = {"candid": candid, "pid": 1, "ra": 150.5, "dec": 2.25, "magpsf": float("nan")}
    record = candidate_record(known, missing="nulls")
    return encode(build_packet(publisher="p", object_id="o", candidate=record, history=(), stamps=stamps))


def of_another_version(version: str, *left_out: str) -> bytes:
    """Return a packet as an earlier version of ZTF's schema writes it: without some of the fields."""
    packet = decode(ours(science=stamp()))
    schema = copy.deepcopy({name: alert_schema()[name] for name in ("type", "name", "fields")})
    schema["fields"] = [field for field in schema["fields"] if field["name"] not in left_out]
    stream = io.BytesIO()
    fastavro.writer(stream, schema, [{**packet, "schemavsn": version}], codec="deflate")
    return stream.getvalue()


@pytest.fixture
def show(capsys, monkeypatch, tmp_path):
    """Call the command in an empty folder, without a ledger."""
    monkeypatch.delenv("NIGHTSHIFT_LEDGER", raising=False)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")

    def call(*arguments) -> tuple[int, str]:
        code = main(["alerts", "show", *map(str, arguments)])
        return code, capsys.readouterr().out

    return call


@pytest.mark.parametrize(
    "content",
    [
        ours(science=stamp(), difference=stamp(packed=False)),
        of_another_version("3.3", "fp_hists"),
        of_another_version("4.01"),
    ],
    ids=["ours", "3.3", "4.01"],
)
def test_a_file_of_any_version_is_printed_and_its_stamps_are_drawn(show, tmp_path, content):
    path = tmp_path / "alert.avro"
    path.write_bytes(content)
    code, said = show(path)
    packet, _, last = said.rpartition("Stamps: ")
    assert (code, last) == (0, "7.png\n")
    assert json.loads(packet)["candidate"]["ra"] == 150.5
    assert (tmp_path / "here" / "7.png").read_bytes().startswith(b"\x89PNG")


def test_standard_input_is_read(show, monkeypatch):
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(ours())))
    code, said = show("-")
    assert (code, json.loads(said)["candid"]) == (0, 7)


def test_a_folder_has_a_line_a_packet_and_says_what_is_none(show, tmp_path):
    folder = tmp_path / "alerts"
    (folder / "below").mkdir(parents=True)
    (folder / "a.avro").write_bytes(ours(1))
    (folder / "below" / "b.avro").write_bytes(ours(2))
    (folder / "below" / "c.avro").write_bytes(ours(3)[:-20])
    (folder / "d.txt").write_bytes(b"no packet")
    (folder / "e.avro").write_bytes(b"\0\0\0\0\1" + ours(4)[-50:])
    code, said = show(folder)
    a, b, c, d, e = said.splitlines()
    assert code == 1
    assert a.startswith(f"{folder}/a.avro: candid 1, objectId o") and "ra 150.5" in a
    assert b.startswith(f"{folder}/below/b.avro: candid 2")
    assert c.startswith(f"{folder}/below/c.avro: it does not read")
    assert d == f"{folder}/d.txt: no Avro container"
    assert e == f"{folder}/e.avro: a message without its schema"


def test_a_stamp_that_does_not_read_does_not_hide_the_packet(show, tmp_path):
    path = tmp_path / "alert.avro"
    path.write_bytes(ours(science=b"\x1f\x8bno", template=b"neither"))
    code, said = show(path)
    assert code == 0
    assert "Stamps: 7.png" in said


def test_what_is_not_there_is_said(show, tmp_path):
    (tmp_path / "empty").mkdir()
    assert show(tmp_path / "empty") == (1, f"No file below {tmp_path}/empty.\n")
    assert show(tmp_path / "nowhere.avro")[0] != 0


real = pytest.mark.skipif(not REAL.is_dir(), reason=f"no packets of ZTF at {REAL}; set NIGHTSHIFT_DATA")


@real
def test_real_packets_of_ztf_are_shown(show):
    code, said = show(REAL)
    assert (code, said.count("candid ")) == (0, 3)
    for path in REAL.iterdir():
        code, said = show(path)
        assert (code, f"Stamps: {path.stem}.png" in said) == (0, True)


@real
@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(which=st.integers(0, 2), place=st.integers(0, 10**6), bit=st.integers(0, 7), end=st.integers(0, 10**6))
def test_no_flipped_bit_and_no_cut_of_a_real_packet_stops_a_reader(tmp_path, which, place, bit, end):
    whole = bytearray(sorted(REAL.iterdir())[which].read_bytes())
    whole[place % len(whole)] ^= 1 << bit
    cut = bytes(whole[: len(whole) - end % (2 * len(whole))] if end % 2 else whole)
    path = tmp_path / "alert.avro"
    path.write_bytes(cut)
    for found in packets_at(str(path)):
        assert found.why if found.packet is None else json.dumps(without_pictures(found.packet))
    log = AlertLog(tmp_path)
    log.take([("t", cut), ("t", ours())], datetime(2026, 1, 1, tzinfo=UTC))
    log.close()
