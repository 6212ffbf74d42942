"""A frame of which nobody says where it lies is placed by its sources alone, or the reason says why not."""

import os
import shutil
import subprocess

import numpy as np
import pytest
from astropy.table import Table
from astropy.wcs import WCS

from nightshift.kinds.science.blind_solution import BlindSolver
from reduction.problems import Problem, Unusable

pytestmark = pytest.mark.integration
SHAPE = (600, 640)


@pytest.fixture(scope="module")
def solver_is_there():
    if shutil.which("solve-field") is None:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)("not installed: astrometry.net")


@pytest.fixture(scope="module")
def sky():
    """Stars of a patch of half a degree: right ascension, declination (degrees) and magnitude."""
    random = np.random.default_rng(3)
    count = 500
    ra = 150 + random.uniform(-0.3, 0.3, count) / np.cos(np.radians(22))
    return ra, 22 + random.uniform(-0.3, 0.3, count), random.uniform(12, 18, count)


@pytest.fixture(scope="module")
def indexes(solver_is_there, sky, tmp_path_factory):
    folder = tmp_path_factory.mktemp("indexes")
    ra, dec, magnitude = sky
    Table({"RA": ra, "DEC": dec, "MAG": magnitude}).write(folder / "stars.xyls", format="fits")
    for scale in ("0", "2"):
        subprocess.run(
            ["build-astrometry-index", "-i", str(folder / "stars.xyls"), "-o", str(folder / f"index{scale}.fits"),
             "-P", scale, "-S", "MAG", "-A", "RA", "-D", "DEC", "-E", "-I", f"100{scale}"],
            check=True, capture_output=True,
        )  # fmt: skip
    return folder


def turned(angle_deg: float, scale_arcsec: float = 1.0) -> WCS:
    wcs = WCS(naxis=2)
    wcs.wcs.crpix, wcs.wcs.crval, wcs.wcs.ctype = [300, 300], [150.03, 22.02], ["RA---TAN", "DEC--TAN"]
    cosine, sine = np.cos(np.radians(angle_deg)), np.sin(np.radians(angle_deg))
    wcs.wcs.cd = np.array([[-cosine, sine], [sine, cosine]]) * scale_arcsec / 3600
    return wcs


def sources(sky, wcs):
    ra, dec, magnitude = sky
    x, y = wcs.all_world2pix(ra, dec, 0)
    inside = (x > 0) & (x < SHAPE[1] - 1) & (y > 0) & (y < SHAPE[0] - 1)
    noise = np.random.default_rng(5).normal(0, 0.1, (2, int(inside.sum())))
    return x[inside] + noise[0], y[inside] + noise[1], 10 ** (-0.4 * (magnitude[inside] - 25))


@pytest.mark.parametrize("angle_deg", [0.0, 37.0, 180.0])
def test_a_frame_is_placed_however_it_is_turned(indexes, sky, tmp_path, angle_deg):
    true = turned(angle_deg)
    found = BlindSolver(indexes, tmp_path, 1.02)(*sources(sky, true), SHAPE)
    corners = ([0, SHAPE[1] - 1, 0, SHAPE[1] - 1], [0, 0, SHAPE[0] - 1, SHAPE[0] - 1])
    (ra, dec), (right_ra, right_dec) = found.all_pix2world(*corners, 0), true.all_pix2world(*corners, 0)
    assert np.abs((ra - right_ra) * np.cos(np.radians(22))).max() * 3600 < 1.5
    assert np.abs(dec - right_dec).max() * 3600 < 1.5


def refusal(solver, *frame) -> str:
    with pytest.raises(Unusable) as caught:
        solver(*frame)
    assert caught.value.cause == Problem.ASTROMETRY_FAILED
    return str(caught.value)


def test_sources_of_another_sky_have_no_solution_and_the_reason_names_scale_and_folder(indexes, tmp_path):
    random = np.random.default_rng(11)
    x, y, flux = random.uniform(0, 600, 40), random.uniform(0, 600, 40), random.uniform(1, 9, 40)
    said = refusal(BlindSolver(indexes, tmp_path, 1.0), x, y, flux, SHAPE)
    assert "no blind solution from 40 sources at 1 arcsec a pixel" in said
    assert str(indexes) in said


def test_what_is_lacking_is_said(solver_is_there, indexes, sky, tmp_path, monkeypatch):
    frame = sources(sky, turned(0.0))
    assert "has no index files" in refusal(BlindSolver(tmp_path, tmp_path / "made", 1.0), *frame, SHAPE)
    few = [values[:5] for values in frame]
    assert "5 sources; a blind solution needs 8" in refusal(BlindSolver(indexes, tmp_path, 1.0), *few, SHAPE)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "apt install astrometry.net" in refusal(BlindSolver(indexes, tmp_path, 1.0), *frame, SHAPE)
