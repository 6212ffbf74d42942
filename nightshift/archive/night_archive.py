"""The night's files, gathered into a bag with their checksums, and read back.

What "archived and verified" is
    A file is archived when a row of ``archive_files`` has its source and its sha256, and verified when that row's
    ``verified_at`` is set: then the file at the row's ``path`` was read back from the archive after it was placed,
    and found equal. The row of a file that is found to differ loses its mark. Ask for a file of the depot by source
    and sha256 together: a file that was made anew is not archived because one of its name was.

A row's path is where the archive got the file, and stays so: later versions of the bag have a link to it
(`nightshift.archive.bags`). Where links are not possible, they have a copy that the ledger does not name; `verify`
reads it back too.

The archive holds a hard link to each file of the depot where the file system allows it, and a copy where it does not.
Files of the depot are never written to after they appeared, so a link costs no space and no time, and housekeeping
may later remove the depot's name of the file without touching the archive's. A survey that wants its archive on other
disks mounts them at the depot's ``archive`` folder: then every file is copied.
"""

from dataclasses import dataclass
from datetime import date
from pathlib import Path

from nightshift.archive.alerts_tar import ALERTS_KIND, alerts_tar_name
from nightshift.archive.bags import contents, held_files, payload_name
from nightshift.archive.filling import fill
from nightshift.archive.night_folder import CHECKSUMS, Entry, NightFolder
from nightshift.archive.placing import in_batches, in_threads, is_same_file, writing_to
from nightshift.archive.wanted import wanted_files
from nightshift.context import Context
from nightshift.errors import NeedsOperator
from nightshift.files import sha256_of, write_whole
from nightshift.ledger.advisory_lock import LockedWork, advisory_lock
from nightshift.ledger.queries import archive as archive_queries
from nightshift.ledger.queries.archive import ArchivedFile
from nightshift.vocabulary import Reason

__all__ = [
    "Archived",
    "Fault",
    "Verification",
    "add_to_archive",
    "archive",
    "night_folder",
    "not_archived",
    "verify",
]


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


def archive(context: Context, night: date) -> Archived:
    """Put a night's raw frames, products, alert packets and manifests into its bag, as far as the settings keep them.

    May run again: what is there stays, what changed or came since is added; into a version of its own where the last
    one is sealed. ``SHA256SUMS`` in the night's folder lists everything in the form that ``sha256sum --check`` reads.
    Nothing is read back here: see `verify`.

    Parameters
    ----------
    context : Context
    night : date

    Returns
    -------
    Archived
        A file that the ledger names and that is lost is passed over with a call for a human; `verify` finds it too.

    Raises
    ------
    Retry
        If the archive does not take what belongs there, or another process archives the night just now.
    """
    folder = NightFolder(context, night)
    with (
        writing_to(folder.path),
        advisory_lock(context.ledger, LockedWork.ARCHIVE, folder.of_lock),
        folder.no_leftovers(),
    ):
        folder.path.mkdir(parents=True, exist_ok=True)
        done = fill(folder)
        folder.call(done.faults)
        rows = _write_checksums(folder)
    return Archived(folder.path, len(rows), sum(row.bytes for row in rows), done.added)


def add_to_archive(context: Context, night: date, name: str, *, kind: str, sha256: str, size: int) -> str:
    """Enter a file that was written into a night's folder, beside its bags, and read it back.

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
    folder = NightFolder(context, night)
    path = f"{folder.below}/{name}"
    folder.enter([Entry(path, kind, f"archive/{path}", sha256, size)])
    _write_checksums(folder)
    row = next(row for row in folder.rows() if row.path == path)
    if fault := _fault(folder.place_of(row), row):
        raise NeedsOperator(Reason.INPUT_LOST, f"{fault.path}: {fault.text}; the archive does not keep what it gets")
    archive_queries.set_verified(context.ledger, **folder.key, paths=[path])
    return path


def verify(context: Context, night: date, *, unread_only: bool = False) -> Verification:
    """Read the archive of a night back and compare every file with its checksum.

    A file that is gone or differs loses its mark, and a human is called. May run again, at any later time. The bag of
    a closed night that is good is sealed.

    Parameters
    ----------
    context : Context
    night : date
    unread_only : bool
        Whether to leave out what was read back before and found equal.

    Returns
    -------
    Verification
        Also of an archive that was never filled, with a fault that says so.
    """
    folder = NightFolder(context, night)
    rows = [row for row in folder.rows() if not (unread_only and row.verified_at)]
    faults = _read_back(folder, rows)
    faults += _read_copies(folder)
    faults = sorted(faults) + not_archived(context, night)
    folder.call([f"{f.path}: {f.text}. Restore it, then archive and verify the night again." for f in faults])
    if not faults:
        folder.say_that_it_is_good()
        archive_queries.seal_bag(context.ledger, **folder.key)
    return Verification(len(rows), sum(row.bytes for row in rows), tuple(faults))


def not_archived(context: Context, night: date) -> list[Fault]:
    """Return what belongs in the night's archive and is not there by the ledger."""
    folder = NightFolder(context, night)
    held = contents(held_files(folder.rows(), folder.below))
    faults = []
    for wanted in wanted_files(context, night):
        known = held.get(wanted.source)
        if known is None or wanted.sha256 not in (None, known.row.sha256):
            faults.append(Fault(wanted.source, "it is not in the archive"))
    tar, keeps = alerts_tar_name(folder), context.archive_policy.keeps(ALERTS_KIND)
    if keeps and tar not in held and archive_queries.packets(context.ledger, **folder.key):
        faults.append(Fault(tar, "the tar of the night's alerts was not made"))
    bags = folder.bags()
    if bags and not bags[-1].complete:
        faults.append(Fault(bags[-1].name, "the bag is not finished; archive the night again"))
    return faults


