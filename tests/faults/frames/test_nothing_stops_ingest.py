"""No file name, header or manifest stops ingest or leaves its folder: searched by hypothesis, with a real ledger.

A few examples of each in every `make test`, many in `make test-faults`.
"""

import json
import os
import shutil
import string
from datetime import date
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from nightshift.ingest.inbox import Seen, complete_files
from nightshift.ingest.ingest import ingest_all
from nightshift.ingest.naming import shown
from nightshift.night_end.accounts import account
from nightshift.night_end.facts import collect_facts
from nightshift.night_end.report import render_text
from nightshift.vocabulary import Disposition, Reason
from nightshift.workflow.explain import explain

pytestmark = pytest.mark.integration

QUIET = {"deadline": None, "suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]}
few = settings(max_examples=15, **QUIET)
many = settings(max_examples=300, **QUIET)

NIGHT = date(2026, 1, 15)
FRAME = "demo_20260116080000_d01.fits"

# --- names ----------------------------------------------------------------------------------------------------

NASTY = (
    "..", "\\", "demo_", "_d01.fits", ".fits", ".sha256", "\n", "\r", "\x1b[2J", "$(x)", "`", "'", '"', " ", "%s",
    "%(x)s", "{0}", ":thing", "--", "*", "\u202e", "\u2028", "\u00e9", "\U0001f600", "-", "~", "|",
)  # fmt: skip
PIECES = st.one_of(
    st.sampled_from(NASTY),
    st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), max_size=20),
)
NAMES = st.one_of(
    st.binary(min_size=1, max_size=255).filter(lambda b: b not in (b".", b"..") and not {0, 47} & set(b)),
    st.lists(PIECES, min_size=1, max_size=8).map("".join).map(str.encode).filter(lambda b: 0 < len(b) < 256),
).filter(lambda b: b not in (b".", b".."))
KINDS = st.sampled_from(["junk", "frame", "empty", "link", "dangling link", "pipe", "folder"])


def lay(path: Path, kind: str, content: bytes) -> None:
    if kind == "link":
        path.symlink_to("/etc/passwd")
    elif kind == "dangling link":
        path.symlink_to("../../../nowhere")
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
        (path / "inside").write_bytes(b"x")
    else:
        path.write_bytes({"junk": b"SIMPLE  = no", "frame": content, "empty": b""}[kind])


def everything_outside(context) -> set[Path]:
    inside = (context.inbox, context.depot.root)
    return {p for p in context.inbox.parent.rglob("*") if not any(p.is_relative_to(folder) for folder in inside)}


def complete(context) -> list[Path]:
    """What the inbox holds that has held still for long enough."""
    memory: dict[str, Seen] = {}
    complete_files(context.inbox, memory, context.survey)
    memory = {name: seen._replace(since=float("-inf")) for name, seen in memory.items()}
    return complete_files(context.inbox, memory, context.survey)


def no_name_stops_ingest(context, frames, name: bytes, kind: str) -> None:
    good = frames(0, name=FRAME)
    content = good.read_bytes()
    good.unlink()
    before = everything_outside(context)
    path = context.inbox / os.fsdecode(name)
    lay(path, kind, content)
    waiting = complete(context)
    for arrival in ingest_all(context, waiting):
        assert arrival.disposition in set(Disposition)
    assert {p.name for p in complete(context)} == set()
    assert everything_outside(context) == before
    told = explain(context, os.fsdecode(name))
    assert all(line.isprintable() for line in told)
    if name.startswith(b".") or name.endswith((b".part", b".tmp")):  # somebody's unfinished business
        assert list(context.inbox.iterdir()) == [path]
        clear(path)
    else:
        assert list(context.inbox.iterdir()) == []
        assert told


