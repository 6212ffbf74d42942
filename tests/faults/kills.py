"""Play small nights and kill their parts at random moments; each must end as the undisturbed night did.

    python tests/faults/kills.py --kills 30 --nights 3 --seed 1

One night is left undisturbed. In the others, at moments drawn from the seed, a part is killed with SIGKILL: the whole
tree (then the same command is given again, as a user would), one of Airflow's components, the database, the pool, one
of its workers, the broker, the mail server, the consumer. A moment is a share of the night's work, so that kills fall
on every stage from the first file to the closing on any machine. After each night its fingerprint is compared
with that of the undisturbed one, and so is what the consumer holds, by `candid`.

The exit code is 0 only if all nights ended alike.
"""

import argparse
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from nightshift.errors import Retry
from nightshift.fingerprint import Fingerprint, compare, take_fingerprint
from nightshift.ledger import Ledger
from nightshift.stack.home import Home
from nightshift.stack.offline_ledger import ledger_of
from nightshift.stack.supervisor import Supervisor
from rehearsal.play.resume_state import NightRecord

TREE, WORKER = "whole tree", "worker"
PARTS = (
    TREE, WORKER, "api-server", "scheduler", "dag-processor", "triggerer", "postgres", "pool", "broker", "mail",
    "consumer",
)  # fmt: skip
WHOLE = 0.97  # of the work, after which only the closing is left; the last line of progress may miss a little
CLOSING = 0.08  # a share beyond the whole work: while the night closes
LATE = 0.85
CLOSING_S = 10.0  # how long after the last alert the latest of them falls
LEAST_S = 2.0  # between two kills
LOOK_S = 0.25
# the numbers of a line of progress that only grow
DONE = re.compile(r"(?<=files )\d+|(?<=masters )\d+|(?<=references )\d+|(?<=differences )\d+|(?<=released )\d+|"
                  r"(?<=acknowledged )\d+|(?<=consumed )\d+|(?<=processed )\d+|\d+(?= registered)")  # fmt: skip
SHORT_TIMERS = {"NIGHTSHIFT_RETRY_DELAY_S": "5"}


@dataclass(frozen=True)
class Kill:
    """One kill: what, and after which share of the night's work (from 0; beyond 1 while the night closes)."""

    part: str
    after: float


@dataclass
class PlayedNight:
    """How a night went.

    Parameters
    ----------
    code : int
        The last command's exit code.
    seconds : float
    kills : list of str
        What was killed, when and where the night was.
    fingerprint : Fingerprint or None
    candids : list of int
        What the consumer holds, in the order in which it came.
    log : Path
    work : int
        How much was done at its end, as `work_done` counts it.
    """

    code: int
    seconds: float
    log: Path
    work: int = 0
    kills: list[str] = field(default_factory=list)
    fingerprint: Fingerprint | None = None
    candids: list[int] = field(default_factory=list)


