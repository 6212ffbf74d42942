"""The whole story of one frame, as the ledger has it: when it came, what was done, with what, and why it ended so."""

from collections.abc import Iterator
from typing import Any

from nightshift.keys import FrameKey
from nightshift.workplace import Workplace

__all__ = ["explain"]


def explain(workplace: Workplace, thing: str) -> list[str]:
    """Return the story of a file, an exposure or a unit, one line a step.

    Parameters
    ----------
    thing : str
        A file's name, an exposure's id (with or without its instrument) or a unit's key.

    Returns
    -------
    list of str
        Empty where the ledger knows nothing of it.
    """
    exposures = workplace.ledger.rows("workflow", "exposures_like", thing=thing)
    lines = list(_arrivals(workplace, thing, exposures))
    for exposure in exposures:
        lines += _exposure(workplace, exposure, thing)
    if not exposures:
        lines += _events(workplace, [thing])
    return lines


def _arrivals(workplace: Workplace, thing: str, exposures: list[dict[str, Any]]) -> Iterator[str]:
    things = {thing, *(exposure["exposure_id"] for exposure in exposures)}
    for name in sorted(things):
        for row in workplace.ledger.rows("workflow", "arrivals_like", thing=name):
            why = f": {row['reason']}, {row['detail']}" if row["reason"] else ""
            kept = f"; kept as {row['kept_path']}" if row["kept_path"] else ""
            came = f"{_time(row['arrived_at'])} {row['inbox_name']} arrived ({row['bytes']} bytes)"
            yield f"{came}, {row['disposition']}{why}{kept}"


def _exposure(workplace: Workplace, exposure: dict[str, Any], thing: str) -> Iterator[str]:
    key = {"instrument": exposure["instrument"], "exposure_id": exposure["exposure_id"]}
    name = f"{key['instrument']}/{key['exposure_id']}"
    whole = "" if thing in (key["exposure_id"], name) else thing
    subjects = [name]
    yield (
        f"exposure {name}: {exposure['image_type']} of night {exposure['night']}, opened "
        f"{_time(exposure['shutter_open'])} for {exposure['exposure_s']:g} s, filter {exposure['filter'] or 'none'}, "
        f"field {exposure['field'] or 'none'}; {exposure['state']}{_by_run(exposure['run_id'])}"
    )
    frames = workplace.ledger.rows("workflow", "frames_like", thing="" if "/" in whole else whole, **key)
    for row in frames:
        subjects.append(str(FrameKey(**key, detector=row["detector"])))
        bad = f"; not valid: {row['invalid_reason']}" if row["invalid_reason"] else ""
        yield f"  frame of detector {row['detector']}: {row['path']}, sha256 {row['sha256'][:12]}{bad}"
    for row in workplace.ledger.rows("workflow", "uses_in_masters", **key):
        verdict = "accepted" if row["accepted"] else f"left out: {row['reason']}"
        yield f"  detector {row['detector']} in master {row['calibration_key']}: {verdict}"
    for row in workplace.ledger.rows("workflow", "units_like", thing=whole, **key):
        subjects.append(row["unit_key"])
        yield from _unit(workplace, row)
    yield from _events(workplace, subjects)


def _unit(workplace: Workplace, unit: dict[str, Any]) -> Iterator[str]:
    key = unit["unit_key"]
    yield f"  unit {key}: {unit['state']}{_why(unit)}{_flags(unit['flags'])}"
    for row in workplace.ledger.rows("workflow", "attempts_of_unit", unit_key=key):
        memory = f", {row['peak_memory_mb']:.0f} MB" if row["peak_memory_mb"] else ""
        where = f" on {row['host']}" if row["host"] else ""
        yield (
            f"    {_time(row['created_at'])} attempt {row['attempt']} of {row['job_key']}{where}: "
            f"{row['state']}{_why(row)}{memory}"
        )
    for row in workplace.ledger.rows("workflow", "products_of_unit", unit_key=key):
        yield f"    {_time(row['made_at'])} {row['kind']}: {row['path']}, code {row['code_version']}"
        for made_from in row["inputs"]:
            yield f"      from {made_from}"
    for row in workplace.ledger.rows("workflow", "difference_of_unit", unit_key=key):
        yield f"    difference with {row['reference_key']}: {row['state']}{_why(row)}, {row['candidates']} candidates"
    for row in workplace.ledger.rows("workflow", "alerts_of_unit", unit_key=key):
        why = f": {row['reason']}" if row["reason"] else ""
        yield f"    {row['alerts']} alerts {row['state']}{why}"


def _events(workplace: Workplace, subjects: list[str]) -> Iterator[str]:
    for row in workplace.ledger.rows("workflow", "events_about", subjects=subjects):
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
