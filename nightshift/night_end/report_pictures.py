"""The pictures of the morning's report, drawn from its facts. The same facts give the same bytes."""

import tarfile
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Any

import matplotlib.dates
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from nightshift.completeness import recovered_by_signal
from nightshift.ledger.queries.night_end import AlertOnSky
from nightshift.night_end.facts import CameraFacts, MeasuredExposure, NightFacts
from nightshift.night_end.report_colours import PICTURE, SPARE_COLOURS, colour_of
from nightshift.night_end.report_drawing import SMALL, WIDTH_PX, WORDS, new_figure, png_of, say, tidy
from nightshift.night_end.report_elements import Picture
from nightshift.vocabulary.measurements import panels
from reduction.image.cutouts import read_cutouts

__all__ = ["draw_all"]

MOST_FIELDS = 6
SHORTEST = timedelta(hours=1)  # that a picture against time shows
KINDS_OF_STAMP = {"science": "science", "template": "reference", "difference": "difference"}


def draw_all(facts: NightFacts, depot: Path) -> list[Picture]:
    """Draw each camera's timeline and the sky, and where there are any, completeness and the best stamps."""
    pictures = [*(_timeline(facts, camera) for camera in facts.cameras), _sky(facts)]
    if facts.completeness.quadrants:
        pictures.append(_completeness(facts))
    if stamps := _stamps(facts, depot):
        pictures.append(stamps)
    return [*pictures, *(picture for placed in facts.parts for picture in placed.part.pictures)]


def _timeline(facts: NightFacts, camera: CameraFacts) -> Picture:
    """Draw the measurements of each exposure against its time, gaps shaded, rejected frames crossed."""
    shown = panels()
    figure = new_figure(120 * len(shown) + 60)
    all_axes = list(figure.subplots(len(shown), 1, sharex=True, squeeze=False).flat)
    names = sorted({exposure.filter for exposure in facts.exposures})
    for axes, (measurement, panel) in zip(all_axes, shown, strict=True):
        scale = camera.pixel_scale_arcsec if panel.in_arcsec else 1.0
        for name in names:
            chosen = [exposure for exposure in camera.timeline if exposure.filter == name]
            _points(axes, chosen, measurement.name, scale, colour_of(name, names))
        for begin, end in camera.open_time.gaps:
            axes.axvspan(begin, end, color=PICTURE.code, lw=0, zorder=0)
        lost = [exposure.shutter_open for exposure in camera.timeline if measurement.name not in exposure.measured]
        axes.plot(
            lost, [0.05] * len(lost), "|", color=PICTURE.bad, ms=8, mew=1.6, transform=axes.get_xaxis_transform()
        )
        axes.set_title(panel.title, loc="left", pad=4, **WORDS)
        axes.yaxis.set_major_locator(MaxNLocator(nbins=4, min_n_ticks=2))
        axes.grid(axis="y", color=PICTURE.line, lw=0.6)
        axes.margins(y=0.2)
        tidy(axes)
    _time_axis(all_axes, camera)
    _legend(figure, camera, [measurement.name for measurement, _ in shown], names)
    return _timeline_picture(facts, camera, png_of(figure))


def _time_axis(all_axes: Sequence[Axes], camera: CameraFacts) -> None:
    """Let the time run over the night's exposures, and half an hour to each side where that is next to nothing."""
    if not camera.timeline:
        for axes in all_axes:
            say(axes, "no science exposure tonight")
        return
    begins = camera.timeline[0].shutter_open
    ends = max(exposure.shutter_open + timedelta(seconds=exposure.exposure_s) for exposure in camera.timeline)
    beside = max(0.03 * (ends - begins), (SHORTEST - (ends - begins)) / 2)
    all_axes[-1].set_xlim(begins - beside, ends + beside)  # type: ignore[arg-type]  # matplotlib takes moments
    # matplotlib gives no types for what follows
    locator = matplotlib.dates.AutoDateLocator(minticks=3, maxticks=7)  # type: ignore[no-untyped-call]
    all_axes[-1].xaxis.set_major_locator(locator)
    formatter = matplotlib.dates.DateFormatter("%H:%M")  # type: ignore[no-untyped-call]
    all_axes[-1].xaxis.set_major_formatter(formatter)
    all_axes[-1].set_xlabel("UTC, opening of the shutter", **SMALL)


