"""What the earlier detections near an exposure's candidates cost: asked of the database, and read from Parquet.

A ledger of ZTF's density is made by the generator of ``benchmarks/ledger.py`` (16 candidates a quadrant, 64 quadrants
an exposure), ``BENCH_HISTORY_NIGHTS`` (10) nights of a share ``BENCH_HISTORY_SCALE`` (0.1) of 700 exposures, and the
night's files are written as the end of a night writes them. Then the history of one exposure's 1,024 candidates, half
of which lie on earlier ones, is found in three ways, each once to warm the caches and the best of three after:

``database_s``
    The query that association uses, ``alerts.detections_in_windows``, with all that a packet brings.
``parquet_places_s``
    From the files: the row groups whose places lie about the exposure, three columns of them, and the nearest of each
    candidate. What a packet brings is not yet read.
``parquet_s``
    The same, and the whole rows of what was found, from the row groups that hold some of it.

``matches``, ``parquet_matches``
    How many were found each way; both are the same.
``write_s``, ``file_mb``, ``rows``
    Of the newest closed night's file.
"""

import os
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet
from scipy.spatial import cKDTree

from benchmarks.ledger import EVENING, NOW, Scale, server_for_loading
from benchmarks.ledger import load as load_nights
from nightshift.alerts.associate import windows_of
from nightshift.alerts.cone_search import separation_arcsec
from nightshift.clock import ReplayClock
from nightshift.context import Context
from nightshift.coverage.candidate_history import history_files, put_candidates
from nightshift.coverage.candidate_table import HEALPIX, HEALPIX_ORDER, healpix_of
from nightshift.coverage.footprints import unit_vectors
from nightshift.depot import Depot
from nightshift.keys import LIVE
from nightshift.ledger import Ledger
from nightshift.ledger.queries import alerts as alert_queries
from nightshift.settings import Deployment, load_survey

__all__ = ["run"]

RADIUS_ARCSEC = 1.5
COARSE_ORDER = 6  # pixels of 0.9 degrees: row groups that hold none of those about the exposure are not read
Places = Sequence[tuple[float, float]]


def run() -> Mapping[str, float]:
    """Make the ledger and the files, and measure."""
    scale = Scale.part(float(os.environ.get("BENCH_HISTORY_SCALE", 0.1)))
    nights = int(os.environ.get("BENCH_HISTORY_NIGHTS", 10))
    with (
        server_for_loading() as server,
        Ledger(server.url("ledger")) as ledger,
        tempfile.TemporaryDirectory() as folder,
    ):
        load_nights(ledger, scale, 0, nights)
        clock = ReplayClock(datetime.now(UTC), NOW, 0.0)
        context = Context(Deployment.of(load_survey("ztf")), ledger, Depot(Path(folder)), Path(folder), clock)
        for day in range(nights):
            began = time.monotonic()
            rows = put_candidates(context, EVENING - timedelta(days=nights - 1 - day))
            wrote = time.monotonic() - began
        files = history_files(context, EVENING)
        figures = {"nights": nights, "rows": rows, "write_s": wrote, "file_mb": files[0].stat().st_size / 1e6}
        return figures | _compared(ledger, files)


def _compared(ledger: Ledger, files: Sequence[Path]) -> dict[str, float]:
    opening, places = _exposure(ledger)
    with ledger.connection.cursor() as cursor:
        cursor.execute("set jit = off")

    def database() -> int:
        found = alert_queries.detections_in_windows(
            ledger, **windows_of(places, RADIUS_ARCSEC), campaign=LIVE, since=opening - timedelta(days=30),
            before=opening, release_order_at=opening,
        )  # fmt: skip
        return sum(separation_arcsec(*places[f.item], f.ra_deg, f.dec_deg) <= RADIUS_ARCSEC for f in found)

    seconds, matches = _best(database)
    places_s, _ = _best(lambda: sum(len(rows) for _, (_, rows) in _near(files, places, opening)))
    parquet_s, from_files = _best(
        lambda: sum(len(_whole(file, found)) for file, found in _near(files, places, opening))
    )
    return {
        "candidates": len(places), "matches": matches, "parquet_matches": from_files, "database_s": seconds,
        "parquet_places_s": places_s, "parquet_s": parquet_s,
    }  # fmt: skip


def _exposure(ledger: Ledger) -> tuple[datetime, Places]:
    """Return an exposure of the newest night and its candidates' places, half of them on earlier detections."""
    with ledger.connection.cursor() as cursor:
        cursor.execute(
            "select * from exposures where state = 'ended' and field is not null order by shutter_open desc"
        )
        newest = cursor.fetchone()
        cursor.execute("select ra_deg, dec_deg from candidates where shutter_open = %s", (newest["shutter_open"],))
        places = [(row["ra_deg"], row["dec_deg"]) for row in cursor.fetchall()]
        (ra_from, dec_from), (ra_to, dec_to) = np.min(places, axis=0).tolist(), np.max(places, axis=0).tolist()
        cursor.execute(
            "select ra_deg, dec_deg from candidates where shutter_open < %s and ra_deg between %s and %s"
            " and dec_deg between %s and %s order by candid limit %s",
            (newest["shutter_open"], ra_from, ra_to, dec_from, dec_to, len(places) // 2),
        )
        known = [(row["ra_deg"], row["dec_deg"]) for row in cursor.fetchall()]
    return newest["shutter_open"], [*known, *places[len(known) :]]


def _near(files: Sequence[Path], places: Places, before: datetime) -> list[tuple[pyarrow.parquet.ParquetFile, Any]]:
    """Return for each file its row groups and the rows within the match radius of a place."""
    ra_of, dec_of = np.array(places).T
    directions = unit_vectors(ra_of, dec_of)
    tree, chord = cKDTree(directions), 2 * np.sin(np.radians(RADIUS_ARCSEC / 3600) / 2)
    shift = 2 * (HEALPIX_ORDER - COARSE_ORDER)
    about = np.unique(healpix_of(ra_of, dec_of, COARSE_ORDER))
    found = []
    for path in files:
        file = pyarrow.parquet.ParquetFile(path)
        for group in range(file.num_row_groups):
            bounds = file.metadata.row_group(group).column(0).statistics
            if np.searchsorted(about, bounds.min >> shift) == np.searchsorted(about, bounds.max >> shift, "right"):
                continue
            table = file.read_row_group(group, ["ra_deg", "dec_deg", "shutter_open"])
            ra, dec, opened = (column.to_numpy() for column in table.columns)
            near = tree.query_ball_point(unit_vectors(ra, dec), chord, return_length=True)
            earlier = opened < np.datetime64(before.replace(tzinfo=None))
            if (rows := np.repeat(np.arange(len(ra)), near * earlier)).size:
                found.append((file, (group, rows)))
    return [(file, rows) for file, rows in found]


def _whole(file: pyarrow.parquet.ParquetFile, found: tuple[int, np.ndarray]) -> list[dict[str, Any]]:
    group, rows = found
    whole: list[dict[str, Any]] = file.read_row_group(group).take(rows).to_pylist()
    assert HEALPIX in whole[0]
    return whole


def _best(work: Callable[[], int]) -> tuple[float, int]:
    result, spent = work(), []
    for _ in range(3):
        began = time.perf_counter()
        work()
        spent.append(time.perf_counter() - began)
    return min(spent), result