def clear(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


@few
@given(NAMES, KINDS)
@example(b"..\\..\\x_d01.fits", "frame")
@example(b"$(touch pwned);rm -rf *", "frame")
@example(b"x" * 255, "pipe")
@example(b"a\nb.fits", "link")
@example(b"\xff\xfe.fits", "folder")
def test_no_name_stops_ingest_or_leaves_its_folder(context, frames, name, kind):
    no_name_stops_ingest(context, frames, name, kind)


@pytest.mark.faults
@many
@given(NAMES, KINDS)
def test_no_name_of_many_stops_ingest_or_leaves_its_folder(context, frames, name, kind):
    no_name_stops_ingest(context, frames, name, kind)


# --- headers --------------------------------------------------------------------------------------------------

KEYWORDS = st.sampled_from(
    ["SIMPLE", "BITPIX", "NAXIS", "NAXIS1", "EXTEND", "IMAGETYP", "INSTRUME", "DETECTOR", "EXPTIME", "DATE-OBS", "RA",
     "DEC", "FILTER", "OBJECT", "AIRMASS", "PROGRAM", "SEQNAME", "SEQINDEX", "SEQLEN", "FIELDID", "CHECKSUM",
     "DATASUM", "CONTINUE", "HIERARCH a b", "COMMENT", "", "XTENSION", "PCOUNT", "ZIMAGE", "END"]
)  # fmt: skip
VALUES = st.one_of(
    st.sampled_from(["T", "F", "NaN", "-inf", "1e999", "400", "-1", "''", "'", "'a''b'", "'\\x00'",
                     "99999999999999999999", "0x10", "1D5", "'flat'", "'bias'", "'2026-01-16T08:00:00'",
                     "'0001-01-01'", "61041.5", "/", "'&'"]),
    st.text(string.printable, max_size=60),
    st.floats().map(repr), st.integers().map(str),
)  # fmt: skip
CARDS = st.lists(st.tuples(KEYWORDS, VALUES, st.integers(0, 20)), min_size=1, max_size=5)


def with_cards(content: bytes, cards) -> bytes:
    """Put cards over those of the same keyword, or in place of another where the header has none of it."""
    whole = bytearray(content)
    for keyword, value, place in cards:
        card = f"{keyword:<8}= {value}".ljust(80)[:80].encode("latin-1", "replace")
        at = whole.find(f"{keyword:<8}=".encode(), 0, 2880)
        at = at if keyword and at >= 0 and at % 80 == 0 else 80 * place
        whole[at : at + 80] = card
    return bytes(whole)


def no_header_stops_ingest(context, frames, cards) -> None:
    path = frames(0, name=FRAME, checksum=False, SEQNAME="a", SEQINDEX=1, SEQLEN=2, PROGRAM=1, FIELDID=101)
    path.write_bytes(with_cards(path.read_bytes(), cards))
    (arrival,) = ingest_all(context, [path])
    assert arrival.disposition in set(Disposition)
    assert arrival.reason is not Reason.INTERNAL_ERROR, arrival
    assert list(context.inbox.iterdir()) == []
    assert explain(context, FRAME)


@few
@given(CARDS)
def test_no_header_stops_ingest(context, frames, cards):
    no_header_stops_ingest(context, frames, cards)


@pytest.mark.faults
@many
@given(CARDS)
def test_no_header_of_many_stops_ingest(context, frames, cards):
    no_header_stops_ingest(context, frames, cards)


# --- manifests ------------------------------------------------------------------------------------------------

ANYTHING = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
    max_leaves=5,
)
ENTRIES = st.lists(
    st.fixed_dictionaries(
        {
            "name": st.one_of(st.just(FRAME), st.text(min_size=1, max_size=300), st.lists(PIECES).map("".join)),
            "bytes": st.one_of(st.integers(0, 2**53), st.integers()),
            "sha256": st.one_of(st.just("0" * 64), st.text(max_size=70)),
        }
    ),
    max_size=4,
)
MANIFESTS = st.fixed_dictionaries(
    {"schema": st.just("nightshift.manifest/1"), "site": st.just("demo"), "night": st.just("2026-01-15")},
    optional={
        "files": st.one_of(ENTRIES, ANYTHING),
        "part": st.one_of(st.integers(-1, 4), ANYTHING),
        "parts": st.one_of(st.integers(-1, 4), ANYTHING),
        "synthetic": st.one_of(st.booleans(), ANYTHING),
        "more": ANYTHING,
    },
)


