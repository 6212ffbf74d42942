"""The pictures of one quadrant, drawn from its calibrated image and its table of sources."""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.table import Table
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from nightshift.inspect.reading import header_of, plane, psf_of, table_of
from reduction.image.frame import Frame, read_frame
from reduction.image.mask import MaskBit
from reduction.measure.psf import PsfModel

__all__ = [
    "Picture", "above_sky", "axes_of", "binned", "draw", "draw_master", "draw_reference", "extent", "png", "taken",
]  # fmt: skip

SIDE = 720  # pixels of a drawn image, at most
SHOWN = (MaskBit.SATURATED | MaskBit.SPILLAGE, MaskBit.SPIKE, MaskBit.TRACK, MaskBit.DEAD | MaskBit.NAN)
OTHERS = MaskBit.LOW_RESPONSIVITY | MaskBit.HIGH_RESPONSIVITY | MaskBit.NOISY
LEGEND = {
    "saturated or bled": "#d64545", "radiation hit": "#f0b429", "trail": "#3ebd93",
    "dead or without value": "#3e4c59", "noisy or odd response": "#2186eb",
}  # fmt: skip
ARROWS = 400  # residual vectors at most
MASTER_UNITS = {"bias": "ADU", "dark": "electrons a second", "flat": "response relative to the median"}
GRID = 9  # places of the PSF along each side


@dataclass(frozen=True)
class Picture:
    """One picture: title, what is seen in it, its PNG, and whether it takes the page's whole width."""

    title: str
    description: str
    png: bytes
    wide: bool = False


def draw(files: Mapping[str, Path]) -> list[Picture]:
    """Draw all that the calibrated image and the table of sources allow, whichever are there."""
    calibrated, sources = files.get("calibrated"), files.get("sources")
    if calibrated is None:
        return []
    frame = read_frame(calibrated)
    pictures = [_image(frame), _mask(frame)]
    background, psf = plane(calibrated, "BACKGROUND"), psf_of(calibrated)
    if background is not None:
        pictures.append(_background(background, frame))
    if psf is not None:
        pictures.append(_psf(psf))
    if sources is not None:
        table = table_of(sources)
        if "east_off" in table.colnames and np.isfinite(table["east_off"]).sum() > 2:
            pictures += [_vectors(table, frame), _zero_points(table)]
    return pictures


def draw_master(path: Path, kind: str) -> list[Picture]:
    """Draw a master: its image, the uncertainty of its pixels, and what is masked in it."""
    frame = read_frame(path)
    unit = MASTER_UNITS[kind]
    variance = np.zeros(frame.shape, np.float32) if frame.variance is None else frame.variance
    noise = np.sqrt(np.maximum(variance, 0))
    frames = frame.header.get("NFRAMES")
    said = f"The combination of {frames} frames" if frames else f"The master {kind}"
    return [
        Picture(f"Master {kind}", f"{said}, averaged in blocks.", _within_its_range(frame.image, unit)),
        Picture("Uncertainty", "Of each pixel, averaged in blocks.", _within_its_range(noise, unit)),
        _mask(frame),
    ]


def draw_reference(path: Path) -> list[Picture]:
    """Draw what a reference has beside its image: its mask, how many frames each pixel is of, and its PSF."""
    frame = read_frame(path)
    pictures = [_mask(frame)]
    coverage, psf = plane(path, "COVERAGE"), psf_of(path)
    if coverage is not None:
        picture = _within_its_range(coverage, "frames", whole=True)
        pictures.append(Picture("Coverage", "How many frames each pixel is of.", picture))
    if psf is not None:
        pictures.append(_psf(psf))
    return pictures


def taken(files: Mapping[str, Path]) -> str:
    """Return filter, field, time, exposure and airmass of a frame by its calibrated image; nothing without one."""
    if "calibrated" not in files:
        return ""
    header = header_of(files["calibrated"])
    opened = str(header.get("DATE-OBS", "")).replace("T", " ")[:19]
    said = (
        ("filter {}", header.get("FILTER")), ("field {}", header.get("FIELDID")), ("opened {} UTC", opened),
        ("{:g} s", header.get("EXPTIME")), ("airmass {:.2f}", header.get("AIRMASS")),
    )  # fmt: skip
    return ", ".join(form.format(value) for form, value in said if value not in (None, ""))


