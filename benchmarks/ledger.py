"""What the ledger's hot queries cost as history grows: a ledger of ZTF's size, made by set-based SQL.

The ledger is made on an embedded PostgreSQL of its own and removed afterwards. Processor time is that of the one
server process that answers, parallel query off; each query runs once to warm the caches, and the best of three more
counts. ``BENCH_LEDGER_SCALE`` (1: 45,000 units, 700,000 candidates and 230,000 alerts a night) makes it smaller, and
``BENCH_LEDGER_NIGHTS`` (365) shorter. Exposures, units, calibrations and runs are of all nights;
image quality and differences of the last 100; files, attempts, products, candidates and alerts of the last 10.

``due_runs_cpu_ms``, ``due_runs_growth``
    One look at what is due with ten exposures waiting and new fields without reference, at the largest size; and how
    many times what it took at 30 nights.
``explain_exposure_cpu_s``
    The whole story of one exposure, Python and server.
``slowest_page_query_ms``
    Of the queries that the pages of a file, an exposure and a unit ask.
``bytes_per_night_gb``
    Of the last ten nights, all tables and indexes.
``closing_wall_s``
    Account of the open night, verdict, and the night's table with all facts of its report; archiving left out.
``<topic>_<query>_ms_<nights>``
    Processor time of each query at each size.
"""

import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from typing import Any

from nightshift.clock import ReplayClock
from nightshift.context import Context
from nightshift.depot import Depot
from nightshift.keys import LIVE
from nightshift.kinds.difference.record import COMMON_FIELDS
from nightshift.ledger import Ledger, migrate
from nightshift.ledger.embedded import EmbeddedPostgres
from nightshift.loopback import free_ports
from nightshift.night_end.accounts import account
from nightshift.night_end.close import verdict
from nightshift.night_end.night_table import night_table
from nightshift.settings import Deployment, load_survey
from nightshift.vocabulary import Tier
from nightshift.workflow.due_runs import due_runs
from nightshift.workflow.explain import explain

__all__ = ["Scale", "hot_queries", "load", "measure", "run", "server_for_loading"]

HERE = Path(__file__).parent / "_ledger"
EVENING = date(2026, 1, 15)
NOW = datetime(2026, 1, 16, 12, tzinfo=UTC)
LIVE_FRAMES = {"instrument": "ztf", "campaign": LIVE, "campaigns": [LIVE], "tier": Tier.PROCESSED}
NIGHTS_WITH_FILES = 10  # and with candidates and alerts
MEASURED_NIGHTS = 100  # with image quality and differences: of all 365 they would fill 13 GB more
SINGLE_FIELDS, OTHER_FIELDS = 36, 7  # numbers of a candidate's record
LOADING = (
    "set session_replication_role = replica",
    "set synchronous_commit = off",
    "set work_mem = '256MB'",
    "set maintenance_work_mem = '512MB'",
)
MEASURING = ("set max_parallel_workers_per_gather = 0", "set jit = off")


