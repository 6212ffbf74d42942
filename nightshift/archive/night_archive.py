"""The night's files, gathered under one folder with their checksums, and read back.

The archive holds a hard link to each file where the file system allows it and a copy where it does not. Files of
the depot are never written to after they appeared, so a link costs no space and no time, and housekeeping may
later remove the depot's name of the file without touching the archive's. A survey that wants its archive on
other disks mounts them at the depot's ``archive`` folder: then every file is copied.
"""

import os
import secrets
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from nightshift.alerts.tars import Member, read_member, write_tar
from nightshift.context import Context
from nightshift.errors import NeedsOperator
from nightshift.files import copy_whole, sha256_of, write_whole
from nightshift.ledger.advisory_lock import LockedWork, advisory_lock
from nightshift.ledger.queries import ledger as ledger_queries
from nightshift.ledger.queries import night_end as night_end_queries
from nightshift.ledger.queries.night_end import ArchivedFile, Packet
from nightshift.night_end.night_rows import night_text
from nightshift.vocabulary import EventLevel, Reason

__all__ = [
    "Archived",
    "Fault",
    "Verification",
    "add_to_archive",
    "archive",
    "checksum_line",
    "night_folder",
    "not_archived",
    "verify",
]

CHECKSUMS = "SHA256SUMS"


@dataclass(frozen=True)
class Archived:
    """What the archive of a night holds."""

    folder: Path
    files: int
    bytes: int
    added: int  # by this call


@dataclass(frozen=True, order=True)
class Fault:
    """One archived file that is not what it was."""

    path: str
    text: str


@dataclass(frozen=True)
class Verification:
    """What reading the archive back found."""

    files: int
    bytes: int
    faults: tuple[Fault, ...]

    @property
    def good(self) -> bool:
        """Whether every file was read back and found equal."""
        return not self.faults


@dataclass(frozen=True)
class _Wanted:
    """A file that belongs in the archive."""

    path: str  # below the night's folder
    kind: str
    source: str  # below the depot
    sha256: str
    bytes: int


def archive(context: Context, night: date) -> Archived:
    """Put a night's raw frames, products, alert packets and manifests into its archive.

    May run again: what is there stays, what changed or came since is added. ``SHA256SUMS`` in the night's folder
    lists everything in the form that ``sha256sum --check`` reads. Nothing is read back here: see `verify`.

    Parameters
    ----------
    context : Context
    night : date

    Returns
    -------
    Archived
        A file that the ledger names and that is lost is passed over with a call for a human; `verify` finds it too.
    """
    site = context.site.name
    folder = night_folder(context, night)
    folder.mkdir(parents=True, exist_ok=True)
    below = folder.relative_to(_root(context)).as_posix()
    there = {row.path: row for row in night_end_queries.archived(context.ledger, site=site, night=night)}
    added = 0
    for wanted in _files(context, night):
        row = there.get(f"{below}/{wanted.path}")
        try:
            if row is None or row.sha256 != wanted.sha256 or not (folder / wanted.path).exists():
                _place(context, wanted, folder / wanted.path)
                added += _enter(context, night, wanted)
        except NeedsOperator as error:
            _call(context, night, str(error))
    try:
        if tar := _nightly_tar(context, night):
            row = there.get(f"{below}/{tar.path}")
            added += _enter(context, night, tar) if row is None or row.sha256 != tar.sha256 else 0
    except NeedsOperator as error:
        _call(context, night, str(error))
    rows = _write_checksums(context, night)
    return Archived(folder, len(rows), sum(row.bytes for row in rows), added)


