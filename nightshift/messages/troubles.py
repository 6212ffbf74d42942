"""Events become troubles: of one kind and subject, said once when they begin and once when they are over."""

from collections.abc import Iterable
from datetime import datetime

from nightshift.ledger import Ledger
from nightshift.ledger.queries import messages as message_queries
from nightshift.ledger.queries.messages import UnheardEvent
from nightshift.messages.listeners import Listeners, Said
from nightshift.settings.messages import ON_CALL, Rule
from nightshift.vocabulary import kinds_ended_by

__all__ = ["call_the_next", "take_in"]

MOST = 500  # events in a transaction


def take_in(ledger: Ledger, listeners: Listeners, open_sites: Iterable[str], now: datetime) -> int:
    """Read the events that nobody has read yet, and write down who is to hear of them.

    What is read is forgotten in the same transaction: a process that is killed leaves them to the next.

    Parameters
    ----------
    ledger : Ledger
    listeners : Listeners
    open_sites : iterable of str
        Sites that have an open night.
    now : datetime
        By the machine's clock.

    Returns
    -------
    int
        How many were read.
    """
    with ledger.transaction():
        events = message_queries.unheard(ledger, most=MOST)
        for event in events:
            _take_in_one(ledger, listeners, frozenset(open_sites), event, now)
        message_queries.forget_unheard(
            ledger, last=events[-1].event_id if events else 0, event_ids=[event.event_id for event in events]
        )
    return len(events)


def _take_in_one(
    ledger: Ledger, listeners: Listeners, open_sites: frozenset[str], event: UnheardEvent, now: datetime
) -> None:
    if ends := kinds_ended_by(event.kind):
        _end(ledger, ends, event, now)
    site = listeners.site_of(event.subject)
    night_open = site in open_sites if site else bool(open_sites)
    rule = listeners.rule_for(Said(event.level, event.kind, site), night_open=night_open)
    if rule is None:
        return
    trouble = _trouble_of(ledger, event, site, listeners.settings.same_for_s)
    for person in listeners.hear(rule, site, now):
        _put_hearing(ledger, trouble, person, rule, "began", now)


def _end(ledger: Ledger, kinds: Iterable[str], event: UnheardEvent, now: datetime) -> None:
    ended = message_queries.end_troubles(
        ledger, kinds=list(kinds), subject=event.subject, at=event.at, message=event.message
    )
    for trouble in ended:
        message_queries.put_ends(ledger, trouble_id=trouble.trouble_id, since=now)


def _trouble_of(ledger: Ledger, event: UnheardEvent, site: str, same_for_s: float) -> int:
    """Return the trouble that an event belongs to, which it may begin."""
    known = message_queries.open_trouble(
        ledger, kind=event.kind, subject=event.subject, at=event.at, same_for_s=same_for_s
    )
    if known is None:
        return message_queries.put_trouble(
            ledger, kind=event.kind, subject=event.subject, site=site, level=event.level, message=event.message,
            at=event.at,
        )  # fmt: skip
    message_queries.count_again(
        ledger, trouble_id=known.trouble_id, at=event.at, level=event.level, message=event.message
    )
    return known.trouble_id


def call_the_next(ledger: Ledger, listeners: Listeners, open_sites: Iterable[str], now: datetime) -> int:
    """Have the next person on call hear of what nobody has acknowledged for long enough; count them."""
    opened, called = frozenset(open_sites), 0
    with ledger.transaction():
        for trouble in message_queries.unanswered(ledger, same_for_s=listeners.settings.same_for_s):
            age = (now - trouble.told_at).total_seconds()
            if 0 <= age < listeners.settings.repeat_after_s:
                continue
            night_open = trouble.site in opened if trouble.site else bool(opened)
            said = Said(trouble.level, trouble.kind, trouble.site)
            rule = listeners.rule_for(said, night_open=night_open)
            on_call = listeners.on_call(trouble.site, now) if rule is not None and ON_CALL in rule.to else ()
            following = next((person for person in on_call if person not in trouble.people), None)
            if rule is not None and following is not None:
                _put_hearing(ledger, trouble.trouble_id, following, rule, "repeated", now)
                called += 1
    return called


def _put_hearing(ledger: Ledger, trouble: int, person: str, rule: Rule, what: str, now: datetime) -> None:
    begins, ends = (each.isoformat() for each in rule.quiet_hours) if rule.quiet_hours else (None, None)
    message_queries.put_hearing(
        ledger, trouble_id=trouble, person=person, channel=rule.channel or "", what=what, since=now,
        urgent=rule.tell == "now", quiet_from=begins, quiet_until=ends,
    )  # fmt: skip