@dataclass(frozen=True)
class Scale:
    """How much a night holds.

    Parameters
    ----------
    half : int
        Exposures a filter and night.
    detectors, quadrants : int
    fields : int
        With references.
    new : int
        Fields without a reference that the open night visits.
    waiting : int
        Exposures of the open night that wait to be reduced.
    candidates, alerts : int
        A difference.
    """

    half: int = 350
    detectors: int = 16
    quadrants: int = 4
    fields: int = 1000
    new: int = 10
    waiting: int = 10
    candidates: int = 16
    alerts: int = 5

    @classmethod
    def part(cls, share: float) -> "Scale":
        """Return a scale with a share of ZTF's exposures a night."""
        half = max(4, round(cls.half * share))
        return cls(
            half=half, fields=max(8, round(cls.fields * share)), new=min(cls.new, half // 4),
            waiting=min(cls.waiting, half // 2),
        )  # fmt: skip


def run() -> Mapping[str, float]:
    """Make the ledger in steps, measure at each, and return the figures."""
    scale, last = Scale.part(float(os.environ.get("BENCH_LEDGER_SCALE", 1))), _nights()
    with (
        server_for_loading() as server,
        Ledger(server.url("ledger")) as ledger,
        tempfile.TemporaryDirectory() as folder,
    ):
        survey = load_survey("ztf")
        context = Context(
            Deployment.of(survey), ledger, Depot(Path(folder)), Path(folder), ReplayClock(datetime.now(UTC), NOW, 0.0)
        )
        figures: dict[str, float] = {}
        loaded, loading_s = 0, 0.0
        for nights in (size for size in (1, 30, 365) if size <= last):
            began = time.monotonic()
            load(ledger, scale, loaded, nights)
            loading_s += time.monotonic() - began
            loaded = nights
            found = measure(context)
            figures |= {f"{name}_ms_{nights}": value for name, value in found.items()}
            print(f"{nights} nights, loaded in {loading_s:.0f} s: {found}", flush=True)
        figures |= _summary(figures, loaded) | {"loading_s": loading_s, "bytes_gb": _bytes(ledger) / 1e9}
        return figures | _closing(context) | _bytes_per_night(ledger)


def _nights() -> int:
    return int(os.environ.get("BENCH_LEDGER_NIGHTS", 365))


def load(ledger: Ledger, scale: Scale, newest: int, nights: int) -> None:
    """Add the nights from number `newest` (0 is the open one) up to `nights` in all.

    Parameters
    ----------
    ledger : Ledger
        Migrated; as a superuser, since no trigger and no foreign key is looked at.
    scale : Scale
    newest, nights : int
    """
    with_files = min(nights, max(NIGHTS_WITH_FILES, newest)) - 1
    with ledger.connection.cursor() as cursor:
        for statement in LOADING:
            cursor.execute(statement)
        if newest == 0:
            singles = [f"single_{number:02d}" for number in range(SINGLE_FIELDS)]
            cursor.execute("select pack_record(%s, %s, %s)", (_record(), singles, COMMON_FIELDS))
            _execute(cursor, "references", scale, 0, 0)
        _execute(cursor, "nights", scale, newest, nights - 1)
        _execute(cursor, "files", scale, newest, with_files)
        _execute(cursor, "alerts", scale, newest, with_files)
        cursor.execute("select note_undifferenced_of_night(site, night) from nights where state = 'open'")
        cursor.execute("set session_replication_role = origin")
        cursor.execute("vacuum analyze")


def _record() -> str:
    singles = ", ".join(f'"single_{number:02d}": 0.5' for number in range(SINGLE_FIELDS))
    numbers = ", ".join(f'"measured_{number:02d}": 0.5' for number in range(OTHER_FIELDS))
    return f'{{{singles}, {numbers}, "isdiffpos": "t", "rbversion": "drb-1.0"}}'


def _execute(cursor: Any, name: str, scale: Scale, newest: int, oldest: int) -> None:
    values = asdict(scale) | {"evening": EVENING, "measured": MEASURED_NIGHTS, "newest": newest, "oldest": oldest}
    for statement in (HERE / f"{name}.sql").read_text().split(";\n"):
        if oldest >= newest and statement.strip():
            cursor.execute(statement, values)


def measure(context: Context) -> dict[str, float]:
    """Return the processor time of each hot query and of a whole poll, in ms, at the ledger's present size."""
    with context.ledger.connection.cursor() as cursor:
        for statement in MEASURING:
            cursor.execute(statement)
        cursor.execute(
            "select exposure_id from exposures where image_type = 'science' and state = 'ended'"
            " order by shutter_open desc limit 1"
        )
        exposure = cursor.fetchone()["exposure_id"]
    figures = {"due_runs": _cpu_ms(context, lambda: due_runs(context))}
    figures["explain_exposure"] = _cpu_ms(context, lambda: explain(context, exposure), python=True)
    for topic, name, parameters in hot_queries(exposure):
        figures[f"{topic}_{name}"] = _cpu_ms(context, partial(context.ledger.rows, topic, name, **parameters))
    return figures


def hot_queries(exposure: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Give the hot queries with what they are asked with, those of the pages last."""
    unit, night = f"ztf/{exposure}/d01/q1/processed/live", {"site": "palomar", "night": EVENING}
    groups = [(1 + i % 200, name) for i in range(200) for name in ("zg",)]
    yield "reference", "references_due", {"at_least": 6, "at_closing": True, **LIVE_FRAMES}
    yield "science", "waiting_exposures", {"instrument": "ztf", "campaign": LIVE}
    yield "science", "unended_of_fields", {"instrument": "ztf"}
    yield "science", "own_catalogues", {
        "fields": [field for field, _ in groups], "filters": [name for _, name in groups], "instrument": "ztf",
        "campaign": LIVE,
    }  # fmt: skip
    yield "master", "calibration_sets", {"instrument": "ztf", "quadrants": 4, "campaign": LIVE}
    yield "difference", "differences_due", {"instrument": "ztf", "campaign": LIVE, "campaigns": [LIVE]}
    yield "runs", "runs_of", {"subjects": [f"science/{exposure}"], "stale_s": 3600}
    yield "nights", "nights_to_close", {"site": "palomar", "now": NOW, "quiet_s": 600}
    yield "watch", "under_way", {"lately_s": 3600}
    yield "jobs", "stragglers", {"instrument": "ztf", "site": "palomar", "deadline_s": 3600}
    yield "alerts", "fields_awaiting_release", {"instrument": "ztf"}
    yield "alerts", "next_in_release_order", {
        "instrument": "ztf", "field": 12, "campaign": "live", "at_least": 6, "serves_now": True,
        "tier": Tier.PROCESSED, "campaigns": [LIVE],
    }  # fmt: skip
    yield "night_end", "arrivals_of_night", night
    yield "night_end", "references_built", {**night, "instrument": "ztf", "campaign": LIVE}
    yield "injection", "completeness_of_night", {**night, "campaign": LIVE}
    yield from _page_queries(exposure, unit)


def _page_queries(exposure: str, unit: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    key = {"instrument": "ztf", "exposure_id": exposure}
    yield "explain", "exposures_like", {"thing": exposure, "night": None}
    yield "explain", "arrivals_like", {"thing": exposure, "night": None}
    yield "explain", "on_manifests", {"thing": f"ztf_{exposure}_c01_o.fits", "night": None}
    yield "explain", "frame_notes", key
    yield "explain", "units_like", {**key, "thing": ""}
    yield "explain", "uses_in_masters", key
    yield "explain", "attempts_of_unit", {"unit_key": unit}
    yield "explain", "products_of_unit", {"unit_key": unit}
    yield "explain", "alerts_of_unit", {"unit_key": unit}
    yield "explain", "events_about", {"subjects": [unit, f"ztf/{exposure}"]}
    yield "inspect", "units_like", {"text": exposure}
    yield "inspect", "candidates", {"unit_key": unit, "campaign": LIVE}
    yield "overrides", "frame_called", {"thing": f"ztf/{exposure}/d01", "night": None}
    yield "overrides", "made_with", {"frame_key": f"ztf/{exposure}/d01"}


def _cpu_ms(context: Context, work: Callable[[], Any], *, python: bool = False) -> float:
    """Return what something costs the server in ms of processor, at best; with `python`, this process's own too."""
    work()
    pid = context.ledger.connection.info.backend_pid
    spent = []
    for _ in range(3):
        before, own = _server_ms(pid), time.process_time()
        work()
        spent.append(_server_ms(pid) - before + (1000 * (time.process_time() - own) if python else 0.0))
    return round(min(spent), 2)


def _server_ms(pid: int) -> float:
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e6


def _summary(figures: Mapping[str, float], nights: int) -> dict[str, float]:
    page = {f"{topic}_{name}" for topic, name, _ in _page_queries("", "")}
    summary = {
        "nights": float(nights),
        "due_runs_cpu_ms": figures[f"due_runs_ms_{nights}"],
        "explain_exposure_cpu_s": figures[f"explain_exposure_ms_{nights}"] / 1000,
        "slowest_page_query_ms": max(figures[f"{name}_ms_{nights}"] for name in page),
    }
    if nights > 30:
        summary["due_runs_growth"] = figures[f"due_runs_ms_{nights}"] / max(figures["due_runs_ms_30"], 0.1)
    return summary


def _closing(context: Context) -> dict[str, float]:
    """Account for the open night, judge it and make its table, as the end of a night does."""
    began = time.monotonic()
    account(context, EVENING)
    accounted = time.monotonic()
    verdict(context, EVENING)
    judged = time.monotonic()
    night_table(context, EVENING)
    return {
        "closing_wall_s": time.monotonic() - began,
        "closing_account_wall_s": accounted - began,
        "closing_verdict_wall_s": judged - accounted,
    }


def _bytes(ledger: Ledger) -> float:
    with ledger.connection.cursor() as cursor:
        cursor.execute("select pg_database_size(current_database()) as bytes")
        return float(cursor.fetchone()["bytes"])


def _bytes_per_night(ledger: Ledger) -> dict[str, float]:
    """Return GB a night, table by table: each table's own size by the nights that it holds."""
    with ledger.connection.cursor() as cursor:
        cursor.execute((HERE / "bytes.sql").read_text())
        rows = {row["name"]: float(row["bytes"]) for row in cursor.fetchall()}
    figures = {f"bytes_per_night_mb_{name}": size / 1e6 for name, size in rows.items() if size > 1e5}
    return figures | {"bytes_per_night_gb": sum(rows.values()) / 1e9}


@contextmanager
def server_for_loading() -> Iterator[EmbeddedPostgres]:
    """Run a PostgreSQL in a folder that goes away, tuned to be filled."""
    with tempfile.TemporaryDirectory(prefix="nightshift-bench-") as folder:
        Path(folder).chmod(0o755)
        database = EmbeddedPostgres(Path(folder), free_ports(1)[0])
        database.initialise()
        tuned = ("fsync=off", "max_wal_size=8GB", "wal_level=minimal", "max_wal_senders=0", "autovacuum=off")
        options = [part for setting in tuned for part in ("-c", setting)]
        process = subprocess.Popen(
            [*database.command, *options], user=database.operating_system_user, cwd="/", stderr=subprocess.DEVNULL
        )
        try:
            while not database.answers():
                time.sleep(0.2)
            database.create_database("ledger")
            migrate(database.url("ledger"))
            yield database
        finally:
            process.terminate()
            process.wait(60)
