"""A task that finds its disk full ends as one that could not write, also where its log lies on the same disk."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from nightshift.jobs import __main__ as jobs

FULL = Path("/dev/full")  # takes no byte
HERE = Path(__file__).parent


def speaks(job_file, index):
    print("no room", flush=True)
    return 0


def fails(job_file, index):
    raise RuntimeError("no stars")


def leaves_half_a_line(job_file, index):
    sys.stdout.write("half a line")
    return os.EX_TEMPFAIL


@pytest.mark.parametrize(("task", "code"), [(speaks, 1), (fails, 1), (leaves_half_a_line, os.EX_TEMPFAIL)])
def test_a_worker_outlives_a_task_whose_log_takes_nothing(task, code):
    assignment = f"Assignment('job.json', 0, '{FULL}', {{}})"
    program = (
        f"import sys, test_full_disk as tasks; from nightshift.runners.worker import Assignment, _run; "
        f"sys.exit(10 + _run(tasks.{task.__name__}, {assignment}))"
    )
    environment = os.environ | {"PYTHONPATH": str(HERE), "PYTHONUNBUFFERED": ""}
    assert subprocess.run([sys.executable, "-c", program], env=environment).returncode == 10 + code


def test_on_a_node_a_job_whose_folder_is_gone_ends_as_one_that_could_not_write(tmp_path):
    job_file = tmp_path / "not mounted" / "job.json"
    node = [sys.executable, "-m", "nightshift.jobs", "science", str(job_file), "--unit", "0"]
    with FULL.open("w") as log:
        done = subprocess.run(node, stdout=log, stderr=log)
    assert done.returncode == os.EX_TEMPFAIL


@pytest.mark.parametrize("number", [errno.ESTALE, errno.EIO])
@pytest.mark.parametrize("asked", ["exists", "read_text"])
def test_a_job_file_whose_disk_fails_is_not_taken_for_a_damaged_one(monkeypatch, tmp_path, number, asked):
    def fails(self, *_):
        raise OSError(number, os.strerror(number), str(self))

    (tmp_path / "job.json").touch()
    monkeypatch.setattr(Path, asked, fails)
    monkeypatch.setattr(Path, "read_text", fails)
    assert jobs.main(["science", str(tmp_path / "job.json"), "--unit", "0"]) == os.EX_TEMPFAIL


@pytest.mark.parametrize(
    ("patience", "code", "starts"), [(0, os.EX_TEMPFAIL, 1), (12, os.EX_TEMPFAIL, 3), (30, 0, 4)]
)
def test_on_a_node_a_task_is_begun_again_while_its_patience_lasts(monkeypatch, tmp_path, patience, code, starts):
    now, begun = [0.0], []

    def storage_is_back_at_the_fourth(job_file, index):
        now[0] += 90 * (not begun)  # it had worked for longer than any patience when its storage failed
        begun.append(index)
        return 0 if len(begun) == 4 else os.EX_TEMPFAIL

    monkeypatch.setattr(jobs, "run_task", storage_is_back_at_the_fourth)
    monkeypatch.setattr(jobs.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(jobs.time, "sleep", lambda seconds: now.append(now.pop() + seconds))
    asked = ["science", str(tmp_path / "job.json"), "--unit", "3", f"--patience={patience}"]
    assert (jobs.main(asked), begun) == (code, [3] * starts)
