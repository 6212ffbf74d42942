"""The night waits for its disks, and no deadline counts what the clock skipped or nobody saw."""

import errno
import os
import subprocess
import time
from contextlib import contextmanager

import pytest

from nightshift.errors import Retry
from nightshift.health import look, storage_trouble, wait_for_storage
from nightshift.health.storage import MARKER
from nightshift.ingest.ingest import ingest_all
from rehearsal.play.live_view import take_glance

pytestmark = pytest.mark.integration

HOUR = 3600.0


def looks(night, later_s=0.0, boot="one"):
    """Look at the inbox, so much later by the steady clock than it is."""
    return look(night.context, steady_s=time.monotonic() + later_s, boot=boot)


def the_clock_jumps(night, seconds):
    """Let the machine's clock jump: all that has happened is longer ago (or ahead) by its word."""
    night.later(seconds=seconds)
    with night.context.ledger.connection.cursor() as cursor:
        cursor.execute(
            "update watch set looked_at = looked_at - make_interval(secs => %(s)s);"
            "update nights set closed_at = closed_at - make_interval(secs => %(s)s);"
            "update units set ended_at = ended_at - make_interval(secs => %(s)s);"
            "update pauses set until_at = until_at - make_interval(secs => %(s)s),"
            " after_at = after_at - make_interval(secs => %(s)s)",
            {"s": seconds},
        )


def said(night, kind):
    return [row["message"] for row in night.rows("events", "event_id") if row["kind"] == kind]


def half_an_exposure(night):
    night.calibrate()
    looks(night)
    night.bring(0, detectors=(1,))
    assert night.due("exposure") == []


# --- time ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", [HOUR, -HOUR])
def test_a_clock_that_is_set_by_an_hour_ends_no_wait_and_is_said(night, step):
    half_an_exposure(night)
    the_clock_jumps(night, step)
    assert looks(night) == pytest.approx(step, abs=2)
    assert night.due("exposure") == []
    (message,) = said(night, "clock_stepped")
    assert ("forward" if step > 0 else "back") in message
    the_clock_jumps(night, 70.0)  # the time of the wait, seen by both clocks
    assert looks(night, 70.0) == pytest.approx(70, abs=3)  # though nobody looked meanwhile
    assert night.due("exposure") == []
    for second in range(10, 80, 10):
        the_clock_jumps(night, 10.0)
        assert looks(night, 70.0 + second) == 0
    assert len(night.due("exposure")) == 1


def test_a_clock_that_is_set_and_set_back_leaves_ages_as_they_are(night):
    half_an_exposure(night)
    the_clock_jumps(night, HOUR)
    looks(night)
    the_clock_jumps(night, -HOUR)
    looks(night)
    assert night.due("exposure") == []
    assert len(said(night, "clock_stepped")) == 2


def close(night):
    night.context.ledger.run("night_end", "set_closed", site="demo", night="2026-01-15", state="closed")


def wants_to_close(night):
    return [request.run_id for request in night.due("end_of_night")]


def test_a_night_whose_clock_was_set_back_closes_once(night):
    half_an_exposure(night)
    the_clock_jumps(night, -HOUR)
    looks(night)
    close(night)
    long_enough_s = night.context.survey.night.grace_s + 1
    the_clock_jumps(night, long_enough_s)
    looks(night, long_enough_s)
    assert wants_to_close(night) == []


@pytest.mark.parametrize("set_back", ["before it closed", "after it closed"])
def test_what_comes_after_closing_is_seen_though_the_clock_was_set_back(night, set_back):
    half_an_exposure(night)
    long_enough_s = night.context.survey.night.grace_s + 1
    if set_back == "after it closed":
        close(night)
        looks(night)
    the_clock_jumps(night, -HOUR)
    looks(night)
    if set_back == "before it closed":
        close(night)
    assert wants_to_close(night) == []
    night.bring(0, detectors=(2,))
    assert wants_to_close(night) == []  # more may come
    the_clock_jumps(night, long_enough_s)
    looks(night, long_enough_s)
    assert len(wants_to_close(night)) == 1


def test_what_comes_while_the_night_closes_and_is_not_counted_any_more_opens_it_again(night):
    half_an_exposure(night)
    whose = {"site": "demo", "night": "2026-01-15"}
    night.context.ledger.run("night_end", "begin_closing", **whose, signal="clock")
    night.context.ledger.run("night_end", "count_from_now", **whose)
    night.bring(0, detectors=(2,))
    close(night)
    long_enough_s = night.context.survey.night.grace_s + 1
    the_clock_jumps(night, long_enough_s)
    looks(night, long_enough_s)
    assert len(wants_to_close(night)) == 1


