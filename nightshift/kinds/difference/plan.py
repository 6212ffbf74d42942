"""Which quadrants of an exposure are differenced against a reference that came after them."""

from nightshift.context import Context
from nightshift.kinds.difference import queries
from nightshift.kinds.exposures import exposure_of, parameters_of, reference_inputs, references_serving, tasks_of
from nightshift.kinds.plans import Plan, PlannedUnit, input_in_depot
from nightshift.kinds.science.catalogues import catalogue_path
from nightshift.workflow.subjects import Subject

__all__ = ["plan"]


def plan(context: Context, subject: Subject) -> Plan:
    """Plan the quadrants that were reduced before their reference came into service."""
    exposure = exposure_of(context, subject)
    rows = queries.units_to_difference(
        context.ledger, instrument=exposure.instrument, exposure_id=exposure.exposure_id, campaign=subject.campaign
    )
    references = references_serving(context, exposure, subject.campaign)
    found = {place: row for row in rows if (place := (row.detector, row.quadrant)) in references}
    tasks = tasks_of(context, found)
    units = []
    for place, row in found.items():
        reference = references[place]
        inputs = (
            input_in_depot(context, "calibrated", row.calibrated_path, row.calibrated_sha256, row.calibrated_key),
            input_in_depot(context, "sources", row.sources_path, row.sources_sha256, row.sources_key),
            *reference_inputs(context, reference),
        )
        parameters = {
            **parameters_of(exposure, place),
            "flags": [],
            "own_catalogue": catalogue_path(context, exposure.field) is None,
            "reference_key": reference.reference_key,
        }
        units.append(PlannedUnit(row.unit_key, tasks[place], inputs, parameters))
    return Plan(exposure.site, exposure.night, tuple(units))
