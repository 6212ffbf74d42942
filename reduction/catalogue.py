"""Reference catalogues: positions and magnitudes of stars, brightest first."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.table import Table

from reduction.problems import Unusable

__all__ = ["Catalogue", "read_catalogue"]


@dataclass(frozen=True)
class Catalogue:
    """Stars in order of magnitude; degrees and magnitudes, NaN where the filter has none."""

    ra: np.ndarray
    dec: np.ndarray
    magnitude: np.ndarray

    def __len__(self) -> int:
        return len(self.ra)


def read_catalogue(path: Path, filter_name: str) -> Catalogue:
    """Read a catalogue.

    Columns `ra`, `dec` (degrees) and `mag_<filter>` or `mag`. The sources table of another frame serves too:
    of it, the stars without a flag are taken.

    Raises
    ------
    Unusable
        ``astrometry_failed`` where it does not read or lacks a column.
    """
    try:
        table = Table.read(path, format="fits")
        name = f"mag_{filter_name}" if f"mag_{filter_name}" in table.colnames else "mag"
        ra, dec, magnitude = (np.asarray(table[column], dtype=float) for column in ("ra", "dec", name))
    except (OSError, KeyError, ValueError, TypeError) as error:
        raise Unusable("astrometry_failed", f"catalogue {path.name} does not read: {error}") from error
    good = np.isfinite(ra) & np.isfinite(dec)
    if "star" in table.colnames and "flags" in table.colnames:
        good &= np.asarray(table["star"], dtype=bool) & (np.asarray(table["flags"]) == 0)
    order = np.flatnonzero(good)
    order = order[np.argsort(np.where(np.isfinite(magnitude), magnitude, 99.0)[order], kind="stable")]
    return Catalogue(ra[order], dec[order], magnitude[order])
