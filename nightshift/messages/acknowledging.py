"""A person says that somebody looks after it: then nobody else is called."""

from collections.abc import Sequence
from datetime import datetime

from nightshift.errors import BadInput
from nightshift.ledger import Ledger
from nightshift.ledger.queries import ledger as ledger_queries
from nightshift.ledger.queries import messages as message_queries
from nightshift.ledger.queries.messages import Trouble
from nightshift.vocabulary import EventLevel, Reason

__all__ = ["acknowledge"]


def acknowledge(
    ledger: Ledger, key: str, *, operator: str, account: str = "", night_time: datetime | None = None
) -> Sequence[Trouble]:
    """Stop the repeats of everything that a message told of. May run again.

    Parameters
    ----------
    ledger : Ledger
    key : str
        The message's.
    operator : str
        Who says so; kept in the audit.
    account : str
        Of the machine or the page, where it was asked for by one.
    night_time : datetime, optional
        By the night's clock.

    Returns
    -------
    sequence of Trouble
        What nobody had acknowledged before.

    Raises
    ------
    BadInput
        If there is no such message, or nobody says who it is.
    """
    if not operator.strip():
        raise BadInput(Reason.INTERNAL_ERROR, "say who you are: an acknowledgement has a name (--operator)")
    with ledger.transaction():
        message = message_queries.message(ledger, message_key=key)
        if message is None:
            raise BadInput(
                Reason.INTERNAL_ERROR,
                f"there is no message {key!r}: `nightshift messages list` shows them, such as 20260131-4",
            )
        troubles = message_queries.acknowledge(ledger, message_key=key, operator=operator)
        if troubles:
            what = [f"{trouble.kind} {trouble.subject}".strip() for trouble in troubles]
            detail = {"troubles": what, "account": account} if account else {"troubles": what}
            ledger_queries.put_audit(
                ledger, operator=operator, action="acknowledge_message", subject=key, detail=detail
            )
            ledger.event(
                EventLevel.INFO, "message_acknowledged",
                f"{operator} looks after {what[0]}{f' and {len(what) - 1} more' if len(what) > 1 else ''}.",
                subject=key, night_time=night_time,
            )  # fmt: skip
    return troubles
