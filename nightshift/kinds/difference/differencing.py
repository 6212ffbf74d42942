"""Difference one calibrated quadrant: what the science job and the difference job share."""

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from astropy.table import Table
from scipy.spatial import cKDTree

from nightshift.jobs.contract import Input, Product, UnitWork
from nightshift.jobs.products import Stopwatch, write_product
from nightshift.jobs.translate import compression_of
from nightshift.realbogus import REAL_BOGUS
from nightshift.settings import Survey
from nightshift.vocabulary import Reason, UnitState, reason_of
from reduction.difference.candidates import (
    Candidate,
    CandidateSettings,
    Photometry,
    ReferenceSources,
    find_candidates,
)
from reduction.difference.difference import Difference, DifferenceSettings, Psf, make_difference
from reduction.difference.forced import PsfGrid
from reduction.difference.injection import inject, plan_injection, recovery
from reduction.difference.score import MatchedStars, block_extremes
from reduction.image.coadd import combine
from reduction.image.cutouts import cut_out, write_cutouts
from reduction.image.frame import Frame, read_frame, write_frame
from reduction.image.mask import FATAL, MaskBit
from reduction.measure.astrometry import tangent_wcs
from reduction.measure.psf import PsfModel
from reduction.measure.sources import SourceFlag
from reduction.measure.zero_point import ZeroPoint, level
from reduction.problems import Unusable
from reduction.realbogus.classifier import RealBogusModel, read_model
from reduction.realbogus.features import features

__all__ = [
    "REAL_BOGUS",
    "SCORE_BLOCK",
    "DifferenceOutcome",
    "completeness",
    "completeness_of_files",
    "difference_unit",
    "match_stars",
    "survey_settings",
    "warm_up",
]

_SPOILED = int(SourceFlag.SATURATED | SourceFlag.BAD_PIXELS | SourceFlag.AT_EDGE | SourceFlag.NOT_FITTED)
SCORE_BLOCK = 8  # pixels along each side of a block whose extreme score is kept
_MATCH_PX = 2.0
_STAR_SIGNAL = 20.0  # signal to noise of a star that the images are matched by


@dataclass(frozen=True)
class DifferenceOutcome:
    """What became of a difference.

    Parameters
    ----------
    state : UnitState
        PROCESSED or REJECTED.
    reason : Reason or None
        Of a rejection.
    detail : str
    products : tuple of Product
        ``difference`` and ``cutouts``; a difference that was rejected after it was made is kept.
    rows : dict
        ``candidates``.
    metrics : dict
        ``difference``: the columns of the ledger's table of differences.
    seconds : dict of str to float
        CPU seconds by step.
    """

    state: UnitState
    reason: Reason | None = None
    detail: str = ""
    products: tuple[Product, ...] = ()
    rows: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)


