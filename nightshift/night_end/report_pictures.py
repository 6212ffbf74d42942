"""The pictures of the morning's report, drawn from its facts. The same facts give the same bytes."""

import io
import tarfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import matplotlib.dates
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from nightshift.completeness import recovered_by_signal
from nightshift.ledger.queries.night_end import AlertOnSky
from nightshift.night_end.facts import CameraFacts, MeasuredExposure, NightFacts
from nightshift.night_end.report_elements import Picture
from nightshift.vocabulary.measurements import panels
from reduction.image.cutouts import read_cutouts

__all__ = ["draw_all"]

INK, FAINT, LINE, BAD = "#22303c", "#7b8794", "#d9dee4", "#b3362b"
FILTER_COLOURS = {"g": "#2f855a", "r": "#c05621", "i": "#6b46c1", "z": "#1a202c", "V": "#2f855a", "VR": "#2b6cb0"}
SPARE_COLOURS = ("#2b6cb0", "#b7791f", "#97266d", "#285e61")
STYLE: dict[str, Any] = {"fontsize": 9, "color": INK}
MOST_FIELDS = 6


def draw_all(facts: NightFacts, depot: Path) -> list[Picture]:
    """Draw each camera's timeline and the sky, and where there are any, completeness and the best stamps."""
    pictures = [*(_timeline(facts, camera) for camera in facts.cameras), _sky(facts)]
    if facts.completeness.quadrants:
        pictures.append(_completeness(facts))
    if stamps := _stamps(facts, depot):
        pictures.append(stamps)
    return [*pictures, *(picture for part in facts.parts for picture in part.pictures)]


def colour_of(name: str, names: Iterable[str]) -> str:
    """Return a filter's colour: the same in every picture and table of a night."""
    if name in FILTER_COLOURS:
        return FILTER_COLOURS[name]
    others = sorted(n for n in set(names) if n not in FILTER_COLOURS)
    return SPARE_COLOURS[others.index(name) % len(SPARE_COLOURS)] if name in others else FAINT


def _png(figure: Figure) -> bytes:
    FigureCanvasAgg(figure)
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=200, facecolor="white", metadata={"Software": None})
    return stream.getvalue()


def _tidy(axes: Axes) -> None:
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(LINE)
    axes.tick_params(labelsize=8, colors=FAINT, length=3)


def _timeline(facts: NightFacts, camera: CameraFacts) -> Picture:
    """Draw the measurements of each exposure against its time, gaps shaded, rejected frames crossed."""
    shown = panels()
    figure = Figure(figsize=(7.2, 1.5 * len(shown)), layout="constrained")
    all_axes = list(figure.subplots(len(shown), 1, sharex=True, squeeze=False).flat)
    names = sorted({exposure.filter for exposure in facts.exposures})
    for axes, (measurement, panel) in zip(all_axes, shown, strict=True):
        scale = camera.pixel_scale_arcsec if panel.in_arcsec else 1.0
        for name in names:
            chosen = [exposure for exposure in camera.timeline if exposure.filter == name]
            _points(axes, chosen, measurement.name, scale, colour_of(name, names))
        for begin, end in camera.open_time.gaps:
            axes.axvspan(begin, end, color="#f1f3f6", lw=0, zorder=0)
        lost = [exposure.shutter_open for exposure in camera.timeline if measurement.name not in exposure.measured]
        axes.plot(lost, [0.04] * len(lost), "|", color=BAD, ms=7, mew=1.2, transform=axes.get_xaxis_transform())
        axes.set_ylabel(panel.title, **STYLE)
        axes.grid(axis="y", color=LINE, lw=0.5)
        axes.margins(y=0.15)
        _tidy(axes)
    _legend(all_axes[0], camera, shown[0][0].name, names)
    _time_axis(all_axes, camera)
    return _timeline_picture(facts, camera, _png(figure))


def _time_axis(all_axes: Sequence[Axes], camera: CameraFacts) -> None:
    if camera.timeline:
        # matplotlib gives no types for what follows
        locator = matplotlib.dates.AutoDateLocator(minticks=4, maxticks=9)  # type: ignore[no-untyped-call]
        all_axes[-1].xaxis.set_major_locator(locator)
        formatter = matplotlib.dates.DateFormatter("%H:%M")  # type: ignore[no-untyped-call]
        all_axes[-1].xaxis.set_major_formatter(formatter)
    else:
        _nothing(all_axes, "no science exposure tonight")
    all_axes[-1].set_xlabel("UTC, opening of the shutter", **STYLE)


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
        680,
        leads=True,
    )


