"""A simulated night with faults, driven through the whole pipeline in this process: no Airflow, no broker."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from nightshift.alerts.post import post
from nightshift.archive.night_archive import archive, verify
from nightshift.context import Context
from nightshift.depot import Depot
from nightshift.ingest.inbox import complete_files
from nightshift.ingest.ingest import ingest_all
from nightshift.jobs.run import run_task
from nightshift.kinds import kind_of_workflow
from nightshift.ledger import Ledger
from nightshift.night_end.accounts import account
from nightshift.night_end.close import begin_closing, close, may_close
from nightshift.night_end.report import write_report
from nightshift.night_end.report_sections import sections_of
from nightshift.night_end.report_text import plain, text_table
from nightshift.runners.base import TaskReport
from nightshift.settings import Deployment, Survey, load_survey
from nightshift.vocabulary import JobState, NightState
from nightshift.workflow.arrays import collect, submit
from nightshift.workflow.due_runs import RunRequest, due_runs, mark_requested
from nightshift.workflow.subjects import NIGHT_DAG
from rehearsal.play.fault_report import FaultOutcome, how_faults_ended
from rehearsal.simulator import NightScale, simulate_night
from rehearsal.simulator.fault_table import mail_line
from rehearsal.simulator.faults import FAULTS, Ends, read_requests
from rehearsal.simulator.file_player import deliver
from rehearsal.simulator.simulate import SimulatedNight
from rehearsal.stand_ins.mock_broker import mock_cluster


class NoonClock:
    """Stands at the noon that ends the simulated night."""

    def now(self) -> datetime:
        """Return the moment."""
        return datetime(2025, 11, 21, 19, tzinfo=UTC)


class InProcessRunner:
    """Runs every task of an array while it is submitted."""

    name = "in_process"

    def __init__(self):
        self._tasks: dict[str, int] = {}

    def submit(self, request):
        for index in range(request.tasks):
            run_task(request.job_file, index)
        self._tasks[request.name] = request.tasks
        return request.name

    def states(self, names=None):
        return {
            name: [TaskReport(name, index, JobState.DONE) for index in range(tasks)]
            for name, tasks in self._tasks.items()
            if names is None or name in names
        }

    def cancel(self, name):
        raise AssertionError(f"nothing cancels {name}")

    def log(self, name, index):
        return ""


def without_waiting(survey: Survey) -> Survey:
    """Return the survey with every wait of seconds cut to nothing."""
    return survey.model_copy(
        update={
            "calibration": survey.calibration.model_copy(update={"quiet_s": 1e-6}),
            "exposure": survey.exposure.model_copy(update={"stillness_s": 0.0, "detectors_wait_s": 1e-6}),
            "night": survey.night.model_copy(update={"grace_s": 1e-6}),
        }
    )


@dataclass
class FaultNight:
    """A night and its pipeline."""

    made: SimulatedNight
    context: Context
    runner: InProcessRunner
    brokers: str

    def bring(self, paths) -> None:
        """Let files come in, each taken in before the next."""
        for path in paths:
            deliver(path, self.context.inbox, lambda _: None, 1.0)
            if not path.name.endswith(".sha256"):
                ingest_all(self.context, complete_files(self.context.inbox, {}, self.context.survey))

    def work(self) -> None:
        """Run what is due until nothing is, but the end of the night."""
        for _ in range(1000):
            requests = [r for r in due_runs(self.context) if r.dag_id != NIGHT_DAG]
            if not requests:
                return
            self.run(requests[0])
        raise AssertionError(f"there is no end of what is due: {requests}")

    def run(self, request: RunRequest) -> None:
        """Run one workflow as Airflow would."""
        kind = kind_of_workflow(request.dag_id)
        mark_requested(self.context, request)
        submit(self.context, self.runner, kind, request.conf, airflow_run=request.run_id, airflow_try=1)
        collect(self.context, self.runner, kind, request.conf, final=False)

    def begin(self) -> None:
        """Begin to close the night, as the workflow does that is due."""
        (request,) = [r for r in due_runs(self.context) if r.dag_id == NIGHT_DAG]
        mark_requested(self.context, request)
        begin_closing(self.context, self.made.night, signal=request.conf["signal"])

    def end(self) -> NightState:
        """Close the night, as the workflow does."""
        self.work()
        post(self.context, brokers=self.brokers)
        over, why = may_close(self.context, self.made.night)
        assert over, why
        account(self.context, self.made.night)
        archive(self.context, self.made.night)
        verify(self.context, self.made.night)
        self.report = write_report(self.context, self.made.night)
        return close(self.context, self.made.night)

    def play(self) -> None:
        """Play the whole night: files, manifest, closing, what came late, and closing again."""
        self.bring(self.made.files)
        self.work()
        self.bring([self.made.manifest])
        self.begin()
        self.bring(self.made.after_manifest)
        self.states = [self.end()]
        if self.made.after_closing:
            self.bring(self.made.after_closing)
            self.work()
            self.begin()
            self.states.append(self.end())

    def outcomes(self) -> dict[str, list[FaultOutcome]]:
        """Return how the faults ended, by fault."""
        found: dict[str, list[FaultOutcome]] = {}
        for outcome in how_faults_ended(self.context, self.made.night, self.made.truth):
            found.setdefault(outcome.fault, []).append(outcome)
        return found


@contextmanager
def played_night(
    ledger: Ledger, folder: Path, scale: NightScale, *faults: str, seed: int = 1
) -> Iterator[FaultNight]:
    """Simulate a night with faults and play it to its end; its broker stays for the block."""
    made = simulate_night(
        load_survey("demo"), folder / "night", seed=seed, scale=scale, faults=read_requests(faults),
        processes=os.cpu_count() or 1,
    )  # fmt: skip
    depot, inbox = folder / "depot", folder / "inbox"
    depot.mkdir()
    inbox.mkdir()
    shutil.copytree(made.catalogues, depot / "catalogues")
    survey = without_waiting(made.survey)
    with mock_cluster() as brokers:
        night = FaultNight(
            made, Context(Deployment.of(survey), ledger, Depot(depot), inbox, NoonClock()), InProcessRunner(), brokers
        )
        night.play()
        yield night


def line_of(night: FaultNight, outcome: FaultOutcome) -> bool:
    """Say whether the mail names everything that a fault hit, in its section, with the reason's sentence."""
    fault = FAULTS[outcome.fault]
    title, sentence = mail_line(fault)
    if not title:
        return all(name not in night.report.text for name in outcome.files)
    section = next(s for s in sections_of(night.report.facts) if s.title == title)
    assert text_table(section) in night.report.text
    rows = [" ".join(row) for row in section.rows if sentence in row]
    by_exposure = fault.ends in (Ends.REJECTED, Ends.FLAGGED)
    names = [outcome.exposure_id] if by_exposure else [plain(name, 60) for name in outcome.files]
    return all(any(name in row for row in rows) for name in names)
