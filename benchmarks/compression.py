"""What the compression of a calibrated quadrant of 3080x3072 pixels costs, saves and loses.

The same frame is reduced with ``compression = "none"`` and ``"all"``; CPU seconds are of one thread.

``megabytes_none``, ``megabytes_all``
    Of the calibrated image with mask and variance.
``write_none_cpu_s``, ``write_all_cpu_s``, ``read_none_cpu_s``, ``read_all_cpu_s``
    Writing with all checksums (the step of the job; the table of sources is in it), reading.
``error_of_noise``
    Rms of what a pixel changed by, in units of the typical pixel's noise.
``noise_growth_percent``
    Of the image's noise by that.
``flux_bias_percent``, ``flux_scatter_of_error``
    Of the PSF fluxes of all stars without a flag, measured again in both files: median of the relative change; rms of
    the change in units of the flux's error.
``sources_none``, ``sources_all``
    Found in both files at 5 sigma.
``variance_error_percent``
    The largest.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from astropy.table import Table

from benchmarks._quadrant import Quadrant, build_masters, run_job, science_work, scratch, simulate
from reduction.image.compression import noise_of
from reduction.image.frame import Frame, read_frame
from reduction.measure.photometry import fit_sources
from reduction.measure.psf import PsfModel
from reduction.measure.sources import find_sources, measure_background

__all__ = ["run"]


def run() -> Mapping[str, float]:
    """Reduce one simulated quadrant both ways and compare the files."""
    with scratch() as folder:
        quadrant = simulate(folder, seed=1)
        masters = build_masters(quadrant)
        found, frames = {}, {}
        for name in ("none", "all"):
            seconds = run_job(_compressing(quadrant, name), "science", science_work(quadrant, masters, name))
            path = folder / name / "calibrated.fits"
            found[f"megabytes_{name}"] = path.stat().st_size / 1e6
            found[f"write_{name}_cpu_s"] = seconds.result.seconds["write"]
            read_s, frames[name] = _timed(lambda path=path: read_frame(path))
            found[f"read_{name}_cpu_s"] = read_s
        return found | _loss(folder, frames["none"], frames["all"])


def _compressing(quadrant: Quadrant, name: str) -> Quadrant:
    numbers = quadrant.survey.reduction.model_copy(update={"compression": name})
    return replace(quadrant, survey=quadrant.survey.model_copy(update={"reduction": numbers}))


def _timed(work: Callable[[], Any]) -> tuple[float, Any]:
    work()
    start = time.process_time()
    done = work()
    return time.process_time() - start, done


def _loss(folder: Path, plain: Frame, packed: Frame) -> dict[str, float]:
    noise = noise_of(plain.variance)
    assert noise is not None
    assert plain.variance is not None
    assert packed.variance is not None
    error = float((packed.image.astype(float) - plain.image).std()) / noise
    with fits.open(folder / "none" / "calibrated.fits") as units:
        psf = PsfModel.from_hdu(units["PSF"])
    table = Table.read(folder / "none" / "sources.fits")
    star = np.asarray(table["star"], bool) & (np.asarray(table["flags"]) == 0)
    x, y = np.asarray(table["x"])[star], np.asarray(table["y"])[star]
    sky = np.full(plain.shape, noise**2, np.float32)
    before, after = (fit_sources(f.image, sky, f.mask, x, y, psf, aperture_radius_px=4.0) for f in (plain, packed))
    return {
        "error_of_noise": error,
        "noise_growth_percent": 100 * (float(np.hypot(1, error)) - 1),
        "stars": float(star.sum()),
        "flux_bias_percent": 100 * float(np.median(after.flux / before.flux) - 1),
        "flux_scatter_of_error": float(np.std((after.flux - before.flux) / before.flux_err)),
        "sources_none": float(_sources(plain)),
        "sources_all": float(_sources(packed)),
        "variance_error_percent": 100 * float(np.abs(packed.variance / plain.variance - 1)[plain.variance > 0].max()),
    }


def _sources(frame: Frame) -> int:
    return len(find_sources(frame.image, measure_background(frame, mesh_px=64), frame.mask, sigma=5.0))
