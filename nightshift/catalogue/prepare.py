"""From somebody's table of stars to the calibrator catalogue of one field."""

import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from astropy import units
from astropy.table import Table

from nightshift.catalogue.star_table import CatalogueError, UserTable, read_table
from nightshift.files import write_whole
from nightshift.settings import Field, Survey

__all__ = ["NoStars", "Prepared", "Request", "prepare", "roles_of"]

MAGNITUDES = (-5.0, 35.0)  # outside of these a number stands for no value
FASTEST_MAS_A_YEAR = 20_000.0  # Barnard's star has 10,400
MAS = float(units.mas.to("deg"))
UNITS = {"ra": "deg", "dec": "deg", "pm_ra": "mas/yr", "pm_dec": "mas/yr", "epoch": "yr"}
TOLERANCE_DEG = 0.02  # around what the camera can see


class NoStars(CatalogueError):
    """The table has no star of a field that could serve."""


@dataclass(frozen=True)
class Request:
    """What is asked for.

    Parameters
    ----------
    path : Path
        The user's table.
    columns : mapping of str to str
        Column by role; a role that is not named is a column of its own name, where the table has one. Roles are
        ``ra``, ``dec``, ``pm_ra`` (the cosine of the declination in it), ``pm_dec``, ``epoch`` (Julian year) and
        ``mag_<filter>``.
    epoch : float or None
        Of the table's places, where no column says it.
    to_epoch : float or None
        To which places are brought; it needs proper motions.
    radius_deg : float or None
        Around the field's centre, above 0; None: what the camera can see of the field.
    missing : tuple of float
        Numbers that stand for no value.
    """

    path: Path
    columns: Mapping[str, str] = field(default_factory=dict)
    epoch: float | None = None
    to_epoch: float | None = None
    radius_deg: float | None = None
    missing: tuple[float, ...] = ()


@dataclass(frozen=True)
class Prepared:
    """A catalogue that is ready to be written.

    Parameters
    ----------
    table : astropy.table.Table
        ``ra``, ``dec`` (ICRS degrees), ``mag_<filter>``; in order of declination.
    columns : dict of str to (str, str)
        The column that was taken for each role, and its unit.
    rows : int
        Of the user's table.
    outside : int
        Rows that are not of this field.
    without_magnitude : int
        Rows of the field that have none in any filter; they are left out.
    motion_arcsec : float or None
        Median of what places were moved by, None where they were not.
    without_motion : int
        Stars of the field that have no proper motion and stayed.
    radius_deg : float
    """

    table: Table
    columns: dict[str, tuple[str, str]]
    rows: int
    outside: int
    without_magnitude: int
    motion_arcsec: float | None
    without_motion: int
    radius_deg: float

    def write(self, path: Path) -> None:
        """Write the catalogue, whole: as Parquet where the name ends so, as FITS otherwise."""
        stream = io.BytesIO()
        if path.suffix == ".parquet":
            import pyarrow
            from pyarrow import parquet

            columns = {name: np.asarray(self.table[name]) for name in self.table.colnames}
            told = {name: str(value) for name, value in self.table.meta.items()}
            parquet.write_table(pyarrow.table(columns).replace_schema_metadata(told), stream)
        else:
            self.table.write(stream, format="fits")
        write_whole(path, stream.getvalue())


def roles_of(survey: Survey) -> tuple[str, ...]:
    """Return every role that a column can have: magnitudes in the survey's filters and in those of its colours."""
    named = [f.name for f in survey.sky.filters]
    named += [name for f in survey.sky.filters if f.colour for name in f.colour]
    return (*UNITS, *dict.fromkeys(f"mag_{name}" for name in named))


