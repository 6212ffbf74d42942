"""Two epochs of DECam, 256x256 pixels: our difference beside that which sfft made of the same stacks.

The stamps (DECam i, sky subtracted and aligned) and sfft's difference come with that package; they are looked for in
``decam-difference`` of the folder that ``NIGHTSHIFT_DATA`` names. Both differences are on the flux scale of the later
epoch, whose seeing is the worse one.

``noise_ratio``
    Robust standard deviation of our difference over that of theirs.
``correlation``
    Of both, pixel by pixel; ``correlation_of_noise`` is that of pixels within 5 sigma in both, which leaves out what
    changed and the cores of bright stars.
``on_stars_ratio``
    As the first, of the pixels within 4 px of the stars.
``candidates``, ``candidates_in_theirs``, ``flux_ratio``
    What a search by our candidates' cuts finds in each, and the brightest one's flux in ours over theirs.

``python -m benchmarks.decam --picture docs/images/decam-difference.png`` draws them.
"""

import argparse
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import sep
from astropy.io import fits
from matplotlib.figure import Figure
from rich.console import Console

from reduction.difference.candidates import Candidate
from reduction.difference.difference import Difference
from reduction.image.frame import Frame
from reduction.image.mask import MaskBit
from reduction.measure.astrometry import tangent_wcs
from reduction.measure.zero_point import ZeroPoint
from rehearsal.simulator.survey_pair import SurveyPair
from rehearsal.training.pairs import Prepared, prepare

__all__ = ["Compared", "compare", "folder", "run"]

SCALE_ARCSEC = 0.263
NEAR_STAR_PX = 4


def folder() -> Path:
    """Return where the stamps are looked for."""
    data = os.environ.get("NIGHTSHIFT_DATA", Path(__file__).parents[1] / ".." / "shared" / "data")
    return Path(data) / "decam-difference"


@dataclass(frozen=True)
class Compared:
    """Our difference of the stamps and the other package's, in electrons, with the candidates of both."""

    prepared: Prepared
    ours: Difference
    theirs: Difference
    candidates: list[Candidate]
    candidates_in_theirs: list[Candidate]

    def figures(self) -> dict[str, float]:
        """Return the figures that the module's text explains."""
        good = ~self.ours.bad
        ours, theirs = self.ours.image[good], self.theirs.image[good]
        noise = _spread(ours), _spread(theirs)
        quiet = (np.abs(ours) < 5 * noise[0]) & (np.abs(theirs) < 5 * noise[1])
        near = _near_stars(self.ours)[good]
        figures = {
            "noise_ratio": noise[0] / noise[1],
            "correlation": float(np.corrcoef(ours, theirs)[0, 1]),
            "correlation_of_noise": float(np.corrcoef(ours[quiet], theirs[quiet])[0, 1]),
            "on_stars_ratio": _spread(ours[near]) / _spread(theirs[near]),
            "candidates": float(len(self.candidates)),
            "candidates_in_theirs": float(len(self.candidates_in_theirs)),
        }
        if self.candidates and self.candidates_in_theirs:
            brightest = (max(c.flux for c in some) for some in (self.candidates, self.candidates_in_theirs))
            figures["flux_ratio"] = next(brightest) / next(brightest)
        return {name: round(value, 4) for name, value in figures.items()}


def run() -> dict[str, float]:
    """Return the figures; none, with a line that says so, where the stamps are not there."""
    if not folder().is_dir():
        Console().print(f"no DECam stamps at {folder()}; set NIGHTSHIFT_DATA", soft_wrap=True)
        return {}
    return compare(folder()).figures()


def compare(where: Path) -> Compared:
    """Difference the stamps of a folder with our code and hold the other package's result beside it."""
    science, gain = _read(where / "Stack-DEC-OBS04.fits")
    reference, _ = _read(where / "Stack-DEC-OBS18.fits")
    nothing = np.zeros(0)
    prepared = prepare(SurveyPair(science, reference, *[nothing] * 10))
    theirs = fits.getdata(where / "FinalDifference.fits").astype(np.float32) * gain
    differences = prepared.difference(), prepared.difference(subtracted=theirs)
    return Compared(prepared, *differences, *(prepared.candidates(d) for d in differences))


def _read(path: Path) -> tuple[Frame, np.float32]:
    """Return a stamp in electrons of one exposure, with its gain; the sky's noise is measured."""
    with fits.open(path) as units:
        gain = np.float32(units[0].header["GAIN"])
        image = units[0].data.astype(np.float32) * gain
    bad = ~np.isfinite(image)
    filled = np.where(bad, np.float32(0), image)
    sky = sep.Background(filled, mask=bad, bw=64, bh=64).rms(dtype=np.float32)
    wcs = tangent_wcs(317.0, -66.0, image.shape, scale_arcsec=SCALE_ARCSEC)  # the stamps are aligned: any will do
    header = {**ZeroPoint(25.0, 0.0, 0).keywords(), "EXPTIME": 330.0}
    mask = np.where(bad, np.uint16(MaskBit.NAN), np.uint16(0))
    return Frame(image, mask, sky**2 + np.maximum(filled, 0), wcs, header), gain


def _spread(values: np.ndarray) -> float:
    return 1.4826 * float(np.median(np.abs(values - np.median(values))))


def _near_stars(difference: Difference) -> np.ndarray:
    rows, columns = np.indices(difference.image.shape)
    near = np.zeros(difference.image.shape, bool)
    for x, y in zip(difference.stars.x, difference.stars.y, strict=True):
        near |= np.hypot(columns - x, rows - y) < NEAR_STAR_PX
    return near


def draw(compared: Compared, to: Path) -> None:
    """Draw both epochs and both differences, the candidates circled."""
    pair = compared.prepared.pair
    panels = (
        ("science, 2018-08-04", pair.science.image, []),
        ("reference, 2016-08-18", pair.reference.image, []),
        ("difference, ours", compared.ours.image, compared.candidates),
        ("difference, sfft", compared.theirs.image, compared.candidates_in_theirs),
    )
    spread = _spread(compared.ours.image[~compared.ours.bad])
    figure = Figure(figsize=(12.0, 3.4), layout="constrained")
    for axes, (title, image, candidates) in zip(figure.subplots(1, 4), panels, strict=True):
        axes.imshow(image, origin="lower", cmap="gray", vmin=-5 * spread, vmax=5 * spread, interpolation="nearest")
        axes.scatter(
            [c.x for c in candidates], [c.y for c in candidates],
            s=130, facecolors="none", edgecolors="#d64545", linewidths=1.2,
        )  # fmt: skip
        axes.set_title(title, fontsize=9)
        axes.set_axis_off()
    figure.savefig(to, dpi=80)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--picture", type=Path, required=True)
    chosen = parser.parse_args()
    found = compare(folder())
    draw(found, chosen.picture)
    Console().print(found.figures())
