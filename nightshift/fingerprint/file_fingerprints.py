"""The files of the depot, as a fingerprint sees them: their content, without the dates that some headers carry."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from astropy.io import fits

from nightshift.fingerprint.row_fingerprints import SHORT, Members, fingerprint

__all__ = ["FOLDERS", "consumer_members", "file_parts", "folder_members", "packet_members"]

FOLDERS = ("raw", "manifests", "catalogues", "calibrations", "processed", "references")
"""Folders of the depot that are compared file by file; the ledger's tables speak for the others."""

FITS_NAMES = (".fits", ".fit", ".fits.fz", ".fit.fz")
# Cards that say when and by which code a file was written, and the checksums that follow from them.
CARDS_LEFT_OUT = frozenset({"DATE", "CHECKSUM", "DATASUM", "HISTORY", "CREATOR", "ORIGIN", "NSVERS"})


def folder_members(depot: Path, folder: str, deleted: Mapping[str, str] | None = None) -> Members:
    """Return the files below one of the depot's folders, by their place below the depot.

    Names that begin with a dot are somebody's unfinished business: a process that was killed may leave one.

    Parameters
    ----------
    depot : Path
    folder : str
    deleted : mapping of str to str, optional
        Files that left by retention, and where they are in the archive: they are read from there.
    """
    paths = (p for p in (depot / folder).rglob("*") if p.is_file() and not p.name.startswith("."))
    places = {path.relative_to(depot).as_posix(): path for path in paths}
    for place, archived in (deleted or {}).items():
        if place.startswith(f"{folder}/") and place not in places and (depot / archived).is_file():
            places[place] = depot / archived
    return {place: file_parts(places[place]) for place in sorted(places)}


def file_parts(path: Path) -> dict[str, str]:
    """Return the short hash of each part of a file: of a FITS file its headers and data, else its content.

    A FITS file that does not read is compared by its bytes, as raw files may be what they like.
    """
    if path.name.lower().endswith(FITS_NAMES):
        try:
            return dict(_fits_parts(path))
        except (OSError, ValueError, fits.VerifyError):
            pass
    return {"content": _short(path.read_bytes())}


def _fits_parts(path: Path) -> Iterator[tuple[str, str]]:
    with fits.open(path, disable_image_compression=True, do_not_scale_image_data=True, memmap=False) as units:
        for number, unit in enumerate(units):
            cards = [(c.keyword, c.rawvalue, c.comment) for c in unit.header.cards if c.keyword not in CARDS_LEFT_OUT]
            yield f"header {number}", fingerprint(cards)
            place = unit.fileinfo()
            with path.open("rb") as stream:
                stream.seek(place["datLoc"])
                yield f"data {number}", _short(stream.read(place["datSpan"]))


def _short(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:SHORT]


def packet_members(
    depot: Path, places: Iterable[dict[str, Any]], deleted: Mapping[str, str] | None = None
) -> Members:
    """Return the alert packets by candid, whatever tar they lie in.

    Parameters
    ----------
    depot : Path
    places : iterable of dict
        Rows of query ``packet_places``.
    deleted : mapping of str to str, optional
        As of `folder_members`.
    """
    members: Members = {}
    for row in places:
        try:
            with (depot / (deleted or {}).get(row["packet_path"], row["packet_path"])).open("rb") as stream:
                stream.seek(row["packet_offset"])
                content = _short(stream.read(row["packet_bytes"]))
        except OSError:
            content = "lost"
        members[str(row["candid"])] = {"content": content}
    return members


def consumer_members(lines: Path) -> Members:
    """Return what the night's consumer holds, by candid, without the times at which it came."""
    members: Members = {}
    if lines.is_file():
        for line in map(json.loads, lines.read_text().splitlines()):
            members[str(line["candid"])] = {k: fingerprint(v) for k, v in line.items() if k != "received_at"}
    return members
