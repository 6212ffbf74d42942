"""An operator disposes of a frame by hand: accepts it against the checks, or rejects it in spite of them.

An override is a row that nobody changes; the newest for a subject holds. It is asked where decisions are made: by
the planning of masters, references and reductions, and by the accounts of the night.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from nightshift.context import Context
from nightshift.errors import BadInput, NeedsOperator, Retry
from nightshift.ingest.arrival import Known, PhysicalFile
from nightshift.ingest.examine import examine
from nightshift.ingest.naming import file_of_night
from nightshift.ingest.register import register
from nightshift.ingest.whose import context_of_frame
from nightshift.keys import LIVE, FrameKey, UnitKey
from nightshift.kinds import kinds
from nightshift.ledger.advisory_lock import Busy, LockedWork, advisory_lock
from nightshift.ledger.queries import ledger as ledger_queries
from nightshift.vocabulary import Disposition, EventLevel, ImageType, Reason

__all__ = ["ACCEPTABLE", "Disposal", "Verdict", "dispose", "read_disposal"]

ACCEPTABLE = frozenset(
    {Reason.CHECKSUM_MISMATCH, Reason.MANIFEST_MISMATCH, Reason.WRONG_CAMERA, Reason.HEADER_IMPOSSIBLE}
)
"""Why a file may be in quarantine and still be accepted: it is whole, and says enough to be reduced."""

KEYS = frozenset({"frame", "verdict", "explanation"})
LONGEST = 500


class Verdict(StrEnum):
    """What a person says of a frame."""

    ACCEPT = "accept"  # use it, whatever the checks say
    REJECT = "reject"  # do not use it, whatever the checks say


@dataclass(frozen=True)
class Disposal:
    """What was asked for, checked.

    Parameters
    ----------
    thing : str
        A file's name (``YYYYMMDD/name`` where it was used in several nights), a frame's or unit's key, or the
        arrival key of a file in quarantine.
    verdict : Verdict
    explanation : str
        Why; kept with the override and in the audit.
    """

    thing: str
    verdict: Verdict
    explanation: str


def read_disposal(asked: Mapping[str, Any]) -> Disposal:
    """Check what a form or a command line asks for.

    Raises
    ------
    BadInput
        Naming every key that is unknown, missing or has a value that is not allowed.
    """
    faults = [f"{key!r} is not a key of this form" for key in sorted(asked.keys() - KEYS)]
    thing, explanation = (str(asked.get(key) or "").strip() for key in ("frame", "explanation"))
    if not 0 < len(thing) <= LONGEST:
        faults.append("frame is empty or too long: name a file, or the key of a frame or unit")
    if asked.get("verdict") not in set(Verdict):
        faults.append(f"verdict is {asked.get('verdict')!r}; allowed are {', '.join(Verdict)}")
    if not 0 < len(explanation) <= LONGEST:
        faults.append(f"explanation must have 1 to {LONGEST} characters: say why, for whoever asks later")
    if faults:
        raise BadInput(Reason.INTERNAL_ERROR, "the request is not accepted: " + "; ".join(faults))
    return Disposal(thing, Verdict(asked["verdict"]), explanation)


def dispose(context: Context, request: Disposal, *, operator: str, request_id: str = "", account: str = "") -> str:
    """Accept or reject a frame, a unit or a file in quarantine, and return in words what follows.

    Parameters
    ----------
    operator : str
        Who says so.
    request_id : str
        Names this request: asking again with the same changes nothing.
    account : str
        Of the machine, where it was asked for by command and the name is only said; kept in the audit.

    Raises
    ------
    BadInput
        If the ledger knows no such thing, or it cannot be accepted; the message says why and what to do.
    nightshift.errors.Retry
        If alerts have been on their way out for too long to wait: ask again.
    """
    if not operator.strip():
        raise BadInput(Reason.INTERNAL_ERROR, "say who you are: an override has a name")
    if request.verdict is Verdict.ACCEPT:
        return _dispose(context, request, operator, request_id, account)
    # what is on its way to the broker cannot be withheld: that batch is sent first, and the rest is withheld then
    try:
        with advisory_lock(context.ledger, LockedWork.POST):
            return _dispose(context, request, operator, request_id, account)
    except Busy as error:
        raise Retry(error.reason, "alerts are being sent, and nothing was changed yet: ask again") from error


def _dispose(context: Context, request: Disposal, operator: str, request_id: str, account: str) -> str:
    ledger, action = context.ledger, f"{request.verdict}_frame"
    with ledger.transaction():
        ledger.rows("overrides", "lock_disposal", subject=request.thing)
        known = ledger.row("overrides", "request_known", action=action, request_id=request_id) if request_id else None
        if known is not None:
            told: str = known["text"]
            return told
        subject, text = _apply(context, request, operator)
        ledger.run(
            "overrides", "put_override",
            subject=subject, verdict=request.verdict, explanation=request.explanation, operator=operator,
        )  # fmt: skip
        detail = {"explanation": request.explanation, "asked": request.thing, "text": text, "request_id": request_id}
        detail |= {"account": account} if account else {}
        ledger_queries.put_audit(ledger, operator=operator, action=action, subject=subject, detail=detail)
        ledger.event(
            EventLevel.INFO, f"operator_{request.verdict}s", f"{operator} {request.verdict}s it: "
            f"{request.explanation}. {text}"[:1000], subject=subject, night_time=context.clock.now(),
        )  # fmt: skip
    return text


def _apply(context: Context, request: Disposal, operator: str) -> tuple[str, str]:
    """Do it, and return the override's subject and what was done."""
    ledger = context.ledger
    night, thing = file_of_night(request.thing)
    nights = [f"{row['night']:%Y%m%d}/{thing}" for row in ledger.rows("overrides", "nights_called", thing=thing)]
    if night is None and len(nights) > 1:
        raise BadInput(Reason.INTERNAL_ERROR, f"several nights have a file of this name: say {' or '.join(nights)}")
    if (unit := ledger.row("overrides", "unit_called", thing=thing)) is not None:
        key, subject = _place(unit, unit["quadrant"]), unit["unit_key"]
    elif frames := ledger.rows("overrides", "frame_called", thing=thing, night=night):
        if len(frames) > 1:
            keys = " or ".join(str(_frame_key(frame)) for frame in frames)
            raise BadInput(Reason.INTERNAL_ERROR, f"several cameras have a file of this name: say {keys}")
        frame = frames[0]
        key, subject = _place(frame, None), str(_frame_key(frame))
        unit = frame
    elif (file := ledger.row("overrides", "quarantined_called", thing=thing, night=night)) is not None:
        return _dispose_of_file(context, request, operator, file)
    else:
        raise BadInput(
            Reason.INTERNAL_ERROR,
            f"the ledger knows no frame, unit or quarantined file {thing!r}. What never came cannot be disposed of; "
            "`nightshift explain` says what is known.",
        )
    if request.verdict is Verdict.REJECT:
        return subject, _reject(context, key, request.explanation)
    return subject, _accept(context, key, unit)


