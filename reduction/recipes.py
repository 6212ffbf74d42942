"""The recipes: what happens to pixels, in the order in which they meet it.

`CALIBRATE` takes a raw quadrant to electrons; each step is ``(frame, calibrations, settings) -> frame``.
`MEASURE` finds out what the frame shows; each step is ``(measured, settings) -> measured``. A camera's settings
choose its `Recipe`: they name the steps that it leaves out (`reduction.optional_steps`). The order is the same for
every camera, and the frames of a master take the first part of the very same steps.
"""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field, replace
from itertools import takewhile
from typing import Any

import numpy as np
from astropy.table import Table
from astropy.wcs import WCS

from reduction.detector.calibrations import Calibrations, DetectorSettings
from reduction.detector.corrections import (
    apply_gain,
    correct_linearity,
    divide_flat,
    flag_bad_pixels,
    flag_saturated,
    mask_edges,
    mask_invalid,
    subtract_bias,
    subtract_dark,
    subtract_overscan,
    trim,
)
from reduction.detector.cosmic_rays import reject_cosmic_rays
from reduction.detector.crosstalk import subtract_crosstalk
from reduction.detector.raw_statistics import note_raw_statistics, pattern_amplitude
from reduction.image.frame import Frame
from reduction.image.mask import FATAL, MaskBit
from reduction.measure.astrometry import Astrometry, fit_tan_sip, pixel_scale_arcsec, refine_wcs
from reduction.measure.catalogue import Catalogue
from reduction.measure.double_images import common_separation
from reduction.measure.photometry import Photometry, fit_sources, limiting_flux
from reduction.measure.psf import PsfModel, build_psf
from reduction.measure.sources import Background, SourceFlag, Sources, find_sources, measure_background, psf_stars
from reduction.measure.trails import find_trails, mark_trails
from reduction.measure.zero_point import NOMINAL, ZeroPoint, fit_zero_point, magnitudes
from reduction.optional_steps import OptionalStep
from reduction.problems import Problem, Unusable

__all__ = [
    "CALIBRATE",
    "MEASURE",
    "MeasureSettings",
    "Measured",
    "Recipe",
    "calibrate",
    "recipe_without",
    "source_table",
]

STARS_AT_LEAST = 3
# Drawn places with 0.1 px of noise, 80% of 14 to 300 sources doubled, give shares of 0.66-1.1; clusters of 240 or 300
# sources in 60x60 px that are not doubled give at most 0.43 in 300 draws. Of ten sources, one doubled frame in 25 is
# taken for chance.
DOUBLED_FROM, DOUBLED_SHARE = 10, 0.5  # sources; share of them in pairs of one separation
GROWTH_AT_MOST = 0.08  # of a star: how much wider than the PSF it may look, beyond 3 sigma
SCALE_APART = 0.1  # by which a header's pixel scale may differ from the camera's
FARTHER = 6.0  # times the expected pointing error, for a second search
SATURATED_AT_MOST = 0.9  # of an image's pixels
SHAPES_FROM = 8  # bright sources that say how elongated all are
TRAIL_HALF_WIDTH_PX = 6.0
SAME_AT_MOST = 0.98  # of the raw pixels with one value


@dataclass(frozen=True)
class MeasureSettings:
    """Numbers of `MEASURE`.

    Parameters
    ----------
    background_mesh_px, detection_sigma, aperture_radius_px, match_radius_arcsec, pointing_error_arcsec
        As in the survey's settings.
    catalogue : Catalogue or None
        None: the frame is the field's first and becomes the catalogue.
    first_guess : WCS or None
        Where the pointing says the frame lies; it serves where the header has no WCS.
    colour_reference : float
        Colour for which the zero point holds.
    blind : callable or None
        Given x, y (pixels from 0), flux and shape of a frame of which nobody says where it lies, returns its WCS or
        raises `Unusable`.
    """

    background_mesh_px: int = 64
    detection_sigma: float = 5.0
    aperture_radius_px: float = 4.0
    match_radius_arcsec: float = 3.0
    pointing_error_arcsec: float = 60.0
    catalogue: Catalogue | None = None
    first_guess: WCS | None = None
    colour_reference: float = 0.0
    blind: Callable[[np.ndarray, np.ndarray, np.ndarray, tuple[int, int]], WCS] | None = None


