"""Let a restored ledger learn what came after its backup: from the files that the depot and the archive still have.

Raw frames and manifests go through the inbox again, one after the other in the order in which they came. Files that
were set aside, and repeats, are entered as the notes beside them say. Packets that were published are noted, so that
an alert that is made again is the same one. What attempts left of which the ledger knows nothing is put aside.
"""

import json
import os
import re
import tarfile
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from hashlib import sha256
from itertools import islice
from pathlib import Path

from nightshift.context import Context
from nightshift.errors import BadInput, NeedsOperator
from nightshift.files import copy_whole
from nightshift.ingest.ingest import ingest_all
from nightshift.ingest.manifests import is_manifest
from nightshift.ingest.set_aside import NOTE, enter_again
from nightshift.jobs.contract import read_job_file
from nightshift.ledger.queries import backup as backup_queries
from nightshift.vocabulary import Disposition, EventLevel, Reason

__all__ = ["Reconciled", "free_name", "reconcile"]

NIGHTS_BEFORE = timedelta(days=2)  # files of a night may come a while after it
BATCH = 1000
ASIDE = ".before-restore"
NIGHT_FOLDER = re.compile(r"(\d{4})/(\d{2})(\d{2})")
JOB_FILE = re.compile(r"job_\d+\.json")
PACKET = re.compile(r"(\d+)\.avro")


@dataclass
class Reconciled:
    """What a reconciliation found. Nothing is counted twice when it runs again.

    Parameters
    ----------
    frames, manifests : int
        Files that were taken in again.
    set_aside : int
        Files of the quarantine, and repeats, that were entered again.
    packets : int
        Alerts that were published after the backup.
    attempts : int
        Folders of attempts that were put aside.
    left : list of str
        What could not be taken in, and why.
    """

    frames: int = 0
    manifests: int = 0
    set_aside: int = 0
    packets: int = 0
    attempts: int = 0
    left: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        text = (
            f"{self.frames} frames and {self.manifests} manifests were taken in again, {self.set_aside} files of the "
            f"quarantine entered again, {self.packets} published alerts noted, {self.attempts} attempts put aside"
        )
        return f"{text}; {len(self.left)} files were left" if self.left else text


def reconcile(context: Context, *, since: date | None = None, dry_run: bool = False) -> Reconciled:
    """Take in again what lies in the depot and its archive and is not in the ledger. May run again.

    Parameters
    ----------
    context : Context
    since : date, optional
        The first night that is looked at; by default two days before what was under way in the backup from which the
        ledger was restored.
    dry_run : bool
        Count only, and change nothing.

    Raises
    ------
    nightshift.errors.NeedsOperator
        If the ledger was never restored, and no night was named.
    """
    began = time.monotonic()
    restored = backup_queries.last_good_step(context.ledger, step="restore")
    if since is None:
        since = _first_night(context, restored.taken_at if restored else None)
    done = Reconciled()
    done.packets = _note_published(context, since, dry_run=dry_run)
    done.attempts = _put_attempts_aside(context, since, dry_run=dry_run)
    done.set_aside = _enter_set_aside(context, since, done, dry_run=dry_run)
    _take_in_again(context, since, done, dry_run=dry_run)
    if not dry_run:
        _note(context, restored.backup if restored else "", done, time.monotonic() - began)
    return done


def _first_night(context: Context, taken_at: datetime | None) -> date:
    if taken_at is None:
        raise NeedsOperator(
            Reason.INTERNAL_ERROR,
            "the ledger was not restored from a backup: name the first night to look at (--since)",
        )
    under_way = backup_queries.first_night_under_way(context.ledger)
    return min(taken_at.date(), under_way or taken_at.date()) - NIGHTS_BEFORE


def _note(context: Context, backup: str, done: Reconciled, seconds: float) -> None:
    detail = "; ".join([str(done), *done.left])[:1000]
    backup_queries.put_step(
        context.ledger, step="reconcile", backup=backup, good=True, detail=detail, taken_at=None, seconds=seconds
    )
    context.ledger.event(
        EventLevel.ERROR if done.left else EventLevel.INFO, "ledger_reconciled", detail, subject=backup,
        night_time=context.clock.now(),
    )  # fmt: skip