def _place(row: Mapping[str, Any], quadrant: int | None) -> dict[str, Any]:
    """Return what of an exposure is spoken of; of a whole frame, its units of the night as it happens."""
    campaign = LIVE if quadrant is None else UnitKey.parse(row["unit_key"]).campaign
    place = {name: row[name] for name in ("instrument", "exposure_id", "detector")}
    return {**place, "quadrant": quadrant, "campaign": campaign}


def _frame_key(row: Mapping[str, Any]) -> FrameKey:
    return FrameKey(row["instrument"], row["exposure_id"], row["detector"])


def _reject(context: Context, key: dict[str, Any], explanation: str) -> str:
    ledger, frame = context.ledger, _frame_key(key)
    if key["quadrant"] is None:
        ledger.run("overrides", "invalidate_frame", **frame._asdict())
    units = [row["unit_key"] for row in ledger.rows("overrides", "reject_units", explanation=explanation, **key)]
    withheld = ledger.run("overrides", "withhold_alerts", unit_keys=units)
    ledger.run("exposures", "end_exposure", instrument=frame.instrument, exposure_id=frame.exposure_id)
    said = [f"units rejected: {len(units)}"]
    if withheld:
        said.append(f"messages withheld that were not sent yet: {withheld}")
    if used := [row["unit_key"] for row in ledger.rows("overrides", "made_with", frame_key=str(frame))]:
        said.append(f"made with it before, and staying: {len(used)} masters or references, the first {used[0]}")
    return "; ".join(said) + "."


