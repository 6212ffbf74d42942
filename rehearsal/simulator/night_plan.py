"""The night's plan: every exposure with its time, pointing and conditions, in shutter order."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from nightshift.ingest.naming import exposure_id_by_name, parse_name
from nightshift.nights import night_bounds
from nightshift.settings import Camera, Field, SettingsError, Survey
from nightshift.vocabulary import ImageType
from rehearsal.simulator.bands import band_of
from rehearsal.simulator.ephemeris import airmass, altitude_deg, julian_date, sidereal_deg, sun_altitude_deg
from rehearsal.simulator.geometry import Pointing
from rehearsal.simulator.scale import NightScale
from rehearsal.simulator.seeds import generator

__all__ = ["DEFAULT_NIGHT", "Exposure", "file_name", "plan_night", "simulated_fields"]

DEFAULT_NIGHT = date(2025, 11, 20)  # new moon; both fields of the demonstration rise high enough in the dark
READOUT_S = 10.0
DARK_SUN_DEG = -15.0  # science while the Sun is below
FLAT_SUN_DEG = -3.0  # twilight flats begin
HIGHEST_AIRMASS = 2.0
LONGEST_CADENCE = timedelta(minutes=30)
DITHER_ARCSEC = 4.0
POINTING_ERROR_ARCSEC = 2.0
ROTATION_ERROR_DEG = 0.01

LETTER = {ImageType.BIAS: "b", ImageType.DARK: "d", ImageType.FLAT: "f", ImageType.SCIENCE: "o"}
SHUT = {ImageType.BIAS: "bi", ImageType.DARK: "dk"}  # in place of a filter where the shutter stays shut


@dataclass(frozen=True)
class Exposure:
    """One opening of the shutter, all that the simulator knows of it.

    Parameters
    ----------
    number : int
        From 1, in shutter order.
    exposure_id : str
        As the camera's file names give it.
    image_type : ImageType
    shutter_open : datetime
        Aware, UTC.
    exposure_s : float
    filter : str
        The survey's name; empty for biases and darks.
    field : int
        0 where there is none.
    visit : int
        Which of its field and filter, from 1; 0 for calibrations.
    sequence : tuple of (str, int, int), optional
        Name, index from 1, length, of a calibration sequence.
    commanded, pointing : Pointing, optional
        What the header says and what is true. None with the shutter shut.
    airmass, seeing_arcsec, transparency : float
        Seeing is the FWHM at the centre of the camera.
    ellipticity : tuple of float
        Of the PSF, all over the camera; guiding and wind.
    sky : float
        Electrons a pixel at the camera's centre; the level of a flat.
    gradient : tuple of float
        Relative slope of the sky from the centre to the camera's edge along (x, y).
    zero_point : float
        Magnitude of 1 electron in this exposure.
    bias_drift : float
        ADU.
    warmth : float
        Of the dark current, against the usual.
    satellites : int
        How many cross each quadrant.
    dead_detectors : tuple of int
        Those that read zeros.
    """

    number: int
    exposure_id: str
    image_type: ImageType
    shutter_open: datetime
    exposure_s: float
    filter: str = ""
    field: int = 0
    visit: int = 0
    sequence: tuple[str, int, int] | None = None
    commanded: Pointing | None = None
    pointing: Pointing | None = None
    airmass: float = 1.0
    seeing_arcsec: float = 2.0
    transparency: float = 1.0
    ellipticity: tuple[float, float] = (0.0, 0.0)
    sky: float = 0.0
    gradient: tuple[float, float] = (0.0, 0.0)
    zero_point: float = 0.0
    bias_drift: float = 0.0
    warmth: float = 1.0
    satellites: int = 0
    dead_detectors: tuple[int, ...] = ()

    @property
    def mid_exposure(self) -> datetime:
        """The middle of the exposure."""
        return self.shutter_open + timedelta(seconds=self.exposure_s / 2)


def file_name(camera: Camera, exposure: Exposure, detector: int, night: date) -> str:
    """Return the name that the camera gives to a detector's file.

    Raises
    ------
    SettingsError
        If the camera has no template, or the name does not match the camera's own pattern.
    """
    template = camera.file_names.template
    if template is None:
        raise SettingsError(f"camera {camera.instrument}: file_names.template is needed to write files; add it")
    midnight = exposure.shutter_open.replace(hour=0, minute=0, second=0, microsecond=0)
    fraction = (exposure.shutter_open - midnight) / timedelta(days=1)
    name = template.format(
        night=night,
        shutter_open=exposure.shutter_open,
        day_fraction=f"{int(fraction * 1e6):06d}",
        number=exposure.number,
        detector=detector,
        field=exposure.field,
        filter=SHUT.get(exposure.image_type, exposure.filter),
        type=LETTER[exposure.image_type],
    )
    if not re.fullmatch(camera.file_names.pattern, name):
        raise SettingsError(f"file_names.template gives {name!r}, which file_names.pattern does not match")
    return name


def simulated_fields(survey: Survey, scale: NightScale, night: date) -> tuple[Field, ...]:
    """Return the fields to observe; a survey that lists none gets one that culminates at midnight."""
    fields = survey.sky.fields
    if not fields:
        midnight = julian_date(night_bounds(survey.site, night)[0] + timedelta(hours=12))
        ra = round(float(sidereal_deg(midnight, survey.site.longitude_deg)), 3)
        fields = (Field(id=600, name="simulated field", ra_deg=ra, dec_deg=round(survey.site.latitude_deg - 8, 1)),)
    chosen = scale.chosen_fields(fields)
    if not chosen:
        raise SettingsError(f"survey {survey.name} has no field of {scale.fields}; it has {[f.id for f in fields]}")
    return chosen


def plan_night(survey: Survey, scale: NightScale, *, seed: int, night: date) -> tuple[Exposure, ...]:
    """Plan a whole night: biases and darks before sunset, flats in twilight, science in the dark.

    Raises
    ------
    SettingsError
        If a field does not rise in the dark of that night.
    """
    noon = night_bounds(survey.site, night)[0]
    filters = scale.chosen_filters(survey)
    exposures = [*_shut(scale, survey, noon), *_flats(scale, survey, noon, filters, seed)]
    exposures += _science(scale, survey, noon, filters, simulated_fields(survey, scale, night))
    exposures.sort(key=lambda e: e.shutter_open)
    weather = _Weather(seed, night)
    planned = []
    for number, exposure in enumerate(exposures, start=1):
        done = _conditions(replace(exposure, number=number), survey, weather, seed)
        planned.append(replace(done, exposure_id=_exposure_id(survey.camera, done, night)))
    return tuple(planned)


def _exposure_id(camera: Camera, exposure: Exposure, night: date) -> str:
    name = file_name(camera, exposure, camera.detector_ids[0], night)
    made = exposure_id_by_name(parse_name(name, camera), camera, night)
    if made is None:
        raise SettingsError(
            f"camera {camera.instrument}: file_names.exposure_id takes header values: it cannot be simulated"
        )
    return made


def _sun(survey: Survey, noon: datetime) -> np.ndarray:
    return sun_altitude_deg(survey.site, julian_date(noon) + np.arange(24 * 60) / 1440.0)


def _first_below(survey: Survey, noon: datetime, altitude: float) -> datetime:
    below = np.flatnonzero(_sun(survey, noon) < altitude)
    if below.size == 0:
        raise SettingsError(f"the Sun does not sink below {altitude} degrees in the night that begins {noon}")
    return noon + timedelta(minutes=int(below[0]))


def _shut(scale: NightScale, survey: Survey, noon: datetime) -> Iterator[Exposure]:
    """Biases, then darks, two hours before sunset."""
    when = _first_below(survey, noon, -0.8) - timedelta(hours=2)
    day = f"{noon.astimezone(ZoneInfo(survey.site.time_zone)):%Y%m%d}"
    for kind, length, seconds in (
        (ImageType.BIAS, scale.biases, 0.0),
        (ImageType.DARK, scale.darks, scale.dark_s),
    ):
        for index in range(1, length + 1):
            yield Exposure(0, "", kind, when, seconds, sequence=(f"{kind}-{day}", index, length))
            when += timedelta(seconds=seconds + READOUT_S)


def _flats(
    scale: NightScale, survey: Survey, noon: datetime, filters: tuple[str, ...], seed: int
) -> Iterator[Exposure]:
    """Twilight flats: the sky darkens from one to the next, and the telescope moves a little between them."""
    when = _first_below(survey, noon, FLAT_SUN_DEG)
    day = f"{noon.astimezone(ZoneInfo(survey.site.time_zone)):%Y%m%d}"
    zenith = float(sidereal_deg(julian_date(when), survey.site.longitude_deg)), survey.site.latitude_deg - 2.0
    quadrant = survey.camera.quadrants[0]
    brightest = 0.62 * quadrant.saturation * quadrant.gain
    for name in filters:
        random = generator(seed, "flats", name)
        levels = (
            brightest * np.geomspace(1.0, 0.3, max(scale.flats, 1)) * random.uniform(0.95, 1.05, scale.flats or 1)
        )
        for index in range(1, scale.flats + 1):
            place = Pointing(zenith[0], zenith[1] + 30.0 * index / 3600)
            yield Exposure(
                0,
                "",
                ImageType.FLAT,
                when,
                3.0 + 2.0 * index,
                filter=name,
                sequence=(f"flat-{name}-{day}", index, scale.flats),
                commanded=place,
                pointing=place,
                sky=float(levels[index - 1]),
            )
            when += timedelta(seconds=3.0 + 2.0 * index + READOUT_S)


def _science(
    scale: NightScale, survey: Survey, noon: datetime, filters: tuple[str, ...], fields: tuple[Field, ...]
) -> Iterator[Exposure]:
    """Visits of each field spread over the time when it is high in the dark, interleaved with the others'."""
    wanted = sorted(
        (begin + visit * step, index, visit, field)
        for index, field in enumerate(fields)
        for begin, step in [_window(scale, survey, noon, field)]
        for visit in range(scale.visits)
    )
    free = noon
    for when, _, visit, field in wanted:
        when = max(when, free)
        for name in filters:
            centre = Pointing(field.ra_deg, field.dec_deg)
            yield Exposure(
                0,
                "",
                ImageType.SCIENCE,
                when,
                scale.exposure_s,
                filter=name,
                field=field.id,
                visit=visit + 1,
                commanded=centre,
            )
            when += timedelta(seconds=scale.exposure_s + READOUT_S + 2.0)
        free = when + timedelta(seconds=20.0)


