"""Candidates as a Parquet file: sorted along the sky, so that the neighbourhood of a place is read by itself."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pyarrow
from astropy_healpix.core import xyz_to_healpix

from nightshift.coverage.footprints import unit_vectors
from nightshift.ledger.queries.candidate_history import CandidateRow, RecordLayout

__all__ = ["HEALPIX", "HEALPIX_ORDER", "healpix_of", "schema_of", "table_of"]

HEALPIX, HEALPIX_ORDER = "_healpix_29", 29  # as HATS catalogues call the column by which they are sorted
KEPT_APART = ("layout", "numbers", "texts")  # the record, whose fields are columns of their own
TIME = pyarrow.timestamp("us", tz="UTC")
COLUMNS: dict[str, pyarrow.DataType] = {
    "candid": pyarrow.int64(),
    "object_id": pyarrow.string(),
    "unit_key": pyarrow.string(),
    "instrument": pyarrow.string(),
    "exposure_id": pyarrow.string(),
    "detector": pyarrow.int16(),
    "quadrant": pyarrow.int16(),
    "field": pyarrow.int32(),
    "filter": pyarrow.string(),
    "shutter_open": TIME,
    "release_order_at": TIME,
    "ra_deg": pyarrow.float64(),
    "dec_deg": pyarrow.float64(),
    "x": pyarrow.float64(),
    "y": pyarrow.float64(),
    "positive": pyarrow.bool_(),
    "signal_to_noise": pyarrow.float32(),
    "magnitude": pyarrow.float32(),
    "magnitude_error": pyarrow.float32(),
    "number": pyarrow.int16(),
    "processing_id": pyarrow.int64(),
    "reference_key": pyarrow.string(),
}


def healpix_of(ra_deg: np.ndarray, dec_deg: np.ndarray, order: int = HEALPIX_ORDER) -> np.ndarray:
    """Return the HEALPix pixels (NESTED) of places."""
    found = xyz_to_healpix(*np.moveaxis(unit_vectors(ra_deg, dec_deg), -1, 0), 2**order, order="nested")
    return np.asarray(found, np.int64)


def schema_of(layouts: Iterable[RecordLayout]) -> pyarrow.Schema:
    """Return the columns of a night's file: what every candidate has, then what was measured of some, by name."""
    fields = [pyarrow.field(HEALPIX, pyarrow.int64()), *(pyarrow.field(*column) for column in COLUMNS.items())]
    kept = list(layouts)
    for names, kind in (
        ({name for layout in kept for name in layout.number_names}, pyarrow.float64()),
        ({name for layout in kept for name in layout.text_names}, pyarrow.string()),
    ):
        fields += [pyarrow.field(_column(name), kind) for name in sorted(names)]
    return pyarrow.schema(fields)


def _column(name: str) -> str:
    """Return the column of a record's field: its own name, unless a column of another kind has it."""
    return f"record_{name}" if name in COLUMNS else name


def table_of(rows: Sequence[CandidateRow], layouts: Iterable[RecordLayout], schema: pyarrow.Schema) -> pyarrow.Table:
    """Return some candidates as a table, sorted along the sky."""
    by_layout = {layout.layout: layout for layout in layouts}
    records = [_record(row, by_layout[row.layout]) for row in rows]
    columns: dict[str, Any] = {name: [getattr(row, name) for row in rows] for name in COLUMNS}
    columns[HEALPIX] = healpix_of(np.array(columns["ra_deg"]), np.array(columns["dec_deg"]))
    for name in schema.names:
        if name not in columns:
            columns[name] = [record.get(name) for record in records]
    table = pyarrow.table({name: columns[name] for name in schema.names}, schema=schema)
    return table.sort_by([(HEALPIX, "ascending"), ("candid", "ascending")])


def _record(row: CandidateRow, layout: RecordLayout) -> dict[str, Any]:
    named = zip((*layout.number_names, *layout.text_names), (*row.numbers, *row.texts), strict=True)
    return {_column(name): value for name, value in named}
