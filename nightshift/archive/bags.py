"""The bags of a night's archive (BagIt, RFC 8493): what each version holds, and the files that describe it.

A night's folder in the archive holds ``<survey>_<YYYYMMDD>_v1`` and, where the night was closed again with something
new, ``..._v2`` and so on; each is a bag by itself, with its payload in ``data``. A later version holds all that the
one before it did, unchanged files as links to the same bytes, and what came or changed since.

A file of the archive has one row in the ledger, with its place in the version that brought it. So what a version
holds is, of each name, the row of the latest version up to it; rows of a night that was archived before there were
bags come before the first version.

The library ``bagit`` reads them in the tests and does not make them: it moves the files that it is given, hashes all
of them again one after the other, and knows no second version.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from nightshift.code_version import code_version
from nightshift.context import Context
from nightshift.ledger.queries import nights as nights_queries
from nightshift.ledger.queries.archive import ArchivedFile, Bag
from nightshift.settings.loader import settings_hash

__all__ = [
    "BAG_KIND", "EVENTS_KIND", "Held", "bag_name", "contents", "held_files", "name_in_manifest", "payload_name",
    "tag_files",
]  # fmt: skip

BAG_KIND = "bag"  # files that describe a bag
EVENTS_KIND = (
    "events"  # of long ago: they come to a night's archive long after it was closed, and lie beside its bags
)
DECLARATION = "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"
MANIFEST, TAG_MANIFEST, CHANGES = "manifest-sha256.txt", "tagmanifest-sha256.txt", "changes.txt"
_PAYLOAD = re.compile(r"[^/]+_v(?P<version>[0-9]+)/data/(?P<name>.+)", re.DOTALL)


@dataclass(frozen=True)
class Held:
    """A file that the archive holds.

    Parameters
    ----------
    name : str
        Below ``data`` of a bag.
    version : int
        Of the bag that brought it; 0: there were no bags yet.
    row : ArchivedFile
    """

    name: str
    version: int
    row: ArchivedFile


def bag_name(context: Context, night: date, version: int) -> str:
    """Return the name of a bag's folder: it says what is in it wherever the bag is taken."""
    site = f"_{context.site.name}" if context.deployment.has_several_sites else ""
    return f"{context.deployment.name}{site}_{night:%Y%m%d}_v{version}"


def payload_name(name: str) -> str:
    """Return where a file lies in its bag."""
    return f"data/{name}"


def held_files(rows: Iterable[ArchivedFile], below: str) -> list[Held]:
    """Return what of a night's rows is payload of its bags.

    Parameters
    ----------
    rows : iterable of ArchivedFile
    below : str
        The night's folder, below the archive.
    """
    payload = (row for row in rows if row.kind not in (BAG_KIND, EVENTS_KIND))
    return [_held(row, row.path.removeprefix(f"{below}/")) for row in payload]


def _held(row: ArchivedFile, place: str) -> Held:
    found = _PAYLOAD.fullmatch(place)
    return Held(found["name"], int(found["version"]), row) if found else Held(place, 0, row)


def contents(held: Iterable[Held], version: int | None = None) -> dict[str, Held]:
    """Return what a version holds, by name; None: the newest."""
    found: dict[str, Held] = {}
    for file in sorted(held, key=lambda file: file.version):
        if version is None or file.version <= version:
            found[file.name] = file
    return found


def name_in_manifest(name: str) -> str:
    """Return a name as RFC 8493 (2.1.3) has it in a manifest: per cent signs and line ends by their numbers."""
    return name.replace("%", "%25").replace("\n", "%0A").replace("\r", "%0D")


def tag_files(context: Context, night: date, bag: Bag, held: Iterable[Held]) -> dict[str, bytes]:
    """Return the files that describe a bag, by name, in the order in which they are written.

    Parameters
    ----------
    context : Context
    night : date
    bag : Bag
    held : iterable of Held
        Of all versions.
    """
    held = list(held)
    inside = contents(held, bag.version)
    texts = {
        "bagit.txt": DECLARATION,
        "bag-info.txt": _bag_info(context, night, bag, inside, held),
        MANIFEST: "".join(
            f"{file.row.sha256}  {name_in_manifest(payload_name(name))}\n" for name, file in sorted(inside.items())
        ),
    }
    if bag.version > 1:
        texts[CHANGES] = "".join(
            f"{line}\n" for line in _changes(bag.version, inside, contents(held, bag.version - 1))
        )
    files = {name: text.encode() for name, text in texts.items()}
    listed = "".join(f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in sorted(files.items()))
    return files | {TAG_MANIFEST: listed.encode()}


def _bag_info(context: Context, night: date, bag: Bag, inside: Mapping[str, Held], held: list[Held]) -> str:
    rows = [file.row for file in inside.values()]
    pin = nights_queries.pin(context.ledger, site=context.site.name, night=night)
    lines = [
        ("External-Identifier", bag.name),
        ("External-Description", f"{context.deployment.title}: the night of {night} at {context.site.name}"),
        ("Bagging-Date", f"{bag.begun_at:%Y-%m-%d}"),
        ("Payload-Oxum", f"{sum(row.bytes for row in rows)}.{len(rows)}"),
        ("Bag-Software-Agent", f"Nightshift {code_version()}"),
        ("Survey", context.deployment.name),
        ("Site", context.site.name),
        ("Night", night.isoformat()),
        ("Bag-Version", str(bag.version)),
        ("Code-Version", (pin and pin.code_version) or "not recorded"),
        *(("Settings-Hash", f"{s.camera.instrument} {settings_hash(s)}") for s in context.deployment.surveys),
        *(("Files", f"{kind} {count}") for kind, count in sorted(Counter(row.kind for row in rows).items())),
    ]
    if bag.version > 1:
        changed = Counter(
            line.split(" ", 1)[0] for line in _changes(bag.version, inside, contents(held, bag.version - 1))
        )
        told = f"{changed['added']} added, {changed['replaced']} replaced; {CHANGES} lists them"
        lines += [("Previous-Version", bag_name(context, night, bag.version - 1)), ("Changes", told)]
    return "".join(f"{label}: {' '.join(value.split())}\n" for label, value in lines)


def _changes(version: int, inside: Mapping[str, Held], before: Mapping[str, Held]) -> list[str]:
    """Return what a version holds that the one before it does not, a line each."""
    return [
        f"{'replaced' if name in before else 'added'} {name_in_manifest(payload_name(name))}"
        for name, file in sorted(inside.items())
        if file.version == version
    ]