def _timeline_picture(facts: NightFacts, camera: CameraFacts, png: bytes) -> Picture:
    """Return the picture with its words; where the site has several cameras they say of which it is."""
    *others, last = (panel.called or measurement.label for measurement, panel in panels())
    drawn = f"{', '.join(others)} and {last}" if others else last
    bad = sum(not exposure.good for exposure in camera.timeline)
    several = facts.has_several_cameras
    return Picture(
        f"timeline_{camera.instrument}" if several else "timeline",
        f"The night in time: {camera.instrument}" if several else "The night in time",
        f"{drawn[0].upper()}{drawn[1:]} of {len(camera.timeline)} exposures against UTC; "
        f"{bad} of them without a good measurement are crossed, {len(camera.open_time.gaps)} gaps are shaded.",
        png,
        WIDTH_PX,
        leads=True,
    )


def _points(axes: Axes, exposures: list[MeasuredExposure], name: str, scale: float, colour: str) -> None:
    for good, marker in ((True, "o"), (False, "x")):
        chosen = [exposure for exposure in exposures if exposure.good is good and name in exposure.measured]
        if chosen:
            axes.plot(
                np.array([exposure.shutter_open for exposure in chosen]),
                [exposure.measured[name] * scale for exposure in chosen],
                marker, color=colour if good else PICTURE.bad, ms=5 if good else 6, mew=0 if good else 1.6,
            )  # fmt: skip


def _legend(figure: Figure, camera: CameraFacts, measurements: list[str], names: list[str]) -> None:
    """Say above the panels what the marks mean; a mark that nowhere occurs is not among them."""
    marks = [Line2D([], [], marker="o", ls="", color=colour_of(n, names), ms=6, mew=0, label=n or "no filter")
             for n in names if any(exposure.filter == n for exposure in camera.timeline)]  # fmt: skip
    if any(not exposure.good for exposure in camera.timeline):
        marks.append(Line2D([], [], marker="x", ls="", color=PICTURE.bad, ms=6, mew=1.6, label="not good"))
    if any(name not in exposure.measured for exposure in camera.timeline for name in measurements):
        marks.append(Line2D([], [], marker="|", ls="", color=PICTURE.bad, ms=8, mew=1.6, label="not measured"))
    if camera.open_time.gaps:
        marks.append(Line2D([], [], marker="s", ls="", color=PICTURE.line, ms=8, mew=0, label="no exposure"))
    if marks:
        figure.legend(
            handles=marks, loc="outside upper left", ncols=6, frameon=False, fontsize=10.5, labelcolor=PICTURE.ink,
            handletextpad=0.2, columnspacing=1.2, borderaxespad=0.2,
        )  # fmt: skip


