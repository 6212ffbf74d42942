"""What SLURM's answers mean: no verdict without evidence, and the true one as soon as there is some."""

import json
import os
import time
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightshift.errors import NeedsOperator
from nightshift.runners.base import ArrayRequest
from nightshift.runners.slurm import SlurmRunner
from nightshift.runners.slurm import notes as module_of_notes
from nightshift.runners.slurm.job_states import SlurmState, job_state
from nightshift.runners.slurm.nodes import NodeFailures
from nightshift.runners.slurm.notes import Note, Notes
from nightshift.runners.slurm.transport import Accounted, Queued
from nightshift.runners.slurm.verdict import Grace, Sources, judge
from nightshift.vocabulary import JobState, Reason

NOTE = Note("a", "a", 1, 1000.0, 100.0, job_ids=(7,))
LIVE = [state for state in SlurmState if not state.ended]
ENDED = [state for state in SlurmState if state.ended]


def queued(state, **more):
    return Queued("a", 7, 0, state, 100.0, **more)


def start(state, **more):
    return Accounted("a", 7, 0, state, 100.0, **more)


def verdict(row, starts, lasted=0.0):
    return judge(NOTE, 0, Sources(row, starts), Grace(60, 60, 60), lambda: lasted)


@given(st.sampled_from(LIVE), st.sampled_from([None, *SlurmState]), st.floats(0, 1e6))
def test_while_the_controller_says_that_it_lives_nothing_ends_it(live, accounted, lasted):
    starts = None if accounted is None else [start(accounted)]
    assert not verdict(queued(live), starts, lasted).state.ended


@given(st.sampled_from([None, SlurmState.FAILED]), st.floats(0, 1e6))
def test_while_the_accounting_does_not_answer_nothing_that_it_must_explain_ends(state, lasted):
    assert verdict(queued(state) if state else None, None, lasted).state is JobState.UNKNOWN


@pytest.mark.parametrize("state", [s for s in ENDED if s is not SlurmState.FAILED])
def test_an_end_that_the_controller_names_is_believed_at_once(state):
    assert verdict(queued(state), ()).state is job_state(state)


@pytest.mark.parametrize("stale", [(), [start(SlurmState.RUNNING)], [start(SlurmState.PENDING)]])
def test_a_task_is_lost_only_when_both_have_denied_it_for_long_enough(stale):
    assert verdict(None, stale, 59).state is JobState.UNKNOWN
    assert verdict(None, stale, 61).state is JobState.LOST


def test_a_failure_with_exit_code_zero_is_believed_only_when_it_lasts():
    wrong = [start(SlurmState.FAILED)]
    assert verdict(None, wrong, 59).state is JobState.UNKNOWN
    assert verdict(None, wrong, 61).state is JobState.FAILED
    assert verdict(None, [start(SlurmState.FAILED, exit_signal=9)], 0).state is JobState.NODE_FAILED


@pytest.mark.parametrize(
    ("end", "state"),
    [
        ({"exit_signal": 9, "memory_mb": 900.0}, JobState.OUT_OF_MEMORY),
        ({"exit_signal": 9, "memory_mb": 100.0}, JobState.NODE_FAILED),
        ({"exit_signal": 125}, JobState.OUT_OF_MEMORY),
        ({"exit_signal": 53}, JobState.NODE_FAILED),
        ({"exit_signal": 11}, JobState.FAILED),
        ({"exit_code": 124}, JobState.TIMEOUT),
        ({"exit_code": 137}, JobState.TIMEOUT),
        ({"exit_code": 1}, JobState.FAILED),
    ],
)
def test_the_cause_of_a_failure_is_told(end, state):
    assert verdict(queued(SlurmState.FAILED), [start(SlurmState.FAILED, **end)]).state is state


def test_the_last_start_counts_and_those_before_it_are_restarts():
    report = verdict(None, [start(SlurmState.PREEMPTED), start(SlurmState.COMPLETED, node="n1")])
    assert (report.state, report.restarts, report.host) == (JobState.DONE, 1, "n1")


def test_work_that_may_be_displaced_ends_when_it_is_known_how_often_it_was_begun():
    note, row = replace(NOTE, requeue=True), queued(SlurmState.COMPLETED, started=120.0)
    displaced = start(SlurmState.PREEMPTED, started=110.0)

    def ask(starts, lasted):
        return judge(note, 0, Sources(row, starts), Grace(60, 60, 60), lambda: lasted)

    assert ask([displaced], 0).state is JobState.UNKNOWN
    report = ask([displaced, start(SlurmState.COMPLETED, started=120.0)], 0)
    assert (report.state, report.restarts) == (JobState.DONE, 1)
    assert ask([displaced], 61).state is ask(None, 0).state is JobState.DONE


