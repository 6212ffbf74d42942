"""Other packages' differences of a pair, for those that the machine has.

hotpants is looked for on the path, or where ``HOTPANTS`` says; sfft in the Python that ``SFFT_PYTHON`` names (of a
virtual environment with ``sfft==1.7.3``), else in this one. All get the reference on the science image's grid,
as their usual chain would give it, with bad pixels filled, and are held to one thread.
"""

import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from astropy.io import fits

from reduction.difference.score import MatchedStars

__all__ = ["Subtract", "peers"]

_ONE_THREAD = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL", "NUMBA")}
_SATURATED = 2.5e5

# science, reference on its grid, bad pixels, matched stars, folder -> difference and CPU seconds
Subtract = Callable[[np.ndarray, np.ndarray, np.ndarray, MatchedStars, Path], tuple[np.ndarray, float]]


def peers() -> dict[str, Subtract]:
    """Return the packages that are there, by name."""
    found: dict[str, Subtract] = {}
    program = os.environ.get("HOTPANTS") or shutil.which("hotpants")
    if program:
        found["hotpants"] = lambda *given: _hotpants(program, *given)
    python = os.environ.get("SFFT_PYTHON") or sys.executable
    if subprocess.run([python, "-c", "import sfft"], capture_output=True, check=False).returncode == 0:
        found["sfft"] = lambda *given: _sfft(python, *given)
    return found


def _run(command: list[str], folder: Path) -> float:
    """Run a program and return its CPU seconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, **_ONE_THREAD}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{command[0]} ended with {done.returncode}: {done.stderr[-2000:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _hotpants(
    program: str, science: np.ndarray, reference: np.ndarray, bad: np.ndarray, stars: MatchedStars, folder: Path
) -> tuple[np.ndarray, float]:
    """Alard-Lupton with Gaussian bases: kernel half size 6, order 4 over the whole field, reference convolved."""
    for name, image in (("science", science), ("reference", reference)):
        fits.writeto(folder / f"{name}.fits", image, overwrite=True)
    fits.writeto(folder / "mask.fits", bad.astype(np.int16), overwrite=True)
    limits = [str(value) for value in ("-tu", _SATURATED, "-iu", _SATURATED, "-tl", -500, "-il", -500)]
    seconds = _run(
        [
            program, "-inim", "science.fits", "-tmplim", "reference.fits", "-outim", "difference.fits",
            "-imi", "mask.fits", "-tmi", "mask.fits", *limits, "-c", "t", "-n", "i", "-r", "6", "-rss", "12",
            "-ko", "4", "-bgo", "1", "-nsx", "12", "-nsy", "12",
            "-ng", "3", "6", "0.5", "4", "1.1", "2", "2.4", "-v", "0",
        ],
        folder,
    )  # fmt: skip
    difference = fits.getdata(folder / "difference.fits").astype(np.float32)
    return np.nan_to_num(np.where(np.abs(difference) < 1e-20, 0, difference)), seconds


def _sfft(
    python: str, science: np.ndarray, reference: np.ndarray, bad: np.ndarray, stars: MatchedStars, folder: Path
) -> tuple[np.ndarray, float]:
    """Sfft in 4x4 tiles; its fit sees the surroundings of the matched stars, as its sparse mode has it."""
    usable = np.zeros(science.shape, bool)
    for x, y in zip(
        np.rint(stars.x[stars.usable]).astype(int), np.rint(stars.y[stars.usable]).astype(int), strict=True
    ):
        usable[max(y - 9, 0) : y + 10, max(x - 9, 0) : x + 10] = True
    usable &= ~bad
    np.savez(folder / "pair.npz", science=science, reference=reference, usable=usable)
    script = Path(__file__).with_name("_sfft_tiles.py")
    _run([python, str(script), str(folder)], folder)
    return np.load(folder / "difference.npy"), float((folder / "seconds").read_text())
