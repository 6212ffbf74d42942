"""Draw the pictures of docs/calibrated-frames.md from the depot of a reduced night of the NASA42 camera.

make night SURVEY=lowell42 RAW=/data/lowell-20190326
.venv/bin/python docs/draw_lowell.py var/lowell42/depot docs/images
"""

import argparse
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.table import Table
from astropy.time import Time
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from nightshift.inspect.pixel_pictures import LEGEND, OTHERS, SHOWN, binned, extent
from reduction.image.compression import NO_COMPRESSION, Compression, noise_of
from reduction.image.frame import Frame, read_frame, write_frame
from reduction.image.mask import MaskBit
from reduction.measure.photometry import fit_sources
from reduction.measure.psf import PsfModel

INK, RED, BLUE = "#22303c", "#b3362b", "#2b6cb0"
CROP = 220  # pixels
PRESCAN = 17  # raw columns before the first of the data section
CELLS = 8  # along each side, for residuals by place
PNG = {"dpi": 88, "facecolor": "white", "metadata": {"Software": None}}


@dataclass(frozen=True)
class Exposure:
    """What one frame's products say."""

    folder: Path
    header: fits.Header
    sources: Table

    @property
    def hours(self) -> float:
        """Mid-exposure, hours of UT."""
        return 24 * (float(self.header["MJD-MID"]) % 1)

    def residuals(self) -> tuple[np.ndarray, ...]:
        """Return x, y (pixels), east and north (milliarcseconds) of the matched stars."""
        matched = np.isfinite(self.sources["east_off"]) & np.asarray(self.sources["star"], bool)
        columns = (np.asarray(self.sources[name], float)[matched] for name in ("x", "y", "east_off", "north_off"))
        x, y, east, north = columns
        return x, y, 1e3 * east, 1e3 * north


def exposures_of(depot: Path) -> list[Exposure]:
    """Return the reduced frames in order of time."""
    folders = [path.parent for path in (depot / "processed").rglob("sources.fits")]
    found = [
        Exposure(f, fits.getheader(f / "calibrated.fits", "SCI"), Table.read(f / "sources.fits")) for f in folders
    ]
    return sorted(found, key=lambda exposure: float(exposure.header["MJD-MID"]))


def save(figure: Figure, path: Path) -> None:
    """Write a figure as PNG."""
    FigureCanvasAgg(figure)
    figure.savefig(path, **PNG)
    print(f"{path}: {path.stat().st_size / 1e3:.0f} kB")


def show(axes: Axes, image: np.ndarray, title: str, *, low: float, high: float):
    """Show an image in grey."""
    axes.set_title(title, fontsize=9, loc="left")
    axes.tick_params(labelsize=7)
    return axes.imshow(
        binned(image), origin="lower", cmap="gray", vmin=low, vmax=high, extent=extent(image.shape), aspect="equal"
    )


