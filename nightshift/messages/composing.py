"""What is due becomes a message, with the channel that is to carry it."""

from collections.abc import Sequence
from datetime import UTC, datetime

from nightshift.ledger import Ledger
from nightshift.ledger.queries import messages as message_queries
from nightshift.ledger.queries.messages import ToBeSaid
from nightshift.messages.grouping import LATELY_S, by_listener, to_tell_now
from nightshift.messages.listeners import Listeners
from nightshift.messages.wording import body_of, title_of

__all__ = ["compose_due"]


def compose_due(ledger: Ledger, listeners: Listeners, survey: str, now: datetime) -> list[str]:
    """Write every message that is due, and return their keys.

    Parameters
    ----------
    ledger : Ledger
    listeners : Listeners
    survey : str
        Its title.
    now : datetime
        By the machine's clock.
    """
    written = []
    with ledger.transaction():
        waiting = message_queries.to_be_said(ledger)
        if not waiting:
            return []
        said = message_queries.said_lately(ledger, lately_s=LATELY_S)
        zones = {site: listeners.zone_of(site) for site in {each.site for each in waiting}}
        for (person, channel), own in by_listener(waiting).items():
            heard = [each for each in said if (each.person, each.channel) == (person, channel)]
            if not listeners.channels_for(person, channel):
                continue  # the settings name nobody any more: it waits until they do
            if told := to_tell_now(own, heard, listeners.settings, now, zones):
                written.append(_write(ledger, listeners, survey, told, now))
    return written


def _write(ledger: Ledger, listeners: Listeners, survey: str, told: Sequence[ToBeSaid], now: datetime) -> str:
    day = f"{now.astimezone(UTC):%Y%m%d}"
    key = f"{day}-{message_queries.next_number(ledger, day=day)}"
    person, channel = told[0].person, told[0].channel
    message_queries.put_message(
        ledger, message_key=key, person=person, channel=channel, title=title_of(survey, told),
        body=body_of(survey, key, told, now), made_at=now,
    )  # fmt: skip
    for each in told:
        message_queries.mark_said(
            ledger, message_key=key, trouble_id=each.trouble_id, person=each.person, channel=each.channel,
            what=each.what,
        )  # fmt: skip
    first = listeners.channels_for(person, channel)[0]
    message_queries.queue_delivery(ledger, message_key=key, channel=first.name)
    return key