def draw(kills: int, nights: int, seed: int, parts: Sequence[str] = PARTS) -> list[list[Kill]]:
    """Return the kills of each night: every part in turn in a random order, at random moments."""
    source = random.Random(seed)
    drawn: list[str] = []
    while len(drawn) < kills:
        drawn += source.sample(parts, len(parts))
    mine = [drawn[kills * number // nights : kills * (number + 1) // nights] for number in range(nights)]
    return [[Kill(part, at) for part, at in zip(few, _moments(len(few), source), strict=True)] for few in mine]


def _moments(number: int, source: random.Random) -> list[float]:
    """Return so many moments in order: a few late ones only, for a night is over soon after its last alert."""
    late = number // 5
    return sorted(
        source.uniform(0, LATE) if place < number - late else source.uniform(LATE, 1 + CLOSING)
        for place in range(number)
    )


def progress(printed: str) -> str:
    """Return the last line of progress of what a night printed."""
    lines = [line for line in printed.splitlines() if " in, " in line]
    return lines[-1].split("  ", 1)[-1] if lines else "nothing has come yet"


def work_done(printed: str) -> int:
    """Return how much a night says is done: files, frames, masters, differences and alerts, all counted."""
    return sum(int(number) for number in DONE.findall(progress(printed)))


class Night:
    """A small night in a folder of its own, as a user plays it.

    Parameters
    ----------
    folder : Path
    arguments : sequence of str
        More of the command.
    environment : dict of str to str
        More of the environment.
    """

    def __init__(self, folder: Path, *, arguments: Sequence[str] = (), environment: dict[str, str] | None = None):
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o755)  # where root plays it, the database is another user's
        self.home = Home(folder / "demo")
        self.log = folder / "night.log"
        self._arguments = arguments
        ports = {f"NIGHTSHIFT_PORT_{name}": "0" for name in ("AIRFLOW", "LEDGER", "SMTP")}
        kept = {k: v for k, v in os.environ.items() if k not in
                ("NIGHTSHIFT_LEDGER", "NIGHTSHIFT_BROKERS", "NIGHTSHIFT_SMTP")}  # fmt: skip
        self._environment = {**kept, **ports, **SHORT_TIMERS, "NIGHTSHIFT_VAR": str(folder), **(environment or {})}
        self._process: subprocess.Popen | None = None

    def play(self, kills: Sequence[Kill] = (), *, work: int = 0) -> PlayedNight:
        """Play the night to its end, with kills on the way; `work` is how much the whole night is."""
        began = time.monotonic()
        self._start()
        played = PlayedNight(0, 0.0, self.log)
        try:
            for kill in kills:
                if not self._wait_until(kill.after, work):
                    break
                where = self._kill(kill.part)
                played.kills.append(f"{time.monotonic() - began:6.1f} s  {kill.part:14s} {where}")
            played.code = self._process.wait()
            played.seconds = time.monotonic() - began
            played.work = work_done(self._printed())
        finally:
            self.end()
        with ledger_of(self.home) as url, Ledger(url) as ledger:
            played.fingerprint = take_fingerprint(ledger, self.home.depot, self.home.received / "alerts.jsonl")
        lines = (self.home.received / "alerts.jsonl").read_text().splitlines()
        played.candids = [json.loads(line)["candid"] for line in lines]
        return played

    def end(self) -> None:
        """End what is left of the night."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        Supervisor(self.home).stop()

    def _start(self) -> None:
        with self.log.open("a") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "nightshift.command_line", "night-run", "--small", "--deadline-min", "20",
                 *self._arguments],
                stdout=log, stderr=log, env=self._environment, start_new_session=True,
            )  # fmt: skip

    def _wait_until(self, share: float, work: int) -> bool:
        """Wait until a share of the work is done; return whether the night still goes on."""
        least = time.monotonic() + LEAST_S
        while work_done(self._printed()) < min(share, 1.0) * WHOLE * work or time.monotonic() < least:
            if self._process.poll() is not None:
                return False
            time.sleep(LOOK_S)
        time.sleep(max(share - 1.0, 0.0) / CLOSING * CLOSING_S)
        return self._process.poll() is None

    def _kill(self, part: str) -> str:
        """Kill a part as soon as it is there, and return where the night was."""
        if part == TREE:
            where = progress(self._printed())
            self._kill_tree()
            self._start()
            return where
        while self._process.poll() is None:
            if self._everything_is_up() and (pid := self._pid_of(part)) is not None:
                where = progress(self._printed())
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                return where
            time.sleep(LOOK_S)
        return "the night had ended"

    def _kill_tree(self) -> None:
        """Let the power fail: everything ends at once, the command and the supervisor first."""
        top = psutil.Process(self._process.pid)
        everything = [top, *top.children(recursive=True), *Supervisor(self.home).processes(),
                      *Supervisor(self.home).left()]  # fmt: skip
        for process in everything:
            with suppress(psutil.Error):
                process.kill()
        self._process.wait()
        while any(p.is_running() and p.status() != psutil.STATUS_ZOMBIE for p in everything):
            time.sleep(0.05)

    def _everything_is_up(self) -> bool:
        record = NightRecord.read(self.home)
        try:
            states = Supervisor(self.home).states()
        except Retry:
            return False
        return (
            record is not None
            and record.material is not None
            and all(state == "RUNNING" for state, _, _ in states.values())
        )

    def _pid_of(self, part: str) -> int | None:
        with suppress(Retry, KeyError, psutil.Error):
            pid = Supervisor(self.home).states()["pool" if part == WORKER else part][1]
            if part != WORKER:
                return pid or None
            busy = [p for p in psutil.Process(pid).children(recursive=True) if p.memory_info().rss > 150e6]
            return busy[-1].pid if busy else None
        return None

    def _printed(self) -> str:
        return self.log.read_text(errors="replace")


def differences(first: PlayedNight, other: PlayedNight) -> Iterator[str]:
    """Yield in what two nights differ."""
    if other.code:
        yield f"the command ended with {other.code}"
    assert first.fingerprint is not None and other.fingerprint is not None
    yield from (str(difference) for difference in compare(first.fingerprint, other.fingerprint))
    if len(other.candids) != len(set(other.candids)):
        yield "the consumer kept an alert twice"
    if set(other.candids) != set(first.candids):
        yield f"the consumer has {len(other.candids)} alerts, not the {len(first.candids)} of the undisturbed night"


def main(arguments: Sequence[str] | None = None) -> int:
    """Play the nights and print how they went."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--nights", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1, help="of the moments and parts")
    parser.add_argument("--folder", type=Path, help="where the nights are played and left (default: removed)")
    options = parser.parse_args(arguments)
    folder = options.folder or Path(tempfile.mkdtemp(prefix="nightshift-kills-"))
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)
    try:
        return _play(folder, draw(options.kills, options.nights, options.seed))
    finally:
        if options.folder is None:
            shutil.rmtree(folder, ignore_errors=True)


def _play(folder: Path, kills: list[list[Kill]]) -> int:
    first = Night(folder / "undisturbed").play()
    print(
        f"undisturbed: {first.seconds:.0f} s, fingerprint {first.fingerprint.whole}, {len(first.candids)} alerts",
        flush=True,
    )
    done, unlike = 0, first.code != 0
    for number, mine in enumerate(kills, start=1):
        night = Night(folder / f"night{number}").play(mine, work=first.work)
        done += len(night.kills)
        found = list(differences(first, night))
        unlike |= bool(found)
        print(
            f"night {number}: {night.seconds:.0f} s, {len(night.kills)} kills, fingerprint {night.fingerprint.whole}",
            flush=True,
        )
        print("\n".join(f"  {line}" for line in night.kills), flush=True)
        print("\n".join(f"  DIFFERS {line}" for line in found[:20]) or "  ended as the undisturbed night", flush=True)
    print(f"{done} kills in {len(kills)} nights: {'not all ended alike' if unlike else 'all ended alike'}")
    return 1 if unlike else 0


if __name__ == "__main__":
    sys.exit(main())
