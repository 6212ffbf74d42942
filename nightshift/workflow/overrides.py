"""An operator disposes of a frame by hand: accepts it against the checks, or rejects it in spite of them.

An override is a row that nobody changes; the newest for a subject holds. It is asked where decisions are made: by
the planning of masters, references and reductions, and by the accounts of the night.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Any

from nightshift.called import Thing, called
from nightshift.context import Context
from nightshift.errors import BadInput, NeedsOperator, Retry
from nightshift.housekeeping.deleted_files import said_of_deleted
from nightshift.ingest.arrival import Known, PhysicalFile
from nightshift.ingest.examine import examine, examine_safely
from nightshift.ingest.naming import file_of_night
from nightshift.ingest.register import register
from nightshift.ingest.whose import context_of_frame
from nightshift.keys import LIVE, FrameKey, UnitKey
from nightshift.kinds import kinds
from nightshift.ledger.advisory_lock import Busy, LockedWork, advisory_lock
from nightshift.ledger.queries import exposures as exposure_queries
from nightshift.ledger.queries import ledger as ledger_queries
from nightshift.ledger.queries import overrides as overrides_queries
from nightshift.ledger.queries.overrides import FileInQuarantine
from nightshift.vocabulary import Disposition, EventLevel, ImageType, Reason
from nightshift.workflow.override_made import MADE, check_not_disposed, dispose_of_made, frames_of, said_before

__all__ = ["ACCEPTABLE", "Disposal", "Verdict", "dispose", "read_disposal"]

ACCEPTABLE = frozenset(
    {Reason.CHECKSUM_MISMATCH, Reason.MANIFEST_MISMATCH, Reason.WRONG_CAMERA, Reason.HEADER_IMPOSSIBLE}
)
"""Why a file may be in quarantine and still be accepted: it is whole, and says enough to be reduced."""

LOOKED_AT_AGAIN = frozenset({Reason.EXPOSURE_ID_REPEATS, Reason.MONTH_DETACHED, Reason.INTERNAL_ERROR})
"""Why a file may be in quarantine that is sound once settings or code are mended, or its month is back."""

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
        A file's name (``YYYYMMDD/name`` where it was used in several nights), the arrival key of a file in
        quarantine, or any key as of `nightshift.called`: of an exposure, a frame, a unit, a master, a reference or
        an alert.
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
    found = called(context.ledger, request.thing)
    if found is not None and found.thing is Thing.EXPOSURE:
        frames = frames_of(context.ledger, found)
        told = [
            dispose(
                context, replace(request, thing=frame), operator=operator, account=account,
                request_id=f"{request_id}/{frame}" if request_id else "",
            )
            for frame in frames
        ]  # fmt: skip
        return "\n".join(f"{frame}: {text}" for frame, text in zip(frames, told, strict=True))
    if found is not None:
        request = replace(request, thing=found.key)
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
        overrides_queries.lock_disposal(ledger, subject=request.thing)
        known = overrides_queries.request_known(ledger, action=action, request_id=request_id) if request_id else None
        if known is not None:
            return known.text
        subject, text = _apply(context, request, operator)
        if said_before(ledger, subject, request.verdict, request.explanation, operator):
            return text
        overrides_queries.put_override(
            ledger, subject=subject, verdict=request.verdict, explanation=request.explanation, operator=operator
        )
        detail = {"explanation": request.explanation, "asked": request.thing, "text": text, "request_id": request_id}
        detail |= {"account": account} if account else {}
        ledger_queries.put_audit(ledger, operator=operator, action=action, subject=subject, detail=detail)
        ledger.event(
            EventLevel.INFO, f"operator_{request.verdict}s", f"{operator} {request.verdict}s it: "
            f"{request.explanation}. {text}"[:1000], subject=subject, night_time=context.clock.now(),
        )  # fmt: skip
    return text


@dataclass(frozen=True)
class _Target:
    """What of an exposure is meant: a frame of one detector, or one of its units.

    Parameters
    ----------
    subject : str
        Of the override.
    frame : FrameKey
    quadrant : int or None
        None where the whole frame is meant.
    campaign : str
        Of the units; of a whole frame, that of the night as it happens.
    has_file : bool
    is_science : bool
    """

    subject: str
    frame: FrameKey
    quadrant: int | None
    campaign: str
    has_file: bool
    is_science: bool


def _apply(context: Context, request: Disposal, operator: str) -> tuple[str, str]:
    """Do it, and return the override's subject and what was done."""
    made = called(context.ledger, request.thing)
    if made is not None and made.thing in MADE:
        return made.key, dispose_of_made(context, made, request.verdict, request.explanation, operator)
    night, thing = file_of_night(request.thing)
    named = overrides_queries.nights_called(context.ledger, thing=thing)
    nights = [f"{row.night:%Y%m%d}/{thing}" for row in named]
    if night is None and len(nights) > 1:
        raise BadInput(Reason.INTERNAL_ERROR, f"several nights have a file of this name: say {' or '.join(nights)}")
    target = _target_unit(context, thing) or _target_frame(context, thing, night)
    if target is not None:
        if request.verdict is Verdict.REJECT:
            return target.subject, _reject(context, target, request.explanation)
        return target.subject, _accept(context, target)
    file = overrides_queries.quarantined_called(context.ledger, thing=thing, night=night)
    if file is not None:
        return _dispose_of_file(context, request, operator, file)
    check_not_disposed(context.ledger, thing)
    raise BadInput(
        Reason.INTERNAL_ERROR,
        f"the ledger knows no frame, unit or quarantined file {thing!r}. What never came cannot be disposed of; "
        "`nightshift explain` says what is known.",
    )


