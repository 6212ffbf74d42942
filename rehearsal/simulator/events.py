"""What changes in the sky: transients, variable stars, moving objects."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from nightshift.settings import Field, Survey
from nightshift.vocabulary import ImageType
from rehearsal.simulator.bands import band_of
from rehearsal.simulator.geometry import Pointing, UnitGeometry, deproject, unit_geometry
from rehearsal.simulator.night_plan import Exposure
from rehearsal.simulator.profiles import noise_area_px
from rehearsal.simulator.seeds import generator
from rehearsal.simulator.simulated_sky import Galaxies, Stars, cells_around, galaxies_of_cells, stars_of_cells

__all__ = ["Mover", "Riser", "movers_of_field", "risers_of_field"]

TRANSIENTS_A_UNIT, VARIABLES_A_UNIT, MOVERS_A_UNIT = 2, 0.5, 0.75
MARGIN_PX = 20
TRANSIENT_SN = (7.0, 60.0)
VARIABLE_SN = (15.0, 60.0)
MOVER_SN = (18.0, 45.0)
RATE_ARCSEC_PER_HOUR = (24.0, 42.0)  # the main belt near opposition; 0.16 to 0.28 degrees a day


@dataclass(frozen=True)
class Riser:
    """A point source whose extra light rises after the field's reference epoch.

    Parameters
    ----------
    name : str
    kind : str
        ``transient`` or ``variable`` (a star of the catalogue that brightens).
    ra_deg, dec_deg : float
    on_galaxy : bool
    peak_magnitude : dict
        Of the extra light, by filter.
    light : tuple of float
        Share of the peak in each visit, from the first.
    """

    name: str
    kind: str
    ra_deg: float
    dec_deg: float
    on_galaxy: bool
    peak_magnitude: dict[str, float]
    light: tuple[float, ...]

    def electrons(self, exposure: Exposure) -> float:
        """Return the extra light in an exposure of its field, before the response of the pixels."""
        share = self.light[exposure.visit - 1]
        return share * 10 ** (-0.4 * (self.peak_magnitude[exposure.filter] - exposure.zero_point))


@dataclass(frozen=True)
class Mover:
    """An object that moves straight through a field.

    Parameters
    ----------
    name : str
    field_centre : tuple of float
        Degrees.
    epoch : datetime
    east_arcsec, north_arcsec : float
        Standard coordinates at the epoch.
    rate_east, rate_north : float
        Arcseconds an hour.
    magnitude : dict
        By filter.
    """

    name: str
    field_centre: tuple[float, float]
    epoch: datetime
    east_arcsec: float
    north_arcsec: float
    rate_east: float
    rate_north: float
    magnitude: dict[str, float]

    def standard(self, when: datetime) -> tuple[float, float]:
        """Return the standard coordinates about the field's centre at a time."""
        hours = (when - self.epoch) / timedelta(hours=1)
        return self.east_arcsec + self.rate_east * hours, self.north_arcsec + self.rate_north * hours

    def place(self, when: datetime) -> tuple[float, float]:
        """Return right ascension and declination in degrees at a time."""
        ra, dec = deproject(*self.standard(when), *self.field_centre)
        return float(ra), float(dec)

    def electrons(self, exposure: Exposure) -> float:
        """Return its light in an exposure of its field."""
        return 10 ** (-0.4 * (self.magnitude[exposure.filter] - exposure.zero_point))


def _units(survey: Survey) -> list[tuple[int, int, UnitGeometry]]:
    camera = survey.camera
    return [(d, q, unit_geometry(camera, d, q)) for d in camera.detector_ids for q in camera.quadrant_ids]