def add_to_archive(context: Context, night: date, name: str, *, kind: str, sha256: str, size: int) -> str:
    """Enter a file that was written into a night's archive, and read it back.

    Parameters
    ----------
    context : Context
    night : date
    name : str
        Of the file, in the night's folder.
    kind : str
        Of the row in the ledger.
    sha256 : str
        In hexadecimal, of what was to be written: taken in memory and never from the disk, which is judged by it.
    size : int
        In bytes, of the same.

    Returns
    -------
    str
        Its place below the archive.

    Raises
    ------
    NeedsOperator
        If it does not read back as it was entered.
    """
    path = night_folder(context, night) / name
    _enter(context, night, _Wanted(name, kind, context.depot.relative(path), sha256, size))
    _write_checksums(context, night)
    place = path.relative_to(_root(context)).as_posix()
    ledger, site = context.ledger, context.site.name
    row = next(row for row in night_end_queries.archived(ledger, site=site, night=night) if row.path == place)
    if fault := _fault(path, row):
        raise NeedsOperator(Reason.INPUT_LOST, f"{fault.path}: {fault.text}; the archive does not keep what it gets")
    night_end_queries.set_verified(ledger, site=site, night=night, paths=[place])
    return place


def _write_checksums(context: Context, night: date) -> list[ArchivedFile]:
    """Write the list of all that a night's archive holds by the ledger, and return its rows.

    One at a time reads the rows and writes them, after entering its own: who comes last has those of all.
    """
    folder, site = night_folder(context, night), context.site.name
    below = folder.relative_to(_root(context)).as_posix()
    with advisory_lock(context.ledger, LockedWork.CHECKSUMS, f"{site}/{below}"):
        rows = night_end_queries.archived(context.ledger, site=site, night=night)
        write_whole(folder / CHECKSUMS, "".join(_lines(rows, below)).encode())
    return rows


def verify(context: Context, night: date) -> Verification:
    """Read the archive of a night back and compare every file with its checksum.

    A file that is gone or differs loses its mark, and a human is called. May run again, at any later time.

    Parameters
    ----------
    context : Context
    night : date

    Returns
    -------
    Verification
        Also of an archive that was never filled, with a fault that says so.
    """
    site = context.site.name
    rows = night_end_queries.archived(context.ledger, site=site, night=night)
    checked = {row.path: _fault(_root(context) / row.path, row) for row in rows}
    faults = sorted(fault for fault in checked.values() if fault)
    with context.ledger.transaction() as ledger:
        good = [path for path, fault in checked.items() if not fault]
        night_end_queries.set_verified(ledger, site=site, night=night, paths=good)
        night_end_queries.set_unverified(ledger, site=site, night=night, paths=[fault.path for fault in faults])
    faults += not_archived(context, night)
    for fault in faults:
        _call(context, night, f"{fault.path}: {fault.text}. Restore it, then archive and verify the night again.")
    return Verification(len(rows), sum(row.bytes for row in rows), tuple(faults))


def not_archived(context: Context, night: date) -> list[Fault]:
    """Return what belongs in the night's archive and is not there by the ledger."""
    ledger, site = context.ledger, context.site.name
    rows = night_end_queries.archived(ledger, site=site, night=night)
    there = {(row.source, row.sha256) for row in rows}
    faults = [
        Fault(wanted.source, "it is not in the archive")
        for wanted in night_end_queries.files_to_archive(ledger, site=site, night=night)
        if (wanted.source, wanted.sha256) not in there
    ]
    tars = {row.source for row in rows if row.kind == "packets"}
    for tar in night_end_queries.packet_tars(ledger, site=site, night=night):
        if tar.packet_path not in tars:
            faults.append(Fault(tar.packet_path, "it is not in the archive"))
    kinds = {row.kind for row in rows}
    if "alerts" not in kinds and night_end_queries.packets(ledger, site=site, night=night):
        faults.append(Fault(_tar_name(context, night), "the tar of the night's alerts was not made"))
    return faults


def _call(context: Context, night: date, message: str) -> None:
    """Call a human, once for each message."""
    subject = night_text(context.site, night)
    if not ledger_queries.event_said_so(context.ledger, kind="archive_fault", subject=subject, message=message):
        context.ledger.event(
            EventLevel.PAGE, "archive_fault", message, subject=subject, night_time=context.clock.now()
        )


def _enter(context: Context, night: date, wanted: "_Wanted") -> int:
    """Write an archived file into the ledger."""
    below = night_folder(context, night).relative_to(_root(context)).as_posix()
    return night_end_queries.put_archived(
        context.ledger, site=context.site.name, night=night, path=f"{below}/{wanted.path}",
        kind=wanted.kind, source=wanted.source, sha256=wanted.sha256, bytes=wanted.bytes,
    )  # fmt: skip


