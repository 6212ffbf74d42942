"""What reducing a quadrant costs by its size and by the number of its stars: no worse than linear in both together.

Two series of simulated frames go through the science job (no masters: they cost by pixels alone), each twice in one
process of one thread, and the second is taken. Stars are drawn uniformly with counts that rise by a factor of two a
magnitude; the catalogue has those of S/N above 20.

``pixels_<side>_cpu_s``, ``pixels_<side>_gb``
    Square images of 1024 to 4096 pixels at one density of stars, 4,000 at 3072; peak memory of the process.
``exponent_pixels``
    Slope of ln(CPU s) in ln(pixels) over that series; 1 is linear.
``stars_<number>_cpu_s``, ``stars_<number>_sources``
    3072x3072 pixels with 1,000 to 100,000 stars drawn; how many sources were found.
``exponent_stars``
    Slope of ln(CPU s beyond those of 1,000 stars) in ln(stars beyond those), over the rest of that series.
``microseconds_a_star_<number>``, ``microseconds_a_source_<number>``
    Those CPU seconds for each of those stars, and for each of the sources found beyond those of 1,000 stars: where
    stars cover each other fewer of them are found, and the work of telling them apart is done all the same.
``exponent_<step>``
    The slope of each step that takes more than a tenth of the CPU time at 100,000 stars.
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from astropy.table import Table

from benchmarks._quadrant import DETECTOR, FILTER, QUADRANT, measured, one_quadrant, scratch
from nightshift.files import sha256_of
from nightshift.jobs.contract import Input, JobFile, UnitResult, UnitWork, read_result, write_job_file
from nightshift.jobs.translate import pointing_wcs
from nightshift.settings import Survey

__all__ = ["run"]

SIDES = (1024, 2048, 3072, 4096)
STARS = (1_000, 3_000, 10_000, 30_000, 100_000)
DENSITY = 4000 / 3072**2
SKY, FWHM_PX, ZERO_POINT = 350.0, 2.2, 26.3  # electrons a pixel, pixels, magnitude of one electron
FAINTEST, BRIGHTEST = 20.0, 13.5  # S/N of 5, and saturated
POINTING = (180.0, 30.0)
STAMP = 12  # pixels of a star on each side of its centre
SHARE = 0.1  # of the time that a step must take to be looked at


def run() -> Mapping[str, float]:
    """Reduce both series."""
    by_side = {side: _reduced(side, round(DENSITY * side**2)) for side in SIDES}
    by_stars = {number: _reduced(3072, number) for number in STARS}
    seconds = {side: _total(result) for side, (result, _) in by_side.items()}
    return {
        **{f"pixels_{side}_cpu_s": value for side, value in seconds.items()},
        **{f"pixels_{side}_gb": peak for side, (_, peak) in by_side.items()},
        "exponent_pixels": _slope([side**2 for side in SIDES], list(seconds.values())),
        **_crowding({number: result for number, (result, _) in by_stars.items()}),
    }


def _crowding(results: Mapping[int, UnitResult]) -> dict[str, float]:
    least, *more = STARS
    sources = {number: float(result.metrics["sources"]) for number, result in results.items()}
    total = {number: _total(result) for number, result in results.items()}
    added = {number: total[number] - total[least] for number in more}
    stars = [number - least for number in more]
    steps = {step: value for step, value in results[STARS[-1]].seconds.items() if step != "total"}
    heavy = [step for step, value in steps.items() if value > SHARE * total[STARS[-1]]]
    by_step = {s: [results[number].seconds[s] - results[least].seconds[s] for number in more] for s in heavy}
    return {
        **{f"stars_{number}_cpu_s": value for number, value in total.items()},
        **{f"stars_{number}_sources": value for number, value in sources.items()},
        "exponent_stars": _slope(stars, list(added.values())),
        **{f"microseconds_a_star_{n}": 1e6 * seconds / (n - least) for n, seconds in added.items()},
        **{f"microseconds_a_source_{n}": 1e6 * t / (sources[n] - sources[least]) for n, t in added.items()},
        **{f"exponent_{step}": _slope(stars, seconds) for step, seconds in by_step.items()},
        **{f"stars_{STARS[-1]}_seconds_{step}": steps[step] for step in heavy},
    }


def _total(result: UnitResult) -> float:
    return float(sum(value for step, value in result.seconds.items() if step != "total"))


def _slope(sizes: list[float], seconds: list[float]) -> float:
    return float(np.polyfit(np.log(sizes), np.log(np.maximum(seconds, 1e-3)), 1)[0])


def _reduced(side: int, stars: int) -> tuple[UnitResult, float]:
    """Draw a frame, reduce it twice, and return the second result and the process's peak memory."""
    survey = one_quadrant((side, side)).model_copy(update={"thresholds": ()})
    with scratch() as folder:
        raw, catalogue = _draw(survey, folder, side, stars)
        units = tuple(_work(folder / f"turn{turn}", raw, catalogue) for turn in (1, 2))
        job = JobFile("science", "cost", 1, "ztf", "hash", survey.model_dump(mode="json"), ((0, 1),), units)
        write_job_file(folder / "job.json", job)
        _, peak = measured([sys.executable, "-m", "nightshift.jobs", "science", str(folder / "job.json")])
        result = read_result(Path(units[1].folder), units[1].token)
    if result is None or "limiting_magnitude" not in result.metrics:
        raise RuntimeError(f"{side} px, {stars} stars: {result and (result.state, result.reason, result.detail)}")
    print(f"{side} px, {stars} stars:", result.seconds, file=sys.stderr)
    return result, peak


