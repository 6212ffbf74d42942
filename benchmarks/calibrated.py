"""One quadrant of 3080x3072 pixels from raw to calibrated, catalogued, solved and written, beside what others take.

All figures are CPU seconds of one thread on the machine as it was: on a busy one all of them grow together, so that
only their ratios travel.

``total_cpu_s``
    Of the science job (bias, dark and flat applied, cosmic rays, sources, PSF, astrometry, photometry, products with
    checksums) in a fresh process, less `startup_s`.
``warm_cpu_s``
    Of the same unit done again in the same process, as the pool's resident workers do.
``peak_gb``
    Of the whole process, in 10^9 bytes.
``startup_s``
    From the process's start to where work could begin, compiled kernels cached; the least of three.
``cosmic_rays_cpu_s``
    Of the step, in the warm process.
``seconds_<step>``
    By step, in the warm process.
``peers_cpu_s``
    Sum of the following on the same calibrated image; those that are not installed are -1 and not in it.
``peer_source_extractor_cpu_s``, ``peer_scamp_cpu_s``, ``peer_swarp_cpu_s``
    Debian's: detection with windowed positions and automatic apertures, the solution of that catalogue against the
    same reference catalogue, and one Lanczos-3 resampling (which ours does not do here).
``peer_astroscrappy_cpu_s``
    Cosmic rays alone. It is taken from the Python that NIGHTSHIFT_BENCH_PYTHON names, by default this one.
"""

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from subprocess import DEVNULL

import numpy as np
from astropy.io import fits
from astropy.table import Table

from benchmarks._quadrant import (
    FILTER,
    Quadrant,
    build_masters,
    measured,
    run_job,
    run_twice,
    science_work,
    scratch,
    simulate,
    startup_s,
)

__all__ = ["run"]

SCRAPPY = """
import sys
import numpy as np
import astroscrappy
if len(sys.argv) > 1:
    image = np.load(sys.argv[1])
    astroscrappy.detect_cosmics(image, gain=1.0, readnoise=10.0, satlevel=3.4e5, sigclip=5.0, sepmed=True)
"""
COLUMNS = """XWIN_IMAGE YWIN_IMAGE ERRAWIN_IMAGE ERRBWIN_IMAGE ERRTHETAWIN_IMAGE FLUX_AUTO FLUXERR_AUTO MAG_AUTO
MAGERR_AUTO FLUX_RADIUS ELONGATION FLAGS"""
QUIET = {"stdout": DEVNULL, "stderr": DEVNULL}


def run() -> Mapping[str, float]:
    """Simulate one quadrant, reduce it, and let the others work on the same pixels."""
    with scratch() as folder:
        quadrant = simulate(folder, seed=1)
        masters = build_masters(quadrant)
        run_job(quadrant, "science", science_work(quadrant, masters))  # the caches are warm afterwards
        start = startup_s("science")
        cold = run_job(quadrant, "science", science_work(quadrant, masters))
        _, warm = run_twice(quadrant, science_work(quadrant, masters))
        peers = _peers(quadrant, folder)
    steps = {step: value for step, value in sorted(warm.seconds.items()) if step != "total"}
    return {
        "total_cpu_s": cold.cpu_s - start,
        "warm_cpu_s": warm.seconds["total"],
        "peak_gb": cold.peak_gb,
        "startup_s": start,
        "sources": float(cold.result.metrics["sources"]),
        "cosmic_rays_cpu_s": steps["reject_cosmic_rays"],
        "peers_cpu_s": sum(value for value in peers.values() if value >= 0),
        **{f"peer_{name}_cpu_s": value for name, value in peers.items()},
        **{f"seconds_{step}": value for step, value in steps.items()},
    }


def _peers(quadrant: Quadrant, folder: Path) -> dict[str, float]:
    with fits.open(folder / "science" / "calibrated.fits") as units:
        image, header = np.array(units["SCI"].data, dtype=np.float32), units["SCI"].header
    header = fits.Header([card for card in header.cards if not card.keyword.startswith(("XTEN", "PCOUNT", "GCOUNT"))])
    fits.PrimaryHDU(image, header).writeto(folder / "image.fits", overwrite=True)
    (folder / "columns").write_text("\n".join(COLUMNS.split()))
    (folder / "kernel").write_text("CONV NORM\n1 2 1\n2 4 2\n1 2 1\n")
    found = {
        "source_extractor": _command(
            "source-extractor", folder, "image.fits", "-CATALOG_NAME", "found.cat", "-CATALOG_TYPE", "FITS_LDAC",
            "-PARAMETERS_NAME", "columns", "-FILTER_NAME", "kernel", "-DETECT_THRESH", "1.5", "-GAIN", "1",
        )
    }  # fmt: skip
    _reference(quadrant, folder / "reference.cat")
    found["scamp"] = (
        _command(
            "scamp", folder, "found.cat", "-ASTREF_CATALOG", "FILE", "-ASTREFCAT_NAME", "reference.cat",
            "-ASTREFCENT_KEYS", "X_WORLD,Y_WORLD", "-ASTREFERR_KEYS", "ERRA_WORLD,ERRB_WORLD,ERRTHETA_WORLD",
            "-ASTREFMAG_KEY", "MAG", "-CHECKPLOT_TYPE", "NONE", "-NTHREADS", "1", "-WRITE_XML", "N",
        )
        if found["source_extractor"] >= 0
        else -1.0
    )  # fmt: skip
    found["swarp"] = _command(
        "SWarp", folder, "image.fits", "-NTHREADS", "1", "-SUBTRACT_BACK", "N", "-WRITE_XML", "N", "-COMBINE", "N",
        "-RESAMPLING_TYPE", "LANCZOS3",
    )  # fmt: skip
    found["astroscrappy"] = _scrappy(image + np.float32(header["BKGLEVEL"]), folder)
    return found


def _command(name: str, folder: Path, *arguments: str) -> float:
    if shutil.which(name) is None:
        return -1.0
    return measured([name, *arguments], cwd=folder, **QUIET)[0]


def _reference(quadrant: Quadrant, path: Path) -> None:
    """Write the reference catalogue in the format that SCAMP reads."""
    table = Table.read(quadrant.catalogue)
    own = Table()
    own["X_WORLD"], own["Y_WORLD"] = np.asarray(table["ra"]), np.asarray(table["dec"])
    for name in ("ERRA_WORLD", "ERRB_WORLD"):
        own[name] = np.full(len(table), 0.02 / 3600)
    own["ERRTHETA_WORLD"] = np.zeros(len(table))
    own["MAG"] = np.asarray(table[f"mag_{FILTER}"], dtype=np.float32)
    own["MAGERR"] = np.full(len(table), 0.01, dtype=np.float32)
    own["OBSDATE"] = np.full(len(table), 2025.9)
    card = np.frombuffer((f"{'END':<80}".encode()).ljust(2880), dtype="S2880")
    head = fits.BinTableHDU.from_columns([fits.Column("Field Header Card", "2880A", array=card)], name="LDAC_IMHEAD")
    objects = fits.table_to_hdu(own)
    objects.name = "LDAC_OBJECTS"
    fits.HDUList([fits.PrimaryHDU(), head, objects]).writeto(path, overwrite=True)


def _scrappy(image: np.ndarray, folder: Path) -> float:
    python = os.environ.get("NIGHTSHIFT_BENCH_PYTHON", sys.executable)
    np.save(folder / "image.npy", image)
    try:
        start, _ = measured([python, "-c", SCRAPPY], **QUIET)
    except RuntimeError:
        return -1.0
    return measured([python, "-c", SCRAPPY, str(folder / "image.npy")], **QUIET)[0] - start