def difference_unit(
    work: UnitWork, survey: Survey, folder: Path, calibrated: Frame, sources: Table, psf: Psf
) -> DifferenceOutcome:
    """Difference a calibrated quadrant against the reference among its inputs, and search it.

    Parameters
    ----------
    work : UnitWork
        With inputs ``reference`` and ``reference_sources``.
    survey : Survey
    folder : Path
        Of the attempt.
    calibrated : Frame
        Background subtracted, electrons; with WCS, variance and header. It is differenced at one zero point, which is
        then that of the difference everywhere.
    sources : Table
        Of the calibrated frame.
    psf : Psf
        Of the calibrated frame.

    Returns
    -------
    DifferenceOutcome
        A difference that cannot be made or is too poor to search is REJECTED with its reason, not an exception.
    """
    watch = Stopwatch()
    image, table = work.input("reference"), work.input("reference_sources")
    if image is None or table is None:
        return _rejected(Reason.NO_REFERENCE, "no reference was given", watch)
    try:
        with watch("difference"):
            calibrated = level(calibrated)
            reference = read_frame(Path(image.path))
            known = Table.read(table.path)
            difference = _make(survey, calibrated, sources, psf, reference, known)
    except Unusable as problem:
        return _rejected(reason_of(problem.cause), str(problem), watch)
    with watch("candidates"):
        candidates, dropped = _search(work, survey, calibrated, known, difference)
    with watch("real_bogus"):
        _judge(difference, calibrated, candidates)
    with watch("write_difference"):
        products = [_write_difference(work, survey, folder, calibrated, difference)]
    quality = {**difference.quality, **{f"dropped_{cause}": count for cause, count in dropped.items()}}
    if _is_sampled(work.unit_key, survey.reduction.injection_fraction):
        with watch("injection"):
            quality |= completeness(work, survey, calibrated, sources, psf, reference, known, difference, candidates)
    metrics = _metrics(calibrated, difference, len(candidates), quality)
    most = survey.alerts.at_most_per_unit
    if len(candidates) > most or dropped["peaks"] > 10 * most:
        text = f"{len(candidates) or dropped['peaks']} candidates, where {most} are the most that can be true"
        return _rejected(Reason.TOO_MANY_CANDIDATES, text, watch, products=tuple(products), metrics=metrics)
    with watch("cutouts"):
        products.append(_write_cutouts(work, survey, folder, calibrated, difference, candidates))
    rows = [_row(number, candidate, calibrated) for number, candidate in enumerate(candidates, start=1)]
    return DifferenceOutcome(
        UnitState.PROCESSED,
        products=tuple(products),
        rows={"candidates": rows},
        metrics={"difference": {"state": str(UnitState.PROCESSED), "reason": None, "detail": "", **metrics}},
        seconds=watch.seconds,
    )


def _search(
    work: UnitWork, survey: Survey, calibrated: Frame, known: Table, difference: Difference
) -> tuple[list[Candidate], dict[str, int]]:
    """Find the candidates of a difference, by the survey's settings."""
    numbers = survey.reduction
    return find_candidates(
        difference,
        _photometry(work, calibrated),
        _reference_sources(calibrated, known),
        CandidateSettings(
            sigma=numbers.difference_sigma,
            aperture_radius_px=numbers.aperture_radius_px,
            big_aperture_radius_px=numbers.aperture_radius_px + 2,
        ),
        at_most=10 * survey.alerts.at_most_per_unit,
    )


def _number_of(unit_key: str) -> int:
    return int.from_bytes(hashlib.sha256(unit_key.encode()).digest()[:8], "big")


def _is_sampled(unit_key: str, fraction: float) -> bool:
    """Tell whether a quadrant is one whose completeness is measured: the same ones whenever it runs again."""
    return _number_of(unit_key) < fraction * 2**64


def completeness(
    work: UnitWork,
    survey: Survey,
    calibrated: Frame,
    sources: Table,
    psf: Psf,
    reference: Frame,
    known: Table,
    difference: Difference,
    candidates: list[Candidate],
) -> dict[str, int]:
    """Put new sources into the frame, difference and search it again, and return how many were found.

    `injection.recovery` gives the counts; nothing of this becomes a candidate. A frame that cannot be
    differenced any more counts its sources as lost.
    """
    random = np.random.default_rng(_number_of(work.unit_key))
    extended = ~np.asarray(known["star"], bool) & (np.asarray(known["flags"]) == 0)
    places = _reference_sources(calibrated, known[extended])
    planned = plan_injection(
        difference, candidates, (places.x, places.y), random, number=survey.reduction.injection_sources
    )
    fwhm = difference.psf.fwhm()
    try:
        again = _make(survey, inject(calibrated, psf, planned, random), sources, psf, reference, known)
    except Unusable:
        return recovery(planned, [], fwhm)
    return recovery(planned, _search(work, survey, calibrated, known, again)[0], fwhm)


