"""A real night (Lowell Observatory, 42 inch, 2019-03-26): what it claims to have found, before and after.

Two moving objects are in the field; all else that a frame's difference shows is taken for false, variable stars and
further movers included, so that the figures are upper limits. Frames are of 300 s, undersampled (1.5 to 2.7 px), full
of cosmic rays, and three bright stars lie in the rings of their own reflections, which wander from frame to frame.
The files are looked for in ``lowell-20190326`` of the folder that ``NIGHTSHIFT_DATA`` names.

``before_positive``, ``before_negative``
    Peaks of 5 sigma a frame, without rejection of cosmic rays, without the noise that stars leave, without any cut on
    what a peak looks like; the movers apart.
``candidates``, ``alerts``
    Candidates a frame as the jobs find them, and those that pass the survey's cuts on alerts; the movers apart.
``mover_a_found``, ``mover_b_found``, ``frames_of_movers``
    Frames between 0160 and 0188 whose candidates have it within 2 px of its path.
``tracklets``
    That link over the night. The movers are two of them.

``python -m benchmarks.lowell --keep FOLDER --pictures docs/images`` draws them and keeps the reduced frames, which a
second run with the same folder takes as they are.
"""

import argparse
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from rich.console import Console

from benchmarks._lowell import MEMBERS, Night, without_cosmic_rays_rejected
from nightshift.alerts.cuts import missed_cut
from nightshift.jobs.contract import UnitResult
from nightshift.kinds.difference.differencing import match_stars
from reduction.difference.candidates import find_peaks
from reduction.difference.difference import Difference, DifferenceSettings, make_difference
from reduction.image.cutouts import read_cutouts
from reduction.image.frame import read_frame
from reduction.measure.psf import PsfModel
from reduction.measure.zero_point import level
from reduction.moving.linking import Detections, LinkSettings, Tracklet, link

__all__ = ["run"]

# Where the two are in frames 0160 and 0188, in 1-based pixels of frame 0140.
GRID, SPAN = "0140", ("0160", "0188")
MOVERS = {"a": ((666.0, 709.0), (656.0, 691.0)), "b": ((253.5, 755.6), (220.9, 748.2))}
NEAR_PX = 2.0
PLAIN_EVERY = 6  # of the frames, for what there was before
PEAK_SIGMA = 5.0


@dataclass(frozen=True)
class Seen:
    """One frame's candidates.

    Parameters
    ----------
    number : str
    mjd : float
    wcs : WCS
    rows : list of dict
        As in the ledger's table.
    alerts : list of bool
        Which of them pass the survey's cuts.
    mover : dict of str to int
        Row of each mover that was found.
    """

    number: str
    mjd: float
    wcs: WCS
    rows: list[dict[str, Any]]
    alerts: list[bool]
    mover: dict[str, int]


def run(keep: Path | None = None, pictures: Path | None = None) -> dict[str, float]:
    """Return the figures; none, with a line that says so, where the night's files are not there."""
    if not Night.place().is_dir():
        Console().print(f"no night at {Night.place()}; set NIGHTSHIFT_DATA", soft_wrap=True)
        return {}
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        return _figures(Night(keep, Night.place()), pictures)
    with tempfile.TemporaryDirectory(prefix="nightshift-lowell-") as folder:
        return _figures(Night(Path(folder), Night.place()), pictures)


def _figures(night: Night, pictures: Path | None) -> dict[str, float]:
    _reduce(night)
    paths = _Paths(night)
    frames = [_seen(night, paths, number) for number in night.numbers]
    later = night.numbers[MEMBERS:]
    before = {number: _before(night, paths, number) for number in later[::PLAIN_EVERY]}
    plain = np.mean([[sum(p[2] > 0 for p in peaks), sum(p[2] < 0 for p in peaks)] for _, peaks in before.values()], 0)
    within = [frame for frame in frames if SPAN[0] <= frame.number <= SPAN[1]]
    tracklets = _tracklets(night, frames)
    if pictures is not None:
        _draw_before_and_after(night, before, frames, pictures / "lowell-before-after.png")
        _draw_movers(night, within, pictures / "lowell-movers.png")
    for tracklet in tracklets:
        Console().print(
            f"{len(tracklet.members)} detections, {tracklet.rate_deg_per_day:.3f} deg/day, "
            f"residual {tracklet.residual_arcsec:.2f} arcsec", soft_wrap=True,
        )  # fmt: skip
    return {
        "before_positive": round(float(plain[0]), 1),
        "before_negative": round(float(plain[1]), 1),
        "candidates": round(float(np.mean([len(f.rows) - len(f.mover) for f in frames])), 1),
        "alerts": round(float(np.mean([sum(f.alerts) - _movers_among_alerts(f) for f in frames])), 1),
        "frames_of_movers": len(within),
        **{f"mover_{name}_found": sum(name in f.mover for f in within) for name in MOVERS},
        "tracklets": len(tracklets),
    }


