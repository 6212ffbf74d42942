"""Maps of coverage as pictures: the whole sky for large surveys, each field by itself for small ones.

A picture brings its own dark ground, on which it reads by day and at night. The same maps give the same bytes.
"""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from astropy_healpix.core import xyz_to_healpix
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from nightshift.coverage.depth_map import DepthMap
from nightshift.coverage.footprints import unit_vectors
from nightshift.coverage.map_keys import MapKey
from nightshift.coverage.map_rows import area_text
from nightshift.coverage.sky_regions import SkyRegion, regions_of
from nightshift.night_end.report_colours import PICTURE

__all__ = ["Quantity", "draw_coverage"]

Quantity = Literal["depth", "exposures"]

UNSEEN = "#243140"
COLOURS = {"depth": "viridis", "exposures": "magma"}
LABELS = {"depth": "limiting magnitude (5σ, all exposures)", "exposures": "exposures"}
WHOLE_SKY_FROM_DEG2 = 1500.0  # seen
MOST_REGIONS = 4
RASTER = 220  # places along a panel's side
WIDTH = 7.2  # inches


class Shown(NamedTuple):
    """One row of the picture."""

    title: str
    depth_map: DepthMap


@dataclass(frozen=True)
class Scale:
    """What colours mean in all panels of a picture."""

    quantity: Quantity
    norm: Normalize

    def values(self, depth_map: DepthMap) -> np.ndarray:
        """Return what is shown of each pixel."""
        return depth_map.depth if self.quantity == "depth" else depth_map.exposures.astype(float)


def draw_coverage(maps: Mapping[MapKey, DepthMap], quantity: Quantity = "depth") -> bytes:
    """Return the maps of one instrument as a PNG: a row a filter.

    Parameters
    ----------
    maps : mapping of MapKey to DepthMap
        All of one night, or all of all nights.
    quantity : {'depth', 'exposures'}

    Returns
    -------
    bytes
    """
    shown = [Shown(_title(key, depth_map), depth_map) for key, depth_map in maps.items() if len(depth_map.pixels)]
    if not shown:
        return _nothing()
    scale = _scale([row.depth_map for row in shown], quantity)
    if max(row.depth_map.area_deg2 for row in shown) >= WHOLE_SKY_FROM_DEG2:
        return _whole_sky(shown, scale)
    return _fields(shown, scale)


def _title(key: MapKey, depth_map: DepthMap) -> str:
    relative = ", relative magnitudes" if key.relative else ""
    return f"{key.filter or 'no filter'}{relative}: {area_text(depth_map.area_deg2)}"


def _scale(maps: Sequence[DepthMap], quantity: Quantity) -> Scale:
    values = np.concatenate([m.depth if quantity == "depth" else m.exposures.astype(float) for m in maps])
    known = values[np.isfinite(values)]
    low, high = np.percentile(known, [2, 98]) if known.size else (0.0, 1.0)
    if quantity == "exposures":
        low, high = 0.0, known.max()
    room = 0.05 if high - low < 0.1 else 0.0
    return Scale(quantity, Normalize(low - room, high + room, clip=True))


# --- the whole sky ------------------------------------------------------------------------------------------


def _whole_sky(shown: list[Shown], scale: Scale) -> bytes:
    figure, panels = _figure(len(shown), 1, WIDTH * 0.52 * len(shown) + 0.5)
    x, y, directions, inside = _mollweide()
    for axes, row in zip(panels.flat, shown, strict=True):
        image = np.full(inside.shape, np.nan)
        image[inside] = _values_at(row.depth_map, scale, directions[inside])
        _paint(axes, image, inside, (x[0], x[-1], y[0], y[-1]), scale)
        _graticule(axes)
        axes.set_title(row.title, loc="left", fontsize=9, color=PICTURE.ink)
        axes.set_aspect("equal")
        axes.set_axis_off()
    return _png(figure, panels, scale)


