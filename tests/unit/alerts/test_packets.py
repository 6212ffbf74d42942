"""Packets follow the schema, byte for byte the same for the same content."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightshift.alerts.packets import build_packet, candidate_record, decode, encode, fill_record, sync_marker
from nightshift.alerts.schema import FOLDER, SCHEMA_VERSION, alert_schema, nullable, record_fields

DATA = Path(os.environ.get("NIGHTSHIFT_DATA", Path(__file__).parents[3] / ".." / "shared" / "data")) / "ztf"
needs_originals = pytest.mark.skipif(
    not DATA.exists(), reason=f"ZTF's schema and packets are not in {DATA}; set NIGHTSHIFT_DATA"
)
RECORDS = ("alert", "candidate", "prv_candidate", "fp_hist", "cutout")
KNOWN = {"candid": 1105522281015015000, "pid": 1105522281015, "jd": 2458860.0222801, "ra": 185.7, "dec": 15.8,
         "magpsf": 18.5, "sigmapsf": 0.1, "isdiffpos": "t", "fid": 1, "programid": 1}  # fmt: skip
STAMPS = {"science": b"\x1f\x8b1", "template": b"\x1f\x8b2", "difference": b"\x1f\x8b3"}


def packet(history=(), stamps=STAMPS, **more):
    record = candidate_record({**KNOWN, **more}, missing="sentinels")
    return build_packet(publisher="p", object_id="NS25abcdefg", candidate=record, history=history, stamps=stamps)


def without_docs(table):
    return {key: value for key, value in table.items() if key not in ("doc", "fields")}


@needs_originals
@pytest.mark.parametrize("record", RECORDS)
def test_the_schema_has_ztfs_names_types_and_order_and_our_words(record):
    theirs = json.loads((DATA / "schema-v4.02" / f"{record}.avsc").read_text())
    ours = json.loads((FOLDER / f"{record}.avsc").read_text())
    assert without_docs(ours) == without_docs(theirs)
    assert [without_docs(field) for field in ours["fields"]] == [without_docs(field) for field in theirs["fields"]]
    copied = [
        mine["name"]
        for mine, other in zip(ours["fields"], theirs["fields"], strict=True)
        if "doc" in mine and mine["doc"] == other.get("doc")
    ]
    assert copied == []


@needs_originals
@pytest.mark.parametrize("path", sorted(DATA.glob("packets/*.avro")), ids=lambda p: p.stem)
def test_a_real_packet_survives_our_schema(path):
    real = decode(path.read_bytes())
    upgraded = {**real, "fp_hists": None}
    upgraded["candidate"] = candidate_record(real["candidate"], missing="sentinels")
    again = decode(encode(upgraded))
    assert {**again, "candidate": None} == {**upgraded, "candidate": None}
    assert {name: again["candidate"][name] for name in real["candidate"]} == real["candidate"]


def test_a_packet_reads_back_with_nothing_but_itself():
    history = [fill_record("prv_candidate", {"jd": 2458850.5, "fid": 2, "pid": 7, "diffmaglim": 20.5})]
    made = packet(history)
    content = encode(made)
    back = decode(content)
    assert back["candidate"]["magpsf"] == pytest.approx(18.5)
    assert back["prv_candidates"][0]["candid"] is None
    assert back["cutoutScience"] == {
        "fileName": "candid1105522281015015000_pid1105522281015_targ_sci.fits.gz", "stampData": STAMPS["science"],
    }  # fmt: skip
    assert fastavro.reader(io.BytesIO(content)).writer_schema["version"] == SCHEMA_VERSION


@given(st.lists(st.floats(2.4e6, 2.5e6), max_size=4), st.binary(max_size=300))
def test_the_bytes_are_those_of_the_librarys_own_writer(times, stamp):
    made = packet([fill_record("prv_candidate", {"jd": jd}) for jd in times], {"science": stamp})
    stream = io.BytesIO()
    fastavro.writer(stream, alert_schema(), [made], codec="null", sync_marker=sync_marker())
    assert encode(made) == stream.getvalue()


def test_missing_stamps_and_an_empty_history_are_null():
    made = packet(stamps={})
    assert [made[f"cutout{n}"] for n in ("Science", "Template", "Difference")] == [None] * 3
    assert made["prv_candidates"] is None and made["fp_hists"] is None


def test_an_unknown_counterpart_is_a_sentinel_or_null_as_the_survey_says():
    sentinels = candidate_record(KNOWN, missing="sentinels")
    nulls = candidate_record(KNOWN, missing="nulls")
    assert (sentinels["ssdistnr"], sentinels["ssnamenr"], sentinels["neargaia"]) == (-999.0, "null", -999.0)
    assert nulls["ssdistnr"] is None and nulls["ssnamenr"] is None and nulls["neargaia"] is None
    assert sentinels["rb"] is None and nulls["rb"] is None  # not a counterpart: never searched for
    assert sentinels["objectidps1"] is None


@given(st.dictionaries(st.sampled_from(sorted(record_fields("candidate"))), st.one_of(st.none(), st.floats())))
def test_whatever_the_pixels_say_the_record_can_be_encoded(measured):
    texts = {name for name, kind in record_fields("candidate").items() if kind == "string"}
    known = {name: value for name, value in measured.items() if name not in texts}
    limited = {n: v for n, v in known.items() if record_fields("candidate")[n] not in ("int", "long") or v is None}
    record = candidate_record(limited, missing="nulls")
    assert list(record) == list(record_fields("candidate"))
    assert all(record[name] is not None for name in set(record) - nullable("candidate"))
    encode(build_packet(publisher="p", object_id="o", candidate=record, history=(), stamps={}))


def test_every_process_writes_the_same_bytes_for_the_same_packet():
    code = "from nightshift.alerts.packets import container_header; print(container_header().hex())"
    seeds = ({**os.environ, "PYTHONHASHSEED": str(seed)} for seed in (1, 2, 3))
    headers = {subprocess.check_output([sys.executable, "-c", code], env=environment) for environment in seeds}
    assert len(headers) == 1