def _movers_among_alerts(frame: Seen) -> int:
    return sum(frame.alerts[row] for row in frame.mover.values())


def _reduce(night: Night) -> None:
    """Reduce the night as far as its folder lacks it."""
    if not (night.folder / "flat" / "flat.fits").exists():
        night.masters()
    for number in night.numbers:
        if not (night.folder / number / "sources.fits").exists():
            night.science(number)
    if not (night.folder / "reference" / "reference_sources.fits").exists():
        night.reference()


class _Paths:
    """Where the movers are at any time."""

    def __init__(self, night: Night):
        grid = read_frame(night.folder / GRID / "calibrated.fits").wcs
        assert grid is not None
        self._times = tuple(_mjd(night, number) for number in SPAN)
        self._places = {name: [grid.all_pix2world([p], 1)[0] for p in ends] for name, ends in MOVERS.items()}

    def at(self, mjd: float, wcs: WCS) -> dict[str, tuple[float, float]]:
        """Return each mover's 0-based pixel."""
        part = (mjd - self._times[0]) / (self._times[1] - self._times[0])
        found = {}
        for name, (begin, end) in self._places.items():
            x, y = wcs.all_world2pix([begin + part * (end - begin)], 0)[0]
            found[name] = (float(x), float(y))
        return found


def _mjd(night: Night, number: str) -> float:
    return float(fits.getheader(night.folder / number / "calibrated.fits", "SCI")["MJD-OBS"])


def _seen(night: Night, paths: _Paths, number: str) -> Seen:
    result: UnitResult = night.difference(number)
    frame = read_frame(night.folder / number / "calibrated.fits")
    assert frame.wcs is not None
    rows = result.rows["candidates"]
    mjd = _mjd(night, number)
    found = {}
    for name, (x, y) in paths.at(mjd, frame.wcs).items():
        distance = [float(np.hypot(row["x"] - x, row["y"] - y)) for row in rows]
        if distance and min(distance) < NEAR_PX:
            found[name] = int(np.argmin(distance))
    alerts = [_passes(night, row) for row in rows]
    return Seen(number, mjd, frame.wcs, rows, alerts, found)


def _passes(night: Night, row: dict[str, Any]) -> bool:
    measured = {name: row[name] for name in ("signal_to_noise", "magnitude", "record")}
    return missed_cut(night.survey.alerts, **measured) is None


def _before(night: Night, paths: _Paths, number: str) -> tuple[Difference, list[tuple[int, int, int]]]:
    """Return the plain difference of a frame whose cosmic rays are in it, and its peaks without the movers."""
    name = f"{number}-plain"
    if not (night.folder / name / "sources.fits").exists():
        night.science(number, name=name, survey=without_cosmic_rays_rejected(night.survey))
    folder, reference = night.folder / name, night.folder / "reference"
    frame, known = level(read_frame(folder / "calibrated.fits")), Table.read(reference / "reference_sources.fits")
    with fits.open(folder / "calibrated.fits", memmap=False) as units:
        psf = PsfModel.from_hdu(units["PSF"])
    other = read_frame(reference / "reference.fits")
    stars = match_stars(frame, Table.read(folder / "sources.fits"), known)
    settings = DifferenceSettings(star_noise=False)
    difference = make_difference(frame, psf, other, float(other.header["FWHM"]), stars, settings)
    assert frame.wcs is not None
    movers = paths.at(_mjd(night, number), frame.wcs).values()
    peaks = [
        peak for peak in find_peaks(difference, PEAK_SIGMA)
        if all(np.hypot(peak[1] - x, peak[0] - y) > 2 * NEAR_PX for x, y in movers)
    ]  # fmt: skip
    return difference, peaks


