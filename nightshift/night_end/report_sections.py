"""The tables of the morning's report, once for its text and its page."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import PurePosixPath
from statistics import median

from nightshift.completeness import recovered_by_signal
from nightshift.ledger.queries.night_end import QuarantinedFile, ScienceOfField
from nightshift.night_end.facts import CameraFacts, NightFacts
from nightshift.night_end.identities import Member
from nightshift.night_end.report_elements import (
    ALERTS,
    ARCHIVE,
    EVENTS,
    EXPOSURES,
    FILES,
    FLAGGED,
    MASTERS,
    MOVERS,
    REFERENCES,
    UNITS,
    Cell,
    Figure,
    Section,
    Tone,
    columns,
)
from nightshift.night_end.report_of_cameras import camera_columns, camera_notes, camera_rows
from nightshift.night_end.report_quality import quality_sections
from nightshift.night_end.report_text import duration, number, percent, percent_of, plain, shortened, size
from nightshift.vocabulary import AlertState, EventLevel, Measurement, UnitState
from nightshift.vocabulary.measurements import Panel, panels

__all__ = ["figures_of", "sections_of"]

MOST_OF_A_KIND = 10  # missing, unlisted, late and repeated files
MOST_GAPS = 5
TONES = {EventLevel.PAGE: Tone.BAD, EventLevel.ERROR: Tone.BAD, EventLevel.WARNING: Tone.WARN}
LATENCY_FROM = {True: "shutter", False: "last file"}  # by whether the night was live


def sections_of(facts: NightFacts) -> list[Section]:
    """Return the tables of the report, in the order in which they are read, each with the parts that follow it."""
    own = [
        *([_camera_by_camera(facts)] if facts.has_several_cameras else []),
        _exposures(facts),
        *quality_sections(facts),
        _alerts(facts),
        _completeness(facts),
        _movers(facts),
        _calibrations(facts),
        _kept_out(facts),
        _rejected(facts),
        _flagged(facts),
        _files(facts),
        _events(facts),
        _references(facts),
        _archive(facts),
    ]
    return [
        section
        for first in own
        for section in (first, *(s for p in facts.parts if p.after == first.title for s in p.part.sections))
    ]


def figures_of(facts: NightFacts) -> list[Figure]:
    """Return the figures that an operator looks for first."""
    units = facts.verdict.accounts.units
    latency = facts.latency.get(False) or facts.latency.get(True)
    return [
        Figure(str(len(facts.exposures)), "science exposures"),
        Figure(f"{len(units.parts[UnitState.PROCESSED])} / {units.total}", "units processed"),
        Figure(str(facts.alert_count(AlertState.SENT, AlertState.RETRACTED)), "alerts sent"),
        Figure(str(len(facts.sky.tracklets)), "moving objects"),
        Figure(duration(latency.p90_s) if latency else "—", f"{LATENCY_FROM[facts.live]} to alert, 90 %"),
        _shutter_figure(facts),
    ]


def _shutter_figure(facts: NightFacts) -> Figure:
    """Return how much of the time the shutter was open; of several cameras each, under their names."""
    shares = [f"{100 * c.open_time.fraction:.0f} %" if c.timeline else "—" for c in facts.cameras]
    names = ": " + " / ".join(camera.instrument for camera in facts.cameras) if facts.has_several_cameras else ""
    return Figure(" / ".join(shares), f"shutter open{names}")


def _level(value: float | None) -> str:
    """Return a level with as many digits as its size asks for: they run from 0.01 to 50,000."""
    return number(value, 1 if value is not None and abs(value) >= 100 else 3)


def _camera_by_camera(facts: NightFacts) -> Section:
    """Give each camera of the site a column: what it took, what was made of it, and how good the night was for it."""
    cameras = facts.cameras
    rows = [
        ("Science exposures", *(str(len(camera.timeline)) for camera in cameras)),
        ("Shutter open", *(percent(c.open_time.fraction) if c.timeline else "—" for c in cameras)),
        ("Units processed", *(str(sum(row.processed for row in camera.science)) for camera in cameras)),
        ("Units not processed", *(_sum_of_ends(camera) for camera in cameras)),
        ("Alerts sent", *(str(sum(row.alerts for row in camera.science)) for camera in cameras)),
    ]
    for measurement, panel in panels():
        title = f"{panel.title[0].upper()}{panel.title[1:]}"
        rows.append((title, *(_median_of_night(camera, measurement, panel) for camera in cameras)))
    titles = columns("", *(f">{camera.instrument}" for camera in cameras))
    return Section("Camera by camera", titles, rows, "Measurements: medians of the night's exposures.")


def _sum_of_ends(camera: CameraFacts) -> str:
    ends = sum(row.rejected + row.failed + row.missing + row.held + row.unfinished for row in camera.science)
    return str(ends)


def _median_of_night(camera: CameraFacts, measurement: Measurement, panel: Panel) -> str:
    values = [e.measured[measurement.name] for e in camera.timeline if measurement.name in e.measured]
    digits = measurement.mail.digits if measurement.mail else 2
    scale = camera.pixel_scale_arcsec if panel.in_arcsec else 1.0
    return number(median(values) * scale, digits) if values else "—"


def _exposures(facts: NightFacts) -> Section:
    def rows_of(camera: CameraFacts) -> Iterable[tuple[str, ...]]:
        for r in camera.science:
            units = r.processed + r.rejected + r.failed + r.missing + r.held + r.unfinished
            yield (
                facts.field_name(r.field), r.filter, str(r.exposures), f"{r.first_open:%H:%M}–{r.last_open:%H:%M}",
                f"{r.processed} of {units}", _not_processed(r), str(r.candidates), str(r.alerts),
            )  # fmt: skip

    titles = camera_columns(
        facts,
        "Field", "Filter", ">Exposures", "UTC", ">Processed", "Not processed", ">Candidates",
        ">Alerts",
    )  # fmt: skip
    return Section(EXPOSURES, titles, camera_rows(facts, rows_of), camera_notes(facts, _shutter))


def _not_processed(row: ScienceOfField) -> str:
    """Return how the other units ended, in words."""
    ends = (
        (row.rejected, "rejected"), (row.failed, "failed"), (row.missing, "missing"), (row.held, "held"),
        (row.unfinished, "not ended"),
    )  # fmt: skip
    return ", ".join(f"{count} {end}" for count, end in ends if count)


def _shutter(camera: CameraFacts) -> str:
    opened = camera.open_time
    if not camera.timeline:
        return "No science exposure was registered."
    return f"Shutter open {100 * opened.fraction:.0f} % of {duration(opened.span_s)}; {_gaps(opened.gaps)}."


def _gaps(gaps: Sequence[tuple[datetime, datetime]]) -> str:
    """Return the pauses of a night; of many the longest, in the order of the night."""
    longest = sorted(gaps, key=lambda gap: (gap[0] - gap[1], gap[0]))[:MOST_GAPS]
    listed = ", ".join(f"{begin:%H:%M}–{end:%H:%M}" for begin, end in sorted(longest))
    if len(gaps) <= MOST_GAPS:
        return f"gaps: {listed}" if gaps else "no gap"
    together = sum((end - begin).total_seconds() for begin, end in gaps)
    return f"{len(gaps)} gaps, {duration(together)} together, the longest {listed}"


def _alerts(facts: NightFacts) -> Section:
    rows = [
        (state, str(row.alerts), str(row.objects), " ".join(facts.sentence(r) for r in row.reasons))
        for state, row in facts.alerts.items()
    ]
    notes = [f"Topic {t.topic}: {t.acknowledged} of {t.messages} acknowledged by the broker." for t in facts.topics]
    differences = Counter[str]()
    for group in facts.differences:
        differences[f"{group.state}{': ' + facts.sentence(group.reason) if group.reason else ''}"] += group.units
    if differences:
        notes.append("Differences: " + "; ".join(f"{count} {what}" for what, count in differences.items()) + ".")
    return Section(
        ALERTS, columns("State", ">Alerts", ">Objects", "Reason"), rows,
        " ".join(notes) or "No alert was made.", "stamps",
    )  # fmt: skip


def _completeness(facts: NightFacts) -> Section:
    """What would have been found of new sources, and how well so few of them say it."""
    quadrants = facts.completeness.quadrants
    titles = columns("S/N on an empty sky", ">Put in", ">Found", ">Share", ">95 % interval")
    if not quadrants:
        note = "No quadrant was sampled (reduction.injection_fraction), so that nothing is known of it."
        return Section("Completeness", titles, [], note)
    rows = [
        (
            row.label, str(row.injected), str(row.recovered), percent_of(row.share),
            "—" if row.interval is None else f"{100 * row.interval[0]:.0f}–{100 * row.interval[1]:.0f} %",
        )
        for row in recovered_by_signal(asdict(facts.completeness))
    ]  # fmt: skip
    note = (
        f"New sources were put into {quadrants} quadrant{'' if quadrants == 1 else 's'}, differenced and searched "
        "again; a third lie on galaxies where there are any. The interval is what these numbers leave open."
    )
    return Section("Completeness", titles, rows, note, "completeness")


def _movers(facts: NightFacts) -> Section:
    rows = [
        (
            str(t.number), str(t.detections), f"{t.begins:%H:%M:%S}–{t.ends:%H:%M:%S}", number(t.ra_deg, 5),
            number(t.dec_deg, 5), number(t.rate_deg_per_day, 3), number(t.position_angle_deg, 1),
            number(t.residual_arcsec), number(t.magnitude, 1),
        )
        for t in facts.sky.tracklets
    ]  # fmt: skip
    titles = columns(
        "No.", ">Detections", "UTC", ">RA (deg)", ">Dec (deg)", ">Rate (deg/day)", ">PA (deg)",
        ">Residual (arcsec)", ">Mag",
    )  # fmt: skip
    note = "" if rows else "No tracklet was linked."
    return Section(MOVERS, titles, shortened(rows, len(titles)), note, "sky")


def _calibrations(facts: NightFacts) -> Section:
    def rows_of(camera: CameraFacts) -> Iterable[tuple[str, ...]]:
        for m in camera.masters:
            yield (
                m.kind, m.filter, f"{m.in_service} of {m.masters}", str(m.frames), _level(m.level), _level(m.noise),
                number(m.read_noise), number(m.gain, 3), " ".join(facts.sentence(r) for r in m.reasons),
            )  # fmt: skip

    rows = camera_rows(facts, rows_of)
    titles = camera_columns(
        facts, "Master", "Filter", ">Quadrants in service", ">Frames", ">Level (ADU)", ">Noise", ">Read noise (ADU)",
        ">Gain (e⁻/ADU)", "Reason",
    )  # fmt: skip
    meant = "Noise: of one frame's pixel, a bias in ADU, a dark in electrons a second, a flat relative to its level."
    return Section(MASTERS, titles, rows, meant if rows else "No master was built tonight.")


def _kept_out(facts: NightFacts) -> Section:
    rows = [
        (frame.inbox_name, frame.image_type, frame.filter, number(frame.level, 0), facts.sentence(frame.reason))
        for frame in facts.kept_out
    ]
    titles = columns("Frame", "Type", "Filter", ">Level (ADU)", "Reason")
    used = facts.verdict.accounts.frames.counts()["in a master"]
    none = "Every calibration frame that was looked at is in a master." if used else "No calibration frame was used."
    note = "" if rows else none
    return Section("Calibration frames kept out of the masters", titles, shortened(rows, len(titles)), note)


def _rejected(facts: NightFacts) -> Section:
    groups: dict[tuple[str, str, str], list[tuple[str, str]]] = {}
    for unit in facts.rejected:
        exposure, quadrant = _exposure_and_quadrant(facts, unit.unit_key)
        groups.setdefault((exposure, unit.state, unit.reason), []).append((quadrant, unit.detail))
    rows = [
        (exposure, _some([q for q, _ in units]), state, facts.sentence(reason), units[0][1])
        for (exposure, state, reason), units in sorted(groups.items())
    ]
    titles = columns("Exposure", "Quadrants", "End", "Reason", "Detail of the first")
    expected = facts.verdict.accounts.units.total
    note = "" if rows else "Every unit was processed." if expected else "No unit was expected."
    return Section(UNITS, titles, shortened(rows, len(titles)), note)


def _exposure_and_quadrant(facts: NightFacts, unit_key: str) -> tuple[str, str]:
    """Return a unit's exposure, of several cameras with the camera's name, and its quadrant."""
    instrument, exposure, *quadrant = PurePosixPath(unit_key).parts[:4]
    return f"{instrument}/{exposure}" if facts.has_several_cameras else exposure, "/".join(quadrant)


def _some(names: list[str], most: int = 4) -> str:
    """Return a few of the names and how many more there are."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _flagged(facts: NightFacts) -> Section:
    """Give each exposure and reason a row: a flag on all units of a night is as many rows as it has exposures."""
    groups: dict[tuple[str, str], list[str]] = {}
    for unit in facts.flagged:
        exposure, quadrant = _exposure_and_quadrant(facts, unit.unit_key)
        for reason in unit.flags:
            groups.setdefault((reason, exposure), []).append(quadrant)
    by_reason: dict[str, list[tuple[str, list[str]]]] = {}
    for (reason, exposure), units in sorted(groups.items()):
        by_reason.setdefault(reason, []).append((exposure, units))
    rows = [
        (
            facts.sentence(reason), str(sum(len(units) for _, units in exposures)),
            _some([f"{exposure} ({_some(units)})" for exposure, units in exposures], 2),
        )
        for reason, exposures in by_reason.items()
    ]  # fmt: skip
    titles = columns("Flag", ">Units", "Exposures")
    return Section(FLAGGED, titles, rows, "" if rows else "No processed unit carries a flag.")


