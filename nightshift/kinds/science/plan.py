"""Which quadrants of an exposure are reduced, with which masters, catalogue and reference."""

from nightshift.context import Context
from nightshift.jobs.contract import Input
from nightshift.keys import ExposureKey, FrameKey
from nightshift.kinds.exposures import (
    Place,
    exposure_of,
    parameters_of,
    reference_inputs,
    references_serving,
    tasks_of,
)
from nightshift.kinds.master.fallback import MasterChoice, read_masters
from nightshift.kinds.plans import Plan, PlannedUnit, input_in_depot, input_of_file
from nightshift.kinds.science import queries
from nightshift.kinds.science.again import keep_published
from nightshift.kinds.science.catalogues import catalogue_path, own_catalogues
from nightshift.ledger.queries import exposures as exposure_queries
from nightshift.ledger.queries.exposures import Exposure
from nightshift.settings import bad_pixels_file
from nightshift.vocabulary import EventLevel, Reason, UnitState
from nightshift.workflow.subjects import Subject

__all__ = ["plan"]


def plan(context: Context, subject: Subject) -> Plan:
    """Plan the units of an exposure that are pending, and hold those that the last master fallback holds."""
    exposure = exposure_of(context, subject)
    queries.reject_invalid_units(context.ledger, instrument=exposure.instrument, exposure_id=exposure.exposure_id)
    rows = queries.units_to_do(
        context.ledger, instrument=exposure.instrument, exposure_id=exposure.exposure_id, campaign=subject.campaign
    )
    masters = read_masters(context, exposure.instrument, exposure.night, exposure.filter, subject.campaign)
    catalogues = _catalogues(context, exposure, subject.campaign)
    references = references_serving(context, exposure, subject.campaign)
    published = keep_published(context, ExposureKey(exposure.instrument, exposure.exposure_id), subject.campaign)
    tasks = tasks_of(context, ((row.detector, row.quadrant) for row in rows))
    units = []
    for row in rows:
        place = (row.detector, row.quadrant)
        chosen = masters.choose(context.survey.calibration.kinds, *place)
        if chosen.missing and context.survey.calibration.without_master == "hold":
            _hold(context, row.unit_key, chosen)
            continue
        raw_key = str(FrameKey(exposure.instrument, exposure.exposure_id, row.detector))
        raw = input_in_depot(context, "raw", row.path, row.sha256, raw_key)
        reference = None if row.unit_key in published else references.get(place)
        inputs = (
            raw,
            *chosen.inputs,
            *_bad_pixels(context, place),
            *catalogues.of(place),
            *reference_inputs(context, reference),
        )
        parameters = {
            **parameters_of(exposure, place),
            "flags": [flag.value for flag in chosen.flags],
            "lacking": [kind.value for kind in chosen.missing],
            "own_catalogue": catalogues.own,
            "reference_key": reference.reference_key if reference else None,
            "overruled": row.accepted,
        }
        units.append(PlannedUnit(row.unit_key, tasks[place], inputs, parameters))
    return Plan(exposure.site, exposure.night, tuple(units))


def _hold(context: Context, unit_key: str, chosen: MasterChoice) -> None:
    names = ", ".join(chosen.missing)
    exposure_queries.end_unit(
        context.ledger, unit_key=unit_key, state=UnitState.HELD, reason=Reason.CALIBRATION_MISSING,
        detail=f"no master {names}", flags=[],
    )  # fmt: skip
    context.ledger.event(
        EventLevel.WARNING, "unit_held", f"No master {names} serves: held until one does.",
        subject=unit_key, night_time=context.clock.now(),
    )  # fmt: skip


def _bad_pixels(context: Context, place: Place) -> tuple[Input, ...]:
    path = bad_pixels_file(context.survey, *place)
    key = f"bad_pixels/{context.survey.camera.bad_pixels_of(*place)}"
    return () if path is None else (input_of_file("bad_pixels", path.absolute(), key),)


class _Catalogues:
    """What the stars of an exposure are compared with: the field's catalogue, or its own first good frame."""

    def __init__(self, shared: Input | None, own: dict[Place, Input]):
        self.own = shared is None
        self._shared, self._own = shared, own

    def of(self, place: Place) -> tuple[Input, ...]:
        chosen = self._shared or self._own.get(place)
        return (chosen,) if chosen else ()


def _catalogues(context: Context, exposure: Exposure, campaign: str) -> _Catalogues:
    path = catalogue_path(context, exposure.field)
    if path is not None:
        return _Catalogues(input_of_file("catalogue", path, f"catalogue/{path.name}"), {})
    if exposure.field is None:
        return _Catalogues(None, {})
    found = own_catalogues(context, [(exposure.field, exposure.filter)], campaign)
    own = {
        (own.detector, own.quadrant): input_in_depot(context, "catalogue", own.path, own.sha256, own.product_key)
        for own in found
    }
    return _Catalogues(None, own)
