"""Airflow's log files of long ago leave."""

import os
import time

import pytest

from nightshift.stack.airflow_logs import prune_logs

DAY_S = 86400.0


@pytest.fixture
def logs(tmp_path):
    for number, age in enumerate((0, 10, 40, 100)):
        path = tmp_path / "logs" / f"dag_id=x{number}" / "attempt=1.log"
        path.parent.mkdir(parents=True)
        path.write_text("said")
        os.utime(path, (time.time() - age * DAY_S,) * 2)
    return tmp_path / "logs"


def test_old_logs_leave_with_their_folders(logs):
    assert prune_logs(logs, older_than_days=30, dry_run=True).files == 2
    assert len(list(logs.rglob("*.log"))) == 4
    assert str(prune_logs(logs, older_than_days=30)) == "2 log files, 0.0 MB"
    assert sorted(path.name for path in logs.iterdir()) == ["dag_id=x0", "dag_id=x1"]


def test_a_clock_that_leaps_removes_nothing(logs, monkeypatch):
    monkeypatch.setattr(time, "time", lambda: 4e9)
    assert prune_logs(logs, older_than_days=365).files == 0


def test_links_are_neither_followed_nor_removed(logs, tmp_path):
    precious = tmp_path / "precious.log"
    precious.write_text("x")
    os.utime(precious, (1, 1))
    (logs / "link.log").symlink_to(precious)
    prune_logs(logs, older_than_days=30)
    assert precious.exists() and (logs / "link.log").is_symlink()


def test_no_folder_is_no_trouble(tmp_path):
    assert prune_logs(tmp_path / "none", older_than_days=30).files == 0
