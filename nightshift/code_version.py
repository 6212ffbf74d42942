"""Which code this is: the commit of what was imported.

Every product, FITS header and result file records it, and a night records the one it was opened with.
"""

import re
import subprocess
from functools import cache
from pathlib import Path

from nightshift import __version__

__all__ = ["CHANGED", "UNCHECKED", "code_version", "version_of"]

CHANGED = "+changed"  # tracked files differ from the commit
UNCHECKED = "+unchecked"  # whether they do is not known: git is not installed, or does not answer
COMMIT_FILE = "_commit"  # beside this module; deploy/Dockerfile writes it, as an image has no checkout
ROOT = Path(__file__).resolve().parents[1]
GIT_TIMEOUT_S = 20.0
# Settings have hashes of their own: a site that edits them has not changed the code.
ALL_BUT_SETTINGS = ("--", ".", ":(exclude)config")
_COMMIT = re.compile(r"[0-9a-f]{40,64}")


@cache
def code_version() -> str:
    """Return the version of the code that this process runs, worked out once.

    Returns
    -------
    str
        The commit of the checkout, followed by ``+changed`` where tracked files differ from it (``+unchecked`` where
        that cannot be found out). Without a checkout: what was written at the installation, or else the version of
        the package.
    """
    return version_of(ROOT)


def version_of(root: Path) -> str:
    """Return the version of the code in a folder; see `code_version`."""
    if (root / ".git").exists():
        return _asked_of_git(root) or _read_from_git_folder(root) or __version__
    try:
        return (root / "nightshift" / COMMIT_FILE).read_text().strip() or __version__
    except OSError:
        return __version__


def _asked_of_git(root: Path) -> str | None:
    """Return what git reports, or None where it cannot be run or refuses."""
    commit = _git(root, "rev-parse", "HEAD")
    if commit is None or not _COMMIT.fullmatch(commit):
        return None
    changes = _git(root, "status", "--porcelain", "--untracked-files=no", *ALL_BUT_SETTINGS)
    if changes is None:
        return commit + UNCHECKED
    return commit + (CHANGED if changes else "")


def _git(root: Path, *arguments: str) -> str | None:
    # The folder may belong to another user (a node's job runs as the survey's account): its code was imported all the
    # same. No hook or monitor that its configuration names is started, and nothing is written to it.
    command = (
        "git", "-c", f"safe.directory={root}", "-c", "core.fsmonitor=false", "--no-optional-locks",
        "-C", str(root), *arguments,
    )  # fmt: skip
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=GIT_TIMEOUT_S, stdin=subprocess.DEVNULL, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _read_from_git_folder(root: Path) -> str | None:
    """Return the commit that the checkout's own files name, without git."""
    try:
        folder = _git_folder(root)
        head = (folder / "HEAD").read_text().strip()
        if not head.startswith("ref: "):
            return head + UNCHECKED if _COMMIT.fullmatch(head) else None
        commit = _commit_of_reference(folder, head.removeprefix("ref: "))
    except OSError:
        return None
    return commit + UNCHECKED if commit else None


def _git_folder(root: Path) -> Path:
    """Return the folder of git's files; a work tree beside the main one names it in a file."""
    place = root / ".git"
    if place.is_dir():
        return place
    return (root / place.read_text().strip().removeprefix("gitdir: ")).resolve()


def _commit_of_reference(folder: Path, reference: str) -> str | None:
    """Return the commit of a branch, from its own file or the packed ones."""
    common = folder / "commondir"  # of a work tree: the branches are the main one's
    shared = (folder / common.read_text().strip()).resolve() if common.exists() else folder
    for place in (folder / reference, shared / reference):
        if place.exists():
            return place.read_text().strip()
    for line in (shared / "packed-refs").read_text().splitlines():
        commit, _, name = line.partition(" ")
        if name == reference:
            return commit
    return None
