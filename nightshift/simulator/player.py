"""Play a night into an inbox as a transfer from the mountain would: whole files in shutter order, manifest last."""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from nightshift.files import copy_whole
from nightshift.settings import Survey
from nightshift.simulator.night_files import read_raw_file
from nightshift.vocabulary import ImageType

__all__ = ["pauses_before_science", "play"]


def play(
    files: Sequence[Path],
    inbox: Path,
    *,
    manifest: Path | None = None,
    interval_s: float = 0.2,
    pauses_s: Mapping[Path, float] | None = None,
    backpressure: Callable[[], bool] | None = None,
    tell: Callable[[int, Path], None] | None = None,
    poll_s: float = 0.2,
    sleep: Callable[[float], None] = time.sleep,
) -> int:
    """Copy files into an inbox, one after the other.

    Each appears under a name that begins with a dot and is renamed once it is whole, as rsync does it.

    Parameters
    ----------
    files : sequence of Path
        In shutter order.
    inbox : Path
    manifest : Path, optional
        Copied last.
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
        copy_whole(path, inbox / path.name)
        if tell is not None:
            tell(number, path)
        sleep(interval_s)
    if manifest is not None:
        copy_whole(manifest, inbox / manifest.name)
    return len(files)


def pauses_before_science(survey: Survey, files: Sequence[Path], seconds: float) -> dict[Path, float]:
    """Return a pause before each science file that follows a calibration: time for the masters to be built."""
    kinds = [read_raw_file(survey.camera, path).image_type for path in files]
    return {
        path: seconds
        for path, kind, before in zip(files[1:], kinds[1:], kinds, strict=False)
        if kind == ImageType.SCIENCE and before != ImageType.SCIENCE
    }
