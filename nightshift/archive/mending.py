"""A file that is damaged in one of its two places is mended from the other.

The good one is written whole beside the damaged one, checked, and takes its name; until that was read back the
damaged one is kept under another name. Where both are damaged a person is called and nothing is touched.
"""

import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from nightshift.archive.copy_lists import write_lists
from nightshift.archive.copy_place import (
    Gone,
    NotTheFile,
    PlaceAway,
    chunks_of,
    content_fault,
    copy_key,
    hashed_chunks,
)
from nightshift.archive.night_archive import night_folder
from nightshift.archive.place_in_use import PlaceInUse
from nightshift.archive.purge_list import purge_list_file, write_purge_list
from nightshift.context import Context
from nightshift.errors import Retry
from nightshift.files import new_file, sync_folder
from nightshift.health import storage_trouble
from nightshift.ledger.queries import copies as copy_queries
from nightshift.ledger.queries.copies import ArchivedContent, CopyOfContent, DamagedFile
from nightshift.vocabulary import EventLevel, Reason

__all__ = ["ARCHIVE", "Mended", "archive_path", "check_archive_is_there", "mend", "note_damaged"]

ARCHIVE = "archive"  # in place of the name of a place of copies
SCRATCH = ".mending"  # below the archive
ASIDE = "damaged"  # below the place of copies
NAMED_MOST = 5


@dataclass(frozen=True)
class Mended:
    """What became of damaged files.

    Parameters
    ----------
    mended, lost : tuple of str
        Their names: below the archive, or as the place of copies calls them.
    """

    mended: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()


def archive_path(context: Context, file: str) -> Path:
    """Return where a file of the archive lies."""
    return context.depot.absolute(f"archive/{file}")


def check_archive_is_there(context: Context) -> None:
    """Raise `Retry` where the archive's disk is missing or sick: then nothing that is not found there is damaged."""
    if trouble := storage_trouble(context):
        raise Retry(Reason.STORAGE_UNAVAILABLE, "; ".join(trouble))


def note_damaged(context: Context, found: Iterable[DamagedFile]) -> None:
    """Take the marks of files that were found damaged, name them in an event, and correct the mountain's lists."""
    damaged, site = list(found), context.site.name
    if not damaged:
        return
    with context.ledger.transaction() as ledger:
        for row in damaged:
            night, sha256, place = row.night, row.sha256, row.place
            copy_queries.put_damaged(
                ledger, site=site, night=night, sha256=sha256, place=place, file=row.file, says=row.says
            )
            if place == ARCHIVE:
                copy_queries.set_archive_damaged(ledger, site=site, night=night, sha256=sha256, path=row.file)
            else:
                copy_queries.set_copy_damaged(ledger, site=site, night=night, sha256=sha256, place=place)
        for night in {row.night for row in damaged}:
            copy_queries.set_list_stale(ledger, site=site, night=night)
        _say(context, EventLevel.ERROR, "file_damaged", "damaged", damaged)
    for night in {row.night for row in damaged}:
        if purge_list_file(context, night).exists():
            write_purge_list(context, night)


def _say(context: Context, level: EventLevel, kind: str, what: str, rows: list[DamagedFile]) -> None:
    """Say in one event what became of some files of one place."""
    named = "; ".join(f"{row.file} ({row.says})" for row in rows[:NAMED_MOST])
    more = f"; and {len(rows) - NAMED_MOST} more" if len(rows) > NAMED_MOST else ""
    place = "the archive" if rows[0].place == ARCHIVE else rows[0].place
    context.ledger.event(
        level, kind, f"{len(rows)} files of {place} {what}: {named}{more}"[:1000],
        subject=rows[0].file, night_time=context.clock.now(), files=[row.file for row in rows],
    )  # fmt: skip


def mend(context: Context, in_use: PlaceInUse | None, night: date | None = None) -> Mended:
    """Mend what is known to be damaged. Call it while you hold the place's lock. May run again after any crash.

    Parameters
    ----------
    context : Context
        Of one site.
    in_use : PlaceInUse, optional
        The place of its copies; None where there is none: then only what the depot still holds can help.
    night : date, optional
        Of which night; by default of all.

    Raises
    ------
    PlaceAway
        If the place of copies cannot be used any more.
    nightshift.errors.Retry
        If the archive cannot be used.
    """
    mended: list[DamagedFile] = []
    lost: list[DamagedFile] = []
    for row in copy_queries.damaged(context.ledger, site=context.site.name, of_night=night):
        if row.place == ARCHIVE:
            done = _mend_archived(context, in_use, row)
        elif in_use is not None and row.place == in_use.place.name:
            done = _mend_copy(context, in_use, row)
        else:
            continue  # of a place that is away, or not used any more
        (mended if done else lost).append(row)
    _say_what_became(context, mended, lost)
    if mended and in_use is not None:
        write_lists(context, in_use)
    return Mended(tuple(row.file for row in mended), tuple(row.file for row in lost))