def _magnitude_at(signal_to_noise: float, exposures: list[Exposure], survey: Survey) -> float:
    """Return the magnitude that gives a S/N in the median exposure, sky and source noise counted."""
    sky = float(np.median([e.sky for e in exposures]))
    zero_point = float(np.median([e.zero_point for e in exposures]))
    fwhm = float(np.median([e.seeing_arcsec for e in exposures])) / survey.camera.pixel_scale_arcsec
    variance = noise_area_px(fwhm) * (sky + survey.camera.quadrants[0].read_noise ** 2)
    electrons = 0.5 * (signal_to_noise**2 + signal_to_noise * np.sqrt(signal_to_noise**2 + 4 * variance))
    return zero_point - 2.5 * float(np.log10(electrons))


def _by_filter(exposures: tuple[Exposure, ...], field: Field) -> dict[str, list[Exposure]]:
    mine = [e for e in exposures if e.image_type == ImageType.SCIENCE and e.field == field.id]
    return {name: [e for e in mine if e.filter == name] for name in sorted({e.filter for e in mine})}


def _light_curve(random: np.random.Generator, visits: int, quiet: int) -> tuple[float, ...]:
    """Nothing in the first `quiet` visits, then a rise over one to three and a slow decline."""
    peak, decline = random.integers(1, 4), random.uniform(5.0, 14.0)
    after = np.arange(1, max(visits - quiet, 0) + 1)
    shape = np.where(after <= peak, (after / peak) ** 0.6, np.exp(-(after - peak) / decline))
    return (0.0,) * min(quiet, visits) + tuple(float(s) for s in shape)


def risers_of_field(survey: Survey, field: Field, exposures: tuple[Exposure, ...], *, seed: int) -> tuple[Riser, ...]:
    """Draw a field's transients (a third of them on galaxies) and variable stars.

    None has any extra light in the visits that the survey's first reference is made of.
    """
    groups = _by_filter(exposures, field)
    visits, quiet = max(len(g) for g in groups.values()), survey.reference.at_least_frames
    risers: list[Riser] = []
    for detector, quadrant, unit in _units(survey):
        random = generator(seed, "risers", field.id, detector, quadrant)
        kinds = ["transient"] * TRANSIENTS_A_UNIT
        kinds += ["variable"] * int(VARIABLES_A_UNIT + random.random())
        for kind in kinds:
            number = len(risers) + 1
            on_galaxy = kind == "transient" and number % 3 == 0
            ra, dec = _place(random, kind, on_galaxy, unit, field, seed)
            limits = TRANSIENT_SN if kind == "transient" else VARIABLE_SN
            wanted = float(np.exp(random.uniform(*np.log(limits))))
            magnitude = {
                name: _magnitude_at(wanted * random.uniform(0.8, 1.2), group, survey)
                for name, group in groups.items()
            }
            light = _light_curve(random, visits, quiet)
            risers.append(Riser(f"{kind}-{field.id}-{number}", kind, ra, dec, on_galaxy, magnitude, light))
    return tuple(risers)


def _place(
    random: np.random.Generator, kind: str, on_galaxy: bool, unit: UnitGeometry, field: Field, seed: int
) -> tuple[float, float]:
    """Return (ra, dec) of a place well inside a unit: in a galaxy, on a star, or anywhere."""
    centre, (rows, columns) = (field.ra_deg, field.dec_deg), unit.shape
    x, y = random.uniform(MARGIN_PX, columns - MARGIN_PX), random.uniform(MARGIN_PX, rows - MARGIN_PX)
    anywhere = deproject(*unit.nominal_standard(x, y), *centre)
    cells = cells_around(*unit.nominal_standard(np.array([0, columns]), np.array([0, rows])))
    if on_galaxy:
        galaxies = galaxies_of_cells(seed, field.id, centre, cells)
        k = _one_of(random, galaxies, (16.5, 20.0), unit, centre)
        place = anywhere if k is None else _in_galaxy(random, galaxies, k)
    elif kind == "variable":
        stars = stars_of_cells(seed, field.id, centre, cells)
        k = _one_of(random, stars, (15.5, 18.0), unit, centre)
        place = anywhere if k is None else (stars.ra_deg[k], stars.dec_deg[k])
    else:
        place = anywhere
    return float(place[0]), float(place[1])


