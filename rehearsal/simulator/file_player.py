"""Play a night into an inbox as a transfer from the mountain would: whole files in shutter order, manifest last."""

import os
import stat
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from nightshift.files import copy_whole
from nightshift.settings import Survey
from nightshift.vocabulary import ImageType
from rehearsal.simulator.night_files import read_raw_file

__all__ = ["deliver", "pauses_before_science", "play"]

STILL_THERE_S = 120.0  # how long a second file waits until the first of its name has left the inbox


def play(
    files: Sequence[Path],
    inbox: Path,
    *,
    manifest: Path | None = None,
    after_manifest: Sequence[Path] = (),
    after_closing: Sequence[Path] = (),
    closed: Callable[[], bool] = lambda: True,
    interval_s: float = 0.2,
    pauses_s: Mapping[Path, float] | None = None,
    backpressure: Callable[[], bool] | None = None,
    tell: Callable[[int, Path], None] | None = None,
    poll_s: float = 0.2,
    sleep: Callable[[float], None] = time.sleep,
) -> int:
    """Copy files into an inbox, one after the other.

    Each appears under a name that begins with a dot and is renamed once it is whole, as rsync does it. Links and
    pipes are made again as they are. A second file of a name waits until the first has been taken in.

    Parameters
    ----------
    files : sequence of Path
        In shutter order.
    inbox : Path
    manifest : Path, optional
        Copied after them.
    after_manifest, after_closing : sequence of Path, optional
        What comes late: after the manifest, and once the night has closed.
    closed : callable, optional
        Whether the night has closed; asked every `poll_s` before the last of the late files.
    interval_s : float
        Between files.
    pauses_s : mapping of Path to float, optional
        Extra seconds before a file; see `pauses_before_science`.
    backpressure : callable, optional
        While it returns true the next file is held. It is asked every `poll_s`; whoever gives it bounds it.
    tell : callable, optional
        Called with the number of files played and the last one.
    sleep : callable
        For tests.

    Returns
    -------
    int
        Files played, without the manifest.
    """
    pauses_s = pauses_s or {}
    for number, path in enumerate(files, start=1):
        if pauses_s.get(path):
            sleep(pauses_s[path])
        while backpressure is not None and backpressure():
            sleep(poll_s)
        deliver(path, inbox, sleep, poll_s)
        if tell is not None:
            tell(number, path)
        sleep(interval_s)
    if manifest is not None:
        deliver(manifest, inbox, sleep, poll_s)
    for path in after_manifest:
        sleep(interval_s)
        deliver(path, inbox, sleep, poll_s)
    while after_closing and not closed():
        sleep(poll_s)
    for path in after_closing:
        deliver(path, inbox, sleep, poll_s)
        sleep(interval_s)
    return len(files)


def deliver(path: Path, inbox: Path, sleep: Callable[[float], None], poll_s: float) -> None:
    """Let one directory entry appear in the inbox."""
    target, waited = inbox / path.name, 0.0
    while os.path.lexists(target) and waited < STILL_THERE_S:
        sleep(poll_s)
        waited += poll_s
    mode = path.lstat().st_mode
    if stat.S_ISLNK(mode):
        target.symlink_to(path.readlink())
    elif stat.S_ISFIFO(mode):
        os.mkfifo(target)
    else:
        copy_whole(path, target)


def pauses_before_science(survey: Survey, files: Sequence[Path], seconds: float) -> dict[Path, float]:
    """Return a pause before each science file that follows a calibration: time for the masters to be built."""
    kinds = [read_raw_file(survey.camera, path).image_type for path in files]
    return {
        path: seconds
        for path, kind, before in zip(files[1:], kinds[1:], kinds, strict=False)
        if kind == ImageType.SCIENCE and before != ImageType.SCIENCE
    }