def _say_what_became(context: Context, mended: list[DamagedFile], lost: list[DamagedFile]) -> None:
    found = [row for row in mended if _is_said_to_be_lost(context, row)]
    others = [row for row in mended if row not in found]
    groups = [[row] for row in found]
    groups += [[row for row in others if row.place == place] for place in sorted({row.place for row in others})]
    for rows in groups:
        _say(context, EventLevel.INFO, "file_mended", "mended", rows)
    new = [row for row in lost if not _is_said_to_be_lost(context, row)]
    for row in new[:NAMED_MOST]:
        context.ledger.event(
            EventLevel.PAGE, "file_lost",
            f"{row.file} of the night of {row.night} is damaged in both places ({row.says}); nothing was touched. "
            f"Restore the content with the sha256 {row.sha256} from elsewhere (the mountain?) and give `nightshift "
            f"archive mend`; {len(lost)} files are so in all."[:1000],
            subject=row.file, night_time=context.clock.now(),
        )  # fmt: skip


def _is_said_to_be_lost(context: Context, row: DamagedFile) -> bool:
    said = copy_queries.last_said(context.ledger, subject=row.file, kinds=["file_lost", "file_mended"])
    return said == "file_lost"


# --- the archive --------------------------------------------------------------------------------------------


def _mend_archived(context: Context, in_use: PlaceInUse | None, row: DamagedFile) -> bool:
    """Mend a file of the archive; return False where nothing good is left of it."""
    names = copy_queries.archived_as(context.ledger, site=context.site.name, night=row.night, sha256=row.sha256)
    known = next((name for name in names if name.path == row.file), None)
    if known is None:  # its night was archived anew meanwhile
        _set_mended(context, row)
        return True
    target = archive_path(context, row.file)
    if _fault_of_file(target, known) is not None:
        new = _good_one(context, in_use, known, names)
        if new is None:
            return False
        _replace(context, known, new, target)
    read_at = copy_queries.now(context.ledger)
    if fault := _fault_of_file(target, known):
        raise Retry(Reason.STORAGE_UNAVAILABLE, f"the archive does not keep what it gets: {row.file}: {fault}")
    with context.ledger.transaction() as ledger:
        _set_mended(context, row)
        copy_queries.set_archive_verified(
            ledger, site=context.site.name, night=row.night, path=row.file, sha256=row.sha256, read_at=read_at
        )
    _scratch(context, row.sha256, "damaged").unlink(missing_ok=True)
    return True


def _scratch(context: Context, sha256: str, what: str) -> Path:
    """Return a place on the archive's disk that no reader of the night's folder meets."""
    return context.depot.root / "archive" / SCRATCH / f"{sha256}.{what}"


def _fault_of_file(path: Path, known: ArchivedContent) -> str | None:
    return content_fault(lambda: chunks_of(path), known.sha256, known.bytes)


def _good_one(
    context: Context, in_use: PlaceInUse | None, known: ArchivedContent, names: list[ArchivedContent]
) -> Path | None:
    """Write a good one of a content beside the archive, of whatever still has it; None where nothing has."""
    new = _scratch(context, known.sha256, "new")
    for source in _sources(context, in_use, known, names):
        try:
            _write_checked(new, source, known)
        except (Gone, NotTheFile):
            continue
        except OSError as error:
            raise Retry(Reason.STORAGE_UNAVAILABLE, f"the archive cannot be written: {error}") from error
        return new
    if in_use is not None:
        in_use.check()  # what is not found at a place that is away is not lost
    return None


def _write_checked(new: Path, source: Callable[[], Iterable[bytes]], known: ArchivedContent) -> None:
    with new_file(new) as stream:
        for chunk in hashed_chunks(source(), known.sha256, known.bytes):
            stream.write(chunk)


