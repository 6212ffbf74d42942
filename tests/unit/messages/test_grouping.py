"""A storm is one message, quiet hours are quiet, and whatever happens everything is told in the end."""

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightshift.ledger.queries.messages import SaidLately, ToBeSaid
from nightshift.messages.delivering import LONGEST_PAUSE_S, is_time, pause_s
from nightshift.messages.grouping import LATELY_S, by_listener, to_tell_now
from nightshift.messages.listeners import is_quiet
from nightshift.messages.wording import MOST_NAMED, body_of, duration, title_of
from nightshift.settings.messages import MessageSettings
from nightshift.vocabulary import EventLevel, all_event_kinds

BEGIN = datetime(2026, 1, 16, 2, tzinfo=UTC)
ZONES = {"demo": ZoneInfo("America/Phoenix"), "": ZoneInfo("UTC")}
SETTINGS = MessageSettings()
KINDS = [kind.name for kind in all_event_kinds()][:6]


def waiting(trouble: int, **other) -> ToBeSaid:
    usual = {
        "trouble_id": trouble, "person": "mira", "channel": "", "what": "began", "since": BEGIN, "urgent": True,
        "quiet_from": None, "quiet_until": None, "kind": "unit_failed", "subject": f"unit {trouble}", "site": "demo",
        "level": EventLevel.PAGE, "message": "Out of memory.", "times": 1, "began_at": BEGIN, "ended_at": None,
        "end_message": None,
    }  # fmt: skip
    return ToBeSaid(**{**usual, **other})


class Person:
    """Somebody to whom things happen, and what is told by these rules."""

    def __init__(self) -> None:
        self.waiting: list[ToBeSaid] = []
        self.said: list[SaidLately] = []
        self.messages: list[tuple[datetime, list[ToBeSaid]]] = []

    def look(self, now: datetime) -> None:
        lately = [each for each in self.said if each.made_at > now - timedelta(seconds=LATELY_S)]
        told = to_tell_now(self.waiting, lately, SETTINGS, now, ZONES)
        if told:
            self.messages.append((now, told))
            self.waiting = [each for each in self.waiting if each not in told]
            key = str(len(self.messages))
            self.said += [SaidLately(key, "mira", "", now, each.kind, each.what) for each in told]


happenings = st.lists(
    st.tuples(st.integers(0, 36000), st.sampled_from(KINDS), st.sampled_from(["began", "ended"]), st.booleans()),
    min_size=1, max_size=120,
)  # fmt: skip


@given(happenings)
def test_everything_is_told_exactly_once_and_one_kind_at_most_three_times_a_night(happened):
    person = Person()
    todo = sorted(happened)
    for step in range(0, 3 * 86400, 120):
        now = BEGIN + timedelta(seconds=step)
        while todo and todo[0][0] <= step:
            _, kind, what, urgent = todo.pop(0)
            number = len(happened) - len(todo)
            person.waiting.append(waiting(number, kind=kind, what=what, urgent=urgent, since=now))
        person.look(now)
    told = [each.trouble_id for _, message in person.messages for each in message]
    assert sorted(told) == list(range(1, len(happened) + 1)), "each once"
    moments = [now for now, _ in person.messages]
    for before, after in pairwise(moments):
        assert (after - before).total_seconds() >= SETTINGS.apart_s
    if len({kind for _, kind, _, _ in happened}) == len({what for _, _, what, _ in happened}) == 1:
        night = [now for now in moments if now < BEGIN + timedelta(hours=12)]
        assert len(night) <= 3


@given(st.integers(0, 86399), st.integers(0, 23), st.integers(0, 23))
def test_nothing_is_told_in_quiet_hours_and_it_is_told_when_they_are_over(second, begins, ends):
    quiet = waiting(1, quiet_from=f"{begins:02d}:00:00", quiet_until=f"{ends:02d}:00:00", since=BEGIN)
    for step in range(second, second + 90000, 600):
        now = BEGIN + timedelta(seconds=step)
        told = to_tell_now([quiet], [], SETTINGS, now, ZONES)
        assert not (told and is_quiet(now, ZONES["demo"], time(begins), time(ends)))
        if told:
            return
    pytest.fail("it was never told")


@given(st.integers(0, 86399), st.integers(0, 1439), st.integers(0, 1439))
def test_quiet_hours_over_midnight_are_the_complement_of_the_other_hours(second, one, other):
    begins, ends = time(*divmod(one, 60)), time(*divmod(other, 60))
    now = BEGIN + timedelta(seconds=second)
    forth, back = is_quiet(now, ZONES["demo"], begins, ends), is_quiet(now, ZONES["demo"], ends, begins)
    assert not forth and not back if one == other else forth is not back


@given(st.integers(-10 * 86400, 10 * 86400))
def test_a_step_of_the_clock_silences_nobody_for_longer_than_a_message_is_gathered(step):
    person = Person()
    person.waiting.append(waiting(1))
    person.look(BEGIN + timedelta(seconds=60))
    assert len(person.messages) == 1
    person.waiting.append(waiting(2, kind="unbalanced", since=BEGIN + timedelta(seconds=60)))
    for later in range(0, 900, 60):
        person.look(BEGIN + timedelta(seconds=60 + step + later))
    assert len(person.messages) == 2


def test_what_one_message_cannot_hold_is_apart():
    found = by_listener([waiting(1), waiting(2, person="jon"), waiting(3, channel="phone"), waiting(4)])
    assert {place: [each.trouble_id for each in own] for place, own in found.items()} == {
        ("mira", ""): [1, 4], ("jon", ""): [2], ("mira", "phone"): [3],
    }  # fmt: skip


@given(st.integers(1, 600), st.booleans())
def test_a_message_counts_all_and_names_a_few(count, over):
    ended = {"what": "ended", "ended_at": BEGIN + timedelta(minutes=12), "end_message": "It is back."} if over else {}
    told = [waiting(number, **ended) for number in range(count)]
    body, title = body_of("A survey", "20260116-1", told, BEGIN), title_of("A survey", told)
    assert len(body) < 2000 and len(title) <= 160 and "\n" not in title
    assert body.count("\n- ") == min(count, MOST_NAMED) + (count > MOST_NAMED)
    assert (f"and {count - MOST_NAMED} more" in body) == (count > MOST_NAMED)
    assert ("after 12 min" in body) == over
    assert ("acknowledge" in body) != over


def test_a_title_says_the_worst_first():
    told = [waiting(1, level=EventLevel.ERROR, message="A loss."), waiting(2, message="Come.\nAt once.")]
    assert title_of("A survey", told) == "A survey: somebody must act: Come. (and 1 more)"
    assert title_of("A survey", [replace(told[0], level=EventLevel.WARNING)]) == "A survey: A loss."


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-90, "less than a minute"), (12, "less than a minute"), (720, "12 min"), (3600, "1 h"), (5400, "1 h 30 min")],
)
def test_a_span_is_said_as_people_say_it(seconds, text):
    assert duration(timedelta(seconds=seconds)) == text


def test_tries_come_further_and_further_apart_and_never_end():
    pauses = [pause_s(tries) for tries in range(2000)]
    assert pauses[0] == 0 and pauses == sorted(pauses) and pauses[-1] == LONGEST_PAUSE_S
    assert is_time(5, BEGIN, BEGIN + timedelta(hours=1)) and not is_time(5, BEGIN, BEGIN + timedelta(seconds=1))
    assert is_time(5, BEGIN, BEGIN - timedelta(seconds=1)), "the clock was set back"
