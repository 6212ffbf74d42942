"""Put the plan of a site's night together, from the settings, the calendar and the ledger."""

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

from nightshift.context import Context
from nightshift.keys import LIVE
from nightshift.ledger.queries import plan as plan_queries
from nightshift.ledger.queries.calendar import Entry, EntryInForce
from nightshift.ledger.queries.plan import EarlierExposure
from nightshift.masters_ages import MasterAge, masters_ages
from nightshift.night_plan.night_costs import KindCost, Room, night_costs, room_of_night
from nightshift.night_plan.night_sky import MoonAt, dark_time, moon_at
from nightshift.night_plan.schedule import Planned, PlannedExposure, planned_exposures
from nightshift.nights import night_bounds
from nightshift.observing_calendar import InForce, entries_of_night
from nightshift.settings import Survey
from nightshift.sun import HORIZON_DEG, sunset_and_sunrise
from nightshift.vocabulary import CalendarKind, ImageType

__all__ = ["CameraPlan", "NightPlan", "ReferencePlan", "Step", "make_plan"]

TWILIGHTS = {"civil": -6.0, "nautical": -12.0, "astronomical": -18.0}
CLOCK_DELAY = timedelta(hours=1)  # after sunrise a live night without a manifest begins to close


@dataclass(frozen=True)
class ReferencePlan:
    """A field in a filter, and what is differenced against.

    Parameters
    ----------
    field, field_name, filter
    exposures : int
        That are planned of it.
    with_reference, quadrants : int
        How many quadrants have a reference, of how many in service.
    what : str
        What is done where some have none.
    """

    field: int
    field_name: str
    filter: str
    exposures: int
    with_reference: int
    quadrants: int
    what: str

    @property
    def is_whole(self) -> bool:
        """Whether every quadrant has one."""
        return self.with_reference >= self.quadrants


@dataclass(frozen=True)
class CameraPlan:
    """What one camera does.

    Parameters
    ----------
    instrument : str
    detectors : tuple of int
        That are expected at the middle of the night.
    planned : Planned
        Without what falls into downtime.
    engineering : int
        How many of these exposures are in engineering time: registered and archived, not reduced.
    units : int
        Units of science that are to be reduced.
    masters : tuple of MasterAge
    references : tuple of ReferencePlan
    """

    instrument: str
    detectors: tuple[int, ...]
    planned: Planned
    engineering: int
    units: int
    masters: tuple[MasterAge, ...]
    references: tuple[ReferencePlan, ...]


@dataclass(frozen=True)
class Step:
    """Something that runs, or a moment; aware, UTC. A moment ends when it begins."""

    begins: datetime
    ends: datetime
    what: str
    note: str = ""


@dataclass(frozen=True)
class NightPlan:
    """The plan of a site's night.

    Parameters
    ----------
    site : str
    night : date
    sunset, sunrise : datetime or None
        None where the Sun does not both set and rise.
    twilights : dict of str to (datetime, datetime) or None
        When civil, nautical and astronomical twilight end and begin.
    dark : (datetime, datetime) or None
        When exposures are expected.
    moon : MoonAt
        At the middle of the night.
    cameras : tuple of CameraPlan
    steps : tuple of Step
        What runs and when, in order of time.
    costs : tuple of KindCost
    room : Room
    cores : int
        Of the machine that runs the jobs, where that is this one.
    announced : tuple of Entry
        Detectors out of service, engineering time and downtime in this night.
    """

    site: str
    night: date
    sunset: datetime | None
    sunrise: datetime | None
    twilights: dict[str, tuple[datetime, datetime] | None]
    dark: tuple[datetime, datetime] | None
    moon: MoonAt
    cameras: tuple[CameraPlan, ...]
    steps: tuple[Step, ...]
    costs: tuple[KindCost, ...]
    room: Room
    cores: int
    announced: tuple[Entry, ...]

    @property
    def cpu_hours(self) -> float:
        """That all work of the night takes."""
        return sum(cost.cpu_hours for cost in self.costs)

    @property
    def exposures(self) -> list[PlannedExposure]:
        """Of all cameras, in order of time."""
        return sorted(
            (each for camera in self.cameras for each in camera.planned.exposures), key=lambda each: each.opens
        )

    def to_json(self) -> dict[str, Any]:
        """Return the plan as plain values."""
        plain: dict[str, Any] = asdict(self) | {"cpu_hours": self.cpu_hours}
        plain["room"]["bytes"] = self.room.bytes
        return plain


