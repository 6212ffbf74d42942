"""One night on one machine, from an empty inbox to the morning mail.

A night that was interrupted (a power cut, a kill) goes on where it was when the same night is asked for again: the
ledger, the depot and the inbox are as they were, and only files that never came are played.
"""

import json
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from rich.console import Console

from nightshift.clock import ReplayClock, SystemClock
from nightshift.context import Context
from nightshift.depot import Depot
from nightshift.errors import NightshiftError, Retry
from nightshift.files import copy_whole, write_json
from nightshift.ledger import Ledger
from nightshift.ledger.queries import stack as stack_queries
from nightshift.nights import night_bounds
from nightshift.settings import Deployment, SettingsError, Survey, load_deployment
from nightshift.stack.foreign_files import sent_files
from nightshift.stack.home import Home, Kind
from nightshift.stack.machine import ADMIN, Machine, Outside
from nightshift.stack.ports import ports_from_environment
from nightshift.vocabulary import NightState
from rehearsal.play.live_view import Glance, NightView, take_glance, together
from rehearsal.play.night_input import Material, MaterialRequest, raw_folders, start_material, truth_of
from rehearsal.play.night_player import Player, clear_half_written, playing
from rehearsal.play.resume_state import NightRecord

if TYPE_CHECKING:
    from rehearsal.simulator import NightScore

__all__ = ["NightOptions", "NightOutcome", "run_night"]

T = TypeVar("T")
GLANCE_EVERY_S = 1.0
STALLED_S = 900.0  # nothing changed in the ledger for so long
CONSUMER_S = 60.0  # it may still take alerts after the night has closed
LAST_ALERTS = "the consumer takes the last alerts"
LEDGER_AWAY_S = 300.0  # then it will not come back by itself
ENDS = (NightState.CLOSED, NightState.UNBALANCED)


@dataclass(frozen=True)
class NightOptions:
    """What was asked for on the command line."""

    survey: str
    seed: int = 1
    raw: Path | None = None
    night: date | None = None
    small: bool = False
    keep: bool = False
    clear: bool = False
    faults: tuple[str, ...] = ()
    fresh: bool = False
    resume: bool = False
    deadline_s: float = 2700.0

    def request(self, home: Home) -> MaterialRequest:
        """Return which files the night has."""
        return MaterialRequest(
            self.survey, home.night,
            seed=self.seed, raw=self.raw, night=self.night, small=self.small, faults=self.faults,
        )  # fmt: skip


@dataclass(frozen=True)
class NightOutcome:
    """How a night ended.

    Parameters
    ----------
    night : date
    state : str
        The state of its row; empty where it has none.
    mailed : bool
    wall_s : float
        Seconds from the command to the mail.
    in_the_way : tuple of str
        What had not ended when the deadline came.
    """

    night: date
    state: str
    mailed: bool
    wall_s: float
    in_the_way: tuple[str, ...] = ()

    @property
    def good(self) -> bool:
        """Whether the night closed to zero and the mail went out."""
        return self.state == NightState.CLOSED and self.mailed


def run_night(options: NightOptions, *, console: Console | None = None) -> int:
    """Play a night and return the exit code: 0 only if it closed to zero and everything stopped afterwards."""
    console = console or Console(highlight=False)
    deployment = load_deployment(options.survey)
    home = Home.of(deployment.name)
    view = NightView(console, deployment.title)
    machine = Machine(deployment, home, ports_from_environment(), Outside.from_environment(), say=view.note)
    if options.raw is not None and not options.raw.is_dir():
        raise SettingsError(f"{options.raw} is not a folder: RAW names the folder of a night's raw files")
    if options.night is not None and options.raw is None:
        raise SettingsError("NIGHT chooses one of the nights in the folder RAW: name that folder too")
    _check_faults(options, deployment)
    if options.raw is not None:
        for survey, raw in raw_folders(deployment, options.raw):
            _check_raw(raw, options.night, survey, home)
    record = _begin(options, machine, console)
    ended_well = keep = False
    try:
        with _told_to_end_like_ctrl_c():
            with view.shown():
                outcome = _play(options, record, machine, view)
            keep = options.keep
            ended_well = _tell(outcome, machine, console)
    finally:
        NightRecord.mark_ended(home)
        if keep and machine.supervisor.pid() is not None:
            console.print(f"Everything is left running: `nightshift down --survey {deployment.name}` ends it.")
        else:
            ended_well &= _stop(machine, console)
    return 0 if ended_well else 1