def _mollweide() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return the places of a picture of the whole sky, the direction of each, and which are on the sky at all."""
    x, y = np.linspace(2, -2, 4 * RASTER), np.linspace(-1, 1, 2 * RASTER)  # right ascension grows to the left
    across, up = np.meshgrid(x, y)
    inside = across**2 / 4 + up**2 < 1
    angle = np.arcsin(np.clip(up, -1, 1))
    sine = np.clip((2 * angle + np.sin(2 * angle)) / np.pi, -1, 1)
    longitude = np.pi * across / (2 * np.maximum(np.cos(angle), 1e-9))
    directions = unit_vectors(np.degrees(np.where(inside, longitude, 0)), np.degrees(np.arcsin(sine)))
    return x, y, directions, inside


def _graticule(axes: Axes) -> None:
    dec = np.linspace(-90, 90, 181)
    for ra in range(-180, 181, 60):
        axes.plot(*_on_mollweide(np.full(dec.shape, float(ra)), dec), color=PICTURE.line, lw=0.6)
    ra_all = np.linspace(-180, 180, 181)
    for parallel in (-60, -30, 0, 30, 60):
        axes.plot(*_on_mollweide(ra_all, np.full(ra_all.shape, float(parallel))), color=PICTURE.line, lw=0.6)
    for hours in (20, 0, 4):
        place = _on_mollweide(np.array([15.0 * hours if hours < 12 else 15.0 * hours - 360]), np.array([0.0]))
        axes.annotate(
            f"{hours} h", (place[0][0], place[1][0]), fontsize=7, color=PICTURE.faint, ha="right", va="bottom"
        )


def _on_mollweide(ra_deg: np.ndarray, dec_deg: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    target = np.pi * np.sin(np.radians(dec_deg))
    angle = np.radians(dec_deg)
    for _ in range(30):  # Newton's steps
        slope = np.maximum(2 + 2 * np.cos(2 * angle), 1e-6)
        angle = angle - (2 * angle + np.sin(2 * angle) - target) / slope
    return 2 * np.radians(ra_deg) / np.pi * np.cos(angle), np.sin(angle)


# --- field by field -----------------------------------------------------------------------------------------


def _fields(shown: list[Shown], scale: Scale) -> bytes:
    regions = _regions(shown)
    columns = min(len(regions), MOST_REGIONS)
    side = WIDTH / max(columns, 2)
    figure, panels = _figure(len(shown), columns, len(shown) * side + 0.8)
    for row, line in zip(shown, panels, strict=True):
        for axes, region in zip(line, regions, strict=False):
            _field_panel(axes, row.depth_map, region, scale)
        line[0].set_ylabel(row.title, fontsize=8, color=PICTURE.ink)
    for axes in panels[-1]:
        axes.set_xlabel("degrees from the centre", fontsize=7, color=PICTURE.faint)
    for axes, region in zip(panels[0], regions, strict=False):
        axes.set_title(f"{region.ra_deg:.2f}° {region.dec_deg:+.2f}°", fontsize=8, color=PICTURE.ink)
    if left_out := len(regions) - columns:
        figure.suptitle(f"the {columns} largest of {columns + left_out} regions", fontsize=8, color=PICTURE.faint)
    return _png(figure, panels, scale)


def _regions(shown: list[Shown]) -> list[SkyRegion]:
    """Return the regions that were seen in any filter, the largest first."""
    order = max(row.depth_map.order for row in shown)
    alike = [row.depth_map for row in shown if row.depth_map.order == order]
    return regions_of(DepthMap.empty(order).plus(*alike))


def _field_panel(axes: Axes, depth_map: DepthMap, region: SkyRegion, scale: Scale) -> None:
    half = 1.08 * region.radius_deg
    offsets = np.linspace(half, -half, RASTER)  # east is left
    east, north = np.meshgrid(np.tan(np.radians(offsets)), np.tan(np.radians(offsets[::-1])))
    ra = np.radians(region.ra_deg)
    towards_east = np.array([-np.sin(ra), np.cos(ra), 0.0])
    towards_north = np.cross(region.centre, towards_east)
    places = region.centre + east[..., None] * towards_east + north[..., None] * towards_north
    places /= np.linalg.norm(places, axis=-1, keepdims=True)
    everywhere = np.ones(east.shape, bool)
    _paint(axes, _values_at(depth_map, scale, places), everywhere, (half, -half, -half, half), scale)
    axes.tick_params(labelsize=7, colors=PICTURE.faint, length=2)
    for side in axes.spines.values():
        side.set_color(PICTURE.line)


# --- both ---------------------------------------------------------------------------------------------------


def _values_at(depth_map: DepthMap, scale: Scale, directions: np.ndarray) -> np.ndarray:
    """Return what is shown at each direction; NaN where nothing was seen."""
    wanted = xyz_to_healpix(*np.moveaxis(directions, -1, 0), 2**depth_map.order, order="nested")
    if not len(depth_map.pixels):
        return np.full(wanted.shape, np.nan)
    place = np.searchsorted(depth_map.pixels, wanted).clip(max=len(depth_map.pixels) - 1)
    return np.where(depth_map.pixels[place] == wanted, scale.values(depth_map)[place], np.nan)


def _paint(
    axes: Axes, image: np.ndarray, sky: np.ndarray, extent: tuple[float, float, float, float], scale: Scale
) -> None:
    axes.set_facecolor(PICTURE.ground)
    ground = np.zeros((*sky.shape, 4))
    ground[sky] = [int(UNSEEN[k : k + 2], 16) / 255 for k in (1, 3, 5)] + [1.0]
    axes.imshow(ground, origin="lower", extent=extent, interpolation="nearest")
    axes.imshow(
        np.ma.masked_invalid(image), origin="lower", extent=extent, interpolation="nearest",
        cmap=COLOURS[scale.quantity], norm=scale.norm,
    )  # fmt: skip


def _figure(rows: int, columns: int, height: float) -> tuple[Figure, np.ndarray]:
    figure = Figure(figsize=(WIDTH, height), layout="constrained", facecolor=PICTURE.ground)
    return figure, figure.subplots(rows, columns, squeeze=False)


def _png(figure: Figure, panels: np.ndarray, scale: Scale) -> bytes:
    colours = ScalarMappable(scale.norm, COLOURS[scale.quantity])
    bar = figure.colorbar(colours, ax=list(panels.flat), location="bottom", aspect=50, fraction=0.04, pad=0.02)
    bar.set_label(LABELS[scale.quantity], fontsize=8, color=PICTURE.ink)
    bar.ax.tick_params(labelsize=7, colors=PICTURE.faint, length=2)
    bar.outline.set_edgecolor(PICTURE.line)
    return _saved(figure)


def _nothing() -> bytes:
    figure, panels = _figure(1, 1, 1.2)
    panels[0, 0].set_axis_off()
    panels[0, 0].text(0.5, 0.5, "nothing was observed", ha="center", va="center", fontsize=9, color=PICTURE.ink)
    return _saved(figure)


def _saved(figure: Figure) -> bytes:
    FigureCanvasAgg(figure)
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=200, facecolor=PICTURE.ground, metadata={"Software": None})
    return stream.getvalue()