def _files(facts: NightFacts) -> Section:
    """List what was not simply registered: a few of each kind, so that a thousand of one do not hide another."""
    books = facts.verdict.accounts
    kept = [
        (plain(r.inbox_name, 60), size(r.bytes), _disposition(r), facts.sentence(r.reason), r.detail)
        for r in facts.quarantine
    ]
    named = [
        (books.sent.parts["missing"], "missing"),
        (books.unlisted, "registered"),
        (books.late, "registered"),
        ([Member(name, "The same content was here already.") for name in books.duplicates], "duplicate"),
    ]
    titles = columns("File", ">Size", "Disposition", "Reason", "Detail")
    rows = shortened(kept, len(titles))
    for members, disposition in named:
        of_kind = [(plain(m.subject, 60), "—", disposition, facts.sentence(m.reason), "") for m in members]
        rows += shortened(of_kind, len(titles), MOST_OF_A_KIND)
    came = "Every file was registered, once, as the manifest says." if books.sent.total else "No file came."
    note = "" if rows else came
    return Section(FILES, titles, rows, note)


def _events(facts: NightFacts) -> Section:
    """List what programs said aloud, the loudest first; what the accounts say by themselves is not among it."""
    rows = [
        (
            Cell(event.level, TONES.get(event.level, Tone.PLAIN)),
            event.message,
            plain(event.subject, 60),
            str(event.times),
        )
        for event in facts.events
    ]
    titles = columns("Level", "What", "Of", ">Times")
    note = "" if rows else "No program warned of anything."
    return Section(EVENTS, titles, shortened(rows, len(titles)), note)


