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
    numbers, texts = set(), set()
    for layout in layouts:
        numbers |= {_column(name) for name in (*layout.number_names, *layout.single_names)}
        texts |= {_text_column(name) for name in (*layout.text_names, *layout.common)}
    return pyarrow.schema(
        [
            pyarrow.field(HEALPIX, pyarrow.int64()),
            *(pyarrow.field(name, kind) for name, kind in COLUMNS.items()),
            *(pyarrow.field(name, pyarrow.float64()) for name in sorted(numbers)),
            *(pyarrow.field(name, pyarrow.string()) for name in sorted(texts)),
        ]
    )


def _column(name: str) -> str:
    """Return the column of a record's number: its own name, unless what every candidate has is called so."""
    return f"record_{name}" if name in COLUMNS else name


def _text_column(name: str) -> str:
    """Return the column of a record's text. The same field may be a number in another candidate's record."""
    return f"{_column(name)}_text"


def table_of(rows: Sequence[CandidateRow], layouts: Iterable[RecordLayout], schema: pyarrow.Schema) -> pyarrow.Table:
    """Return some candidates as a table, sorted along the sky."""
    columns: dict[str, Any] = {name: [getattr(row, name) for row in rows] for name in COLUMNS}
    columns[HEALPIX] = healpix_of(np.array(columns["ra_deg"]), np.array(columns["dec_deg"]))
    columns |= _records(rows, layouts)
    arrays = [pyarrow.array(columns[field.name], field.type, from_pandas=True) for field in schema]
    table = pyarrow.Table.from_arrays(arrays, schema=schema)
    return table.sort_by([(HEALPIX, "ascending"), ("candid", "ascending")])


def _records(rows: Sequence[CandidateRow], layouts: Iterable[RecordLayout]) -> dict[str, np.ndarray]:
    """Return the fields of the records by column: not a number, or None, where a candidate's record has none."""
    columns: dict[str, np.ndarray] = {}
    of_layout = np.array([row.layout for row in rows])
    for layout in layouts:
        members = np.flatnonzero(of_layout == layout.layout).tolist()
        own = [rows[k] for k in members]
        names = [_column(name) for name in (*layout.number_names, *layout.single_names)]
        numbers = np.array([(*row.numbers, *row.singles) for row in own], float).reshape(len(own), len(names))
        for name, values in zip(names, numbers.T, strict=True):
            columns.setdefault(name, np.full(len(rows), np.nan))[members] = values
        names = [_text_column(name) for name in (*layout.text_names, *layout.common)]
        common = tuple(layout.common.values())
        texts = np.array([(*row.texts, *common) for row in own], object).reshape(len(own), len(names))
        for name, values in zip(names, texts.T, strict=True):
            columns.setdefault(name, np.full(len(rows), None))[members] = values
    return columns
