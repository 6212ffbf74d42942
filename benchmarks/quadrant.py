"""One quadrant of survey size (3080x3072): what each step costs, from the raw file to candidates with their cutouts.

Five frames of a field are simulated; four become the reference and the fifth is reduced, in a process of one thread.

``total_cpu_s``
    CPU seconds from the raw file to the written products, the program being warm as in a worker.
``process_cpu_s``
    The same alone in its process, with the start of Python and the loading of compiled code.
``difference_to_cutouts_cpu_s``
    From the calibrated image to candidates with their cutouts.
``peak_gb``
    Largest memory of that process.
``coadd_cpu_s``, ``coadd_peak_gb``
    Of the reference job's whole process, with so many members.
``peers_chain_cpu_s``
    source-extractor on both images, SCAMP, SWarp and hotpants on the same calibrated image and reference, for those
    that the machine has (Debian: ``source-extractor scamp swarp``; hotpants on the path or where ``HOTPANTS`` says);
    left out where one of the first three is missing.
``step_<name>_cpu_s``
    Seconds by step.

``python -m benchmarks.quadrant --size 1024`` is a short run.
"""

import argparse
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
from astropy.io import fits
from rich.console import Console

from benchmarks._quadrant import (
    Quadrant,
    Run,
    build_masters,
    measured,
    run_job,
    run_twice,
    science_work,
    scratch,
    simulate,
)
from nightshift.files import sha256_of
from nightshift.jobs.contract import Input, UnitResult, UnitWork
from reduction.image.frame import read_frame

__all__ = ["run"]

MEMBERS = 4
DIFFERENCE_STEPS = ("difference", "candidates", "real_bogus", "write_difference", "cutouts")


def run(shape: tuple[int, int] = (3080, 3072)) -> dict[str, float]:
    """Reduce a quadrant, and return what it cost."""
    with scratch() as folder:
        quadrant = simulate(folder, seed=1, shape=shape, fields=1, visits=MEMBERS + 1)
        masters = build_masters(quadrant)
        for number in range(MEMBERS):
            run_job(quadrant, "science", science_work(quadrant, masters, f"member{number}", number=number))
        reference = run_job(quadrant, "reference", _reference_work(quadrant))
        work = science_work(quadrant, masters, "science", number=MEMBERS)
        work = replace(work, inputs=work.inputs + _reference_inputs(quadrant))
        run_job(quadrant, "science", work)  # compiles and warms the files
        alone = run_job(quadrant, "science", work)
        _, warm = run_twice(quadrant, work)
        return {**_figures(alone, warm, reference), **_peers(folder)}


def _reference_work(quadrant: Quadrant) -> UnitWork:
    inputs = []
    for role in ("calibrated", "sources"):
        for number in range(MEMBERS):
            path = quadrant.folder / f"member{number}" / f"{role}.fits"
            inputs.append(Input(role, str(path), sha256_of(path), f"member{number}"))
    return UnitWork("reference", 1, "token", str(quadrant.folder / "reference"), tuple(inputs), {})


def _reference_inputs(quadrant: Quadrant) -> tuple[Input, ...]:
    paths = {role: quadrant.folder / "reference" / f"{role}.fits" for role in ("reference", "reference_sources")}
    return tuple(Input(role, str(path), sha256_of(path), "reference") for role, path in paths.items())


def _figures(alone: Run, warm: UnitResult, reference: Run) -> dict[str, float]:
    steps = {name: seconds for name, seconds in warm.seconds.items() if name != "total"}
    difference = sum(steps.get(name, 0.0) for name in DIFFERENCE_STEPS)
    rows = warm.rows.get("candidates", [])
    return {
        "total_cpu_s": round(warm.seconds["total"], 2),
        "process_cpu_s": round(alone.cpu_s, 2),
        "difference_to_cutouts_cpu_s": round(difference, 2),
        "peak_gb": round(alone.peak_gb, 3),
        "candidates": float(len(rows)),
        "coadd_members": float(MEMBERS),
        "coadd_cpu_s": round(reference.cpu_s, 2),
        "coadd_peak_gb": round(reference.peak_gb, 3),
        **{f"step_{name}_cpu_s": round(seconds, 3) for name, seconds in steps.items()},
    }


