"""From a detection and what is known around it to the bytes of one alert packet."""

import hashlib
import io
import math
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any

import fastavro

from nightshift.alerts.schema import SCHEMA_VERSION, alert_schema, nullable, record_fields

__all__ = [
    "CUTOUTS",
    "build_packet",
    "candidate_record",
    "decode",
    "decode_all",
    "encode",
    "fill_record",
    "sync_marker",
]

# name of the stamp in the node's tar -> field of the packet, and ZTF's way to name the file inside
CUTOUTS = {
    "science": ("cutoutScience", "candid{candid}_pid{pid}_targ_sci.fits.gz"),
    "template": ("cutoutTemplate", "candid{candid}_ref.fits.gz"),
    "difference": ("cutoutDifference", "candid{candid}_pid{pid}_targ_scimref.fits.gz"),
}
NO_NUMBER, NO_NAME = -999.0, "null"
# Where ZTF found no counterpart it says so with a number; brokers test for it. Elsewhere an unknown is null.
WITH_SENTINEL = frozenset(
    ["ssdistnr", "ssmagnr", "ssnamenr", "neargaia", "neargaiabright", "maggaia", "maggaiabright"]
    + [f"s{band}mag{n}" for band in "griz" for n in (1, 2, 3)]
    + [f"{name}{n}" for name in ("sgscore", "distpsnr") for n in (1, 2, 3)]
)


def candidate_record(known: Mapping[str, Any], *, missing: str) -> dict[str, Any]:
    """Return the packet's ``candidate`` with every field of its schema.

    Parameters
    ----------
    known : mapping
        Values by field name. Fields that the schema does not have are left out; NaN and infinity count as
        unknown.
    missing : {'sentinels', 'nulls'}
        What stands for a counterpart that was not found.
    """
    return fill_record("candidate", known, sentinels=missing == "sentinels")


def fill_record(record: str, known: Mapping[str, Any], *, sentinels: bool = False) -> dict[str, Any]:
    """Return a record of the schema from what is known of it.

    A field that may not be null and is not known gets -999, 0 for a count, or an empty text.
    """
    filled = _unknown_record(record, sentinels).copy()
    kinds = record_fields(record)
    for name, value in known.items():
        if name in kinds and (converted := _convert(value, kinds[name])) is not None:
            filled[name] = converted
    return filled


@cache
def _unknown_record(record: str, sentinels: bool) -> dict[str, Any]:
    """Return a record of which nothing is known, with the fields in the schema's order."""
    optional = nullable(record)
    return {
        name: _missing(kind, name in optional, sentinels and name in WITH_SENTINEL)
        for name, kind in record_fields(record).items()
    }


def _missing(kind: str, optional: bool, sentinel: bool) -> Any:
    """Return what stands for an unknown value."""
    if sentinel:
        return NO_NAME if kind == "string" else NO_NUMBER
    if optional:
        return None
    return {"string": "", "int": 0, "long": 0}.get(kind, NO_NUMBER)


def _convert(value: Any, kind: str) -> Any:
    """Return the value in the schema's type, or None where it says nothing."""
    if value is None:
        return None
    if kind == "string":
        return str(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return int(value) if kind in ("int", "long") else float(value)


def build_packet(
    *,
    publisher: str,
    object_id: str,
    candidate: Mapping[str, Any],
    history: Iterable[Mapping[str, Any]],
    stamps: Mapping[str, bytes],
) -> dict[str, Any]:
    """Return a packet as a dictionary that follows the schema.

    Parameters
    ----------
    publisher, object_id : str
    candidate : mapping
        As `candidate_record` makes it.
    history : iterable of mapping
        Records of ``prv_candidate`` in order of time; none at all is written as null, as ZTF does.
    stamps : mapping of str to bytes
        Gzipped FITS by ``science``, ``template``, ``difference``; a missing one is null.
    """
    candid, pid = candidate["candid"], candidate["pid"]
    pictures = {
        field: {"fileName": name.format(candid=candid, pid=pid), "stampData": stamps[kind]}
        if kind in stamps
        else None
        for kind, (field, name) in CUTOUTS.items()
    }
    return {
        "schemavsn": SCHEMA_VERSION,
        "publisher": publisher,
        "objectId": object_id,
        "candid": candid,
        "candidate": dict(candidate),
        "prv_candidates": list(history) or None,
        "fp_hists": None,
        **pictures,
    }


@cache
def sync_marker() -> bytes:
    """Return the 16 bytes that part the blocks of a container: fixed, so that the same packet is the same file."""
    return hashlib.sha256(repr(alert_schema()["fields"]).encode()).digest()[:16]


@cache
def container_header() -> bytes:
    """Return what every packet begins with: magic, codec, the schema, the sync marker."""
    stream = io.BytesIO()
    fastavro.writer(stream, alert_schema(), [], codec="null", sync_marker=sync_marker())
    return stream.getvalue()


def encode(packet: Mapping[str, Any]) -> bytes:
    """Return a packet as an Avro object container with its schema and without a codec.

    The header is the same for every packet and is made once. The history's branch of its union is named, or
    the encoder would try every entry on the schema before it writes it. Both together halve the time.
    """
    history = packet["prv_candidates"]
    named = {**packet, "prv_candidates": None if history is None else ("array", history)}
    body = io.BytesIO()
    fastavro.schemaless_writer(body, alert_schema(), named)
    record = body.getvalue()
    return b"".join((container_header(), _avro_long(1), _avro_long(len(record)), record, sync_marker()))


def _avro_long(value: int) -> bytes:
    """Return a number >= 0 as Avro writes a long: zigzag, seven bits a byte, the lowest first."""
    rest, content = value << 1, bytearray()
    while rest > 0x7F:
        content.append(rest & 0x7F | 0x80)
        rest >>= 7
    content.append(rest)
    return bytes(content)


def decode(content: bytes) -> dict[str, Any]:
    """Return the first packet of a container, read by the schema inside it, whoever wrote it.

    Raises
    ------
    ValueError
        If the bytes are no Avro container, are damaged, or hold no packet.
    """
    return next(decode_all(content))


def decode_all(content: bytes) -> Iterator[dict[str, Any]]:
    """Yield the packets of a container; at least one. Errors as of `decode`."""
    none = True
    try:
        for packet in fastavro.reader(io.BytesIO(content)):
            if not isinstance(packet, dict):
                raise ValueError(f"it holds a {type(packet).__name__}, and no record")
            none = False
            yield packet
    except ValueError:
        raise
    except Exception as error:  # damaged bytes may make the library fail in any way
        raise ValueError(f"{type(error).__name__}: {error}") from error
    if none:
        raise ValueError("the container holds no packet")