def _points(axes: Axes, exposures: list[MeasuredExposure], name: str, scale: float, colour: str) -> None:
    for good, marker in ((True, "o"), (False, "x")):
        chosen = [exposure for exposure in exposures if exposure.good is good and name in exposure.measured]
        if chosen:
            axes.plot(
                np.array([exposure.shutter_open for exposure in chosen]),
                [exposure.measured[name] * scale for exposure in chosen],
                marker, color=colour if good else BAD, ms=4 if good else 6, mew=0 if good else 1.4,
            )  # fmt: skip


def _legend(axes: Axes, camera: CameraFacts, measurement: str, names: list[str]) -> None:
    """Say above the panel of a measurement what the marks mean."""
    for name in names:
        axes.plot([], [], "o", color=colour_of(name, names), ms=5, mew=0, label=name or "no filter")
    if any(not exposure.good for exposure in camera.timeline):
        axes.plot([], [], "x", color=BAD, ms=6, mew=1.4, label="not good")
    if any(measurement not in exposure.measured for exposure in camera.timeline):
        axes.plot([], [], "|", color=BAD, ms=7, mew=1.2, label="not measured")
    if camera.open_time.gaps:
        axes.plot([], [], "s", color="#e4e8ed", ms=7, mew=0, label="no exposure")
    if names:
        axes.legend(
            loc="lower left", bbox_to_anchor=(0, 1.0), ncols=8, frameon=False, fontsize=8, labelcolor=INK,
            handletextpad=0.2, columnspacing=1.2, borderaxespad=0.1,
        )  # fmt: skip


def _nothing(all_axes: Iterable[Axes], text: str) -> None:
    for axes in all_axes:
        axes.set_xticks([])
        axes.set_yticks([])
        axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", **STYLE)


