"""Read one file of the inbox, check it, and copy it: all that costs processor time and bandwidth.

No inputs: what a file holds is not known before. Parameters: ``path``, ``key`` and ``bytes`` of the file that was
planned. A sound file leaves its copy in the attempt's folder, read back, and in the metrics ``sha256``, ``bytes`` and
the ``header`` by which it is registered. A bad one leaves its reason. In either case, as far as the
looking went: ``night``, ``instrument``, ``exposure_id``, ``detector``. Of an error that nobody foresaw also its
``traceback``.
"""

from pathlib import Path
from typing import Any

from nightshift.errors import BadInput, Retry
from nightshift.files import write_and_read_back
from nightshift.ingest.arrival import Known, PhysicalFile, look_at
from nightshift.ingest.examine import examine_safely, largest_bytes
from nightshift.ingest.naming import shown
from nightshift.ingest.unexpected import UnexpectedError
from nightshift.jobs.contract import UnitResult, UnitWork
from nightshift.jobs.products import Stopwatch
from nightshift.settings import Survey
from nightshift.vocabulary import AttemptState, Reason

__all__ = ["COPY", "run"]

COPY = "copy"


def run(work: UnitWork, survey: Survey, folder: Path) -> UnitResult:
    """Run one unit; see `nightshift.jobs.run`.

    Raises
    ------
    nightshift.errors.Retry
        INPUT_LOST, where the planned file is gone, has changed, or may not be read on this node.
    """
    watch, known = Stopwatch(), Known()
    with watch("read"):
        file = _planned_file(work, survey)
    facts: dict[str, Any] = {"sha256": file.sha256, "bytes": file.status.st_size}
    try:
        with watch("check"):
            frame = examine_safely(file, survey, known)
    except BadInput as error:
        _check_unchanged(file)
        return UnitResult(
            work.unit_key, work.token, AttemptState.REJECTED, reason=error.reason, detail=shown(str(error)),
            metrics=facts | _plain(known) | _trace(error), seconds=watch.seconds,
        )  # fmt: skip
    assert file.content is not None  # it is one of the camera's frames
    with watch("copy"):
        write_and_read_back(folder / COPY, file.content)
    _check_unchanged(file)
    return UnitResult(
        work.unit_key, work.token, AttemptState.SUCCEEDED,
        metrics=facts | _plain(known) | {"header": frame.whole_header}, seconds=watch.seconds,
    )  # fmt: skip


def _planned_file(work: UnitWork, survey: Survey) -> PhysicalFile:
    path = Path(work.parameters["path"])
    try:
        file = look_at(path, largest_bytes(survey))
    except FileNotFoundError as error:
        raise Retry(Reason.INPUT_LOST, f"{shown(path.name)} is not in the inbox any more") from error
    if file.refused:
        raise Retry(Reason.INPUT_LOST, f"{file.name}: {file.refused}")
    if (file.key, file.status.st_size) != (work.parameters["key"], work.parameters["bytes"]):
        raise Retry(Reason.INPUT_LOST, f"{file.name} is another file than the one that was planned")
    return file


def _check_unchanged(file: PhysicalFile) -> None:
    if not file.unchanged():
        raise Retry(Reason.INPUT_LOST, f"{file.name} was changed while it was read")


def _trace(error: BadInput) -> dict[str, str]:
    return {"traceback": error.trace} if isinstance(error, UnexpectedError) else {}


def _plain(known: Known) -> dict[str, Any]:
    return {
        "night": known.night.isoformat() if known.night else None,
        "instrument": known.instrument,
        "exposure_id": known.exposure_id,
        "detector": known.detector,
    }
