"""Where the depot has what a folder or a key names: read from the path alone, without the ledger."""

import re
from dataclasses import dataclass
from pathlib import Path

from nightshift.depot import folder_of_key
from nightshift.keys import LIVE
from nightshift.vocabulary import CalibrationKind

__all__ = ["DepotPlace", "checked_key", "place_of_folder"]

_NIGHT = re.compile(r"\d{4}/\d{4}")
_REFERENCE = "reference/"
_QUADRANT = r"d\d{2,}/q\d+"
_NAME = r"[A-Za-z0-9_][A-Za-z0-9._+-]*"
_KEY = re.compile(
    rf"{_NAME}/{_NAME}/{_QUADRANT}/{_NAME}/{_NAME}"  # as a UnitKey, a CalibrationKey and a ReferenceKey are written
    rf"|({'|'.join(CalibrationKind)})/{_NAME}/{_QUADRANT}/(-|{_NAME})/\d{{8}}/e\d+/v\d+/{_NAME}"
    rf"|reference/\d{{6,}}/{_NAME}/{_QUADRANT}/{_NAME}/v\d+/{_NAME}"
)
_ATTEMPT = re.compile(r"a[0-9]+")


@dataclass(frozen=True)
class DepotPlace:
    """What the depot has under one key.

    Parameters
    ----------
    depot : Path
    night : str
        Its folder, ``YYYY/MMDD``; empty of a reference, which is of no night.
    key : str
        Of a unit, a master or a reference.
    """

    depot: Path
    night: str
    key: str

    @property
    def products(self) -> Path:
        """The folder of its products."""
        if self.key.startswith(_REFERENCE):
            return self.depot / "references" / folder_of_key(self.key).removeprefix(_REFERENCE)
        is_master = self.key.partition("/")[0] in set(CalibrationKind)
        if is_master:
            return self.depot / "calibrations" / self.night / folder_of_key(self.key)
        return self.depot / "processed" / self.night / self.key

    def results(self) -> list[Path]:
        """Return the results of the attempts at a unit of an exposure, as far as their folders are kept.

        Those of the science job come first, then those of each difference job, by the version that it is of: the
        last one is of what was done last. Within a job they are in order of their numbers.
        """
        parts = self.key.split("/")
        work = self.depot / "work" / self.night
        if len(parts) < 2 or not self.night:
            return []
        jobs = (f"science/{parts[0]}/{parts[1]}/*", f"difference/{parts[0]}/{parts[1]}/*/*")
        return [
            path
            for job in jobs
            for path in sorted(work.glob(f"{job}/{self.key}/a*/result.json"), key=_in_order)
            if _ATTEMPT.fullmatch(path.parent.name)
        ]


def checked_key(key: object) -> str:
    """Return a text that is the key of a unit, a master or a reference, and so is safe as a path.

    Raises
    ------
    ValueError
        If it is no such key.
    """
    if not isinstance(key, str) or not _KEY.fullmatch(key) or ".." in key:
        raise ValueError(f"{key!r} is no key of a unit, a master or a reference")
    return key


def place_of_folder(folder: Path, key: str = "") -> DepotPlace | None:
    """Return the place in the depot that a folder belongs to, or None where it lies in none.

    Parameters
    ----------
    folder : Path
        Of products, or of an attempt whose products may have been moved since.
    key : str
        Of the attempt's unit.
    """
    parts = folder.resolve().parts
    for at in range(len(parts) - 1, 0, -1):
        depot, night, rest = Path(*parts[:at]), "/".join(parts[at + 1 : at + 3]), "/".join(parts[at + 3 :])
        if parts[at] == "references" and len(parts) > at + 1:
            return DepotPlace(depot, "", _key_of_folder(_REFERENCE + "/".join(parts[at + 1 :])))
        if not _NIGHT.fullmatch(night):
            continue
        if parts[at] == "work" and key:
            return DepotPlace(depot, night, key)
        if parts[at] in ("processed", "calibrations") and rest:
            return DepotPlace(depot, night, rest if parts[at] == "processed" else _key_of_folder(rest))
    return None


def _key_of_folder(folder: str) -> str:
    """Return the key of a master or reference, whose folder names no campaign where it is of the live night."""
    return f"{folder}/{LIVE}" if re.search(r"/v\d+$", folder) else folder


def _in_order(path: Path) -> list[tuple[int, str]]:
    """Return a path to sort by, with its numbers as numbers: a10 is after a9."""
    return [(int(part), "") if i % 2 else (0, part) for i, part in enumerate(re.split(r"([0-9]+)", str(path)))]
