"""Which instrument's a file is, and which site sent it: by its name, and where that fits several by its header."""

import json
import re
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from nightshift.context import Context
from nightshift.errors import BadInput
from nightshift.ingest.arrival import PhysicalFile
from nightshift.ingest.header import merged
from nightshift.ingest.naming import check_name
from nightshift.ingest.structure import unpacked, walk
from nightshift.ingest.verify import check_camera
from nightshift.settings import Deployment, Survey
from nightshift.vocabulary import Reason

__all__ = ["context_of_frame", "context_of_manifest", "context_of_stranger", "survey_of_frame", "waits_for_settings"]

DAY_S = 86400.0


def waits_for_settings(deployment: Deployment, file: PhysicalFile, *, manifest: bool) -> bool:
    """Whether a file may be of an instrument whose settings are not to be had until the survey's files load again.

    What is surely of an instrument or a site that has its settings does not wait. A name alone does not make it
    sure: another instrument's may be alike.
    """
    if not deployment.without_settings:
        return False
    if manifest:
        return _site_said(file) not in (None, *(site.name for site in deployment.sites))
    fitting = _fitting(deployment, file)
    try:
        header = _header(file, fitting) if fitting else {}
    except BadInput:
        return True
    return sum(not survey.camera.header.camera or _is_named(header, survey) for survey in fitting) != 1


def context_of_frame(context: Context, file: PhysicalFile) -> Context:
    """Return the context of the instrument whose frame a file is; errors as of `survey_of_frame`."""
    return context.of_instrument(survey_of_frame(context.deployment, file).camera.instrument)


def survey_of_frame(deployment: Deployment, file: PhysicalFile) -> Survey:
    """Return the settings of the instrument whose frame a file is.

    Its name decides; where the names of several cameras are alike, the header's camera keyword.

    Raises
    ------
    BadInput
        NAME_UNSAFE, NAME_NOT_RECOGNISED, or WRONG_CAMERA where the header names none or several of those that the
        name fits. Never where the survey has one instrument: then the checks of the frame say what is wrong.
    """
    surveys = deployment.surveys
    if len(surveys) == 1:
        return surveys[0]
    check_name(file.path.name)
    fitting = _fitting(deployment, file)
    if not fitting:
        patterns = "; ".join(f"{s.camera.instrument}: {s.camera.file_names.pattern}" for s in surveys)
        raise BadInput(Reason.NAME_NOT_RECOGNISED, f"the cameras' patterns are {patterns}"[:1000])
    if len(fitting) > 1:
        fitting = _told_apart(file, fitting)
    return fitting[0]


def _fitting(deployment: Deployment, file: PhysicalFile) -> list[Survey]:
    """Return the settings of the instruments in scope whose files are named like this one."""
    name = file.path.name
    return [survey for survey in deployment.surveys if re.fullmatch(survey.camera.file_names.pattern, name)]


def _header(file: PhysicalFile, fitting: list[Survey]) -> dict[str, Any]:
    """Return all header values of a file that may be of several instruments; BadInput where it does not read."""
    if file.content is None:
        raise BadInput(
            Reason.WRONG_CAMERA, f"its name fits {_names(fitting)}, and it cannot be read to tell them apart"
        )
    largest = int(max(survey.camera.file_names.largest_mb for survey in fitting) * 1e6)
    return merged(tuple(extension.header for extension in walk(unpacked(file.content, largest))))


def _names(surveys: list[Survey]) -> str:
    return ", ".join(survey.camera.instrument for survey in surveys)


def _told_apart(file: PhysicalFile, fitting: list[Survey]) -> list[Survey]:
    """Return the one camera of several that a file's header names."""
    header = _header(file, fitting)
    named = [survey for survey in fitting if _is_named(header, survey)]
    if len(named) != 1:
        told = "several of them" if named else "none of them"
        raise BadInput(
            Reason.WRONG_CAMERA, f"its name fits {_names(fitting)}, and the header's camera keyword {told}"
        )
    return named


def _is_named(header: dict[str, Any], survey: Survey) -> bool:
    """Whether a header has the camera keyword, and it names this camera."""
    if not any(header.get(keyword) is not None for keyword in survey.camera.header.camera):
        return False
    try:
        check_camera(header, survey.camera)
    except BadInput:
        return False
    return True


def context_of_manifest(context: Context, file: PhysicalFile) -> Context:
    """Return the context of the site whose manifest a file is, as its content says.

    Raises
    ------
    BadInput
        MANIFEST_INVALID, where it names none of several sites, or has the name of a frame too.
    """
    if cameras := _fitting(context.deployment, file):
        raise BadInput(
            Reason.MANIFEST_INVALID,
            f"its name fits night.manifest_pattern and is a frame's of {_names(cameras)} too (file_names.pattern): "
            "let the one or the other differ",
        )
    if len(context.deployment.sites) == 1:
        return context
    names = [site.name for site in context.deployment.sites]
    try:
        table = json.loads(file.content or b"")
    except (ValueError, RecursionError) as error:
        raise BadInput(Reason.MANIFEST_INVALID, f"it is not JSON: {error}"[:1000]) from error
    said = _site_of(table)
    if said not in names:
        raise BadInput(Reason.MANIFEST_INVALID, f"site: it is of {said!r:.100}, of none of {', '.join(names)}")
    return context.of_site(said)


def _site_said(file: PhysicalFile) -> str | None:
    """Return the site that a manifest says it is of; None where it says none."""
    try:
        return _site_of(json.loads(file.content or b""))
    except (ValueError, RecursionError):
        return None


def _site_of(table: Any) -> str | None:
    said = table.get("site") if isinstance(table, dict) else None
    return said if isinstance(said, str) else None


def context_of_stranger(context: Context) -> Context:
    """Return the context of the site to which a file is counted that no camera knows: where it is deepest night."""

    def from_midnight_s(zone: str, now: datetime) -> float:
        local = now.astimezone(ZoneInfo(zone))
        since = local.hour * 3600 + local.minute * 60 + local.second
        return min(since, DAY_S - since)

    now = context.clock.now()
    site = min(context.deployment.sites, key=lambda site: from_midnight_s(site.time_zone, now))
    return context.of_site(site.name)
