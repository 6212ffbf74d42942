"""Where the depot has what a folder or a key names: read from the path alone, without the ledger."""

import re
from dataclasses import dataclass
from pathlib import Path

from nightshift.vocabulary import CalibrationKind

__all__ = ["DepotPlace", "place_of_folder"]

_NIGHT = re.compile(r"\d{4}/\d{4}")
_REFERENCE = "reference/"


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
            return self.depot / "references" / self.key.removeprefix(_REFERENCE)
        is_master = self.key.partition("/")[0] in set(CalibrationKind)
        return self.depot / ("calibrations" if is_master else "processed") / self.night / self.key

    def results(self) -> list[Path]:
        """Return the results of the attempts at a unit of an exposure, as far as their folders are kept."""
        parts = self.key.split("/")
        work = self.depot / "work" / self.night
        if len(parts) < 2 or not self.night:
            return []
        jobs = (f"science/{parts[0]}/{parts[1]}/*", f"difference/{parts[0]}/{parts[1]}/*/*")
        return sorted(path for job in jobs for path in work.glob(f"{job}/{self.key}/a*/result.json"))


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
            return DepotPlace(depot, "", _REFERENCE + "/".join(parts[at + 1 :]))
        if not _NIGHT.fullmatch(night):
            continue
        if parts[at] == "work" and key:
            return DepotPlace(depot, night, key)
        if parts[at] in ("processed", "calibrations") and rest:
            return DepotPlace(depot, night, rest)
    return None