def test_time_that_nobody_watched_counts_for_no_deadline(night):
    half_an_exposure(night)
    the_clock_jumps(night, HOUR)
    assert looks(night, HOUR) == pytest.approx(HOUR, abs=2)
    assert night.due("exposure") == []
    assert said(night, "clock_stepped") == []


def test_a_machine_that_was_started_again_was_not_watching(night):
    half_an_exposure(night)
    the_clock_jumps(night, HOUR)
    assert looks(night, -1e5, boot="two") == pytest.approx(HOUR, abs=2)
    assert night.due("exposure") == []


def test_a_set_of_calibrations_is_not_quiet_because_the_machine_was_off(night):
    looks(night)
    night.bring(-60, kind="bias", SEQNAME="b", SEQINDEX=1, SEQLEN=5)
    night.bring(-59, kind="bias", SEQNAME="b", SEQINDEX=2, SEQLEN=5)
    the_clock_jumps(night, HOUR)
    looks(night, HOUR)
    assert night.due("calibrations") == []


# --- storage -------------------------------------------------------------------------------------------------


@contextmanager
def mounted(folder, *, megabytes=2000, options="rw"):
    """Mount memory at a folder, or skip the test where this user may not."""
    folder.mkdir(exist_ok=True)
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,{options}", "nightshift-test", str(folder)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        pytest.skip(f"mounting is not allowed here: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def remount(folder, options):
    subprocess.run(["mount", "-o", f"remount,{options}", str(folder)], check=True)


def depot(night):
    return night.context.depot.root


def trouble(night):
    """What the night waits for, as the events and the live view have it too."""
    found = storage_trouble(night.context)
    whose = {"site": "demo", "night": "2026-01-15"}
    assert take_glance(night.context.ledger, **whose).waits == found
    return found


def test_an_empty_mount_point_is_not_taken_for_an_empty_depot(night, tmp_path):
    with mounted(depot(night)):
        assert trouble(night) == []
        assert (depot(night) / MARKER).is_file()
    (text,) = trouble(night)
    assert "not mounted: mount it" in text
    assert [m for m in said(night, "storage_unavailable") if text in m]
    assert not (depot(night) / MARKER).exists()


def test_a_full_disk_is_waited_for_and_said_once_until_there_is_room(night):
    with mounted(depot(night), megabytes=600):
        assert trouble(night) == []
        os.posix_fallocate(file := os.open(depot(night) / "filler", os.O_RDWR | os.O_CREAT), 0, 300_000_000)
        (text,) = trouble(night)
        assert "MB left" in text and "free some" in text
        assert len(trouble(night)) == 1
        os.close(file)
        (depot(night) / "filler").unlink()
        assert trouble(night) == []
    assert len(said(night, "storage_unavailable")) == len(said(night, "storage_back")) == 1


def test_a_read_only_inbox_is_waited_for(night):
    with mounted(night.context.inbox):
        assert trouble(night) == []
        remount(night.context.inbox, "ro")
        (text,) = trouble(night)
        assert "the inbox" in text and "cannot be written" in text
        remount(night.context.inbox, "rw")
        assert trouble(night) == []


def test_another_depot_at_the_place_of_ours_is_refused(night):
    assert trouble(night) == []
    (depot(night) / MARKER).write_text("another\n")
    (text,) = trouble(night)
    assert "not the one that the ledger knows" in text


def test_a_step_that_needs_storage_waits_until_it_is_mended(night):
    assert trouble(night) == []
    marker = (depot(night) / MARKER).read_text()
    (depot(night) / MARKER).unlink()
    waited = []

    def mend(seconds):
        waited.append(seconds)
        if len(waited) == 3:
            (depot(night) / MARKER).write_text(marker)

    wait_for_storage(night.context, sleep=mend)
    assert len(waited) == 3
    assert len(said(night, "storage_back")) == 1


def test_a_disk_that_refuses_a_file_is_said_once_and_the_file_stays(night, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "no space left")

    path = night.frames(0)
    with monkeypatch.context() as broken:
        broken.setattr("nightshift.files.new_file", full)
        for _ in range(3):
            with pytest.raises(Retry):
                ingest_all(night.context, [path])
    assert len(said(night, "storage_unavailable")) == 1
    assert path.exists() and night.rows("raw_frames") == []
    (arrival,) = ingest_all(night.context, [path])
    assert arrival.disposition == "registered"