@dataclass(frozen=True)
class Measured:
    """A calibrated frame and what is known of it so far."""

    frame: Frame
    background: Background | None = None
    sources: Sources | None = None
    psf: PsfModel | None = None
    photometry: Photometry | None = None
    astrometry: Astrometry | None = None
    zero_point: ZeroPoint | None = None
    residuals: np.ndarray | None = None
    own_catalogue: bool = False
    metrics: dict[str, Any] = field(default_factory=dict)

    def noting(self, **metrics: Any) -> "Measured":
        """Return the same with more metrics."""
        return replace(self, metrics={**self.metrics, **metrics})


def count_bad_pixels(measured: Measured, settings: MeasureSettings) -> Measured:
    """Note how many pixels are saturated, hit or useless, and what the raw pixels said of the readout."""
    mask, header = measured.frame.mask, measured.frame.header
    noted = {
        "saturated_fraction": float(((mask & np.uint16(MaskBit.SATURATED)) != 0).mean()),
        "masked_fraction": float(((mask & np.uint16(FATAL)) != 0).mean()),
        "cosmic_ray_pixels": int(header.get("NCOSMIC", 0)),
    }
    for name, keyword in (("same_value_fraction", "SAMEVAL"), ("thousands_fraction", "THOUSAND")):
        if keyword in header:
            noted[name] = header[keyword]
    # against the camera's settings, where something else serves in their place
    if "RNMEAS" in header and (declared := header.get("RNSET") or header.get("RDNOISE")):
        noted["read_noise_ratio"] = header["RNMEAS"] / declared
    return measured.noting(**noted)


def refuse_no_light(measured: Measured, settings: MeasureSettings) -> Measured:
    """Refuse a frame that is nothing but saturated, or whose pixels all say the same."""
    saturated, same = measured.metrics["saturated_fraction"], measured.metrics.get("same_value_fraction", 0.0)
    if saturated > SATURATED_AT_MOST:
        raise Unusable(Problem.SATURATED, f"{saturated:.0%} of the pixels are saturated")
    if same > SAME_AT_MOST:
        raise Unusable(Problem.NO_SIGNAL, f"{same:.0%} of the raw pixels hold one and the same value")
    return measured


def subtract_background(measured: Measured, settings: MeasureSettings) -> Measured:
    """Measure the sky and subtract it; the variance keeps its noise."""
    frame = measured.frame
    background = measure_background(frame, mesh_px=settings.background_mesh_px)
    header = {**frame.header, "BKGLEVEL": background.median, "BKGRMS": background.rms}
    image = frame.image - background.level
    bad = (frame.mask & np.uint16(MaskBit.NAN | MaskBit.DEAD)) != 0
    image[bad] = 0  # no value there; the sky's negative would be one
    frame = replace(frame, image=image, header=header)
    return replace(measured, frame=frame, background=background).noting(
        background=background.median,
        background_rms=background.rms,
        pattern_noise=pattern_amplitude(image, background.variance, frame.mask),
    )


def flag_trails(measured: Measured, settings: MeasureSettings) -> Measured:
    """Mark the pixels that satellites and aircraft crossed, before they are taken for sources."""
    frame = measured.frame
    trails = find_trails(frame.image, (frame.mask & np.uint16(FATAL)) != 0)
    if not trails:
        return measured.noting(trails=0)
    crossed = mark_trails(frame.shape, trails, TRAIL_HALF_WIDTH_PX)
    mask = np.where(crossed, frame.mask | np.uint16(MaskBit.TRACK), frame.mask)
    return replace(measured, frame=replace(frame, mask=mask)).noting(trails=len(trails))


def detect_sources(measured: Measured, settings: MeasureSettings) -> Measured:
    """Find sources and mark their pixels."""
    assert measured.background is not None
    frame = measured.frame
    sources = find_sources(frame.image, measured.background, frame.mask, sigma=settings.detection_sigma)
    mask = frame.mask.copy()
    row, column = np.round(sources.y).astype(int), np.round(sources.x).astype(int)
    rows, columns = mask.shape
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            mask[np.clip(row + dy, 0, rows - 1), np.clip(column + dx, 0, columns - 1)] |= np.uint16(MaskBit.DETECTED)
    noted = {"sources": len(sources), **_shapes(sources, measured.background)}
    return replace(measured, sources=sources, frame=replace(frame, mask=mask)).noting(**noted)