def test_a_task_that_could_not_write_says_so_and_still_does_when_it_is_asked_for_again(tmp_path):
    report = verdict(queued(SlurmState.FAILED), [start(SlurmState.FAILED, exit_code=75)])
    assert (report.state, report.reason) == (JobState.FAILED, Reason.STORAGE_UNAVAILABLE)
    assert verdict(queued(SlurmState.FAILED), [start(SlurmState.FAILED, exit_code=1)]).reason is None
    notes = Notes(tmp_path)
    notes.write(NOTE)
    notes.settle(NOTE, [report])
    assert notes.ended(NOTE) == [report]


def looked(notes, now, *absent):
    """Look at an array once; return for how long some of its tasks have been absent."""
    with notes.look(NOTE, now, gap_s=60) as absent_for:
        return [absent_for(index) for index in absent]


def test_two_looks_far_apart_are_no_evidence_of_what_was_between(tmp_path):
    notes = Notes(tmp_path)
    notes.write(NOTE)
    assert [looked(notes, now, 0)[0] for now in (1000.0, 1030.0, 1080.0, 2000.0, 2010.0)] == [0, 30, 80, 0, 10]
    assert looked(notes, 2015.0, 0, 1) == [15, 0]
    looked(notes, 2018.0)  # all were seen
    assert looked(notes, 2020.0, 0) == [0]


def test_a_look_at_a_large_array_that_nobody_knows_writes_one_file_and_none_where_all_are_seen(tmp_path, monkeypatch):
    written = []
    monkeypatch.setattr(module_of_notes, "write_json", lambda path, _: written.append(path.name))
    notes = Notes(tmp_path)
    looked(notes, 1000.0, *range(500))
    assert written == ["absent.json"]
    looked(notes, 1001.0)
    assert written == ["absent.json"]


def test_a_damaged_note_is_named_and_holds_up_no_other_array(tmp_path, caplog):
    notes = Notes(tmp_path)
    for name in ("a", "b"):
        notes.write(replace(NOTE, name=name, key=name))
    (notes.folder("a") / "array.json").write_text('{"name": "a"')
    assert [note.name for note in notes.all()] == ["b"]
    assert str(notes.folder("a")) in caplog.text
    notes.settle(replace(NOTE, name="b", key="b"), [])
    answer = SlurmRunner(tmp_path, EmptyCluster()).states(frozenset({"a", "b"}))
    assert answer["b"] == [] and {report.state for report in answer["a"]} == {JobState.UNKNOWN}
    assert all(report.reason and str(notes.folder("a") / "array.json") in report.detail for report in answer["a"])


def test_a_note_that_was_written_before_arrays_had_pieces_is_read(tmp_path):
    notes, old = Notes(tmp_path), {"name": "a", "key": "a", "tasks": 3, "memory_mb": 500.0, "intended": 100.0}
    for job_id, job_ids in ((17, (17,)), (None, ())):
        notes.folder("a").mkdir(parents=True, exist_ok=True)
        (notes.folder("a") / "array.json").write_text(json.dumps(old | {"job_id": job_id}))
        assert notes.get("a") == Note(**old, job_ids=job_ids)


