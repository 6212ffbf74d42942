"""A small night of real pixels through the pool, without Airflow: one outcome at any pace, whatever is killed.

The driver here does what Airflow's runs do, in an order drawn from a seed: whatever is due is submitted, whatever has
ended is collected, in any order.
"""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from nightshift.alerts.release_order import release_all_in_order
from nightshift.context import Context
from nightshift.depot import Depot
from nightshift.fingerprint import Fingerprint, compare, take_fingerprint
from nightshift.ingest.ingest import ingest_all
from nightshift.kinds import kind_of_workflow
from nightshift.ledger import migrate, open_ledger
from nightshift.runners.local import LocalRunner
from nightshift.settings import Deployment, load_survey
from nightshift.workflow.arrays import collect, submit
from nightshift.workflow.due_runs import due_runs, mark_requested
from nightshift.workflow.subjects import NIGHT_DAG
from rehearsal.simulator import simulate_night
from rehearsal.simulator.scale import NightScale, resized_survey

pytestmark = [pytest.mark.integration, pytest.mark.faults, pytest.mark.timeout(1500)]

SCALE = NightScale(fields=1, filters=1, detectors=(1,), visits=8, biases=5, darks=5, flats=5)
UNITS = 16  # two quadrants of eight visits


class BareNight:
    """One night in a folder, with a ledger and a pool of its own.

    Parameters
    ----------
    made : SimulatedNight
    context : Context
    folder : Path
    workers : int
    seed : int
        Of the order in which things are done.
    """

    def __init__(self, made, context: Context, folder: Path, *, workers: int, seed: int):
        self.made, self.context, self.folder, self.workers = made, context, folder, workers
        self.source = random.Random(seed)
        self.runner = LocalRunner(folder / "spool")
        self.pool: subprocess.Popen | None = None
        self.under_way: dict[str, object] = {}

    def play(self, *, at_once: bool, kills: int = 0) -> Fingerprint:
        """Play the night to the end of its alerts, and return its fingerprint."""
        shutil.copytree(self.made.catalogues, self.context.depot.root / "catalogues")
        self.start_pool()
        try:
            files = list(self.made.files)
            kill_at = {self.source.uniform(0.0, 0.9) for _ in range(kills)}  # shares of the work
            began = time.monotonic()
            while files or self.under_way or self.due():  # it ends when nothing is left to do
                if files and (at_once or not self.under_way):
                    self.bring(files, len(files) if at_once else 1)
                self.ask()
                self.take_in()
                if self.pool.poll() is not None:  # the supervisor would
                    self.start_pool()
                for moment in [m for m in kill_at if self.share_done() > m]:
                    kill_at.discard(moment)
                    self.kill()
                assert time.monotonic() - began < 1200, f"{len(self.under_way)} arrays are under way"
                time.sleep(0.1)
            assert not kill_at, "the night ended before the last kill"
            release_all_in_order(self.context)
        finally:
            self.stop_pool(signal.SIGTERM)
        return take_fingerprint(self.context.ledger, self.context.depot.root)

    def share_done(self) -> float:
        """Return how much of the night's work has ended: its reductions and its differences."""
        with self.context.ledger.connection.cursor() as cursor:
            cursor.execute(
                "select (select count(*) from units where state not in ('pending', 'running'))"
                " + (select count(*) from differences) as ended"
            )
            return cursor.fetchone()["ended"] / (2 * UNITS)

    def bring(self, files, number) -> None:
        paths = [Path(shutil.copy(files.pop(0), self.context.inbox)) for _ in range(number)]
        ingest_all(self.context, paths)

    def due(self):
        return [run for run in due_runs(self.context) if run.dag_id != NIGHT_DAG]

    def ask(self) -> None:
        requests = self.due()
        self.source.shuffle(requests)
        for request in requests:
            mark_requested(self.context, request)
            name = submit(
                self.context, self.runner, kind_of_workflow(request.dag_id), request.conf,
                airflow_run=request.run_id, airflow_try=1,
            )  # fmt: skip
            if name is not None:
                self.under_way[name] = request

    def take_in(self) -> None:
        if not self.under_way:
            return
        ended = [
            name for name, reports in self.runner.states(frozenset(self.under_way)).items()
            if reports and all(report.state.ended for report in reports)
        ]  # fmt: skip
        self.source.shuffle(ended)
        for name in ended:
            request = self.under_way.pop(name)
            collect(self.context, self.runner, kind_of_workflow(request.dag_id), request.conf, final=False)

    def start_pool(self) -> None:
        with (self.folder / "pool.log").open("a") as log:
            self.pool = subprocess.Popen(
                [sys.executable, "-m", "nightshift.runners.pool", "--spool", str(self.folder / "spool"),
                 "--workers", str(self.workers)],
                stdout=log, stderr=log, env={**os.environ, "OMP_NUM_THREADS": "1"},
            )  # fmt: skip

    def stop_pool(self, how: int) -> None:
        self.pool.send_signal(how)
        self.pool.wait(60)

    def kill(self) -> None:
        """Kill the pool, which is started again, or one of its workers."""
        with suppress(psutil.Error):
            workers = [p for p in psutil.Process(self.pool.pid).children(recursive=True) if p.cpu_percent(0.1) > 1]
            if workers and self.source.random() < 0.5:
                workers[-1].kill()
                return
        self.stop_pool(signal.SIGKILL)
        self.start_pool()


@pytest.fixture(scope="module")
def survey():
    demo = resized_survey(load_survey("demo"), SCALE)
    patient = {kind: profile.model_copy(update={"time_s": 900.0}) for kind, profile in demo.profiles.items()}
    return demo.model_copy(update={"profiles": patient})  # of a machine that has much else to do


@pytest.fixture(scope="module")
def made(survey, tmp_path_factory):
    return simulate_night(survey, tmp_path_factory.mktemp("made"), seed=1, scale=SCALE)


@pytest.fixture
def play(made, survey, postgres_server, clock, tmp_path):
    """Plays the night in a ledger and a folder of its own."""

    def play(name: str, *, workers: int, seed: int, **how) -> Fingerprint:
        postgres_server.create_database(f"bare_{name}")
        url = postgres_server.url(f"bare_{name}")
        migrate(url)
        folder = tmp_path / name
        for part in ("depot", "inbox"):
            (folder / part).mkdir(parents=True)
        with open_ledger(url) as ledger:
            context = Context(Deployment.of(survey), ledger, Depot(folder / "depot"), folder / "inbox", clock)
            return BareNight(made, context, folder, workers=workers, seed=seed).play(**how)

    return play


def test_pace_workers_and_kills_of_the_pool_change_nothing(play):
    slow = play("slow", workers=2, seed=1, at_once=False)
    assert len(slow.classes["table alerts"]) > 10
    assert len(slow.classes["table differences"]) == UNITS
    quick = play("quick", workers=1, seed=2, at_once=True)
    assert "\n".join(map(str, compare(slow, quick))) == ""
    killed = play("killed", workers=2, seed=3, at_once=True, kills=5)
    assert "\n".join(map(str, compare(slow, killed))) == ""
