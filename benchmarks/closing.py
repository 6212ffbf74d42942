"""What closing a night of ZTF's size takes without its pixels, and how fast an archive copies and reads back.

The ledger is made as that of the benchmark ``ledger``, one open night; each file of the night is small, its content
its own path. Then large files go into an archive on another file system (from shared memory to the temporary folder,
so that they are copied and not linked) and are read back, with one thread and with two. Rates are by the processor
time of this process, so that others on the machine count little; of several repeats the best counts.

``BENCH_CLOSING_SCALE`` (1: 44,800 quadrants, some 190,000 files and 230,000 alerts) makes the night smaller,
``BENCH_CLOSING_MB`` (1024) the large files.

``files``, ``alerts``
    Of the night.
``closing_wall_s``
    Account, archive, verify, the night's table with all facts of its report, and close; with each of them apart.
``peak_gb``
    Of this process; the database is another.
``sha256_mb_per_s_core``
    Of bytes in memory: the bound of all that follows.
``archive_mb_per_s_core``, ``verify_mb_per_s_core``
    With one thread; and ``archive_of_sha256``, ``verify_of_sha256`` as parts of the bound.
``copy_mb_per_s_core``, ``archive_of_bound``
    Of a copy that is not hashed; and archiving as a part of what hashing and copying, one after the other, allow.
``archive_two_over_one``, ``verify_two_over_one``
    How many times faster two threads are than one by the clock on the wall; it means something on a quiet machine
    with two cores.
``load_at_start``
    Of the machine, over the last minute: this benchmark wants it below 0.2.
"""

import hashlib
import os
import resource
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from pathlib import Path

from benchmarks.ledger import EVENING, HERE, NOW, Scale, load, server_for_loading
from nightshift.alerts.tars import write_tar
from nightshift.archive.night_archive import archive, verify
from nightshift.archive.night_folder import NightFolder
from nightshift.archive.placing import CHUNK
from nightshift.clock import ReplayClock
from nightshift.context import Context
from nightshift.depot import Depot
from nightshift.ledger import Ledger
from nightshift.ledger.queries import archive as archive_queries
from nightshift.night_end.accounts import account
from nightshift.night_end.close import close, verdict
from nightshift.night_end.night_table import night_table
from nightshift.settings import Deployment, load_survey
from nightshift.settings.archive import ArchivePolicy

__all__ = ["close_night", "fill_depot", "run"]

LARGE_MB = 64
REPEATS = 3
LARGE_NIGHT = EVENING - timedelta(days=1)
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 (no name is guessed in it)


