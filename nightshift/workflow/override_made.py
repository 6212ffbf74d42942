"""A person rejects or accepts what was made: a master, a reference or an alert."""

from dataclasses import asdict

from nightshift.called import Called, Thing
from nightshift.context import Context
from nightshift.errors import BadInput
from nightshift.keys import CalibrationKey, ExposureKey, FrameKey
from nightshift.kinds.master.record import let_serve
from nightshift.ledger import Ledger
from nightshift.ledger.queries import made
from nightshift.vocabulary import AlertState, Reason

__all__ = ["MADE", "check_not_disposed", "dispose_of_made", "frames_of", "said_before"]

MADE = frozenset({Thing.MASTER, Thing.REFERENCE, Thing.ALERT})


def said_before(ledger: Ledger, subject: str, verdict: str, explanation: str, operator: str) -> bool:
    """Whether the last word on a thing is this one, by the same person: said twice it is one row."""
    last = made.last_word(ledger, subject=subject)
    return last is not None and (last.verdict, last.explanation, last.operator) == (verdict, explanation, operator)


def frames_of(ledger: Ledger, exposure: Called) -> list[str]:
    """Return the keys of an exposure's frames.

    Raises
    ------
    BadInput
        If none came.
    """
    key = ExposureKey(*exposure.key.split("/"))
    frames = [str(FrameKey(*key, row.detector)) for row in made.frames_of_exposure(ledger, **key._asdict())]
    if not frames:
        raise BadInput(Reason.NEVER_ARRIVED, f"nothing of {key} ever arrived")
    return frames


def check_not_disposed(ledger: Ledger, name: str) -> None:
    """Raise `BadInput` where a file was in quarantine and somebody has disposed of it."""
    file = made.disposed_file(ledger, thing=name)
    if file is not None:
        raise BadInput(
            Reason.INTERNAL_ERROR,
            f"{file.inbox_name} was {file.disposed_as} by {file.disposed_by} at {file.disposed_at:%Y-%m-%d %H:%M} "
            "already, and nothing is changed",
        )


def dispose_of_made(context: Context, thing: Called, verdict: str, explanation: str, operator: str) -> str:
    """Do what a person says of something that was made, and return in words what follows; see `reject_made`."""
    if said_before(context.ledger, thing.key, verdict, explanation, operator):
        return f"You said so before: nothing changes of {thing.key}."
    return reject_made(context, thing, explanation) if verdict == "reject" else accept_made(context, thing)


def reject_made(context: Context, thing: Called, explanation: str) -> str:
    """Take a master or a reference out of service, or keep an alert back, and return in words what follows.

    Raises
    ------
    BadInput
        If it does not serve, or was sent.
    """
    ledger = context.ledger
    if thing.thing is Thing.MASTER:
        _check(made.withdraw_master(ledger, key=thing.key, explanation=explanation), f"{thing.key} is not in service")
        return f"It serves no more; an earlier night's master may, or none. {_staying(ledger, thing.key)}"
    if thing.thing is Thing.REFERENCE:
        _check(made.unset_reference(ledger, key=thing.key, explanation=explanation), f"{thing.key} is not in service")
        return f"It serves no more; the version before it does, where there is one. {_staying(ledger, thing.key)}"
    alert = made.alert(ledger, candid=int(thing.key))
    if alert is not None and alert.state in (AlertState.SENT, AlertState.RETRACTED):
        raise BadInput(
            Reason.INTERNAL_ERROR, f"alert {thing.key} was sent and stays as it is: it can only be called back"
        )
    withheld = made.withhold_alert(ledger, candid=int(thing.key))
    _check(withheld, f"alert {thing.key} is not on its way: nothing of it would be sent")
    return f"messages withheld that were not sent yet: {withheld}."


def accept_made(context: Context, thing: Called) -> str:
    """Take back that somebody rejected a master, a reference or an alert, and return in words what follows.

    Raises
    ------
    BadInput
        If nobody rejected it: what the checks refused cannot be accepted.
    """
    ledger = context.ledger
    nobody = f"nobody rejected {thing.key} before: only what a person took out of service can be put back"
    if thing.thing is Thing.MASTER:
        master = made.restore_master(ledger, key=thing.key)
        if master is None:
            raise BadInput(Reason.INTERNAL_ERROR, _told(nobody))
        let_serve(context, CalibrationKey(**asdict(master)))
        return "It serves again."
    if thing.thing is Thing.REFERENCE:
        _check(made.restore_reference(ledger, key=thing.key), nobody)
        return "It serves again."
    sent = made.send_alert_after_all(ledger, candid=int(thing.key))
    _check(sent, nobody)
    return f"messages that were withheld are sent after all: {sent}."


def _check(changed: int, why: str) -> None:
    if not changed:
        raise BadInput(Reason.INTERNAL_ERROR, _told(why))


def _told(why: str) -> str:
    return f"{why}. `nightshift explain` tells how it stands"


def _staying(ledger: Ledger, key: str) -> str:
    rows = made.made_with_it(ledger, key=key)
    if not rows:
        return "Nothing was made with it."
    listed = ", ".join(f"{row.products} {row.kind}" for row in rows)
    return f"Made with it before, and staying: {listed}, the first of {rows[0].first_unit}."