def _window(scale: NightScale, survey: Survey, noon: datetime, field: Field) -> tuple[datetime, timedelta]:
    """Return when a field's first visit begins and the time between visits."""
    jd = julian_date(noon) + np.arange(24 * 60) / 1440.0
    high = airmass(altitude_deg(survey.site, jd, field.ra_deg, field.dec_deg)) < HIGHEST_AIRMASS
    useful = high & (_sun(survey, noon) < DARK_SUN_DEG)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], useful.astype(int), [0]])))
    if edges.size == 0:
        night = noon.astimezone(ZoneInfo(survey.site.time_zone)).date()
        raise SettingsError(
            f"field {field.id} ({field.name}) does not rise above airmass {HIGHEST_AIRMASS} in the dark "
            f"of the night of {night}; choose another night or field"
        )
    longest = int(np.argmax(edges[1::2] - edges[::2]))
    begin, end = edges[2 * longest], edges[2 * longest + 1]
    step = min(timedelta(minutes=float(end - begin)) / max(scale.visits, 1), LONGEST_CADENCE)
    return noon + timedelta(minutes=int(begin)), step


class _Weather:
    """Seeing and transparency as slow waves with a little noise; hours since the first call's day."""

    def __init__(self, seed: int, night: date):
        random = generator(seed, "weather", night)
        self.phases = random.uniform(0, 2 * np.pi, 4)
        self.epoch = datetime(night.year, night.month, night.day, tzinfo=UTC)

    def _wave(self, when: datetime, first: int) -> float:
        hours = (when - self.epoch) / timedelta(hours=1)
        slow = np.sin(2 * np.pi * hours / 5.3 + self.phases[first])
        fast = np.sin(2 * np.pi * hours / 1.4 + self.phases[first + 1])
        return float(0.65 * slow + 0.35 * fast)

    def seeing_arcsec(self, when: datetime) -> float:
        """Return the FWHM at the zenith."""
        return 2.15 + 0.22 * self._wave(when, 0)

    def transparency(self, when: datetime) -> float:
        """Return the share of the light that thin cirrus lets through."""
        return 0.93 + 0.06 * self._wave(when, 2)