def _target_unit(context: Context, thing: str) -> _Target | None:
    unit = overrides_queries.unit_called(context.ledger, thing=thing)
    if unit is None:
        return None
    return _Target(
        unit.unit_key,
        FrameKey(unit.instrument, unit.exposure_id, unit.detector),
        unit.quadrant,
        UnitKey.parse(unit.unit_key).campaign,
        has_file=unit.inbox_name is not None,
        is_science=True,
    )


def _target_frame(context: Context, thing: str, night: date | None) -> _Target | None:
    found = overrides_queries.frame_called(context.ledger, thing=thing, night=night)
    frames = [FrameKey(row.instrument, row.exposure_id, row.detector) for row in found]
    if len(frames) > 1:
        keys = " or ".join(map(str, frames))
        raise BadInput(Reason.INTERNAL_ERROR, f"several cameras have a file of this name: say {keys}")
    if not frames:
        return None
    (frame,), (row,) = frames, found
    is_science = row.image_type is ImageType.SCIENCE
    return _Target(str(frame), frame, None, LIVE, has_file=True, is_science=is_science)


def _reject(context: Context, target: _Target, explanation: str) -> str:
    ledger, frame = context.ledger, target.frame
    if target.quadrant is None:
        overrides_queries.invalidate_frame(ledger, **frame._asdict())
    rejected = overrides_queries.reject_units(
        ledger, **frame._asdict(), quadrant=target.quadrant, campaign=target.campaign, explanation=explanation
    )
    withheld = overrides_queries.withhold_alerts(ledger, unit_keys=[unit.unit_key for unit in rejected])
    exposure_queries.end_exposure(ledger, instrument=frame.instrument, exposure_id=frame.exposure_id)
    said = [f"units rejected: {len(rejected)}"]
    if withheld:
        said.append(f"messages withheld that were not sent yet: {withheld}")
    if used := overrides_queries.made_with(ledger, frame_key=str(frame)):
        first = used[0].unit_key
        said.append(f"made with it before, and staying: {len(used)} masters or references, the first {first}")
    return "; ".join(said) + "."


