"""Where files live: dated folders below the depot, every name built from checked keys."""

import os
from datetime import date
from pathlib import Path

from nightshift.keys import LIVE, CalibrationKey, FrameKey, ReferenceKey, UnitKey
from nightshift.settings import SettingsError

__all__ = ["Depot", "folder_of_key"]

VARIABLE = "NIGHTSHIFT_DEPOT"


def folder_of_key(key: str) -> str:
    """Return the folder of a master's or reference's key: those of the live night are in the version's own."""
    return key.removesuffix(f"/{LIVE}")


class Depot:
    """The folder that holds all files of a survey, and the archive beside it.

    Parameters
    ----------
    root : Path
        ``raw``, ``quarantine``, ``calibrations``, ``processed``, ``references``, ``alerts``, ``work``, ``reports``,
        ``coverage``, ``manifests``, ``catalogues`` and ``archive`` are its folders.
    """

    def __init__(self, root: Path):
        self.root = root.resolve()

    @classmethod
    def from_environment(cls) -> "Depot":
        """Return the depot that ``NIGHTSHIFT_DEPOT`` names, or raise `SettingsError`."""
        if not os.environ.get(VARIABLE):
            raise SettingsError(f'{VARIABLE} is not set; eval "$(nightshift environment --survey <name>)" sets it')
        return cls(Path(os.environ[VARIABLE]))

    def relative(self, path: Path) -> str:
        """Return the place of a file below the depot, as the ledger stores it."""
        return path.resolve().relative_to(self.root).as_posix()

    def absolute(self, relative: str) -> Path:
        """Return the absolute path of a place of the ledger; it must not leave the depot."""
        path = (self.root / relative).resolve()
        if not path.is_relative_to(self.root):
            raise ValueError(f"{relative!r} leaves the depot {self.root}")
        return path

    def raw(self, night: date, frame: FrameKey, name: str) -> Path:
        """Return the place of a raw file."""
        return self.root / "raw" / f"{night:%Y/%m%d}" / frame.instrument / frame.exposure_id / name

    def quarantine(self, night: date, arrival_key: str) -> Path:
        """Return the place of a quarantined file: named by its arrival, never by its own name."""
        return self.root / "quarantine" / f"{night:%Y/%m%d}" / arrival_key

    def manifest(self, night: date, sha256: str) -> Path:
        """Return the place of a manifest."""
        return self.root / "manifests" / f"{night:%Y/%m%d}" / f"{sha256}.json"

    def work(self, night: date, job_key: str) -> Path:
        """Return the folder of a job: its job files, and one folder an attempt at a unit."""
        return self.root / "work" / f"{night:%Y/%m%d}" / job_key

    def calibration(self, key: CalibrationKey) -> Path:
        """Return the folder of a master's products."""
        return self.root / "calibrations" / f"{key.night:%Y/%m%d}" / folder_of_key(str(key))

    def processed(self, night: date, unit: UnitKey) -> Path:
        """Return the folder of a unit's products."""
        return self.root / "processed" / f"{night:%Y/%m%d}" / str(unit)

    def reference(self, key: ReferenceKey) -> Path:
        """Return the folder of a reference's products."""
        return self.root / "references" / folder_of_key(str(key)).removeprefix("reference/")

    def packets(self, night: date, instrument: str, exposure_id: str, job: str) -> Path:
        """Return the tar of the alert packets that one job of an exposure released."""
        return self.root / "alerts" / f"{night:%Y/%m%d}" / instrument / f"{exposure_id}_{job}.tar"

    def report(self, night: date, name: str) -> Path:
        """Return the place of one file of the night's report."""
        return self.root / "reports" / f"{night:%Y%m%d}" / name

    def coverage(self, folder: str, name: str) -> Path:
        """Return the place of a map of coverage: in the folder of a night, or in that of all nights."""
        return self.root / "coverage" / folder / name

    def catalogue(self, name: str) -> Path:
        """Return the place of a reference catalogue."""
        return self.root / "catalogues" / name

    def archive(self, night: date, name: str) -> Path:
        """Return the place of an archived file."""
        return self.root / "archive" / f"{night:%Y/%m%d}" / name
