"""What the night made: products by kind and sources extracted, in sum and as they grew."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from nightshift.context import Context
from nightshift.keys import LIVE
from nightshift.ledger.queries import night_report as night_report_queries
from nightshift.ledger.queries.night_report import ProductsOfKind
from nightshift.night_end.report_colours import FILTER_COLOURS, PICTURE, SPARE_COLOURS
from nightshift.night_end.report_drawing import SMALL, WIDTH_PX, WORDS, new_figure, png_of, tidy
from nightshift.night_end.report_elements import MOVERS, Picture, Section, columns
from nightshift.night_end.report_parts import ReportPart, report_part
from nightshift.night_end.report_text import size
from nightshift.vocabulary import Tier

__all__ = ["products_of_night"]

TITLE = "Products and sources"
STEPS = 60  # of time, from the first product to the last
SHORTEST = timedelta(minutes=1)  # that the picture shows
UNITS = {"hours": 3600.0, "minutes": 60.0, "seconds": 1.0}
MOST_LINES = 7  # kinds that are drawn, the commonest
COLOURS = (*SPARE_COLOURS, FILTER_COLOURS["r"], FILTER_COLOURS["g"], FILTER_COLOURS["i"])


@report_part(TITLE, rank=10, after=MOVERS)
def products_of_night(context: Context, night: date) -> ReportPart:
    """Return a row a kind, how many sources were extracted, and a picture of both against time."""
    site, ledger = context.site.name, context.ledger
    kinds = night_report_queries.products_by_kind(ledger, site=site, night=night, campaign=LIVE)
    if not kinds:
        return ReportPart((Section(TITLE, (), [], "Nothing was made."),))
    begins, ends = _span(kinds)
    made = night_report_queries.products_in_time(
        ledger, site=site, night=night, campaign=LIVE, begins=begins, ends=ends, steps=STEPS
    )
    extracted = night_report_queries.sources_in_time(
        ledger, site=site, night=night, tier=Tier.PROCESSED, campaign=LIVE, begins=begins, ends=ends, steps=STEPS
    )
    by_kind: dict[str, dict[int, int]] = {}
    for row in made:
        by_kind.setdefault(row.kind, {})[row.step] = row.files
    sources = {row.step: row.sources for row in extracted}
    total = sum(sources.values())
    rows = [
        (row.kind, str(row.files), size(row.bytes), f"{row.first_made:%H:%M:%S}", f"{row.last_made:%H:%M:%S}")
        for row in kinds
    ]
    note = f"{total:,} sources were extracted from the science frames. Times are those of the machine."
    section = Section(TITLE, columns("Kind", ">Files", ">Size", ">First", ">Last"), rows, note, "products")
    return ReportPart((section,), (_picture(by_kind, sources, begins, ends),))


def _span(kinds: Sequence[ProductsOfKind]) -> tuple[datetime, datetime]:
    begins = min(row.first_made for row in kinds)
    return begins, max(max(row.last_made for row in kinds), begins + SHORTEST)


def _picture(
    by_kind: Mapping[str, Mapping[int, int]], sources: Mapping[int, int], begins: datetime, ends: datetime
) -> Picture:
    """Draw products by kind and sources, each as it grew, against the time since the first product."""
    seconds = (ends - begins).total_seconds()
    unit, unit_s = next((name, length) for name, length in UNITS.items() if seconds > 2 * length)
    times = np.linspace(0, seconds, STEPS + 1) / unit_s
    figure = new_figure(430)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    lines = _lines(by_kind)
    for (name, steps), colour in zip(lines, COLOURS, strict=False):
        above.plot(times, _grown(steps), color=colour, lw=2, label=f"{name} ({sum(steps.values())})")
    below.plot(times, _grown(sources), color=PICTURE.ink, lw=2)
    for axes, title in ((above, "products, by kind"), (below, "sources extracted")):
        _finish(axes, title, times[-1])
    above.legend(
        framealpha=0.85,
        facecolor=PICTURE.ground,
        edgecolor="none",
        fontsize=10.5,
        labelcolor=PICTURE.ink,
        loc="upper left",
        labelspacing=0.3,
    )
    below.set_xlabel(f"{unit} since the first product", **SMALL)
    described = ", ".join(f"{sum(steps.values())} {name}" for name, steps in lines)
    return Picture(
        "products",
        TITLE,
        f"Products by kind against time, up to {described}; and sources, up to {sum(sources.values())}.",
        png_of(figure),
        WIDTH_PX,
    )


def _lines(by_kind: Mapping[str, Mapping[int, int]]) -> list[tuple[str, dict[int, int]]]:
    """Return the commonest kinds with their steps; kinds that grew alike are one line."""
    alike: dict[tuple[tuple[int, int], ...], list[str]] = {}
    for kind, steps in sorted(by_kind.items()):
        alike.setdefault(tuple(sorted(steps.items())), []).append(kind)
    lines = [(", ".join(names), dict(steps)) for steps, names in alike.items()]
    return sorted(lines, key=lambda line: (-sum(line[1].values()), line[0]))[:MOST_LINES]


def _grown(of_steps: Mapping[int, int]) -> np.ndarray:
    """Return the sum up to each step, from nothing before the first."""
    return np.cumsum([0, *(of_steps.get(step, 0) for step in range(1, STEPS + 1))])


def _finish(axes: Axes, title: str, last: float) -> None:
    axes.set_title(title, loc="left", pad=4, **WORDS)
    axes.set_xlim(0, last)
    axes.set_ylim(bottom=0)
    axes.margins(y=0.1)
    axes.yaxis.set_major_locator(MaxNLocator(nbins=4, integer=True))
    axes.grid(axis="y", color=PICTURE.line, lw=0.6)
    tidy(axes)