def _shapes(sources: Sources, background: Background) -> dict[str, float]:
    """Return the elongation that bright sources have in common: a first value, for frames that allow no PSF."""
    noise = np.sqrt(max(float(np.median(background.variance[::8, ::8])), 1e-6))
    bright = (sources.flux > 100 * noise) & ((sources.flags & ~SourceFlag.BLENDED) == 0) & (sources.b > 0.3)
    if bright.sum() < SHAPES_FROM:
        return {}
    return {"elongation": float(np.median(sources.a[bright] / sources.b[bright]))}


def refuse_double_images(measured: Measured, settings: MeasureSettings) -> Measured:
    """Refuse a frame that shows most of its stars twice: places and fluxes would be of halves."""
    assert measured.sources is not None
    sources = measured.sources
    clean = (sources.flags & ~SourceFlag.BLENDED) == 0
    separation, share = common_separation(sources.x[clean], sources.y[clean])
    if clean.sum() >= DOUBLED_FROM and share > DOUBLED_SHARE:
        told = f"{min(share, 1):.0%} of the bright sources are pairs, {separation:.0f} pixels from one to the other"
        raise Unusable(Problem.ELONGATED, f"{told}: the telescope moved during the exposure")
    return measured


def model_psf(measured: Measured, settings: MeasureSettings) -> Measured:
    """Build the PSF from isolated stars."""
    assert measured.sources is not None
    assert measured.background is not None
    frame, sources = measured.frame, measured.sources
    if len(sources) == 0:
        raise Unusable(Problem.TOO_FEW_STARS, "no source stands out of the noise")
    chosen, fwhm = psf_stars(sources, measured.background)
    bad = (frame.mask & np.uint16(FATAL)) != 0
    psf = None
    if len(chosen):
        noise2 = measured.background.variance + np.maximum(frame.image, 0)
        psf = build_psf(frame.image, noise2, bad, sources.x[chosen], sources.y[chosen], fwhm=fwhm)
    if psf is None:
        raise Unusable(Problem.TOO_FEW_STARS, f"none of {len(sources)} sources can stand for the PSF")
    return replace(measured, psf=psf).noting(fwhm_px=psf.fwhm(), elongation=psf.elongation(), psf_stars=psf.stars)


def fit_photometry(measured: Measured, settings: MeasureSettings) -> Measured:
    """Fit the PSF to every source."""
    assert measured.sources is not None
    assert measured.background is not None
    assert measured.psf is not None
    photometry = fit_sources(
        measured.frame.image, measured.background.variance, measured.frame.mask, measured.sources.x,
        measured.sources.y, measured.psf, aperture_radius_px=settings.aperture_radius_px,
    )  # fmt: skip
    return replace(measured, photometry=photometry)


def solve_astrometry(measured: Measured, settings: MeasureSettings) -> Measured:
    """Refine the WCS against the catalogue; a frame that is its own catalogue keeps the header's."""
    frame = measured.frame
    assert measured.photometry is not None
    usable = _matchable(measured)
    guesses = _guesses(frame, settings) or [_blind_solution(measured, usable, settings)]
    if settings.catalogue is None:
        if len(usable) < STARS_AT_LEAST:
            told = f"{len(usable)} stars; a frame that is to be its field's catalogue needs {STARS_AT_LEAST}"
            raise Unusable(Problem.TOO_FEW_STARS, told)
        wcs = _as_tan_sip(guesses[0], frame.shape)
        return replace(measured, frame=replace(frame, wcs=wcs), own_catalogue=True)
    astrometry = _first_solution(guesses, measured, usable, settings.catalogue, settings)
    measured = replace(measured, astrometry=astrometry, frame=replace(frame, wcs=astrometry.wcs))
    return measured.noting(
        stars_matched=len(astrometry.stars),
        astrometry_rms_arcsec=astrometry.rms_arcsec,
        pointing_offset_arcsec=astrometry.offset_arcsec,
    )


