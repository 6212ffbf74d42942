"""Many small nights of the demo survey, one after the other on a clock that a test sets, without Airflow.

Frames of the demo camera come in and are registered, kinds of work are planned, recorded and released by the programs
of the real night, and each night is accounted for, archived, verified, copied, closed and cleaned up. What the nodes
would make are products of a few hundred bytes: what is looked at here is what stays, and pixels change nothing of it.
"""

import importlib.util
import json
import os
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from pathlib import Path

from nightshift.archive.night_archive import archive, verify
from nightshift.errors import BadInput
from nightshift.files import copy_whole, sha256_of
from nightshift.housekeeping.clean_up import clean_up
from nightshift.housekeeping.disk_watch import sample_disks
from nightshift.housekeeping.table_upkeep import keep_tables
from nightshift.ingest.ingest import ingest_all
from nightshift.ledger.months import detach
from nightshift.night_end.close import begin_closing, close
from nightshift.nights import night_bounds
from nightshift.vocabulary import NightState

WORKFLOW = Path(__file__).parents[1] / "workflow" / "conftest.py"
FIRST = date(2026, 1, 15)  # the night of the first frames
MASTERS_EVERY = 20  # nights
MINUTES_A_DAY = 24 * 60
LASTING = ("calibrations", "references", "catalogues", "manifests", "reports")


def stepped_night():
    """Return what plays a night step by step for the tests of workflows: its classes, loaded from their file."""
    spec = importlib.util.spec_from_file_location("stepped_night", WORKFLOW)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@dataclass(frozen=True)
class AfterNight:
    """What there is after a night.

    Parameters
    ----------
    night : int
        Counted from 1.
    working_mb, lasting_mb, archive_mb, second_mb : float
        Of files: what retention governs, what serves later nights, the archive's own and the second copy's.
    working_files, lasting_files : int
        Names of files and folders.
    ledger_mb : float
        Of the database.
    rows : int
        Of tables that are kept by month: what leaves with it.
    lasting_rows : int
        Of the others.
    """

    night: int
    working_mb: float
    lasting_mb: float
    archive_mb: float
    second_mb: float
    working_files: int
    lasting_files: int
    ledger_mb: float
    rows: int
    lasting_rows: int


class SimulatedNights:
    """Plays nights, and measures what each leaves.

    Parameters
    ----------
    context, clock
        Of a test; the clock is set by this.
    frames
        Writes raw frames of the demo camera into the inbox.
    second : Path
        The folder of the second copies.
    exposures : int
        Science exposures a night.
    """

    def __init__(self, context, clock, frames, second, *, exposures=2):
        module = stepped_night()
        self.context, self.clock, self.second, self.exposures = context, clock, second, exposures
        for field in (101, 102):
            catalogue = context.depot.catalogue(f"field{field:06d}.fits")
            catalogue.parent.mkdir(parents=True, exist_ok=True)
            catalogue.write_bytes(b"stars")
        self.runner = module.FakeRunner()
        self.night = module.Night(context, self.runner, frames, clock)
        self.measured: list[AfterNight] = []
        self.cleaned = []
        self.detached = []
        self.sql("insert into copy_places (site, place, marker) values ('demo', %s, 'x')", str(second))

    def sql(self, text, *values):
        with self.context.ledger.connection.cursor() as cursor:
            cursor.execute(text, values)
            return [dict(row) for row in cursor.fetchall()] if cursor.description else None

    def play(self, nights):
        """Play so many nights more."""
        for _ in range(nights):
            number = len(self.measured)
            self._observe(number)
            self._close(FIRST + timedelta(days=number))
            self._keep_house(FIRST + timedelta(days=number))
            self.measured.append(self._measure(number + 1))
        return self.measured

    # --- one night ----------------------------------------------------------------------------------------------

    def _observe(self, number):
        begins = number * MINUTES_A_DAY
        self.clock.moment = night_bounds(self.context.site, FIRST + timedelta(days=number))[0] + timedelta(hours=12)
        if number % MASTERS_EVERY == 0:
            self._bring_calibrations(begins)
            self.night.run_due("calibrations")
        self.night.bring(*range(begins, begins + self.exposures))
        for workflow in ("exposure", "references", "difference"):
            self.night.run_due(workflow, **({"candidates": 1} if workflow != "references" else {}))
        self.runner.requests.clear()
        # as the broker would
        self.sql("update alerts set state = 'sent' where state = 'released'")
        self.sql(
            "update outbox set state = 'acknowledged', acknowledged_at = now(), broker_partition = 0,"
            " broker_offset = candid where state = 'queued'"
        )

    def _bring_calibrations(self, begins):
        for start, kind in ((-60, "bias"), (-50, "dark"), (-40, "flat")):
            for index in range(2):
                header = {"kind": kind, "SEQNAME": kind, "SEQINDEX": index + 1, "SEQLEN": 2}
                self.night.bring(begins + start + index, **header)

    def _close(self, night):
        self._send_manifest(night)
        begin_closing(self.context, night, signal="manifest")
        archive(self.context, night)
        assert verify(self.context, night).good
        self._copy(night)
        state = close(self.context, night)
        assert state is NightState.CLOSED, self.sql("select message from events order by event_id desc limit 3")

    def _send_manifest(self, night):
        files = self.sql("select inbox_name as name, bytes, sha256 from arrivals where night = %s order by 1", night)
        sent = {"schema": "nightshift.manifest/1", "site": "demo", "night": night.isoformat(), "files": files}
        path = self.context.inbox / f"manifest_{night:%Y%m%d}.json"
        path.write_text(json.dumps(sent))
        ingest_all(self.context, [path])

    def _copy(self, night):
        """Copy what the archive holds of a night, and read it back."""
        for row in self.sql("select path, source, sha256, bytes from archive_files where night = %s", night):
            target = self.second / row["sha256"][:2] / row["sha256"]
            if not target.exists():
                copy_whole(self.context.depot.root / "archive" / row["path"], target)
            assert sha256_of(target) == row["sha256"]
            self.sql(
                "insert into copies (site, night, sha256, place, bytes, source, verified_at)"
                " values ('demo', %s, %s, %s, %s, %s, now()) on conflict do nothing",
                night, row["sha256"], str(self.second), row["bytes"], f"archive/{row['path']}",
            )  # fmt: skip

    def _keep_house(self, night):
        self.clock.moment = night_bounds(self.context.site, night)[1] + timedelta(hours=1)
        sample_disks(self.context)
        self.cleaned.append(clean_up(self.context, operator="simulation"))
        if month := keep_tables(self.context).may_leave:
            with suppress(BadInput):  # the histories of new alerts reach into it: another night
                self._detach(month)

    def _detach(self, month):
        detach(
            self.context.ledger, month, self.second / "months" / month, now=self.clock.now(),
            history_days=self.context.survey.alerts.history_days, operator="simulation", dry_run=False,
        )  # fmt: skip
        self.detached.append((len(self.measured) + 1, month))

    # --- what it leaves ------------------------------------------------------------------------------------------

    def _measure(self, number):
        root, archived = self.context.depot.root, self.context.depot.root / "archive"
        folders = {path.name: use_of(path) for path in root.iterdir() if path.is_dir() and path != archived}
        working = [use for name, use in folders.items() if name not in LASTING]
        lasting = [use for name, use in folders.items() if name in LASTING]
        by_month = [row["parent"] for row in self.sql("select parent from tables_by_month()")]
        tables = self.sql(
            "select relname as name from pg_class where relnamespace = 'public'::regnamespace"
            " and relkind in ('r', 'p') and not relispartition"
        )
        counts = {row["name"]: self.sql(f"select count(*) as n from {row['name']}")[0]["n"] for row in tables}
        self.sql("vacuum")
        size = self.sql("select pg_database_size(current_database()) as n")[0]["n"]
        return AfterNight(
            number, sum(size for size, _ in working) / 1e6, sum(size for size, _ in lasting) / 1e6,
            use_of(archived)[0] / 1e6, use_of(self.second)[0] / 1e6,
            sum(names for _, names in working), sum(names for _, names in lasting), size / 1e6,
            sum(counts[name] for name in by_month),
            sum(count for name, count in counts.items() if name not in by_month),
        )  # fmt: skip


