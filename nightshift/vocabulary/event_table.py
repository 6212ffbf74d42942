"""Write ``docs/events.md`` from the registry of events.

``python -m nightshift.vocabulary.event_table > docs/events.md``
"""

from nightshift.vocabulary.event_kinds import EventKind, all_event_kinds, kinds_ended_by

__all__ = ["event_page"]

_HEAD = """# Kinds of events

What the programs say of a night, in the ledger's table `events`. A kind that somebody must act on says what to do
first. Which of them people hear of at once is set in `[messages]` ([messages](messages.md)).

    select at, level, kind, subject, message from events order by event_id desc limit 50;

This page is made from `nightshift/vocabulary/event_kinds.py` by
`python -m nightshift.vocabulary.event_table > docs/events.md`. To add a kind see [extending](extending.md).

| kind | what happened | what to do first | it is over with |
|---|---|---|---|
"""


def event_page() -> str:
    """Return the page."""
    return "".join([_HEAD, *(f"{_row(kind)}\n" for kind in sorted(all_event_kinds(), key=lambda kind: kind.name))])


def _row(kind: EventKind) -> str:
    command = f" `{kind.command}`" if kind.command else ""
    ends = ", ".join(f"`{name}`" for name in kind.ended_by)
    begins = ", ".join(f"`{name}`" for name in kinds_ended_by(kind.name))
    over = ends or (f"ends {begins}" if begins else "")
    cells = (f"`{kind.name}`", kind.sentence, f"{kind.first_step}{command}", over)
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    print(event_page(), end="")