def draw_flat(depot: Path) -> Figure:
    """Draw the master flat and cuts through its middle."""
    flat = read_frame(next((depot / "calibrations").rglob("flat.fits")))
    figure = Figure(figsize=(9.0, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    picture = show(left, flat.image, f"Master flat of {flat.header['NFRAMES']} twilight frames", low=0.2, high=1.1)
    figure.colorbar(picture, ax=left, shrink=0.85)
    rows, columns = flat.shape
    right.plot(flat.image[rows // 2 - 5 : rows // 2 + 6].mean(axis=0), lw=0.7, color=BLUE, label="middle rows")
    middle = flat.image[:, columns // 2 - 5 : columns // 2 + 6].mean(axis=1)
    right.plot(middle, lw=0.7, color=RED, label="middle columns")
    right.plot(np.diagonal(flat.image), lw=0.5, color=INK, alpha=0.6, label="diagonal")
    right.set_ylim(0, 1.2)
    right.set_xlabel("pixel")
    right.set_title("Cuts through it", fontsize=9, loc="left")
    right.legend(fontsize=8, frameon=False)
    return figure


def draw_frame(depot: Path, exposure: Exposure) -> Figure:
    """Draw a frame before and after, whole and a piece of it, with its mask."""
    calibrated, raw = read_frame(exposure.folder / "calibrated.fits"), raw_of(depot, exposure)
    noise = float(exposure.header["BKGRMS"])
    middle, spread = float(np.median(raw)), float(np.percentile(raw, 84) - np.percentile(raw, 16)) / 2
    figure = Figure(figsize=(9.0, 7.4), layout="constrained")
    grid = figure.subplots(2, 2)
    name = exposure.header["EXPID"]
    show(grid[0, 0], raw, f"{name} as it came (ADU)", low=middle - 2 * spread, high=middle + 3 * spread)
    show(grid[0, 1], calibrated.image, "calibrated, sky subtracted (electrons)", low=-2 * noise, high=6 * noise)
    top, left = (int(place) for place in _where_it_was_hit(calibrated))
    piece = np.s_[top : top + CROP, left : left + CROP]
    show(
        grid[1, 0],
        raw[:, PRESCAN:][piece],
        f"a piece of it, from ({left}, {top})",
        low=middle - spread,
        high=middle + 3 * spread,
    )
    show(grid[1, 1], calibrated.image[piece], "the same, its mask in colour", low=-2 * noise, high=10 * noise)
    mask = calibrated.mask[piece]
    for (label, colour), bits in zip(LEGEND.items(), (*SHOWN, OTHERS), strict=True):
        y, x = np.nonzero(mask & np.uint16(bits))
        if len(x):
            grid[1, 1].plot(x, y, "s", ms=1.6, color=colour, label=f"{label}: {len(x)} px")
    grid[1, 1].legend(fontsize=7, loc="upper right")
    return figure


def raw_of(depot: Path, exposure: Exposure) -> np.ndarray:
    """Return the raw image of a frame, with its overscan."""
    path = next((depot / "raw").rglob(f"{exposure.header['EXPID']}.fits*"))
    with fits.open(path) as units:
        return np.asarray(units[-1].data, np.float32)


def _where_it_was_hit(frame: Frame) -> tuple[int, int]:
    """Return the corner of the piece, away from the edges, with most radiation hits."""
    hits = (frame.mask & np.uint16(MaskBit.SPIKE)) != 0
    step, rows, columns = CROP // 2, *frame.shape
    places = [(r, c) for r in range(150, rows - CROP - 150, step) for c in range(150, columns - CROP - 150, step)]
    return max(places, key=lambda p: int(hits[p[0] : p[0] + CROP, p[1] : p[1] + CROP].sum()))


def draw_astrometry(exposures: list[Exposure]) -> Figure:
    """Draw the residuals of all frames by place, and their scatter through the night."""
    matched = [e for e in exposures if np.isfinite(e.sources["east_off"]).any()]
    x, y, east, north = (np.concatenate(values) for values in zip(*(e.residuals() for e in matched), strict=True))
    side = max(float(x.max()), float(y.max())) + 1
    cell = (y * CELLS / side).astype(int) * CELLS + (x * CELLS / side).astype(int)
    known = [c for c in range(CELLS**2) if (cell == c).sum() > 20]
    mean = np.array([[np.median(v[cell == c]) for v in (x, y, east, north)] for c in known]).T
    figure = Figure(figsize=(9.0, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    arrows = left.quiver(*mean, angles="xy", scale_units="xy", scale=10 / (side / CELLS), color=INK, width=0.004)
    left.quiverkey(arrows, 0.85, 1.03, 10, "10 mas", labelpos="E", fontproperties={"size": 8})
    left.set_aspect("equal")
    left.set_title("median residual by place", fontsize=9, loc="left")
    print(f"{len(x)} matches, {np.hypot(*mean[2:]).mean():.1f} mas in the mean cell")
    hours = [e.hours for e in matched]
    for axis, colour, label in ((2, BLUE, "east"), (3, RED, "north")):
        scatter = [1.4826 * np.median(np.abs(e.residuals()[axis])) for e in matched]
        right.plot(hours, scatter, "o-", ms=3, lw=0.7, color=colour, label=label)
    right.set_ylim(0, None)
    right.set_ylabel("scatter of a star (mas)")
    right.set_xlabel("UT (h)")
    right.set_title("against the night's first frame", fontsize=9, loc="left")
    right.legend(fontsize=8, frameon=False)
    return figure


def draw_zero_points(exposures: list[Exposure]) -> Figure:
    """Draw the zero point through the night, with what may explain it."""
    shown = exposures[1:]  # the first is the catalogue of the others
    hours = [e.hours for e in shown]
    zero = np.array([float(e.header["MAGZP"]) for e in shown])
    error = np.array([float(e.header["MAGZPUNC"]) for e in shown])
    airmass = np.array([float(e.header["AIRMASS"]) for e in shown])
    slope, start = np.polyfit(airmass, zero, 1)
    figure = Figure(figsize=(9.0, 6.0), layout="constrained")
    upper, middle, lower = figure.subplots(3, 1, sharex=True, height_ratios=[2, 1, 1])
    upper.errorbar(hours, zero, error, fmt="o", ms=3.5, lw=0.8, color=BLUE, label="zero point")
    upper.plot(hours, start + slope * airmass, lw=0.8, color=RED, label=f"{slope:+.3f} mag an airmass")
    upper.set_ylabel("mag (first frame: 25)")
    upper.legend(fontsize=8, frameon=False)
    fwhm = [float(e.header["FWHM"]) * float(e.header["PIXSCALE"]) for e in shown]
    middle.plot(hours, fwhm, "o-", ms=3, lw=0.7, color=INK)
    middle.set_ylabel("FWHM (arcsec)")
    lower.semilogy(hours, [float(e.header["BKGLEVEL"]) for e in shown], "o-", ms=3, lw=0.7, color=INK)
    lower.set_ylabel("sky (electrons)")
    lower.set_xlabel("UT (h)")
    print(f"zero point {zero.min():.3f} to {zero.max():.3f}, {slope:+.3f} mag an airmass, "
          f"{1.4826 * np.median(np.abs(zero - start - slope * airmass)):.4f} about it")  # fmt: skip
    return figure


def draw_compression(exposure: Exposure) -> Figure:
    """Draw what quantising a frame saves and loses, by its steps to the noise."""
    frame = read_frame(exposure.folder / "calibrated.fits")
    noise, steps = noise_of(frame.variance), (2, 4, 8, 16, 32, 64)
    # the file is compressed already: without this its own steps would be found again and nothing lost anew
    blur = np.random.default_rng(1).uniform(-0.5, 0.5, frame.shape) * noise / 16
    frame = replace(frame, image=(frame.image + blur).astype(np.float32))
    packed = {step: _through_a_file(frame, Compression(masks=True, steps_per_noise=step)) for step in steps}
    plain = _through_a_file(frame, NO_COMPRESSION)[0]
    growth = {
        k: 100 * (np.hypot(1, float((f.image - frame.image).std()) / noise) - 1) for k, (_, f) in packed.items()
    }
    figure = Figure(figsize=(9.0, 3.8), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.plot(steps, [packed[k][0] / plain for k in steps], "o-", ms=4, color=BLUE, label="of the uncompressed size")
    left.loglog(steps, [growth[k] / 100 for k in steps], "o-", ms=4, color=RED, label="growth of the noise")
    left.axvline(16, lw=0.6, color=INK)
    left.set_xticks(steps, [str(step) for step in steps])
    left.minorticks_off()
    left.set_xlabel("steps to the noise of a pixel")
    left.set_title("fraction", fontsize=9, loc="left")
    left.legend(fontsize=8, frameon=False)
    sources = exposure.sources[np.asarray(exposure.sources["star"], bool)]
    with fits.open(exposure.folder / "calibrated.fits") as units:
        psf = PsfModel.from_hdu(units["PSF"])
    x, y, sky = np.asarray(sources["x"]), np.asarray(sources["y"]), np.full(frame.shape, noise**2, np.float32)
    before, after = (
        fit_sources(image.image, sky, image.mask, x, y, psf, aperture_radius_px=4.0)
        for image in (frame, packed[16][1])
    )
    moved = (after.flux - before.flux) / before.flux_err
    right.hist(np.clip(moved, -0.1, 0.1), bins=41, color=BLUE)
    right.set_xticks([-0.1, -0.05, 0, 0.05, 0.1])
    right.set_xlabel("change of a star's flux, in units of its error")
    right.set_title(f"{len(moved)} stars at 16 steps", fontsize=9, loc="left")
    print(f"compressed to {packed[16][0] / plain:.3f}, noise grows by {growth[16]:.3f}%, fluxes by "
          f"{moved.std():.4f} of their errors, {100 * np.median(after.flux / before.flux - 1):+.5f}%")  # fmt: skip
    return figure


def _through_a_file(frame: Frame, compression: Compression) -> tuple[int, Frame]:
    """Return the size of a frame's file and what is read back from it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "frame.fits"
        with path.open("x+b") as stream:
            write_frame(stream, frame, (), compression)
        return path.stat().st_size, read_frame(path)


def main() -> None:
    """Draw all of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("depot", type=Path)
    parser.add_argument("output", type=Path)
    options = parser.parse_args()
    exposures = exposures_of(options.depot)
    first, last = (Time(e.header["MJD-MID"], format="mjd").iso[:16] for e in (exposures[0], exposures[-1]))
    print(f"{len(exposures)} frames from {first} to {last}")
    save(draw_flat(options.depot), options.output / "lowell-flat.png")
    middle = exposures[len(exposures) // 3]
    save(draw_frame(options.depot, middle), options.output / "lowell-frame.png")
    save(draw_compression(middle), options.output / "lowell-compression.png")
    save(draw_astrometry(exposures), options.output / "lowell-astrometry.png")
    save(draw_zero_points(exposures), options.output / "lowell-zero-points.png")


if __name__ == "__main__":
    main()
