"""What is taken in a night: by a schedule's file, by what the nights before were like, or by a guess."""

import csv
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from statistics import median

import numpy as np

from nightshift.context import Context
from nightshift.errors import BadInput
from nightshift.ledger.queries import plan as plan_queries
from nightshift.ledger.queries.plan import EarlierExposure
from nightshift.night_plan.night_sky import airmass, altitudes_deg
from nightshift.nights import night_bounds
from nightshift.settings import Survey
from nightshift.settings.loader import config_folder
from nightshift.vocabulary import ImageType, Reason

__all__ = ["Planned", "PlannedExposure", "planned_exposures", "read_schedule"]

COLUMNS = {
    "time": ("time", "shutter_open", "start", "obstime"),
    "field": ("field", "field_id", "fieldid"),
    "filter": ("filter", "band"),
    "exposure_time": ("exposure_time", "exptime", "exposure"),
}
LEAST_GAP_S = 1.0


@dataclass(frozen=True)
class PlannedExposure:
    """One exposure of the plan; its field is None where the survey has no field."""

    opens: datetime
    instrument: str
    field: int | None
    filter: str
    exposure_s: float


@dataclass(frozen=True)
class Planned:
    """What one instrument takes.

    Parameters
    ----------
    exposures : tuple of PlannedExposure
        In order of time.
    told_by : str
        Where this is from, in words.
    is_guess : bool
        Whether nothing was measured: no schedule, no earlier night.
    """

    exposures: tuple[PlannedExposure, ...]
    told_by: str
    is_guess: bool


def planned_exposures(
    context: Context, night: date, dark: tuple[datetime, datetime] | None, schedule: Path | None
) -> Planned:
    """Return what an instrument takes in a night.

    Parameters
    ----------
    context : Context
        Of the instrument.
    night : date
    dark : (datetime, datetime) or None
        When exposures are expected; None: at no time.
    schedule : Path, optional
        A schedule's file; without it the one of the settings, where that night has one.

    Raises
    ------
    BadInput
        If the schedule does not read.
    """
    survey = context.survey
    file = schedule or _file_of_settings(survey, night)
    if file is not None:
        exposures = read_schedule(file, survey, night)
        return Planned(exposures, f"the schedule {file.name}", is_guess=False)
    earlier = plan_queries.earlier_exposures(
        context.ledger, site=survey.site.name, instrument=survey.camera.instrument,
        first=night - timedelta(days=survey.plan.nights), night=night,
    )  # fmt: skip
    science = [row for row in earlier if row.image_type is ImageType.SCIENCE]
    targets = _targets_of_nights(science) if science else _targets_of_settings(survey)
    cadence = _cadence_s(science) or survey.plan.first_cadence_s
    exposures = tuple(_fill(survey, dark, targets, cadence)) if dark else ()
    if science:
        nights = len({row.night for row in science})
        told_by = (
            f"the cadence ({cadence:.0f} s) and fields of the last {'night' if nights == 1 else f'{nights} nights'}"
        )
    else:
        told_by = f"a guess: one exposure each {cadence:g} s (plan.first_cadence_s) of every field in every filter"
    return Planned(exposures, told_by, is_guess=not science)


# --- a schedule's file --------------------------------------------------------------------------------------


def _file_of_settings(survey: Survey, night: date) -> Path | None:
    if survey.plan.schedule is None:
        return None
    file = config_folder() / survey.name / survey.plan.schedule.format(night=f"{night:%Y%m%d}")
    return file if file.is_file() else None


def read_schedule(file: Path, survey: Survey, night: date) -> tuple[PlannedExposure, ...]:
    """Return what a schedule says of an instrument and a night, in order of time.

    CSV or ECSV with the columns time (UTC where it has no offset), field, filter and exposure_time (s), and where the
    file is of several cameras instrument. Lines of other nights and cameras are left out.

    Raises
    ------
    BadInput
        Naming the line and what is wrong.
    """
    first, last = night_bounds(survey.site, night)
    found = []
    for number, line in _lines(file):
        try:
            exposure = _exposure(line, survey)
        except (KeyError, TypeError, ValueError) as error:
            raise BadInput(Reason.HEADER_INCOMPLETE, f"{file}, line {number}: {error}") from error
        if first <= exposure.opens < last and exposure.instrument == survey.camera.instrument:
            found.append(exposure)
    return tuple(sorted(found, key=lambda exposure: exposure.opens))


