"""A night's candidates as a file for readers: what was found, where, with all that was measured of it."""

import hashlib
import json
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet

from nightshift.context import Context
from nightshift.coverage.candidate_table import HEALPIX, healpix_of, schema_of, table_of
from nightshift.coverage.stored_maps import Made, folder_of, put_product
from nightshift.keys import LIVE
from nightshift.ledger.months import check_is_here
from nightshift.ledger.queries import candidate_history as history_queries
from nightshift.ledger.queries import coverage as coverage_queries
from nightshift.ledger.queries.candidate_history import CandidatePlace

__all__ = ["HISTORY", "history_files", "put_candidates"]

HISTORY = "candidate_history"
ROWS_AT_ONCE = 20_000  # of a row group, whose places lie together on the sky
COMPRESSION_LEVEL = 3


def put_candidates(context: Context, night: date) -> int:
    """Write the night's candidates into the depot, and return how many there are.

    May run again: the same candidates give the same bytes. A night that lost all its candidates keeps an empty file;
    one that never had any has none.

    Parameters
    ----------
    context : Context
        Of one site.
    night : date

    Raises
    ------
    BadInput
        If the night's month has left the ledger, and its candidates with it.
    """
    check_is_here(context.ledger, context.site, night)
    site, unit_key = context.site.name, f"candidates/{context.site.name}/{night:%Y%m%d}"
    places = history_queries.places(context.ledger, site=site, night=night, campaign=LIVE)
    known = coverage_queries.product(context.ledger, product_key=f"{unit_key}/{HISTORY}", night=night)
    if places or known:
        inputs = (("candidates", unit_key, _hash_of(places)),)
        content = _parquet(context, night, places)
        made = Made(unit_key, HISTORY, f"candidates_{night:%Y%m%d}.parquet", content, inputs, HISTORY)
        put_product(context, night, folder_of(context, night), made)
    return len(places)


def _hash_of(places: list[CandidatePlace]) -> str:
    return hashlib.sha256(json.dumps([place.candid for place in places]).encode()).hexdigest()


def _parquet(context: Context, night: date, places: list[CandidatePlace]) -> bytes:
    layouts = history_queries.layouts(context.ledger, site=context.site.name, night=night, campaign=LIVE)
    schema, stream = schema_of(layouts), pyarrow.BufferOutputStream()
    sorting = pyarrow.parquet.SortingColumn.from_ordering(schema, [(HEALPIX, "ascending")])
    with pyarrow.parquet.ParquetWriter(
        stream, schema, compression="zstd", compression_level=COMPRESSION_LEVEL, sorting_columns=sorting
    ) as writer:
        for candids in _along_the_sky(places):
            rows = history_queries.rows(context.ledger, candids=candids, night=night)
            writer.write_table(table_of(rows, layouts, schema), row_group_size=ROWS_AT_ONCE)
    return bytes(stream.getvalue())


def _along_the_sky(places: list[CandidatePlace]) -> Iterator[list[int]]:
    """Yield the numbers of candidates that lie together, a row group's at a time."""
    healpix = healpix_of(np.array([p.ra_deg for p in places]), np.array([p.dec_deg for p in places]))
    by = np.argsort(healpix, kind="stable")
    for begin in range(0, len(places), ROWS_AT_ONCE):
        yield [places[k].candid for k in by[begin : begin + ROWS_AT_ONCE]]


def history_files(context: Context, night: date) -> list[Path]:
    """Return the files of the nights up to one that the histories of its alerts reach back to, the newest first."""
    days = max(survey.alerts.history_days for survey in context.deployment.surveys)
    rows = coverage_queries.files_of_kind(
        context.ledger, site=context.site.name, kind=HISTORY, since=night - timedelta(days=days), until=night
    )
    return [context.depot.absolute(row.path) for row in rows]
