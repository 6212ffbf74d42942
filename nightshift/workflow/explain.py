"""The whole story of one frame, as the ledger has it: when it came, what was done, with what, and why it ended so."""

import re
from collections.abc import Iterator
from datetime import date
from typing import Any

from nightshift.context import Context
from nightshift.ingest.naming import file_of_night, shown
from nightshift.keys import FrameKey
from nightshift.vocabulary import Reason

__all__ = ["explain"]

_FRAME = re.compile(r"([^/]+/[^/]+)/d\d+")


def explain(context: Context, thing: str) -> list[str]:
    """Return the story of a file, an exposure or a unit, one line a step.

    Parameters
    ----------
    thing : str
        A file's name, also one that is only on a manifest (``YYYYMMDD/name`` where it was used in several nights and
        one of them is meant); an exposure's id (with or without its instrument); a
        frame's, a unit's or an arrival's key.

    Returns
    -------
    list of str
        Empty where the ledger knows nothing of it.
    """
    night, thing = file_of_night(shown(thing))
    frame = _FRAME.fullmatch(thing)
    exposures = context.ledger.rows("explain", "exposures_like", thing=frame[1] if frame else thing, night=night)
    arrivals = _arrivals_of(context, thing, night, exposures)
    lines = [*_manifests(context, thing, night, arrivals), *map(_arrival, arrivals)]
    for exposure in exposures:
        lines += _exposure(context, exposure, thing)
    if not exposures:
        lines += _overrides(context, [thing, *(f"arrival/{row['arrival_key']}" for row in arrivals)])
        lines += _events(context, [thing])
    return lines