def completeness_of_files(
    survey: Survey, calibrated: Path, sources: Path, reference: Path, reference_sources: Path
) -> dict[str, int]:
    """Return `completeness` of a frame that is on disk, by the names of its products.

    Raises
    ------
    Unusable
        Where the frame cannot be differenced as it is.
    """
    frame, table = level(read_frame(calibrated)), Table.read(sources)
    with fits.open(calibrated, memmap=False) as units:
        psf = PsfModel.from_hdu(units["PSF"])
    image, known = read_frame(reference), Table.read(reference_sources)
    work = UnitWork(calibrated.parent.name or "frame", 1, "", "", (), {})
    difference = _make(survey, frame, table, psf, image, known)
    candidates, _ = _search(work, survey, frame, known, difference)
    return completeness(work, survey, frame, table, psf, image, known, difference, candidates)


def _judge(difference: Difference, science: Frame, candidates: list[Candidate]) -> None:
    """Put into each candidate's record how real it looks, and by which model."""
    if not candidates:
        return
    model = _real_bogus()
    for candidate, score in zip(candidates, model.score(features(difference, science, candidates)), strict=True):
        candidate.record["rb"], candidate.record["rbversion"] = float(score), model.version


@cache
def _real_bogus() -> RealBogusModel:
    return read_model(REAL_BOGUS)


def _rejected(
    reason: Reason,
    detail: str,
    watch: Stopwatch,
    *,
    products: tuple[Product, ...] = (),
    metrics: dict[str, Any] | None = None,
) -> DifferenceOutcome:
    nothing: dict[str, Any] = {"candidates": 0, "noise_ratio": None, "limiting_magnitude": None, "quality": {}}
    found = {**nothing, **(metrics or {}), "candidates": 0}
    return DifferenceOutcome(
        UnitState.REJECTED,
        reason,
        detail,
        products,
        {"candidates": []},
        {"difference": {**found, "state": str(UnitState.REJECTED), "reason": str(reason), "detail": detail}},
        watch.seconds,
    )


def _make(survey: Survey, calibrated: Frame, sources: Table, psf: Psf, reference: Frame, known: Table) -> Difference:
    """Match stars and subtract."""
    stars = match_stars(calibrated, sources, known)
    fwhm = float(reference.header["FWHM"])
    return make_difference(calibrated, psf, reference, fwhm, stars, survey_settings(survey))


def survey_settings(survey: Survey) -> DifferenceSettings:
    """Return how a survey wants its images subtracted."""
    numbers = survey.reduction
    return DifferenceSettings(
        method=numbers.difference_method,
        kernel_radius_px=numbers.kernel_radius_px,
        kernel_order=numbers.kernel_order,
    )


def match_stars(calibrated: Frame, sources: Table, known: Table) -> MatchedStars:
    """Return the sources of a frame that the reference has too.

    A source of the reference that the frame's table lacks or has no flux of (saturated, or at its edge) is kept with
    the flux that the reference gives it: light is left around it all the same.
    """
    assert calibrated.wcs is not None
    x, y = calibrated.wcs.all_world2pix(np.asarray(known["ra"]), np.asarray(known["dec"]), 0, quiet=True)
    flux = np.nan_to_num(np.asarray(known["flux"], float))
    inside = np.isfinite(x) & np.isfinite(y) & (flux > 0)
    inside[inside] &= (
        (x[inside] > -30) & (y[inside] > -30)
        & (x[inside] < calibrated.shape[1] + 30) & (y[inside] < calibrated.shape[0] + 30)
    )  # fmt: skip
    x, y, flux = x[inside], y[inside], flux[inside]
    spoiled = (np.asarray(known["flags"])[inside] & _SPOILED) != 0
    usable = np.zeros(len(x), bool)
    if len(sources) and len(x):
        tree = cKDTree(np.column_stack([sources["x"], sources["y"]]))
        distance, nearest = tree.query(np.column_stack([x, y]), distance_upper_bound=_MATCH_PX)
        found = np.flatnonzero(np.isfinite(distance))
        match = nearest[found]
        own = np.asarray(sources["flux"], float)[match]
        signal = own / np.maximum(np.asarray(sources["flux_err"], float)[match], 1e-9)
        clean = (np.asarray(sources["flags"])[match] & _SPOILED) == 0
        usable[found] = clean & ~spoiled[found] & (signal > _STAR_SIGNAL)
        good = usable[found] & (own > 0)
        scale = float(np.median(own[good] / flux[found][good])) if good.any() else 1.0
        flux = flux * scale
        # The fit to a saturated star may have failed, or given too little.
        better = (own > 0) & (clean | (own > flux[found]))
        flux[found[better]] = own[better]
    return MatchedStars(x, y, flux, usable)


