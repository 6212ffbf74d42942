"""Copying, reading again, mending and kills in any order: the ledger never says that a file has two places and lies.

Some steps run in a process of their own that is killed (SIGKILL) at some point of what it does to disk or ledger, or
beside another one. Bytes flip and files vanish in between, in either place, and a store truncates. What the ledger
says must be so, but for damage that was done after it had looked.
"""

import hashlib
import os
import random
import shutil
import signal
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from copy_places import Truncating, with_copies
from night_rows import NIGHT

from nightshift.archive import place_in_use
from nightshift.archive.copy_place import copy_key
from nightshift.archive.copying import copy_night, copy_what_is_due
from nightshift.archive.night_archive import archive, verify
from nightshift.archive.rota import mend_now, verify_night_again
from nightshift.errors import NightshiftError
from nightshift.ledger import Ledger, open_ledger

pytestmark = pytest.mark.integration

STEPS = 5
KILL_AT_MOST = 60  # steps to disk and ledger that an operation takes, about


class World:
    """A small night that is archived, with the place of its copies, and what was done to its files."""

    def __init__(self, context, night, url, dice):
        self.context, self.night, self.url, self.dice = context, night, url, dice
        self.damaged_at: dict[Path, datetime] = {}
        rows = night.query("select path, sha256 from archive_files order by path")
        root, copies = context.depot.root / "archive", context.depot.root.parent / "copies"
        self.files = {row["path"]: (root / row["path"], copies / copy_key(NIGHT, row["sha256"])) for row in rows}
        self.sha256 = {row["path"]: row["sha256"] for row in rows}
        self.content = {path: ours.read_bytes() for path, (ours, _) in self.files.items()}

    def begin_anew(self) -> None:
        """Lose all copies, as at a place that is new."""
        for table in ("copies", "copied_nights", "damaged_files", "copy_places"):
            self.night.query(f"delete from {table}")
        shutil.rmtree(self.context.depot.root.parent / "copies", ignore_errors=True)

    def is_good(self, file: Path, path: str) -> bool:
        return file.is_file() and hashlib.sha256(file.read_bytes()).hexdigest() == self.sha256[path]

    def damage(self) -> None:
        path = self.dice.choice(sorted(self.files))
        file = self.dice.choice(self.files[path])
        if not file.is_file():
            return
        if self.dice.random() < 0.3:
            file.unlink()
        else:
            with file.open("r+b") as stream:
                stream.write(bytes([file.read_bytes()[0] ^ 1]))
        self.damaged_at[file] = datetime.now(UTC)

    def check(self) -> None:
        """Compare what the ledger says has two places with the files."""
        for row in self.night.query("select * from files_in_two_places"):
            path = row["archive_path"]
            marks = zip(self.files[path], (row["archive_verified_at"], row["copy_verified_at"]), strict=True)
            for file, marked_at in marks:
                after = self.damaged_at.get(file)
                assert self.is_good(file, path) or (after is not None and after >= marked_at), (path, file)


def operation(context, dice):
    """Return one thing that a program does."""
    return dice.choice(
        [
            lambda: copy_night(context, NIGHT),
            lambda: copy_what_is_due(context, at_most_s=60, at_once=True),
            lambda: verify_night_again(context, NIGHT),
            lambda: mend_now(context),
        ]
    )


def in_another_process(world: World, *, killed: bool) -> int:
    """Begin an operation in a process of its own, and return the process; it may be killed on its way."""
    seed, step = world.dice.random(), world.dice.randrange(KILL_AT_MOST)
    child = os.fork()
    if child:
        return child
    with suppress(BaseException):
        if killed:
            kill_at(step)
        ledger = open_ledger(world.url)
        operation(replace(world.context, ledger=ledger), random.Random(seed))()
    os._exit(0)


def kill_at(step: int) -> None:
    """Have this process killed at a step to disk or ledger, before it is done."""
    left = [step]

    def counted(function):
        def run(*arguments, **named):
            left[0] -= 1
            if left[0] < 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*arguments, **named)

        return run

    for owner, names in (
        (os, ("fsync", "link")),
        (Path, ("replace", "unlink", "open")),
        (Ledger, ("run", "select", "transaction")),
    ):
        for name in names:
            setattr(owner, name, counted(getattr(owner, name)))


def take_a_step(world: World, monkeypatch) -> None:
    chance = world.dice.random()
    if chance < 0.3:
        world.damage()
    elif chance < 0.5:
        os.waitpid(in_another_process(world, killed=True), 0)
    elif chance < 0.6:
        for child in [in_another_process(world, killed=world.dice.random() < 0.5) for _ in range(2)]:
            os.waitpid(child, 0)
    elif chance < 0.7:
        with monkeypatch.context() as patch, suppress(NightshiftError):
            patch.setattr(place_in_use, "FolderPlace", lambda root: Truncating(root, times=1))
            operation(world.context, world.dice)()
    else:
        with suppress(NightshiftError):
            operation(world.context, world.dice)()


def make_whole(world: World) -> None:
    """Do what a site does in the end, with a person who restores what both places lost; all has two places then."""
    world.night.query("update copies set next_try_at = now()")
    verify_night_again(world.context, NIGHT)
    copy_night(world.context, NIGHT)
    for path, (ours, copy) in world.files.items():
        if not world.is_good(ours, path) and not world.is_good(copy, path):
            ours.unlink(missing_ok=True)
            ours.write_bytes(world.content[path])
    mend_now(world.context)
    world.night.query("update copies set next_try_at = now()")
    copy_night(world.context, NIGHT)
    held = {row["archive_path"] for row in world.night.query("select archive_path from files_in_two_places")}
    assert held == set(world.files)
    world.check()
    assert all(world.is_good(file, path) for path, files in world.files.items() for file in files)
    left = [*(world.context.depot.root / "archive" / ".mending").glob("*.damaged")]
    assert not left, "what was kept aside stays"


@pytest.mark.parametrize("interleavings", [30, pytest.param(200, marks=pytest.mark.faults)])
def test_no_interleaving_lets_the_ledger_say_that_a_file_has_two_places_when_it_has_not(
    context, night, ledger_url, monkeypatch, interleavings
):
    night.frame(1)
    night.frame(1, 2)
    night.manifest()
    archive(context, NIGHT)
    verify(context, NIGHT)
    monkeypatch.setattr("nightshift.archive.place_in_use.FIRST_PAUSE_S", 0.0)
    monkeypatch.setattr("nightshift.archive.copying.FIRST_PAUSE_S", 0.0)
    world = World(with_copies(context, at_once=2), night, ledger_url, random.Random(0))
    for number in range(interleavings):
        world.dice.seed(number)
        world.begin_anew()
        for _ in range(STEPS):
            take_a_step(world, monkeypatch)
            world.check()
        make_whole(world)
