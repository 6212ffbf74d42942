"""The reference catalogue of a field: its stars as an all-sky survey would list them."""

import io
from pathlib import Path

import numpy as np
from astropy.table import Table

from nightshift.files import write_whole
from nightshift.settings import Field, Survey
from rehearsal.simulator.geometry import unit_geometry
from rehearsal.simulator.seeds import generator
from rehearsal.simulator.simulated_sky import Cell, Galaxies, Stars, cells_around, galaxies_of_cells, stars_of_cells

__all__ = ["field_sky", "reference_catalogue", "table_bytes"]

FAINTEST = 19.7  # in r
MAGNITUDE_ERROR, PLACE_ERROR_ARCSEC = 0.012, 0.02


def field_sky(survey: Survey, field: Field, seed: int) -> tuple[Stars, Galaxies]:
    """Return all stars and galaxies that the survey's camera can see at a field."""
    camera = survey.camera
    cells: set[Cell] = set()
    for detector in camera.detector_ids:
        for quadrant in camera.quadrant_ids:
            unit = unit_geometry(camera, detector, quadrant)
            rows, columns = unit.shape
            cells.update(cells_around(*unit.nominal_standard(np.array([0, columns]), np.array([0, rows]))))
    chosen, centre = tuple(sorted(cells)), (field.ra_deg, field.dec_deg)
    return stars_of_cells(seed, field.id, centre, chosen), galaxies_of_cells(seed, field.id, centre, chosen)


def reference_catalogue(survey: Survey, field: Field, filters: tuple[str, ...], seed: int) -> Table:
    """Return `ra`, `dec` (degrees) and `mag_<filter>` of the stars down to r = 19.7, with small errors.

    What rises after the reference epoch and what moves is not in it.
    """
    stars, _ = field_sky(survey, field, seed)
    random = generator(seed, "catalogue", field.id)
    east, north = PLACE_ERROR_ARCSEC / 3600 * random.standard_normal((2, stars.r.size))
    keep = stars.r < FAINTEST
    table = Table()
    table["ra"] = ((stars.ra_deg + east / np.cos(np.radians(stars.dec_deg))) % 360.0)[keep]
    table["dec"] = (stars.dec_deg + north)[keep]
    table["ra"].unit = table["dec"].unit = "deg"
    for name in filters:
        error = MAGNITUDE_ERROR * random.standard_normal(stars.r.size)
        table[f"mag_{name}"] = (stars.magnitude(name) + error)[keep].astype(np.float32)
    table.sort("dec")
    return table


def table_bytes(table: Table) -> bytes:
    """Return a table as a FITS file."""
    stream = io.BytesIO()
    table.write(stream, format="fits")
    return stream.getvalue()


def write_table(path: Path, table: Table) -> None:
    """Write a table as FITS so that it appears whole."""
    write_whole(path, table_bytes(table))
