"""The mountain's manifest: what was sent, with its checksums, in one part or several."""

import json
import re
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema

from nightshift.context import Context
from nightshift.errors import BadInput
from nightshift.files import write_whole
from nightshift.ingest.arrival import Arrival, Known, PhysicalFile
from nightshift.ingest.header import FIRST_YEAR, LAST_YEAR
from nightshift.ingest.naming import shown
from nightshift.keys import FrameKey
from nightshift.ledger.months import check_is_here
from nightshift.ledger.queries import ingest as ingest_queries
from nightshift.ledger.queries.ingest import MismatchedFrame
from nightshift.pins import pin_night
from nightshift.settings import Survey
from nightshift.vocabulary import Disposition, EventLevel, Reason

__all__ = ["MANIFEST_SCHEMA", "is_manifest", "read_manifest", "register_manifest"]

MANIFEST_SCHEMA = "nightshift.manifest/1"
_SCHEMA = Path(__file__).parents[1] / "vocabulary" / "schemas" / "manifest-1.json"


@cache
def _validator() -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(json.loads(_SCHEMA.read_text()))


def is_manifest(name: str, *surveys: Survey) -> bool:
    """Whether a file of this name is a manifest, of any of some instruments' sites."""
    return any(re.fullmatch(survey.night.manifest_pattern, name) for survey in surveys)


def read_manifest(content: bytes, name: str, survey: Survey) -> dict[str, Any]:
    """Return a manifest's table, checked, with its defaults filled in and its night as a date.

    Names are written as the ledger holds those of arrivals, so that one is compared with the other.

    Raises
    ------
    BadInput
        MANIFEST_INVALID, with what is wrong where.
    """
    try:
        table = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise _invalid(f"it is not JSON: {error}") from error
    fault = next(_validator().iter_errors(table), None)
    if fault is not None:
        place = "/".join(str(part) for part in fault.absolute_path) or "the manifest"
        raise _invalid(f"{place}: {fault.message}")
    try:
        night = date.fromisoformat(table["night"])
    except ValueError as wrong:
        raise _invalid(f"night: {wrong}") from wrong
    if not FIRST_YEAR <= night.year <= LAST_YEAR:
        raise _invalid(f"night: {night}: the year must be {FIRST_YEAR} to {LAST_YEAR}")
    if table["site"] != survey.site.name:
        raise _invalid(f"site: it is of {table['site']!r}, not of {survey.site.name!r}")
    if _night_of_name(name, survey) not in (None, f"{night:%Y%m%d}"):
        raise _invalid(f"night: the name says {_night_of_name(name, survey)}, the content {night:%Y%m%d}")
    files = [{**entry, "name": shown(entry["name"])} for entry in table["files"]]
    if len({entry["name"] for entry in files}) != len(files):
        raise _invalid("files: a name is listed twice")
    whole = {"part": 1, "parts": 1, "synthetic": False, **table, "night": night, "files": files}
    if whole["part"] > whole["parts"]:
        raise _invalid(f"part: {whole['part']} of {whole['parts']}")
    return whole


def _invalid(what: str) -> BadInput:
    return BadInput(Reason.MANIFEST_INVALID, what[:1000])


def _night_of_name(name: str, survey: Survey) -> str | None:
    match = re.fullmatch(survey.night.manifest_pattern, name)
    return match.groupdict().get("night") if match else None


def register_manifest(context: Context, file: PhysicalFile, known: Known) -> Arrival:
    """Take in a manifest: its entries, and what they say of frames that are here. Call it inside a transaction.

    A part that comes again with other content is a correction and replaces what it said before.
    """
    ledger, survey = context.ledger, context.deployment.surveys[0]  # what is read of it is the same for the site
    if not file.regular or file.content is None or file.sha256 is None:
        raise BadInput(Reason.NOT_A_REGULAR_FILE, "a manifest is a file of reasonable size")
    table = read_manifest(file.content, file.path.name, survey)
    known.night = night = table["night"]
    site, part = survey.site.name, table["part"]
    before = ingest_queries.manifest(ledger, site=site, night=night, part=part)
    target = context.depot.manifest(night, file.sha256)
    if before is not None and before.sha256 == file.sha256:
        return Arrival(file.name, Disposition.DUPLICATE, night=night)
    check_is_here(ledger, survey.site, night)
    write_whole(target, file.content)
    pin_night(ledger, survey, night)
    ingest_queries.put_manifest(
        ledger, site=site, night=night, part=part, parts=table["parts"], sha256=file.sha256,
        path=context.depot.relative(target), synthetic=table["synthetic"],
    )  # fmt: skip
    ingest_queries.delete_entries(ledger, site=site, night=night, part=part)
    ingest_queries.put_entries(ledger, site=site, night=night, part=part, entries={"rows": table["files"]})
    ingest_queries.put_arrival(
        ledger, arrival_key=file.key, inbox_name=file.name, bytes=file.status.st_size, sha256=file.sha256,
        disposition=Disposition.REGISTERED, reason=None, detail="", site=site, night=night,
        instrument=None, exposure_id=None, detector=None, kept_path=context.depot.relative(target),
        night_by_clock=False,
    )  # fmt: skip
    ledger.event(
        EventLevel.INFO, "manifest_corrected" if before else "manifest_received",
        f"Part {part} of {table['parts']} of the manifest lists {len(table['files'])} files.",
        subject=f"{site}/{night:%Y%m%d}", night_time=context.clock.now(),
    )  # fmt: skip
    for frame in ingest_queries.mark_mismatches(ledger, site=site, night=night, part=part):
        _say_mismatch(context, frame)
    return Arrival(file.name, Disposition.REGISTERED, night=night)


def _say_mismatch(context: Context, frame: MismatchedFrame) -> None:
    context.ledger.event(
        EventLevel.ERROR, "manifest_mismatch",
        f"{frame.inbox_name} is not what the manifest says was sent: what was made from it is not valid.",
        subject=FrameKey(frame.instrument, frame.exposure_id, frame.detector),
        night_time=context.clock.now(), reason=Reason.MANIFEST_MISMATCH,
    )  # fmt: skip
