"""When the wait for an array is over, and when it is not."""

from hypothesis import given
from hypothesis import strategies as st

from nightshift.runners.base import TaskReport
from nightshift.runners.watch import Watch
from nightshift.vocabulary import JobState

ENDED = [state for state in JobState if state.ended]
LIVE = [state for state in JobState if not state.ended]


def report(state: JobState, index: int = 0, started: float | None = None) -> TaskReport:
    return TaskReport("a", index, state, started=started)


def test_it_is_over_when_every_task_has_ended_however_it_ended():
    reports = [report(state, i) for i, state in enumerate(ENDED)]
    assert Watch(60).over(reports, asked=True, now=0) == ", ".join(f"1 {state}" for state in ENDED)


@given(st.sampled_from(LIVE), st.lists(st.sampled_from(ENDED)))
def test_one_task_that_has_not_ended_keeps_it_waiting(live, ended):
    reports = [report(live), *(report(state, i + 1) for i, state in enumerate(ended))]
    assert Watch(60).over(reports, asked=True, now=1e9) is None


def test_it_goes_on_without_stragglers_when_the_soft_deadline_has_passed():
    reports = [report(JobState.DONE, 0, 100.0), report(JobState.RUNNING, 1, 130.0)]
    watch = Watch(60)
    assert watch.over(reports, asked=True, now=160.0) is None
    assert watch.over(reports, asked=True, now=160.1) == "soft deadline passed"


def test_time_in_the_queue_is_not_counted():
    assert Watch(60).over([report(JobState.PENDING)], asked=True, now=1e9) is None


def test_the_soft_deadline_passes_also_while_the_runner_does_not_answer():
    watch = Watch(60)
    watch.over([report(JobState.RUNNING, 0, 100.0)], asked=True, now=101.0)
    assert watch.over(None, asked=False, now=159.0) is None
    assert watch.over(None, asked=False, now=161.0) == "soft deadline passed"


@given(st.lists(st.floats(0, 1e9), max_size=20))
def test_no_number_of_unanswered_questions_ends_it(times):
    watch = Watch(60)
    assert all(watch.over(None, asked=False, now=now) is None for now in times)


def test_an_array_is_lost_only_after_the_runner_has_denied_it_long_enough():
    watch = Watch(60, lost_after_s=30)
    assert watch.over([], asked=True, now=0.0) is None
    assert watch.over(None, asked=True, now=30.0) is None
    assert watch.over([], asked=True, now=30.1) == "the runner does not know it"


def test_an_array_that_shows_up_again_was_not_lost():
    watch = Watch(60, lost_after_s=30)
    watch.over([], asked=True, now=0.0)
    watch.over([report(JobState.PENDING)], asked=True, now=20.0)
    assert watch.over([], asked=True, now=40.0) is None