def _one_of(
    random: np.random.Generator, objects: Stars, limits: tuple[float, float], unit: UnitGeometry,
    centre: tuple[float, float],
) -> int | None:  # fmt: skip
    """Return one object within limits of r and well inside of a unit, if there is one."""
    x, y = unit.pixels(objects.ra_deg, objects.dec_deg, Pointing(*centre))
    rows, columns = unit.shape
    inside = (x > MARGIN_PX) & (x < columns - MARGIN_PX) & (y > MARGIN_PX) & (y < rows - MARGIN_PX)
    chosen = np.flatnonzero(inside & (objects.r > limits[0]) & (objects.r < limits[1]))
    return int(random.choice(chosen)) if chosen.size else None


def _in_galaxy(random: np.random.Generator, galaxies: Galaxies, k: int) -> tuple[float, float]:
    """Return a place within about the half-light radius."""
    east, north = random.normal(0.0, 0.5 * galaxies.half_light_arcsec[k], 2) / 3600
    dec = galaxies.dec_deg[k]
    return (galaxies.ra_deg[k] + east / np.cos(np.radians(dec))) % 360.0, dec + north


def movers_of_field(survey: Survey, field: Field, exposures: tuple[Exposure, ...], *, seed: int) -> tuple[Mover, ...]:
    """Draw a field's moving objects, at main-belt rates, westward, each in sight of one quadrant in most visits."""
    groups = _by_filter(exposures, field)
    times = sorted(e.mid_exposure for group in groups.values() for e in group)
    middle = times[0] + (times[-1] - times[0]) / 2
    units = _units(survey)
    count = max(1, round(MOVERS_A_UNIT * len(units)))
    return tuple(
        _mover(survey, field, groups, times, middle, units[k % len(units)][2], k + 1, seed) for k in range(count)
    )


def _mover(
    survey: Survey, field: Field, groups: dict[str, list[Exposure]], times: Sequence[datetime], middle: datetime,
    unit: UnitGeometry, number: int, seed: int,
) -> Mover:  # fmt: skip
    random = generator(seed, "movers", field.id, number)
    wanted = float(np.exp(random.uniform(*np.log(MOVER_SN))))
    reference = next(iter(groups))
    r = _magnitude_at(wanted, groups[reference], survey) - band_of(reference).colour * 0.5
    magnitude = {name: r + 0.5 * band_of(name).colour for name in groups}
    rows, columns = unit.shape
    best: tuple[int, Mover] | None = None
    for _ in range(60):
        x, y = random.uniform(0.15, 0.85) * columns, random.uniform(0.15, 0.85) * rows
        rate, angle = random.uniform(*RATE_ARCSEC_PER_HOUR), np.radians(random.normal(280.0, 15.0))
        east, north = unit.nominal_standard(x, y)
        mover = Mover(
            f"mover-{field.id}-{number}",
            (field.ra_deg, field.dec_deg),
            middle,
            float(east),
            float(north),
            float(rate * np.sin(angle)),
            float(rate * np.cos(angle)),
            magnitude,
        )
        seen = sum(_within(unit, mover.standard(when)) for when in times)
        if best is None or seen > best[0]:
            best = seen, mover
        if seen >= 0.9 * len(times):
            break
    assert best is not None
    return best[1]


def _within(unit: UnitGeometry, standard: tuple[float, float]) -> bool:
    rows, columns = unit.shape
    x = (unit.parity * standard[0] - unit.centre_arcsec[0]) / unit.scale + columns / 2
    y = (standard[1] - unit.centre_arcsec[1]) / unit.scale + rows / 2
    return MARGIN_PX < x < columns - MARGIN_PX and MARGIN_PX < y < rows - MARGIN_PX