def _tracklets(night: Night, frames: Sequence[Seen]) -> tuple[Tracklet, ...]:
    """Link the alerts of the night, as the end of a night does."""
    rows = [(f.mjd, row["ra_deg"], row["dec_deg"], f.number) for f in frames
            for row, sent in zip(f.rows, f.alerts, strict=True) if sent and row["positive"]]  # fmt: skip
    mjd, ra, dec, number = zip(*rows, strict=True)
    policy = night.survey.moving_objects
    settings = LinkSettings(policy.at_least_detections, policy.rate_deg_per_day, policy.residual_arcsec)
    return link(Detections(np.array(mjd), np.array(ra), np.array(dec), list(number)), settings)


def _draw_before_and_after(
    night: Night,
    before: dict[str, tuple[Difference, list[tuple[int, int, int]]]],
    frames: Sequence[Seen],
    to: Path,
) -> None:
    """Draw one frame's difference twice: all peaks of the plain one, and the candidates."""
    number = list(before)[len(before) // 2]
    difference, peaks = before[number]
    frame = next(f for f in frames if f.number == number)
    made = read_frame(night.folder / f"{number}-difference" / "difference.fits").image
    figure = Figure(figsize=(10.0, 5.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    _whole(left, difference.image)
    _whole(right, made)
    for positive, colour in ((True, "#d64545"), (False, "#2186eb")):
        some = [p for p in peaks if (p[2] > 0) is positive]
        rows = [row for row in frame.rows if row["positive"] is positive]
        left.scatter([p[1] for p in some], [p[0] for p in some], **_ring(colour))
        right.scatter([row["x"] for row in rows], [row["y"] for row in rows], **_ring(colour))
    left.set_title(f"{number}, before: {len(peaks)} peaks of 5 sigma", fontsize=9)
    right.set_title(f"{number}, after: {len(frame.rows)} candidates, movers among them", fontsize=9)
    figure.savefig(to, dpi=80)


def _ring(colour: str) -> dict[str, Any]:
    return {"s": 40, "facecolors": "none", "edgecolors": colour, "linewidths": 0.8}


def _whole(axes: Axes, image: np.ndarray) -> None:
    spread = 1.4826 * float(np.median(np.abs(image[::4, ::4])))
    axes.imshow(image, origin="lower", cmap="gray", vmin=-5 * spread, vmax=5 * spread, interpolation="antialiased")
    axes.set_axis_off()


def _draw_movers(night: Night, frames: Sequence[Seen], to: Path) -> None:
    """Draw both movers as stamps: science, reference and difference of every other frame."""
    shown = frames[::2]
    figure = Figure(figsize=(1.15 * len(shown), 7.4), layout="constrained")
    grid = figure.subplots(3 * len(MOVERS), len(shown), squeeze=False)
    for axes in grid.flat:
        axes.set_xticks([])
        axes.set_yticks([])
    for block, name in enumerate(MOVERS):
        for column, frame in enumerate(shown):
            rows = grid[3 * block : 3 * block + 3, column]
            rows[0].set_title(f"{name.upper()}, {frame.number}", fontsize=8)
            if name not in frame.mover:
                continue
            number = frame.rows[frame.mover[name]]["number"]
            stamps = read_cutouts(night.folder / f"{frame.number}-difference" / "cutouts.tar", number)
            for axes, kind in zip(rows, ("science", "template", "difference"), strict=True):
                low, high = np.nanpercentile(stamps[kind], (2, 99.5))
                axes.imshow(stamps[kind], origin="lower", cmap="gray", vmin=low, vmax=high, interpolation="nearest")
        for axes, label in zip(
            grid[3 * block : 3 * block + 3, 0], ("science", "reference", "difference"), strict=True
        ):
            axes.set_ylabel(label, fontsize=8)
    figure.savefig(to, dpi=80)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--pictures", type=Path)
    chosen = parser.parse_args()
    Console().print(run(chosen.keep, chosen.pictures))
