"""The picture of a night's plan: the Sun and the Moon, fields, exposures, and what runs when.

Its ground is dark enough not to glare at night, and its words stand out on that by day as well.
"""

import io
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import matplotlib.dates
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from nightshift.context import Context
from nightshift.night_end.report_colours import FILTER_COLOURS, PICTURE
from nightshift.night_end.report_elements import Picture
from nightshift.night_plan.make_plan import NightPlan
from nightshift.night_plan.night_sky import altitudes_deg, moon_at
from nightshift.observing_calendar.in_force import WORDS
from nightshift.settings.models import Site
from nightshift.sun import sun_altitude_deg

__all__ = ["draw_plan"]

STEP = timedelta(minutes=5)
MARGIN = timedelta(minutes=45)
MOST_FIELDS = 8
GROUND, LINE, BAR = "#2b3846", "#46545f", "#7cb8f0"
BAD = PICTURE.bad
SHADES = {"civil": "#243140", "nautical": "#1e2a37", "astronomical": "#17212c"}
SUN, MOON = "#e6c35c", "#d3d9df"
STYLE: dict[str, Any] = {"fontsize": 9, "color": PICTURE.ink}


def draw_plan(context: Context, plan: NightPlan) -> Picture:
    """Draw a site's plan: altitudes above, exposures by field in the middle, what runs below."""
    rows = _field_rows(plan)
    height = 2.3 + 0.22 * max(len(rows), 1) + 0.24 * max(len(plan.steps), 1) + 1.1
    figure = Figure(figsize=(7.2, height), layout="constrained", facecolor=GROUND)
    ratios = [2.3, 0.22 * max(len(rows), 1) + 0.3, 0.24 * max(len(plan.steps), 1) + 0.3]
    sky, exposures, work = figure.subplots(3, 1, sharex=True, height_ratios=ratios)
    _draw_sky(sky, context, plan)
    _draw_exposures(exposures, plan, rows)
    _draw_steps(work, plan)
    first, last = _span(plan)
    for axes in (sky, exposures, work):
        _draw_announced(axes, plan)
        axes.set_xlim(first, last)
        _tidy(axes)
    # matplotlib gives no types for what follows
    work.xaxis.set_major_locator(matplotlib.dates.HourLocator(interval=2))  # type: ignore[no-untyped-call]
    work.xaxis.set_major_formatter(matplotlib.dates.DateFormatter("%H"))  # type: ignore[no-untyped-call]
    work.set_xlabel("UTC, hours", **STYLE)
    return Picture(
        "plan", "The plan of the night",
        f"{len(plan.exposures)} exposures of {len(rows)} fields between {plan.dark[0]:%H:%M} and "
        f"{plan.dark[1]:%H:%M} UTC; the Moon is {100 * plan.moon.illuminated:.0f} % lit."
        if plan.dark else "It does not get dark in this night.",
        _png(figure), 680, leads=True,
    )  # fmt: skip


def _png(figure: Figure) -> bytes:
    FigureCanvasAgg(figure)
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=200, facecolor=GROUND, metadata={"Software": None})
    return stream.getvalue()


def _tidy(axes: Axes) -> None:
    axes.set_facecolor(GROUND)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(LINE)
    axes.tick_params(labelsize=8, colors=PICTURE.faint, length=3)


def _span(plan: NightPlan) -> tuple[datetime, datetime]:
    moments = [moment for step in plan.steps for moment in (step.begins, step.ends)]
    return min(moments) - MARGIN / 3, max(moments) + MARGIN / 3


def _moments(plan: NightPlan) -> list[datetime]:
    first, last = _span(plan)
    return [first + k * STEP for k in range(int((last - first) / STEP) + 1)]


def _draw_sky(axes: Axes, context: Context, plan: NightPlan) -> None:
    site, moments = context.site, _moments(plan)
    _shade(axes, plan)
    axes.plot(moments, [sun_altitude_deg(site, each) for each in moments], color=SUN, lw=1.4, label="Sun")  # type: ignore[arg-type]
    label = f"Moon, {100 * plan.moon.illuminated:.0f} % lit"
    axes.plot(moments, [moon_at(site, each).altitude_deg for each in moments], "--", color=MOON, lw=1.2, label=label)  # type: ignore[arg-type]
    names: list[str] = []
    for field, name, ra_deg, dec_deg in _fields(context, plan)[:MOST_FIELDS]:
        names.append(name)
        altitudes = _altitudes(site, moments, ra_deg, dec_deg)
        axes.plot(moments, altitudes, color=PICTURE.faint, lw=0.9, alpha=0.7)  # type: ignore[arg-type]
        top = int(np.argmax(altitudes))
        axes.text(moments[top], altitudes[top] + 1.5, str(field), ha="center", fontsize=7, color=PICTURE.faint)  # type: ignore[arg-type]
    axes.set_ylim(0, 92)
    axes.set_ylabel("altitude (°)", **STYLE)
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=4, frameon=False, fontsize=8, labelcolor=PICTURE.ink)
    _airmass_scale(axes)


