"""A file a night for the mountain: which raw files it may purge, and why not the others.

A name stands in it only if it was registered intact, if what the mountain says that it sent is that, if its file is
archived and copied, both read back, and if no other file of that name is set aside.
"""

import hashlib
import json
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from nightshift.archive.place_in_use import copy_policy
from nightshift.context import Context
from nightshift.files import write_whole
from nightshift.ledger.queries import copies as copy_queries
from nightshift.ledger.queries.copies import MountainFile

__all__ = ["PurgeList", "purge_list", "purge_list_file", "write_purge_list"]

SCHEMA = "nightshift.purge/1"


@dataclass(frozen=True)
class PurgeList:
    """What the mountain may purge of a night's raw files.

    Parameters
    ----------
    may_purge : tuple of MountainFile
    keep : dict of str to str
        Name of each other file that the mountain sent, or says that it sent, and why it must be kept.
    """

    may_purge: tuple[MountainFile, ...]
    keep: dict[str, str]


def purge_list(context: Context, night: date) -> PurgeList:
    """Return what the mountain may purge of a night, as the ledger stands now."""
    files = copy_queries.raw_of_mountain(context.ledger, site=context.site.name, night=night)
    reasons = {file.file_name: why for file in files if (why := _why_not(file)) is not None}
    return PurgeList(tuple(file for file in files if file.file_name not in reasons), reasons)


def _why_not(file: MountainFile) -> str | None:
    if file.disposition is not None:
        return f"a file of this name is set aside ({file.disposition}): a person must look at both"
    if file.sha256 is None:
        return "it never came"
    if file.invalid_reason is not None:
        return f"it is not intact here ({file.invalid_reason})"
    if file.sent_sha256 is not None and file.sent_sha256 != file.sha256:
        return "it is not what the manifest says that was sent"
    if not file.archived:
        return "it is not archived and read back"
    if not file.in_two_places:
        return "it has no second copy that was read back"
    return None


def purge_list_file(context: Context, night: date) -> Path:
    """Return the place of a night's list; the plain one and the checksums lie beside it."""
    below = f"{context.site.name}/" if context.deployment.has_several_sites else ""
    return context.depot.root / copy_policy(context).purge_lists / f"{below}purge_{night:%Y%m%d}.json"


def write_purge_list(context: Context, night: date) -> Path:
    """Write a night's list, its plain form (a name a line) and the checksums of both; return the first.

    Each appears whole, the checksums last: a reader who meets two that do not fit takes them again later. Nothing is
    written where nothing changed.
    """
    found, path = purge_list(context, night), purge_list_file(context, night)
    content: dict[str, Any] = {
        "schema": SCHEMA,
        "survey": context.deployment.name,
        "site": context.site.name,
        "night": night.isoformat(),
        "may_purge": [
            {"name": file.file_name, "sha256": file.sha256, "bytes": file.bytes} for file in found.may_purge
        ],
        "keep": [{"name": name, "why": why} for name, why in found.keep.items()],
    }
    plain = path.with_suffix(".txt")
    written = {
        path: json.dumps(content, sort_keys=True, indent=1).encode() + b"\n",
        plain: "".join(f"{_escaped(file.file_name)}\n" for file in found.may_purge).encode(),
    }
    sums = "".join(f"{hashlib.sha256(text).hexdigest()}  {file.name}\n" for file, text in written.items())
    for file, text in {**written, path.with_suffix(".sha256"): sums.encode()}.items():
        if not file.exists() or file.read_bytes() != text:
            write_whole(file, text)
    return path


def _escaped(name: str) -> str:
    """Return a name on one line: a backslash and what ends a line are escaped, as `sha256sum` escapes them."""
    return name.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")
