"""Where a frame lies when nobody says so: astrometry.net's solver on the sources of the frame, offline.

``solve-field`` (Debian: ``astrometry.net``) is run in the folder of the attempt, on the sources that were found, with
index files of a folder that the settings of the camera name. The image is not read again, and nothing is fetched.
"""

import shutil
import subprocess
import warnings
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS

from reduction.problems import Problem, Unusable

__all__ = ["BlindSolver"]

PROGRAM = "solve-field"
SCALE_APART = 0.1  # by which the pixel scale of the settings may be off
SOURCES_AT_MOST = 200  # the brightest; more are slower and say nothing new
SOURCES_AT_LEAST = 8  # a quad and four stars more that confirm it
WITHIN_S = 60  # processor time
WALL_S = 120.0


class BlindSolver:
    """Finds a frame's WCS from its sources alone.

    Parameters
    ----------
    indexes : Path
        Folder of astrometry.net's index files.
    folder : Path
        For what the solver writes.
    scale_arcsec : float
        Of a pixel, by the camera's settings.
    """

    def __init__(self, indexes: Path, folder: Path, scale_arcsec: float):
        self._indexes, self._folder, self._scale = indexes, folder, scale_arcsec

    def __call__(self, x: np.ndarray, y: np.ndarray, flux: np.ndarray, shape: tuple[int, int]) -> WCS:
        """Return the WCS of a frame.

        Parameters
        ----------
        x, y : ndarray of float
            Pixels, counted from 0.
        flux : ndarray of float
        shape : tuple of int
            Rows and columns.

        Raises
        ------
        Unusable
            ``astrometry_failed``, with what the solver lacks or could not do.
        """
        self._check(len(x))
        brightest = np.argsort(-flux, kind="stable")[:SOURCES_AT_MOST]
        sources = Table({"X": x[brightest] + 1.0, "Y": y[brightest] + 1.0, "FLUX": flux[brightest]})
        self._folder.mkdir(parents=True, exist_ok=True)
        sources.write(self._folder / "sources.xyls", format="fits", overwrite=True)
        (self._folder / "solver.cfg").write_text(f"inparallel\nadd_path {self._indexes}\nautoindex\n")
        said = self._run(shape)
        solved = self._folder / "sources.wcs"
        if not solved.is_file():
            raise Unusable(
                Problem.ASTROMETRY_FAILED,
                f"no blind solution from {len(brightest)} sources at {self._scale:g} arcsec a pixel with the index "
                f"files of {self._indexes}: {said}",
            )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return WCS(fits.getheader(solved))

    def _check(self, sources: int) -> None:
        """Raise with what is lacking, where something is."""
        lack = ""
        if shutil.which(PROGRAM) is None:
            lack = f"{PROGRAM} is not installed on this machine (Debian: apt install astrometry.net)"
        elif not any(self._indexes.glob("*.fits")):
            lack = f"{self._indexes} has no index files; camera.astrometry_indexes names their folder"
        elif sources < SOURCES_AT_LEAST:
            lack = f"{sources} sources; a blind solution needs {SOURCES_AT_LEAST}"
        if lack:
            raise Unusable(Problem.ASTROMETRY_FAILED, lack)

    def _run(self, shape: tuple[int, int]) -> str:
        """Run the solver, and return the last line that says why it ended."""
        rows, columns = shape
        options = {
            "dir": self._folder, "config": self._folder / "solver.cfg", "width": columns, "height": rows,
            "x-column": "X", "y-column": "Y", "sort-column": "FLUX", "scale-units": "arcsecperpix",
            "scale-low": self._scale * (1 - SCALE_APART), "scale-high": self._scale * (1 + SCALE_APART),
            "cpulimit": WITHIN_S, "uniformize": 0,
        }  # fmt: skip
        flags = ("--no-plots", "--overwrite", "--no-remove-lines", "--no-tweak")
        words = [part for key, value in options.items() for part in (f"--{key}", str(value))]
        try:
            done = subprocess.run(
                [PROGRAM, str(self._folder / "sources.xyls"), *words, *flags],
                capture_output=True, text=True, timeout=WALL_S, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return f"the solver did not end within {WALL_S:g} s"
        lines = [line.strip() for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        return next((line for line in reversed(lines) if "not solve" in line or "limit" in line), "no match")
