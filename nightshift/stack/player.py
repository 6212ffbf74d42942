"""Plays the night's files into the inbox, as the mountain would send them, no faster than they are worked on."""

import threading
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

from nightshift.errors import Retry
from nightshift.files import copy_whole
from nightshift.ledger import Ledger

__all__ = ["play"]

AHEAD = 10  # science exposures that may be under way
PAUSE_S = 0.05


def play(
    files: tuple[Path, ...],
    manifest: Path,
    inbox: Path,
    *,
    ledger_url: str,
    site: str,
    night: date,
    ended: threading.Event,
    tell: Callable[[int], None],
) -> None:
    """Copy each file into the inbox, then the manifest; wait while too many exposures are under way.

    Parameters
    ----------
    files : tuple of Path
        In shutter order.
    manifest : Path
    inbox : Path
    ledger_url : str
        Asked how much is under way.
    site : str
    night : date
    ended : threading.Event
        Set from outside to stop early.
    tell : callable
        Called with the number of files played.
    """
    with Ledger(ledger_url) as ledger:
        for number, path in enumerate((*files, manifest), start=1):
            while _too_many(ledger, inbox, site, night):
                if ended.wait(0.5):
                    return
            if ended.is_set():
                return
            copy_whole(path, inbox / path.name)
            tell(min(number, len(files)))
            time.sleep(PAUSE_S)


def _too_many(ledger: Ledger, inbox: Path, site: str, night: date) -> bool:
    waiting = sum(1 for path in inbox.iterdir() if not path.name.startswith("."))
    if waiting > 2 * AHEAD:
        return True
    try:
        return ledger.value("stack", "science_under_way", site=site, night=night) > AHEAD
    except Retry:
        return True