def _blind_solution(measured: Measured, usable: np.ndarray, settings: MeasureSettings) -> WCS:
    """Return the WCS of a frame of which neither the header nor the pointing says where it lies."""
    photometry = measured.photometry
    assert photometry is not None
    if settings.blind is None:
        raise Unusable(
            Problem.ASTROMETRY_FAILED,
            "neither the header nor the pointing says where the frame lies, and no blind solution is set up",
        )
    return settings.blind(photometry.x[usable], photometry.y[usable], photometry.flux[usable], measured.frame.shape)


def _guesses(frame: Frame, settings: MeasureSettings) -> list[WCS]:
    """Return the first guesses, most trusted first: the header's, unless its scale is absurd, then the pointing's."""
    pointing = settings.first_guess
    guesses = [] if pointing is None else [pointing]
    if frame.wcs is None:
        return guesses
    if pointing is not None:
        ratio = pixel_scale_arcsec(frame.wcs, frame.shape) / pixel_scale_arcsec(pointing, frame.shape)
        if not abs(ratio - 1) < SCALE_APART:
            return guesses
    return [frame.wcs, *guesses]


def _first_solution(
    guesses: list[WCS], measured: Measured, usable: np.ndarray, catalogue: Catalogue, settings: MeasureSettings
) -> Astrometry:
    """Return the first solution that a guess leads to; where none does, the first guess's problem is raised.

    All guesses are tried near by first and then farther off: a pointing that is off by more than it should be is
    found and said, where it can be.
    """
    photometry = measured.photometry
    assert photometry is not None
    problems = []
    for guess, reach in ((g, factor * settings.pointing_error_arcsec) for factor in (1, FARTHER) for g in guesses):
        try:
            found = refine_wcs(
                guess, measured.frame.shape, photometry.x[usable], photometry.y[usable], catalogue.ra, catalogue.dec,
                match_radius_arcsec=settings.match_radius_arcsec,
                pointing_error_arcsec=reach,
            )  # fmt: skip
        except Unusable as problem:
            problems.append(problem)
        else:
            return replace(found, stars=usable[found.stars])
    raise problems[0]


def _matchable(measured: Measured) -> np.ndarray:
    """Return the indices of sources that can be matched, brightest first."""
    assert measured.photometry is not None
    assert measured.sources is not None
    photometry = measured.photometry
    snr = photometry.flux / np.maximum(photometry.flux_err, 1e-9)
    spoiled = (measured.sources.flags & (SourceFlag.SATURATED | SourceFlag.BAD_PIXELS | SourceFlag.AT_EDGE)) != 0
    good = np.flatnonzero(photometry.settled & (snr > 5) & ~spoiled & (photometry.growth < 0.5))
    return good[np.argsort(-photometry.flux[good], kind="stable")]


def _as_tan_sip(guess: WCS, shape: tuple[int, int]) -> WCS:
    rows, columns = np.meshgrid(np.linspace(0, shape[0] - 1, 14), np.linspace(0, shape[1] - 1, 14), indexing="ij")
    x, y = columns.ravel(), rows.ravel()
    ra, dec = guess.all_pix2world(x, y, 0)
    return fit_tan_sip(x, y, ra, dec, shape)


def calibrate_photometry(measured: Measured, settings: MeasureSettings) -> Measured:
    """Fit the zero point; a frame that is its own catalogue gets the nominal one.

    What it says of places is taken out of the fluxes: a flat of the twilight sky keeps that sky's slope.
    """
    photometry = measured.photometry
    assert photometry is not None
    if measured.own_catalogue:
        return replace(measured, zero_point=ZeroPoint(NOMINAL, 0.0, 0)).noting(zero_point=NOMINAL, zero_point_rms=0.0)
    astrometry, catalogue = measured.astrometry, settings.catalogue
    assert astrometry is not None
    assert catalogue is not None
    star = is_star(measured)[astrometry.stars]
    stars, entries = astrometry.stars[star], astrometry.entries[star]
    colour = None if catalogue.colour is None else catalogue.colour[entries] - settings.colour_reference
    zero_point = fit_zero_point(
        photometry.flux[stars], photometry.flux_err[stars], catalogue.magnitude[entries], colour=colour,
        places=(photometry.x[stars], photometry.y[stars]), shape=measured.frame.shape,
    )  # fmt: skip
    level = photometry.scaled(zero_point.flux_correction(photometry.x, photometry.y, measured.frame.shape))
    measured = replace(measured, photometry=level, zero_point=zero_point)
    return replace(measured, residuals=_residuals(measured, catalogue, zero_point)).noting(
        zero_point=zero_point.value,
        zero_point_rms=zero_point.rms,
        zero_point_uncertainty=zero_point.uncertainty,
        zero_point_stars=zero_point.stars,
        colour_term=zero_point.colour_term,
    )


