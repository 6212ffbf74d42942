"""One round of telling people, from the events that nobody has read to the messages on their way."""

from collections.abc import Collection
from datetime import datetime

from nightshift.ledger import Ledger
from nightshift.messages.channels import Carrier
from nightshift.messages.composing import compose_due
from nightshift.messages.delivering import deliver_due
from nightshift.messages.listeners import Listeners
from nightshift.messages.troubles import MOST, call_the_next, take_in

__all__ = ["tell"]


def tell(
    ledger: Ledger,
    listeners: Listeners,
    carrier: Carrier,
    *,
    survey: str,
    open_sites: Collection[str],
    now: datetime,
) -> int:
    """Do once all that is due. May be cut off anywhere and run again; one process at a time.

    Parameters
    ----------
    ledger : Ledger
    listeners : Listeners
    carrier : Carrier
    survey : str
        Its title.
    open_sites : collection of str
        Sites that have an open night.
    now : datetime
        By the machine's clock.

    Returns
    -------
    int
        How many messages reached somebody: while it is not 0 there may be more.
    """
    while take_in(ledger, listeners, open_sites, now) == MOST:
        pass
    call_the_next(ledger, listeners, open_sites, now)
    compose_due(ledger, listeners, survey, now)
    return deliver_due(ledger, listeners, carrier, now)
