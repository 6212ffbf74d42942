"""Exactly-once registration: from a file of the inbox to a raw frame of the ledger.

The order makes any crash harmless: the bytes are whole in the depot before the ledger knows of them, and leave the
inbox only after both. A file that is found again after a crash is known by its arrival key.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from nightshift.context import Context
from nightshift.errors import BadInput
from nightshift.files import copy_whole, sync_folder, write_and_read_back
from nightshift.ingest.arrival import Arrival, PhysicalFile
from nightshift.ingest.classify import is_reduced
from nightshift.ingest.examine import RawFrame
from nightshift.keys import LIVE, ExposureKey, UnitKey
from nightshift.ledger.months import check_is_here
from nightshift.ledger.queries import ingest as ingest_queries
from nightshift.nights import night_of
from nightshift.observing_calendar.in_force import in_force
from nightshift.pins import pin_night
from nightshift.settings import Survey, camera_file
from nightshift.vocabulary import Disposition, EventLevel, ImageType, Reason, Tier

__all__ = ["SECOND_COPY", "Opening", "check_id_is_new", "register", "second_folder"]

SECOND_COPY = "NIGHTSHIFT_SECOND_COPY"
MOMENT = "%Y-%m-%d %H:%M:%S"
ONE_OPENING = timedelta(seconds=60)  # between the times that the detectors of one exposure write


def register(
    context: Context,
    file: PhysicalFile,
    frame: RawFrame,
    *,
    overruled: bool = False,
    place: Callable[[Path], None] | None = None,
    second: Path | None = None,
) -> Arrival:
    """Place a frame in the depot and register it. Call it inside a transaction that holds the name's lock.

    Parameters
    ----------
    context : Context
    file : PhysicalFile
        With its content, or with its checksum and a `place`.
    frame : RawFrame
    overruled : bool
        Whether a person overruled the checks: the manifest is not asked.
    place : callable, optional
        Puts the file's content, whole, at the path that it is given; by default it is written there and read back.
    second : Path, optional
        Where its content may lie in the second folder already, whole: it moves from there to its place.

    Raises
    ------
    BadInput
        MANIFEST_MISMATCH, where the mountain has already said that it sent something else; EXPOSURE_ID_REPEATS,
        where the id is another exposure's; MONTH_DETACHED, where the month of its night has left the ledger.
    """
    ledger, survey = context.ledger, context.survey
    night = night_of(survey.site, frame.header.shutter_open)
    assert file.sha256 is not None  # it was read
    ingest_queries.lock_name(ledger, file_name=str(frame.key))  # two names may say the same frame
    before = ingest_queries.frame_like(ledger, file_name=file.name, night=night, **frame.key._asdict())
    if before is not None and before.sha256 == file.sha256:
        return Arrival(file.name, Disposition.DUPLICATE, frame=frame.key)
    check_is_here(ledger, survey.site, night)
    if before is None or not before.same_name:
        _check_against_the_ledger(context, frame)
    if before is not None:
        return _conflict(file, frame)
    sent = ingest_queries.manifest_entry(ledger, site=survey.site.name, night=night, file_name=file.name)
    if sent is not None and sent.sha256 != file.sha256 and not overruled:
        raise BadInput(Reason.MANIFEST_MISMATCH, f"the manifest says {sent.sha256}, the file has {file.sha256}")
    target = context.depot.raw(night, frame.key, file.path.name)
    if place is not None:
        place(target)
    else:
        assert file.content is not None  # it was read
        write_and_read_back(target, file.content)
    _put_frame(context, file, frame, target, second, overruled)
    return Arrival(file.name, Disposition.REGISTERED, frame=frame.key, night=night)


@dataclass(frozen=True)
class Opening:
    """One opening of the shutter: the night's date, and the moment (aware)."""

    night: date
    shutter_open: datetime


def _check_against_the_ledger(context: Context, frame: RawFrame) -> None:
    key = frame.key.exposure
    known = ingest_queries.opening(context.ledger, instrument=key.instrument, exposure_id=key.exposure_id)
    if known is not None:
        moment = frame.header.shutter_open
        opening = Opening(night_of(context.survey.site, moment), moment)
        check_id_is_new(key, opening, Opening(known.night, known.shutter_open), context.survey)