def _draw(survey: Survey, folder: Path, side: int, stars: int) -> tuple[Path, Path]:
    """Write the raw file, the overscan an image of its own, and the catalogue."""
    random = np.random.default_rng(stars + side)
    x, y = random.uniform(0, side - 1, (2, stars))
    # twice as many a magnitude fainter
    magnitude = FAINTEST + np.log2(random.uniform(2.0 ** (BRIGHTEST - FAINTEST), 1.0, stars))
    flux = 10 ** (0.4 * (ZERO_POINT - magnitude))
    image = np.full((side, side), SKY)
    _add_stars(image, x, y, flux)
    quadrant = survey.camera.quadrant(DETECTOR, QUADRANT)
    electrons = random.poisson(image) + random.normal(0, quadrant.read_noise, image.shape)
    pixels = np.clip(np.round(electrons / quadrant.gain + 1000), 0, 65535).astype(np.uint16)
    overscan = np.round(1000 + random.normal(0, quadrant.read_noise / quadrant.gain, (side, 30))).astype(np.uint16)
    raw, catalogue = folder / "raw.fits", folder / "catalogue.fits"
    fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(pixels), fits.ImageHDU(overscan)]).writeto(raw)
    wcs = pointing_wcs(survey, DETECTOR, QUADRANT, (side, side), *POINTING)
    assert wcs is not None
    listed = flux > 20 * np.sqrt(SKY * 4 * np.pi * (FWHM_PX / 2.355) ** 2)
    ra, dec = wcs.all_pix2world(x[listed], y[listed], 0)
    Table({"ra": ra, "dec": dec, f"mag_{FILTER}": magnitude[listed]}).write(catalogue)
    return raw, catalogue


def _add_stars(image: np.ndarray, x: np.ndarray, y: np.ndarray, flux: np.ndarray) -> None:
    """Add Gaussian stars in place."""
    side, step = image.shape[0], np.arange(-STAMP, STAMP + 1)
    for column, row, light in zip(x, y, flux, strict=True):
        i, j = round(row), round(column)
        rows, columns = i + step, j + step
        rows, columns = rows[(rows >= 0) & (rows < side)], columns[(columns >= 0) & (columns < side)]
        image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] += (
            light * _share(rows - row)[:, None] * _share(columns - column)[None, :]
        )


def _share(distance: np.ndarray) -> np.ndarray:
    sigma = FWHM_PX / 2.355
    return np.exp(-0.5 * (distance / sigma) ** 2) / (sigma * np.sqrt(2 * np.pi))


def _work(folder: Path, raw: Path, catalogue: Path) -> UnitWork:
    told: dict[str, Any] = {
        "instrument": "ztf", "exposure_id": "1", "detector": DETECTOR, "quadrant": QUADRANT, "filter": FILTER,
        "field": 1, "exposure_s": 30.0, "shutter_open": "2026-01-16T06:00:00+00:00", "ra_deg": POINTING[0],
        "dec_deg": POINTING[1], "airmass": 1.2, "flags": [], "own_catalogue": False,
    }  # fmt: skip
    inputs = tuple(
        Input(role, str(path), sha256_of(path), path.name) for role, path in (("raw", raw), ("catalogue", catalogue))
    )
    return UnitWork(folder.name, 1, "token", str(folder), inputs, told)