def _disposition(file: QuarantinedFile) -> str:
    return f"{file.disposition}, {file.disposed_as}" if file.disposed_as else file.disposition


def _references(facts: NightFacts) -> Section:
    def rows_of(camera: CameraFacts) -> Iterable[tuple[str, ...]]:
        for r in camera.references:
            yield (
                facts.field_name(r.field), r.filter, f"v{r.version}", f"{r.in_service} of {r.quadrants}",
                str(r.frames), number(r.fwhm_px * camera.pixel_scale_arcsec if r.fwhm_px else None),
                number(r.limiting_magnitude), " ".join(facts.sentence(x) for x in r.reasons),
            )  # fmt: skip

    rows = camera_rows(facts, rows_of)
    titles = camera_columns(
        facts, "Field", "Filter", "Version", ">Quadrants in service", ">Frames", ">FWHM (arcsec)", ">Limit (mag)",
        "Reason",
    )  # fmt: skip
    return Section(REFERENCES, titles, rows, "" if rows else "No reference was built tonight.")


def _archive(facts: NightFacts) -> Section:
    held = facts.archive
    note = (
        f"{held.files} file{'' if held.files == 1 else 's'}, {size(held.bytes)}; "
        f"{held.verified} of them read back and found equal."
        if held.files
        else "Nothing is archived yet."
    )
    return Section(ARCHIVE, (), [], note)