def make_plan(context: Context, night: date, schedule: Path | None = None) -> NightPlan:
    """Return the plan of a site's night. Changes nothing.

    Parameters
    ----------
    context : Context
        Of the site.
    night : date
    schedule : Path, optional
        A schedule's file, in place of that of the settings.

    Raises
    ------
    nightshift.errors.BadInput
        If the schedule does not read.
    """
    site = context.site
    sun, dark = sunset_and_sunrise(site, night), _dark(context, night)
    entries = entries_of_night(context.ledger, context, night)
    cameras = tuple(_camera(own, night, dark, entries, schedule) for own in context.instruments())
    begins, ends = night_bounds(site, night)
    counts = {camera.instrument: len(camera.planned.exposures) for camera in cameras}
    return NightPlan(
        site=site.name,
        night=night,
        sunset=sun[0] if sun else None,
        sunrise=sun[1] if sun else None,
        twilights={name: _span(context, night, altitude) for name, altitude in TWILIGHTS.items()},
        dark=dark,
        moon=moon_at(site, begins + (ends - begins) / 2),
        cameras=cameras,
        steps=tuple(_steps(context, night, cameras, sun, dark)),
        costs=tuple(night_costs(context, night, _units_by_kind(context, cameras))),
        room=room_of_night(context, night, counts),
        cores=os.cpu_count() or 1,
        announced=tuple(entries),
    )


def _dark(context: Context, night: date) -> tuple[datetime, datetime] | None:
    altitude = max(survey.plan.sun_altitude_deg for survey in context.deployment.surveys)
    return _span(context, night, min(altitude, HORIZON_DEG))


def _span(context: Context, night: date, altitude_deg: float) -> tuple[datetime, datetime] | None:
    found = dark_time(context.site, night, altitude_deg)
    return (found.begins, found.ends) if found.begins and found.ends else None


# --- a camera -------------------------------------------------------------------------------------------------


def _camera(
    context: Context,
    night: date,
    dark: tuple[datetime, datetime] | None,
    entries: Sequence[Entry],
    schedule: Path | None,
) -> CameraPlan:
    survey = context.survey
    planned = planned_exposures(context, night, dark, schedule)
    kept, reduced, units = [], [], 0
    for exposure in planned.exposures:
        holds = _holding(survey, entries, exposure.opens)
        if holds.is_downtime:
            continue
        kept.append(exposure)
        if not any(entry.kind is CalendarKind.ENGINEERING for entry in holds.entries):
            reduced.append(exposure)
            units += len(holds.detectors) * len(survey.camera.quadrant_ids)
    begins, ends = night_bounds(survey.site, night)
    filters = {exposure.filter for exposure in kept}
    detectors = _holding(survey, entries, begins + (ends - begins) / 2).detectors
    return CameraPlan(
        instrument=survey.camera.instrument,
        detectors=tuple(detectors),
        planned=Planned(tuple(kept), planned.told_by, planned.is_guess),
        engineering=len(kept) - len(reduced),
        units=units,
        masters=tuple(masters_ages(_of_detectors(context, detectors), night, filters)) if detectors else (),
        references=tuple(_references(context, night, reduced, detectors)),
    )


def _of_detectors(context: Context, detectors: Sequence[int]) -> Context:
    """Return an instrument's context with these detectors in service: no master is missed of another one."""
    camera = context.survey.camera
    changed = tuple(each.model_copy(update={"in_service": each.id in detectors}) for each in camera.detectors)
    camera = camera.model_copy(update={"detectors": changed})
    return context.with_survey(context.survey.model_copy(update={"camera": camera}))


def _holding(survey: Survey, entries: Iterable[Entry], moment: datetime) -> InForce:
    """Return what of a night's entries holds for an instrument at a moment."""
    return InForce(
        survey,
        tuple(
            EntryInForce(entry.entry_id, entry.kind, entry.detector, entry.reason)
            for entry in entries
            if entry.instrument in (None, survey.camera.instrument)
            and entry.begins <= moment
            and (entry.ends is None or moment < entry.ends)
        ),
    )


def _references(
    context: Context, night: date, exposures: Sequence[PlannedExposure], detectors: Sequence[int]
) -> Iterable[ReferencePlan]:
    """Yield each planned field and filter with the references that it has."""
    survey = context.survey
    quadrants = len(detectors) * len(survey.camera.quadrant_ids)
    opens: dict[tuple[int, str], list[datetime]] = {}
    for exposure in exposures:
        if exposure.field is not None:
            opens.setdefault((exposure.field, exposure.filter), []).append(exposure.opens)
    fields = sorted({field for field, _ in opens})
    there = {
        (row.field, row.filter): row.quadrants
        for row in plan_queries.references_in_service(
            context.ledger, instrument=survey.camera.instrument, campaign=LIVE, fields=fields,
            detectors=list(detectors), moment=exposures[0].opens if exposures else context.clock.now(),
        )
    }  # fmt: skip
    good = {
        (row.field, row.filter): row.exposures
        for row in plan_queries.good_frames(
            context.ledger, instrument=survey.camera.instrument, campaign=LIVE, fields=fields,
            first=night - timedelta(days=survey.plan.nights),
        )
    }  # fmt: skip
    for (field, name), moments in sorted(opens.items()):
        known, has = survey.field(field), there.get((field, name), 0)
        what = "" if has >= quadrants else _reference_later(survey, good.get((field, name), 0), moments)
        yield ReferencePlan(field, known.name if known else "", name, len(moments), has, quadrants, what)


