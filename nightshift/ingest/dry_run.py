"""What would become of files, by the settings alone: no ledger is asked and nothing is moved."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from nightshift.errors import BadInput
from nightshift.ingest.arrival import Known, look_at
from nightshift.ingest.examine import RawFrame, examine_safely, largest_bytes
from nightshift.ingest.manifests import is_manifest
from nightshift.ingest.register import Opening, check_id_is_new
from nightshift.ingest.verify import SIDECAR
from nightshift.ingest.whose import survey_of_frame
from nightshift.keys import ExposureKey
from nightshift.nights import night_of
from nightshift.settings import Deployment, Survey
from nightshift.vocabulary import Reason

__all__ = ["Finding", "files_below", "find_out", "goes_beside"]


@dataclass(frozen=True)
class Finding:
    """What one file is.

    Parameters
    ----------
    path : Path
    frame : RawFrame or None
        What it would be registered as; None where it would be quarantined.
    reason : Reason or None
        Why it would be quarantined.
    detail : str
    """

    path: Path
    frame: RawFrame | None = None
    reason: Reason | None = None
    detail: str = ""


def files_below(paths: Iterable[Path]) -> list[Path]:
    """Return the files that are named, and of folders all that lie below them, in order of their names."""
    found = [file for path in paths for file in (sorted(path.rglob("*")) if path.is_dir() else [path])]
    return [path for path in found if not path.is_dir()]


def goes_beside(path: Path, *surveys: Survey) -> bool:
    """Whether a file is named as what comes beside the frames: a manifest or a checksum."""
    return is_manifest(path.name, *surveys) or path.name.endswith(SIDECAR)


def find_out(paths: Iterable[Path], deployment: Deployment) -> Iterator[Finding]:
    """Examine files as the ingest does; manifests and checksums beside files are left out.

    Whether a file came before, and whether it is what the manifest says, only the ledger knows. An id that two of
    these files give to two openings of the shutter is noticed: name the files of two nights to see it.

    Raises
    ------
    OSError
        If a file is not there or cannot be read.
    """
    known: dict[ExposureKey, Opening] = {}
    surveys = deployment.surveys
    most = largest_bytes(*surveys)
    for path in paths:
        if goes_beside(path, *surveys):
            continue
        try:
            file = look_at(path, most)
            survey = survey_of_frame(deployment, file)
            frame = examine_safely(file, survey, Known())
            opening = Opening(night_of(survey.site, frame.header.shutter_open), frame.header.shutter_open)
            check_id_is_new(frame.key.exposure, opening, known.setdefault(frame.key.exposure, opening), survey)
            yield Finding(path, frame)
        except BadInput as error:
            yield Finding(path, None, error.reason, str(error))