def _residuals(measured: Measured, catalogue: Catalogue, zero_point: ZeroPoint) -> np.ndarray:
    """Return measured less catalogue, east and north in arcseconds and in magnitudes, shape (3, sources)."""
    photometry, astrometry, wcs = measured.photometry, measured.astrometry, measured.frame.wcs
    assert photometry is not None
    assert astrometry is not None
    assert wcs is not None
    residuals = np.full((3, len(photometry.x)), np.nan)
    stars, entries = astrometry.stars, astrometry.entries
    x, y = photometry.x[stars], photometry.y[stars]
    ra, dec = wcs.all_pix2world(x, y, 0)
    east = (ra - catalogue.ra[entries] + 180) % 360 - 180
    residuals[0, stars] = east * np.cos(np.radians(catalogue.dec[entries])) * 3600
    residuals[1, stars] = (dec - catalogue.dec[entries]) * 3600
    residuals[2, stars] = magnitudes(photometry.flux[stars], photometry.flux_err[stars], zero_point.value)[0]
    residuals[2, stars] -= catalogue.magnitude[entries]
    return residuals


def measure_depth(measured: Measured, settings: MeasureSettings) -> Measured:
    """Note the limiting magnitude and the corners, and put into the header what travels with the image."""
    assert measured.background is not None
    assert measured.psf is not None
    assert measured.zero_point is not None
    frame, zero_point = measured.frame, measured.zero_point
    assert frame.wcs is not None
    flux = limiting_flux(measured.background.variance, frame.mask, measured.psf)
    limit = zero_point.value - 2.5 * np.log10(flux) if flux > 0 else float("nan")
    rows, columns = frame.shape
    ra, dec = frame.wcs.all_pix2world([0, columns - 1, columns - 1, 0], [0, 0, rows - 1, rows - 1], 0)
    header = {
        **frame.header,
        "FWHM": measured.psf.fwhm(),
        **zero_point.keywords(),
        "MAGLIM": float(limit),
        "PIXSCALE": pixel_scale_arcsec(frame.wcs, frame.shape),
    }
    corners = [float(value) for pair in zip(ra, dec, strict=True) for value in pair]
    return replace(measured, frame=replace(frame, header=header)).noting(
        limiting_magnitude=float(limit), corners_deg=corners
    )


def is_star(measured: Measured) -> np.ndarray:
    """Return which sources look like the PSF, without a flag that spoils their flux."""
    photometry, sources = measured.photometry, measured.sources
    assert photometry is not None
    assert sources is not None
    spoiled = (sources.flags & ~SourceFlag.BLENDED) != 0
    error = np.where(np.isfinite(photometry.growth_err), photometry.growth_err, 0.0)
    like_psf = np.abs(photometry.growth) < GROWTH_AT_MOST + 3 * error
    chosen: np.ndarray = like_psf & ~spoiled & photometry.settled & (photometry.flux > 3 * photometry.flux_err)
    return chosen


