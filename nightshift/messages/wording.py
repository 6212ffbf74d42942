"""What a message says: what happened, what to do first, and how to answer."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import groupby

from nightshift.ledger.queries.messages import ToBeSaid
from nightshift.vocabulary import EventLevel, event_kind

__all__ = ["body_of", "duration", "title_of"]

MOST_NAMED = 3  # of one kind
LONGEST = 500  # characters of one event's text
LONGEST_TITLE = 160
CALLS = {EventLevel.PAGE: "somebody must act", EventLevel.ERROR: "something was lost"}


def title_of(survey: str, said: Sequence[ToBeSaid]) -> str:
    """Return the line by which a message is known in a list of messages."""
    going_on = [each for each in said if each.what != "ended" and each.ended_at is None]
    if not going_on:
        return _cut(f"{survey}: over: {_first_line(_over(said[0]))}{_and_more(len(said))}", LONGEST_TITLE)
    worst = max(going_on, key=lambda each: list(EventLevel).index(each.level))
    why = CALLS.get(worst.level)
    again = "again, " if worst.what == "repeated" else ""
    head = f"{again}{why}: " if why else again
    return _cut(f"{survey}: {head}{_first_line(worst.message)}{_and_more(len(going_on))}", LONGEST_TITLE)


def body_of(survey: str, key: str, said: Sequence[ToBeSaid], now: datetime) -> str:
    """Return the text of a message.

    Parameters
    ----------
    survey : str
        Its title.
    key : str
        The message's, by which it is acknowledged.
    said : sequence of ToBeSaid
    now : datetime
    """
    ended = {each.trouble_id for each in said if each.ended_at is not None}
    began = [each for each in said if each.what != "ended" and each.trouble_id not in ended]
    # one that was not told before is told whole
    over = list({each.trouble_id: each for each in reversed(said) if each.trouble_id in ended}.values())[::-1]
    parts = [f"{survey}, {now:%Y-%m-%d %H:%M} UTC"]
    for kind, group in groupby(sorted(began, key=_worst_first), key=lambda each: each.kind):
        parts.append("\n".join(_of_kind(kind, list(group), key)))
    if over:
        parts.append("\n".join(["Over:", *_named([_over(each) for each in over], key)]))
    if began:
        parts.append(
            f"Say that you look after it, and nobody else is called:\n  nightshift messages acknowledge {key} "
            "--operator <your name>"
        )
    return "\n\n".join(parts) + "\n"


def _worst_first(each: ToBeSaid) -> tuple[int, str, int]:
    return -list(EventLevel).index(each.level), each.kind, each.trouble_id


def _of_kind(name: str, said: Sequence[ToBeSaid], key: str) -> Iterator[str]:
    kind = event_kind(name)
    repeated = "Nobody has acknowledged this yet. " if any(each.what == "repeated" for each in said) else ""
    count = f"{len(said)} times. " if len(said) > 1 else ""
    yield f"{said[0].level.upper()}: {repeated}{count}{kind.sentence if kind else name}"
    yield from _named([_line(each) for each in said], key)
    if kind is not None and kind.needs_human:
        yield f"  To do: {kind.first_step}"
        if kind.command:
            yield f"  {kind.command}"


def _named(lines: Sequence[str], key: str) -> Iterator[str]:
    """Yield the first few, and how many more there are."""
    for line in lines[:MOST_NAMED]:
        yield f"- {line}"
    if len(lines) > MOST_NAMED:
        yield f"- and {len(lines) - MOST_NAMED} more: nightshift messages show {key}"


def _line(each: ToBeSaid) -> str:
    times = f" ({each.times} times)" if each.times > 1 else ""
    subject = f"{each.subject}: " if each.subject and each.subject not in each.message else ""
    return f"{each.began_at:%H:%M} {subject}{_cut(each.message, LONGEST)}{times}"


def _over(each: ToBeSaid) -> str:
    """Return what is over, with how long it took."""
    took = "" if each.ended_at is None else f" (after {duration(each.ended_at - each.began_at)})"
    text = each.end_message or each.message
    if each.what == "began" and each.ended_at is not None:  # it was not told before
        text = f"{each.message} {each.end_message or ''}".strip()
    return f"{_cut(text, LONGEST)}{took}"


def duration(span: timedelta) -> str:
    """Return a time span as people say it; one that a clock's step made negative counts as none."""
    minutes = max(0, round(span.total_seconds() / 60))
    if minutes < 1:
        return "less than a minute"
    hours, rest = divmod(minutes, 60)
    return f"{minutes} min" if not hours else f"{hours} h {rest} min" if rest else f"{hours} h"


def _and_more(count: int) -> str:
    return f" (and {count - 1} more)" if count > 1 else ""


def _first_line(text: str) -> str:
    return text.splitlines()[0] if text else ""


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 4]} ..."
