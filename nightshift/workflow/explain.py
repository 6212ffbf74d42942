"""The whole story of one frame, as the ledger has it: when it came, what was done, with what, and why it ended so."""

import re
from collections.abc import Iterator
from datetime import date, datetime

from nightshift.called import called, unit_of_alert
from nightshift.context import Context
from nightshift.ingest.naming import file_of_night, shown
from nightshift.keys import FrameKey
from nightshift.ledger.queries import explain as explain_queries
from nightshift.ledger.queries import housekeeping as housekeeping_queries
from nightshift.ledger.queries import months as months_queries
from nightshift.ledger.queries import overrides as overrides_queries
from nightshift.ledger.queries.explain import Arrival, Exposure, FrameNote, Unit
from nightshift.vocabulary import Reason
from nightshift.workflow.explain_made import explain_made

__all__ = ["explain"]

_FRAME = re.compile(r"([^/]+/[^/]+)/d\d+")


def explain(context: Context, thing: str) -> list[str]:
    """Return the story of a file, an exposure, a unit, a master, a reference or an alert, one line a step.

    Parameters
    ----------
    thing : str
        A file's name, also one that is only on a manifest (``YYYYMMDD/name`` where it was used in several nights and
        one of them is meant); an arrival's key; or any key as of `nightshift.called`.

    Returns
    -------
    list of str
        Empty where the ledger knows nothing of it.
    """
    found = called(context.ledger, thing)
    if found is not None and (made := list(explain_made(context.ledger, found))):
        unit = unit_of_alert(context.ledger, found)
        about = [*_overrides(context, [found.key]), *_events(context, [found.key])]
        return [*made, *about, *(explain(context, unit) if unit else [])]
    night, thing = (None, found.key) if found is not None else file_of_night(shown(thing))
    frame = _FRAME.fullmatch(thing)
    exposures = explain_queries.exposures_like(context.ledger, thing=frame[1] if frame else thing, night=night)
    arrivals = _arrivals_of(context, thing, night, exposures)
    lines = [*_manifests(context, thing, night, arrivals), *map(_arrival, arrivals)]
    for exposure in exposures:
        lines += _exposure(context, exposure, thing)
    if not exposures:
        lines += _overrides(context, [thing, *(f"arrival/{arrival.arrival_key}" for arrival in arrivals)])
        lines += _events(context, [thing])
    return lines


def _arrivals_of(context: Context, thing: str, night: date | None, exposures: list[Exposure]) -> list[Arrival]:
    things = {thing, *(exposure.exposure_id for exposure in exposures)}
    known = {
        arrival.arrival_key: arrival
        for name in things
        for arrival in explain_queries.arrivals_like(context.ledger, thing=name, night=night)
    }
    return sorted(known.values(), key=lambda arrival: (arrival.arrived_at, arrival.arrival_key))


def _manifests(context: Context, thing: str, night: date | None, arrivals: list[Arrival]) -> Iterator[str]:
    """Tell what the mountain says that it sent under these names."""
    for name in sorted({thing, *(arrival.inbox_name for arrival in arrivals)}):
        for line in explain_queries.on_manifests(context.ledger, thing=name, night=night):
            never = "" if line.arrived else "; it never arrived"
            yield (
                f"{_time(line.received_at)} the manifest of {line.site}, {line.night}, lists {name}: "
                f"{line.bytes} bytes, sha256 {line.sha256[:12]}{never}"
            )


def _arrival(arrival: Arrival) -> str:
    why = f": {arrival.reason}, {arrival.detail}" if arrival.reason else ""
    content = f", sha256 {arrival.sha256[:12]}" if arrival.sha256 else ""
    kept = f"; kept as {arrival.kept_path}" if arrival.kept_path else ""
    disposed = (
        f"; {arrival.disposed_as} by {arrival.disposed_by} at {_time(arrival.disposed_at)}"
        if arrival.disposed_at
        else ""
    )
    came = f"{_time(arrival.arrived_at)} {arrival.inbox_name} arrived ({arrival.bytes} bytes{content})"
    return f"{came}, {arrival.disposition}{why}{kept}{disposed}"


