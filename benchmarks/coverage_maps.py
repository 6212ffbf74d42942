"""What the maps of a night of ZTF's size cost: 800 exposures of 64 quadrants, from the ledger to the last file.

``BENCH_COVERAGE_EXPOSURES`` (800) makes the nights smaller; the second night is added to the first.

``night_wall_s``, ``night_cpu_s``
    The second night: its maps in two filters, the MOCs, and those of all nights. ``first_wall_s`` is of the first.
``again_wall_s``
    The same once more, where nothing changed.
``picture_s``
    All nights as a picture of the whole sky.
``peak_gb``
    Of this process's memory.
``area_deg2``, ``pixels``, ``file_mb``
    Of the map of all nights in one filter.
"""

import os
import resource
import tempfile
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks.ledger import EVENING, NOW, Scale, server_for_loading
from benchmarks.ledger import load as load_nights
from nightshift.clock import ReplayClock
from nightshift.context import Context
from nightshift.coverage.coverage_pictures import draw_coverage
from nightshift.coverage.make_maps import map_night
from nightshift.coverage.stored_maps import read_map, stored_maps
from nightshift.depot import Depot
from nightshift.ledger import Ledger
from nightshift.settings import Deployment, load_survey

__all__ = ["run"]

# Eight by eight quadrants of 0.865 degrees about each pointing: the ledger's generator has points.
SQUARE = """
create function pg_temp.square(ra float8, de float8, x float8, y float8) returns float8[] language sql as $$
    select array[w, s, e, s, e, n, w, n] from (select (ra + x / cos(radians(de)) + 720)::numeric % 360 as w,
        (ra + (x + 0.865) / cos(radians(de)) + 720)::numeric % 360 as e, de + y as s, de + y + 0.865 as n) sides
$$
"""
CORNERS = """
update image_measurements i set
    corners_deg = pg_temp.square(e.ra_deg, e.dec_deg, 0.9 * (p.place % 8 - 4), 0.9 * (p.place / 8 - 4)),
    values = array(select case m.name when 'limiting_magnitude' then 20 + i.detector / 20.0 end
        from measurements m order by m.position)
from exposures e, (select d, q, (d - 1) * 4 + q - 1 as place from generate_series(1, 16) d, generate_series(1, 4) q) p
where e.instrument = i.instrument and e.exposure_id = i.exposure_id and p.d = i.detector and p.q = i.quadrant
"""


def run() -> Mapping[str, float]:
    """Make the ledger, map its nights and measure."""
    exposures = int(os.environ.get("BENCH_COVERAGE_EXPOSURES", 800))
    scale = Scale(half=exposures // 2, fields=800, waiting=0, candidates=0, alerts=0)
    with (
        server_for_loading() as server,
        Ledger(server.url("ledger")) as ledger,
        tempfile.TemporaryDirectory() as folder,
    ):
        load_nights(ledger, scale, 0, 2)
        with ledger.connection.cursor() as cursor:
            cursor.execute(SQUARE)
            cursor.execute(CORNERS)
        clock = ReplayClock(datetime.now(UTC), NOW, 0.0)
        context = Context(Deployment.of(load_survey("ztf")), ledger, Depot(Path(folder)), Path(folder), clock)
        return _measured(context)


def _measured(context: Context) -> dict[str, float]:
    first, _ = _timed(lambda: map_night(context, EVENING - timedelta(days=1)))
    cpu = time.process_time()
    night, mapped = _timed(lambda: map_night(context, EVENING))
    cpu = time.process_time() - cpu
    again, unchanged = _timed(lambda: map_night(context, EVENING))
    assert unchanged.changed == 0
    of_all = {key: row for key, row in stored_maps(context).items() if key.night is None}
    maps = {key: read_map(context, row) for key, row in of_all.items()}
    picture, _ = _timed(lambda: draw_coverage(maps))
    largest = max(of_all, key=lambda key: len(maps[key].pixels))
    return {
        "images": mapped.images, "first_wall_s": first, "night_wall_s": night, "night_cpu_s": cpu,
        "again_wall_s": again, "picture_s": picture,
        "peak_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,
        "area_deg2": maps[largest].area_deg2, "pixels": len(maps[largest].pixels),
        "file_mb": of_all[largest].bytes / 1e6,
    }  # fmt: skip


def _timed(work: Callable[[], Any]) -> tuple[float, Any]:
    began = time.perf_counter()
    result = work()
    return time.perf_counter() - began, result