def _sky(facts: NightFacts) -> Picture:
    """Draw where the alerts and the moving objects are, one panel a field."""
    counts: dict[int | None, int] = {exposure.field: 0 for exposure in facts.exposures}
    for alert in facts.sky.alerts:
        counts[alert.field] = counts.get(alert.field, 0) + 1
    fields = sorted(counts, key=lambda f: (-counts[f], f is None, f or 0))[:MOST_FIELDS]
    columns = min(max(len(fields), 1), 3 if len(fields) > 4 else 2)
    rows = max(-(-len(fields) // columns), 1)
    size = 7.2 / columns
    figure = Figure(figsize=(7.2, rows * min(size, 4.6) + 0.2), layout="constrained")
    panels = list(figure.subplots(rows, columns, squeeze=False).flat)
    names = sorted({exposure.filter for exposure in facts.exposures})
    for axes, field in zip(panels, fields, strict=False):
        _field_panel(axes, facts, field, names)
    if not fields:
        _nothing(panels[:1], "no science exposure tonight")
    for axes in panels[max(len(fields), 1) :]:
        axes.set_axis_off()
    return Picture(
        "sky",
        "The night on the sky",
        f"{len(facts.sky.alerts)} alerts as rings by filter and {len(facts.sky.tracklets)} moving objects as "
        f"numbered lines, in {len(fields)} of {len(counts)} fields.",
        _png(figure),
        680,
    )


def _field_panel(axes: Axes, facts: NightFacts, field: int | None, names: list[str]) -> None:
    alerts = [alert for alert in facts.sky.alerts if alert.field == field]
    outlines = [_corners(row.corners_deg) for row in facts.sky.footprints if row.field == field]
    project, known = _projection(alerts, outlines)
    for outline in outlines:
        x, y = project(*outline.T)
        axes.fill(x, y, color="#f3f5f8", lw=0, zorder=0)
        axes.plot(np.append(x, x[0]), np.append(y, y[0]), color=LINE, lw=0.6, zorder=1)
    for place, name in enumerate(names):  # rings of their own size, for the same object shows in several filters
        chosen = [alert for alert in alerts if alert.filter == name]
        x, y = project(np.array([a.ra_deg for a in chosen]), np.array([a.dec_deg for a in chosen]))
        axes.plot(x, y, "o", mfc="none", mec=colour_of(name, names), ms=3 + 2.5 * place, mew=0.9, alpha=0.7, zorder=2)
    limits = _limits(project, alerts, outlines)
    _tracks(axes, facts, project, limits)
    axes.set_title(f"{facts.field_name(field)}: {len(alerts)} alerts", loc="left", **STYLE)
    if not known:
        return _nothing([axes], "nowhere known")
    axes.set_xlim(limits, -limits)  # east is left
    axes.set_ylim(-limits, limits)
    axes.set_aspect("equal")
    axes.set_xlabel("east of centre (arcmin)", **{**STYLE, "fontsize": 8})
    axes.set_ylabel("north (arcmin)", **{**STYLE, "fontsize": 8})
    _tidy(axes)
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
        axes.plot(x, y, "-", color=INK, lw=1.2, zorder=3)
        axes.plot(x[-1:], y[-1:], "o", color=INK, ms=3.5, zorder=4)
        axes.annotate(
            str(tracklet.number), (x[-1], y[-1]), xytext=(5, 4), textcoords="offset points", fontsize=8, color=INK,
            fontweight="bold",
        )  # fmt: skip


def _completeness(facts: NightFacts) -> Picture:
    """Draw the share found by signal to noise, with what the numbers leave open."""
    figure = Figure(figsize=(7.2, 1.5), layout="constrained")
    axes = figure.subplots()
    rows = recovered_by_signal(asdict(facts.completeness))
    for place, row in enumerate(reversed(rows)):
        if row.share is not None and row.interval is not None:
            axes.plot(
                [100 * bound for bound in row.interval], [place, place], color=SPARE_COLOURS[0], lw=2.5, alpha=0.5
            )
            axes.plot(100 * row.share, place, "o", color=SPARE_COLOURS[0], ms=6, mew=0)
    axes.set_yticks(range(len(rows)), [f"S/N {row.label}" for row in reversed(rows)])
    axes.set_ylim(-0.6, len(rows) - 0.4)
    axes.set_xlim(0, 102)
    axes.grid(axis="x", color=LINE, lw=0.5)
    axes.set_xlabel("found (%), with the 95 % interval", **STYLE)
    _tidy(axes)
    shares = "; ".join(f"S/N {row.label}: {row.recovered} of {row.injected}" for row in rows)
    return Picture(
        "completeness", "Completeness", f"Share of sources put in that were found: {shares}.", _png(figure), 680
    )


def _stamps(facts: NightFacts, depot: Path) -> Picture | None:
    """Draw science, reference and difference of the strongest detections, one object a column."""
    columns = [(row, images) for row in facts.sky.best if (images := _cutouts(depot / row.cutouts, row.number))]
    if not columns:
        return None
    figure = Figure(figsize=(7.2, 4.0), layout="constrained")
    grid = figure.subplots(3, max(len(columns), 6), squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    for column, (row, images) in enumerate(columns):
        for axes, kind in zip(grid[:, column], ("science", "template", "difference"), strict=True):
            _stamp(axes, images.get(kind))
        magnitude = "" if row.magnitude is None else f"\n{row.filter} = {row.magnitude:.2f}"
        title = f"{row.object_id}{magnitude}\nS/N {row.signal_to_noise:.0f}"
        grid[0, column].set_title(title, fontsize=7.5, color=INK)
    for axes, label in zip(grid[:, 0], ("science", "reference", "difference"), strict=True):
        axes.text(
            -0.08, 0.5, label, transform=axes.transAxes, rotation=90, ha="right", va="center", fontsize=8, color=FAINT
        )
    return Picture(
        "stamps",
        "The strongest alerts",
        f"Science, reference and difference stamps of {len(columns)} objects: "
        + ", ".join(row.object_id for row, _ in columns),
        _png(figure),
        680,
    )


def _stamp(axes: Axes, image: np.ndarray | None) -> None:
    if image is None or not np.isfinite(image).any():
        axes.text(0.5, 0.5, "none", ha="center", va="center", fontsize=8, color=FAINT, transform=axes.transAxes)
        return
    low, high = np.nanpercentile(image, (1, 99.5))
    axes.imshow(image, origin="lower", cmap="gray", vmin=low, vmax=max(high, low + 1e-6), interpolation="nearest")


def _cutouts(path: Path, number: int) -> dict[str, np.ndarray]:
    """Read the stamps of one candidate. Those that do not read are left out: a report does not fail for them."""
    try:
        return read_cutouts(path, number)
    except (OSError, tarfile.TarError):
        return {}