# --- where files are ----------------------------------------------------------------------------------------


def _night_folders(root: Path, since: date) -> list[Path]:
    """Return the dated folders below a folder, ``YYYY/MMDD``, from a night on."""
    found = []
    for folder in sorted(root.glob("[0-9][0-9][0-9][0-9]/[0-9][0-9][0-9][0-9]")):
        match = NIGHT_FOLDER.fullmatch(folder.relative_to(root).as_posix())
        with suppress(ValueError):  # it is no date
            if match and date(*map(int, match.groups())) >= since:
                found.append(folder)
    return found


def _files_below(folders: Iterable[Path]) -> Iterator[Path]:
    for folder in folders:
        yield from (p for p in sorted(folder.rglob("*")) if p.is_file() and not p.name.startswith("."))


def _unknown(context: Context, places: Iterable[str]) -> Iterator[str]:
    """Yield which places of the depot the ledger has nothing about."""
    waiting = iter(places)
    while batch := list(islice(waiting, BATCH)):
        known = {row.place for row in backup_queries.known_places(context.ledger, places=batch)}
        yield from (place for place in batch if place not in known)


# --- alerts and attempts ------------------------------------------------------------------------------------


def _note_published(context: Context, since: date, *, dry_run: bool) -> int:
    """Note every packet in tars that the ledger does not know."""
    depot, count = context.depot, 0
    tars = (depot.relative(path) for path in _files_below(_night_folders(depot.root / "alerts", since)))
    for place in _unknown(context, tars):
        try:
            packets = list(_packets(depot.absolute(place)))
        except (OSError, tarfile.TarError):  # not one of ours, or torn: it was never sent
            continue
        count += len(packets)
        if packets and not dry_run:
            candids, offsets, sizes, digests = (list(column) for column in zip(*packets, strict=True))
            backup_queries.put_published(
                context.ledger, packet_path=place, candids=candids, offsets=offsets, sizes=sizes, digests=digests
            )
    return count


def _packets(path: Path) -> Iterator[tuple[int, int, int, str]]:
    """Yield candid, offset, size and sha256 of each packet in a tar."""
    with tarfile.open(path, "r:") as tar:
        for member in tar:
            stream, match = tar.extractfile(member), PACKET.fullmatch(member.name)
            if stream is not None and match is not None:
                yield int(match[1]), member.offset_data, member.size, sha256(stream.read()).hexdigest()


def _put_attempts_aside(context: Context, since: date, *, dry_run: bool) -> int:
    """Rename the folders of attempts of submissions that the ledger does not know; their numbers come again."""
    depot, count = context.depot, 0
    files = _files_below(_night_folders(depot.root / "work", since))
    jobs = (depot.relative(path) for path in files if JOB_FILE.fullmatch(path.name))
    for place in _unknown(context, list(jobs)):
        path = depot.absolute(place)
        with suppress(BadInput):
            for unit in read_job_file(path).units:
                folder = Path(unit.folder)
                if folder.is_dir() and folder.is_relative_to(depot.root):
                    count += 1
                    if not dry_run:
                        folder.rename(free_name(folder))
        if not dry_run:
            path.rename(free_name(path))
    return count


def free_name(path: Path) -> Path:
    """Return a name beside a path that nothing has."""
    number = 1
    while os.path.lexists(free := path.with_name(f"{path.name}{ASIDE}-{number}")):
        number += 1
    return free


# --- files of the mountain ----------------------------------------------------------------------------------


def _enter_set_aside(context: Context, since: date, done: Reconciled, *, dry_run: bool) -> int:
    """Enter files that were quarantined, and repeats, as the notes beside them say."""
    count = 0
    folders = _night_folders(context.depot.root / "quarantine", since)
    notes = [path for folder in folders for path in sorted(folder.glob(f"*{NOTE}"))]
    for note in notes:
        try:
            count += enter_again(context, note, dry_run=dry_run)
        except BadInput as error:
            done.left.append(str(error))
    for folder in folders:
        alone = [p for p in folder.iterdir() if p.suffix != NOTE and not p.with_name(f"{p.name}{NOTE}").exists()]
        unknown = _unknown(context, [context.depot.relative(path) for path in sorted(alone)])
        done.left += [f"{place} has no note of what it was" for place in unknown]
    return count


