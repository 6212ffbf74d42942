"""Build one quadrant's reference image from its good frames.

Inputs, in the same order: ``calibrated`` and ``sources`` of each member. Products: ``reference``, on the grid and at
the flux scale of the first member, and ``reference_sources``. Metrics: ``frames``, ``fwhm_px``, ``zero_point``,
``limiting_magnitude``, ``clipped``, ``members`` with ``unit_key`` and ``weight``.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, overload

import numpy as np
import sep
from astropy.io import fits
from astropy.table import Table
from scipy.spatial import cKDTree

from nightshift.errors import NeedsOperator
from nightshift.jobs.contract import UnitResult, UnitWork
from nightshift.jobs.products import Stopwatch, write_product
from nightshift.settings import Survey
from nightshift.vocabulary import AttemptState, ErrorClass, Reason
from reduction.image.coadd import Coadd, combine, flux_scale
from reduction.image.frame import Frame, read_frame, write_frame, write_units
from reduction.image.mask import FATAL
from reduction.measure.sources import Background
from reduction.measure.zero_point import ZeroPoint, level
from reduction.recipes import (
    Measured,
    MeasureSettings,
    detect_sources,
    fit_photometry,
    measure_depth,
    model_psf,
    source_table,
)

__all__ = ["run"]

_MATCH_ARCSEC = 1.5
_AT_LEAST_STARS = 5  # for the flux scale of a member
_KEPT = ("FILTER", "MJD-OBS", "DATE-OBS", "FIELDID", "GAIN", "RDNOISE", "MAGZPRMS", "MAGZPNUM", "SATURATE")


class _FramesOnDisk(Sequence[Frame]):
    """Frames that are read when they are asked for, each taken to one zero point, and not kept."""

    def __init__(self, paths: list[Path]):
        self._paths = paths

    def __len__(self) -> int:
        return len(self._paths)

    @overload
    def __getitem__(self, k: int) -> Frame: ...

    @overload
    def __getitem__(self, k: slice) -> Sequence[Frame]: ...

    def __getitem__(self, k: int | slice) -> Frame | Sequence[Frame]:
        if isinstance(k, slice):
            return _FramesOnDisk(self._paths[k])
        return level(read_frame(self._paths[k]))


def run(work: UnitWork, survey: Survey, folder: Path) -> UnitResult:
    """Run one unit; see `nightshift.jobs.run`."""
    watch = Stopwatch()
    images, tables = work.inputs_of("calibrated"), work.inputs_of("sources")
    if not images or len(images) != len(tables):
        raise NeedsOperator(
            Reason.INPUT_LOST, f"{work.unit_key}: {len(images)} calibrated frames and {len(tables)} source tables"
        )
    with watch("read"):
        headers = [fits.getheader(item.path, "SCI") for item in images]
        sources = [Table.read(item.path) for item in tables]
    with watch("combine"):
        scales = [1.0] + [_scale(sources[0], table) for table in sources[1:]]
        used = [k for k, scale in enumerate(scales) if np.isfinite(scale) and scale > 0]
        if len(used) < min(2, len(images)):
            return _rejected(work, f"the stars of {len(images) - len(used)} of {len(images)} members do not match")
        coadd = combine(
            _FramesOnDisk([Path(images[k].path) for k in used]),
            [scales[k] for k in used],
            [float(headers[k]["FWHM"]) for k in used],
            scratch=folder,
        )
    with watch("measure"):
        measured = _measure(coadd, [headers[k] for k in used], survey)
    assert measured.psf is not None
    extensions = [measured.psf.to_hdu(), fits.ImageHDU(coadd.coverage, name="COVERAGE")]
    table_units = [fits.PrimaryHDU(), fits.table_to_hdu(source_table(measured))]
    table_units[1].header["EXTNAME"] = "SOURCES"
    with watch("write"):
        products = (
            write_product(
                folder,
                "reference",
                "reference.fits",
                lambda stream: write_frame(stream, measured.frame, extensions),
                inputs=work.inputs,
            ),
            write_product(
                folder,
                "reference_sources",
                "reference_sources.fits",
                lambda stream: write_units(stream, table_units),
                inputs=work.inputs,
            ),
        )
    return UnitResult(
        work.unit_key,
        work.token,
        AttemptState.SUCCEEDED,
        products=products,
        metrics=_metrics(work, measured, coadd, used),
        seconds=watch.seconds,
    )


def _rejected(work: UnitWork, detail: str) -> UnitResult:
    return UnitResult(
        work.unit_key,
        work.token,
        AttemptState.REJECTED,
        reason=Reason.TOO_FEW_FRAMES,
        error_class=ErrorClass.BAD_INPUT,
        detail=detail,
    )


def _scale(first: Table, other: Table) -> float:
    """Return the factor that brings a member to the first one's flux scale; NaN where too few stars match."""
    stars = [table[np.asarray(table["star"], bool)] for table in (first, other)]
    if min(len(table) for table in stars) < _AT_LEAST_STARS:
        return float("nan")
    points = [_on_sphere(table) for table in stars]
    distance, nearest = cKDTree(points[1]).query(points[0], distance_upper_bound=np.radians(_MATCH_ARCSEC / 3600))
    found = np.flatnonzero(np.isfinite(distance))
    if len(found) < _AT_LEAST_STARS:
        return float("nan")
    brightest = found[np.argsort(-np.asarray(stars[0]["flux"])[found], kind="stable")][:200]
    return flux_scale(
        np.asarray(stars[0]["flux"], float)[brightest], np.asarray(stars[1]["flux"], float)[nearest[brightest]]
    )


