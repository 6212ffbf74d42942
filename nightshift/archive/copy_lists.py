"""What is written of a night once its files are copied: the index of its copies, and the mountain's list.

The index names each file of the night's archive with the checksum by which its copy is called, so that the night can
be restored from the copies alone. The mountain's list names what it may purge. Both are made anew when something
changes.
"""

import hashlib
import json
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

from nightshift.archive.copy_place import CopyPlace, PlaceAway, chunks_of, content_fault, copy_key
from nightshift.archive.night_archive import night_folder
from nightshift.archive.place_in_use import PlaceInUse
from nightshift.archive.purge_list import write_purge_list
from nightshift.context import Context
from nightshift.files import sha256_of
from nightshift.ledger.queries import copies as copy_queries
from nightshift.ledger.queries.copies import IndexedFile

__all__ = ["INDEX_SCHEMA", "index_key", "write_lists"]

INDEX_SCHEMA = "nightshift.copies/1"


def index_key(night: date, site: str) -> str:
    """Return the key of a night's index at the place of its copies."""
    return f"{night:%Y/%m%d}/index_{site}.json"


def write_lists(context: Context, in_use: PlaceInUse) -> list[date]:
    """Write the lists of nights all of whose files are copied and of which something changed; return the nights.

    Call it while you hold the place's lock. What was written before is not written again where it is the same.
    """
    site, place = context.site.name, in_use.place
    nights = [row.night for row in copy_queries.stale_lists(context.ledger, site=site, place=place.name)]
    for night in nights:
        _write_index(context, place, night)
        write_purge_list(context, night)
        copy_queries.set_listed(context.ledger, site=site, night=night, place=place.name)
    return nights


def _write_index(context: Context, place: CopyPlace, night: date) -> None:
    site = context.site.name
    rows = copy_queries.night_index(context.ledger, site=site, night=night, place=place.name)
    files = [{"path": row.path, "sha256": row.sha256, "bytes": row.bytes} for row in rows]
    files += _copied_lists(context, place, night, rows)
    listed = json.dumps(files, sort_keys=True).encode()
    index: dict[str, Any] = {
        "schema": INDEX_SCHEMA,
        "survey": context.deployment.name,
        "site": site,
        "night": night.isoformat(),
        "files": files,
        "files_sha256": hashlib.sha256(listed).hexdigest(),
    }
    content = json.dumps(index, sort_keys=True, indent=1).encode() + b"\n"
    key = index_key(night, site)
    place.write(key, [content], len(content))
    if fault := content_fault(lambda: place.read(key), hashlib.sha256(content).hexdigest(), len(content)):
        raise PlaceAway(f"{place.name} does not keep what it gets: {key}: {fault}")


def _copied_lists(
    context: Context, place: CopyPlace, night: date, rows: Sequence[IndexedFile]
) -> list[dict[str, Any]]:
    """Copy what lies in the night's folder and the ledger does not name, such as a bag's lists; return its entries.

    Another name of a file that the ledger names, such as in a later version of a bag, is copied already.
    """
    folder, root = night_folder(context, night), context.depot.root / "archive"
    copied = {_inode(root / row.path): row for row in rows if (root / row.path).is_file()}
    known, entries = {row.path for row in rows}, []
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(root).as_posix()
        if name in known or path.name.startswith(".") or path.is_symlink() or not path.is_file():
            continue
        row = copied.get(_inode(path))
        facts = {"sha256": row.sha256, "bytes": row.bytes} if row else _copy_list(place, night, path)
        entries.append({"path": name, **facts})
    return entries


def _inode(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_dev, status.st_ino


def _copy_list(place: CopyPlace, night: date, path: Path) -> dict[str, Any]:
    sha256, size = sha256_of(path), path.stat().st_size
    key = copy_key(night, sha256)
    if content_fault(lambda: place.read(key), sha256, size) is not None:
        place.write(key, chunks_of(path), size)
        if fault := content_fault(lambda: place.read(key), sha256, size):
            raise PlaceAway(f"{place.name} does not keep what it gets: {key}: {fault}")
    return {"sha256": sha256, "bytes": size}