def _begin(options: NightOptions, machine: Machine, console: Console) -> NightRecord:
    """Make the home ready: as it is for a night that goes on, empty for a new one."""
    home, before, request = machine.home, NightRecord.read(machine.home), options.request(machine.home)
    if before is not None and not before.ended and before.is_played:
        raise SettingsError(f"a night of {options.survey} runs already: process {before.pid} plays it")
    if before is not None and _goes_on(options, before, request):
        console.print(
            f"A night was interrupted in {home.root}; it goes on where it was. (--fresh begins it anew.)",
            soft_wrap=True,
        )
        if machine.supervisor.pid() is not None or machine.supervisor.left():
            console.print("stopping what was left of it")
            machine.stop()
        machine.check_can_start()
        home.make(Kind.REPLAY)
        return before.taken_over(home).write(home)
    machine.check_can_start()
    if home.kind is Kind.REPLAY and not options.clear:
        _refuse_to_clear_what_was_sent(home, machine.deployment, before)
    home.clear(live_too=options.clear)
    home.make(Kind.REPLAY)
    return NightRecord.begin(request).write(home)


def _refuse_to_clear_what_was_sent(home: Home, deployment: Deployment, before: NightRecord | None) -> None:
    """Raise where files came that no replay played: somebody sent them while `up` had the stack running."""
    sent = sent_files(home, deployment, before.played if before is not None else ())
    if sent:
        raise SettingsError(
            f"{home.root} holds {len(sent)} files that were not played but sent, such as "
            f"{sent[0].relative_to(home.root)}: move it away, or name another folder with NIGHTSHIFT_VAR, or clear "
            "it with `nightshift night-run --clear`"
        )


def _goes_on(options: NightOptions, before: NightRecord, request: MaterialRequest) -> bool:
    """Whether to go on with the night of a home: if that was asked for, or it is the same and was interrupted."""
    if options.resume and not before.asks_for(request):
        raise SettingsError(f"the night of {request.folder.parent} is another one: {before.request}")
    return options.resume or (not options.fresh and not before.ended and before.asks_for(request))


def _check_faults(options: NightOptions, deployment: Deployment) -> None:
    """Refuse faults that there are not, before anything is cleared."""
    if options.faults:
        from rehearsal.simulator.faults import faults_of_each

        faults_of_each(options.faults, deployment.instruments)
        if options.raw is not None:
            raise SettingsError("faults are for simulated nights: leave out either RAW or FAULTS")


def _check_raw(raw: Path, night: date | None, survey: Survey, home: Home) -> None:
    """Refuse a folder of which no night can be played, before anything is cleared."""
    from rehearsal.simulator.night_files import choose_night

    _, files = choose_night(survey, raw, night)
    if any(file.path.resolve().is_relative_to(home.root) for file in files):
        raise SettingsError(f"{raw} has files in {home.root}, which a night clears: move them away, or name another "
                            "folder with NIGHTSHIFT_VAR")  # fmt: skip


@contextmanager
def _told_to_end_like_ctrl_c() -> Iterator[None]:
    """Let SIGTERM end the block as Ctrl-C does."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _play(options: NightOptions, record: NightRecord, machine: Machine, view: NightView) -> NightOutcome:
    """Set everything up, play the files into the inbox, and watch until the night has ended."""
    home = machine.home
    material = _with_everything_up(options, record, machine, view)
    for own in material.of_each:
        for path in sorted(own.catalogues.iterdir()) if own.catalogues is not None else ():
            copy_whole(path, home.depot / "catalogues" / path.name)
    view.files = sum(len(own.files) for own in material.of_each)
    with _playing_at_once(material, machine, view) as players:
        view.enter("the night is played")
        return _watch(options, machine, view, material.night, players)


@contextmanager
def _playing_at_once(material: Material, machine: Machine, view: NightView) -> Iterator[tuple[Player, ...]]:
    """Play the files of every instrument, each in a thread of its own."""
    played = dict.fromkeys((own.instrument for own in material.of_each), 0)

    def tell(instrument: str, count: int) -> None:
        played[instrument] = count
        view.played = sum(played.values())

    deployment = machine.deployment
    clear_half_written(machine.home.inbox)
    with ExitStack() as stack:
        yield tuple(
            stack.enter_context(
                playing(
                    own, machine.home.inbox, ledger_url=machine.ledger_url,
                    survey=deployment.survey_of(own.instrument) if own.instrument else deployment.survey,
                    tell=partial(tell, own.instrument),
                )
            )
            for own in material.of_each
        )  # fmt: skip


def _with_everything_up(options: NightOptions, record: NightRecord, machine: Machine, view: NightView) -> Material:
    """Start all parts while the night's files are made, and return the files; those that are made already stay."""
    home = machine.home
    if record.material is not None:
        material = Material.from_json(record.material)
        _start(options, record, machine, material.night)
        return material
    view.enter("making the night's files" if options.raw is None else f"reading {options.raw}")
    shutil.rmtree(home.night, ignore_errors=True)
    with start_material(options.request(home), home.logs / "material.log") as making:
        _start(options, record, machine, making.night())
        material = making.wait(lambda made, of: setattr(view, "made", (made, of)))
    if material.left_out:
        view.note(
            f"left out of {options.raw}, as another night's or not named by the camera: {material.left_out} "
            f"(nightshift ingest --dry-run --survey {options.survey} {options.raw} says which)"
        )
    replace(record, clock=machine.clock).with_material(material).write(home)
    return material


