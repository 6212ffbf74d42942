"""How true the measurements of one quadrant of survey size are: ten simulated skies against what is known of them.

Figures are the worst of all skies unless said otherwise.

``astrometry_east_arcsec``, ``astrometry_north_arcsec``
    Rms over lone stars of S/N above 100 of measured less true position.
``zero_point_percent``
    Zero point against the truth, as flux.
``psf_flux_bias_percent``
    Median of PSF flux against true flux, lone stars of S/N 50 to 1000.
``psf_flux_scatter``
    1.4826 MAD of the flux's error in units of the photon limit (that of a PSF fit with the true PSF on the true
    mean image), lone stars of S/N 20 to 100; 1 is the limit. Of some 500 stars a sky's figure is uncertain by 5%:
    ``psf_flux_scatter_mean`` is the mean of all skies.
``quoted_error``
    The same in units of the error that the table gives.
``cosmic_rays_found_percent``
    Of the pixels that were hit by more than 10 sigma (the least of all skies), saturated ones left out.
``star_pixels_hurt_percent``
    Of the pixels where stars and galaxies stand 5 sigma above the sky, those flagged though nothing hit them or a
    neighbour.
``limiting_magnitude_error``
    Quoted 5 sigma limit against the magnitude whose photon-limited S/N is 5.
"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from scipy.ndimage import binary_dilation
from scipy.spatial import cKDTree

from benchmarks._quadrant import Quadrant, Run, build_masters, run_job, science_work, scratch, simulate, sources_of
from reduction.image.frame import read_frame
from reduction.image.mask import MaskBit
from rehearsal.simulator.expose import expected_electrons
from rehearsal.simulator.render import point_source_noise
from rehearsal.simulator.seeds import generator
from rehearsal.simulator.simulated_detector import cosmic_rays

__all__ = ["evaluate", "run"]

SEEDS = range(1, 1 + int(os.environ.get("NIGHTSHIFT_BENCH_SEEDS", "10")))
LEAST = {"cosmic_rays_found_percent"}  # of these the worst is the least
CLOSE_PX = 6.0  # no star or galaxy of more than a fifth of the noise so near
ISOLATED_PX, NEIGHBOUR = 15.0, 0.05  # none of more than so much of the flux so near


def run() -> Mapping[str, float]:
    """Simulate, reduce and compare every sky."""
    rows = []
    for seed in SEEDS:
        with scratch() as folder:
            quadrant = simulate(folder, seed=seed)
            reduced = run_job(quadrant, "science", science_work(quadrant, build_masters(quadrant)))
            rows.append(evaluate(quadrant, reduced))
        print(f"seed {seed}:", {k: round(v, 4) for k, v in rows[-1].items()}, file=sys.stderr)
    mean = float(np.mean([row["psf_flux_scatter"] for row in rows]))
    return {"skies": float(len(rows)), **worst(rows), "psf_flux_scatter_mean": mean}


def worst(rows: list[dict[str, float]]) -> dict[str, float]:
    """Return the worst of each figure, that one farthest from nought, from one for ratios."""
    found = {}
    for name in rows[0]:
        values = [row[name] for row in rows]
        ratio = name in ("psf_flux_scatter", "quoted_error")
        found[name] = min(values) if name in LEAST else max(values, key=lambda v: abs(v - 1) if ratio else abs(v))
    return found


def evaluate(quadrant: Quadrant, run: Run) -> dict[str, float]:
    """Compare one reduced sky with the truth."""
    expected = expected_electrons(quadrant.sky, quadrant.science, quadrant.unit)
    return {**_stars(quadrant, run, expected), **_cosmic_rays(quadrant, expected)}


def _stars(quadrant: Quadrant, run: Run, expected: np.ndarray) -> dict[str, float]:
    table, stars, exposure = sources_of(run, quadrant), quadrant.stars(), quadrant.science
    assert exposure.pointing is not None
    x, y = quadrant.unit.geometry.pixels(stars.ra_deg, stars.dec_deg, exposure.pointing)
    true = 10 ** (-0.4 * (stars.magnitude(exposure.filter) - exposure.zero_point))
    noise = _photon_limit(quadrant, expected, x, y, true)
    alone = _isolated(quadrant, x, y, true, noise)
    distance, nearest = cKDTree(np.column_stack([x, y])).query(np.column_stack([table["x"], table["y"]]))
    good = (distance < 1.0) & (np.asarray(table["flags"]) == 0) & alone[nearest] & np.isfinite(noise[nearest])
    table, star = table[good], nearest[good]
    snr = true[star] / noise[star]
    flux, error = np.asarray(table["flux"]), np.asarray(table["flux_err"])
    bright, middle, faint = snr > 100, (snr > 50) & (snr < 1000), (snr > 20) & (snr < 100)
    east = (np.asarray(table["ra"]) - stars.ra_deg[star]) * np.cos(np.radians(stars.dec_deg[star])) * 3600
    north = (np.asarray(table["dec"]) - stars.dec_deg[star]) * 3600
    bias = float(np.median(flux[middle] / true[star][middle])) - 1
    apart = (flux / (1 + bias) - true[star])[faint]
    typical = np.nanmedian(noise[alone & (true < 5 * noise)])
    limit = exposure.zero_point - 2.5 * np.log10(5 * typical)
    return {
        "stars_compared": float(middle.sum()),
        "astrometry_east_arcsec": float(np.sqrt(np.mean(east[bright] ** 2))),
        "astrometry_north_arcsec": float(np.sqrt(np.mean(north[bright] ** 2))),
        "zero_point_percent": 100 * (10 ** (0.4 * (run.result.metrics["zero_point"] - exposure.zero_point)) - 1),
        "psf_flux_bias_percent": 100 * bias,
        "psf_flux_scatter": _mad(apart / noise[star][faint]),
        "quoted_error": _mad(apart / error[faint]),
        "limiting_magnitude_error": float(run.result.metrics["limiting_magnitude"] - limit),
    }


def _mad(values: np.ndarray) -> float:
    return float(1.4826 * np.median(np.abs(values - np.median(values))))


def _photon_limit(quadrant: Quadrant, expected: np.ndarray, x: np.ndarray, y: np.ndarray, true: np.ndarray):
    """Return the noise of a fit of the true PSF at each star, nan where it lies outside."""
    variance = expected + quadrant.unit.quadrant.read_noise**2
    alpha, e1, e2 = quadrant.unit.psf(quadrant.science, x, y)
    rows, columns = variance.shape
    inside = (x > 5) & (y > 5) & (x < columns - 6) & (y < rows - 6) & (true > 100)
    noise = np.full(x.size, np.nan)
    for k in np.flatnonzero(inside):
        noise[k] = point_source_noise(variance, x[k], y[k], alpha[k], e1[k], e2[k])
    return noise


def _isolated(quadrant: Quadrant, x: np.ndarray, y: np.ndarray, flux: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """Return which stars have no neighbour that could tell: the sky's confusion is no fault of the photometry."""
    exposure, galaxies = quadrant.science, quadrant.galaxies()
    assert exposure.pointing is not None
    near_x, near_y = quadrant.unit.geometry.pixels(galaxies.ra_deg, galaxies.dec_deg, exposure.pointing)
    light = 10 ** (-0.4 * (galaxies.magnitude(exposure.filter) - exposure.zero_point))
    places = np.column_stack([np.concatenate([x, near_x]), np.concatenate([y, near_y])])
    light = np.concatenate([flux, light])
    alone = np.ones(x.size, dtype=bool)
    for radius, least in ((CLOSE_PX, 0.2 * noise), (ISOLATED_PX, NEIGHBOUR * flux)):
        for i, j in cKDTree(places).query_pairs(radius, output_type="ndarray"):
            if i < x.size:
                alone[i] &= light[j] < least[i]
            if j < x.size:
                alone[j] &= light[i] < least[j]
    return alone