@given(st.integers(1, 50), st.integers(1, 60), st.data())
def test_every_task_is_in_one_piece_and_the_pieces_are_as_long_as_they_may_be(tasks, most, data):
    handed_in = data.draw(st.integers(0, -(-tasks // most)))
    pieces = replace(NOTE, tasks=tasks, piece_tasks=most, job_ids=tuple(range(handed_in))).pieces
    assert [index for piece in pieces for index in piece.indices] == list(range(tasks))
    assert {piece.tasks for piece in pieces[:-1]} <= {most}
    assert [piece.job_id for piece in pieces] == [*range(handed_in), *[None] * (len(pieces) - handed_in)]
    assert len({piece.key for piece in pieces}) == len(pieces)


def settle(notes, note, *, ago_s=0.0):
    """Settle an array as if it had been so long ago."""
    notes.settle(note, [])
    os.utime(notes.folder(note.name) / "ended.json", (time.time() - ago_s,) * 2)


def test_what_ended_long_ago_is_forgotten_with_its_logs_and_nothing_else(tmp_path):
    notes = Notes(tmp_path)
    old, open_, young = (replace(NOTE, name=name, key=name, intended=0.0) for name in ("o", "p", "y"))
    for note in (old, open_, young):
        notes.write(note)
    settle(notes, old, ago_s=3700)
    settle(notes, young)
    notes.forget(3600)
    assert [note.name for note in notes.all()] == ["p", "y"]
    settle(notes, open_, ago_s=3700)
    notes.forget(3600)
    assert [note.name for note in notes.all()] == ["p", "y"], "it looked again at once"
    notes.forget(3600, every_s=0)
    assert [note.name for note in notes.all()] == ["y"]


class EmptyCluster:
    """A cluster that answers and knows of nothing."""

    name = "empty"

    def __init__(self):
        self.questions = 0

    def queue(self):
        self.questions += 1
        return []

    def accounted(self, keys, since):
        return []


def test_an_array_that_was_never_taken_is_asked_about_for_two_days_and_then_given_up(tmp_path):
    transport = EmptyCluster()
    runner, now = SlurmRunner(tmp_path, transport), time.time()
    young, old = (Note(n, n, 2, 1000.0, now - age, asked=now - age) for n, age in (("y", 3600), ("o", 3 * 86400)))
    for note in (young, old):
        runner.notes.write(note)
    assert runner.states() == {}
    assert [report.state for report in runner.states()["o"]] == [JobState.LOST] * 2
    assert runner.states(frozenset({"y"})) == {}


class RefusingCluster(EmptyCluster):
    """A cluster that takes a piece or none, until it takes all, and says of what it has that it is done."""

    def __init__(self, takes):
        super().__init__()
        self.takes, self.taken = takes, []

    def submit(self, order):
        if len(self.taken) == self.takes:
            raise NeedsOperator(Reason.INTERNAL_ERROR, "MaxSubmitJobs")
        self.taken.append((order, time.time()))
        return len(self.taken)

    def queue(self):
        return [
            Queued(order.key, job_id, index, SlurmState.COMPLETED, at, started=at)
            for job_id, (order, at) in enumerate(self.taken, start=1) for index in range(order.tasks)
        ]  # fmt: skip


@pytest.mark.parametrize(("pieces", "answer"), [(0, "given up"), (1, "1")])
def test_of_an_array_that_was_refused_until_it_was_given_up_nothing_is_submitted_any_more(
    tmp_path, monkeypatch, pieces, answer
):
    cluster = RefusingCluster(takes=pieces)
    runner = SlurmRunner(tmp_path, cluster)
    request = ArrayRequest("a", "science", tmp_path / "job.json", 2, 500.0, 60.0)
    runner.notes.write(replace(runner.notes.begin(request, requeue=False), piece_tasks=1))
    monkeypatch.setattr("nightshift.runners.slurm.runner.SETTLED_S", 0.0)
    with pytest.raises(NeedsOperator):
        runner.submit(request)
    runner.notes.write(replace(runner.notes.get("a"), intended=time.time() - 3 * 86400))
    runner.states()
    ended = [JobState.DONE] * pieces + [JobState.LOST] * (2 - pieces)
    assert [report.state for report in runner.states()["a"]] == ended
    cluster.takes = 2
    assert runner.submit(request) == answer
    assert len(cluster.taken) == pieces
    runner.notes.forget(2 * 86400, every_s=0)
    assert [report.state for report in runner.states()["a"]] == ended


def test_an_array_that_was_cancelled_before_its_submit_is_forgotten_as_others_are(tmp_path):
    transport = EmptyCluster()
    runner = SlurmRunner(tmp_path, transport)
    runner.notes.write(Note("a", "a", 2, 1000.0, time.time() - 3 * 86400, cancelled=True))
    assert [report.state for report in runner.states(frozenset({"a"}))["a"]] == [JobState.CANCELLED] * 2
    assert transport.questions == 0
    runner.notes.forget(-1.0, every_s=0)  # what was settled a moment ago too
    assert runner.notes.all() == []


def test_a_node_is_left_out_after_three_losses_and_comes_back(tmp_path):
    nodes = NodeFailures(tmp_path, failures=3, window_s=100, most=2)
    for index in (0, 0, 0, 1):
        nodes.add("n1", "a", index)
    assert nodes.excluded() == ()
    nodes.add("n1", "a", 2)
    assert nodes.excluded() == ("n1",)
    assert nodes.excluded(time.time() + 101) == ()


class NodeWithoutItsMount(EmptyCluster):
    """A cluster whose accounting says that all tasks of an array ended as those that could not write."""

    def accounted(self, keys, since):
        ended = start(SlurmState.FAILED, exit_code=75, node="n1")
        return [replace(ended, submitted=since + 60, index=index) for index in range(3)]


def test_a_node_where_tasks_cannot_write_again_and_again_is_left_out(tmp_path):
    runner = SlurmRunner(tmp_path, NodeWithoutItsMount())
    runner.notes.write(replace(NOTE, tasks=3, intended=time.time()))
    assert {report.reason for report in runner.states()["a"]} == {Reason.STORAGE_UNAVAILABLE}
    assert runner.nodes.excluded() == ("n1",)


def test_only_so_many_nodes_are_left_out_the_worst_first(tmp_path):
    nodes = NodeFailures(tmp_path / "nodes", failures=1, most=2)
    for node, losses in {"n1": 1, "n2": 3, "n3": 2, "../n4": 1}.items():
        for index in range(losses):
            nodes.add(node, "a", index)
    assert nodes.excluded() == ("n2", "n3")
    assert [path.name for path in tmp_path.iterdir()] == ["nodes"]
