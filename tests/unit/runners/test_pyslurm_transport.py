"""pyslurm's transport keeps the contract of all transports, by a double: no pyslurm matches the release in CI."""

import json
import os
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from runner_site import request_maker

from nightshift.errors import NeedsOperator, Retry
from nightshift.runners.slurm import SlurmRunner
from nightshift.runners.slurm.job_states import SlurmState
from nightshift.runners.slurm.pyslurm_transport import PyslurmTransport
from nightshift.runners.slurm.transport import Ambiguous, Order
from nightshift.vocabulary import JobState

DOUBLE = Path(__file__).with_name("pyslurm_double")
NOW = 1_795_273_174


class Record:
    """What the double's cluster holds."""

    def __init__(self, path: Path):
        self.path = path
        self.change(
            release="22.5.3",
            refuse="",
            longest=1001,
            away=False,
            next_id=17,
            now=NOW,
            jobs=[],
            accounted=[],
            submitted=[],
            nodes=[],
        )

    def read(self) -> dict:
        return json.loads(self.path.read_text())

    def change(self, **what) -> None:
        self.path.write_text(json.dumps((self.read() if self.path.exists() else {}) | what))


@pytest.fixture
def record(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(DOUBLE))
    monkeypatch.setattr("nightshift.runners.slurm.pyslurm_transport._slurm_release", lambda: "22.05.8")
    return Record(tmp_path / "record.json")


@pytest.fixture
def transport(record):
    made = PyslurmTransport()
    yield made
    made.close()


@pytest.fixture
def order(tmp_path):
    return Order("key", ("python", "job.json"), 3, 499.5, 61, 2, 40, tmp_path / "100%", {"A": "b c"})


def test_a_submit_says_all_that_sbatch_is_told(transport, record, order):
    assert transport.submit(replace(order, partition="night", exclude=("n1", "n2"))) == 17
    (fields,) = record.read()["submitted"]
    assert (fields["name"], fields["comment"], fields["array"]) == ("key", "key", "0-2")
    assert fields["script_args"][1:] == ["61", "0", "python", "job.json"]
    assert Path(fields["script"]).read_text().startswith("#!")
    assert (fields["memory_per_node"], fields["time_limit"], fields["cpus_per_task"]) == ("500M", 3, 2)
    assert (fields["is_requeueable"], fields["log_files_open_mode"]) == (False, "append")
    assert (fields["partitions"], fields["excluded_nodes"]) == (["night"], ["n1", "n2"])
    assert fields["standard_output"].endswith("100%%/%a.log")
    assert fields["environment"]["A"] == "b c"
    assert "qos" not in fields


def test_the_queue_has_a_row_for_each_task_and_none_of_other_users_or_programs(transport, record, order):
    transport.submit(order)
    (job,) = record.read()["jobs"]
    running = job | {"array_tasks_waiting": None, "state": "RUNNING", "start_time": NOW + 1, "batch_host": "n0"}
    others = [job | {"user_id": os.getuid() + 1}, job | {"comment": None}, job | {"array_id": None}]
    record.change(jobs=[job | {"array_tasks_waiting": "1-2"}, running, *others])
    rows = {row.index: row for row in transport.queue()}
    assert {index: row.state for index, row in rows.items()} == {
        0: SlurmState.RUNNING, 1: SlurmState.PENDING, 2: SlurmState.PENDING,
    }  # fmt: skip
    assert (rows[0].key, rows[0].job_id, rows[0].submitted, rows[0].started) == ("key", 17, NOW, NOW + 1)


def test_the_accounting_tells_codes_signals_and_memory(transport, record):
    row = {
        "id": 18, "name": "key", "comment": None, "array_id": 17, "array_task_id": None, "array_tasks_waiting": None,
        "state": "FAILED", "submit_time": NOW, "start_time": NOW, "end_time": NOW + 5, "nodelist": "n0",
        "exit_code": 0, "exit_code_signal": 9, "memory": 600 * 1024 * 1024,
    }  # fmt: skip
    late = row | {"id": 19, "array_task_id": 1, "exit_code": 137 - 128, "exit_code_signal": 0}
    record.change(accounted=[row, late, row | {"id": 3, "array_task_id": 2, "submit_time": NOW - 9999}])
    killed, timed_out = transport.accounted(["key"], NOW - 30)
    assert (killed.index, killed.exit_signal, killed.memory_mb) == (0, 9, 600)
    assert (timed_out.index, timed_out.exit_code) == (1, 137)


def test_a_refusal_says_what_to_change_and_anything_else_leaves_it_open(transport, record, order):
    record.change(refuse="Invalid partition name specified")
    with pytest.raises(NeedsOperator, match=r"jobs\.toml"):
        transport.submit(order)
    record.change(refuse="Socket timed out on send/recv operation")
    with pytest.raises(Ambiguous):
        transport.submit(order)


def test_a_controller_that_is_away_is_not_an_empty_queue(transport, record):
    record.change(away=True)
    with pytest.raises(Retry):
        transport.queue()


def test_a_process_that_hangs_is_ended_and_the_next_question_starts_another(record):
    transport = PyslurmTransport((sys.executable, "-c", "import time; time.sleep(60)"), timeout_s=0.5)
    for _ in range(2):
        with pytest.raises(Retry):
            transport.queue()
        assert transport._process is None


def test_without_pyslurm_the_error_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(NeedsOperator, match="NIGHTSHIFT_SLURM_TRANSPORT=cli"):
        PyslurmTransport().queue()


@pytest.mark.parametrize("release", ["25.11.2", "23.2.0"])
def test_a_pyslurm_of_another_release_is_refused(transport, record, release):
    record.change(release=release)
    with pytest.raises(NeedsOperator, match=release):
        transport.queue()


def test_the_runner_over_it_submits_once_and_cancels(transport, record, tmp_path):
    record.change(now=int(time.time()))
    runner = SlurmRunner(tmp_path / "spool", transport)
    array = request_maker(tmp_path / "jobs")("science__demo", {}, {})
    assert runner.submit(array) == SlurmRunner(tmp_path / "spool", transport).submit(array) == "17"
    assert len(record.read()["submitted"]) == 1
    assert [report.state for report in runner.states()["science__demo"]] == [JobState.PENDING] * 2
    runner.cancel(array.name)
    assert [report.state for report in runner.states()["science__demo"]] == [JobState.CANCELLED] * 2


def test_the_runner_over_it_hands_in_a_long_array_in_pieces(transport, record, tmp_path, monkeypatch):
    scontrol = tmp_path / "bin" / "scontrol"
    scontrol.parent.mkdir()
    scontrol.write_text("#!/bin/sh\necho 'MaxArraySize = 3'\n")
    scontrol.chmod(0o755)
    monkeypatch.setenv("PATH", f"{scontrol.parent}:{os.environ['PATH']}")
    record.change(now=int(time.time()), longest=3)
    runner = SlurmRunner(tmp_path / "spool", transport)
    array = request_maker(tmp_path / "jobs")("science__demo", *[{}] * 7)
    assert runner.submit(array) == SlurmRunner(tmp_path / "spool", transport).submit(array) == "17,18,19"
    submitted = record.read()["submitted"]
    assert [fields["array"] for fields in submitted] == ["0-2", "0-2", "0-0"]
    assert [fields["script_args"][2] for fields in submitted] == ["0", "3", "6"]
    assert len({fields["standard_output"] for fields in submitted}) == 3
    assert [report.index for report in runner.states()["science__demo"]] == list(range(7))