def _start(options: NightOptions, record: NightRecord, machine: Machine, night: date) -> None:
    since = datetime.fromisoformat(record.since) if record.since else None
    machine.clock = replay_clock(machine.deployment, night, options.deadline_s, since=since).to_text()
    replace(record, clock=machine.clock).write(machine.home)
    machine.start()


def replay_clock(
    deployment: Deployment, night: date, deadline_s: float, *, since: datetime | None = None
) -> ReplayClock:
    """Return a clock that starts at noon, or at a later moment, and stays within the night until the deadline.

    Of several sites the night begins at the first one's noon and ends at the last one's.
    """
    bounds = [night_bounds(site, night) for site in deployment.sites]
    noon, ends = min(begins for begins, _ in bounds), max(ends for _, ends in bounds)
    begins = since if since is not None and noon <= since < ends else noon
    return ReplayClock(datetime.now(UTC), begins, 0.9 * (ends - begins).total_seconds() / deadline_s)


def _watch(
    options: NightOptions, machine: Machine, view: NightView, night: date, players: tuple[Player, ...]
) -> NightOutcome:
    """Show how the night goes until it has ended, or nothing can end it any more."""
    sites = [site.name for site in machine.deployment.sites]
    progress, progress_at = None, time.monotonic()
    with _ledger(machine, view) as ledger:
        while True:
            for player in players:
                player.check()
            busy = any(player.busy for player in players)
            machine.supervisor.check()
            NightRecord.touch(machine.home)
            view.disk = machine.disk_trouble()
            glance = _patiently(lambda: together([take_glance(ledger, site, night) for site in sites]), view)
            view.consumed = _consumed(machine.home)
            view.update(glance)
            state, mailed = glance.state, glance.numbers.mail_sent_at is not None
            over = state in ENDS and mailed and not busy
            if over and not _late(ledger, machine, night) and _consumer_has_all(view, glance):
                return NightOutcome(night, state, mailed, view.elapsed_s)
            _tell_phase(view, glance, busy=busy)
            if glance.progress != progress:
                progress, progress_at = glance.progress, time.monotonic()
            if view.elapsed_s > options.deadline_s or time.monotonic() - progress_at > STALLED_S:
                return NightOutcome(night, state, mailed, view.elapsed_s, _in_the_way(ledger, machine, sites, night))
            time.sleep(GLANCE_EVERY_S)


def _late(ledger: Ledger, machine: Machine, night: date) -> bool:
    """Whether something came since the night closed, so that it will open again."""
    if any(not path.name.startswith(".") for path in machine.home.inbox.iterdir()):
        return True
    try:
        sites = machine.deployment.sites
        return not all(stack_queries.night_is_over(ledger, site=site.name, night=night) for site in sites)
    except Retry:
        return True  # unknown: look again


def _consumer_has_all(view: NightView, glance: Glance) -> bool:
    """Whether the night's own consumer has what the broker acknowledged, or was given long enough to take it."""
    if view.consumed is None or view.consumed >= glance.numbers.acknowledged:
        return True
    if view.phase != LAST_ALERTS:
        view.enter(LAST_ALERTS)
        view.last_phase_at = view.elapsed_s
    if view.elapsed_s - view.last_phase_at <= CONSUMER_S:
        return False
    view.note(
        f"the consumer has {view.consumed} of {glance.numbers.acknowledged} alerts; the embedded broker keeps "
        "5 MiB a partition, and what it dropped unread lies in the depot's alerts"
    )
    return True


def _ledger(machine: Machine, view: NightView) -> Ledger:
    return _patiently(lambda: Ledger(machine.ledger_url), view)


def _patiently(ask: Callable[[], T], view: NightView) -> T:
    """Ask the ledger until it answers; the supervisor brings it back. Say once that it does not."""
    deadline = time.monotonic() + LEDGER_AWAY_S
    said = False
    while True:
        try:
            return ask()
        except Retry as error:
            if time.monotonic() > deadline:
                raise
            if not said:
                view.note(str(error).partition("\n")[0])
            said = True
            time.sleep(GLANCE_EVERY_S)


def _tell_phase(view: NightView, glance: Glance, *, busy: bool) -> None:
    if busy:
        return
    phase = "the night closes" if glance.state == NightState.CLOSING else "all files are sent"
    if view.phase not in (phase, "the night closes", LAST_ALERTS):
        view.enter(phase)


