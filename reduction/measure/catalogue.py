"""Reference catalogues: positions and magnitudes of stars, brightest first."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.table import Table

from reduction.problems import Problem, Unusable

__all__ = ["Catalogue", "read_catalogue", "read_parquet"]


@dataclass(frozen=True)
class Catalogue:
    """Stars in order of magnitude; degrees and magnitudes, NaN where the filter has none.

    `colour` is None where it was not asked for or the catalogue lacks its filters.
    """

    ra: np.ndarray
    dec: np.ndarray
    magnitude: np.ndarray
    colour: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.ra)


def read_catalogue(path: Path, filter_name: str, colour: tuple[str, str] | None = None) -> Catalogue:
    """Read a catalogue: Parquet where its name ends so, FITS otherwise.

    Columns `ra`, `dec` (degrees) and `mag_<filter>` or `mag`. The sources table of another frame serves too:
    of it, the stars without a flag are taken. `colour` names two filters whose difference is the colour.

    Raises
    ------
    Unusable
        ``astrometry_failed`` where it does not read or lacks a column.
    """
    try:
        table = read_parquet(path) if path.suffix == ".parquet" else Table.read(path, format="fits")
        name = f"mag_{filter_name}" if f"mag_{filter_name}" in table.colnames else "mag"
        missing = [column for column in ("ra", "dec", name) if column not in table.colnames]
        if missing:
            wanted = " and ".join(f"mag_{filter_name}" if column == "mag" else column for column in missing)
            raise ValueError(f"it has no column {wanted}; there are: {', '.join(table.colnames)}")
        ra, dec, magnitude = (np.asarray(table[column], dtype=float) for column in ("ra", "dec", name))
    except (OSError, KeyError, ValueError, TypeError) as error:
        raise Unusable(Problem.ASTROMETRY_FAILED, f"catalogue {path.name} does not read: {error}") from error
    good = np.isfinite(ra) & np.isfinite(dec)
    if "star" in table.colnames and "flags" in table.colnames:
        good &= np.asarray(table["star"], dtype=bool) & (np.asarray(table["flags"]) == 0)
    order = np.flatnonzero(good)
    order = order[np.argsort(np.where(np.isfinite(magnitude), magnitude, 99.0)[order], kind="stable")]
    shades = None
    if colour is not None and all(f"mag_{name}" in table.colnames for name in colour):
        blue, red = (np.asarray(table[f"mag_{name}"], dtype=float) for name in colour)
        shades = (blue - red)[order]
    return Catalogue(ra[order], dec[order], magnitude[order], shades)


def read_parquet(path: Path) -> Table:
    """Read a Parquet file as a table, NaN where a number is missing; astropy's own reader wants pandas.

    Raises
    ------
    OSError, ValueError
        Where the file does not read.
    """
    from pyarrow import parquet  # most surveys have no use for it

    content = parquet.read_table(path)
    return Table({name: content.column(name).to_numpy() for name in content.column_names})
