"""What the night's images were measured for, against the nights before: made from the registry of measurements."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from nightshift.night_end.facts import CameraFacts, MeasuredFilter, NightFacts, Quantiles
from nightshift.night_end.report_elements import Cell, Section, Tone, columns
from nightshift.night_end.report_of_cameras import camera_notes
from nightshift.night_end.report_text import number, percent, sparkline
from nightshift.vocabulary import Measurement, all_measurements, measurement_named
from nightshift.vocabulary.measurements import COUNT, FRACTION, MailColumn, MailTable, Summary

__all__ = ["Standing", "quality_sections", "standing"]

RELATIVE = " rel."  # behind a number that a catalogue alone could make absolute
RELATIVE_MEANS = (
    "rel.: calibrated against the field's own first frame, for want of a catalogue; relative to that frame, whose "
    "zero point is 25 by definition, and to its header's places."
)
ENOUGH_NIGHTS = 5  # fewer say nothing of what is usual


@dataclass(frozen=True)
class Standing:
    """How a night's value stands against those of the nights before.

    Parameters
    ----------
    usual : float or None
        Median of the nights before; None where none has one.
    line : str
        A bar a night, the last of them tonight's; empty where there is nothing to compare.
    verdict : str
        Empty within what the nights before had, or where they are too few.
    """

    usual: float | None
    line: str
    verdict: str


def standing(before: Sequence[float | None], tonight: float | None) -> Standing:
    """Set tonight's value against those of the nights before, earliest first."""
    known = [value for value in before if value is not None]
    usual = median(known) if known else None
    if tonight is None or not known:
        return Standing(usual, "", "")
    verdict = ""
    if len(known) >= ENOUGH_NIGHTS:
        verdict = "highest" if tonight > max(known) else "lowest" if tonight < min(known) else ""
    return Standing(usual, sparkline([*before, tonight]), verdict)


def quality_sections(facts: NightFacts) -> list[Section]:
    """Return the tables of the registry's measurements: a row a measurement and filter of each camera."""
    return [_section(facts, table) for table in MailTable]


def _section(facts: NightFacts, table: MailTable) -> Section:
    rows = list(_rows(facts, table))
    several = ("Camera",) if facts.has_several_cameras else ()
    titles = columns("Measurement", *several, "Filter", ">Tonight", "|Nights before, tonight last", ">Usual", "")
    note = _note(facts, table) if rows else "No image was measured."
    return Section(table, titles, rows, note)


def _rows(facts: NightFacts, table: MailTable) -> Iterator[tuple[str, ...]]:
    """Yield a row a measurement, camera and filter, so that cameras of one site stand side by side."""
    for measurement in all_measurements():
        if measurement.mail is None or measurement.mail.table is not table:
            continue
        for camera in facts.cameras:
            name = (camera.instrument,) if facts.has_several_cameras else ()
            for row in camera.quality:
                label = measurement.mail.title or measurement.titled
                yield label, *name, row.filter, *_cells(camera, measurement, measurement.mail, row)


def _cells(camera: CameraFacts, measurement: Measurement, mail: MailColumn, row: MeasuredFilter) -> tuple[str, ...]:
    over = row.measured.get(measurement.name, Quantiles())
    scale = camera.pixel_scale_arcsec if mail.in_arcsec else 1.0
    tonight = _summary(measurement, mail, over, scale)
    if measurement.absolute and row.relative:
        tonight += RELATIVE
    if mail.summary is Summary.PRESENT:
        return tonight, "", "", ""
    against = standing(camera.history.get((row.filter, measurement.name), ()), over.median)
    usual = _value(measurement, mail, against.usual, scale) if against.usual is not None else "—"
    verdict = Cell(against.verdict, Tone.WARN)
    return tonight, against.line, usual, verdict


def _summary(measurement: Measurement, mail: MailColumn, over: Quantiles, scale: float) -> str:
    """Return what a cell says of a measurement over the quadrants of a filter."""
    values = {
        Summary.PRESENT: [],
        Summary.MEDIAN: [over.median],
        Summary.LARGEST: [over.median, over.largest],
        Summary.SPREAD: [over.tenth, over.median, over.ninetieth],
    }[mail.summary]
    return " / ".join(_value(measurement, mail, value, scale) for value in values) or str(over.present)


def _value(measurement: Measurement, mail: MailColumn, value: float | None, scale: float) -> str:
    scaled = None if value is None else value * scale
    if measurement.unit == FRACTION:
        return percent(scaled)
    return number(scaled, 0 if measurement.unit == COUNT else mail.digits)


def _note(facts: NightFacts, table: MailTable) -> str:
    notes = [camera_notes(facts, _measured if table is MailTable.QUALITY else _warned), _compared(facts)]
    if table is MailTable.QUALITY:
        notes.append("Zero point: magnitude of one electron in the whole exposure.")
        if any(row.relative for camera in facts.cameras for row in camera.quality):
            notes.append(RELATIVE_MEANS)
    else:
        notes.append("Median, or median and largest. Above the air: magnitude of one electron a second.")
    return " ".join(note for note in notes if note)


def _measured(camera: CameraFacts) -> str:
    counts = (f"{row.units} in {row.filter or 'no filter'} ({row.bad} not good)" for row in camera.quality)
    return f"Quadrants measured: {', '.join(counts)}."


def _compared(facts: NightFacts) -> str:
    most = max((len(camera.nights_before) for camera in facts.cameras), default=0)
    if not most:
        return "No night before to compare with."
    nights = "night before" if most == 1 else f"{most} nights before"
    return (
        f"Usual: median of the {nights}. Highest, lowest: of them all."
        if most >= ENOUGH_NIGHTS
        else (f"Usual: median of the {nights}.")
    )


def _warned(camera: CameraFacts) -> str:
    warned = ", ".join(f"{_label(w.measurement)} ({w.units})" for w in camera.warned)
    return f"Quadrants outside of the bounds that warn: {warned}." if warned else "No bound that warns is crossed."


def _label(name: str) -> str:
    """Return what people call a measurement, also one that is no longer made."""
    measurement = measurement_named(name)
    return measurement.label if measurement else name.replace("_", " ")