def _cosmic_rays(quadrant: Quadrant, expected: np.ndarray) -> dict[str, float]:
    exposure, unit = quadrant.science, quadrant.unit
    random = generator(quadrant.sky.seed, "noise", exposure.exposure_id, unit.detector, unit.quadrant.id)
    rays = cosmic_rays(random, unit.geometry.shape, exposure.exposure_s + 5.0)  # as the shutter's opening drew them
    charge = np.zeros_like(expected)
    np.add.at(charge, (rays.rows, rays.columns), rays.electrons)
    sigma = np.sqrt(expected + unit.quadrant.read_noise**2)
    mask = read_frame(Path(quadrant.folder / "science" / "calibrated.fits")).mask
    flagged = (mask & np.uint16(MaskBit.SPIKE)) != 0
    spoiled = (mask & np.uint16(MaskBit.SATURATED | MaskBit.SPILLAGE)) != 0
    hit = (charge > 10 * sigma) & ~spoiled
    sky = float(np.median(expected))
    star = expected - sky > 5 * sigma
    touched = binary_dilation(charge > sigma, np.ones((3, 3)))
    return {
        "cosmic_rays_found_percent": 100 * float(flagged[hit].mean()),
        "star_pixels_hurt_percent": 100 * float((flagged & star & ~touched).sum() / star.sum()),
    }
