"""Reduce one quadrant of a science exposure: calibrate, measure, and difference where a reference is there.

Inputs: ``raw`` (the detector's file), ``bias``, ``dark``, ``flat`` (those that exist), ``bad_pixels`` and
``catalogue`` (optional), ``reference`` and ``reference_sources`` (optional). Parameters: `instrument`, `exposure_id`,
`detector`, `quadrant`, `filter`, `field`, `exposure_s`, `shutter_open`, `ra_deg`, `dec_deg`, `airmass`, `flags`,
`own_catalogue`, `reference_key`, `overruled` (a person accepted it: what the checks say is a flag). Products:
``calibrated`` (background subtracted, electrons; the PSF is its extension ``PSF``), ``sources``, and those of a
difference. Metrics: those of ``nightshift.vocabulary.measurements`` and ``corners_deg``, and under
``difference`` the columns of ``differences``.
"""

import math
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from astropy.io import fits
from astropy.table import Table
from astropy.time import Time

from nightshift.code_version import code_version
from nightshift.errors import BadInput
from nightshift.jobs.contract import Input, Product, UnitResult, UnitWork
from nightshift.jobs.products import Stopwatch, write_product
from nightshift.jobs.translate import (
    aggressors_of,
    bounds_of,
    compression_of,
    gain_of,
    layout_as_measured,
    layout_of,
    master_of,
    pointing_wcs,
    recipe_of,
)
from nightshift.kinds.science.blind_solution import BlindSolver
from nightshift.settings import Survey
from nightshift.vocabulary import AttemptState, ErrorClass, Reason, bounded_measurements, reason_of
from reduction.detector.calibrations import Calibrations, DetectorSettings
from reduction.detector.raw import read_quadrant
from reduction.image.compression import Compression
from reduction.image.frame import Frame, read_mask, write_frame, write_units
from reduction.measure.catalogue import Catalogue, read_catalogue
from reduction.measure.quality import Bounds, Judgement, judge
from reduction.problems import Unusable
from reduction.recipes import Measured, MeasureSettings, source_table

__all__ = ["run"]

PROVENANCE = {
    "raw": "RAWKEY", "bias": "BIASKEY", "dark": "DARKKEY", "flat": "FLATKEY", "bad_pixels": "BPMKEY",
    "catalogue": "CATKEY",
}  # fmt: skip
SKY_PX = 96  # pixels along the longer side of the sky that is kept beside the image


@dataclass(frozen=True)
class Outcome:
    """What the measuring came to: as far as it got, and the problem that stopped it."""

    measured: Measured
    problem: Unusable | None = None


def run(work: UnitWork, survey: Survey, folder: Path) -> UnitResult:
    """Reduce the unit. A frame that is not good enough is rejected, with what was measured of it."""
    watch = Stopwatch()
    frame, found = _calibrated(work, survey, watch)
    outcome = _measured(work, survey, frame, watch)
    measured = _above_the_air(work, survey, outcome.measured)
    judgement = judge(measured.metrics, _bounds(work, survey))
    flags = _flags(work, measured, found)
    sources = source_table(measured) if measured.photometry is not None and measured.psf is not None else None
    with watch("write"):
        products = _products(work, survey, folder, measured, sources)
    good = judgement.good and outcome.problem is None
    metrics = {**measured.metrics, "good": good, "warnings": judgement.warnings}
    result = UnitResult(
        work.unit_key, work.token, AttemptState.SUCCEEDED,
        flags=flags, products=products, metrics=metrics, seconds=watch.seconds,
    )  # fmt: skip
    if not good:
        reason, detail = _why(judgement, outcome.problem)
        if outcome.problem is not None or not work.parameters.get("overruled"):
            return _rejected(result, reason, detail)
        result = replace(result, flags=(*result.flags, reason), detail=detail)
    if work.input("reference") is None or sources is None:
        return result
    return _with_difference(work, survey, folder, result, watch)


def _with_difference(
    work: UnitWork, survey: Survey, folder: Path, result: UnitResult, watch: Stopwatch
) -> UnitResult:
    """Difference what was just written, so that it is the same whether the reference came before or after it."""
    from nightshift.kinds.difference.work import difference_of_products

    made = tuple(Input(p.kind, str(folder / p.name), p.sha256, f"{work.unit_key}/{p.kind}") for p in result.products)
    with watch("difference"):
        outcome = difference_of_products(replace(work, inputs=work.inputs + made), survey, folder)
    return replace(
        result,
        products=result.products + tuple(outcome.products),
        rows={**result.rows, **outcome.rows},
        metrics={**result.metrics, **outcome.metrics},
        seconds={**watch.seconds, **outcome.seconds},
    )


