"""What a file is, by its content alone: no ledger is asked and nothing is changed."""

from dataclasses import dataclass
from typing import Any

from nightshift.errors import BadInput
from nightshift.ingest.arrival import Known, PhysicalFile
from nightshift.ingest.classify import classify, field_of, filter_of
from nightshift.ingest.header import FrameHeader, merged, read_header
from nightshift.ingest.naming import ParsedName, exposure_id, exposure_id_by_name, parse_name
from nightshift.ingest.unexpected import as_bad_input
from nightshift.ingest.verify import check_camera, check_extensions, check_sidecar, check_whole
from nightshift.keys import FrameKey
from nightshift.nights import night_of
from nightshift.settings import Survey
from nightshift.vocabulary import ImageType, Reason

__all__ = ["RawFrame", "examine", "examine_safely", "frame_of", "largest_bytes"]


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
    if not file.regular:
        raise BadInput(Reason.NOT_A_REGULAR_FILE, _what_it_is(file))
    camera = survey.camera
    name = parse_name(file.path.name, camera)
    known.instrument, known.detector = camera.instrument, name.detector
    known.exposure_id = exposure_id_by_name(name, camera)
    if file.content is None:
        raise BadInput(
            Reason.TOO_LARGE, f"{file.status.st_size} bytes, where {camera.file_names.largest_mb} MB may be"
        )
    assert file.sha256 is not None  # it was read
    if not overruled:
        check_sidecar(file.path, file.sha256)
    extensions = check_whole(file.content, camera, checksums=not overruled)
    whole = merged(tuple(extension.header for extension in extensions))
    frame = frame_of(name, whole, survey, known, overruled=overruled)
    if frame.image_type is not ImageType.ENGINEERING:  # focus frames read out a part of the detector
        check_extensions(extensions, camera)
    return frame


def examine_safely(file: PhysicalFile, survey: Survey, known: Known) -> RawFrame:
    """Return what a file is, as `examine`; one over which it stumbles is `UnexpectedError`."""
    with as_bad_input():
        return examine(file, survey, known)


def frame_of(
    name: ParsedName, whole_header: dict[str, Any], survey: Survey, known: Known, *, overruled: bool = False
) -> RawFrame:
    """Return what a whole file is by its name and header alone, or raise `BadInput`; see `examine`."""
    camera = survey.camera
    known.instrument, known.detector = camera.instrument, name.detector
    known.exposure_id = exposure_id_by_name(name, camera)
    if not overruled:
        check_camera(whole_header, camera)
    image_type = classify(whole_header, name, camera)
    header = read_header(whole_header, camera.header, image_type, lenient=overruled)
    known.night = night_of(survey.site, header.shutter_open)
    known.exposure_id = exposure_id(name, camera, known.night, whole_header)
    key = FrameKey(camera.instrument, known.exposure_id, _detector(name, header, survey))
    known.detector = key.detector
    filter_name = filter_of(header, name, image_type, survey)
    field = field_of(header, name, survey) if image_type is ImageType.SCIENCE else None
    return RawFrame(key, image_type, filter_name, field, header, whole_header)


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


def largest_bytes(*surveys: Survey) -> int:
    """Return how large a file of some cameras may be; a larger one is not read."""
    return int(max(survey.camera.file_names.largest_mb for survey in surveys) * 1e6)
