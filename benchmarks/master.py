"""A master flat of twenty frames of 3072x3080 pixels, from raw files to the written product, in one thread.

``total_cpu_s``, ``peak_gb``
    Of the job's process, less what it takes to start (`benchmarks.calibrated`); the peak is of all of it.
``peer_cpu_s``, ``peer_peak_gb``
    ccdproc's combination (sigma clipping about the median by MAD, mean) of the same frames as float32 arrays, in
    the same run; -1 where ccdproc is not installed. Reading and judging are not in it.
``seconds_<step>``
    CPU seconds by step.
"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from benchmarks._quadrant import master_work, measured, run_job, scratch, simulate, startup_s

__all__ = ["run"]

FRAMES = 20
PEER = """
import sys
import numpy as np
from astropy import units
from astropy.io import fits
from astropy.nddata import CCDData
from astropy.stats import mad_std
import ccdproc
frames = [CCDData(fits.getdata(path, 1).astype(np.float32), unit=units.adu) for path in sys.argv[1:]]
scale = [1 / np.median(frame.data[::4, ::4]) for frame in frames]
ccdproc.combine(
    frames, method="average", scale=scale, sigma_clip=True, sigma_clip_low_thresh=4, sigma_clip_high_thresh=4,
    sigma_clip_func=np.ma.median, sigma_clip_dev_func=mad_std, mem_limit=2e9, dtype=np.float32,
)
"""


def run() -> Mapping[str, float]:
    """Simulate, build, and let ccdproc combine the same frames."""
    with scratch() as folder:
        quadrant = simulate(folder, seed=1, biases=5, darks=0, flats=FRAMES)
        bias = master_work(quadrant, "bias")
        run_job(quadrant, "master", bias)
        made = [Path(bias.folder) / "bias.fits"]
        run_job(quadrant, "master", master_work(quadrant, "flat", made))  # the caches are warm afterwards
        built = run_job(quadrant, "master", master_work(quadrant, "flat", made))
        start = startup_s("master")
        peer, peer_peak = _peer([path for _, path in quadrant.raws["flat"]])
    return {
        "frames": float(FRAMES),
        "accepted": float(built.result.metrics["frames"]),
        "total_cpu_s": built.cpu_s - start,
        "peak_gb": built.peak_gb,
        "startup_s": start,
        "peer_cpu_s": peer,
        "peer_peak_gb": peer_peak,
        **{f"seconds_{step}": value for step, value in sorted(built.result.seconds.items()) if step != "total"},
    }


def _peer(paths: list[Path]) -> tuple[float, float]:
    python = os.environ.get("NIGHTSHIFT_BENCH_PYTHON", sys.executable)
    try:
        start, _ = measured([python, "-c", PEER.split("frames =")[0]])
    except RuntimeError:
        return -1.0, -1.0
    cpu, peak = measured([python, "-c", PEER, *map(str, paths)])
    return cpu - start, peak