def _calibrated(work: UnitWork, survey: Survey, watch: Stopwatch) -> tuple[Frame, tuple[Reason, ...]]:
    """Take the raw quadrant to electrons; the reasons say what could not be done as the settings have it."""
    told = work.parameters
    raw = work.input("raw")
    if raw is None:
        raise BadInput(Reason.INPUT_LOST, "the job names no raw file")
    place = int(told["detector"]), int(told["quadrant"])
    with watch("read"):
        frame, layout = read_quadrant(Path(raw.path), layout_of(survey, *place))
        masters = {role: master_of(work, role) for role in ("bias", "dark", "flat")}
        if masters["dark"] is not None:
            gain = gain_of(masters["dark"], layout.gain)
            masters["dark"] = replace(masters["dark"], header={**masters["dark"].header, "RAWGAIN": gain})
        bad_pixels = work.input("bad_pixels")
        aggressors, unread = aggressors_of(survey, *place, Path(raw.path))
        calibrations = Calibrations(
            **masters,
            bad_pixels=read_mask(Path(bad_pixels.path)) if bad_pixels is not None else None,
            aggressors=aggressors,
        )
    read_noise_by_settings = layout.read_noise / layout.gain  # ADU, which no wrong gain changes
    layout, found = layout_as_measured(layout, survey, masters["bias"], masters["flat"])
    if survey.camera.wcs != "header":
        frame = replace(frame, wcs=None)
    seconds = float(told.get("exposure_s") or 0.0)
    settings = DetectorSettings(
        layout,
        seconds,
        mask_edge_px=survey.camera.mask_edge_px,
        cosmic_ray_sigma=survey.reduction.cosmic_ray_sigma,
    )
    for step in recipe_of(survey).calibrate:
        with watch(step.__name__):
            frame = step(frame, calibrations, settings)
    header = {**frame.header, **_told_header(told, seconds), **_made_from(work)}
    header["RNSET"] = read_noise_by_settings * layout.gain
    if unread:
        header["XTALKNOT"] = ",".join(map(str, unread))[:68]
        found += (Reason.CROSSTALK_LEFT,)
    return replace(frame, header=header), found


def _told_header(told: dict[str, Any], seconds: float) -> dict[str, Any]:
    """Return the keywords that the ledger knows better than the file."""
    header: dict[str, Any] = {
        "INSTRUME": told.get("instrument"),
        "EXPID": told.get("exposure_id"),
        "DETECTOR": told.get("detector"),
        "QUADRANT": told.get("quadrant"),
        "FILTER": told.get("filter"),
        "FIELDID": told.get("field"),
        "EXPTIME": seconds,
        "AIRMASS": told.get("airmass"),
    }
    if told.get("own_catalogue"):
        header["ZPREL"] = True  # zero point, limit and WCS are relative to the field's own first frame
    opened = _shutter_open(told)
    if opened is not None:
        header["DATE-OBS"] = opened.isoformat(timespec="milliseconds").removesuffix("+00:00")
        header["MJD-OBS"] = float(Time(opened).mjd)
        header["MJD-MID"] = float(Time(opened + timedelta(seconds=seconds / 2)).mjd)
    return {key: value for key, value in header.items() if value is not None and _writable(value)}


def _made_from(work: UnitWork) -> dict[str, Any]:
    """Return the keywords that say what the image was made from, and by which version."""
    made: dict[str, Any] = {"UNITKEY": work.unit_key, "NSVERS": code_version()}
    for role in PROVENANCE:
        item = work.input(role)
        if item is not None:
            made[PROVENANCE[role]] = item.key[:68]
            made[f"{PROVENANCE[role][:3]}SHA"] = item.sha256
    return made


def _writable(value: Any) -> bool:
    return not isinstance(value, float) or math.isfinite(value)


def _shutter_open(told: dict[str, Any]) -> datetime | None:
    if not told.get("shutter_open"):
        return None
    opened = datetime.fromisoformat(str(told["shutter_open"]))
    return opened.astimezone(UTC) if opened.tzinfo else opened.replace(tzinfo=UTC)


def _measured(work: UnitWork, survey: Survey, frame: Frame, watch: Stopwatch) -> Outcome:
    """Run the measuring recipe as far as it goes."""
    told, numbers = work.parameters, survey.reduction
    measured = Measured(frame)
    try:
        settings = MeasureSettings(
            background_mesh_px=numbers.background_mesh_px,
            detection_sigma=numbers.detection_sigma,
            aperture_radius_px=numbers.aperture_radius_px,
            match_radius_arcsec=numbers.match_radius_arcsec,
            pointing_error_arcsec=numbers.pointing_error_arcsec,
            catalogue=_catalogue(work, survey),
            colour_reference=_colour(work, survey)[1],
            blind=_blind_solver(work, survey),
            first_guess=None if survey.camera.wcs == "blind" else pointing_wcs(
                survey, int(told["detector"]), int(told["quadrant"]), frame.shape,
                told.get("ra_deg"), told.get("dec_deg"),
            ),
        )  # fmt: skip
        for step in recipe_of(survey).measure:
            with watch(step.__name__):
                measured = step(measured, settings)
    except Unusable as problem:
        return Outcome(measured, problem)
    return Outcome(measured)


