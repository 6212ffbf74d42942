"""Never a deletion without two verified copies, in whatever order things happen.

Seeded histories of steps that other processes may take in between: archiving, verifying, copying, verifying the
copy, damage on either disk, a kill of the clean-up at any of its steps, nights that open again. A look at the very
moment of each removal, through the ledger and at the disks, says whether the file has its two places.
"""

import os
import random
from hashlib import sha256

import pytest

from nightshift.errors import NightshiftError
from nightshift.housekeeping import clean_up as module
from nightshift.housekeeping.clean_up import clean_up

HISTORIES = 200
IN_EVERY_RUN = 10  # of them; the others are of the long matrix
AT_A_TIME = 38  # histories in one ledger, one after the other: a ledger is dear, a night is not


class Killed(BaseException):
    """What kill -9 is to the clean-up: nothing after it runs."""


class World:
    """Files of some nights, their archive and their second copy, and what may happen to them."""

    def __init__(self, nights, chance):
        self.nights, self.chance = nights, chance
        self.root = nights.context.depot.root
        self.archive = self.root / "archive"
        self.removed = 0

    def files(self):
        return self.nights.sql(
            "select night, path, source, sha256, bytes, verified_at from archive_files order by path"
        )

    def any_file(self):
        return self.chance.choice(self.files())

    # --- what others do ---------------------------------------------------------------------------------------

    def archive_again(self):
        file = self.any_file()
        source = self.root / file["source"]
        if source.exists():
            target = self.archive / file["path"]
            target.unlink(missing_ok=True)
            if self.chance.random() < 0.5:
                os.link(source, target)
            else:
                target.write_bytes(source.read_bytes())
            self._archive_mark(file, "null")

    def verify_archive(self):
        file = self.any_file()
        self._archive_mark(file, "now()" if self._archived(file) else "null")

    def _archive_mark(self, file, value):
        self.nights.sql(f"update archive_files set verified_at = {value} where path = %s", file["path"])

    def copy(self):
        file = self.any_file()
        place = self.archive / file["path"]
        if place.exists():
            self.nights.copied[file["sha256"]] = place.read_bytes()
            self._copy_mark(file, "null")

    def verify_copy(self):
        file = self.any_file()
        self._copy_mark(file, "now()" if self._copied(file) else "null")

    def _copy_mark(self, file, value):
        self.nights.sql(f"update copies set verified_at = {value} where sha256 = %s", file["sha256"])

    def damage_archive(self):
        """A disk eats a file, and the next verification of it notices."""
        file = self.any_file()
        if not self._copied(file) and not (self.root / file["source"]).exists():
            return  # it would be lost by two disks that failed at once
        (self.archive / file["path"]).unlink(missing_ok=True)
        self._archive_mark(file, "null")

    def damage_copy(self):
        file = self.any_file()
        if not self._archived(file) and not (self.root / file["source"]).exists():
            return
        self.nights.copied[file["sha256"]] = b"rotten"
        self._copy_mark(file, "null")

    def vanish_from_archive(self):
        """It is gone, and nobody has noticed yet."""
        file = self.any_file()
        if self._copied(file) or (self.root / file["source"]).exists():
            (self.archive / file["path"]).unlink(missing_ok=True)

    def open_a_night(self):
        self.nights.sql("update nights set changed = true where night = %s", self.any_file()["night"])

    def close_nights(self):
        self.nights.sql("update nights set changed = false, closed_at = now()")

    # --- the clean-up --------------------------------------------------------------------------------------------

    def clean_up(self):
        clean_up(self.nights.context, operator="mira")

    def clean_up_and_be_killed(self):
        self.kill_at = self.chance.randrange(1, 30)
        try:
            self.clean_up()
        except Killed:
            # as the server does for a process that is gone
            self.nights.context.ledger.connection.rollback()
            self.nights.context.ledger.connection.autocommit = True
            self.nights.context.ledger._depth = 0
            self.nights.sql("select pg_advisory_unlock_all()")
        finally:
            self.kill_at, self.dead = 0, False

    kill_at, dead = 0, False

    def step(self):
        """Be killed here, where it is time; who is dead does nothing more, in no `finally` either."""
        if self.kill_at:
            self.kill_at -= 1
            self.dead = self.dead or not self.kill_at
        if self.dead:
            raise Killed

    # --- what must hold --------------------------------------------------------------------------------------------

    def _archived(self, file):
        place = self.archive / file["path"]
        return place.exists() and module_sha(place.read_bytes()) == file["sha256"]

    def _copied(self, file):
        return module_sha(self.nights.copied.get(file["sha256"], b"")) == file["sha256"]

    def check(self, path):
        """Look at the moment of a removal."""
        (file,) = [row for row in self.files() if row["source"] == path]
        rows = self.nights.sql(
            "select 1 from files_in_two_places where source = %s and sha256 = %s", path, file["sha256"]
        )
        assert rows, f"{path} is removed and has not two verified places by the ledger"
        assert self._archived(file), f"{path} is removed and its archived file is not there"
        assert self._copied(file), f"{path} is removed and its second copy is not there"
        self.removed += 1

    def check_all(self):
        """At any time: every content is somewhere, and the ledger says what the depot has."""
        for row in self.nights.sql("select path from deletions where deleted_at is not null and kind <> 'attempts'"):
            assert not (self.root / row["path"]).exists()
        said = {row["path"] for row in self.nights.sql("select path from deletions")}
        for row in self.files():
            assert (self.root / row["source"]).exists() or row["source"] in said


