"""Which quadrants of an exposure are differenced against a reference that came after them."""

from nightshift.context import Context
from nightshift.kinds.exposures import exposure_of, parameters_of, reference_inputs, references_serving, tasks_of
from nightshift.kinds.plans import Plan, PlannedUnit, input_of_product
from nightshift.kinds.science.catalogues import catalogue_path
from nightshift.workflow.subjects import Subject

__all__ = ["plan"]


def plan(context: Context, subject: Subject) -> Plan:
    """Plan the quadrants that were reduced before their reference came into service."""
    exposure = exposure_of(context, subject)
    rows = context.ledger.rows(
        "difference", "units_to_difference",
        instrument=exposure["instrument"], exposure_id=exposure["exposure_id"], campaign=subject.campaign,
    )  # fmt: skip
    references = references_serving(context, exposure, subject.campaign)
    rows = [row for row in rows if (row["detector"], row["quadrant"]) in references]
    tasks = tasks_of(context, rows)
    units = []
    for row in rows:
        place = (row["detector"], row["quadrant"])
        reference = references[place]
        member = context.ledger.value(
            "difference", "is_member", reference_key=reference["reference_key"], unit_key=row["unit_key"]
        )
        inputs = (
            input_of_product(context, "calibrated", row, "calibrated_"),
            input_of_product(context, "sources", row, "sources_"),
            *reference_inputs(context, reference),
        )
        parameters = {
            **parameters_of(exposure, row),
            "flags": [],
            "own_catalogue": catalogue_path(context, exposure["field"]) is None,
            "reference_key": reference["reference_key"],
            "in_reference": member is not None,
        }
        units.append(PlannedUnit(row["unit_key"], tasks[place], inputs, parameters))
    return Plan(exposure["site"], exposure["night"], tuple(units))
