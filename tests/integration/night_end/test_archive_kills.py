"""Archiving and closing, killed with SIGKILL at every step: the same archive in the end, and nothing left over."""

import errno
import os
import shutil
import signal
from dataclasses import replace
from pathlib import Path

import bagit
import pytest
from night_rows import NIGHT, digest

from nightshift.archive import description, filling, placing
from nightshift.archive.night_archive import archive, verify
from nightshift.archive.night_folder import NightFolder
from nightshift.files import write_whole
from nightshift.ledger import Ledger
from nightshift.night_end.close import close

pytestmark = pytest.mark.integration


@pytest.fixture
def filled(night):
    night.science(1)
    night.alerts(1, [(150.1, 22.2), (150.2, 22.1)], night.reference())
    night.manifest()
    return night


def close_in_child(context, url, killed_at, *, links=True):
    """Archive, verify and close in a process of its own that is killed at a step; return whether it was killed.

    A step is each link, each rename, each wait for the disk, and each statement to the ledger, before it is done.
    """
    pid = os.fork()
    if pid == 0:  # nothing of pytest may run on in here
        status = 1
        try:
            steps = iter(range(1, 1_000_000))

            def counted(call):
                def step(*arguments, **options):
                    if next(steps) == killed_at:
                        os.kill(os.getpid(), signal.SIGKILL)
                    return call(*arguments, **options)

                return step

            def no_link(*_, **__):
                raise OSError(errno.EXDEV, "Invalid cross-device link")

            placing.BATCH_FILES = 3
            os.link = counted(os.link if links else no_link)
            Path.replace = counted(Path.replace)
            Ledger.run = counted(Ledger.run)
            for module in (filling, description):
                module.make_durable = counted(placing.make_durable)
            with Ledger(url) as ledger:
                own = replace(context, ledger=ledger)
                archive(own, NIGHT)
                verify(own, NIGHT, unread_only=True)
                status = 0 if close(own, NIGHT) == "closed" else 1
        finally:
            os._exit(status)
    _, ended = os.waitpid(pid, 0)
    assert os.WIFSIGNALED(ended) or os.WEXITSTATUS(ended) == 0
    return os.WIFSIGNALED(ended)


def outcome(context, night):
    """What a night's archive is in the end: what the ledger knows and what lies there."""
    folder = NightFolder(context, NIGHT)
    rows = night.query(
        "select path, kind, sha256, bytes, verified_at is not null as read from archive_files order by path"
    )
    on_disk = {path.relative_to(folder.root).as_posix() for path in folder.path.rglob("*") if path.is_file()}
    bags = night.query("select version, complete, sealed_at is not null as sealed from archive_bags order by version")
    for bag in folder.bags():
        bagit.Bag(str(folder.path / bag.name)).validate()
    said = night.query("select kind, count(*) as times from events group by kind order by kind")
    return rows, on_disk, bags, said


def begin_again(context, night):
    """Forget the archive of the night."""
    shutil.rmtree(context.depot.root / "archive", ignore_errors=True)
    for statement in (
        "delete from archive_files", "delete from archive_bags",
        "update nights set state = 'closing', closed_at = null",
        "alter table events disable trigger user", "delete from events", "alter table events enable trigger user",
    ):  # fmt: skip
        night.query(statement)


def test_an_archiving_that_is_killed_again_and_again_goes_on_where_it_was(context, filled, ledger_url):
    assert not close_in_child(context, ledger_url, 0)
    undisturbed = outcome(context, filled)
    assert undisturbed[1] == {row["path"] for row in undisturbed[0]} | {"2026/0115/SHA256SUMS"}
    begin_again(context, filled)
    kills = 1
    while close_in_child(context, ledger_url, kills):  # each at a later step than the one before
        kills += 1
    assert kills > 10 and outcome(context, filled) == undisturbed


@pytest.mark.faults
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("links", [True, False], ids=["links", "copies"])
@pytest.mark.parametrize("again", [False, True], ids=["first", "reopened"])
def test_a_kill_at_any_step_of_archiving_and_closing_leaves_no_trace(context, filled, ledger_url, links, again):
    key = filled.product("democam/x", "calibrated", b"one")
    (product,) = filled.query("select path from products where product_key = %s", key)

    def make(content):
        write_whole(context.depot.absolute(product["path"]), content)
        filled.query("update products set sha256 = %s where product_key = %s", digest(content), key)

    def end(killed_at):
        return close_in_child(context, ledger_url, killed_at, links=links)

    def begin():
        begin_again(context, filled)
        make(b"one")
        if again:
            assert not end(0)
            filled.query("update nights set state = 'closing', closed_at = null")
            make(b"two")

    begin()
    assert not end(0)
    undisturbed = outcome(context, filled)
    assert len(undisturbed[2]) == (2 if again else 1)
    for step in range(1, 1000):
        begin()
        if not end(step):
            break
        assert not end(0)
        assert outcome(context, filled) == undisturbed, f"killed at step {step}"
    assert step > 20