def _exposure(context: Context, exposure: Exposure, thing: str) -> Iterator[str]:
    ledger, instrument, exposure_id = context.ledger, exposure.instrument, exposure.exposure_id
    name = f"{instrument}/{exposure_id}"
    whole = "" if thing in (exposure_id, name) or _FRAME.fullmatch(thing) else thing
    subjects = [name]
    yield (
        f"exposure {name}: {exposure.image_type} of night {exposure.night}, opened "
        f"{_time(exposure.shutter_open)} for {exposure.exposure_s:g} s, filter {exposure.filter or 'none'}, "
        f"field {exposure.field or 'none'}; {exposure.state}{_by_run(exposure.run_id)}"
    )
    if exposure.night and (folder := months_queries.detached_folder(ledger, night=exposure.night)):
        yield (
            f"  the month of this night has left the ledger, with its units, products and alerts: `nightshift ledger "
            f"attach {exposure.night:%Y-%m} --folder {folder} --operator <you>` brings it back"
        )
    for frame, line in _frames(context, exposure, "" if "/" in whole else whole):
        subjects.append(str(frame))
        yield line
    for left in housekeeping_queries.deleted_of_exposure(ledger, key=name):
        yield (
            f"  {_time(left.first_at)} {_count(left.files, 'file')} of kind {left.kind} left the depot by retention "
            f"({left.rule}); `nightshift restore-files {exposure.night} --kind {left.kind} --operator <you>` brings "
            "them back from the archive"
        )
    for use in explain_queries.uses_in_masters(ledger, instrument=instrument, exposure_id=exposure_id):
        verdict = "accepted" if use.accepted else f"left out: {use.reason}"
        yield f"  detector {use.detector} in master {use.calibration_key}: {verdict}"
    for unit in explain_queries.units_like(ledger, instrument=instrument, exposure_id=exposure_id, thing=whole):
        subjects.append(unit.unit_key)
        yield from _unit(context, unit)
    yield from _overrides(context, subjects)
    yield from _events(context, subjects)


def _frames(context: Context, exposure: Exposure, thing: str) -> Iterator[tuple[FrameKey, str]]:
    """Tell of the frames of an exposure, or of the one whose file is of that name."""
    ledger, instrument, exposure_id = context.ledger, exposure.instrument, exposure.exposure_id
    notes = explain_queries.frame_notes(ledger, instrument=instrument, exposure_id=exposure_id)
    by_detector = {note.detector: note for note in notes}
    for frame in explain_queries.frames_like(ledger, instrument=instrument, exposure_id=exposure_id, thing=thing):
        bad = f"; not valid: {frame.invalid_reason}" if frame.invalid_reason else ""
        yield (
            FrameKey(instrument, exposure_id, frame.detector),
            f"  frame of detector {frame.detector}: {frame.path}, sha256 {frame.sha256[:12]}{bad}"
            f"{_notes(by_detector[frame.detector])}",
        )


def _notes(note: FrameNote) -> str:
    late = f"; {Reason.CAME_LATE}: its night had closed" if note.late else ""
    return late + (f"; {Reason.NOT_ON_MANIFEST}" if note.unlisted else "")


def _overrides(context: Context, subjects: list[str]) -> Iterator[str]:
    for override in overrides_queries.overrides_about(context.ledger, subjects=subjects):
        yield (
            f"  {_time(override.made_at)} {override.operator} said {override.verdict} of {override.subject}: "
            f"{override.explanation}"
        )


def _unit(context: Context, unit: Unit) -> Iterator[str]:
    ledger, key = context.ledger, unit.unit_key
    yield f"  unit {key}: {unit.state}{_why(unit.reason, unit.detail)}{_flags(unit.flags)}"
    for attempt in explain_queries.attempts_of_unit(ledger, unit_key=key):
        memory = f", {attempt.peak_memory_mb:.0f} MB" if attempt.peak_memory_mb else ""
        where = f" on {attempt.host}" if attempt.host else ""
        yield (
            f"    {_time(attempt.created_at)} attempt {attempt.attempt} of {attempt.job_key}{where}: "
            f"{attempt.state}{_why(attempt.reason, attempt.detail)}{memory}"
        )
    for product in explain_queries.products_of_unit(ledger, unit_key=key):
        yield f"    {_time(product.made_at)} {product.kind}: {product.path}, code {product.code_version}"
        for made_from in product.inputs:
            yield f"      from {made_from}"
    for difference in explain_queries.difference_of_unit(ledger, unit_key=key):
        found = _count(difference.candidates, "candidate")
        why = _why(difference.reason, difference.detail)
        yield f"    difference with {difference.reference_key}: {difference.state}{why}, {found}"
    for alerts in explain_queries.alerts_of_unit(ledger, unit_key=key):
        because = f": {alerts.reason}" if alerts.reason else ""
        yield f"    {_count(alerts.alerts, 'alert')} {alerts.state}{because}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _events(context: Context, subjects: list[str]) -> Iterator[str]:
    for event in explain_queries.events_about(context.ledger, subjects=subjects):
        yield f"  {_time(event.at)} {event.level}: {event.message}"


def _why(reason: str | None, detail: str) -> str:
    said = ", ".join(part for part in (reason, detail) if part)
    return f" ({said})" if said else ""


def _flags(flags: list[str]) -> str:
    return f", flagged {', '.join(flags)}" if flags else ""


def _by_run(run_id: str | None) -> str:
    return f" by {run_id}" if run_id else ""


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}"