def _lines(file: Path) -> Iterable[tuple[int, dict[str, str]]]:
    """Yield the lines of a table by the names of its columns; what begins with # is ECSV's own."""
    try:
        text = file.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(Reason.UNREADABLE_FILE, f"the schedule {file} does not read: {error}") from error
    numbered = [(n, line) for n, line in enumerate(text.splitlines(), start=1) if line.strip() and line[0] != "#"]
    if not numbered:
        raise BadInput(Reason.EMPTY_FILE, f"the schedule {file} has no lines")
    head = numbered[0][1]
    delimiter = "," if "," in head else " "
    reader = csv.DictReader((line for _, line in numbered), delimiter=delimiter, skipinitialspace=True)
    return [
        (number, {str(key).strip().lower(): value for key, value in row.items()})
        for (number, _), row in zip(numbered[1:], reader, strict=False)
    ]


def _exposure(line: dict[str, str], survey: Survey) -> PlannedExposure:
    opens = datetime.fromisoformat(_value(line, "time"))
    found = survey.filter_by_header(_value(line, "filter"))
    if found is None:
        known = ", ".join(each.name for each in survey.sky.filters)
        raise ValueError(f"{_value(line, 'filter')!r} is no filter of {survey.name}; there are {known}")
    field = int(_value(line, "field"))
    if survey.sky.fields and survey.field(field) is None:
        raise ValueError(f"{survey.name} has no field {field}")
    seconds = float(_value(line, "exposure_time"))
    if not seconds > 0:
        raise ValueError(f"the exposure time is {seconds:g} s")
    return PlannedExposure(
        opens.replace(tzinfo=UTC) if opens.tzinfo is None else opens.astimezone(UTC),
        line.get("instrument") or survey.camera.instrument, field, found.name, seconds,
    )  # fmt: skip


def _value(line: dict[str, str], column: str) -> str:
    value = next((line[name] for name in COLUMNS[column] if line.get(name)), None)
    if value is None:
        raise ValueError(f"it has no {column} (a column called {' or '.join(COLUMNS[column])})")
    return value


# --- from the nights before ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Target:
    """A field in a filter, how long it is exposed, and how often among all."""

    field: int | None
    filter: str
    exposure_s: float
    share: float


def _targets_of_nights(science: Sequence[EarlierExposure]) -> list[_Target]:
    counts = Counter((row.field, row.filter) for row in science)
    return [
        _Target(
            field, name, median(r.exposure_s for r in science if (r.field, r.filter) == (field, name)),
            count / len(science),
        )
        for (field, name), count in sorted(counts.items(), key=lambda item: (-item[1], str(item[0])))
    ]  # fmt: skip


def _targets_of_settings(survey: Survey) -> list[_Target]:
    names = [each.name for each in survey.sky.filters]
    fields: list[int | None] = [field.id for field in survey.sky.fields] or [None]
    share = 1 / (len(names) * len(fields))
    seconds = survey.plan.first_cadence_s / 2
    return [_Target(field, name, seconds, share) for field in fields for name in names]


def _cadence_s(science: Sequence[EarlierExposure]) -> float | None:
    gaps = [
        (after.shutter_open - before.shutter_open).total_seconds()
        for before, after in pairwise(science)
        if before.night == after.night
    ]
    long_enough = [gap for gap in gaps if gap >= LEAST_GAP_S]
    return median(long_enough) if long_enough else None


def _fill(
    survey: Survey, dark: tuple[datetime, datetime], targets: Sequence[_Target], cadence_s: float
) -> Iterable[PlannedExposure]:
    """Yield an exposure each cadence of what is up and was taken least for its share."""
    places = [survey.field(target.field) if target.field is not None else None for target in targets]
    ra = np.array([place.ra_deg if place else 0.0 for place in places])
    dec = np.array([place.dec_deg if place else 0.0 for place in places])
    anywhere = np.array([place is None for place in places])
    shares, taken = np.array([target.share for target in targets]), np.zeros(len(targets))
    moment, ends = dark
    while moment < ends:
        masses = airmass(altitudes_deg(survey.site, moment, ra, dec))
        up = anywhere | (masses < survey.plan.airmass_at_most)
        if up.any():
            chosen = int(np.argmin(np.where(up, (taken + 1) / shares, np.inf)))
            taken[chosen] += 1
            target = targets[chosen]
            yield PlannedExposure(moment, survey.camera.instrument, target.field, target.filter, target.exposure_s)
        moment += timedelta(seconds=cadence_s)