def _photometry(work: UnitWork, calibrated: Frame) -> Photometry:
    exposure_s = float(work.parameters.get("exposure_s") or calibrated.header.get("EXPTIME", 0.0))
    return Photometry(ZeroPoint.from_header(calibrated.header), exposure_s)


def _reference_sources(calibrated: Frame, known: Table) -> ReferenceSources:
    assert calibrated.wcs is not None
    ra, dec = np.asarray(known["ra"], float), np.asarray(known["dec"], float)
    x, y = calibrated.wcs.all_world2pix(ra, dec, 0, quiet=True) if len(known) else (np.zeros(0), np.zeros(0))
    finite = np.isfinite(x) & np.isfinite(y)
    columns = (x, y, ra, dec, *(np.asarray(known[name], float) for name in ("mag", "mag_err", "psf_chi2")))
    return ReferenceSources(*(column[finite] for column in columns))


def _metrics(calibrated: Frame, difference: Difference, candidates: int, quality: dict[str, Any]) -> dict[str, Any]:
    return {
        "candidates": candidates,
        "noise_ratio": difference.noise_ratio,
        "limiting_magnitude": _limiting_magnitude(calibrated, difference),
        "quality": {**quality, "convolved_reference": difference.convolved == "reference"},
    }


def _limiting_magnitude(calibrated: Frame, difference: Difference) -> float:
    """Return that of a point source at 5 sigma, by the median noise of the image; candidates tell the same."""
    return ZeroPoint.from_header(calibrated.header).magnitude(difference.limiting_flux)


def _used(work: UnitWork) -> tuple[Input, ...]:
    return tuple(i for i in work.inputs if i.role in ("reference", "reference_sources", "calibrated", "sources"))


_KEPT = ("EXPTIME", "FILTER", "MJD-OBS", "DATE-OBS", "FIELDID", "GAIN", "RDNOISE", "MAGZP", "MAGZPRMS", "MAGZPNUM")


def _write_difference(
    work: UnitWork, survey: Survey, folder: Path, calibrated: Frame, difference: Difference
) -> Product:
    """Write the difference with what a later forced measurement needs: its numbers in the header, its PSF."""
    header = {key: calibrated.header[key] for key in _KEPT if key in calibrated.header}
    rows, columns = difference.image.shape
    header["FWHM"] = difference.psf.fwhm((columns - 1) / 2, (rows - 1) / 2)
    header["DIFFLIM"] = _limiting_magnitude(calibrated, difference)
    header["NOISERAT"] = difference.noise_ratio
    header["CONVOLVE"] = difference.convolved
    header["FLUXRAT"] = difference.quality["flux_ratio"]
    mask = difference.mask.copy()
    mask[difference.bad & ((mask & FATAL) == 0)] |= np.uint16(MaskBit.NAN)
    frame = Frame(difference.image, mask, difference.variance, calibrated.wcs, header)
    grid = PsfGrid.of(difference.psf, frame.shape, radius=math.ceil(1.5 * float(header["FWHM"]))).to_hdu()
    score = fits.ImageHDU(block_extremes(difference.score, SCORE_BLOCK), name="SCORE")
    return write_product(
        folder,
        "difference",
        "difference.fits",
        lambda stream: write_frame(stream, frame, [grid, score], compression_of(survey)),
        inputs=_used(work),
    )