def run() -> Mapping[str, float]:
    """Close the night, then copy and read back; return the figures."""
    figures = {"load_at_start": os.getloadavg()[0], "sha256_mb_per_s_core": _sha256_speed()}
    with (
        server_for_loading() as running,
        Ledger(running.url("ledger")) as ledger,
        tempfile.TemporaryDirectory() as folder,
    ):
        scale = Scale.part(float(os.environ.get("BENCH_CLOSING_SCALE", 1)))
        load(ledger, scale, 0, 1)
        context = _context(ledger, Path(folder))
        figures |= fill_depot(context)
        figures |= close_night(context)
        figures["peak_gb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
        return figures | _rates(context, figures["sha256_mb_per_s_core"])


def _context(ledger: Ledger, folder: Path) -> Context:
    clock = ReplayClock(datetime.now(UTC), NOW, 0.0)
    return Context(Deployment.of(load_survey("ztf")), ledger, Depot(folder), folder, clock)


def fill_depot(context: Context) -> dict[str, float]:
    """Write the files that the ledger says the open night has, and return how many files and alerts those are."""
    depot = context.depot
    with context.ledger.connection.cursor() as cursor:
        cursor.execute("set session_replication_role = replica")  # what was sent may not change otherwise
        for statement in (HERE / "closing.sql").read_text().split(";\n"):
            cursor.execute(statement, {"evening": EVENING})
        cursor.execute("set session_replication_role = origin")
    wanted = archive_queries.files_to_archive(context.ledger, site="palomar", night=EVENING)
    for file in wanted:
        path = depot.root / file.source
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(file.source)
    packets = archive_queries.packets(context.ledger, site="palomar", night=EVENING)
    tars = 0
    for place, members in groupby(sorted(packets, key=lambda p: (p.packet_path, p.candid)), lambda p: p.packet_path):
        write_tar(depot.root / place, [(f"{p.candid}.avro", str(p.candid).encode()) for p in members])
        tars += 1
    return {"files": float(len(wanted) + tars), "alerts": float(len(packets))}


def close_night(context: Context) -> dict[str, float]:
    """Close the open night step by step; return how long each took. Everything must be archived and read back."""
    steps: dict[str, Callable[[], object]] = {
        "account": lambda: account(context, EVENING),
        "archive": lambda: archive(context, EVENING),
        "verify": lambda: verify(context, EVENING, unread_only=True),
        "table": lambda: night_table(context, EVENING),
        "close": lambda: close(context, EVENING),
    }
    seconds = {}
    for name, step in steps.items():
        began = time.monotonic()
        step()
        seconds[f"closing_{name}_wall_s"] = time.monotonic() - began
    faults = verdict(context, EVENING).archive_faults
    assert not faults, faults
    return {"closing_wall_s": sum(seconds.values()), **seconds}


# --- large files --------------------------------------------------------------------------------------------


def _sha256_speed() -> float:
    """Return the best of some repeats, in MB a second of processor."""
    content = bytes(LARGE_MB * 1_000_000)
    return max(_rate(len(content), lambda: hashlib.sha256(content))[0] for _ in range(2 * REPEATS))


def _rate(size: int, work: Callable[[], object]) -> tuple[float, float]:
    """Return MB a second of processor time and by the clock on the wall."""
    began, spent = time.monotonic(), time.process_time()
    work()
    return size / 1e6 / (time.process_time() - spent), size / 1e6 / (time.monotonic() - began)


def _rates(context: Context, sha256_speed: float) -> dict[str, float]:
    size = int(os.environ.get("BENCH_CLOSING_MB", 1024)) * 1_000_000
    with _large_files(context, size) as (large, night):
        copy = max(_rate(size, lambda: _copy(large, night))[0] for _ in range(REPEATS))
        one, two = (_best(_with_threads(large, threads), night, size) for threads in (1, 2))
    return {
        "archive_mb_per_s_core": one["archive"][0],
        "verify_mb_per_s_core": one["verify"][0],
        "copy_mb_per_s_core": copy,
        "archive_of_bound": one["archive"][0] * (1 / sha256_speed + 1 / copy),
        "archive_of_sha256": one["archive"][0] / sha256_speed,
        "verify_of_sha256": one["verify"][0] / sha256_speed,
        "archive_two_over_one": two["archive"][1] / one["archive"][1],
        "verify_two_over_one": two["verify"][1] / one["verify"][1],
    }


def _copy(context: Context, night: date) -> None:
    """Copy the large files through a buffer in memory, as archiving does, and do nothing else."""
    buffer = memoryview(bytearray(CHUNK))
    for file in archive_queries.files_to_archive(context.ledger, site="palomar", night=night):
        place = context.depot.root / "archive" / file.source
        with (context.depot.root / file.source).open("rb", buffering=0) as source, place.open("wb") as target:
            while count := source.readinto(buffer):
                target.write(buffer[:count])
        place.unlink()


def _with_threads(context: Context, threads: int) -> Context:
    return context.with_survey(context.survey.model_copy(update={"archive": ArchivePolicy(threads=threads)}))


def _best(context: Context, night: date, size: int) -> dict[str, tuple[float, float]]:
    """Archive and read back several times, each from the start; return the best rates."""
    found: dict[str, list[tuple[float, float]]] = {"archive": [], "verify": []}
    for _ in range(REPEATS):
        folder = NightFolder(context, night).path
        with context.ledger.connection.cursor() as cursor:
            cursor.execute("delete from archive_files where night = %s", (night,))
            cursor.execute("delete from archive_bags where night = %s", (night,))
        shutil.rmtree(folder, ignore_errors=True)
        found["archive"].append(_rate(size, lambda: archive(context, night)))
        found["verify"].append(_rate(size, lambda: verify(context, night)))
    return {name: (max(r[0] for r in rates), max(r[1] for r in rates)) for name, rates in found.items()}


@contextmanager
def _large_files(context: Context, size: int) -> Iterator[tuple[Context, date]]:
    """Give a night of a depot in shared memory whose archive is a folder of the disk."""
    with tempfile.TemporaryDirectory(dir=SHARED_MEMORY) as memory, tempfile.TemporaryDirectory() as disk:
        depot = Depot(Path(memory))
        (depot.root / "archive").symlink_to(disk)
        content = os.urandom(LARGE_MB * 1_000_000)
        with context.ledger.connection.cursor() as cursor:
            cursor.execute("set session_replication_role = replica")
            cursor.execute(
                "insert into nights (site, night, begins, ends) values ('palomar', %s, %s, %s)",
                (LARGE_NIGHT, NOW - timedelta(days=2), NOW - timedelta(days=1)),
            )
            for number in range(max(1, size // len(content))):
                own = number.to_bytes(4, "big") + content[4:]
                (depot.root / f"{number}.fits").write_bytes(own)
                sha256 = hashlib.sha256(own).hexdigest()
                values = (f"large{number}", LARGE_NIGHT, LARGE_NIGHT, f"{number}.fits", sha256, len(own))
                cursor.execute((HERE / "large_file.sql").read_text(), values)
            cursor.execute("set session_replication_role = origin")
        yield Context(context.deployment, context.ledger, depot, context.inbox, context.clock), LARGE_NIGHT