def _within_its_range(image: np.ndarray, unit: str, *, whole: bool = False) -> bytes:
    """Draw an image between its first and last percents, or whole, averaged in blocks, as a PNG."""
    figure, axes = axes_of(image.shape)
    shown = binned(np.where(np.isfinite(image), image, np.float32(0)))
    low, high = (float(shown.min()), float(shown.max())) if whole else map(float, np.percentile(shown, (1, 99)))
    picture = axes.imshow(
        shown, origin="lower", cmap="viridis" if whole else "gray", vmin=low, vmax=max(high, low + 1e-9),
        extent=extent(image.shape), interpolation="nearest",
    )  # fmt: skip
    figure.colorbar(picture, ax=axes, shrink=0.8, label=unit)
    return png(figure)


def axes_of(frame_shape: tuple[int, int]) -> tuple[Figure, Axes]:
    """Return a figure with axes for a whole image, in pixels."""
    figure = Figure(figsize=(5.2, 5.0), layout="constrained")
    axes = figure.add_subplot()
    axes.set_xlim(-0.5, frame_shape[1] - 0.5)
    axes.set_ylim(-0.5, frame_shape[0] - 0.5)
    axes.set_aspect("equal")
    axes.set_xlabel("x (px)")
    axes.set_ylabel("y (px)")
    return figure, axes


def png(figure: Figure) -> bytes:
    """Return a figure as the bytes of a PNG file."""
    FigureCanvasAgg(figure)
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=110, facecolor="white", metadata={"Software": None})
    return stream.getvalue()


