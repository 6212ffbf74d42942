"""What SLURM's commands print is read for what it is; what is not ours, or not known, is no verdict."""

import pytest

from nightshift.errors import Retry
from nightshift.runners.slurm.job_states import SlurmState, job_state, parse_state
from nightshift.runners.slurm.notes import key_of
from nightshift.runners.slurm.printed import read_accounted, read_exits, read_longest_array, read_queue
from nightshift.runners.slurm.refusals import refusal
from nightshift.runners.slurm.transport import Order
from nightshift.vocabulary import JobState


def test_a_row_of_the_queue_is_one_task():
    (row,) = read_queue("17|3|RUNNING|1795273174|1795273179|n2|None|key|key\n")
    assert (row.job_id, row.index, row.state, row.node, row.started) == (17, 3, SlurmState.RUNNING, "n2", 1795273179)


@pytest.mark.parametrize(
    "line",
    [
        "17|N/A|RUNNING|1|2|n2|None|key|key",  # no array
        "17|3|RUNNING|1|2|n2|None|key|(null)",  # somebody else's: it has no comment
        "17|3|RUNNING|1|2|n2|None|a|b|a|b",  # a name with our separator in it
        "",
    ],
)
def test_what_is_not_ours_is_no_task(line):
    assert read_queue(line) == []


def test_tasks_that_wait_together_are_told_apart():
    assert [row.index for row in read_queue("17|1-3,8,10-14:2%4|PENDING|1|N/A||Priority|k|k")] == [
        1, 2, 3, 8, 10, 12, 14,
    ]  # fmt: skip


def test_tasks_that_were_cancelled_before_they_started_have_an_end_each():
    rows = read_accounted("17_[1-5%1]|k|CANCELLED by 0|0:0|10|Unknown|20|None assigned||k\n")
    assert [(row.index, row.state, row.node) for row in rows] == [(i, SlurmState.CANCELLED, "") for i in range(1, 6)]


def test_the_memory_that_a_step_used_is_its_tasks():
    text = "17_0|k|FAILED|0:9|10|11|12|n0||k\n17_0.batch|batch|CANCELLED|0:9|11|11|12|n0|316784K|\n"
    (row,) = read_accounted(text)
    assert (row.exit_signal, round(row.memory_mb)) == (9, 309)


def test_a_word_that_is_not_known_is_no_end():
    assert parse_state("VANISHED") is SlurmState.UNNAMED
    assert job_state(SlurmState.UNNAMED) is JobState.UNKNOWN
    assert parse_state("CANCELLED by 1000") is SlurmState.CANCELLED


def test_every_state_of_slurm_has_a_meaning():
    assert all(isinstance(job_state(state), JobState) for state in SlurmState)


def test_without_accounting_an_exit_code_is_what_squeue_says_and_a_signal_says_nothing():
    rows = [f"17|{index}|FAILED|10|11|12|n0|{status}|k:0|k:0|" for index, status in enumerate((75 << 8, 137 << 8, 9))]
    ends = read_exits("\n".join([*rows, "18|N/A|FAILED|10|11|12|n0|256|k|k|", "19|0|FAILED|10|11|12|n0|256|k||"]))
    assert [(row.job_id, row.index, row.exit_code) for row in ends] == [(17, 0, 75), (17, 1, 137)]
    assert (ends[0].key, ends[0].state, ends[0].submitted, ends[0].node) == ("k:0", SlurmState.FAILED, 10, "n0")


@pytest.mark.parametrize(
    ("text", "most"),
    [
        ("MaxArraySize            = 1001\nSchedulerParameters     = (null)\n", 1001),
        ("MaxArraySize = 1001\nSchedulerParameters = bf_interval=2,max_array_tasks=500,defer\n", 500),
        ("MaxArraySize = 8\nSchedulerParameters = max_array_tasks=500\n", 8),
    ],
)
def test_an_array_may_be_as_long_as_both_limits_allow(text, most):
    assert read_longest_array(f"Configuration data as of 2026-01-16T08:00:00\n{text}") == most


def test_a_configuration_that_does_not_say_how_long_an_array_may_be_is_no_limit():
    with pytest.raises(Retry):
        read_longest_array("slurm_load_ctl_conf error\n")


def test_keys_are_plain_and_different_names_have_different_keys():
    names = ["science__demo__1", "a/b", "a_b", "a|b", "a,b", "-x", "..", "x" * 300, "x" * 299 + "y", "%j", "Ä"]
    keys = [key_of(name) for name in names]
    assert len({key.lower() for key in keys}) == len(names)
    assert keys[0] == names[0]
    assert not any(set(key) & set("/|,% \\") or key.startswith(("-", ".")) or len(key) > 180 for key in keys)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("Batch job submission failed: Invalid partition name specified", "partition"),
        ("Batch job submission failed: Invalid account or account/partition combination specified", "account"),
        ("Batch job submission failed: Invalid qos specification", "qos"),
        ("Batch job submission failed: Invalid job array specification", "MaxArraySize"),
        ("Job violates accounting/QOS policy (job submit limit, user's size and/or time limits)", "MaxSubmitJobs"),
    ],
)
def test_a_refusal_says_what_to_change(tmp_path, text, word):
    assert word in refusal(text, Order("k", (), 1, 1.0, 1.0, 1, 0, tmp_path))


@pytest.mark.parametrize(
    "text",
    [
        "Batch job submission failed: Socket timed out on send/recv operation",
        "Batch job submission failed: Unable to contact slurm controller (connect failure)",
        "Batch job submission failed: Unexpected message received",
        "",
    ],
)
def test_what_may_mean_anything_is_no_refusal(tmp_path, text):
    assert refusal(text, Order("k", (), 1, 1.0, 1.0, 1, 0, tmp_path)) is None