def check_id_is_new(key: ExposureKey, opening: Opening, known: Opening, survey: Survey) -> None:
    """Raise `BadInput` EXPOSURE_ID_REPEATS where an id was given to two openings of the shutter.

    Parameters
    ----------
    key : ExposureKey
    opening, known : Opening
        Of the file, and of the exposure that has the id.
    survey : Survey
        Whose settings would mend it.
    """
    if abs(opening.shutter_open - known.shutter_open) <= ONE_OPENING:
        return
    what = "{night}" if opening.night != known.night else "a group of the file's name or {header:KEYWORD}"
    raise BadInput(
        Reason.EXPOSURE_ID_REPEATS,
        f"the id repeats: add {what} to camera.file_names.exposure_id in {camera_file(survey)} (it holds from the "
        f"next night on; `nightshift settings adopt` makes it hold now). {key} opened at "
        f"{known.shutter_open:{MOMENT}} UTC already, this one at {opening.shutter_open:{MOMENT}} UTC",
    )


def _conflict(file: PhysicalFile, frame: RawFrame) -> Arrival:
    return Arrival(
        file.name, Disposition.CONFLICTING, Reason.NAME_CONFLICT, f"{frame.key} is registered with other content",
        frame=frame.key,
    )  # fmt: skip


def second_folder() -> Path | None:
    """Return the folder for a second copy of each raw file, where one is configured."""
    root = os.environ.get(SECOND_COPY)
    return Path(root) if root else None


def _second_copy(context: Context, source: Path, place: str, lies_at: Path | None) -> str | None:
    """Have a raw file in the second folder, where one is configured. Without it the night goes on, with a warning."""
    root = second_folder()
    if root is None:
        return None
    target = root / place
    try:
        if lies_at is not None and lies_at.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            lies_at.replace(target)
            sync_folder(target.parent)
        else:
            copy_whole(source, target)
    except OSError as error:
        context.ledger.event(
            EventLevel.WARNING, "second_copy_failed", f"No second copy: {error}",
            subject=place, night_time=context.clock.now(),
        )  # fmt: skip
        return None
    return str(target)


def _put_frame(
    context: Context, file: PhysicalFile, frame: RawFrame, target: Path, second: Path | None, overruled: bool
) -> None:
    survey, header = context.survey, frame.header
    night = night_of(survey.site, header.shutter_open)
    pin_night(context.ledger, survey, night)
    place = context.depot.relative(target)
    units = _units(frame, survey) if frame.image_type is ImageType.SCIENCE else []
    calendar = in_force(context.ledger, survey, header.shutter_open)
    calendar.say(context.ledger, context.clock, frame.key.detector)
    set_aside = None if overruled else calendar.set_aside(frame.key.detector)
    ingest_queries.put_frame(
        context.ledger, **frame.key._asdict(), site=survey.site.name, night=night,
        ut_day=header.shutter_open.astimezone(UTC).date(), image_type=frame.image_type, field=frame.field,
        filter=frame.filter, exposure_s=header.exposure_s, shutter_open=header.shutter_open, ra_deg=header.ra_deg,
        dec_deg=header.dec_deg, airmass=header.airmass, object=header.object,
        program_id=header.program_id if header.program_id is not None else survey.alerts.program_id,
        sequence=header.sequence, sequence_index=header.sequence_index, sequence_length=header.sequence_length,
        detectors_expected=calendar.detectors, set_aside=set_aside.reason if set_aside else None,
        set_aside_detail=set_aside.detail if set_aside else "",
        reduced=False if set_aside else is_reduced(frame.image_type, survey),
        arrival_key=file.key, inbox_name=file.name, bytes=file.status.st_size, sha256=file.sha256, path=place,
        second_copy=_second_copy(context, target, place, second), header=frame.whole_header, units={"rows": units},
        tier=Tier.PROCESSED, campaign=LIVE,
    )  # fmt: skip


def _units(frame: RawFrame, survey: Survey) -> list[dict[str, Any]]:
    """Return the units of reduction that a science frame brings: one a quadrant."""
    return [
        {"quadrant": quadrant, "unit_key": str(UnitKey(*frame.key, quadrant, Tier.PROCESSED, LIVE))}
        for quadrant in survey.camera.quadrant_ids
    ]
