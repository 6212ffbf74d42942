"""What every kind of work on an exposure plans alike."""

from typing import Any

from nightshift.context import Context
from nightshift.jobs.contract import Input
from nightshift.keys import serving
from nightshift.kinds.plans import input_of_product
from nightshift.workflow.subjects import Subject

__all__ = ["exposure_of", "parameters_of", "reference_inputs", "references_serving", "tasks_of"]


def exposure_of(context: Context, subject: Subject) -> dict[str, Any]:
    """Return the exposure that a subject is, or raise `LookupError`."""
    row = context.ledger.row(
        "exposures", "exposure", instrument=subject["instrument"], exposure_id=subject["exposure_id"]
    )
    if row is None:
        raise LookupError(f"no exposure {subject['instrument']}/{subject['exposure_id']} is registered")
    return row


def parameters_of(exposure: dict[str, Any], row: dict[str, Any]) -> dict[str, Any]:
    """Return what a job must know of an exposure and one of its quadrants."""
    return {
        "instrument": exposure["instrument"],
        "exposure_id": exposure["exposure_id"],
        "detector": row["detector"],
        "quadrant": row["quadrant"],
        "filter": exposure["filter"],
        "field": exposure["field"],
        "exposure_s": exposure["exposure_s"],
        "shutter_open": exposure["shutter_open"].isoformat(),
        "ra_deg": exposure["ra_deg"],
        "dec_deg": exposure["dec_deg"],
        "airmass": exposure["airmass"],
    }


def tasks_of(context: Context, rows: list[dict[str, Any]]) -> dict[tuple[int, int], int]:
    """Number the tasks of an array: one a detector's file, or one a quadrant, as the camera's settings say."""
    places = [(r["detector"], r["quadrant"]) for r in rows]
    if context.survey.camera.units_per_task == "quadrant":
        return {place: index for index, place in enumerate(places)}
    detectors = sorted({detector for detector, _ in places})
    return {place: detectors.index(place[0]) for place in places}


def references_serving(
    context: Context, exposure: dict[str, Any], campaign: str
) -> dict[tuple[int, int], dict[str, Any]]:
    """Return the reference that serves each quadrant of an exposure in a campaign."""
    if exposure["field"] is None:
        return {}
    rows = context.ledger.rows(
        "reference", "references_serving",
        instrument=exposure["instrument"], field=exposure["field"], filter=exposure["filter"],
        shutter_open=exposure["shutter_open"], campaigns=serving(campaign),
    )  # fmt: skip
    return {(r["detector"], r["quadrant"]): r for r in rows}


def reference_inputs(context: Context, row: dict[str, Any] | None) -> tuple[Input, ...]:
    """Return a reference and its sources as inputs; nothing without one."""
    if row is None:
        return ()
    return (
        input_of_product(context, "reference", row),
        input_of_product(context, "reference_sources", row, "sources_"),
    )