def module_sha(content):
    return sha256(content).hexdigest()


OTHERS = (
    "archive_again", "verify_archive", "copy", "verify_copy", "damage_archive", "damage_copy", "vanish_from_archive",
    "open_a_night", "close_nights",
)  # fmt: skip


def test_no_file_is_removed_without_two_verified_copies(nights, monkeypatch):
    play(nights, monkeypatch, range(IN_EVERY_RUN))


@pytest.mark.faults
@pytest.mark.parametrize("start", range(IN_EVERY_RUN, HISTORIES, AT_A_TIME))
def test_no_file_is_removed_without_two_verified_copies_in_two_hundred_histories(nights, monkeypatch, start):
    play(nights, monkeypatch, range(start, start + AT_A_TIME))


def play(nights, monkeypatch, numbers):
    removed = 0
    for number in numbers:
        removed += one_history(nights, monkeypatch, number)
        clear(nights)
    assert removed > len(numbers)  # otherwise nothing was tried


def one_history(nights, monkeypatch, number):
    chance = random.Random(number)
    nights(0, chance.randrange(4, 7), links=chance.random() < 0.5)
    world = World(nights, chance)
    remove = module.remove_file

    def watched(root, relative, *, size):
        world.step()
        if (root / relative).exists():
            world.check(relative)
        freed = remove(root, relative, size=size)
        world.step()
        return freed

    with monkeypatch.context() as patch:
        patch.setattr(module, "remove_file", watched)
        for name in ("confirm", "mark_products", "mark_raw_frames", "end_clean_up", "put_cleaned"):
            patch.setattr(
                module.housekeeping_queries, name, stepped(world, getattr(module.housekeeping_queries, name))
            )
        for _ in range(chance.randrange(10, 25)):
            getattr(world, chance.choice((*OTHERS, "clean_up", "clean_up_and_be_killed", "clean_up_and_be_killed")))()
            world.check_all()
        settle(world)
    return world.removed


def stepped(world, query):
    def run(ledger, **named):
        world.step()
        return query(ledger, **named)

    return run


def settle(world):
    """Let all be whole again: then the same leaves as if nothing had happened."""
    for file in world.files():
        content = next(c for c in contents(world, file) if module_sha(c) == file["sha256"])
        target = world.archive / file["path"]
        target.unlink(missing_ok=True)
        target.write_bytes(content)
        world.nights.copied[file["sha256"]] = content
    world.nights.sql("update archive_files set verified_at = now()")
    world.nights.sql("update copies set verified_at = now()")
    world.close_nights()
    world.clean_up()
    newest = max(world.nights.here("processed"))
    assert world.nights.here("raw") == list(range(max(0, newest - 4), newest + 1))
    assert world.nights.products_here("calibrated") == list(range(newest - 2, newest + 1))
    assert world.nights.sql("select 1 from deletions where deleted_at is null") == []


def contents(world, file):
    """Yield what is left of a file, wherever: there must be a whole one, whatever happened."""
    for place in (world.root / file["source"], world.archive / file["path"]):
        if place.exists():
            yield place.read_bytes()
    yield world.nights.copied.get(file["sha256"], b"")


def clear(nights):
    for table in (
        "deletions", "cleaned_nights", "clean_ups", "copies", "archive_files", "products", "units", "raw_frames",
        "arrivals", "exposures", "nights",
    ):  # fmt: skip
        nights.sql(f"delete from {table}")
    for folder in ("raw", "processed", "archive"):
        for path in (nights.context.depot.root / folder).rglob("*.fits"):
            path.unlink()


def test_the_check_itself_finds_a_removal_without_copies(nights):
    nights(0, 5)
    world = World(nights, random.Random(0))
    path = world.files()[0]["source"]
    world.check(path)
    world.nights.sql("update copies set verified_at = null")
    with pytest.raises(AssertionError, match="two verified places"):
        world.check(path)


def test_a_kill_is_no_error_that_the_clean_up_could_catch():
    assert not issubclass(Killed, (Exception, NightshiftError))