def _accept(context: Context, target: _Target) -> str:
    ledger, frame = context.ledger, target.frame
    if not target.has_file:
        raise BadInput(Reason.NEVER_ARRIVED, f"{frame} never arrived: there is nothing to reduce. Ask for the file.")
    overrides_queries.validate_frame(ledger, **frame._asdict())
    restored = overrides_queries.restore_units(
        ledger, **frame._asdict(), quadrant=target.quadrant, campaign=target.campaign,
        reducing=[kind.name for kind in kinds() if kind.real_time],
    )  # fmt: skip
    sent = overrides_queries.send_after_all(ledger, unit_keys=[unit.unit_key for unit in restored])
    due = overrides_queries.reopen_units(
        ledger, **frame._asdict(), quadrant=target.quadrant, campaign=target.campaign
    )
    overrides_queries.reopen_exposure(ledger, instrument=frame.instrument, exposure_id=frame.exposure_id)
    if not target.is_science:
        return "It counts as good for the masters that are built from now on."
    if not due and not restored:
        return "Nothing changes now: no unit of it was rejected. It is reduced without the checks from now on."
    said = [f"{len(restored)} units stand again as they were"] if restored else []
    said += [f"{sent} messages that were withheld are sent after all"] if sent else []
    said += [f"{len(due)} units are reduced again, and what the checks say of them is a flag"] if due else []
    return "; ".join(said) + "."


# --- files in quarantine --------------------------------------------------------------------------------------


def _dispose_of_file(context: Context, request: Disposal, operator: str, file: FileInQuarantine) -> tuple[str, str]:
    ledger, arrival_key = context.ledger, file.arrival_key
    if request.verdict is Verdict.REJECT:
        overrides_queries.dispose(ledger, arrival_key=arrival_key, operator=operator, disposed_as="rejected")
        return f"arrival/{arrival_key}", "It stays in quarantine, and nobody needs to look at it again."
    if file.reason in LOOKED_AT_AGAIN:
        return _take_in_again(context, operator, file)
    if file.disposition is not Disposition.QUARANTINED or Reason(file.reason) not in ACCEPTABLE:
        raise BadInput(Reason(file.reason), _why_not(file))
    kept = _kept_file(context, file)
    context = context_of_frame(context, kept)
    frame = examine(kept, context.survey, Known(), overruled=True)
    arrival = register(context, kept, frame, overruled=True)
    if arrival.disposition is not Disposition.REGISTERED:
        raise BadInput(Reason.NAME_CONFLICT, f"{frame.key} is registered already, with another file")
    overrides_queries.dispose(ledger, arrival_key=arrival_key, operator=operator, disposed_as="accepted")
    overrides_queries.reopen_units(ledger, **frame.key._asdict(), quadrant=None, campaign=LIVE)
    return str(frame.key), f"It is registered as {frame.key}; what the checks say of it is a flag."


def _take_in_again(context: Context, operator: str, file: FileInQuarantine) -> tuple[str, str]:
    """Register a good frame that the settings, the ledger or the code of then did not take. Every check holds."""
    kept = _kept_file(context, file)
    context = context_of_frame(context, kept)
    frame = examine_safely(kept, context.survey, Known())
    arrival = register(context, kept, frame)
    if arrival.disposition is not Disposition.REGISTERED:
        raise BadInput(arrival.reason or Reason.NAME_CONFLICT, f"{frame.key} is registered already: {arrival.detail}")
    overrides_queries.dispose(context.ledger, arrival_key=file.arrival_key, operator=operator, disposed_as="accepted")
    return f"arrival/{file.arrival_key}", f"It is registered as {frame.key}, and reduced like any other."


def _why_not(file: FileInQuarantine) -> str:
    allowed = ", ".join(sorted(ACCEPTABLE))
    return (
        f"{file.inbox_name} cannot be accepted: {file.reason} ({file.detail}). Only a whole file that says "
        f"what it is can be reduced; what may be overruled is {allowed}. Ask the mountain to send it again."
    )


def _kept_file(context: Context, file: FileInQuarantine) -> PhysicalFile:
    """Return a quarantined file as it came, by its name in the inbox and its arrival's key."""
    place = context.depot.absolute(file.path)
    try:
        content, status = place.read_bytes(), place.lstat()
    except OSError as error:
        if said := said_of_deleted(context, [place]):
            raise NeedsOperator(Reason.LEFT_BY_RETENTION, said) from error
        raise NeedsOperator(Reason.INPUT_LOST, f"{file.path} is not where the ledger says: {error}") from error
    kept = PhysicalFile(Path(file.inbox_name), status, content, known_key=file.arrival_key)
    if kept.sha256 != file.sha256:
        raise NeedsOperator(Reason.INPUT_LOST, f"{file.path} has changed since it came")
    return kept