def night_folder(context: Context, night: date) -> Path:
    """Return the folder of a night; where several sites have one of that date, it is below their names."""
    return NightFolder(context, night).path


def _write_checksums(folder: NightFolder) -> list[ArchivedFile]:
    """Write the list of all that a night's archive holds by the ledger, and return its rows.

    One at a time reads the rows and writes them, after entering its own: who comes last has those of all.
    """
    with advisory_lock(folder.context.ledger, LockedWork.CHECKSUMS, folder.of_lock):
        for left in folder.path.glob(f".{CHECKSUMS}.*.tmp"):  # by a process that was killed
            left.unlink(missing_ok=True)
        rows = folder.rows()
        write_whole(folder.path / CHECKSUMS, "".join(_lines(rows, folder.below)).encode())
    return rows


def _lines(rows: list[ArchivedFile], below: str) -> list[str]:
    return [checksum_line(row.sha256, row.path.removeprefix(f"{below}/")) for row in rows]


def checksum_line(sha256: str, name: str) -> str:
    """Return one line as ``sha256sum`` writes it: a name with a backslash or line end is escaped and so marked."""
    escaped = name.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")
    return f"{'' if escaped == name else chr(92)}{sha256}  {escaped}\n"


def _read_back(folder: NightFolder, rows: list[ArchivedFile]) -> list[Fault]:
    """Compare files with their rows and mark them, a transaction a batch; return those that differ."""
    ledger, found = folder.context.ledger, []

    def compare(row: ArchivedFile) -> Fault | None:
        return _fault(folder.place_of(row), row)

    for batch in in_batches(rows, lambda row: row.bytes):
        outcomes = list(in_threads(compare, batch, folder.context.archive_policy.threads))
        faults = [fault for _, fault in outcomes if isinstance(fault, Fault)]
        good = [row.path for row, fault in outcomes if fault is None]
        with ledger.transaction():
            archive_queries.set_verified(ledger, **folder.key, paths=good)
            archive_queries.set_unverified(ledger, **folder.key, paths=[fault.path for fault in faults])
        found += faults
    return found


def _read_copies(folder: NightFolder) -> list[Fault]:
    """Compare what the last version of the bag has of earlier ones and is no link to them.

    A version that is not sealed is to be filled again where one differs.
    """
    bags = folder.bags()
    if not bags:
        return []
    last, below = bags[-1], folder.below

    def compare(row: ArchivedFile, copy: Path) -> Fault | None:
        fault = None if is_same_file(folder.place_of(row), copy) else _fault(copy, row)
        return fault and Fault(copy.relative_to(folder.root).as_posix(), fault.text)

    held = contents(held_files(folder.rows(), below)).values()
    copies = [
        (file.row, folder.path / last.name / payload_name(file.name))
        for file in held if file.version < last.version and last.complete
    ]  # fmt: skip
    found = []
    for batch in in_batches(copies, lambda pair: pair[0].bytes):
        outcomes = in_threads(lambda pair: compare(*pair), batch, folder.context.archive_policy.threads)
        found += [fault for _, fault in outcomes if isinstance(fault, Fault)]
    if found:
        archive_queries.set_complete(folder.context.ledger, **folder.key, version=last.version, complete=False)
    return found


def _fault(path: Path, row: ArchivedFile) -> Fault | None:
    """Compare one archived file with its row."""
    try:
        if not path.is_file():
            return Fault(row.path, "it is gone")
        if path.stat().st_size != row.bytes:
            return Fault(row.path, f"it has {path.stat().st_size} bytes, not {row.bytes}")
        if sha256_of(path) != row.sha256:
            return Fault(row.path, "its content differs from its checksum")
    except OSError as error:
        return Fault(row.path, f"it does not read ({error.strerror})")
    return None
