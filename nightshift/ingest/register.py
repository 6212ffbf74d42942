"""Exactly-once registration: from a file of the inbox to a raw frame of the ledger.

The order makes any crash harmless: the bytes are whole in the depot before the ledger knows of them, and leave the
inbox only after both. A file that is found again after a crash is known by its arrival key.
"""

import errno
import os
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path
from typing import Any

from nightshift.context import Context
from nightshift.errors import BadInput
from nightshift.files import copy_whole, new_file
from nightshift.ingest.arrival import Arrival, Known, PhysicalFile
from nightshift.ingest.classify import classify, field_of, filter_of, is_reduced
from nightshift.ingest.header import FrameHeader, merged, read_header
from nightshift.ingest.naming import ParsedName, parse_name
from nightshift.ingest.verify import check_camera, check_extensions, check_sidecar, check_whole
from nightshift.keys import FrameKey, UnitKey
from nightshift.nights import night_bounds, night_of
from nightshift.settings import Survey
from nightshift.vocabulary import Disposition, EventLevel, ImageType, Reason

__all__ = ["SECOND_COPY", "RawFrame", "examine", "register"]

SECOND_COPY = "NIGHTSHIFT_SECOND_COPY"


@dataclass(frozen=True)
class RawFrame:
    """A file that was found to be one of the camera's frames."""

    key: FrameKey
    image_type: ImageType
    filter: str
    field: int | None
    header: FrameHeader
    whole_header: dict[str, Any]


def examine(file: PhysicalFile, survey: Survey, known: Known, *, overruled: bool = False) -> RawFrame:
    """Return what a file is, or raise `BadInput` with the reason why it is none of ours.

    Parameters
    ----------
    file : PhysicalFile
    survey : Survey
    known : Known
        Filled as the looking goes on, so that a quarantined file is counted to its night.
    overruled : bool
        A person vouches for it: checksums, the camera's name and an impossible pointing do not count.
    """
    camera = survey.camera
    if not file.regular:
        raise BadInput(Reason.NOT_A_REGULAR_FILE, _what_it_is(file))
    name = parse_name(file.path.name, camera)
    known.instrument, known.exposure_id, known.detector = camera.instrument, name.exposure_id, name.detector
    if file.content is None:
        raise BadInput(
            Reason.TOO_LARGE, f"{file.status.st_size} bytes, where {camera.file_names.largest_mb} MB may be"
        )
    assert file.sha256 is not None  # it was read
    if not overruled:
        check_sidecar(file.path, file.sha256)
    extensions = check_whole(file.content, camera, checksums=not overruled)
    whole = merged(tuple(extension.header for extension in extensions))
    if not overruled:
        check_camera(whole, camera)
    image_type = classify(whole, name, camera)
    header = read_header(whole, camera.header, image_type, lenient=overruled)
    known.night = night_of(survey.site, header.shutter_open)
    key = FrameKey(camera.instrument, name.exposure_id, _detector(name, header, survey))
    known.detector = key.detector
    check_extensions(extensions, camera)
    science = image_type is ImageType.SCIENCE
    filter_name = filter_of(header, name, image_type, survey)
    field = field_of(header, name, survey) if science else None
    return RawFrame(key, image_type, filter_name, field, header, whole)


def _what_it_is(file: PhysicalFile) -> str:
    if file.path.is_symlink():
        return f"a link to {str(file.path.readlink())!r}"
    return "a folder" if file.path.is_dir() else "a special file"


def _detector(name: ParsedName, header: FrameHeader, survey: Survey) -> int:
    ids = survey.camera.detector_ids
    said = [number for number in (name.detector, header.detector) if number is not None]
    if len(set(said)) > 1:
        raise BadInput(Reason.HEADER_IMPOSSIBLE, f"the name says detector {said[0]}, the header {said[1]}")
    if not said and len(ids) > 1:
        raise BadInput(Reason.HEADER_INCOMPLETE, "neither name nor header says which detector it is")
    detector = said[0] if said else ids[0]
    if detector not in ids:
        raise BadInput(Reason.WRONG_CAMERA, f"the camera has no detector {detector} in service")
    return detector