def _arrivals_of(
    context: Context, thing: str, night: date | None, exposures: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    things = {thing, *(exposure["exposure_id"] for exposure in exposures)}
    rows = [
        row for name in things for row in context.ledger.rows("explain", "arrivals_like", thing=name, night=night)
    ]
    known = {row["arrival_key"]: row for row in rows}
    return sorted(known.values(), key=lambda row: (row["arrived_at"], row["arrival_key"]))


def _manifests(context: Context, thing: str, night: date | None, arrivals: list[dict[str, Any]]) -> Iterator[str]:
    """Tell what the mountain says that it sent under these names."""
    for name in sorted({thing, *(row["inbox_name"] for row in arrivals)}):
        for row in context.ledger.rows("explain", "on_manifests", thing=name, night=night):
            never = "" if row["arrived"] else "; it never arrived"
            yield (
                f"{_time(row['received_at'])} the manifest of {row['site']}, {row['night']}, lists {name}: "
                f"{row['bytes']} bytes, sha256 {row['sha256'][:12]}{never}"
            )


def _arrival(row: dict[str, Any]) -> str:
    why = f": {row['reason']}, {row['detail']}" if row["reason"] else ""
    content = f", sha256 {row['sha256'][:12]}" if row["sha256"] else ""
    kept = f"; kept as {row['kept_path']}" if row["kept_path"] else ""
    disposed = (
        f"; {row['disposed_as']} by {row['disposed_by']} at {_time(row['disposed_at'])}" if row["disposed_at"] else ""
    )
    came = f"{_time(row['arrived_at'])} {row['inbox_name']} arrived ({row['bytes']} bytes{content})"
    return f"{came}, {row['disposition']}{why}{kept}{disposed}"


def _exposure(context: Context, exposure: dict[str, Any], thing: str) -> Iterator[str]:
    key = {"instrument": exposure["instrument"], "exposure_id": exposure["exposure_id"]}
    name = f"{key['instrument']}/{key['exposure_id']}"
    whole = "" if thing in (key["exposure_id"], name) or _FRAME.fullmatch(thing) else thing
    subjects = [name]
    yield (
        f"exposure {name}: {exposure['image_type']} of night {exposure['night']}, opened "
        f"{_time(exposure['shutter_open'])} for {exposure['exposure_s']:g} s, filter {exposure['filter'] or 'none'}, "
        f"field {exposure['field'] or 'none'}; {exposure['state']}{_by_run(exposure['run_id'])}"
    )
    if folder := context.ledger.value("months", "detached_folder", night=exposure["night"]):
        yield (
            f"  the month of this night has left the ledger, with its units, products and alerts: `nightshift ledger "
            f"attach {exposure['night']:%Y-%m} --folder {folder} --operator <you>` brings it back"
        )
    notes = {row["detector"]: row for row in context.ledger.rows("explain", "frame_notes", **key)}
    frames = context.ledger.rows("explain", "frames_like", thing="" if "/" in whole else whole, **key)
    for row in frames:
        subjects.append(str(FrameKey(**key, detector=row["detector"])))
        bad = f"; not valid: {row['invalid_reason']}" if row["invalid_reason"] else ""
        yield (
            f"  frame of detector {row['detector']}: {row['path']}, sha256 {row['sha256'][:12]}{bad}"
            f"{_notes(notes[row['detector']])}"
        )
    for row in context.ledger.rows("explain", "uses_in_masters", **key):
        verdict = "accepted" if row["accepted"] else f"left out: {row['reason']}"
        yield f"  detector {row['detector']} in master {row['calibration_key']}: {verdict}"
    for row in context.ledger.rows("explain", "units_like", thing=whole, **key):
        subjects.append(row["unit_key"])
        yield from _unit(context, row)
    yield from _overrides(context, subjects)
    yield from _events(context, subjects)


def _notes(row: dict[str, Any]) -> str:
    late = f"; {Reason.CAME_LATE}: its night had closed" if row["late"] else ""
    return late + (f"; {Reason.NOT_ON_MANIFEST}" if row["unlisted"] else "")


def _overrides(context: Context, subjects: list[str]) -> Iterator[str]:
    for row in context.ledger.rows("overrides", "overrides_about", subjects=subjects):
        yield (
            f"  {_time(row['made_at'])} {row['operator']} said {row['verdict']} of {row['subject']}: "
            f"{row['explanation']}"
        )


def _unit(context: Context, unit: dict[str, Any]) -> Iterator[str]:
    key = unit["unit_key"]
    yield f"  unit {key}: {unit['state']}{_why(unit)}{_flags(unit['flags'])}"
    for row in context.ledger.rows("explain", "attempts_of_unit", unit_key=key):
        memory = f", {row['peak_memory_mb']:.0f} MB" if row["peak_memory_mb"] else ""
        where = f" on {row['host']}" if row["host"] else ""
        yield (
            f"    {_time(row['created_at'])} attempt {row['attempt']} of {row['job_key']}{where}: "
            f"{row['state']}{_why(row)}{memory}"
        )
    for row in context.ledger.rows("explain", "products_of_unit", unit_key=key):
        yield f"    {_time(row['made_at'])} {row['kind']}: {row['path']}, code {row['code_version']}"
        for made_from in row["inputs"]:
            yield f"      from {made_from}"
    for row in context.ledger.rows("explain", "difference_of_unit", unit_key=key):
        found = _count(row["candidates"], "candidate")
        yield f"    difference with {row['reference_key']}: {row['state']}{_why(row)}, {found}"
    for row in context.ledger.rows("explain", "alerts_of_unit", unit_key=key):
        why = f": {row['reason']}" if row["reason"] else ""
        yield f"    {_count(row['alerts'], 'alert')} {row['state']}{why}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _events(context: Context, subjects: list[str]) -> Iterator[str]:
    for row in context.ledger.rows("explain", "events_about", subjects=subjects):
        yield f"  {_time(row['at'])} {row['level']}: {row['message']}"


def _why(row: dict[str, Any]) -> str:
    said = ", ".join(part for part in (row["reason"], row["detail"]) if part)
    return f" ({said})" if said else ""


def _flags(flags: list[str]) -> str:
    return f", flagged {', '.join(flags)}" if flags else ""


def _by_run(run_id: str | None) -> str:
    return f" by {run_id}" if run_id else ""


def _time(moment: Any) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}"