def _sources(
    context: Context, in_use: PlaceInUse | None, known: ArchivedContent, names: list[ArchivedContent]
) -> Iterator[Callable[[], Iterable[bytes]]]:
    """Yield what may still hold a content: the second copy, and its other names in archive and depot."""
    if in_use is not None:
        place, key = in_use.place, copy_key(known.night, known.sha256)
        yield lambda: place.read(key)
    for name in names:
        for path in (archive_path(context, name.path), context.depot.absolute(name.source)):
            yield lambda path=path: chunks_of(path)  # type: ignore[misc]


def _replace(context: Context, known: ArchivedContent, new: Path, target: Path) -> None:
    """Let a good file take the place of a damaged one, under every name that this has in the night and the depot.

    The archive's name, by which it is known to be damaged, comes last.
    """
    aside = _scratch(context, known.sha256, "damaged")
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():
        _keep_aside(target, aside)
        for other in _other_names(context, known, target):
            _rename_link(new, other)
    new.replace(target)
    sync_folder(target.parent)


def _keep_aside(target: Path, aside: Path) -> None:
    """Keep a damaged file under another name; on a file system without links, as far as it reads."""
    aside.unlink(missing_ok=True)
    try:
        os.link(target, aside)
    except OSError:
        with suppress(OSError):
            shutil.copyfile(target, aside)


def _rename_link(new: Path, target: Path) -> None:
    """Give a file one more name, in place of what has that name."""
    link = new.with_suffix(".link")
    link.unlink(missing_ok=True)
    os.link(new, link)
    link.replace(target)
    sync_folder(target.parent)


def _other_names(context: Context, known: ArchivedContent, target: Path) -> list[Path]:
    """Return the names of the same file on the disk: its source in the depot, later versions of the night's bag."""
    if target.stat().st_nlink <= 1:
        return []
    candidates = [context.depot.absolute(known.source), *night_folder(context, known.night).rglob(target.name)]
    return [path for path in candidates if path != target and path.is_file() and path.samefile(target)]


# --- the copy -----------------------------------------------------------------------------------------------


def _mend_copy(context: Context, in_use: PlaceInUse, row: DamagedFile) -> bool:
    """Mend a second copy; return False where nothing good is left of its content."""
    place, ledger, site = in_use.place, context.ledger, context.site.name
    known = copy_queries.copy_of(ledger, site=site, night=row.night, sha256=row.sha256, place=place.name)
    if known is None:
        _set_mended(context, row)
        return True
    aside = f"{ASIDE}/{row.sha256}"
    if _fault_of_copy(in_use, row, known) is not None:
        good = _good_source(context, row, known)
        if good is None:
            check_archive_is_there(context)  # what is not found on a disk that is away is not lost
            return False
        place.set_aside(row.file, aside)
        place.write(row.file, hashed_chunks(chunks_of(good), row.sha256, known.bytes), known.bytes)
    read_at = copy_queries.now(ledger)
    if fault := _fault_of_copy(in_use, row, known):
        raise PlaceAway(f"{place.name} does not keep what it gets: {row.file}: {fault}")
    in_use.check()
    with ledger.transaction():
        _set_mended(context, row)
        copy_queries.set_copied(
            ledger, site=site, night=row.night, place=place.name, sha256s=[row.sha256], read_at=read_at
        )
    place.remove(aside)
    return True


def _fault_of_copy(in_use: PlaceInUse, row: DamagedFile, known: CopyOfContent) -> str | None:
    return content_fault(lambda: in_use.place.read(row.file), row.sha256, known.bytes)


def _good_source(context: Context, row: DamagedFile, known: CopyOfContent) -> Path | None:
    """Return a file of the archive or the depot that still has the content of a damaged copy, or None."""
    names = copy_queries.archived_as(context.ledger, site=context.site.name, night=row.night, sha256=row.sha256)
    paths = [archive_path(context, name.path) for name in names]
    paths += [context.depot.absolute(source) for source in (known.source, *(name.source for name in names))]
    return next((path for path in paths if _is_good(path, row.sha256, known.bytes)), None)


def _is_good(path: Path, sha256: str, size: int) -> bool:
    return content_fault(lambda: chunks_of(path), sha256, size) is None


def _set_mended(context: Context, row: DamagedFile) -> None:
    copy_queries.set_mended(
        context.ledger, site=context.site.name, night=row.night, place=row.place, file=row.file, sha256=row.sha256
    )
    copy_queries.set_list_stale(context.ledger, site=context.site.name, night=row.night)