def prepare(survey: Survey, chosen: Field, request: Request, table: UserTable | None = None) -> Prepared:
    """Make a field's catalogue.

    Parameters
    ----------
    survey : Survey
    chosen : Field
    request : Request
    table : UserTable, optional
        The request's table where it was read already, for another field.

    Raises
    ------
    CatalogueError
        If the table does not read, lacks a column, or a value of the field's stars cannot be; the message names file,
        column and row. If the radius is none.
    """
    radius = _reach_deg(survey, chosen) if request.radius_deg is None else request.radius_deg
    if not 0 < radius <= 180:
        raise CatalogueError(f"a radius of {radius:g} degrees takes in no star: it must be above 0 and at most 180")
    table = table or read_table(request.path, request.missing)
    columns = _columns(survey, table, request)
    ra, dec = _places(table, columns)
    near = _separation_deg(ra, dec, chosen.ra_deg, chosen.dec_deg) <= radius
    if not near.any():
        raise NoStars(
            f"{request.path}: none of {len(ra)} stars lies within {radius:.2f} degrees of field {chosen.id} at "
            f"({chosen.ra_deg}, {chosen.dec_deg}); the table spans {ra.min():.3f} to {ra.max():.3f} and "
            f"{dec.min():.3f} to {dec.max():.3f} degrees"
        )
    magnitudes = {
        role: _magnitude(table, column, near) for role, column in columns.items() if role.startswith("mag_")
    }
    has_any = np.any([np.isfinite(values) for values in magnitudes.values()], axis=0)
    moved_ra, moved_dec, moved = _moved(table, columns, request, ra, dec, near)
    kept = np.flatnonzero(near & has_any)
    kept = kept[np.argsort(moved_dec[kept], kind="stable")]
    made = Table({"ra": moved_ra[kept], "dec": moved_dec[kept]}, units={"ra": "deg", "dec": "deg"})
    for role, values in magnitudes.items():
        made[role] = values[kept].astype(np.float32)
        made[role].unit = "mag"
    made.meta = {"FIELDID": chosen.id, "SRCFILE": request.path.name[:60], "SRCSHA": table.sha256}
    if request.to_epoch is not None:
        made.meta["EPOCH"] = request.to_epoch
    if not len(made):
        raise NoStars(f"{request.path}: no star of field {chosen.id} has a magnitude")
    said = {role: (column, str(table.unit(column, _assumed(role)))) for role, column in columns.items()}
    return Prepared(
        made, said, len(ra), int((~near).sum()), int((near & ~has_any).sum()),
        float(np.median(np.abs(moved[kept]))) if request.to_epoch is not None else None,
        int(np.isnan(moved[kept]).sum()) if request.to_epoch is not None else 0, radius,
    )  # fmt: skip


def _assumed(role: str) -> str:
    return UNITS.get(role, "mag")


def _columns(survey: Survey, table: UserTable, request: Request) -> dict[str, str]:
    """Return the column of each role that has one, in the order of the roles."""
    roles = roles_of(survey)
    for role in request.columns:
        if role not in roles:
            raise CatalogueError(f"there is no role {role!r} for a column; there are: {', '.join(roles)}")
    found = {role: request.columns.get(role, role) for role in roles}
    found = {r: c for r, c in found.items() if r in request.columns or c in table.table.colnames}
    for role in ("ra", "dec"):
        if role not in found:
            names = ", ".join(table.table.colnames)
            raise CatalogueError(f"{table.path}: no column is named for {role!r}; there are: {names}")
    if not any(role.startswith("mag_") for role in found):
        names = ", ".join(role for role in roles if role.startswith("mag_"))
        raise CatalogueError(f"{table.path}: no column is named for a magnitude; the survey's roles are {names}")
    return found


def _places(table: UserTable, columns: Mapping[str, str]) -> tuple[np.ndarray, np.ndarray]:
    ra, dec = (table.numbers(columns[role], "deg", "deg") for role in ("ra", "dec"))
    for role, values, least, most in (("ra", ra, 0.0, 360.0), ("dec", dec, -90.0, 90.0)):
        wrong = ~((values >= least) & (values <= most))
        table.refuse_first(
            wrong, columns[role], values, f"degrees is no place: it must be within {least:g}..{most:g}"
        )
    return ra, dec


def _magnitude(table: UserTable, column: str, near: np.ndarray) -> np.ndarray:
    values = table.numbers(column, "mag", "mag")
    wrong = near & ((values < MAGNITUDES[0]) | (values > MAGNITUDES[1]))
    table.refuse_first(wrong, column, values, "is no magnitude; if it stands for no value, say so with --missing")
    return values