def _on_sphere(table: Table) -> np.ndarray:
    ra, dec = np.radians(np.asarray(table["ra"], float)), np.radians(np.asarray(table["dec"], float))
    return np.column_stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)])


def _measure(coadd: Coadd, headers: list[fits.Header], survey: Survey) -> Measured:
    """Find and measure the sources of the combined image."""
    first = headers[0]
    header = {key: first[key] for key in _KEPT if key in first}
    header["NFRAMES"] = len(headers)
    header["EXPTIME"] = sum(float(one.get("EXPTIME", 0.0)) for one in headers)
    frame = replace(coadd.frame, header=header)
    assert frame.variance is not None
    bad = (frame.mask & np.uint16(FATAL)) != 0
    mesh = max(8, min(survey.reduction.background_mesh_px, *frame.shape))
    variance = sep.Background(np.ascontiguousarray(frame.variance), mask=bad, bw=mesh, bh=mesh).back(dtype=np.float32)
    variance = np.maximum(variance, np.float32(1e-6))
    # The members came without their sky, so that there is none to subtract.
    sky = Background(np.zeros(frame.shape, np.float32), variance, 0.0, float(np.sqrt(np.median(variance))))
    settings = MeasureSettings(
        detection_sigma=survey.reduction.detection_sigma, aperture_radius_px=survey.reduction.aperture_radius_px
    )
    measured = Measured(frame, background=sky)
    for step in (detect_sources, model_psf, fit_photometry):
        measured = step(measured, settings)
    zero_point = replace(ZeroPoint.from_header(first), spatial=np.empty(0))  # no member has such terms any more
    return measure_depth(replace(measured, zero_point=zero_point), settings)


def _metrics(work: UnitWork, measured: Measured, coadd: Coadd, used: list[int]) -> dict[str, Any]:
    header = measured.frame.header
    named = work.parameters.get("members", [])
    keys = [member["unit_key"] for member in named] or [item.key for item in work.inputs_of("calibrated")]
    weights = dict(zip(used, coadd.weights.tolist(), strict=True))
    return {
        "frames": len(used),
        "fwhm_px": header["FWHM"],
        "zero_point": header["MAGZP"],
        "limiting_magnitude": header["MAGLIM"],
        "clipped": coadd.clipped,
        "members": [{"unit_key": key, "weight": weights.get(k, 0.0)} for k, key in enumerate(keys)],
    }
