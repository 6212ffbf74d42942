"""One unit a raw file, each a task of its own."""

from nightshift.context import Context
from nightshift.kinds.exposures import exposure_of
from nightshift.kinds.plans import Plan, PlannedUnit, input_in_depot
from nightshift.workflow.subjects import Subject
from toy_kind import queries

__all__ = ["plan"]


def plan(context: Context, subject: Subject) -> Plan:
    """Plan what is not known yet."""
    exposure = exposure_of(context, subject)
    files = queries.files_without(context.ledger, exposure_id=subject["exposure_id"])
    units = []
    for task, file in enumerate(files):
        frame = f"{file.instrument}/{file.exposure_id}/{file.detector}"
        raw = input_in_depot(context, "raw", file.path, file.sha256, frame)
        units.append(PlannedUnit(f"toy/{frame}", task, (raw,), {}))
    return Plan(exposure.site, exposure.night, tuple(units))