def use_of(folder):
    """Return the bytes of the files below a folder, each name counted, and how many names there are."""
    size = names = 0
    for place, folders, files in os.walk(folder):
        names += len(folders) + len(files)
        size += sum((Path(place) / name).stat().st_size for name in files)
    return size, names


def picture(measured, detached, path):
    """Draw what each night left."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 9), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(3, 1, sharex=True)
    nights = [after.night for after in measured]

    def line(ax, name, label, **style):
        ax.plot(nights, [getattr(after, name) for after in measured], label=label, lw=2, **style)

    line(axes[0], "working_mb", "depot: what retention governs", color="#1b6ca8")
    line(axes[0], "lasting_mb", "depot: masters, references, catalogues", color="#d1495b")
    axes[0].set_ylabel("MB")
    line(axes[1], "archive_mb", "archive, kept for ever", color="#6b7a8f")
    line(axes[1], "second_mb", "second copy and detached months", color="#9bb7d4", ls="--")
    axes[1].set_ylabel("MB")
    line(axes[2], "rows", "rows kept by month", color="#1b6ca8")
    line(axes[2], "lasting_rows", "rows that last", color="#d1495b")
    axes[2].set_ylabel("rows")
    axes[2].set_xlabel("night")
    right = axes[2].twinx()
    line(right, "ledger_mb", "database (MB, right)", color="#444444", ls=":")
    right.set_ylabel("MB")
    right.set_ylim(0, 1.3 * right.get_ylim()[1])
    right.legend(loc="upper right", frameon=False)
    for ax in axes:
        ax.set_ylim(0, 1.3 * ax.get_ylim()[1])
        ax.grid(alpha=0.3)
        ax.legend(loc="upper left", frameon=False, ncols=2)
        for night, _ in detached:
            ax.axvline(night, color="black", lw=0.8, ls=":")
    for night, month in detached:
        axes[2].annotate(f"{month} leaves", (night, 0.04), xycoords=("data", "axes fraction"), rotation=90,
                         ha="right", fontsize=8)  # fmt: skip
    for number in range(0, len(nights), MASTERS_EVERY):
        axes[0].annotate("calibrations", (number + 2, 0.14), xycoords=("data", "axes fraction"), rotation=90,
                         ha="center", va="center", fontsize=8)  # fmt: skip
    axes[0].set_title("What is there after each of the simulated nights", loc="left")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)


def table(measured):
    """Return what was measured as lines of text."""
    names = list(asdict(measured[0]))
    yield " ".join(f"{name:>13}" for name in names)
    for after in measured:
        yield " ".join(
            f"{value:>13.3f}" if isinstance(value, float) else f"{value:>13}" for value in asdict(after).values()
        )