def _above_the_air(work: UnitWork, survey: Survey, measured: Measured) -> Measured:
    """Note the zero point of one second above the atmosphere: clouds and a dirty mirror show in it."""
    told = work.parameters
    seconds, airmass = float(told.get("exposure_s") or 0.0), told.get("airmass")
    known = next((f for f in survey.sky.filters if f.name == told.get("filter")), None)
    own = measured.own_catalogue or bool(told.get("own_catalogue"))
    if measured.zero_point is None or own or seconds <= 0 or airmass is None or known is None:
        return measured
    zenith = measured.zero_point.value - 2.5 * math.log10(seconds) + known.extinction * float(airmass)
    return measured.noting(zero_point_zenith=zenith)


def _blind_solver(work: UnitWork, survey: Survey) -> BlindSolver | None:
    """Return what finds a frame's place from its sources alone, where the camera has index files for it."""
    indexes = survey.camera.astrometry_indexes
    if indexes is None:
        return None
    return BlindSolver(Path(indexes), Path(work.folder) / "blind", survey.camera.pixel_scale_arcsec)


def _catalogue(work: UnitWork, survey: Survey) -> Catalogue | None:
    item = work.input("catalogue")
    if item is None:
        return None
    return read_catalogue(Path(item.path), str(work.parameters.get("filter")), _colour(work, survey)[0])


def _colour(work: UnitWork, survey: Survey) -> tuple[tuple[str, str] | None, float]:
    """Return the filters whose difference is the colour of the exposure's filter, and the reference colour."""
    known = next((f for f in survey.sky.filters if f.name == work.parameters.get("filter")), None)
    return (None, 0.0) if known is None else (known.colour, known.colour_reference)


def _bounds(work: UnitWork, survey: Survey) -> tuple[Bounds, ...]:
    """Return the bounds that hold on the day of the exposure."""
    told = work.parameters
    opened = _shutter_open(told)
    day = opened.date() if opened is not None else datetime.max.date()
    return bounds_of(survey, str(told.get("filter")), day)


def _flags(work: UnitWork, measured: Measured, found: tuple[Reason, ...]) -> tuple[Reason, ...]:
    flags = [*(Reason(flag) for flag in work.parameters.get("flags", ())), *found]
    if measured.own_catalogue or work.parameters.get("own_catalogue"):
        flags.append(Reason.OWN_CATALOGUE)
    if work.parameters.get("overruled"):
        flags.append(Reason.OPERATOR_ACCEPTED)
    if measured.metrics.get("trails"):
        flags.append(Reason.SATELLITE_TRAIL)
    return tuple(dict.fromkeys(flags))


def _products(
    work: UnitWork, survey: Survey, folder: Path, measured: Measured, sources: Table | None
) -> tuple[Product, ...]:
    made = tuple(i for i in work.inputs if i.role in PROVENANCE)
    packed = compression_of(survey)
    products = [
        write_product(
            folder, "calibrated", "calibrated.fits", lambda s: _write_calibrated(s, measured, packed), inputs=made
        )
    ]
    if sources is not None:
        unit = fits.table_to_hdu(sources)
        unit.header["EXTNAME"] = "SOURCES"
        units = [fits.PrimaryHDU(), unit]
        products.append(
            write_product(folder, "sources", "sources.fits", lambda s: write_units(s, units), inputs=made)
        )
    return tuple(products)


def _write_calibrated(stream: BinaryIO, measured: Measured, compression: Compression) -> None:
    extensions = [measured.psf.to_hdu()] if measured.psf is not None else []
    if measured.background is not None:
        level = measured.background.level
        step = max(1, max(level.shape) // SKY_PX)
        extensions.append(
            fits.ImageHDU(np.ascontiguousarray(level[step // 2 :: step, step // 2 :: step]), name="BACKGROUND")
        )
    write_frame(stream, measured.frame, extensions, compression)


def _why(judgement: Judgement, problem: Unusable | None) -> tuple[Reason, str]:
    """Return the reason of a rejection, the cause before its consequences, and all that is wrong as text."""
    causes = {measurement.name: measurement for measurement in bounded_measurements()}
    failures = sorted(judgement.failures, key=lambda failure: tuple(causes).index(failure.name))
    sentences = [failure.sentence for failure in failures]
    first = next(iter(failures), None)
    if problem is not None and (first is None or not causes[first.name].cause):
        return reason_of(problem.cause), "; ".join([str(problem), *sentences])
    assert first is not None
    reason = causes[first.name].reason_low if first.low else causes[first.name].reason_high
    assert reason is not None
    return reason, "; ".join(sentences + ([str(problem)] if problem is not None else []))


def _rejected(result: UnitResult, reason: Reason, detail: str) -> UnitResult:
    return replace(
        result, state=AttemptState.REJECTED, reason=reason, error_class=ErrorClass.BAD_INPUT, detail=detail
    )
