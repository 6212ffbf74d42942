"""The thread that plays the night's files into the inbox, no faster than they are worked on.

A real night leaves minutes between two visits to a field, and so the time in which its reference is built. A night
that is played in minutes waits for the reference instead; otherwise no frame would meet one.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TypeVar

from nightshift.errors import NeedsOperator, Retry
from nightshift.ingest.naming import one_exposure
from nightshift.ledger import Ledger
from nightshift.ledger.queries import stack as stack_queries
from nightshift.settings import Camera, Survey
from nightshift.vocabulary import Reason
from rehearsal.play.night_input import Material

__all__ = ["Player", "begin_exposures", "clear_half_written", "playing"]

T = TypeVar("T")
AHEAD = 5  # science exposures that may be under way
WAITING = 4  # files that may wait in the inbox
INTERVAL_S = 0.05


class _ToldToEnd(Exception):
    """The night is over before all files were played."""


class Player:
    """The thread, and what it failed with.

    Parameters
    ----------
    run : callable
        What it does.
    """

    def __init__(self, run: Callable[[], object]):
        self._run = run
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._guarded, name="player", daemon=True)
        self._thread.start()

    def _guarded(self) -> None:
        try:
            self._run()
        except _ToldToEnd:
            pass
        except BaseException as error:  # noqa: BLE001 - handed to the thread that watches
            self._failure = error

    @property
    def busy(self) -> bool:
        """Whether files are still to be played."""
        return self._thread.is_alive()

    def check(self) -> None:
        """Raise what it failed with."""
        if self._failure is not None:
            raise NeedsOperator(Reason.INTERNAL_ERROR, f"the files could not be played: {self._failure!r}")

    def join(self) -> None:
        """Wait for its end for a moment."""
        self._thread.join(10)


@contextmanager
def playing(
    material: Material,
    inbox: Path,
    *,
    ledger_url: str,
    survey: Survey,
    tell: Callable[[int], None],
) -> Iterator[Player]:
    """Play the files, then the manifest, then what is late, beside the block; its end ends the playing.

    What came before, from a player that was interrupted, is left out.

    Parameters
    ----------
    material : Material
        The night's files.
    inbox : Path
    ledger_url : str
        Asked how much is under way.
    survey : Survey
    tell : callable
        Called with the number of files played.
    """
    from rehearsal.simulator import play

    ended = threading.Event()
    night = material.night
    played = 0

    def count(number: int, _: Path) -> None:
        nonlocal played
        played = number
        tell(len(material.files) - len(left.files) + number)

    def sleep(seconds: float) -> None:
        if ended.wait(seconds):
            raise _ToldToEnd

    left = material

    def run() -> None:
        nonlocal left
        with _patiently(lambda: Ledger(ledger_url), sleep) as ledger:
            came = _patiently(lambda: names_that_came(ledger, inbox), sleep)
            left = _without(material, came)
            tell(len(material.files) - len(left.files))
            beginnings = begin_exposures(left.files, survey.camera)
            play(
                left.files, inbox,
                manifest=None if material.manifest.name in came else material.manifest,
                after_manifest=left.after_manifest,
                after_closing=left.after_closing, closed=lambda: _is_over(ledger, survey, night),
                interval_s=INTERVAL_S, sleep=sleep, tell=count,
                backpressure=lambda: played in beginnings and _too_much(ledger, inbox, survey, night),
            )  # fmt: skip

    player = Player(run)
    try:
        yield player
    finally:
        ended.set()
        player.join()


def _without(material: Material, came: frozenset[str]) -> Material:
    """Return a night's files without those that came."""

    def left(paths: tuple[Path, ...]) -> tuple[Path, ...]:
        return tuple(path for path in paths if path.name not in came)

    return replace(
        material, files=left(material.files), after_manifest=left(material.after_manifest),
        after_closing=left(material.after_closing),
    )  # fmt: skip


def _patiently(ask: Callable[[], T], sleep: Callable[[float], None]) -> T:
    """Ask the ledger until it answers, however long it is away."""
    while True:
        try:
            return ask()
        except Retry:
            sleep(1.0)


def clear_half_written(inbox: Path) -> None:
    """Clear away what an earlier player left half written. No player may be at work: it would lose what it writes."""
    for path in inbox.glob(".*.tmp"):
        path.unlink(missing_ok=True)


def names_that_came(ledger: Ledger, inbox: Path) -> frozenset[str]:
    """Return the names that the ledger or the inbox has."""
    arrived = (row.inbox_name for row in stack_queries.names_that_came(ledger))
    return frozenset({*arrived, *(path.name for path in inbox.iterdir())})


def begin_exposures(files: tuple[Path, ...], camera: Camera) -> frozenset[int]:
    """Return which files begin an exposure, by number from 0: the mountain does not stop between two detectors."""
    begin, last = set(), None
    for number, path in enumerate(files):
        exposure = one_exposure(path.name, camera)
        if exposure != last:
            begin.add(number)
        last = exposure
    return frozenset(begin)


def _is_over(ledger: Ledger, survey: Survey, night: date) -> bool:
    try:
        return stack_queries.night_is_over(ledger, site=survey.site.name, night=night)
    except Retry:
        return False


def _too_much(ledger: Ledger, inbox: Path, survey: Survey, night: date) -> bool:
    site = survey.site.name
    try:
        if sum(1 for path in inbox.iterdir() if not path.name.startswith(".")) > WAITING:
            return True
        if stack_queries.science_under_way(ledger, site=site, night=night) > AHEAD:
            return True
        at_least = survey.reference.at_least_frames
        serves_now = survey.reference.first_serves == "now"
        return serves_now and stack_queries.reference_awaited(
            ledger, at_least=at_least, instrument=survey.camera.instrument, site=site, night=night
        )
    except Retry:
        return True