def _accept(context: Context, key: dict[str, Any], row: Mapping[str, Any]) -> str:
    ledger, frame = context.ledger, _frame_key(key)
    if row.get("inbox_name") is None:
        raise BadInput(Reason.NEVER_ARRIVED, f"{frame} never arrived: there is nothing to reduce. Ask for the file.")
    ledger.run("overrides", "validate_frame", **frame._asdict())
    reducing = [kind.name for kind in kinds() if kind.real_time]
    restored = [row["unit_key"] for row in ledger.rows("overrides", "restore_units", reducing=reducing, **key)]
    sent = ledger.run("overrides", "send_after_all", unit_keys=restored)
    due = ledger.rows("overrides", "reopen_units", **key)
    ledger.run("overrides", "reopen_exposure", instrument=frame.instrument, exposure_id=frame.exposure_id)
    if row.get("image_type") not in (None, ImageType.SCIENCE):
        return "It counts as good for the masters that are built from now on."
    if not due and not restored:
        return "Nothing changes now: no unit of it was rejected. It is reduced without the checks from now on."
    said = [f"{len(restored)} units stand again as they were"] if restored else []
    said += [f"{sent} messages that were withheld are sent after all"] if sent else []
    said += [f"{len(due)} units are reduced again, and what the checks say of them is a flag"] if due else []
    return "; ".join(said) + "."


# --- files in quarantine --------------------------------------------------------------------------------------


def _dispose_of_file(context: Context, request: Disposal, operator: str, file: Mapping[str, Any]) -> tuple[str, str]:
    disposed = {"arrival_key": file["arrival_key"], "operator": operator}
    if request.verdict is Verdict.REJECT:
        context.ledger.run("overrides", "dispose", disposed_as="rejected", **disposed)
        return f"arrival/{file['arrival_key']}", "It stays in quarantine, and nobody needs to look at it again."
    if file["reason"] in (Reason.EXPOSURE_ID_REPEATS, Reason.MONTH_DETACHED):
        return _take_in_again(context, operator, file)
    if file["disposition"] != Disposition.QUARANTINED or Reason(file["reason"]) not in ACCEPTABLE:
        raise BadInput(Reason(file["reason"]), _why_not(file))
    kept = _kept_file(context, file)
    context = context_of_frame(context, kept)
    frame = examine(kept, context.survey, Known(), overruled=True)
    arrival = register(context, kept, frame, overruled=True)
    if arrival.disposition is not Disposition.REGISTERED:
        raise BadInput(Reason.NAME_CONFLICT, f"{frame.key} is registered already, with another file")
    context.ledger.run("overrides", "dispose", disposed_as="accepted", **disposed)
    context.ledger.rows("overrides", "reopen_units", **frame.key._asdict(), quadrant=None, campaign=LIVE)
    return str(frame.key), f"It is registered as {frame.key}; what the checks say of it is a flag."


def _take_in_again(context: Context, operator: str, file: Mapping[str, Any]) -> tuple[str, str]:
    """Register a good frame that could not be when it came, for its id or its month. No check of it is overruled."""
    kept = _kept_file(context, file)
    context = context_of_frame(context, kept)
    frame = examine(kept, context.survey, Known())
    arrival = register(context, kept, frame)
    if arrival.disposition is not Disposition.REGISTERED:
        raise BadInput(arrival.reason or Reason.NAME_CONFLICT, f"{frame.key} is registered already: {arrival.detail}")
    context.ledger.run(
        "overrides", "dispose", disposed_as="accepted", arrival_key=file["arrival_key"], operator=operator
    )
    return f"arrival/{file['arrival_key']}", f"It is registered as {frame.key}, and reduced like any other."


def _why_not(file: Mapping[str, Any]) -> str:
    allowed = ", ".join(sorted(ACCEPTABLE))
    return (
        f"{file['inbox_name']} cannot be accepted: {file['reason']} ({file['detail']}). Only a whole file that says "
        f"what it is can be reduced; what may be overruled is {allowed}. Ask the mountain to send it again."
    )


def _kept_file(context: Context, file: Mapping[str, Any]) -> PhysicalFile:
    """Return a quarantined file as it came, by its name in the inbox and its arrival's key."""
    place = context.depot.absolute(file["path"])
    try:
        content, status = place.read_bytes(), place.lstat()
    except OSError as error:
        raise NeedsOperator(Reason.INPUT_LOST, f"{file['path']} is not where the ledger says: {error}") from error
    kept = PhysicalFile(Path(file["inbox_name"]), status, content, known_key=file["arrival_key"])
    if kept.sha256 != file["sha256"]:
        raise NeedsOperator(Reason.INPUT_LOST, f"{file['path']} has changed since it came")
    return kept