def binned(image: np.ndarray) -> np.ndarray:
    """Return the image averaged in blocks so that it is no larger than it is drawn."""
    size = max(1, -(-max(image.shape) // SIDE))
    rows, columns = (n // size * size for n in image.shape)
    means: np.ndarray = image[:rows, :columns].reshape(rows // size, size, columns // size, size).mean(axis=(1, 3))
    return means


def extent(shape: tuple[int, int]) -> tuple[float, float, float, float]:
    """Return where an image of this shape ends, as matplotlib wants it."""
    return -0.5, shape[1] - 0.5, -0.5, shape[0] - 0.5


def above_sky(image: np.ndarray) -> bytes:
    """Draw an image, shape (rows, columns) in electrons above the sky, averaged in blocks, as a PNG."""
    figure, axes = axes_of(image.shape)
    shown = binned(image)
    middle = float(np.median(shown))
    spread = 1.4826 * float(np.median(np.abs(shown - middle))) + 1e-6
    picture = axes.imshow(
        shown, origin="lower", cmap="gray", vmin=middle - 3 * spread, vmax=middle + 10 * spread,
        extent=extent(image.shape), interpolation="nearest",
    )  # fmt: skip
    figure.colorbar(picture, ax=axes, shrink=0.8, label="electrons above the sky")
    return png(figure)


def _image(frame: Frame) -> Picture:
    return Picture("Image", "The calibrated image, sky subtracted, averaged in blocks.", above_sky(frame.image))


def _mask(frame: Frame) -> Picture:
    figure, axes = axes_of(frame.shape)
    size = max(1, -(-max(frame.shape) // SIDE))
    for (name, colour), bits in zip(LEGEND.items(), (*SHOWN, OTHERS), strict=True):
        y, x = np.nonzero(frame.mask & np.uint16(bits))
        share = len(x) / frame.mask.size
        cells = np.unique(np.column_stack([y // size, x // size]), axis=0) * size + size / 2
        axes.plot(cells[:, 1], cells[:, 0], ",", color=colour)
        axes.plot([], [], "s", color=colour, label=f"{name}: {share:.3%}")
    figure.legend(loc="outside lower center", ncols=2, fontsize=7)
    return Picture("Mask", "Pixels that are not used, by cause, with their share.", png(figure))


def _background(level: np.ndarray, frame: Frame) -> Picture:
    figure, axes = axes_of(frame.shape)
    picture = axes.imshow(level, origin="lower", cmap="viridis", extent=extent(frame.shape))
    figure.colorbar(picture, ax=axes, shrink=0.8, label="electrons per pixel")
    return Picture("Sky", "The sky that was subtracted.", png(figure))


def _psf(psf: PsfModel) -> Picture:
    rows, columns = psf.image_shape
    figure, axes = axes_of((rows, columns))
    places = [(x, y) for y in np.linspace(0, rows - 1, GRID) for x in np.linspace(0, columns - 1, GRID)]
    widths = np.array([psf.fwhm(x, y) for x, y in places])
    shapes = np.array([psf.shape_at(x, y) for x, y in places])
    picture = axes.imshow(widths.reshape(GRID, GRID), origin="lower", cmap="cividis", extent=extent((rows, columns)))
    size = np.hypot(shapes[:, 1], shapes[:, 2])
    angle = 0.5 * np.arctan2(shapes[:, 2], shapes[:, 1]) + np.pi / 2  # e1 > 0 is narrow along x
    x, y = np.array(places).T
    axes.quiver(
        x, y, size * np.cos(angle), size * np.sin(angle), pivot="middle", headaxislength=0, headlength=0,
        headwidth=0, color="white", width=0.005, scale=2.0,
    )  # fmt: skip
    figure.colorbar(picture, ax=axes, shrink=0.8, label="FWHM (px)")
    said = (
        f"FWHM {widths.min():.2f} to {widths.max():.2f} px; sticks lie along the long axis and grow with the "
        f"ellipticity, {size.max():.3f} at most."
    )
    return Picture("PSF over the field", said, png(figure))


def _vectors(table: Table, frame: Frame) -> Picture:
    figure, axes = axes_of(frame.shape)
    some = np.flatnonzero(np.isfinite(table["east_off"]))[:ARROWS]  # the table is in order of brightness
    east, north = np.array(table["east_off"][some]), np.array(table["north_off"][some])
    scatter = 1.4826 * np.median(np.abs(np.concatenate([east, north])))
    arrows = axes.quiver(
        np.array(table["x"][some]), np.array(table["y"][some]), east, north, color="#22303c", width=0.002,
        angles="xy", scale_units="xy", scale=max(8 * scatter, 1e-4) / (0.2 * max(frame.shape)),
    )  # fmt: skip
    axes.set_title(" ")  # room for the key
    axes.quiverkey(arrows, 0.8, 1.04, 4 * scatter, f'{4 * scatter:.3f}"', labelpos="E")
    said = f"Measured less catalogue of the {len(some)} brightest matches, east along x, north along y; "
    said += f'{scatter:.3f}" an axis.'
    return Picture("Astrometric residuals", said, png(figure))


def _zero_points(table: Table) -> Picture:
    figure = Figure(figsize=(5.2, 5.0), layout="constrained")
    upper, lower = figure.subplots(2, 1)
    good = np.isfinite(table["mag_off"]) & np.asarray(table["star"], dtype=bool)
    off, magnitude = np.array(table["mag_off"][good]), np.array(table["mag"][good])
    upper.plot(magnitude, off, ".", ms=2, color="#2b6cb0")
    upper.set_ylim(-0.3, 0.3)
    upper.axhline(0, color="#b3362b", lw=0.8)
    upper.set_xlabel("measured magnitude")
    upper.set_ylabel("less catalogue (mag)")
    bright = np.argsort(magnitude)[: max(len(magnitude) // 2, 1)]
    places = np.array(table["x"][good])[bright], np.array(table["y"][good])[bright]
    picture = lower.scatter(*places, c=off[bright], s=6, cmap="coolwarm", vmin=-0.05, vmax=0.05)
    lower.set_aspect("equal")
    lower.set_xlabel("x (px)")
    lower.set_ylabel("y (px)")
    figure.colorbar(picture, ax=lower, label="less catalogue (mag)")
    scatter = 1.4826 * np.median(np.abs(off[bright] - np.median(off[bright])))
    said = f"Magnitudes of {good.sum()} stars against the catalogue; the brighter half scatters by {scatter:.3f} mag."
    return Picture("Zero-point residuals", said, png(figure))