def checksum_line(sha256: str, name: str) -> str:
    """Return one line as ``sha256sum`` writes it: a name with a backslash or line end is escaped and so marked."""
    escaped = name.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")
    return f"{'' if escaped == name else chr(92)}{sha256}  {escaped}\n"


def _lines(rows: list[ArchivedFile], below: str) -> list[str]:
    return [checksum_line(row.sha256, row.path.removeprefix(f"{below}/")) for row in rows]


def night_folder(context: Context, night: date) -> Path:
    """Return the folder of a night; where several sites have one of that date, it is below their names."""
    below = f"{context.site.name}/" if context.deployment.has_several_sites else ""
    return context.depot.archive(night, f"{below}{CHECKSUMS}").parent


def _root(context: Context) -> Path:
    return context.depot.root / "archive"


def _files(context: Context, night: date) -> list[_Wanted]:
    """Return everything that already is a file. In the archive it keeps its place below the depot."""
    ledger, site = context.ledger, context.site.name
    wanted = []
    for row in night_end_queries.files_to_archive(ledger, site=site, night=night):
        path = context.depot.absolute(row.source)
        size = row.bytes or (path.stat().st_size if path.is_file() else 0)
        wanted.append(_Wanted(row.source, row.kind, row.source, row.sha256, size))
    for tar in night_end_queries.packet_tars(ledger, site=site, night=night):
        path = context.depot.absolute(tar.packet_path)
        if path.is_file():
            sha256, size = sha256_of(path), path.stat().st_size
        else:  # lost: `_place` says so
            sha256, size = "", 0
        wanted.append(_Wanted(tar.packet_path, "packets", tar.packet_path, sha256, size))
    return wanted


def _nightly_tar(context: Context, night: date) -> _Wanted | None:
    """Write the tar of all alerts that left into the archive, in the order of their numbers; None without alerts."""
    packets = night_end_queries.packets(context.ledger, site=context.site.name, night=night)
    if not packets:
        return None
    name = _tar_name(context, night)
    path = night_folder(context, night) / name
    write_tar(path, ((f"{packet.candid}.avro", _packet(context, packet)) for packet in packets))
    return _Wanted(name, "alerts", context.depot.relative(path), sha256_of(path), path.stat().st_size)


def _tar_name(context: Context, night: date) -> str:
    return f"{context.deployment.name}_{night:%Y%m%d}_alerts.tar"


def _packet(context: Context, packet: Packet) -> bytes:
    """Read one packet out of its exposure's tar; it must be what was sent."""
    place = Member(packet.packet_offset, packet.packet_bytes, packet.packet_sha256)
    return read_member(_existing(context, packet.packet_path), place)


def _existing(context: Context, relative: str) -> Path:
    path = context.depot.absolute(relative)
    if not path.is_file():
        raise NeedsOperator(
            Reason.INPUT_LOST,
            f"{relative} is not in the depot {context.depot.root}, where the ledger says that it is. Restore it "
            "and archive the night again.",
        )
    return path


def _place(context: Context, wanted: _Wanted, target: Path) -> None:
    """Let the file appear in the archive, as a link where that is possible and as a copy where not."""
    source = _existing(context, wanted.source)
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.parent / f".{secrets.token_hex(8)}.tmp"
    try:
        try:
            os.link(source, temporary, follow_symlinks=False)
        except OSError:  # another file system, or one without links
            copy_whole(source, temporary)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)  # also where both already were the same file: then replace does nothing


def _fault(path: Path, row: ArchivedFile) -> Fault | None:
    """Compare one archived file with its row."""
    if not path.is_file():
        return Fault(row.path, "it is gone")
    if path.stat().st_size != row.bytes:
        return Fault(row.path, f"it has {path.stat().st_size} bytes, not {row.bytes}")
    if sha256_of(path) != row.sha256:
        return Fault(row.path, "its content differs from its checksum")
    return None
