"""The plan of a night as tables: for a terminal, and for the page."""

from datetime import datetime

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from nightshift.night_end.report_sections import Column, Section
from nightshift.night_plan.make_plan import NightPlan, Step
from nightshift.observing_calendar.entries import told

__all__ = ["plan_renderable", "plan_sections", "size"]

MOST_REFERENCES = 40


def plan_renderable(plan: NightPlan) -> RenderableType:
    """Return the plan for a terminal."""
    parts: list[RenderableType] = [Text(f"The plan of the night {plan.night} at {plan.site}", "bold")]
    for section in plan_sections(plan):
        parts += [Text(""), Text(section.title, "bold")]
        if section.note:
            parts.append(Text(section.note, "dim"))
        if section.rows:
            parts.append(_rich(section))
    return Group(*parts)


def _rich(section: Section) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in section.columns:
        table.add_column(column.title, justify="right" if column.align == "right" else "left")
    for row in section.rows:
        table.add_row(*map(Text, row))
    return table


def plan_sections(plan: NightPlan) -> list[Section]:
    """Return the plan's tables, in the order in which they are read."""
    return [_sky(plan), *_announced(plan), _steps(plan), _masters(plan), _references(plan), _costs(plan)]


def _clock(moment: datetime | None) -> str:
    return f"{moment:%H:%M}" if moment else "—"


def _sky(plan: NightPlan) -> Section:
    rows = [("Sun below the horizon", _clock(plan.sunset), _clock(plan.sunrise))]
    rows += [
        (f"{name} twilight over", _clock(span[0] if span else None), _clock(span[1] if span else None))
        for name, span in plan.twilights.items()
    ]
    rows.append(("exposures", *(map(_clock, plan.dark) if plan.dark else ("—", "—"))))
    moon = plan.moon
    where = f"{moon.altitude_deg:.0f}° high" if moon.altitude_deg > 0 else "below the horizon"
    note = f"The Moon is {100 * moon.illuminated:.0f} % lit, and {where} at the middle of the night. Times are UTC."
    return Section("Sky", (Column(""), Column("from", "right"), Column("until", "right")), rows, note)


def _announced(plan: NightPlan) -> list[Section]:
    if not plan.announced:
        return []
    rows = [(str(entry.entry_id), told(entry), "yes" if entry.announced else "no") for entry in plan.announced]
    return [Section("Announced", (Column("entry"), Column(""), Column("announced")), rows)]


def _steps(plan: NightPlan) -> Section:
    rows = [(_span(step), step.what, step.note) for step in plan.steps]
    guessed = [camera.instrument for camera in plan.cameras if camera.planned.is_guess]
    note = (
        f"Nothing was measured yet for {', '.join(guessed)}: no schedule, and no earlier night. What is said of its "
        "exposures is a guess." if guessed else ""
    )  # fmt: skip
    return Section("What runs and when (UTC)", (Column("time"), Column("what"), Column("")), rows, note)


def _span(step: Step) -> str:
    first, last = _clock(step.begins), _clock(step.ends)
    return first if first == last else f"{first}-{last}"


def _masters(plan: NightPlan) -> Section:
    rows = [
        (
            camera.instrument, age.kind.value, age.filter or "—", str(age.newest or "—"),
            "—" if age.age_days is None else str(age.age_days), f"{age.with_master} / {age.quadrants}",
            age.freshness.value,
        )
        for camera in plan.cameras
        for age in camera.masters
    ]  # fmt: skip
    columns = (
        Column("camera"), Column("kind"), Column("filter"), Column("newest"), Column("age (nights)", "right"),
        Column("quadrants", "right"), Column("state"),
    )  # fmt: skip
    return Section("Masters that serve until tonight's are made", columns, rows)


def _references(plan: NightPlan) -> Section:
    every = [(camera.instrument, each) for camera in plan.cameras for each in camera.references]
    every.sort(key=lambda item: (item[1].is_whole, item[0], item[1].field, item[1].filter))
    rows = [
        (
            instrument, f"{each.field} {each.field_name}", each.filter, str(each.exposures),
            f"{each.with_reference} / {each.quadrants}", each.what or "differenced at once",
        )
        for instrument, each in every[:MOST_REFERENCES]
    ]  # fmt: skip
    lacking = sum(not each.is_whole for _, each in every)
    note = f"{lacking} of {len(every)} fields and filters lack a reference." if lacking else ""
    if not every:
        note = "No field is planned."
    if len(every) > MOST_REFERENCES:
        note += f" {len(every) - MOST_REFERENCES} more are left out here."
    columns = (
        Column("camera"), Column("field"), Column("filter"), Column("exposures", "right"),
        Column("quadrants", "right"), Column("what is done"),
    )  # fmt: skip
    return Section("References", columns, rows, note)


def _costs(plan: NightPlan) -> Section:
    rows = [
        (
            cost.kind, str(cost.units), f"{cost.cpu_s:.1f}", f"{cost.wall_s:.1f}", f"{cost.memory_mb:.0f}",
            time(cost.cpu_hours), cost.told_by,
        )
        for cost in plan.costs
    ]  # fmt: skip
    room = plan.room
    note = (
        f"{time(plan.cpu_hours)} of a CPU in all, {time(plan.cpu_hours / plan.cores)} on the {plan.cores} cores "
        f"of this machine. {size(room.bytes)}: {size(room.raw_bytes)} raw and "
        f"{size(room.product_bytes)} made, by {room.told_by}."
    )
    columns = (
        Column("kind of work"), Column("units", "right"), Column("CPU s", "right"),
        Column("asked to done, s", "right"),
        Column("memory MB", "right"), Column("CPU in all", "right"), Column("from"),
    )  # fmt: skip
    return Section("What it takes", columns, rows, note)


def time(hours: float) -> str:
    """Return a duration in the unit that reads best."""
    return f"{hours:.1f} h" if hours >= 1 else f"{60 * hours:.1f} min"


def size(count: float) -> str:
    """Return bytes in the unit that reads best."""
    for unit, least in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if count >= least:
            return f"{count / least:.1f} {unit}"
    return f"{count / 1e3:.0f} kB"