SOUND_NAMES = st.one_of(
    st.just(FRAME),
    st.text(st.characters(exclude_characters="/", exclude_categories=["Cc", "Cs"]), min_size=1, max_size=255),
    st.builds("demo_{:014d}_d{:02d}.fits".format, st.integers(0, 10**14 - 1), st.integers(0, 99)),
)
SOUND_ENTRIES = st.lists(
    st.fixed_dictionaries(
        {
            "name": SOUND_NAMES,
            "bytes": st.integers(0, 2**53 - 1),
            "sha256": st.text("0123456789abcdef", min_size=64, max_size=64),
        }
    ),
    max_size=6,
    unique_by=lambda entry: entry["name"],
)
SOUND = st.fixed_dictionaries(
    {
        "schema": st.just("nightshift.manifest/1"),
        "site": st.just("demo"),
        "night": st.just("2026-01-15"),
        "files": SOUND_ENTRIES,
    },
    optional={"part": st.integers(1, 3), "parts": st.just(3), "synthetic": st.booleans()},
)


def no_manifest_stops_ingest(context, table) -> None:
    path = context.inbox / "manifest_20260115.json"
    path.write_text(json.dumps(table))
    (arrival,) = ingest_all(context, [path])
    assert arrival.disposition is Disposition.QUARANTINED or arrival.reason is None, arrival
    assert list(context.inbox.iterdir()) == []
    if arrival.disposition is Disposition.REGISTERED:
        assert account(context, NIGHT).sent.closes
        text = render_text(collect_facts(context, NIGHT), Path("page"))
        assert all(line.isprintable() for line in text.splitlines())
        for entry in table["files"]:
            assert explain(context, entry["name"]), shown(entry["name"])


def listing(*names: str) -> dict:
    files = [{"name": name, "bytes": 1, "sha256": "0" * 64} for name in names]
    return {"schema": "nightshift.manifest/1", "site": "demo", "night": "2026-01-15", "files": files}


@few
@given(st.one_of(SOUND, MANIFESTS))
@example(listing("\u202e.fits"))  # was looked for under another spelling than its arrival's
@example(listing("\u202e.fits", "\\u202e.fits"))  # one name in the ledger
def test_no_manifest_stops_ingest_or_the_accounts(context, table):
    no_manifest_stops_ingest(context, table)


@pytest.mark.faults
@many
@given(st.one_of(SOUND, MANIFESTS))
def test_no_manifest_of_many_stops_ingest_or_the_accounts(context, table):
    no_manifest_stops_ingest(context, table)


NIGHTS = st.one_of(
    st.sampled_from(["9999-12-31", "0001-01-01", "1979-12-31", "2101-01-01", "0000-00-00", "2026-13-45"]),
    st.dates().map(str),
    st.text(max_size=12),
)


def no_night_of_a_manifest_stops_what_sorts_after_it(context, night) -> None:
    digits = night.replace("-", "")
    named = digits if len(digits) == 8 and digits.isascii() and digits.isdigit() else "20260115"
    path, after = context.inbox / f"manifest_{named}.json", context.inbox / "zzz.txt"
    path.write_text(json.dumps({**listing(FRAME), "night": night}))
    after.write_bytes(b"no frame")
    first, second = ingest_all(context, [path, after])
    assert first.disposition in (Disposition.REGISTERED, Disposition.DUPLICATE, Disposition.QUARANTINED)
    assert first.reason is not Reason.INTERNAL_ERROR, first
    assert second.disposition is Disposition.QUARANTINED
    assert list(context.inbox.iterdir()) == []


@few
@given(NIGHTS)
@example("9999-12-31")
@example("0001-01-01")
def test_no_night_of_a_manifest_stops_what_sorts_after_it(context, night):
    no_night_of_a_manifest_stops_what_sorts_after_it(context, night)


@pytest.mark.faults
@many
@given(NIGHTS)
def test_no_night_of_many_manifests_stops_what_sorts_after_it(context, night):
    no_night_of_a_manifest_stops_what_sorts_after_it(context, night)