def register(context: Context, file: PhysicalFile, frame: RawFrame, *, overruled: bool = False) -> Arrival:
    """Place a frame in the depot and register it. Call it inside a transaction that holds the name's lock.

    Where a person `overruled` the checks, the manifest is not asked.

    Raises
    ------
    BadInput
        MANIFEST_MISMATCH, where the mountain has already said that it sent something else.
    """
    ledger, survey = context.ledger, context.survey
    night = night_of(survey.site, frame.header.shutter_open)
    assert file.sha256 is not None and file.content is not None
    ledger.rows("ingest", "lock_name", file_name=str(frame.key))  # two names may say the same frame
    before = ledger.row("ingest", "frame_like", file_name=file.name, **frame.key._asdict())
    if before is not None:
        return _seen_before(file, frame, before["sha256"] == file.sha256)
    sent = ledger.row("ingest", "manifest_entry", site=survey.site.name, night=night, file_name=file.name)
    if sent is not None and sent["sha256"] != file.sha256 and not overruled:
        raise BadInput(Reason.MANIFEST_MISMATCH, f"the manifest says {sent['sha256']}, the file has {file.sha256}")
    target = context.depot.raw(night, frame.key, file.path.name)
    _place(file, target)
    _put_frame(context, file, frame, target)
    return Arrival(file.name, Disposition.REGISTERED, frame=frame.key, night=night)


def _seen_before(file: PhysicalFile, frame: RawFrame, same: bool) -> Arrival:
    if same:
        return Arrival(file.name, Disposition.DUPLICATE, frame=frame.key)
    return Arrival(
        file.name, Disposition.CONFLICTING, Reason.NAME_CONFLICT, f"{frame.key} is registered with other content",
        frame=frame.key,
    )  # fmt: skip


def _place(file: PhysicalFile, target: Path) -> None:
    """Write a file's content into the depot whole, and read it back."""
    assert file.content is not None  # it was read
    with new_file(target) as stream:
        stream.write(file.content)
    if target.read_bytes() != file.content:
        raise OSError(errno.EIO, f"{target} does not read back as it was written")


def _second_copy(context: Context, source: Path, place: str) -> str | None:
    """Copy a raw file to the second folder, where one is configured. Without it the night goes on, with a warning."""
    root = os.environ.get(SECOND_COPY)
    if not root:
        return None
    target = Path(root) / place
    try:
        copy_whole(source, target)
    except OSError as error:
        context.ledger.event(
            EventLevel.WARNING, "second_copy_failed", f"No second copy: {error}",
            subject=place, night_time=context.clock.now(),
        )  # fmt: skip
        return None
    return str(target)


def _put_frame(context: Context, file: PhysicalFile, frame: RawFrame, target: Path) -> None:
    survey, header = context.survey, frame.header
    night = night_of(survey.site, header.shutter_open)
    begins, ends = night_bounds(survey.site, night)
    place = context.depot.relative(target)
    units = _units(frame, survey) if frame.image_type is ImageType.SCIENCE else []
    context.ledger.run(
        "ingest", "put_frame",
        **frame.key._asdict(), site=survey.site.name, night=night, begins=begins, ends=ends,
        ut_day=header.shutter_open.astimezone(UTC).date(), image_type=frame.image_type, field=frame.field,
        filter=frame.filter, exposure_s=header.exposure_s, shutter_open=header.shutter_open, ra_deg=header.ra_deg,
        dec_deg=header.dec_deg, airmass=header.airmass, object=header.object,
        program_id=header.program_id if header.program_id is not None else survey.alerts.program_id,
        sequence=header.sequence, sequence_index=header.sequence_index, sequence_length=header.sequence_length,
        detectors_expected=list(survey.camera.detector_ids), reduced=is_reduced(frame.image_type, survey),
        arrival_key=file.key, inbox_name=file.name, bytes=file.status.st_size, sha256=file.sha256, path=place,
        second_copy=_second_copy(context, target, place), header=frame.whole_header, units={"rows": units},
    )  # fmt: skip


def _units(frame: RawFrame, survey: Survey) -> list[dict[str, Any]]:
    """Return the units of reduction that a science frame brings: one a quadrant."""
    return [
        {"quadrant": quadrant, "unit_key": str(UnitKey(*frame.key, quadrant))}
        for quadrant in survey.camera.quadrant_ids
    ]