def _peers(folder: Path) -> dict[str, float]:
    """Run the usual chain of programs on the same images; nothing where it is not there."""
    extractor = shutil.which("source-extractor") or shutil.which("sex")
    scamp, swarp = shutil.which("scamp"), shutil.which("swarp") or shutil.which("SWarp")
    if not (extractor and scamp and swarp):
        return {}
    work = folder / "peers"
    work.mkdir()
    for name, path in (("science", "science/calibrated.fits"), ("reference", "reference/reference.fits")):
        _plain_image(folder / path, work / f"{name}.fits", sips=name == "reference")
    columns = ("XWIN_IMAGE", "YWIN_IMAGE", "ERRAWIN_IMAGE", "ERRBWIN_IMAGE", "ERRTHETAWIN_IMAGE", "FLUX_AUTO",
               "FLUXERR_AUTO", "MAG_AUTO", "MAGERR_AUTO", "FLAGS", "X_WORLD", "Y_WORLD", "ERRA_WORLD", "ERRB_WORLD",
               "ERRTHETA_WORLD", "ELONGATION", "FLUX_RADIUS")  # fmt: skip
    (work / "columns.param").write_text("\n".join(columns) + "\n")
    seconds = {}
    for name in ("science", "reference"):
        command = [extractor, f"{name}.fits", "-CATALOG_NAME", f"{name}.cat", "-CATALOG_TYPE", "FITS_LDAC",
                   "-PARAMETERS_NAME", "columns.param", "-FILTER", "N", "-DETECT_THRESH", "3",
                   "-ANALYSIS_THRESH", "3", "-VERBOSE_TYPE", "QUIET"]  # fmt: skip
        seconds[f"extractor_{name}"] = measured(command, cwd=work)[0]
    command = [scamp, "science.cat", "-ASTREF_CATALOG", "FILE", "-ASTREFCAT_NAME", "reference.cat",
               "-ASTREFCENT_KEYS", "X_WORLD,Y_WORLD", "-ASTREFERR_KEYS", "ERRA_WORLD,ERRB_WORLD,ERRTHETA_WORLD",
               "-ASTREFMAG_KEY", "MAG_AUTO", "-ASTREFMAGERR_KEY", "MAGERR_AUTO", "-DISTORT_DEGREES", "3",
               "-CHECKPLOT_TYPE", "NONE", "-SN_THRESHOLDS", "10,100", "-NTHREADS", "1",
               "-VERBOSE_TYPE", "QUIET"]  # fmt: skip
    seconds["scamp"] = measured(command, cwd=work)[0]
    header = fits.getheader(work / "science.fits").tostring(sep="\n", endcard=True, padding=False)
    (work / "aligned.head").write_text(header)
    command = [swarp, "reference.fits", "-IMAGEOUT_NAME", "aligned.fits", "-WEIGHTOUT_NAME", "weight.fits",
               "-SUBTRACT_BACK", "N", "-RESAMPLING_TYPE", "LANCZOS3", "-NTHREADS", "1", "-VERBOSE_TYPE", "QUIET",
               "-WRITE_XML", "N"]  # fmt: skip
    seconds["swarp"] = measured(command, cwd=work)[0]
    program = os.environ.get("HOTPANTS") or shutil.which("hotpants")
    if program:
        command = [program, "-inim", "science.fits", "-tmplim", "aligned.fits", "-outim", "difference.fits",
                   "-tl", "-500", "-il", "-500", "-tu", "250000", "-iu", "250000", "-c", "t", "-n", "i",
                   "-r", "10", "-v", "0"]  # fmt: skip
        seconds["hotpants"] = measured(command, cwd=work)[0]
    named = {f"peer_{name}_cpu_s": round(value, 2) for name, value in seconds.items()}
    return {"peers_chain_cpu_s": round(sum(seconds.values()), 2), **named}


def _plain_image(path: Path, to: Path, *, sips: bool) -> None:
    """Write a frame as a plain image; without the distortion that SCAMP is to find, unless SWarp needs it."""
    frame = read_frame(path)
    assert frame.wcs is not None
    header = frame.wcs.to_header(relax=sips)
    fits.writeto(to, np.nan_to_num(frame.image), header)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=3072)
    chosen = parser.parse_args()
    Console().print(run((chosen.size, chosen.size)))