def _moved(
    table: UserTable, columns: Mapping[str, str], request: Request, ra: np.ndarray, dec: np.ndarray, near: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return places at the wanted epoch, and by how many arcseconds each was moved (NaN: it has no motion)."""
    if request.to_epoch is None:
        if "pm_ra" in request.columns or "pm_dec" in request.columns:
            raise CatalogueError("proper motions are named, but no epoch to bring places to (--to-epoch)")
        return ra, dec, np.zeros(len(ra))
    if "pm_ra" not in columns or "pm_dec" not in columns:
        raise CatalogueError(f"{table.path}: an epoch needs proper motions; name columns for 'pm_ra' and 'pm_dec'")
    motion = [table.numbers(columns[role], "mas/yr", "mas/yr") for role in ("pm_ra", "pm_dec")]
    for role, values in zip(("pm_ra", "pm_dec"), motion, strict=True):
        wrong = near & (np.abs(values) > FASTEST_MAS_A_YEAR)
        table.refuse_first(wrong, columns[role], values, "mas a year is faster than any star; is its unit right?")
    years = request.to_epoch - _epochs(table, columns, request, near)
    known = np.isfinite(motion[0]) & np.isfinite(motion[1]) & np.isfinite(years)
    east, north = (np.where(known, values * years, 0.0) * MAS for values in motion)
    new_ra, new_dec = _along(ra, dec, east, north)
    return new_ra, new_dec, np.where(known, np.hypot(east, north) * 3600, np.nan)


def _epochs(table: UserTable, columns: Mapping[str, str], request: Request, near: np.ndarray) -> np.ndarray | float:
    if "epoch" in columns and request.epoch is None:
        epochs = table.numbers(columns["epoch"], "yr", "yr")
        wrong = near & ~((epochs > 1800) & (epochs < 2200))
        table.refuse_first(wrong, columns["epoch"], epochs, "is no Julian year")
        return epochs
    if request.epoch is None:
        raise CatalogueError(f"{table.path}: the epoch of its places is needed: --epoch, or a column for 'epoch'")
    return request.epoch


def _along(ra: np.ndarray, dec: np.ndarray, east: np.ndarray, north: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return places moved along the tangent by so many degrees; right also beside a pole."""
    a, d, e, n = (np.radians(values) for values in (ra, dec, east, north))
    x = np.cos(d) * np.cos(a) - e * np.sin(a) - n * np.sin(d) * np.cos(a)
    y = np.cos(d) * np.sin(a) + e * np.cos(a) - n * np.sin(d) * np.sin(a)
    z = np.sin(d) + n * np.cos(d)
    return np.degrees(np.arctan2(y, x)) % 360.0, np.degrees(np.arctan2(z, np.hypot(x, y)))


def _reach_deg(survey: Survey, chosen: Field) -> float:
    """Return how far from a field's centre the camera can see, pointed as far off as it may be."""
    camera, farthest = survey.camera, 0.0
    for detector in camera.detectors:
        for quadrant in camera.quadrants:
            own = camera.quadrant(detector.id, quadrant.id) if detector.in_service else quadrant
            x, y = (a + b for a, b in zip(detector.sky_offset_arcsec, own.sky_offset_arcsec, strict=True))
            half_y, half_x = (0.5 * size * camera.pixel_scale_arcsec for size in own.shape)
            farthest = max(farthest, float(np.hypot(abs(x) + half_x, abs(y) + half_y)))
    return farthest / 3600 + chosen.radius_deg + TOLERANCE_DEG


def _separation_deg(ra: np.ndarray, dec: np.ndarray, ra0: float, dec0: float) -> np.ndarray:
    half_dec, half_ra = np.radians(dec - dec0) / 2, np.radians(ra - ra0) / 2
    square = np.sin(half_dec) ** 2 + np.cos(np.radians(dec)) * np.cos(np.radians(dec0)) * np.sin(half_ra) ** 2
    separation: np.ndarray = np.degrees(2 * np.arcsin(np.sqrt(np.minimum(square, 1.0))))
    return separation