def source_table(measured: Measured) -> Table:
    """Return the table of sources, brightest first.

    Positions are 0-based pixels and ICRS degrees, fluxes electrons of the exposure; the zero point's spatial term is
    taken out of them, its colour term is not. Magnitudes are NaN where the flux is not positive. `east_off`,
    `north_off` (arcseconds) and `mag_off` are measured less catalogue, NaN where there is no match.
    `flags` holds bits of `reduction.measure.sources.SourceFlag`.
    """
    photometry, sources = measured.photometry, measured.sources
    assert photometry is not None
    assert sources is not None
    assert measured.psf is not None
    wcs, zero_point = measured.frame.wcs, measured.zero_point
    nothing = np.full(len(sources), np.nan)
    ra, dec = wcs.all_pix2world(photometry.x, photometry.y, 0) if wcs is not None else (nothing, nothing)
    value = zero_point.value if zero_point is not None else np.nan
    mag, mag_err = magnitudes(photometry.flux, photometry.flux_err, value)
    log_width = measured.psf.shape_at(photometry.x, photometry.y)[0]
    fwhm = (
        2 * np.exp(log_width) * np.sqrt(2 ** (1 / measured.psf.beta) - 1) * np.exp(np.clip(photometry.growth, -1, 2))
    )
    flags = sources.flags | np.where(photometry.settled, 0, SourceFlag.NOT_FITTED).astype(np.int32)
    columns = {
        "x": photometry.x, "y": photometry.y, "ra": ra, "dec": dec,
        "flux": photometry.flux, "flux_err": photometry.flux_err,
        "aperture_flux": photometry.aperture_flux, "aperture_flux_err": photometry.aperture_flux_err,
        "mag": mag, "mag_err": mag_err, "fwhm": fwhm,
        "elongation": sources.a / np.maximum(sources.b, 1e-3), "peak": sources.peak,
        "psf_chi2": photometry.chi2, "growth": photometry.growth, "growth_err": photometry.growth_err,
    }  # fmt: skip
    table = Table({name: np.asarray(column, dtype=np.float64) for name, column in columns.items()})
    residuals = measured.residuals if measured.residuals is not None else (nothing,) * 3
    for name, residual in zip(("east_off", "north_off", "mag_off"), residuals, strict=True):
        table[name] = np.asarray(residual, dtype=np.float32)
    table["flags"] = flags.astype(np.int32)
    table["star"] = is_star(measured)
    order = np.argsort(-np.nan_to_num(photometry.flux, nan=-np.inf), kind="stable")
    return table[order]


# --- the recipes -------------------------------------------------------------------------------------------

CalibrationStep = Callable[[Frame, Calibrations, DetectorSettings], Frame]
MeasuringStep = Callable[[Measured, MeasureSettings], Measured]

CALIBRATE: tuple[CalibrationStep, ...] = (
    note_raw_statistics,
    flag_saturated,
    mask_invalid,
    subtract_overscan,
    trim,
    mask_edges,
    flag_bad_pixels,
    subtract_bias,
    subtract_crosstalk,
    correct_linearity,
    apply_gain,
    subtract_dark,
    divide_flat,
    reject_cosmic_rays,
)

MEASURE: tuple[MeasuringStep, ...] = (
    count_bad_pixels,
    refuse_no_light,
    subtract_background,
    flag_trails,
    detect_sources,
    refuse_double_images,
    model_psf,
    fit_photometry,
    solve_astrometry,
    calibrate_photometry,
    measure_depth,
)

NOT_FOR_MASTERS = (note_raw_statistics,)  # what it notes is held against bounds that are set for science frames


@dataclass(frozen=True)
class Recipe:
    """The steps that one camera's frames take.

    Parameters
    ----------
    calibrate : tuple of functions
        From a raw quadrant to electrons.
    measure : tuple of functions
        What a calibrated quadrant shows.
    """

    calibrate: tuple[CalibrationStep, ...] = CALIBRATE
    measure: tuple[MeasuringStep, ...] = MEASURE

    @property
    def prepare(self) -> tuple[CalibrationStep, ...]:
        """The steps of a frame that is to be in a master: those of `calibrate` that work in ADU."""
        in_adu = takewhile(lambda step: step is not apply_gain, self.calibrate)
        return tuple(step for step in in_adu if step not in NOT_FOR_MASTERS)


def recipe_without(left_out: Collection[OptionalStep]) -> Recipe:
    """Return the recipe of a camera that leaves steps out; the order of those that stay is always the same."""
    return Recipe(
        tuple(step for step in CALIBRATE if step.__name__ not in left_out),
        tuple(step for step in MEASURE if step.__name__ not in left_out),
    )


def calibrate(
    frame: Frame,
    calibrations: Calibrations,
    settings: DetectorSettings,
    steps: Iterable[CalibrationStep] = CALIBRATE,
) -> Frame:
    """Take a raw quadrant through calibration steps: those of a science frame, or those of another `Recipe`."""
    for step in steps:
        frame = step(frame, calibrations, settings)
    return frame
