"""The files that describe a bag, written last: a bag that has them and that they agree with is complete."""

import os
from pathlib import Path

from nightshift.archive.bags import BAG_KIND, contents, held_files, payload_name, tag_files
from nightshift.archive.night_folder import Entry, NightFolder
from nightshift.archive.placing import appearing, make_durable
from nightshift.ledger.queries import archive as archive_queries
from nightshift.ledger.queries.archive import Bag
from nightshift.night_end.night_rows import night_text
from nightshift.vocabulary import EventLevel

__all__ = ["describe"]


def describe(night: NightFolder, bag: Bag) -> None:
    """Write the files that describe a bag as the ledger has it, and note that it is complete."""
    folder, ledger = night.path / bag.name, night.context.ledger
    held = held_files(night.rows(), night.below)
    (folder / "data").mkdir(parents=True, exist_ok=True)
    _set_aside(night, bag, set(contents(held, bag.version)))
    entries = []
    for name, content in tag_files(night.context, night.night, bag, held).items():
        with appearing(folder / name, night.unfinished) as stream:
            stream.write(content)
            written = stream.written
        path = f"{night.below}/{bag.name}/{name}"
        entries.append(Entry(path, BAG_KIND, f"archive/{path}", written.sha256, written.bytes))
    make_durable(night.path)
    with ledger.transaction():
        night.enter(entries)
        archive_queries.set_complete(ledger, **night.key, version=bag.version, complete=True)


def _set_aside(night: NightFolder, bag: Bag, names: set[str]) -> None:
    """Take out of a bag what a process placed that was killed before it said so, and that belongs there no more.

    It may be the last copy of something, as where the ledger was restored from an old backup: only what has another
    name is removed, anything else is moved out of the bag, and that is told.
    """
    data = night.path / bag.name / "data"
    for folder, _, files in os.walk(data):
        for file in files:
            path = Path(folder) / file
            name = path.relative_to(data).as_posix()
            if name in names:
                continue
            if path.lstat().st_nlink > 1:
                path.unlink()
            else:
                _move_aside(night, bag, path, name)


def _move_aside(night: NightFolder, bag: Bag, path: Path, name: str) -> None:
    aside = night.path / "set_aside" / bag.name / name
    aside.parent.mkdir(parents=True, exist_ok=True)
    path.replace(aside)
    night.context.ledger.event(
        EventLevel.WARNING, "archive_set_aside",
        f"{payload_name(name)} lay in the bag {bag.name} and the ledger does not know it; it was moved to {aside}. "
        "Remove it if nobody misses it.",
        subject=night_text(night.context.site, night.night), night_time=night.context.clock.now(),
    )  # fmt: skip