def _conditions(exposure: Exposure, survey: Survey, weather: _Weather, seed: int) -> Exposure:
    """Add what the sky and the telescope do at that time."""
    random = generator(seed, "conditions", exposure.number)
    exposure = replace(exposure, bias_drift=float(random.normal(0.0, 2.0)))
    if exposure.commanded is None:
        return exposure
    when, place = exposure.shutter_open, exposure.commanded
    height = altitude_deg(survey.site, julian_date(when), place.ra_deg, place.dec_deg)
    mass = float(airmass(height))
    scale = survey.camera.pixel_scale_arcsec
    seeing = (weather.seeing_arcsec(when) + random.normal(0.0, 0.05)) * mass**0.3
    band = band_of(exposure.filter)
    clear = float(np.clip(weather.transparency(when) + random.normal(0.0, 0.01), 0.5, 1.0))
    zero_point = band.zero_point - band.extinction * mass + 2.5 * np.log10(exposure.exposure_s * clear)
    exposure = replace(
        exposure,
        airmass=mass,
        seeing_arcsec=float(max(seeing, 1.9 * scale)),
        transparency=clear,
        ellipticity=tuple(random.normal(0.0, 0.015, 2).tolist()),
        gradient=tuple(random.normal(0.0, 0.02, 2).tolist()),
        zero_point=float(zero_point),
    )
    if exposure.image_type != ImageType.SCIENCE:
        return exposure
    glow = 10 ** (-0.4 * (band.sky - band.zero_point)) * scale**2 * exposure.exposure_s
    commanded = _moved(place, random.uniform(-DITHER_ARCSEC, DITHER_ARCSEC, 2))
    true = _moved(commanded, random.normal(0.0, POINTING_ERROR_ARCSEC, 2))
    true = replace(true, rotation_deg=float(random.normal(0.0, ROTATION_ERROR_DEG)))
    sky = float(glow * mass**0.6 * random.normal(1.0, 0.03))
    return replace(exposure, commanded=commanded, pointing=true, sky=sky)


def _moved(place: Pointing, arcsec: np.ndarray) -> Pointing:
    east = arcsec[0] / 3600 / np.cos(np.radians(place.dec_deg))
    return Pointing(float((place.ra_deg + east) % 360), float(place.dec_deg + arcsec[1] / 3600))
