"""Open the shutter: from the sky and the camera's signature to raw counts, and what was really there."""

from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Any

import numpy as np

from nightshift.settings import Field, Quadrant, Survey
from nightshift.vocabulary import ImageType
from rehearsal.simulator.events import Mover, Riser
from rehearsal.simulator.geometry import UnitGeometry, focal_radius_arcsec, project, unit_geometry
from rehearsal.simulator.headers import RawImage, fits_bytes
from rehearsal.simulator.image_sections import data_bounds
from rehearsal.simulator.night_plan import Exposure, file_name
from rehearsal.simulator.profiles import mixture, moffat_alpha
from rehearsal.simulator.render import add_galaxies, add_points, bleed, point_source_noise
from rehearsal.simulator.seeds import generator
from rehearsal.simulator.simulated_detector import CosmicRays, bent, cosmic_rays, electrons_at, response, signature
from rehearsal.simulator.simulated_sky import Galaxies, Stars, cells_around, galaxies_of_cells, stars_of_cells

__all__ = ["ExposedFile", "NightSky", "Unit", "expected_electrons", "expose", "without_events"]

FULL_WELL = 1.03  # of the level that the settings call saturated
FAINTEST = 0.02  # of the sky's noise: where the wings of a star end
TRAIL_STEP_PX = 0.4  # of moving objects
TRAIL_BRIGHTNESS = 25.0  # of a satellite's trail along its middle, in the sky's noise


@dataclass(frozen=True)
class NightSky:
    """All that a process needs to know to make any exposure of the night.

    Parameters
    ----------
    survey : Survey
    seed : int
    night : date
    fields : dict of int to Field
    risers, movers : dict of int to tuple
        By field.
    """

    survey: Survey
    seed: int
    night: date
    fields: dict[int, Field]
    risers: dict[int, tuple[Riser, ...]]
    movers: dict[int, tuple[Mover, ...]]


