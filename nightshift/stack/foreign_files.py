"""What lies in a replay's home and was never played: somebody sent it while the stack was up.

The ledger is offline when this is asked, so files are known by their names. In quarantine they are named by their
arrival: there, what was played is known by its bytes.
"""

import filecmp
import stat
from collections.abc import Collection, Iterator
from pathlib import Path

from nightshift.ingest.arrival import look_at
from nightshift.ingest.leave import note_of
from nightshift.ingest.manifests import is_manifest
from nightshift.ingest.set_aside import NOTE
from nightshift.settings import Deployment
from nightshift.stack.home import Home

__all__ = ["sent_files"]


def sent_files(home: Home, deployment: Deployment, played: Collection[Path]) -> list[Path]:
    """Return the files among the raw frames, in the inbox and in quarantine that were not played.

    Parameters
    ----------
    home : Home
    deployment : Deployment
        It says which names are manifests: those in the inbox are not counted.
    played : collection of Path
        What was played, where it was taken from. A file that has gone from there explains none in quarantine.
    """
    names = {path.name for path in played}
    raw = (path for path in _files(home.depot / "raw") if path.name not in names)
    inbox = (
        path
        for path in _files(home.inbox)
        if _whole_name(path) not in names and not is_manifest(path.name, *deployment.surveys)
    )
    quarantine = (
        path
        for path in _files(home.depot / "quarantine")
        if path.suffix != NOTE and not any(_is_kept_of(path, file) for file in played)
    )
    return [*raw, *inbox, *quarantine]


def _files(folder: Path) -> Iterator[Path]:
    """What lies below a folder, links and special files too."""
    return (path for path in sorted(folder.rglob("*")) if path.is_symlink() or not path.is_dir())


def _whole_name(path: Path) -> str:
    """The name that a file of the inbox has or, where the player was killed while it wrote it, would have had."""
    if path.name.startswith(".") and path.name.endswith(".tmp"):
        return path.name[1:].rsplit(".", 2)[0]
    return path.name


def _is_kept_of(quarantined: Path, played: Path) -> bool:
    """Whether a file in quarantine has the bytes of one that was played, or is the note of a link or special file."""
    try:
        if not stat.S_ISREG(quarantined.lstat().st_mode):
            return False
        if stat.S_ISREG(played.lstat().st_mode):
            return filecmp.cmp(quarantined, played, shallow=False)
        return quarantined.read_bytes() == note_of(look_at(played, 0))
    except OSError:
        return False