def _airmass_scale(axes: Axes) -> None:
    """Write the airmass beside the altitude."""
    other = axes.twinx()
    other.set_ylim(axes.get_ylim())
    marks = {1.0: 90.0, 1.2: 56.3, 1.5: 41.7, 2.0: 29.9, 3.0: 19.3}
    other.set_yticks(list(marks.values()), [f"{mass:g}" for mass in marks])
    other.set_ylabel("airmass", **{**STYLE, "fontsize": 8})
    other.tick_params(labelsize=7, colors=PICTURE.faint, length=2)
    for side in ("top", "left", "right", "bottom"):
        other.spines[side].set_visible(False)


def _altitudes(site: Site, moments: Sequence[datetime], ra_deg: float, dec_deg: float) -> list[float]:
    place = np.array([ra_deg]), np.array([dec_deg])
    return [float(altitudes_deg(site, moment, *place)[0]) for moment in moments]


def _fields(context: Context, plan: NightPlan) -> list[tuple[int, str, float, float]]:
    """Return the planned fields that the survey knows, the most exposed first."""
    known = {field.id: field for survey in context.deployment.surveys for field in survey.sky.fields}
    return [
        (field, known[field].name, known[field].ra_deg, known[field].dec_deg)
        for field in _field_rows(plan)
        if field in known
    ]


def _field_rows(plan: NightPlan) -> list[int | None]:
    """Return the fields in which exposures are planned, the most exposed first."""
    counts: dict[int | None, int] = {}
    for exposure in plan.exposures:
        counts[exposure.field] = counts.get(exposure.field, 0) + 1
    return sorted(counts, key=lambda field: (-counts[field], field is None, field or 0))[:MOST_FIELDS]


def _draw_exposures(axes: Axes, plan: NightPlan, rows: Sequence[int | None]) -> None:
    _shade(axes, plan)
    filters = sorted({exposure.filter for exposure in plan.exposures})
    for name in filters:
        chosen = [each for each in plan.exposures if each.filter == name and each.field in rows]
        offset = 0.16 * (filters.index(name) - (len(filters) - 1) / 2)
        axes.plot(
            [each.opens for each in chosen],  # type: ignore[arg-type]
            [rows.index(each.field) + offset for each in chosen],
            "|", ms=5, mew=0.9, color=FILTER_COLOURS.get(name, BAR), label=name,
        )  # fmt: skip
    axes.set_yticks(range(len(rows)), ["no field" if row is None else str(row) for row in rows])
    axes.set_ylim(max(len(rows), 1) - 0.4, -0.6)
    axes.set_ylabel("field", **STYLE)
    if filters:
        axes.legend(
            loc="lower left", bbox_to_anchor=(0, 1.0), ncols=8, frameon=False, fontsize=8, labelcolor=PICTURE.ink,
            handletextpad=0.2, borderaxespad=0.1,
        )  # fmt: skip


def _draw_steps(axes: Axes, plan: NightPlan) -> None:
    _shade(axes, plan)
    middle = _span(plan)[0] + (_span(plan)[1] - _span(plan)[0]) / 2
    for row, step in enumerate(plan.steps):
        if step.ends > step.begins:
            span = [step.begins, max(step.ends, step.begins + STEP)]
            axes.plot(span, [row, row], color=BAR, lw=5, solid_capstyle="butt")  # type: ignore[arg-type]
        else:
            axes.plot([step.begins], [row], "o", color=PICTURE.ink, ms=3)  # type: ignore[arg-type]
        left = step.begins > middle
        place = step.begins - MARGIN / 4 if left else max(step.ends, step.begins + STEP) + MARGIN / 4
        axes.text(place, row, step.what, va="center", ha="right" if left else "left", fontsize=7.5, color=PICTURE.ink)  # type: ignore[arg-type]
    axes.set_yticks([])
    axes.set_ylim(len(plan.steps) - 0.4, -0.6)


def _shade(axes: Axes, plan: NightPlan) -> None:
    """Let the background darken with twilight."""
    for name, colour in SHADES.items():
        if (span := plan.twilights[name]) is not None:
            axes.axvspan(*span, color=colour, lw=0, zorder=0)  # type: ignore[arg-type]


def _draw_announced(axes: Axes, plan: NightPlan) -> None:
    first, last = _span(plan)
    for entry in plan.announced:
        begins, ends = max(entry.begins, first), min(entry.ends or last, last)
        if entry.detector is None and begins < ends:
            axes.axvspan(begins, ends, facecolor="none", edgecolor=BAD, hatch="///", lw=0, alpha=0.35, zorder=1)  # type: ignore[arg-type]
            if axes.get_subplotspec() and axes.get_subplotspec().is_first_row():  # type: ignore[union-attr]
                place = begins + (ends - begins) / 2
                axes.text(place, 85, WORDS[entry.kind], ha="center", fontsize=8, color=BAD)  # type: ignore[arg-type]
    axes.grid(axis="x", color=LINE, lw=0.4)