@dataclass(frozen=True)
class Unit:
    """One quadrant of a night, and where it lies."""

    detector: int
    quadrant: Quadrant
    geometry: UnitGeometry
    radius_arcsec: float

    @classmethod
    def of(cls, survey: Survey, detector: int, quadrant: int) -> "Unit":
        """Return the unit that the camera's settings describe."""
        geometry = unit_geometry(survey.camera, detector, quadrant)
        radius = focal_radius_arcsec(survey.camera)
        return cls(detector, survey.camera.quadrant(detector, quadrant), geometry, radius)

    def psf(self, exposure: Exposure, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return core width in pixels and ellipticity (e1, e2) of the PSF at pixel positions.

        The focus is best on the axis and the camera is tilted a little, as real ones are.
        """
        u, v = self.geometry.focal(x, y)
        u, v = u / self.radius_arcsec, v / self.radius_arcsec
        fwhm = exposure.seeing_arcsec / self.geometry.scale * (1.0 + 0.10 * (u * u + v * v) + 0.04 * u)
        e1 = exposure.ellipticity[0] + 0.04 * (u * u - v * v)
        e2 = exposure.ellipticity[1] + 0.06 * u * v
        return moffat_alpha(fwhm), e1, e2


@dataclass
class ExposedFile:
    """One detector's file, and the truth about it."""

    name: str
    content: bytes
    risers: list[dict[str, Any]] = field(default_factory=list)
    movers: list[dict[str, Any]] = field(default_factory=list)
    cosmic_ray_pixels: dict[int, np.ndarray] = field(default_factory=dict)  # quadrant -> (n, 2) rows, columns


@dataclass(frozen=True)
class _Points:
    x: np.ndarray
    y: np.ndarray
    electrons: np.ndarray


def expose(sky: NightSky, exposure: Exposure, detector: int) -> ExposedFile:
    """Return the file of one detector of an exposure."""
    survey = sky.survey
    made = ExposedFile(file_name(survey.camera, exposure, detector, sky.night), b"")
    units = [Unit.of(survey, detector, quadrant) for quadrant in survey.camera.quadrant_ids]
    signals = {unit.quadrant.id: _signal(sky, exposure, unit, made) for unit in units}
    images = {unit.quadrant.id: _read_out(sky, exposure, unit, signals) for unit in units}
    made.content = fits_bytes(survey, exposure, detector, images)
    return made


@dataclass(frozen=True)
class _Signal:
    """What an amplifier sends while its quadrant is read, and the dice that its readout goes on with.

    `counts` are ADU above the bias, float32, of the shape of the data.
    """

    random: np.random.Generator
    counts: np.ndarray


def _signal(sky: NightSky, exposure: Exposure, unit: Unit, made: ExposedFile) -> _Signal:
    """Collect the light of one quadrant and pass it through its amplifier; the truth goes into `made`."""
    quadrant = unit.quadrant
    random = generator(sky.seed, "noise", exposure.exposure_id, unit.detector, quadrant.id)
    expected = expected_electrons(sky, exposure, unit)
    rays = cosmic_rays(random, unit.geometry.shape, exposure.exposure_s + 5.0)
    charge = _arriving(random, expected)
    np.add.at(charge, (rays.rows, rays.columns), rays.electrons)
    crossed = _satellite_trails(sky, exposure, unit) if exposure.satellites else np.zeros(1)
    charge += crossed
    bleed(charge, FULL_WELL * electrons_at(quadrant, quadrant.saturation))
    hit = _hit_pixels(rays, expected, quadrant)
    made.cosmic_ray_pixels[quadrant.id] = hit
    bad = signature(sky.seed, quadrant, unit.detector).defects | (
        charge >= electrons_at(quadrant, quadrant.saturation - 1300.0)
    )
    bad[hit[:, 0], hit[:, 1]] = True
    bad |= crossed > 0
    variance = np.where(bad, np.inf, expected + quadrant.read_noise**2)
    _tell(sky, exposure, unit, variance, bad, made)
    return _Signal(random, bent((charge / quadrant.gain).astype(np.float32), quadrant))


def _read_out(sky: NightSky, exposure: Exposure, unit: Unit, signals: dict[int, _Signal]) -> RawImage:
    """Return the raw counts of one quadrant, with what it hears of the others of its detector.

    Returns
    -------
    image : ndarray of uint16, shape of the raw image
    overscan : ndarray of uint16 or None
    """
    quadrant = unit.quadrant
    own, signal = signature(sky.seed, quadrant, unit.detector), signals[quadrant.id]
    if unit.detector in exposure.dead_detectors:
        return np.zeros(own.bias.shape, np.uint16), None if own.overscan is None else np.zeros_like(
            own.overscan, "u2"
        )
    counts = signal.counts
    for entry in sky.survey.camera.crosstalk_of(unit.detector, quadrant.id):
        heard = np.flip(
            signals[entry.source].counts, tuple(axis for axis, name in enumerate("yx") if name in entry.mirrored)
        )
        counts = counts + np.float32(entry.coefficient) * heard
    return _digitised(signal.random, own.bias, own.overscan, counts, exposure, quadrant)


def _satellite_trails(sky: NightSky, exposure: Exposure, unit: Unit) -> np.ndarray:
    """Return the electrons that satellites leave: straight trails as wide as a star, from edge to edge."""
    rows, columns = unit.geometry.shape
    trails = np.zeros((rows, columns))
    y, x = np.mgrid[0:rows, 0:columns]
    for number in range(exposure.satellites):
        random = generator(sky.seed, "satellite", exposure.exposure_id, unit.detector, unit.quadrant.id, number)
        angle = random.uniform(0.0, np.pi)
        x0, y0 = random.uniform(0.3, 0.7, 2) * (columns, rows)
        apart = (x - x0) * np.sin(angle) - (y - y0) * np.cos(angle)
        width = exposure.seeing_arcsec / unit.geometry.scale / 2.355
        profile = np.exp(-0.5 * (apart / width) ** 2)
        trails += np.where(profile > 1e-3, TRAIL_BRIGHTNESS * np.sqrt(exposure.sky + 50.0) * profile, 0.0)
    return np.rint(trails)


def _arriving(random: np.random.Generator, expected: np.ndarray) -> np.ndarray:
    """Draw electrons with the mean, variance and skewness of Poisson's law; exactly by it where the mean is small.

    Above 40 electrons the first terms of Cornish and Fisher's expansion do, at a quarter of the time.
    """
    z = random.standard_normal(expected.shape, dtype=np.float32)
    charge: np.ndarray = np.rint(expected + np.sqrt(expected) * z + (z * z - 1.0) / 6.0)
    few = expected < 40.0
    charge[few] = random.poisson(expected[few])
    return charge


def expected_electrons(sky: NightSky, exposure: Exposure, unit: Unit) -> np.ndarray:
    """Return the mean electrons of each pixel, without noise, cosmic rays, bleeding and bias.

    Returns
    -------
    ndarray of float64, shape of the data
    """
    own = signature(sky.seed, unit.quadrant, unit.detector)
    dark = own.dark * np.float64(exposure.exposure_s * exposure.warmth)
    if exposure.image_type not in (ImageType.SCIENCE, ImageType.FLAT):
        return dark
    image = _background(exposure, unit)
    if exposure.image_type == ImageType.SCIENCE:
        _add_sky(image, sky, exposure, unit)
    pixels = response(
        sky.seed, unit.quadrant, unit.detector, exposure.filter, unit.geometry, round(unit.radius_arcsec, 3)
    )
    electrons: np.ndarray = image * pixels + dark
    return electrons


def _background(exposure: Exposure, unit: Unit) -> np.ndarray:
    rows, columns = unit.geometry.shape
    u, v = unit.geometry.focal(np.arange(columns)[None, :], np.arange(rows)[:, None])
    u, v = u / unit.radius_arcsec, v / unit.radius_arcsec
    return exposure.sky * (1.0 + exposure.gradient[0] * u + exposure.gradient[1] * v + 0.01 * u * v)


def _add_sky(image: np.ndarray, sky: NightSky, exposure: Exposure, unit: Unit) -> None:
    field = sky.fields[exposure.field]
    centre = (field.ra_deg, field.dec_deg)
    rows, columns = unit.geometry.shape
    assert exposure.pointing is not None
    off = project(exposure.pointing.ra_deg, exposure.pointing.dec_deg, *centre)
    east, north = unit.geometry.nominal_standard(np.array([0, columns]), np.array([0, rows]))
    cells = cells_around(east + off[0], north + off[1])
    _add_galaxies(image, galaxies_of_cells(sky.seed, field.id, centre, cells), exposure, unit)
    stars = stars_of_cells(sky.seed, field.id, centre, cells)
    for points in (
        _stars_in(stars, exposure, unit),
        _points_of([(r.ra_deg, r.dec_deg, r.electrons(exposure)) for r in sky.risers[field.id]], exposure, unit),
        _points_of(_trails(sky.movers[field.id], exposure, unit), exposure, unit),
    ):
        alpha, e1, e2 = unit.psf(exposure, points.x, points.y)
        add_points(image, points.x, points.y, points.electrons, alpha, e1, e2, FAINTEST * np.sqrt(exposure.sky + 1))


def _near(x: np.ndarray, y: np.ndarray, unit: Unit, margin: float = 60.0) -> np.ndarray:
    rows, columns = unit.geometry.shape
    return (x > -margin) & (x < columns + margin) & (y > -margin) & (y < rows + margin)


def _stars_in(stars: Stars, exposure: Exposure, unit: Unit) -> _Points:
    assert exposure.pointing is not None
    x, y = unit.geometry.pixels(stars.ra_deg, stars.dec_deg, exposure.pointing)
    electrons = 10 ** (-0.4 * (stars.magnitude(exposure.filter) - exposure.zero_point))
    near = _near(x, y, unit)
    return _Points(x[near], y[near], electrons[near])


def _points_of(points: list[tuple[float, float, float]], exposure: Exposure, unit: Unit) -> _Points:
    assert exposure.pointing is not None
    ra, dec, electrons = np.array(points, dtype=float).reshape(-1, 3).T
    x, y = unit.geometry.pixels(ra, dec, exposure.pointing)
    near = _near(x, y, unit) & (electrons > 0)
    return _Points(x[near], y[near], electrons[near])


def _trails(movers: tuple[Mover, ...], exposure: Exposure, unit: Unit) -> list[tuple[float, float, float]]:
    """Each mover as points along what it moves during the exposure."""
    points = []
    for mover in movers:
        length = np.hypot(mover.rate_east, mover.rate_north) * exposure.exposure_s / 3600 / unit.geometry.scale
        n = 1 + int(length / TRAIL_STEP_PX)
        for k in range(n):
            when = exposure.shutter_open + timedelta(seconds=exposure.exposure_s * (k + 0.5) / n)
            points.append((*mover.place(when), mover.electrons(exposure) / n))
    return points


def _add_galaxies(image: np.ndarray, galaxies: Galaxies, exposure: Exposure, unit: Unit) -> None:
    """Convolve each galaxy's sum of Gaussians with the PSF's and with the pixel, and add it."""
    assert exposure.pointing is not None
    x, y = unit.geometry.pixels(galaxies.ra_deg, galaxies.dec_deg, exposure.pointing)
    near = _near(x, y, unit)
    x, y = x[near], y[near]
    alpha, e1, e2 = unit.psf(exposure, x, y)
    electrons = 10 ** (-0.4 * (galaxies.magnitude(exposure.filter)[near] - exposure.zero_point))
    size = galaxies.half_light_arcsec[near] / unit.geometry.scale
    bulge, q, angle = galaxies.bulge[near], galaxies.axis_ratio[near], galaxies.angle[near]
    fwhm = alpha / moffat_alpha(1.0)
    # the PSF's shear matrix S maps the ellipse to a circle; its inverse squared is the covariance of unit width
    det = (1 - e1**2 - e2**2) ** 2
    psf = ((1 + e1) ** 2 + e2**2) / det, 2 * e2 / det, ((1 - e1) ** 2 + e2**2) / det
    cos, sin = np.cos(angle), np.sin(angle)
    body = cos**2 + q**2 * sin**2, (1 - q**2) * cos * sin, sin**2 + q**2 * cos**2
    weights_psf, widths_psf = mixture("moffat")
    most = max(mixture(kind)[0].size for kind in ("disk", "bulge")) * weights_psf.size
    weights, xx, xy, yy = (np.zeros((x.size, most)) for _ in range(4))
    for kind, chosen in (("disk", np.flatnonzero(~bulge)), ("bulge", np.flatnonzero(bulge))):
        own_weights, own_widths = mixture(kind)
        m = own_weights.size * weights_psf.size
        weights[chosen, :m] = np.outer(own_weights, weights_psf).ravel()
        for target, shape_body, shape_psf, pixel in zip((xx, xy, yy), body, psf, (1 / 12, 0.0, 1 / 12), strict=True):
            inner = np.multiply.outer((size**2 * shape_body)[chosen], own_widths)[:, :, None]
            outer = np.multiply.outer((fwhm**2 * shape_psf)[chosen], widths_psf)[:, None, :]
            target[chosen, :m] = (inner + outer + pixel).reshape(chosen.size, m)
    reach = 2.5 * fwhm + size * (2.0 + 0.9 * np.log1p(electrons / 500.0)) * np.where(bulge, 1.6, 1.0)
    add_galaxies(image, x, y, electrons, weights, xx, xy, yy, np.minimum(reach, 90.0))


def _hit_pixels(rays: CosmicRays, expected: np.ndarray, quadrant: Quadrant) -> np.ndarray:
    """Return (n, 2) rows and columns of the pixels where radiation left more than 3 sigma."""
    charge = np.zeros_like(expected)
    np.add.at(charge, (rays.rows, rays.columns), rays.electrons)
    return np.argwhere(charge > 3.0 * np.sqrt(expected + quadrant.read_noise**2)).astype(np.int32)


def _digitised(
    random: np.random.Generator, bias: np.ndarray, overscan: np.ndarray | None, signal: np.ndarray,
    exposure: Exposure, quadrant: Quadrant,
) -> RawImage:  # fmt: skip
    x0, x1, y0, y1 = data_bounds(quadrant)
    noise = quadrant.read_noise / quadrant.gain
    counts = bias + exposure.bias_drift + noise * random.standard_normal(bias.shape, dtype=np.float32)
    counts[y0:y1, x0:x1] += signal
    strip = None
    if overscan is not None:
        strip = overscan + exposure.bias_drift + noise * random.standard_normal(overscan.shape, dtype=np.float32)
        strip = np.clip(np.rint(strip), 0, 65535).astype(np.uint16)
    return np.clip(np.rint(counts), 0, 65535).astype(np.uint16), strip


def _tell(
    sky: NightSky, exposure: Exposure, unit: Unit, variance: np.ndarray, bad: np.ndarray, made: ExposedFile
) -> None:
    """Write down where the risers and movers are in this unit, how bright, and whether on good pixels."""
    if exposure.image_type != ImageType.SCIENCE:
        return
    for riser in sky.risers[exposure.field]:
        place = (riser.ra_deg, riser.dec_deg)
        row = _appearance(riser.name, place, riser.electrons(exposure), exposure, unit, variance, bad)
        made.risers += [row] if row else []
    for mover in sky.movers[exposure.field]:
        place = mover.place(exposure.mid_exposure)
        row = _appearance(mover.name, place, mover.electrons(exposure), exposure, unit, variance, bad)
        made.movers += [row] if row else []


def _appearance(
    name: str, place: tuple[float, float], electrons: float, exposure: Exposure, unit: Unit, variance: np.ndarray,
    bad: np.ndarray,
) -> dict[str, Any] | None:  # fmt: skip
    assert exposure.pointing is not None
    x, y = (float(v) for v in unit.geometry.pixels(*place, exposure.pointing))
    rows, columns = unit.geometry.shape
    if not (-0.5 <= x < columns - 0.5 and -0.5 <= y < rows - 0.5):
        return None
    alpha, e1, e2 = unit.psf(exposure, np.array([x]), np.array([y]))
    noise = point_source_noise(variance, x, y, alpha[0], e1[0], e2[0])
    i, j = round(y), round(x)
    near = bad[max(0, i - 2) : i + 3, max(0, j - 2) : j + 3]
    return {
        "name": name,
        "exposure_id": exposure.exposure_id,
        "detector": unit.detector,
        "quadrant": unit.quadrant.id,
        "filter": exposure.filter,
        "visit": exposure.visit,
        "ra_deg": place[0],
        "dec_deg": place[1],
        "x": x,
        "y": y,
        "electrons": electrons,
        "magnitude": exposure.zero_point - 2.5 * float(np.log10(electrons)) if electrons > 0 else None,
        "signal_to_noise": float(electrons / noise) if np.isfinite(noise) else 0.0,
        "bad_pixels": int(near.sum()),
        "edge_px": float(min(x, y, columns - 1 - x, rows - 1 - y)),
    }


def without_events(sky: NightSky) -> NightSky:
    """Return the same sky with nothing that changes."""
    return replace(sky, risers=dict.fromkeys(sky.risers, ()), movers=dict.fromkeys(sky.movers, ()))