def _consumed(home: Home) -> int | None:
    with suppress(OSError, ValueError, KeyError):
        return int(json.loads((home.received / "summary.json").read_text())["alerts"])
    return None


def _in_the_way(ledger: Ledger, machine: Machine, sites: list[str], night: date) -> tuple[str, ...]:
    rows = [row for site in sites for row in stack_queries.not_ended(ledger, site=site, night=night, most=10)]
    lines = [f"{row.what} {row.subject} is {row.state} since {row.since:%H:%M:%S}" for row in rows]
    with suppress(Retry):
        for name, (state, _, description) in machine.supervisor.states().items():
            if state != "RUNNING":
                lines.append(f"{name} is {state}: {description}")
    lines += machine.airflow_complaints()
    return tuple(lines) or ("nothing that the ledger knows of; see the logs",)


def _tell(outcome: NightOutcome, machine: Machine, console: Console) -> bool:
    """Print how the night ended, and return whether it ended well."""
    from nightshift.night_end.night_table import night_table

    home, name = machine.home, machine.deployment.name
    with Ledger(machine.ledger_url) as ledger:
        context = Context(machine.deployment, ledger, Depot(home.depot), home.inbox, SystemClock())
        for site in context.sites():
            with suppress(NightshiftError):
                console.print(night_table(site, outcome.night))
        score = _score(ledger, machine, outcome.night)
        faults_good = [
            _tell_faults(
                context.of_site(survey.site.name),
                truth_of(home.night, machine.deployment, survey.camera.instrument), outcome.night, console,
            )
            for survey in machine.deployment.surveys
        ]  # fmt: skip
    if score is not None:
        from rehearsal.play.night_score import score_table

        console.print(score_table(score))
    for line in outcome.in_the_way:
        console.print(f"  in the way: {line}", markup=False)
    _write_outcome(home, outcome, score)
    mails = sorted(home.mail.glob("*.eml"))
    console.print(f"\nThe night took {outcome.wall_s:.0f} s.")
    for mail in mails[-len(machine.deployment.sites) :] or ("sent" if machine.outside.smtp else "none",):
        console.print(f"  mail    {mail}", soft_wrap=True)
    for report in sorted((home.depot / "reports").glob("**/report.html")) or ("none",):
        console.print(f"  report  {report}", soft_wrap=True)
    console.print(f"  page    {machine.address} while it runs (`make up SURVEY={name}` brings it back); "
                  f"user {ADMIN}, password in {home.run / (ADMIN + '.secret')}", soft_wrap=True)  # fmt: skip
    if outcome.state not in ENDS:
        console.print(f"[red]The night did not end: it is {outcome.state or 'without a row in the ledger'}.[/red]")
    return outcome.good and all(faults_good)


def _tell_faults(context: Context, truth: Path, night: date, console: Console) -> bool:
    """Print how the night's faults ended, where it has some, and return whether each ended as it must."""
    if not (truth / "faults.json").is_file():
        return True
    from rehearsal.play.fault_report import how_faults_ended

    outcomes = how_faults_ended(context, night, truth)
    if outcomes:
        console.print(f"\nFaults: {sum(o.good for o in outcomes)} of {len(outcomes)} ended as they must.")
    for outcome in outcomes:
        found = ", ".join(sorted(set(outcome.found))) or "nothing"
        if not outcome.good:
            console.print(f"  {outcome.fault} ({', '.join(outcome.files)[:80]}) must be {outcome.wanted}; "
                          f"found: {found}", style="red", markup=False)  # fmt: skip
    return all(outcome.good for outcome in outcomes)


def _write_outcome(home: Home, outcome: NightOutcome, score: "NightScore | None") -> None:
    """Leave how the night ended as a file, for benchmarks and tests."""
    value = {**asdict(outcome), "night": outcome.night.isoformat(), "score": score and score.to_json()}
    write_json(home.root / "outcome.json", value)


def _score(ledger: Ledger, machine: Machine, night: date) -> "NightScore | None":
    """Return how the alerts compare with what the simulator put into the sky, where it was simulated."""
    truth = machine.home.night / "truth"
    if not truth.is_dir():
        return None
    from rehearsal.play.night_score import score_of_night

    site = machine.deployment.site.name
    return score_of_night(ledger, site, night, truth=truth, received=machine.home.received)


def _stop(machine: Machine, console: Console) -> bool:
    """Stop everything and return whether nothing is left."""
    if machine.supervisor.pid() is not None:
        console.print("stopping everything")
    machine.stop()
    left = machine.supervisor.left()
    for process in left:
        console.print(f"[red]process {process.pid} did not end[/red]")
    return not left
