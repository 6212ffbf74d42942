"""One unit a raw file, each a task of its own."""

from nightshift.context import Context
from nightshift.jobs.contract import Input
from nightshift.kinds.exposures import exposure_of
from nightshift.kinds.plans import Plan, PlannedUnit
from nightshift.workflow.subjects import Subject

__all__ = ["plan"]


def plan(context: Context, subject: Subject) -> Plan:
    """Plan what is not known yet."""
    exposure = exposure_of(context, subject)
    rows = context.ledger.rows("toy", "files_without", exposure_id=subject["exposure_id"])
    units = []
    for task, row in enumerate(rows):
        frame = f"{row['instrument']}/{row['exposure_id']}/{row['detector']}"
        raw = Input("raw", str(context.depot.absolute(row["path"])), row["sha256"], frame)
        units.append(PlannedUnit(f"toy/{frame}", task, (raw,), {}))
    return Plan(exposure["site"], exposure["night"], tuple(units))
