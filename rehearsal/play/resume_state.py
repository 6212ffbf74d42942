"""What is kept of a night while it is played, so that it can go on after a power cut.

The record is written when a night begins and marked when it ends in order, well or not. A record without the mark
whose process is gone is of a night that was interrupted.
"""

import os
import time
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from json import JSONDecodeError, dumps, loads
from pathlib import Path
from typing import Any

import psutil

from nightshift.files import write_json
from nightshift.stack.home import Home
from rehearsal.play.night_input import Material, MaterialRequest

__all__ = ["NightRecord"]

NAME = "night.json"


@dataclass(frozen=True)
class NightRecord:
    """How far a night was when somebody last looked.

    Parameters
    ----------
    request : dict
        What was asked for: survey, seed and so on.
    pid, born : int, float
        The process that plays it.
    ended : bool
        Whether it ended in order; a night that was given up did.
    material : dict, optional
        The night's files, once all are made.
    clock : str
        The night's clock, once it runs.
    since : str
        The night's time at which an interrupted night goes on.
    """

    request: dict[str, Any]
    pid: int
    born: float
    ended: bool = False
    material: dict[str, Any] | None = None
    clock: str = ""
    since: str = ""

    @classmethod
    def begin(cls, request: MaterialRequest) -> "NightRecord":
        """Return the record of a night that this process begins to play."""
        return cls(_asked(request), os.getpid(), psutil.Process().create_time())

    @classmethod
    def read(cls, home: Home) -> "NightRecord | None":
        """Return what was kept in a home, or None."""
        try:
            return cls(**loads(_path(home).read_text()))
        except (FileNotFoundError, JSONDecodeError, TypeError):
            return None

    def write(self, home: Home) -> "NightRecord":
        """Keep it, and return it."""
        write_json(_path(home), asdict(self))
        return self

    def with_material(self, material: Material) -> "NightRecord":
        """Return it with the night's files."""
        return replace(self, material=_as_json(asdict(material)))

    def taken_over(self, home: Home) -> "NightRecord":
        """Return it as this process's, with the night's time as far as it had come."""
        reached = self.reached(home)
        return replace(
            self, pid=os.getpid(), born=psutil.Process().create_time(), ended=False,
            since=reached.isoformat() if reached else "",
        )  # fmt: skip

    def asks_for(self, request: MaterialRequest) -> bool:
        """Whether it is of the night that is asked for."""
        return _without_none(self.request) == _without_none(_asked(request))

    @property
    def played(self) -> tuple[Path, ...]:
        """The night's files and its manifest, as they are sent; empty before they are made."""
        if self.material is None:
            return ()
        made = Material.from_json(self.material)
        return tuple(
            path
            for own in made.of_each
            for path in (*own.files, own.manifest, *own.after_manifest, *own.after_closing)
        )

    @property
    def is_played(self) -> bool:
        """Whether the process that plays it lives."""
        try:
            created: float = psutil.Process(self.pid).create_time()
            return abs(created - self.born) < 0.01
        except psutil.Error:
            return False

    @classmethod
    def mark_ended(cls, home: Home) -> None:
        """Note that the night of a home ended in order."""
        record = cls.read(home)
        if record is not None:
            replace(record, ended=True).write(home)

    @staticmethod
    def touch(home: Home) -> None:
        """Note that the night is being played now."""
        os.utime(_path(home))

    @staticmethod
    def touched_at(home: Home) -> float:
        """Return when the night was last played, in seconds since 1970."""
        try:
            return _path(home).stat().st_mtime
        except OSError:
            return time.time()

    def reached(self, home: Home) -> datetime | None:
        """Return the night's time when it was last looked at, or None where its clock had not begun."""
        if not self.clock:
            return None
        real, _, rest = self.clock.partition("=")
        night, _, rate = rest.rpartition("*")
        played = self.touched_at(home) - datetime.fromisoformat(real).timestamp()
        return datetime.fromisoformat(night) + timedelta(seconds=max(played, 0.0) * float(rate))


def _asked(request: MaterialRequest) -> dict[str, Any]:
    return {key: value for key, value in _as_json(asdict(request)).items() if key != "folder"}


def _without_none(asked: dict[str, Any]) -> dict[str, Any]:
    """Return only what was said, so that a record goes on being understood when more can be asked for."""
    return {key: value for key, value in asked.items() if value is not None}


def _as_json(value: dict[str, Any]) -> dict[str, Any]:
    """Return it as it will be read: paths and dates as text, tuples as lists."""
    read: dict[str, Any] = loads(dumps(value, default=str))
    return read


def _path(home: Home) -> Path:
    return home.root / NAME