def _sky(facts: NightFacts) -> Picture:
    """Draw where the alerts and the moving objects are, one panel a field."""
    counts: dict[int | None, int] = {exposure.field: 0 for exposure in facts.exposures}
    for alert in facts.sky.alerts:
        counts[alert.field] = counts.get(alert.field, 0) + 1
    fields = sorted(counts, key=lambda f: (-counts[f], f is None, f or 0))[:MOST_FIELDS]
    columns = min(max(len(fields), 1), 2)
    rows = max(-(-len(fields) // columns), 1)
    figure = new_figure(rows * min(WIDTH_PX / columns, 440) + 20 if fields else 120)
    panels = list(figure.subplots(rows, columns, squeeze=False).flat)
    names = sorted({exposure.filter for exposure in facts.exposures})
    for axes, field in zip(panels, fields, strict=False):
        _field_panel(axes, facts, field, names)
    if not fields:
        tidy(panels[0])
        say(panels[0], "no science exposure tonight")
    for axes in panels[max(len(fields), 1) :]:
        axes.set_axis_off()
    return Picture(
        "sky",
        "The night on the sky",
        f"{len(facts.sky.alerts)} alerts as rings by filter and {len(facts.sky.tracklets)} moving objects as "
        f"numbered lines, in {len(fields)} of {len(counts)} fields.",
        png_of(figure),
        WIDTH_PX,
    )


def _field_panel(axes: Axes, facts: NightFacts, field: int | None, names: list[str]) -> None:
    alerts = [alert for alert in facts.sky.alerts if alert.field == field]
    outlines = [_corners(row.corners_deg) for row in facts.sky.footprints if row.field == field]
    project, known = _projection(alerts, outlines)
    for outline in outlines:
        x, y = project(*outline.T)
        axes.fill(x, y, color=PICTURE.code, lw=0, zorder=0)
        axes.plot(np.append(x, x[0]), np.append(y, y[0]), color=PICTURE.line, lw=0.8, zorder=1)
    for place, name in enumerate(names):  # rings of their own size, for the same object shows in several filters
        chosen = [alert for alert in alerts if alert.filter == name]
        x, y = project(np.array([a.ra_deg for a in chosen]), np.array([a.dec_deg for a in chosen]))
        axes.plot(
            x, y, "o", mfc="none", mec=colour_of(name, names), ms=3.5 + 2.5 * place, mew=1.1, alpha=0.9, zorder=2
        )
    limits = _limits(project, alerts, outlines)
    _tracks(axes, facts, project, limits)
    axes.set_title(f"{facts.field_name(field)}: {len(alerts)} alerts", loc="left", **WORDS)
    tidy(axes)
    if not known:
        return say(axes, "nowhere known")
    axes.set_xlim(limits, -limits)  # east is left
    axes.set_ylim(-limits, limits)
    axes.set_aspect("equal")
    axes.set_xlabel("east of centre (arcmin)", **SMALL)
    axes.set_ylabel("north (arcmin)", **SMALL)
    return None


def _corners(stored: list[float]) -> np.ndarray:
    """Return a quadrant's corners as an array (4, 2) of ra, dec in degrees."""
    return np.asarray(stored, float).reshape(-1, 2)


def _projection(alerts: list[AlertOnSky], outlines: list[np.ndarray]) -> tuple[Callable[..., Any], bool]:
    """Return a function from (ra, dec) in degrees to offsets in arcmin from the middle, and whether there is one."""
    points = outlines or [np.array([[a.ra_deg, a.dec_deg]]) for a in alerts]
    if not points:
        return lambda ra, dec: (ra * 0.0, dec * 0.0), False
    ra, dec = np.concatenate(points).T
    centre_ra = np.degrees(np.angle(np.exp(1j * np.radians(ra)).mean()))
    centre_dec = (dec.min() + dec.max()) / 2

    def project(ra: np.ndarray, dec: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        east = (np.asarray(ra) - centre_ra + 180) % 360 - 180
        return 60 * east * np.cos(np.radians(centre_dec)), 60 * (np.asarray(dec) - centre_dec)

    return project, True


def _limits(project: Callable[..., Any], alerts: list[AlertOnSky], outlines: list[np.ndarray]) -> float:
    points = outlines or [np.array([[a.ra_deg, a.dec_deg]]) for a in alerts]
    if not points:
        return 1.0
    x, y = project(*np.concatenate(points).T)
    return 1.05 * float(max(np.abs(x).max(), np.abs(y).max(), 0.1))


def _tracks(axes: Axes, facts: NightFacts, project: Callable[..., Any], limit: float) -> None:
    """Draw the moving objects whose first position lies in the panel."""
    for tracklet in facts.sky.tracklets:
        path = [p for p in facts.sky.tracklet_positions if p.number == tracklet.number]
        if not path:
            continue
        x, y = project(np.array([p.ra_deg for p in path]), np.array([p.dec_deg for p in path]))
        if abs(x[0]) > limit or abs(y[0]) > limit:
            continue
        axes.plot(x, y, "-", color=PICTURE.ink, lw=1.4, zorder=3)
        axes.plot(x[-1:], y[-1:], "o", color=PICTURE.ink, ms=4, zorder=4)
        axes.annotate(
            str(tracklet.number), (x[-1], y[-1]), xytext=(5, 4), textcoords="offset points", fontweight="bold",
            **WORDS,
        )  # fmt: skip


def _completeness(facts: NightFacts) -> Picture:
    """Draw the share found by signal to noise, with what the numbers leave open."""
    figure = new_figure(190)
    axes = figure.subplots()
    rows = recovered_by_signal(asdict(facts.completeness))
    for place, row in enumerate(reversed(rows)):
        if row.share is not None and row.interval is not None:
            axes.plot(
                [100 * bound for bound in row.interval], [place, place], color=SPARE_COLOURS[0], lw=3, alpha=0.6
            )
            axes.plot(100 * row.share, place, "o", color=SPARE_COLOURS[0], ms=7, mew=0)
    axes.set_yticks(range(len(rows)), [f"S/N {row.label}" for row in reversed(rows)])
    axes.set_ylim(-0.6, len(rows) - 0.4)
    axes.set_xlim(0, 102)
    axes.grid(axis="x", color=PICTURE.line, lw=0.6)
    axes.set_xlabel("found (%), with the 95 % interval", **SMALL)
    tidy(axes)
    shares = "; ".join(f"S/N {row.label}: {row.recovered} of {row.injected}" for row in rows)
    return Picture(
        "completeness",
        "Completeness",
        f"Share of sources put in that were found: {shares}.",
        png_of(figure),
        WIDTH_PX,
    )


def _stamps(facts: NightFacts, depot: Path) -> Picture | None:
    """Draw science, reference and difference of the strongest detections, one object a column, in line."""
    stamps = [(row, images) for row in facts.sky.best if (images := _cutouts(depot / row.cutouts, row.number))]
    if not stamps:
        return None
    side, left, top, gap = 94, 40, 26, 5  # pixels of the picture as it is shown
    height = top + len(KINDS_OF_STAMP) * (side + gap) + gap
    figure = new_figure(height)
    figure.set_layout_engine("none")
    for column, (row, images) in enumerate(stamps):
        x = left + column * (side + gap)
        for line, kind in enumerate(KINDS_OF_STAMP):
            y = height - top - (line + 1) * (side + gap) + gap
            box = (x / WIDTH_PX, y / height, side / WIDTH_PX, side / height)
            _stamp(figure.add_axes(box), images.get(kind))
        text = f"{column + 1}: S/N {row.signal_to_noise:.0f}"
        figure.text((x + side / 2) / WIDTH_PX, 1 - 13 / height, text, ha="center", va="center", **WORDS)
    for line, label in enumerate(KINDS_OF_STAMP.values()):
        middle = 1 - (top + (line + 0.5) * (side + gap)) / height
        figure.text(18 / WIDTH_PX, middle, label, rotation=90, ha="center", va="center", **SMALL)
    named = ", ".join(row.object_id for row, _ in stamps)
    described = f"Science, reference and difference stamps of {len(stamps)} objects: {named}"
    return Picture("stamps", "The strongest alerts", described, png_of(figure), WIDTH_PX)


def _stamp(axes: Axes, image: np.ndarray | None) -> None:
    axes.set_axis_off()
    if image is None or not np.isfinite(image).any():
        axes.text(0.5, 0.5, "none", ha="center", va="center", transform=axes.transAxes, **SMALL)
        return
    low, high = np.nanpercentile(image, (1, 99.5))
    shown = {"vmin": low, "vmax": max(high, low + 1e-6)}
    axes.imshow(image, origin="lower", cmap="gray", aspect="auto", interpolation="nearest", **shown)


def _cutouts(path: Path, number: int) -> dict[str, np.ndarray]:
    """Read the stamps of one candidate. Those that do not read are left out: a report does not fail for them."""
    try:
        return read_cutouts(path, number)
    except (OSError, tarfile.TarError):
        return {}