@dataclass(frozen=True)
class _Found:
    """A file that the ledger does not know, and the name by which it goes through the inbox."""

    path: Path
    name: str
    came_at: float


def _take_in_again(context: Context, since: date, done: Reconciled, *, dry_run: bool) -> None:
    """Let raw frames and manifests go through the inbox once more, in the order in which they were written."""
    found = sorted(
        [*_raw_files(context, since), *_manifests(context, since, done)], key=lambda f: (f.came_at, f.name)
    )
    for file in found:
        target = context.inbox / file.name
        if os.path.lexists(target):
            done.left.append(f"{file.path}: the inbox has another file of that name; reconcile again later")
            continue
        if not dry_run:
            copy_whole(file.path, target)  # no link: a file whose links change is another file to ingest
            arrivals = ingest_all(context, [target])
            if wrong := [a for a in arrivals if a.disposition is not Disposition.REGISTERED]:
                done.left.append(
                    f"{file.path} is now {wrong[0].disposition}: {wrong[0].reason or ''} {wrong[0].detail}"
                )
                continue
        if is_manifest(file.name, *context.deployment.surveys):
            done.manifests += 1
        else:
            done.frames += 1


def _raw_files(context: Context, since: date) -> Iterator[_Found]:
    """Yield raw files that the ledger does not know: of the depot, and those that only the archive still has."""
    depot = context.depot
    places = {depot.relative(path): path for path in _files_below(_night_folders(depot.root / "raw", since))}
    for path in _archived(context, since, "raw"):
        places.setdefault(_place_of_archived(path, "raw"), path)
    for place in _unknown(context, list(places)):
        path = places[place]
        yield _Found(path, path.name, path.stat().st_mtime)


def _archived(context: Context, since: date, what: str) -> Iterator[Path]:
    """Yield the archive's files of one of the depot's folders, of a survey of one site and of several."""
    root = context.depot.root / "archive"
    for folder in _night_folders(root, since):
        yield from _files_below(p for p in (folder / what, *folder.glob(f"*/{what}")) if p.is_dir())


def _place_of_archived(path: Path, what: str) -> str:
    """Return the place below the depot of a file of the archive, which keeps it below the night's folder."""
    parts = path.parts
    return "/".join(parts[len(parts) - 1 - parts[::-1].index(what) :])


def _manifests(context: Context, since: date, done: Reconciled) -> Iterator[_Found]:
    """Yield manifests that the ledger does not know, each with a name that its site's manifests may have."""
    depot = context.depot
    places = {depot.relative(path): path for path in _files_below(_night_folders(depot.root / "manifests", since))}
    for path in _archived(context, since, "manifests"):
        places.setdefault(_place_of_archived(path, "manifests"), path)
    for place in _unknown(context, list(places)):
        path = places[place]
        name = _manifest_name(context, path)
        if name is None:
            done.left.append(f"{path}: no name is known that a manifest may have; put it into the inbox by hand")
        else:
            yield _Found(path, name, path.stat().st_mtime)


def _manifest_name(context: Context, path: Path) -> str | None:
    """Return a name for a manifest: as earlier ones were called, or as they usually are; None where none fits."""
    try:
        table = json.loads(path.read_bytes())
        site, night, parts = table["site"], date.fromisoformat(table["night"]), int(table.get("parts", 1))
        part = int(table.get("part", 1))
    except (ValueError, KeyError, TypeError):
        return None
    names = [
        earlier.inbox_name.replace(f"{earlier.night:%Y%m%d}", f"{night:%Y%m%d}")
        for earlier in backup_queries.manifest_names(context.ledger, site=site)
        if parts == 1
    ]
    usual = f"manifest_{night:%Y%m%d}"
    names += [f"{usual}.json"] if parts == 1 else [f"{usual}_{part}.json", f"{usual}_{part:02d}.json"]
    names.append(f"manifest_{site}_{night:%Y%m%d}.json")
    return next((name for name in names if is_manifest(name, *context.deployment.surveys)), None)