def _write_cutouts(
    work: UnitWork,
    survey: Survey,
    folder: Path,
    calibrated: Frame,
    difference: Difference,
    candidates: list[Candidate],
) -> Product:
    size = survey.reduction.cutout_px
    template = difference.template

    def stamps() -> Iterator[tuple[int, dict[str, np.ndarray]]]:
        no_template = (template.mask & FATAL) != 0
        for number, candidate in enumerate(candidates, start=1):
            x, y = candidate.x, candidate.y
            sign = np.float32(1 if candidate.positive else -1)
            yield (
                number,
                {
                    "science": cut_out(calibrated.image, None, x, y, size),
                    "template": cut_out(template.image, no_template, x, y, size),
                    "difference": sign * cut_out(difference.image, difference.bad, x, y, size),
                    "score": sign * cut_out(difference.score, difference.bad, x, y, size),
                },
            )

    return write_product(
        folder, "cutouts", "cutouts.tar", lambda stream: write_cutouts(stream, stamps()), inputs=_used(work)
    )


def _row(number: int, candidate: Candidate, calibrated: Frame) -> dict[str, Any]:
    """Return a candidate's row of the ledger."""
    assert calibrated.wcs is not None
    ra, dec = calibrated.wcs.all_pix2world(candidate.x, candidate.y, 0)
    record = candidate.record
    return {
        "number": number,
        "ra_deg": float(ra) % 360.0,
        "dec_deg": float(dec),
        "x": candidate.x,
        "y": candidate.y,
        "positive": candidate.positive,
        "signal_to_noise": candidate.signal_to_noise,
        "magnitude": record["magpsf"],
        "magnitude_error": record["sigmapsf"],
        "record": {**record, "ra": float(ra) % 360.0, "dec": float(dec)},
    }


def warm_up() -> None:
    """Run every kernel of reference and difference once, on a small field."""
    random = np.random.default_rng(2)
    shape = (128, 128)
    psf = PsfModel(3.0, np.array([[0.5], [0.0], [0.0]]), np.zeros((9, 9)), shape, 8)
    x, y = (grid.ravel() for grid in np.meshgrid(np.arange(24.0, 110, 20), np.arange(24.0, 110, 20)))
    image = random.normal(0, 10, shape)
    for column, row in zip(x.astype(int), y.astype(int), strict=True):
        image[row - 8 : row + 9, column - 8 : column + 9] += 2e4 * psf.evaluate(column, row)
    wcs = tangent_wcs(10.0, 20.0, shape, scale_arcsec=1.0)
    sloping = ZeroPoint(25.0, 0.0, 0, spatial=np.array([1e-3])).keywords()
    clean = level(
        Frame(image.astype(np.float32), np.zeros(shape, np.uint16), np.full(shape, 100, np.float32), wcs, sloping)
    )
    coadd = combine([clean, clean], [1.0, 1.0], [2.0, 2.0])
    new = image + random.normal(0, 10, shape)
    new[56:73, 56:73] += 2e3 * psf.evaluate(64, 64)
    stars = MatchedStars(x, y, np.full(len(x), 2e4), np.ones(len(x), bool))
    settings = DifferenceSettings(kernel_radius_px=3, kernel_order=0)
    science = Frame(new.astype(np.float32), clean.mask, clean.variance, wcs)
    difference = make_difference(science, psf, coadd.frame, 2.0, stars, settings)
    nothing = np.zeros(0)
    photometry = Photometry(ZeroPoint.from_header(clean.header), 1.0)
    candidates, _ = find_candidates(difference, photometry, ReferenceSources(*[nothing] * 7))
    _judge(difference, science, candidates)