def _reference_later(survey: Survey, good: int, opens: Sequence[datetime]) -> str:
    """Return in words when a field and filter without a reference gets one."""
    least = survey.reference.at_least_frames
    wanting = least - good
    if wanting > len(opens):
        return f"none tonight: {good + len(opens)} of {least} frames"
    when = "as soon as one is due" if wanting <= 0 else f"after {opens[wanting - 1]:%H:%M} UTC"
    if survey.reference.first_serves == "next_night":
        return f"made {when}, serves the next night"
    return f"made {when}, the frames before are differenced then"


# --- what runs and when ----------------------------------------------------------------------------------------


def _units_by_kind(context: Context, cameras: Sequence[CameraPlan]) -> dict[str, int]:
    """Return how many units of each kind of work the night has."""
    units = {"master": 0, "science": 0, "reference": 0, "difference": 0}
    for survey, camera in zip(context.deployment.surveys, cameras, strict=True):
        quadrants = len(camera.detectors) * len(survey.camera.quadrant_ids)
        units["master"] += len(camera.masters) * quadrants
        units["science"] += camera.units
        for reference in camera.references:
            made = not reference.is_whole and not reference.what.startswith("none")
            units["reference"] += quadrants - reference.with_reference if made else 0
            units["difference"] += reference.exposures * quadrants if reference.is_whole or made else 0
    return units


def _steps(
    context: Context,
    night: date,
    cameras: Sequence[CameraPlan],
    sun: tuple[datetime, datetime] | None,
    dark: tuple[datetime, datetime] | None,
) -> list[Step]:
    steps = [step for own in context.instruments() for step in _calibrations(own, night)]
    for camera in cameras:
        exposures = camera.planned.exposures
        if exposures:
            engineering = f", {camera.engineering} of them in engineering time" if camera.engineering else ""
            last = exposures[-1].opens + timedelta(seconds=exposures[-1].exposure_s)
            note = f"{len(exposures)}{engineering}, by {camera.planned.told_by}"
            steps.append(Step(exposures[0].opens, last, f"exposures of {camera.instrument}", note))
        steps += _references_made(camera)
    if sun is not None:
        sunset, sunrise = sun
        policy = context.night_policy
        steps += [
            Step(sunset, sunset, "sunset"),
            Step(sunrise, sunrise, "sunrise"),
            Step(
                sunrise + CLOCK_DELAY, sunrise + CLOCK_DELAY, "the night begins to close by the clock",
                f"earlier where the manifest comes; {policy.grace_s:g} s for late files, and after "
                f"{policy.hard_deadline_s:g} s what still runs is declared failed",
            ),
        ]  # fmt: skip
    begins, ends = night_bounds(context.site, night)
    steps += [Step(begins, begins, "the night begins (noon)"), Step(ends, ends, "the night is over (noon)")]
    return sorted(steps, key=lambda step: (step.begins, step.ends))


def _calibrations(context: Context, night: date) -> Iterable[Step]:
    """Yield the calibration frames that the last nights had, at the times of day at which they had them."""
    survey = context.survey
    rows = plan_queries.earlier_exposures(
        context.ledger, site=survey.site.name, instrument=survey.camera.instrument,
        first=night - timedelta(days=survey.plan.nights), night=night,
    )  # fmt: skip
    kinds = {kind.value for kind in survey.calibration.kinds}
    sets: dict[tuple[ImageType, str], list[EarlierExposure]] = {}
    for row in rows:
        if row.image_type.value in kinds:
            sets.setdefault((row.image_type, row.filter), []).append(row)
    nights = max(len({row.night for row in rows}), 1)
    for (image_type, name), frames in sets.items():
        first = _at_this_night(survey, night, frames, last=False)
        last = _at_this_night(survey, night, frames, last=True)
        what = f"{image_type.value} frames{f' in {name}' if name else ''} of {survey.camera.instrument}"
        note = f"about {round(len(frames) / nights)}, as in the last nights; then the master is made"
        yield Step(first, last, what, note)


def _at_this_night(survey: Survey, night: date, frames: Sequence[EarlierExposure], *, last: bool) -> datetime:
    """Return when the first or the last of such frames is taken: the median time since the night's noon."""
    ends: dict[date, float] = {}
    choose = max if last else min
    for frame in frames:
        since = (frame.shutter_open - night_bounds(survey.site, frame.night)[0]).total_seconds()
        ends[frame.night] = choose(ends.get(frame.night, since), since)
    return night_bounds(survey.site, night)[0] + timedelta(seconds=median(ends.values()))


def _references_made(camera: CameraPlan) -> Iterable[Step]:
    counts = Counter(reference.what.split(",")[0] for reference in camera.references if reference.what)
    if not counts or not camera.planned.exposures:
        return
    made = sum(count for what, count in counts.items() if not what.startswith("none"))
    if made:
        first, last = camera.planned.exposures[0].opens, camera.planned.exposures[-1].opens
        yield Step(first, last, f"first references of {camera.instrument}", f"of {made} fields and filters")
